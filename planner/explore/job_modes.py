"""Every undominated way to run a whole job: exact, from the columns that the model chooses from.

Within one option a job is a layout for each phase, nodes to reserve, and the cheapest purchases for the rest. Walls and
bills add up over the phases, so sums that another sum beats in both can be dropped phase by phase. Every line of a bill
is whole cents, so that a budget is kept or not kept to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import floor, inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.availability.chance_constraint import deviations_of, promised
from planner.clock import Clock
from planner.layouts.dominance import undominated
from planner.market.money import line_cents
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, is_open, site_of
from planner.plans.node_cost import NodeCost, node_cost
from planner.plans.peak_bound import prices_of
from planner.plans.plan import Plan, plan_of
from planner.plans.plan_error import counts_error, kept_of_phase
from planner.plans.solution import Decision, PhaseDecision
from planner.problem.problem import Problem, Risk
from planner.tolerances import PHASE_CENTS, SUM_ORDER
from planner.verify.check import FaultyPlanError, violations

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bounds:
    """What a plan must not exceed; the names are those of `Limit.quantity`."""

    wall_seconds: float = inf
    cost_usd: float = inf
    gpus: float = inf

    @property
    def cents(self) -> float:
        """Most whole cents that keep the budget."""
        return self.cost_usd if self.cost_usd == inf else floor(round(100 * self.cost_usd, CENT_DIGITS))

    def keeps(self, mode: JobMode) -> bool:
        """Whether a mode is within time and money; modes are made within a number of devices."""
        return mode.kept_seconds <= self.wall_seconds and mode.cost_usd <= self.cost_usd


CENT_DIGITS: Final = 3
"""Digits of a cent to which a budget as a float is exact."""


def bounds_of(problem: Problem) -> Bounds:
    """The limits that a problem states."""
    limits = problem.limits
    return Bounds(
        limits.deadline if limits.deadline is not None else inf,
        float(limits.budget) if limits.budget is not None else inf,
        limits.gpus if limits.gpus is not None else inf,
    )


@dataclass(frozen=True)
class JobMode:
    """One way to run the whole job."""

    purchase_option: PurchaseOption
    reserved: int
    """Nodes reserved from the first phase to the last."""
    options: tuple[int, ...]
    """The layout of each phase, among the columns of the purchase option's site."""
    wall_seconds: float
    """Expected."""
    kept_seconds: float
    """What a deadline bounds: the expected wall time, or the time that is kept with `risk.confidence`."""
    cost_usd: float
    """US dollars, in whole cents."""


SUMS: Final = ("wall", "least", "variance", "kept", "cents")
"""What adds up over the phases, in seconds, their squares, and US cents; `kept` where the estimate's error counts."""
WALL, KEPT, CENTS = SUMS.index("wall"), SUMS.index("kept"), SUMS.index("cents")


@dataclass(frozen=True)
class _Sums:
    """Sums over the phases so far, none worse than another in all that is bounded or wanted, fastest first."""

    values: Array
    """Shape (sums, columns of `SUMS`)."""
    picks: Counts
    """Shape (sums, phases)."""

    @property
    def usd(self) -> Array:
        """US dollars, shape (sums,)."""
        return self.values[:, CENTS] / 100

    def kept(self, risk: Risk) -> Array:
        """What a deadline bounds, shape (sums,)."""
        return kept_seconds(self.values, risk)

    def joined(self, other: _Sums, left: _Left, seen: _Seen) -> _Sums:
        """All sums with one phase more, within what is left for them, without those that another beats."""
        values = (self.values[:, None, :] + other.values[None, :, :]).reshape(-1, len(SUMS))
        kept = _within(values, left, seen)
        first, second = np.divmod(kept, max(len(other.values), 1))
        return _Sums(values[kept], np.hstack((self.picks[first], other.picks[second])))

    def take(self, index: Counts) -> _Sums:
        """Some of the sums."""
        return _Sums(self.values[index], self.picks[index])


