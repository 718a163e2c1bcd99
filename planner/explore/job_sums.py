"""Sums of wall time and bill over phases that stay in one place: what whole jobs are put together from.

Within one option a stay is a layout for each phase, nodes to reserve, and the cheapest purchases for the rest. Walls
and bills add up over the phases, so sums that another sum beats in both can be dropped phase by phase. Every line of a
bill is whole cents, so that a budget is kept or not kept to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.availability.chance_constraint import deviations_of, promised
from planner.explore.cost_time_cut import RATES, Cut, PhaseTimes, cut_of
from planner.explore.least import least_cents, steps_of
from planner.layouts.dominance import undominated
from planner.market.money import line_cents, node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, site_of
from planner.plans.node_cost import NodeCost, node_cost
from planner.plans.plan_error import counts_error, kept_of_phase
from planner.problem.limits import Risk
from planner.tolerances import SUM_ORDER

Counts = npt.NDArray[np.int64]

SUMS: Final = ("wall", "least", "variance", "kept", "cents")
"""What adds up over the phases, in seconds, their squares, and US cents; `kept` where the estimate's error counts."""
WALL, LEAST, VARIANCE, KEPT, CENTS = range(len(SUMS))


@dataclass(frozen=True)
class Sums:
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

    def joined(self, other: Sums, left: Left, seen: Seen) -> Sums:
        """All sums with one phase more, within what is left for them, without those that another beats."""
        values = (self.values[:, None, :] + other.values[None, :, :]).reshape(-1, len(SUMS))
        kept = within(values, left, seen)
        first, second = np.divmod(kept, max(len(other.values), 1))
        return Sums(values[kept], np.hstack((self.picks[first], other.picks[second])))

    def take(self, index: Counts) -> Sums:
        """Some of the sums."""
        return Sums(self.values[index], self.picks[index])


@dataclass(frozen=True)
class Left:
    """What the bounds leave for some phases."""

    wall_seconds: float
    """Expected."""
    cents: float
    gpus: float
    kept_seconds: float
    """What a whole job keeps with the confidence that is asked for; of some phases what adds up of it."""
    cheapest: bool = False
    """Whether only the least cost is wanted, and no other way with more cost and less time."""
    cut: Cut | None = None
    """A bound on cost and time together."""
    combined: float = inf
    """What is left of it."""

    def beside(self, others: Array) -> Left:
        """The same when other phases, of shape (layouts, columns of `SUMS`), take their least too."""
        wall, cents, kept = (float(others[:, column].min(initial=inf)) for column in (WALL, CENTS, KEPT))
        return self.less(wall, cents, kept, float(self.combination(others).min(initial=inf)) if self.cut else 0.0)

    def combination(self, values: Array) -> Array:
        """What sums take of the bound on cost and time together, shape (sums,); infinite where one of them is."""
        if self.cut is None:
            return np.zeros(len(values))
        rated = self.cut.wall_rate * values[:, WALL] + self.cut.variance_rate * values[:, VARIANCE]
        return np.asarray(values[:, CENTS] + rated)

    def less(self, wall_seconds: float, cents: float, kept_seconds: float = 0.0, combined: float = 0.0) -> Left:
        """The same when so much is taken elsewhere."""
        wall, kept = (
            left - taken + SUM_ORDER * (0.0 if taken == inf else taken)
            for left, taken in ((self.wall_seconds, wall_seconds), (self.kept_seconds, kept_seconds))
        )
        cents, both = self.cents - cents, self.combined - combined
        return replace(self, wall_seconds=wall, cents=cents, kept_seconds=kept, combined=both)

    def nodes(self, purchase_option: PurchaseOption) -> float:
        """Most nodes that a purchase option has within them."""
        return min(purchase_option.placement.nodes, self.gpus / purchase_option.placement.machine.per_node)


Seen = Callable[[Array], Array]
"""What of sums decides whether one beats another, each the less the better; shape (sums, figures)."""


def within(values: Array, left: Left, seen: Seen) -> Counts:
    """Index of what is within what is left by expected values and beaten by nothing, fastest first."""
    in_time = (values[:, WALL] <= left.wall_seconds) & (values[:, KEPT] <= left.kept_seconds)
    if left.cut:
        in_time &= left.combination(values) <= left.combined + SUM_ORDER * left.cut.bound
    fits = np.flatnonzero(in_time & (values[:, CENTS] <= left.cents))
    return fits[undominated(seen(values[fits]))]


def wall_and_cents(values: Array) -> Array:
    """What counts of sums without a confidence."""
    return values[:, [WALL, CENTS]]


