"""The best value of a problem by enumeration: every layout is evaluated, every way to buy is tried.

Nothing is bounded, dominated or rounded here except what the docstrings say; it is slow where the search is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.availability.chance_constraint import ErrorMargin, deviations_of, promised, promised_with_error
from planner.availability.spot_policies import Growth
from planner.layouts.degrees import degrees_of, searched_devices
from planner.layouts.dominance import undominated
from planner.layouts.evaluator import Evaluator, LayerGrid, evaluator
from planner.layouts.fastest import rows_on
from planner.layouts.layout_space import valid_rows
from planner.layouts.rows import LayoutRows
from planner.layouts.wall_time import RunTime, TimedLayouts, run_time
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.placements import Machine, placements
from planner.market.purchase_options import PurchaseOption, purchase_options_of
from planner.performance.symbols import Array
from planner.plans.choices import Site, is_open, site_of, with_spares
from planner.plans.plan_error import KnownLayouts, counts_error, error_margin
from planner.problem.limits import Risk
from planner.problem.problem import Problem
from planner.tolerances import CENT, SUM_ORDER, rounded_usd
from planner.units import SECONDS_PER_HOUR

CHUNK = 100_000
"""Rows that are evaluated at a time."""


@dataclass(frozen=True)
class Candidates:
    """Layouts of one phase on one site."""

    nodes: npt.NDArray[np.int64]
    run: RunTime
    error: ErrorMargin
    """Of the estimate, on each layout."""


@dataclass(frozen=True)
class BoughtPhase:
    """One phase on every layout that a purchase option can sell: how long it runs, and its cost."""

    run: RunTime
    usd: Growth
    """US dollars, without what is reserved."""
    error: ErrorMargin
    """Of the estimate, on each layout."""

    def after(self, steps: Array, risk: Risk) -> Array:
        """Sums after so many steps, a number or one for each layout; shape (layouts, columns of `SUMS`)."""
        figures = (self.run.least, self.run.variance, self.run.wall, self.usd)
        least, variance, wall, usd = (np.asarray(one.start + steps * one.each) for one in figures)
        kept = wall
        if risk.confidence is not None:
            deviations = deviations_of(risk.confidence)
            kept = promised_with_error(least, wall, variance, deviations, self.error)
        return np.stack([least, variance, kept, wall, usd], axis=-1)


SUMS: Final = ("least", "variance", "kept", "wall", "usd")
"""What adds up over the phases, in seconds, their squares, and US dollars; `kept` where the estimate's error counts."""
KEPT, WALL, USD = (SUMS.index(name) for name in ("kept", "wall", "usd"))

FastestLayouts = Callable[[Problem, Workload, PhaseWork, Machine], TimedLayouts]
"""The least step time of all layouts of a phase on a machine, by nodes and replicas."""


def best_value(problem: Problem, fastest: FastestLayouts | None = None) -> float | None:
    """Dollars, seconds or tokens of the best plan, in floating point; None when no plan meets the limits.

    `fastest`: where layouts come from, instead of every one that the program generates.
    """
    layouts_on = fastest or _fastest
    workload = workload_of(problem)
    purchase_options = purchase_options_of(placements(problem))
    machines = {one.placement.machine.key: one.placement.machine for one in purchase_options}
    layouts = [
        {key: layouts_on(problem, workload, phase, machine) for key, machine in machines.items()}
        for phase in workload.phases
    ]
    runs: dict[Site, list[Candidates]] = {}

    def candidates(purchase_option: PurchaseOption) -> list[Candidates]:
        """The layouts of each phase on the site of an option, evaluated once."""
        site = site_of(purchase_option)
        if site not in runs:
            here = [of_phase[site.machine] for of_phase in layouts]
            machine = machines[site.machine]
            runs[site] = [_candidates(problem, workload, site, machine, index, one) for index, one in enumerate(here)]
        return runs[site]

    return _best(problem, workload, purchase_options, candidates)