@dataclass(frozen=True)
class _Left:
    """What the bounds leave for some phases."""

    wall_seconds: float
    cents: float

    def beside(self, others: Array) -> _Left:
        """The same when other phases, of shape (layouts, columns of `SUMS`), take their least too."""
        wall, cents = (float(others[:, column].min(initial=inf)) for column in (WALL, CENTS))
        return _Left(self.wall_seconds - wall + SUM_ORDER * wall, self.cents - cents)


_Seen = Callable[[Array], Array]
"""What of sums decides whether one beats another, each the less the better; shape (sums, figures)."""


def _within(values: Array, left: _Left, seen: _Seen) -> Counts:
    """Index of what is within what is left by expected values and beaten by nothing, fastest first."""
    fits = np.flatnonzero((values[:, WALL] <= left.wall_seconds) & (values[:, CENTS] <= left.cents))
    return fits[undominated(seen(values[fits]))]


def _wall_and_cents(values: Array) -> Array:
    return values[:, [WALL, CENTS]]


def _seen_so_far(risk: Risk) -> _Seen:
    """What counts while phases are still to come: of luck alone all of it, since the rest decides the shape."""
    if counts_error(risk):
        return lambda values: values[:, [WALL, KEPT, CENTS]]
    return _wall_and_cents if risk.confidence is None else lambda values: values


def _seen_at_last(risk: Risk) -> _Seen:
    """What counts of whole jobs: expected time and cost, and with a confidence the time that is kept."""
    if risk.confidence is None:
        return _wall_and_cents
    return lambda values: np.column_stack((values[:, WALL], kept_seconds(values, risk), values[:, CENTS]))


def kept_seconds(values: Array, risk: Risk) -> Array:
    """What a deadline bounds, of sums in the columns of `SUMS`; shape (sums,)."""
    wall, least, variance, kept = (np.asarray(column) for column in values[:, :CENTS].T)
    if counts_error(risk):
        return kept
    return wall if risk.confidence is None else promised(least, wall, variance, deviations_of(risk.confidence))


def undominated_job_modes(choices: Choices, bounds: Bounds, clock: Clock | None = None) -> tuple[JobMode, ...]:
    """All ways to run the job within the bounds that none beats in time and cost, fastest first.

    Once there is one and the clock is over no further purchase option is looked at; the cheapest go first. Under
    `risk.confidence` the time that is kept counts beside the expected one. Under `objective: tokens` the first phase
    has one step.
    """
    known, found = np.empty((0, 2 if choices.problem.risk.confidence is None else 3)), list[JobMode]()
    for purchase_option in sorted(choices.purchase_options, key=usd_per_device_hour):
        if found and clock and clock.is_over:
            break
        if purchase_option.reservation and not _may_add(
            known, _goals(choices, _sums(choices, purchase_option, bounds, 0, optimistic=True))
        ):
            continue
        for reserved in reservations(choices, purchase_option, bounds):
            sums = _in_time(
                choices,
                _paid(purchase_option, reserved, _sums(choices, purchase_option, bounds, reserved), bounds),
                bounds,
            )
            goals = _goals(choices, sums)
            if not _may_add(known, goals):
                continue
            both = np.concatenate((known, goals))
            kept = undominated(both)
            before = len(known)
            found = [
                found[one]
                if one < before
                else _mode(choices, purchase_option, reserved, sums.take(np.asarray([one - before])))
                for one in kept.tolist()
            ]
            known = both[kept]
    return tuple(found)


def usd_per_device_hour(purchase_option: PurchaseOption) -> float:
    """The lowest price of a purchase option."""
    return min(prices_of(purchase_option).values()) / purchase_option.placement.machine.per_node


def _goals(choices: Choices, sums: _Sums) -> Array:
    """Time and cost, and under a confidence the time that is kept between them; shape (sums, 2 or 3)."""
    risk = choices.problem.risk
    if risk.confidence is None:
        return np.column_stack((sums.values[:, WALL], sums.usd))
    return np.column_stack((sums.values[:, WALL], sums.kept(risk), sums.usd))


