"""Every plan that some limits on time, money and devices can make the best one, as a table to look answers up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.clock import Clock
from planner.explore.job_modes import Bounds, JobMode
from planner.explore.job_sums import SUMS, kept_seconds, phase_figures, reservations
from planner.explore.least import usd_per_device_hour
from planner.layouts.dominance import undominated
from planner.market.money import line_cents
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices
from planner.plans.plan_error import counts_error
from planner.plans.solution import Stay
from planner.problem.limits import Risk
from planner.problem.objective import Objective

Counts = npt.NDArray[np.int64]
WALL, KEPT, CENTS = (SUMS.index(name) for name in ("wall", "kept", "cents"))
NODES: Final = len(SUMS)
"""Column of most nodes at a time, behind the sums."""


@dataclass(frozen=True)
class PlanTable:
    """Ways to run the whole job, none worse than another in time, money and devices; arrays of shape (rows,)."""

    wall_seconds: Array
    """Expected."""
    kept_seconds: Array
    """What a deadline bounds: the expected wall time, or the time that is kept with `risk.confidence`."""
    cents: Array
    """Whole US cents."""
    devices: Array
    """Most at a time, spares included."""
    options: Counts
    """The purchase option of each row, among those of the choices."""
    reserved: Counts
    picks: Counts
    """The layout of each phase, among the columns of the option's site; shape (rows, phases)."""

    def __len__(self) -> int:
        return len(self.cents)

    def take(self, index: Counts) -> PlanTable:
        """Some of the rows."""
        return PlanTable(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def within(self, bounds: Bounds) -> Counts:
        """The rows that keep limits."""
        keeps = (self.kept_seconds <= bounds.wall_seconds) & (self.cents <= bounds.cents)
        return np.flatnonzero(keeps & (self.devices <= bounds.gpus))

    def best(self, bounds: Bounds, objective: Objective) -> int | None:
        """The row of the least cost, or time, within limits, ties by the other; the first among equals."""
        rows = self.within(bounds)
        if not len(rows):
            return None
        figures = (self.cents[rows], self.wall_seconds[rows])
        first, second = reversed(figures) if objective == "time" else figures
        return int(rows[np.lexsort((second, first))[0]])

    def mode(self, choices: Choices, row: int) -> JobMode:
        """A row as a way to run the job."""
        return JobMode(
            (
                Stay(
                    choices.purchase_options[int(self.options[row])],
                    0,
                    self.picks.shape[1] - 1,
                    int(self.reserved[row]),
                ),
            ),
            tuple(int(one) for one in self.picks[row]),
            float(self.wall_seconds[row]),
            float(self.kept_seconds[row]),
            float(self.cents[row]) / 100,
        )

    @cached_property
    def goals(self) -> Array:
        """What decides whether one row beats another, shape (rows, 4)."""
        return np.column_stack((self.wall_seconds, self.kept_seconds, self.cents, self.devices))


def plan_tables(choices: Choices, clock: Clock | None = None) -> Mapping[str, PlanTable]:
    """The table of every accelerator, by name, for any deadline, budget and number of devices within the choices'.

    Exact: looking a plan up in it gives the cost and time that solving within the same limits gives. Under
    `objective: tokens` the first phase has one step. Raises OutOfTimeError when the clock is over before the end.
    """
    found: dict[str, PlanTable] = {}
    for index in sorted(range(len(choices.purchase_options)), key=lambda one: _order(choices.purchase_options[one])):
        if clock:
            clock.check()
        name = choices.purchase_options[index].placement.machine.accelerator.name
        tables = list(_of_option(choices, index, found.get(name)))
        if tables:
            found[name] = merged(*([found[name]] if name in found else []), *tables)
    return found


def _order(option: PurchaseOption) -> tuple[bool, float]:
    """Those without a reservation first: they are quickly listed, and rule most of the others out."""
    return option.reservation is not None, usd_per_device_hour(option)


def merged(*tables: PlanTable) -> PlanTable:
    """The rows of tables that none beats; of equal ones the first."""
    names = PlanTable.__dataclass_fields__
    whole = PlanTable(*(np.concatenate([getattr(one, name) for one in tables]) for name in names))
    return whole.take(np.sort(undominated(whole.goals)))


def _of_option(choices: Choices, index: int, known: PlanTable | None) -> Iterator[PlanTable]:
    """The rows of one purchase option, for every reservation that may add to what is known."""
    option = choices.purchase_options[index]
    counts = np.asarray(list(reservations(choices, option, range(len(choices.phases)), Bounds().left)))
    if known is not None and option.reservation:
        counts = counts[_may_add(known, option, *_sums(choices, option, 0, optimistic=True), counts)]
    for reserved in counts.tolist():
        sums, picks = _sums(choices, option, reserved)
        yield _rows(choices, index, reserved, _paid(option, reserved, sums), picks)


def _may_add(
    known: PlanTable, option: PurchaseOption, sums: Array, _picks: Counts, counts: Counts
) -> npt.NDArray[np.bool_]:
    """For each number of reserved nodes, whether what it takes at least is not beaten by what is known."""
    reservation = option.reservation
    price = np.asarray(float(reservation.usd_per_node_hour if reservation else 0))
    wall, least = sums[:, [WALL]], sums[:, [CENTS]]
    paid = line_cents(counts[None, :].astype(np.float64), price, np.maximum(wall, option.committed_seconds))
    cents = np.maximum(least, paid)
    devices = np.maximum(sums[:, [NODES]], counts) * option.placement.machine.per_node
    adds = _least_cents(known, np.broadcast_to(wall, cents.shape), devices) > cents
    return np.asarray(adds.any(axis=0), dtype=np.bool_)


def _least_cents(known: PlanTable, seconds: Array, devices: Array) -> Array:
    """The least cost of what is known to end as soon on as few devices, infinite where nothing does."""
    ends = np.maximum(known.wall_seconds, known.kept_seconds)
    times, counts = np.unique(ends), np.unique(known.devices)
    grid = np.full((len(times) + 1, len(counts) + 1), np.inf)
    cells = (np.searchsorted(times, ends) + 1, np.searchsorted(counts, known.devices) + 1)
    np.minimum.at(grid, cells, known.cents)
    grid = np.minimum.accumulate(np.minimum.accumulate(grid, axis=0), axis=1)
    found: Array = grid[np.searchsorted(times, seconds, side="right"), np.searchsorted(counts, devices, side="right")]
    return found


def _sums(choices: Choices, option: PurchaseOption, reserved: int, *, optimistic: bool = False) -> tuple[Array, Counts]:
    """All phases together with so many reserved nodes, which are not counted: sums and most nodes, and the layouts."""
    risk = choices.problem.risk
    sums: Array = np.zeros((1, NODES + 1))
    picks: Counts = np.empty((1, 0), dtype=np.int64)
    for phase in range(len(choices.phases)):
        nodes, values = phase_figures(choices, option, phase, reserved, optimistic=optimistic)
        one: Array = np.column_stack((values, nodes.astype(np.float64)))[nodes <= option.placement.nodes]
        alone = undominated(_seen(one, risk))
        joined: Array = sums[:, None, :] + one[None, alone, :]
        joined[:, :, NODES] = np.maximum(sums[:, None, NODES], one[None, alone, NODES])
        joined = joined.reshape(-1, NODES + 1)
        kept = undominated(_seen(joined, risk))
        first, second = np.divmod(kept, max(len(alone), 1))
        sums, picks = joined[kept], np.hstack((picks[first], alone[second][:, None]))
    return sums, picks


def _seen(sums: Array, risk: Risk) -> Array:
    """What decides whether one sum beats another while phases are still to come."""
    if counts_error(risk):
        return sums[:, [WALL, KEPT, CENTS, NODES]]
    return sums if risk.confidence is not None else sums[:, [WALL, CENTS, NODES]]


def _paid(option: PurchaseOption, reserved: int, sums: Array) -> Array:
    """The sums with what the reservation costs, from the first phase to the last and at least for its term."""
    if option.reservation is None or not reserved:
        return sums
    paid = sums.copy()
    seconds = np.maximum(sums[:, WALL], option.committed_seconds)
    price = np.asarray(float(option.reservation.usd_per_node_hour))
    paid[:, CENTS] += line_cents(np.asarray(float(reserved)), price, seconds)
    paid[:, NODES] = np.maximum(sums[:, NODES], reserved)
    return paid


def _rows(choices: Choices, index: int, reserved: int, sums: Array, picks: Counts) -> PlanTable:
    """The sums of one purchase option and reservation as rows, without those that another beats."""
    per_node = choices.purchase_options[index].placement.machine.per_node
    wall, cents, nodes = sums[:, [WALL, CENTS, NODES]].T
    kept = kept_seconds(sums[:, :NODES], choices.problem.risk)
    table = PlanTable(
        wall, kept, cents, nodes * per_node, np.full(len(wall), index), np.full(len(wall), reserved), picks
    )
    return table.take(undominated(table.goals))