def seen_so_far(risk: Risk, paid_by_wall: float | None = None) -> Seen:
    """What counts while phases are still to come: of luck alone all of it, since the rest decides the shape.

    `paid_by_wall`: where only the least cost is wanted, cents that each second of the expected time costs on top.
    """
    if counts_error(risk):
        if paid_by_wall is None:
            return lambda values: values[:, [WALL, KEPT, CENTS]]
        return lambda values: np.column_stack((values[:, KEPT], values[:, CENTS] + paid_by_wall * values[:, WALL]))
    return wall_and_cents if risk.confidence is None else lambda values: values


def seen_at_last(risk: Risk) -> Seen:
    """What counts of whole jobs: expected time and cost, and with a confidence the time that is kept."""
    if risk.confidence is None:
        return wall_and_cents
    return lambda values: np.column_stack((values[:, WALL], kept_seconds(values, risk), values[:, CENTS]))


def kept_seconds(values: Array, risk: Risk) -> Array:
    """What a deadline bounds, of sums in the columns of `SUMS`; shape (sums,)."""
    wall, least, variance, kept = (np.asarray(column) for column in values[:, :CENTS].T)
    if counts_error(risk):
        return kept
    return wall if risk.confidence is None else promised(least, wall, variance, deviations_of(risk.confidence))


def in_time(choices: Choices, sums: Sums, left: Left) -> Sums:
    """The sums that keep the deadline as surely as is asked for."""
    risk = choices.problem.risk
    if risk.confidence is None:
        return sums
    return sums.take(np.flatnonzero(sums.kept(risk) <= left.kept_seconds))


def sums_of(
    choices: Choices,
    purchase_option: PurchaseOption,
    span: range,
    left: Left,
    reserved: int,
    *,
    optimistic: bool = False,
) -> Sums:
    """Some phases together with so many reserved nodes, which are not counted; `optimistic`: in the cheapest way.

    Phase by phase, as far as what is left has room for the least that the others take.
    """
    risk, most = choices.problem.risk, left.nodes(purchase_option)
    bought = [
        phase_figures(choices, purchase_option, index, reserved, arrives=index == span.start, optimistic=optimistic)
        for index in span
    ]
    phases = [np.where(nodes[:, None] <= most, values, inf) for nodes, values in bought]
    sums = Sums(np.zeros((1, len(SUMS))), np.empty((1, 0), dtype=np.int64))
    if left.cheapest and len(span) == len(choices.phases) and not optimistic:
        left = _cut_short(choices, purchase_option, phases, left, reserved)
    remaining = [left]
    for values in phases[:0:-1]:
        remaining.append(remaining[-1].beside(values))
    whole, so_far = len(span) == len(choices.phases), seen_beside(risk, purchase_option, reserved, left)
    seen = [so_far] * (len(phases) - 1) + [seen_at_last(risk) if whole else so_far]
    for values, room, of_sums in zip(phases, reversed(remaining), seen, strict=True):
        alone = within(values, room, so_far)
        sums = sums.joined(Sums(values[alone], alone[:, None]), room, of_sums)
    return sums


def _cut_short(
    choices: Choices, purchase_option: PurchaseOption, phases: Sequence[Array], left: Left, reserved: int
) -> Left:
    """What is left within the cost of the best of some ways that are quickly found."""
    risk = choices.problem.risk
    if risk.confidence is None or counts_error(risk):
        return left
    fitting = [one[np.isfinite(one).all(axis=1)] for one in phases]
    if not all(len(one) for one in fitting):
        return left
    paid = 0.0 if purchase_option.reservation is None else paid_by_wall(purchase_option, reserved)
    cents = left.cents
    least_wall = sum(float(one[:, WALL].min()) for one in fitting)
    for rate in (0.0, *(one * sum(float(of[:, CENTS].min()) for of in fitting) / least_wall for one in RATES)):
        whole = sum(one[(one[:, CENTS] + (paid + rate) * one[:, WALL]).argmin()] for one in fitting)[None]
        if kept_seconds(whole, risk)[0] <= left.kept_seconds and whole[0, WALL] <= left.wall_seconds:
            bill = reservation_cents(purchase_option, np.asarray(float(reserved)), whole[:, WALL]) if reserved else 0.0
            cents = min(cents, float(np.max(whole[0, CENTS] + bill)))
    times = [
        PhaseTimes(one[:, WALL], one[:, LEAST], one[:, VARIANCE], one[:, CENTS] + paid * one[:, WALL])
        for one in fitting
    ]
    cut = cut_of(times, left.kept_seconds, risk.confidence, cents)
    if cut is None:
        return replace(left, cents=cents)
    beside = replace(cut, wall_rate=cut.wall_rate + paid)
    return replace(left, cents=cents, cut=beside, combined=cut.bound)