def _may_add(known: Array, goals: Array) -> bool:
    """Whether some goals are not beaten by what is known, which is in order of wall time."""
    if known.shape[1] > 2:
        return any(not (known <= one).all(axis=1).any() for one in goals)
    faster = np.searchsorted(known[:, 0], goals[:, 0], side="right") - 1
    least = np.concatenate((known[:, 1], [np.inf]))[faster]
    return bool((goals[:, 1] < least).any())


def _mode(choices: Choices, purchase_option: PurchaseOption, reserved: int, only: _Sums) -> JobMode:
    """The mode of one sum."""
    options = tuple(int(one) for one in only.picks[0])
    kept = float(only.kept(choices.problem.risk)[0])
    return JobMode(purchase_option, reserved, options, float(only.values[0, WALL]), kept, float(only.usd[0]))


def _in_time(choices: Choices, sums: _Sums, bounds: Bounds) -> _Sums:
    """The sums that keep the deadline as surely as is asked for."""
    risk = choices.problem.risk
    if risk.confidence is None:
        return sums
    return sums.take(np.flatnonzero(sums.kept(risk) <= bounds.wall_seconds))


def _sums(
    choices: Choices, purchase_option: PurchaseOption, bounds: Bounds, reserved: int, *, optimistic: bool = False
) -> _Sums:
    """All phases together with so many reserved nodes, which are not counted; `optimistic`: in the cheapest way.

    Phase by phase, as far as the bounds leave room for the least that the others take.
    """
    risk, most = choices.problem.risk, most_nodes_of(purchase_option, bounds)
    bought = [
        phase_figures(choices, purchase_option, index, reserved, optimistic=optimistic)
        for index in range(len(choices.phases))
    ]
    phases = [np.where(nodes[:, None] <= most, values, inf) for nodes, values in bought]
    sums = _Sums(np.zeros((1, len(SUMS))), np.empty((1, 0), dtype=np.int64))
    remaining = [_Left(bounds.wall_seconds, bounds.cents)]
    for values in phases[:0:-1]:
        remaining.append(remaining[-1].beside(values))
    seen = [_seen_so_far(risk)] * (len(phases) - 1) + [_seen_at_last(risk)]
    for values, left, of_sums in zip(phases, reversed(remaining), seen, strict=True):
        alone = _within(values, left, _seen_so_far(risk))
        sums = sums.joined(_Sums(values[alone], alone[:, None]), left, of_sums)
    return sums


def phase_figures(
    choices: Choices, purchase_option: PurchaseOption, index: int, reserved: int, *, optimistic: bool = False
) -> tuple[Counts, Array]:
    """Nodes that one phase buys on each layout, and its figures, of shape (layouts, columns of `SUMS`)."""
    columns, steps = columns_of(choices, purchase_option, index), steps_of(choices, index)
    if optimistic:
        bill = node_cost(purchase_option, columns, steps)
        cents = np.maximum(np.floor(100 * columns.bought * bill.least) - PHASE_CENTS, 0)
    else:
        cents = _cents(purchase_option, columns, steps, reserved)
    run, kept = columns.run, kept_of_phase(choices, purchase_option.placement.machine, columns, steps)
    figures = [one.after(steps) for one in (run.wall, run.least, run.variance)]
    return columns.bought, np.column_stack([*figures, kept, cents])


def columns_of(choices: Choices, purchase_option: PurchaseOption, phase: int) -> PhaseModes:
    """The layouts of a phase that a purchase option's site has."""
    return choices.columns[phase][site_of(purchase_option)]


def steps_of(choices: Choices, phase: int) -> int:
    """Steps of a phase; one while its tokens are what is maximised."""
    work = choices.phases[phase]
    return 1 if is_open(choices.problem, work.name) else work.steps


