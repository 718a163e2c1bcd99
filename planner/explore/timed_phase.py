"""One phase on every layout of a purchase option from every begin: when it ends, and what it costs at least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from planner.explore.job_sums import Left
from planner.explore.least import steps_of
from planner.explore.ways import Begins
from planner.layouts.wall_time import checkpoint_and_restart_seconds, interruption_rates
from planner.market.calendar import block_span, running
from planner.market.money import line_cents, node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes
from planner.plans.solution import PhaseDecision

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ran:
    """When a phase has run on some layouts; arrays of shape (begins, layouts)."""

    ends: Array
    """Infinite where its nodes are never there long enough, or too few are sold."""
    pauses: Array
    on_demand: tuple[tuple[float, Array], ...]
    """US dollars of an on-demand node-hour, and the seconds for which that is the price."""


@dataclass(frozen=True)
class TimedPhase:
    """A phase on the layouts that a purchase option has for it; arrays of shape (layouts,)."""

    purchase_option: PurchaseOption
    phase: int
    steps: int
    modes: PhaseModes
    most_nodes: float
    pause_seconds: Array
    """To write a checkpoint and to go on from it."""

    def ran(self, begins: Array) -> Ran:
        """When it has run, from each begin."""
        wall = self.modes.run.wall.after(self.steps)[None, :]
        timeline = self.purchase_option.placement.timeline
        fits = np.where(self.modes.bought <= self.most_nodes, 0.0, inf)
        if timeline is None:
            price = self.purchase_option.on_demand_price
            whole = np.broadcast_to(wall, (len(begins), wall.shape[1]))
            paid = () if price is None else ((float(price), whole),)
            return Ran(begins[:, None] + wall + fits, np.zeros(whole.shape), paid)
        shape = (len(begins), wall.shape[1])
        ends, pauses, paid_at = np.full(shape, inf), np.zeros(shape), dict[float, Array]()
        levels = timeline.levels(self.modes.bought.astype(np.float64))
        for level in np.unique(levels).tolist():
            some = np.flatnonzero(levels == level)
            found = running(timeline, int(level), begins[:, None], wall[:, some], self.pause_seconds[None, some])
            ends[:, some], pauses[:, some] = found.ends, found.pauses
            for price, seconds in found.seconds_by_price().items():
                if price is not None:
                    paid_at.setdefault(float(price), np.zeros(shape))[:, some] = seconds
        return Ran(ends + fits, pauses, tuple(paid_at.items()))

    def after(self, begins: Begins) -> tuple[Array, Array, tuple[Counts, Counts, Counts]]:
        """Ends, cents spent by then, and nodes bought on demand, as spot and reserved; shape (begins, layouts) each."""
        ran, option = self.ran(begins.seconds), self.purchase_option
        overhead = ran.pauses * self.pause_seconds
        spot_seconds = self.modes.run.spot.after(self.steps) + overhead
        replaced = self.modes.run.replaced.after(self.steps) / (self.modes.run.wall.after(self.steps) + overhead)
        elapsed = np.where(np.isfinite(ran.ends), ran.ends - begins.seconds[:, None], 0.0)
        sells = bool(ran.on_demand)
        on_demand = sum(
            (node_hours_usd(1, price, seconds) for price, seconds in ran.on_demand), np.zeros(elapsed.shape)
        )
        usual = on_demand if sells else np.full(elapsed.shape, inf)
        reservation = option.reservation
        price = None if reservation is None or reservation.is_whole else reservation.usd_per_node_hour
        reserved = node_hours_usd(1, price, elapsed)
        as_spot = node_hours_usd(1, option.spot_price, spot_seconds) + replaced * on_demand
        rest = np.minimum(usual, reserved)
        nodes = np.broadcast_to(self.modes.bought.astype(np.int64), elapsed.shape)
        spot = np.where(as_spot < rest, np.minimum(nodes, option.spot_nodes), 0)
        left = nodes - spot
        held = np.where(reserved < usual, left, 0)
        bought = left - held
        cents = begins.cents[:, None] + line_cents(held, price, elapsed)
        cents = cents + line_cents(spot, option.spot_price, spot_seconds)
        for usd, seconds in ran.on_demand:
            cents = cents + line_cents(bought, usd, seconds) + line_cents(spot, usd, replaced * seconds)
        if not sells:
            cents = np.where(bought > 0, inf, cents)
        return ran.ends, np.where(np.isfinite(ran.ends), cents, inf), (bought, spot, held)

    def decided(self, layout: int, day: int | None, nodes: tuple[int, int, int]) -> PhaseDecision:
        """What is decided for it: a layout, the day it waits for, and nodes on demand, as spot and reserved."""
        on_demand, spot, reserved = nodes
        return PhaseDecision(self.modes, layout, self.steps, on_demand, spot, reserved, day)


def timed_phase(choices: Choices, option: PurchaseOption, phase: int, left: Left, modes: PhaseModes) -> TimedPhase:
    """A phase on the layouts of a purchase option, on as many nodes as are within what is left."""
    rates = interruption_rates(option.placement.machine.accelerator.name)
    pause = np.asarray(sum(checkpoint_and_restart_seconds(choices.workload, rates, modes.nodes)))
    most = left.nodes(option)
    return TimedPhase(option, phase, steps_of(choices, phase), modes, most, np.broadcast_to(pause, modes.nodes.shape))


@dataclass(frozen=True)
class WholeStay:
    """Phases in a row on so many nodes that are paid whole; arrays of shape (begins,)."""

    phases: tuple[TimedPhase, ...]
    nodes: int
    ends: Array
    cents: Array
    picks: Counts
    """The layout of each phase; shape (begins, phases)."""

    def decided(self, row: int, begins: Begins) -> tuple[PhaseDecision, ...]:
        """What is decided for the phases: all on reserved nodes, and only the first one waits."""
        days = (begins.days[row], *[None] * (len(self.phases) - 1))
        return tuple(
            phase.decided(int(pick), day, (0, 0, int(phase.modes.bought[pick])))
            for phase, pick, day in zip(self.phases, self.picks[row], days, strict=True)
        )


def whole_stay(phases: Sequence[TimedPhase], option: PurchaseOption, begins: Begins, left: Left) -> Iterator[WholeStay]:
    """Phases in a row on each number of nodes that can be paid whole, each phase on the layout that ends first."""
    reservation = option.reservation
    if reservation is None:
        return
    most, block = left.nodes(option), reservation.block
    needed = {int(one) for phase in phases for one in phase.modes.bought}
    for nodes in sorted(block.sizes if block else needed):
        if nodes > most or any(int(phase.modes.bought.min()) > nodes for phase in phases):
            continue
        now, picks = begins.seconds, []
        for phase in phases:
            ends = np.where(phase.modes.bought <= nodes, phase.ran(now).ends, inf)
            picks.append(np.argmin(ends, axis=1))
            now = ends[np.arange(len(now)), picks[-1]]
        paid = _paid_seconds(option, begins.seconds, now)
        cents = begins.cents + line_cents(nodes, reservation.usd_per_node_hour, np.where(np.isfinite(paid), paid, 0.0))
        cents = np.where(np.isfinite(paid), cents, inf)
        yield WholeStay(tuple(phases), nodes, now, cents, np.stack(picks, axis=1))


def _paid_seconds(option: PurchaseOption, begins: Array, ends: Array) -> Array:
    """For how long nodes are paid that are used from each begin to its end; infinite where they cannot be had then."""
    reservation = option.reservation
    if reservation is None or reservation.block is None:
        return np.maximum(ends - begins, option.committed_seconds)
    first, last = block_span(reservation.block, begins, ends)
    return np.where(np.isfinite(ends), last - first, inf)