def _candidates(
    problem: Problem, workload: Workload, site: Site, machine: Machine, index: int, layouts: TimedLayouts
) -> Candidates:
    """How long one phase takes on each of some layouts."""
    run = run_time(workload, site.machine[0], layouts, site.spot_policy, begins=index == 0)
    return _with_run(problem, workload, machine, layouts.nodes.astype(np.int64), run)


def _with_run(
    problem: Problem, workload: Workload, machine: Machine, nodes: npt.NDArray[np.int64], run: RunTime
) -> Candidates:
    """Layouts with how long they run, and with the estimate's error where it counts."""
    confidence, zero = problem.risk.confidence, np.zeros(len(nodes))
    if confidence is None or not counts_error(problem.risk):
        return Candidates(nodes, run, ErrorMargin(zero, zero))
    gpus = nodes.astype(np.float64) * machine.per_node
    layouts = KnownLayouts(machine.accelerator, gpus, np.ones(len(nodes)))
    return Candidates(nodes, run, error_margin(workload, layouts, confidence))


def _best(
    problem: Problem,
    workload: Workload,
    purchase_options: Iterable[PurchaseOption],
    candidates: Callable[[PurchaseOption], list[Candidates]],
) -> float | None:
    """The best value over purchase options and reservations."""
    values = (
        _value(problem, workload, purchase_option, reserved, of_phases)
        for purchase_option in purchase_options
        for of_phases in [candidates(purchase_option)]
        for reserved in _reservations(problem, purchase_option, of_phases)
    )
    reached = [value for value in values if value is not None]
    return (max if problem.objective == "tokens" else min)(reached, default=None)


def _fastest(problem: Problem, workload: Workload, phase: PhaseWork, machine: Machine) -> TimedLayouts:
    """The least step time over all layouts of a phase on a machine, by nodes and replicas; every one is evaluated."""
    degrees = degrees_of(workload, phase, machine.domain)
    devices = searched_devices(problem.limits.gpus)
    least: dict[tuple[int, int], float] = {}
    for valid in valid_rows(workload, phase, degrees, machine.memory_bytes, devices):
        rows = rows_on(machine, valid, devices)
        if len(rows):
            subject = evaluator(workload, phase, machine, degrees.recompute, LayerGrid.of(degrees, rows))
            for start in range(0, len(rows), CHUNK):
                _lower(least, machine, subject, rows.take(np.arange(start, min(start + CHUNK, len(rows)))))
    nodes, replicas = np.asarray([*least], dtype=np.int64).reshape(-1, 2).T
    return TimedLayouts(nodes, replicas, np.asarray([*least.values()]))


