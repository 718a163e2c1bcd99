"""Generated capacity: alternating periods up and away, heavy-tailed, in which the nodes of a gang go together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.availability.renewal import mean_length
from planner.availability.spot_cycles import GangCycle
from planner.performance.symbols import Array
from planner.simulate.capacity import Floats, Runs


class Generated:
    """Capacity of many runs, each in a zone of its own, met at a random time."""

    def __init__(self, phases: Sequence[GangCycle], runs: int, generator: np.random.Generator) -> None:
        self._phases = phases
        self._periods = phases[0]
        self._generator = generator
        up, away = self._means()
        self._up = generator.random(runs) < up / (up + away)
        self.share = np.ones(runs)
        self.until = np.zeros(runs)
        everyone = np.arange(runs)
        for state in (True, False):
            some = everyone[self._up == state]
            share, mean = self._kinds(up=state)
            weights = share * mean / (share * mean).sum()
            self.until[some] = self._lengths(weights, mean, len(some))
            self.share[some] = 1.0 if state else self._kept(len(some))

    def _means(self) -> tuple[float, float]:
        periods = self._periods
        up = mean_length(periods.up_share, periods.up_mean)
        return float(up), float(mean_length(periods.away_share, periods.away_mean))

    def _kinds(self, *, up: bool) -> tuple[Array, Array]:
        periods = self._periods
        return (periods.up_share, periods.up_mean) if up else (periods.away_share, periods.away_mean)

    def _lengths(self, share: Array, mean: Array, count: int) -> Floats:
        """Random lengths of a mixture of exponentials."""
        kind = np.searchsorted(np.cumsum(share)[:-1], self._generator.random(count))
        return mean[kind] * self._generator.standard_exponential(count)

    def _kept(self, count: int) -> Floats:
        """Share of the nodes that stay in so many periods away."""
        some = self._generator.random(count) < float(self._periods.partial)
        return np.where(some, float(self._periods.kept), 0.0)

    def advance(self, runs: Runs) -> None:
        """Ends a period and begins the next."""
        self._up[runs] = ~self._up[runs]
        up = self._up[runs]
        for state, some in ((True, runs[up]), (False, runs[~up])):
            self.until[some] += self._lengths(*self._kinds(up=state), len(some))
            self.share[some] = 1.0 if state else self._kept(len(some))

    def begin_phase(self, phase: int, runs: Runs, seconds: Floats) -> None:
        """The current periods go on, as much longer or shorter as those of the new number of nodes are."""
        before, self._periods = self._means()[0], self._phases[phase]
        ratio = self._means()[0] / before
        self.until[runs] = seconds + (self.until[runs] - seconds) * ratio