def most_nodes_of(purchase_option: PurchaseOption, bounds: Bounds) -> float:
    """Most nodes that a purchase option has within the bounds."""
    return min(purchase_option.placement.nodes, bounds.gpus / purchase_option.placement.machine.per_node)


def _cents(purchase_option: PurchaseOption, columns: PhaseModes, steps: int, reserved: int) -> Array:
    """Least bill of the nodes that are not reserved, on each layout; infinite where they are not sold."""
    left, run = np.maximum(columns.bought - reserved, 0).astype(np.float64), columns.run
    spot = spot_nodes_of(purchase_option, node_cost(purchase_option, columns, steps), left)
    on_demand, spot_price = purchase_option.on_demand_price, purchase_option.spot_price
    return (
        line_cents(left - spot, on_demand, run.wall.after(steps))
        + line_cents(spot, spot_price, run.spot.after(steps))
        + line_cents(spot, on_demand, run.replaced.after(steps))
    )


def spot_nodes_of(purchase_option: PurchaseOption, bill: NodeCost, nodes: Array) -> Array:
    """How many of so many nodes are bought as spot: all that there are, where they cost less."""
    return np.minimum(nodes, np.where(bill.spot < bill.on_demand, purchase_option.spot_nodes, 0))


def reservations(choices: Choices, purchase_option: PurchaseOption, bounds: Bounds) -> Iterator[int]:
    """Numbers of reserved nodes that can be best: none, and where a phase's cheaper purchases run out.

    For given nodes of each phase the cost is piecewise linear in the reservation and breaks only there.
    """
    if purchase_option.reservation is None:
        yield 0
        return
    needed = {
        int(one) for index in range(len(choices.phases)) for one in columns_of(choices, purchase_option, index).bought
    }
    breaks = {count for need in needed for count in (0, need, need - purchase_option.spot_nodes)}
    yield from sorted(count for count in breaks if 0 <= count <= most_nodes_of(purchase_option, bounds))


def _paid(purchase_option: PurchaseOption, reserved: int, sums: _Sums, bounds: Bounds) -> _Sums:
    """The sums with what the reservation costs, from the first phase to the last and at least for its term."""
    if purchase_option.reservation is None or not reserved:
        return sums
    paid = np.maximum(sums.values[:, WALL], purchase_option.committed_seconds)
    values = sums.values.copy()
    values[:, CENTS] += line_cents(reserved, purchase_option.reservation.usd_per_node_hour, paid)
    return _Sums(values, sums.picks).take(np.flatnonzero(values[:, CENTS] <= bounds.cents))


def plan_of_mode(choices: Choices, problem: Problem, mode: JobMode) -> Plan:
    """The plan of a mode, verified against a problem. Raises FaultyPlanError when it does not hold."""
    plan = plan_of(choices, decision_of(choices, mode))
    faults = violations(problem, plan)
    if faults:
        raise FaultyPlanError(faults)
    return plan


def decision_of(choices: Choices, mode: JobMode) -> Decision:
    """A mode as what the search would have decided."""
    phases = []
    for index, option in enumerate(mode.options):
        columns = columns_of(choices, mode.purchase_option, index)
        reserved = min(mode.reserved, int(columns.bought[option]))
        steps = steps_of(choices, index)
        bill = node_cost(mode.purchase_option, columns.take(np.asarray([option])), steps)
        left = int(columns.bought[option]) - reserved
        spot = int(spot_nodes_of(mode.purchase_option, bill, np.asarray([float(left)]))[0])
        phases.append(PhaseDecision(columns, option, steps, left - spot, spot, reserved))
    return Decision(mode.purchase_option, tuple(phases), mode.reserved)


def cheapest(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The least cost within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.cost_usd, default=None)


def fastest(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The least wall time within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.wall_seconds, default=None)


def soonest_kept(modes: tuple[JobMode, ...], bounds: Bounds) -> JobMode | None:
    """The mode whose deadline can be the earliest, within bounds of time and money."""
    return min((one for one in modes if bounds.keeps(one)), key=lambda one: one.kept_seconds, default=None)