def _lower(least: dict[tuple[int, int], float], machine: Machine, subject: Evaluator, rows: LayoutRows) -> None:
    """Takes the step times of some rows into account."""
    groups, group = np.unique(
        np.stack((-(-rows.devices.astype(np.int64) // machine.per_node), rows.data)), axis=1, return_inverse=True
    )
    fastest = np.full(groups.shape[1], inf)
    np.minimum.at(fastest, group.ravel(), subject.steps(rows).total)
    for (nodes, replicas), seconds in zip(groups.T.tolist(), fastest.tolist(), strict=True):
        least[nodes, replicas] = min(seconds, least.get((nodes, replicas), inf))


def _reservations(problem: Problem, purchase_option: PurchaseOption, phases: list[Candidates]) -> Iterator[int]:
    """Numbers of reserved nodes that can be best: none, and where some phase's cheaper purchases run out.

    For given nodes of each phase the cost is piecewise linear in the reservation and breaks only there.
    """
    most = purchase_option.placement.nodes
    if purchase_option.reservation is None:
        yield 0
        return
    needed = {int(n) for one in phases for n in with_spares(problem, one.nodes)}
    yield from sorted({n for need in needed for n in (0, need, need - purchase_option.spot_nodes) if 0 <= n <= most})


def _value(
    problem: Problem, workload: Workload, purchase_option: PurchaseOption, reserved: int, candidates: list[Candidates]
) -> float | None:
    """The best value with one purchase option and a number of reserved nodes."""
    phases = [_bought(problem, purchase_option, reserved, one) for one in candidates]
    if not all(len(one.usd.each) for one in phases):
        return None
    opened = is_open(problem, workload.phases[0].name)
    rest = np.zeros((1, len(SUMS)))
    for phase, work in list(zip(phases, workload.phases, strict=True))[1 if opened else 0 :]:
        rest = _joined(problem, rest, phase.after(np.asarray(work.steps), problem.risk))
    if opened:
        return _most_tokens(problem, workload.phases[0], purchase_option, reserved, phases[0], rest)
    wall = rest[:, WALL]
    usd = rest[:, USD] + _reserved_usd(purchase_option, reserved, wall)
    fits = (_kept(problem, rest) <= (problem.limits.deadline or inf)) & (usd <= float(problem.limits.budget or inf))
    values = (usd if problem.objective == "cost" else wall)[fits]
    return float(values.min()) if len(values) else None


def _kept(problem: Problem, sums: Array) -> Array:
    """What the deadline bounds: the expected wall time, or that which is kept with `risk.confidence`."""
    least, variance, kept, wall = (sums[..., SUMS.index(name)] for name in ("least", "variance", "kept", "wall"))
    confidence = problem.risk.confidence
    if counts_error(problem.risk):
        return kept
    return wall if confidence is None else promised(least, wall, variance, deviations_of(confidence))


def _bought(problem: Problem, purchase_option: PurchaseOption, reserved: int, candidates: Candidates) -> BoughtPhase:
    """One phase on every layout that the purchase option can sell, bought as cheaply as it can be."""
    run, spare = candidates.run, with_spares(problem, candidates.nodes)
    usd = Growth(*(_usd(purchase_option, spare, reserved, *times) for times in _paid_times(run)))
    limit = min(
        purchase_option.placement.nodes,
        searched_devices(problem.limits.gpus) // purchase_option.placement.machine.per_node,
    )
    sold = np.flatnonzero(np.isfinite(usd.each) & np.isfinite(run.wall.each) & (spare <= limit))
    error = ErrorMargin(candidates.error.middle[sold], candidates.error.margin[sold])
    return BoughtPhase(run.take(sold), Growth(usd.start[sold], usd.each[sold]), error)


def _paid_times(run: RunTime) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """Wall time, spot time and replacement time, before the first step and of each."""
    figures = (run.wall, run.spot, run.replaced)
    starts, each = ([getattr(one, part) for one in figures] for part in ("start", "each"))
    return (starts[0], starts[1], starts[2]), (each[0], each[1], each[2])


def _usd(
    purchase_option: PurchaseOption,
    nodes: npt.NDArray[np.int64],
    reserved: int,
    wall: Array,
    spot_time: Array,
    replaced: Array,
) -> Array:
    """Lowest cost of a phase's nodes, what is reserved being paid already; inf when not sold."""
    on_demand = inf if purchase_option.on_demand_price is None else float(purchase_option.on_demand_price)
    spot = inf if purchase_option.spot_price is None else float(purchase_option.spot_price)
    with np.errstate(invalid="ignore"):
        of_on_demand = on_demand * wall / SECONDS_PER_HOUR
        of_spot = (
            np.where(replaced > 0, on_demand * replaced, 0.0) / SECONDS_PER_HOUR + spot * spot_time / SECONDS_PER_HOUR
        )
        left = np.maximum(nodes - reserved, 0)
        as_spot = np.minimum(left, np.where(of_spot < of_on_demand, purchase_option.spot_nodes, 0))
        rest = left - as_spot
        return np.where(as_spot > 0, as_spot * of_spot, 0.0) + np.where(rest > 0, rest * of_on_demand, 0.0)


def _reserved_usd(purchase_option: PurchaseOption, reserved: int, wall: Array) -> Array:
    """What the reservation costs for a wall time."""
    if purchase_option.reservation is None or not reserved:
        return np.zeros_like(wall)
    paid = np.maximum(wall, purchase_option.reservation.committed_seconds)
    return reserved * float(purchase_option.reservation.usd_per_node_hour) * paid / SECONDS_PER_HOUR


def _joined(problem: Problem, first: Array, second: Array) -> Array:
    """All sums of two sets, without those that another beats in all that limits and objective see."""
    sums = (first[:, None, :] + second[None, :, :]).reshape(-1, len(SUMS))
    risk = problem.risk
    seen = sums[:, WALL:] if risk.confidence is None else sums[:, KEPT:] if counts_error(risk) else sums
    return sums[undominated(seen)]


def _most_tokens(
    problem: Problem, phase: PhaseWork, purchase_option: PurchaseOption, reserved: int, bought: BoughtPhase, rest: Array
) -> float | None:
    """Most tokens of the first phase within deadline and budget, whatever the others take."""
    budget = float(problem.limits.budget or inf)
    price = (
        float(purchase_option.reservation.usd_per_node_hour) / SECONDS_PER_HOUR if purchase_option.reservation else 0.0
    )
    term, wall = purchase_option.committed_seconds, bought.run.wall
    most = 0.0
    for others in rest:
        left = budget - others[USD] - bought.usd.start
        running = bought.usd.each + reserved * price * wall.each
        steps = [
            _most_steps_in_time(problem, bought, others),
            _ratio(left - reserved * price * (wall.start + others[WALL]), running),
            _ratio(left - reserved * price * term, bought.usd.each),
        ]
        most = max(most, float(np.min(steps, axis=0).max()))
    return float(np.floor(most + SUM_ORDER)) * phase.tokens_per_step if most >= 1 else None


def _most_steps_in_time(problem: Problem, bought: BoughtPhase, others: Array) -> Array:
    """Steps after which the deadline comes, on each layout; with a confidence by halving."""
    deadline, wall = problem.limits.deadline or inf, bought.run.wall
    high: Array = (deadline - others[WALL] - wall.start) / wall.each
    if problem.risk.confidence is None or deadline == inf:
        return high
    high = np.maximum(high, 0.0)
    low = np.zeros_like(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        late = _kept(problem, others + bought.after(middle, problem.risk)) > deadline
        low, high = np.where(late, low, middle), np.where(late, middle, high)
    return low


HALVINGS: Final = 60


def _ratio(left: Array, each: Array) -> Array:
    """How many times `each` goes into what is left; endless when it costs nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(each > 0, left / each, np.where(left >= 0, np.inf, -1.0))


def agrees(value: float | None, expected: float | None, error: float) -> bool:
    """Whether a search and an enumeration found the same, within a relative error; None is no plan."""
    if value is None or expected is None:
        return value is expected
    return abs(value - expected) <= error * max(abs(expected), 1.0)


def confirms(problem: Problem, value: float | None, cost_usd: Decimal | None, expected: float | None) -> bool:
    """Whether a search found what enumeration does, or a value between those for a few cents less and more of budget.

    `cost_usd`: of the plan that the search found; None without one.
    """
    cents, limits = rounded_usd(len(problem.training.phases)), problem.limits
    relative = float(cents / max(cost_usd, CENT)) if cost_usd is not None else 0.0
    if agrees(value, expected, SUM_ORDER + relative):
        return True
    if limits.budget is None:
        return False

    def score(found: float | None) -> float:
        """The less the better; infinite without a plan."""
        return inf if found is None else -found if problem.objective == "tokens" else found

    near = (limits.model_copy(update={"budget": max(limits.budget + change, Decimal(0))}) for change in (cents, -cents))
    low, high = (score(best_value(problem.model_copy(update={"limits": one}))) for one in near)
    slack = SUM_ORDER * abs(value or 0.0)
    return low - slack <= score(value) <= high + slack
