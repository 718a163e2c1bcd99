"""Ways to have run the first phases of a job, and when the next one may begin after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from planner.layouts.dominance import undominated
from planner.market.placements import Placement
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.solution import PhaseDecision
from planner.units import SECONDS_PER_DAY


@dataclass(frozen=True)
class Leg:
    """Some phases in a row with one purchase option."""

    purchase_option: PurchaseOption
    first: int
    last: int
    held: int
    """Nodes that are reserved for them."""
    phases: tuple[PhaseDecision, ...]
    goes_on: bool
    """Whether its spot nodes are those of the phase before."""


@dataclass(frozen=True)
class Way:
    """One way to have run all phases so far."""

    seconds: float
    """From the first day to the end."""
    cents: float
    leg: Leg | None = None
    before: Way | None = None

    def legs(self) -> tuple[Leg, ...]:
        """All legs, the first one first."""
        found: list[Leg] = []
        way: Way | None = self
        while way is not None and way.leg is not None:
            found.append(way.leg)
            way = way.before
        return tuple(reversed(found))


@dataclass(frozen=True)
class Begins:
    """When a phase may begin; shape (begins,)."""

    seconds: Array
    cents: Array
    """Spent by then."""
    days: tuple[int | None, ...]
    """Days that it waits for; None where it begins at once."""
    ways: tuple[Way, ...]
    """How the phases before have run."""

    def __len__(self) -> int:
        return len(self.seconds)

    @classmethod
    def of(cls, arrived: Sequence[tuple[float, float, Way]], placement: Placement, latest: float) -> Begins:
        """At once after every arrival that none beats, and at the midnights at which a later begin may be better."""
        figures = np.asarray([one[:2] for one in arrived]).reshape(-1, 2)
        some = [arrived[one] for one in undominated(figures)]
        found: list[tuple[float, float, int | None, Way]] = [(*one[:2], None, one[2]) for one in some]
        for day in _days(placement, figures[:, 0], latest):
            ready = [one for one in some if one[0] < day * SECONDS_PER_DAY]
            if ready:
                found.append((float(day * SECONDS_PER_DAY), ready[-1][1], day, ready[-1][2]))
        return cls._from(found)

    @classmethod
    def at_once(cls, ways: Sequence[Way]) -> Begins:
        """At the end of each way."""
        return cls._from([(way.seconds, way.cents, None, way) for way in ways])

    @classmethod
    def _from(cls, found: Sequence[tuple[float, float, int | None, Way]]) -> Begins:
        seconds, cents = (np.asarray([one[column] for one in found], dtype=np.float64) for column in (0, 1))
        return cls(seconds, cents, tuple(one[2] for one in found), tuple(one[3] for one in found))


def _days(placement: Placement, ready: Array, latest: float) -> list[int]:
    """Days at whose midnight a phase may better begin than at once.

    Where the offer still changes, all until its last change; where whole days are paid, the next one too.
    """
    blocks = [one.block for one in placement.reservations if one.block]
    days = set(range(1, ceil(min(placement.last_change, latest) / SECONDS_PER_DAY) + 1))
    if blocks:
        days |= {floor(one / SECONDS_PER_DAY) + 1 for one in ready.tolist()}
    return sorted(days)