def paid_by_wall(purchase_option: PurchaseOption, reserved: int) -> float:
    """Cents that each second costs at least for so many reserved nodes."""
    reservation = purchase_option.reservation
    if reservation is None or not reserved:
        return 0.0
    return 100 * float(node_hours_usd(reserved, reservation.usd_per_node_hour, np.asarray(1.0)))


def seen_beside(risk: Risk, purchase_option: PurchaseOption, reserved: int, left: Left) -> Seen:
    """What counts of sums beside so many reserved nodes, which are still to be paid: by expected time, or a term."""
    reservation = purchase_option.reservation
    if reservation is None or not reserved:
        return seen_so_far(risk, 0.0 if left.cheapest else None)
    if not left.cheapest or reservation.committed_seconds:
        return seen_so_far(risk)
    return seen_so_far(risk, paid_by_wall(purchase_option, reserved))


def phase_sums(
    choices: Choices,
    purchase_option: PurchaseOption,
    index: int,
    left: Left,
    reserved: int,
    *,
    arrives: bool,
    optimistic: bool,
) -> Sums:
    """One phase alone with so many reserved nodes, which are not counted; `optimistic`: in the cheapest way."""

    def bought() -> tuple[Array, Counts]:
        """Every layout, with as many reserved nodes."""
        nodes, values = phase_figures(choices, purchase_option, index, reserved, arrives=arrives, optimistic=optimistic)
        return np.where(nodes[:, None] <= left.nodes(purchase_option), values, inf), np.full(len(values), reserved)

    key = ("phase", reserved, optimistic)
    sums, _ = _unbeaten(choices, purchase_option, index, left, reserved, bought, key, arrives=arrives)
    return sums


def _unbeaten(
    choices: Choices,
    purchase_option: PurchaseOption,
    index: int,
    left: Left,
    reserved: int,
    bought: Callable[[], tuple[Array, Counts]],
    key: Hashable,
    *,
    arrives: bool,
) -> tuple[Sums, Counts]:
    """The layouts of one phase within what is left that none beats, with the reserved nodes of each.

    `bought`: figures of all layouts and their reserved nodes. Without a confidence what is beaten does not hang on what
    is left, so it is found once for all questions.
    """
    risk = choices.problem.risk
    if risk.confidence is not None:
        values, counts = bought()
        kept = within(values, left, seen_beside(risk, purchase_option, reserved, left))
        return Sums(values[kept], kept[:, None]), counts[kept]

    def once() -> tuple[Array, Counts, Counts]:
        """Figures, places and reserved nodes of those that none beats, fastest first."""
        values, counts = bought()
        places = undominated(wall_and_cents(values))
        return values[places], places, counts[places]

    columns = columns_of(choices, purchase_option, index, arrives=arrives)
    of_option = (purchase_option.prices, purchase_option.spot_nodes, purchase_option.committed_seconds)
    unbeaten = (key, steps_of(choices, index), of_option, left.nodes(purchase_option))
    values, places, counts = columns.once(unbeaten, once)
    fits = np.flatnonzero(
        (values[:, WALL] <= min(left.wall_seconds, left.kept_seconds)) & (values[:, CENTS] <= left.cents)
    )
    return Sums(values[fits], places[fits][:, None]), counts[fits]


def least_kept(choices: Choices, phase: int) -> float:
    """Seconds that a phase keeps at least, where the estimate's error counts; else nothing."""
    steps = steps_of(choices, phase)
    on_sites = ((choices.machines[site.machine], choices.columns[phase][site]) for site in choices.sites_of(phase))
    return min(float(kept_of_phase(choices, machine, modes, steps).min()) for machine, modes in on_sites)


def phase_figures(
    choices: Choices,
    purchase_option: PurchaseOption,
    index: int,
    reserved: int | Counts,
    *,
    arrives: bool = False,
    optimistic: bool = False,
) -> tuple[Counts, Array]:
    """Nodes that one phase buys on each layout, and its figures, of shape (layouts, columns of `SUMS`)."""
    columns, steps = columns_of(choices, purchase_option, index, arrives=arrives), steps_of(choices, index)
    risk, machine = choices.problem.risk, purchase_option.placement.machine
    if optimistic:
        prices = purchase_option.prices
        cents = columns.once(("least", steps, prices), lambda: least_cents(np.asarray([prices]), columns, steps)[0])
    else:
        counts = reserved if isinstance(reserved, int) else reserved.tobytes()
        key = ("cents", steps, counts, purchase_option.prices[:2], purchase_option.spot_nodes)
        cents = columns.once(key, lambda: _cents(purchase_option, columns, steps, reserved))
    kept = columns.once(
        ("kept", steps, risk.confidence, risk.counts), lambda: kept_of_phase(choices, machine, columns, steps)
    )
    times = columns.once(("times", steps), lambda: [one.after(steps) for one in columns.run.figures[:3]])
    return columns.bought, np.column_stack([*times, kept, cents])


def columns_of(choices: Choices, purchase_option: PurchaseOption, phase: int, *, arrives: bool = False) -> PhaseModes:
    """The layouts of a phase that a purchase option's site has; `arrives`: a stay begins with it."""
    return choices.columns[phase][site_of(purchase_option, arrives=arrives and phase > 0)]


def _cents(purchase_option: PurchaseOption, columns: PhaseModes, steps: int, reserved: int | Counts) -> Array:
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


def reservations(choices: Choices, purchase_option: PurchaseOption, span: range, left: Left) -> Iterator[int]:
    """Numbers of reserved nodes that can be best: none, and where a phase's cheaper purchases run out.

    For given nodes of each phase the cost is piecewise linear in the reservation and breaks only there.
    """
    if purchase_option.reservation is None:
        yield 0
        return
    needed = {
        int(one)
        for index in span
        for one in columns_of(choices, purchase_option, index, arrives=index == span.start).bought
    }
    breaks = {count for need in needed for count in (0, need, need - purchase_option.spot_nodes)}
    yield from sorted(count for count in breaks if 0 <= count <= left.nodes(purchase_option))


def with_reservation(purchase_option: PurchaseOption, reserved: int, sums: Sums, left: Left) -> Sums:
    """The sums with what the reservation costs, from the first phase to the last and at least for its term."""
    if purchase_option.reservation is None or not reserved:
        return sums
    values = sums.values.copy()
    values[:, CENTS] += reservation_cents(purchase_option, np.asarray(float(reserved)), values[:, WALL])
    return Sums(values, sums.picks).take(np.flatnonzero(values[:, CENTS] <= left.cents))


def sums_of_phase(choices: Choices, purchase_option: PurchaseOption, index: int, left: Left) -> tuple[Sums, Counts]:
    """A stay of one phase on each layout, its reservation paid, and how many nodes are best reserved; shape (sums,).

    For given nodes the cost is piecewise linear in the reservation: none, all nodes, or those beside the spot nodes.
    """

    def bought() -> tuple[Array, Counts]:
        """Every layout with the number of reserved nodes that is best for it."""
        columns = columns_of(choices, purchase_option, index, arrives=True)
        counts = [np.zeros_like(columns.bought)]
        if purchase_option.reservation is not None:
            counts += [columns.bought, np.maximum(columns.bought - purchase_option.spot_nodes, 0)]
        found = []
        for reserved in counts:
            nodes, values = phase_figures(choices, purchase_option, index, reserved, arrives=True)
            values[:, CENTS] += reservation_cents(purchase_option, reserved.astype(np.float64), values[:, WALL])
            found.append(values)
        best = np.argmin([values[:, CENTS] for values in found], axis=0)
        rows = np.arange(len(best))
        values = np.where((nodes <= left.nodes(purchase_option))[:, None], np.stack(found)[best, rows], inf)
        return values, np.stack(counts)[best, rows]

    return _unbeaten(choices, purchase_option, index, left, 0, bought, "stay", arrives=True)


def reservation_cents(purchase_option: PurchaseOption, nodes: Array, wall_seconds: Array) -> Array:
    """What reserved nodes cost for a time, and at least for their term."""
    if purchase_option.reservation is None:
        return np.zeros_like(wall_seconds)
    paid = np.maximum(wall_seconds, purchase_option.committed_seconds)
    return line_cents(nodes, purchase_option.reservation.usd_per_node_hour, paid)


def goals_of(choices: Choices, sums: Sums) -> Array:
    """Time and cost, and under a confidence the time that is kept between them; shape (sums, 2 or 3)."""
    risk = choices.problem.risk
    if risk.confidence is None:
        return np.column_stack((sums.values[:, WALL], sums.usd))
    return np.column_stack((sums.values[:, WALL], sums.kept(risk), sums.usd))
