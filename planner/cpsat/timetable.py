"""Rules of a job whose offers change in time: when each phase begins, pauses and ends, and what is paid when.

Times count from the first day, in units that divide a day. They are rounded down, so that what the integers decide
begins a few units early; `Scale.slack` says how many, and rules on days and prices give way by so much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, inf
from typing import Final

from planner.cpsat.constraints import moves_before, times
from planner.cpsat.fixed_point import FixedPoint, pause_units
from planner.cpsat.model import Domain, IntVar, LinearExpr, Model
from planner.cpsat.variables import PhaseVariables, PlanVariables, name_of
from planner.market.calendar import Stretch
from planner.market.placements import Placement
from planner.plans.choices import Choices
from planner.units import SECONDS_PER_DAY

MOST_BLOCKS: Final = 1000
"""Capacity blocks in a row at most."""


@dataclass(frozen=True)
class PhaseDays:
    """When one phase runs, and how its reserved nodes are paid; times in units from the first day."""

    phase: PhaseVariables
    ready: IntVar
    """The phase before has ended, and what is moved has arrived."""
    begin: IntVar
    end: IntVar
    run: IntVar
    """For how long it runs, the checkpoints and restarts of its pauses included."""
    waits: IntVar
    """Whether it begins at a later midnight."""
    opens: IntVar
    """Whether it begins as soon as its nodes are there."""
    day: IntVar
    """The day that it waits for."""
    held: IntVar
    """Nodes that are reserved for it."""
    whole: IntVar
    """Whether they are paid whole, for a term or in blocks."""
    goes_on: IntVar
    """Whether that is with those of the phase before."""
    stay_begin: IntVar
    """When its reservation begins."""
    reserved_cost: IntVar
    """Of a reservation that ends with it, paid whole."""


@dataclass(frozen=True)
class Scale:
    """What an integer stands for, and the days of the calendar."""

    fixed: FixedPoint
    horizon: int
    """By which the best plan has ended."""

    @property
    def slack(self) -> int:
        """Units by which rounding may let something begin early."""
        return self.fixed.slack

    @property
    def day(self) -> int:
        """Units of a day."""
        return round(SECONDS_PER_DAY / self.fixed.seconds)

    def units(self, seconds: float) -> int:
        """A time, rounded down; without an end the horizon."""
        return self.horizon if seconds == inf else min(self.horizon, floor(seconds / self.fixed.seconds + ROUNDING))


ROUNDING: Final = 1e-6
"""Part of a unit that floating point may take off a midnight."""


def keeps_days(model: Model, plan: PlanVariables, choices: Choices, fixed: FixedPoint) -> tuple[PhaseDays, ...]:
    """All rules on days and on what is paid when; in place of those that hold at any time."""
    deadline = choices.limits.get("wall_seconds")
    latest = plan.wall.domain.max()
    scale = Scale(fixed, min(latest, fixed.time_bound(deadline.bound)) if deadline else latest)
    pauses = [pause_units(choices, one.figures.sites, one.figures.nodes, fixed.seconds) for one in plan.phases]
    days = tuple(
        _declare(model, *pair, scale, plan.most_reserved_cost) for pair in zip(plan.phases, pauses, strict=True)
    )
    moving = [(LinearExpr.constant(0), LinearExpr.constant(0))]
    moving += [moves_before(model, *pair, choices, fixed, index) for index, pair in enumerate(_pairs(plan), start=1)]
    for index, (one, (move_time, _)) in enumerate(zip(days, moving, strict=True)):
        before = days[index - 1] if index else None
        is_ready(model, one, before, move_time)
        begins_at_once_or_at_midnight(model, one, scale)
        runs_while_nodes_are_there(model, one, scale, pauses[index])
        takes_spot_nodes_along(model, one, before, together=choices.together)
        pays_for_its_time(model, one, scale)
        reserves_for_itself_or_whole(model, one)
        goes_on_with_whole(model, before, one)
        following = days[index + 1] if index + 1 < len(days) else None
        pays_whole(model, one, following, scale)
    ends_in_order(model, plan, days, [cost for _, cost in moving])
    return days


def _pairs(plan: PlanVariables) -> Iterator[tuple[PhaseVariables, PhaseVariables]]:
    return pairwise(plan.phases)


def _declare(model: Model, phase: PhaseVariables, pauses: Sequence[int], scale: Scale, most_cost: int) -> PhaseDays:
    """The variables of one phase."""
    name, most = phase.figures.name, max(phase.figures.bought)
    most_run = phase.figures.most_wall() + scale.slack * max(pauses)

    def number(what: str, largest: int) -> IntVar:
        return model.new_int_var(0, largest, f"{name}.{what}")

    return PhaseDays(
        phase=phase,
        ready=number("ready", scale.horizon),
        begin=number("begin", scale.horizon),
        end=number("end", scale.horizon),
        run=number("run", min(most_run, scale.horizon)),
        waits=model.new_bool_var(f"{name}.waits for a day"),
        opens=model.new_bool_var(f"{name}.waits for its nodes"),
        day=number("first day", scale.horizon // scale.day + 1),
        held=number("reserved for it", most),
        whole=model.new_bool_var(f"{name}.paid whole"),
        goes_on=model.new_bool_var(f"{name}.goes on with what is paid whole"),
        stay_begin=number("begin of its reservation", scale.horizon),
        reserved_cost=number("reserved whole", most_cost),
    )


def is_ready(model: Model, days: PhaseDays, before: PhaseDays | None, move_time: LinearExpr) -> None:
    """A phase is ready when the one before has ended and what is moved has arrived; the first one at once."""
    model.add(days.ready == (before.end + move_time if before else 0)).with_name(f"{days.phase.figures.name}: ready")


def begins_at_once_or_at_midnight(model: Model, days: PhaseDays, scale: Scale) -> None:
    """A phase begins when it is ready, at a midnight after that, or when its nodes are there."""
    name = days.phase.figures.name
    model.add(days.begin >= days.ready).with_name(f"{name}: begins when ready")
    model.add(days.waits + days.opens <= 1).with_name(f"{name}: one way to begin")
    at_once = model.add(days.begin == days.ready).with_name(f"{name}: begins at once")
    at_once.only_enforce_if(~days.waits, ~days.opens)
    at_midnight = model.add(days.begin == scale.day * days.day).with_name(f"{name}: begins at midnight")
    at_midnight.only_enforce_if(days.waits)


def runs_while_nodes_are_there(model: Model, days: PhaseDays, scale: Scale, pauses: Sequence[int]) -> None:
    """A phase runs in windows in a row, from one in which it begins to one in which it ends, and pauses between."""
    phase = days.phase
    pause = phase.chosen_sum(pauses)
    for purchase_option, chosen in phase.purchase_options:
        tracks = []
        for least, most, windows in _levels(purchase_option.placement, scale):
            track = model.new_bool_var(f"{phase.figures.name}.{name_of(purchase_option)}, up to {most} nodes")
            model.add(phase.bought >= least).only_enforce_if(track)
            model.add(phase.bought <= most).only_enforce_if(track)
            paths = [path for pair in windows for path in _paths(model, days, pair, windows, pause, scale)]
            model.add(LinearExpr.sum(paths) == track).with_name(f"{phase.figures.name}: windows")
            tracks.append(track)
        model.add(LinearExpr.sum(tracks) == chosen).with_name(f"{phase.figures.name}: nodes there")


Window = tuple[int, int]


def _levels(placement: Placement, scale: Scale) -> Iterator[tuple[int, int, list[Window]]]:
    """For numbers of nodes that have the same windows, the least, the most, and the windows."""
    if placement.timeline is None:
        yield 1, placement.nodes, [(0, scale.horizon)]
        return
    before = 0
    for level in sorted({one.nodes for one in placement.timeline.stretches} - {0}):
        some = placement.timeline.windows(level)
        yield before + 1, level, [(scale.units(one[0].begins), scale.units(one[-1].ends)) for one in some]
        before = level


def _paths(
    model: Model, days: PhaseDays, last: Window, windows: list[Window], pause: LinearExpr, scale: Scale
) -> Iterator[IntVar]:
    """From each window to a later one or itself: it begins in the one, ends in the other, and pauses in between."""
    end = windows.index(last)
    for begin in range(end + 1):
        path = model.new_bool_var(f"{days.phase.figures.name}.from window {begin} to {end}")
        gaps = sum(windows[one + 1][0] - windows[one][1] for one in range(begin, end))
        first = windows[begin]
        for rule in (
            days.end == days.begin + days.run + gaps,
            days.run == days.phase.wall + (end - begin) * pause,
            days.begin >= first[0] - scale.slack,
            days.begin <= first[1],
            days.end <= last[1],
        ):
            model.add(rule).only_enforce_if(path)
        model.add(days.begin == first[0]).only_enforce_if(path, days.opens)
        if begin:
            model.add(days.ready >= windows[begin - 1][1] - scale.slack).only_enforce_if(path, days.opens)
        yield path


def takes_spot_nodes_along(model: Model, days: PhaseDays, before: PhaseDays | None, *, together: bool) -> None:
    """A phase that keeps the spot nodes of the one before waits for no day."""
    begins = days.phase.begins
    if before is None or (begins is None and not together):
        return
    for purchase_option, chosen in days.phase.purchase_options:
        if purchase_option.spot_policy.policy == "steady":
            continue
        rule = model.add(days.waits + chosen <= 1)
        if begins is not None:
            rule.only_enforce_if(~begins)


def pays_for_its_time(model: Model, days: PhaseDays, scale: Scale) -> None:
    """Nodes on demand, as spot and reserved are paid for the time of a phase, at the price of each day."""
    phase, fixed, run = days.phase, scale.fixed, days.run
    elapsed = model.new_int_var(0, scale.horizon, f"{phase.figures.name}.from begin to end")
    model.add(elapsed == days.end - days.begin)
    on_demand, reserved = times(model, phase.on_demand, run), times(model, phase.reserved, elapsed)
    paid, away = _spot_times(model, days, run)
    for purchase_option, chosen in phase.purchase_options:
        price, spot = _units(fixed, purchase_option.on_demand_price), _units(fixed, purchase_option.spot_price)
        reservation = purchase_option.reservation
        held = 0 if reservation is None or reservation.is_whole else _units(fixed, reservation.usd_per_node_hour)
        usual = price * on_demand
        stretches = _priced(purchase_option.placement)
        if len({one.on_demand for one in stretches}) > 1:
            usual = LinearExpr.sum([_in_stretch(model, days, one, scale) for one in stretches])
        bill = usual + price * away + spot * paid + held * reserved
        rule = model.add(fixed.cost_ratio * (phase.cost + 1) >= bill + 1).only_enforce_if(chosen)
        rule.with_name(f"{phase.figures.name}: bill")


def _spot_times(model: Model, days: PhaseDays, run: IntVar) -> tuple[LinearExpr, LinearExpr]:
    """Spot · what a spot node is paid, with its pauses; spot · the time in which on-demand nodes replace it."""
    phase, most = days.phase, days.run.domain.max()
    if not phase.spot.domain.max():
        return LinearExpr.constant(0), LinearExpr.constant(0)
    paid = model.new_int_var(0, most, f"{phase.figures.name}.paid with pauses")
    away = model.new_int_var(0, most, f"{phase.figures.name}.away")
    model.add(paid == phase.paid + run - phase.wall)
    model.add(away == phase.wall - phase.saved)
    return times(model, phase.spot, paid), times(model, phase.spot, away)


def _priced(placement: Placement) -> Sequence[Stretch]:
    """The stretches in which on-demand nodes are sold."""
    return [one for one in placement.timeline.stretches if one.nodes] if placement.timeline else []


def _in_stretch(model: Model, days: PhaseDays, stretch: Stretch, scale: Scale) -> LinearExpr:
    """What on-demand nodes cost for the part of a phase's time in one stretch: its price · nodes · overlap."""
    phase = days.phase
    begins, ends = scale.units(stretch.begins), scale.units(stretch.ends)
    name = f"{phase.figures.name}.time at {stretch.on_demand} from {begins}"
    first, last = (model.new_int_var(0, scale.horizon, f"{name}: {edge}") for edge in ("from", "to"))
    model.add_maximum(first, [days.begin, LinearExpr.constant(begins)])
    model.add_maximum(-last, [-days.end, LinearExpr.constant(-ends)])
    overlap = model.new_int_var(0, scale.horizon, name)
    model.add(overlap >= last - first - scale.slack)
    return _units(scale.fixed, stretch.on_demand) * times(model, phase.on_demand, overlap)


def _units(fixed: FixedPoint, usd_per_node_hour: object) -> int:
    """A price in units; what is not sold is not bought."""
    return 0 if usd_per_node_hour is None else fixed.price(float(str(usd_per_node_hour)))


def reserves_for_itself_or_whole(model: Model, days: PhaseDays) -> None:
    """Reserved nodes are those that a phase uses, or paid whole, and then it uses no others."""
    phase, name = days.phase, days.phase.figures.name
    model.add(days.held >= phase.reserved).with_name(f"{name}: reserved for it")
    for purchase_option, chosen in phase.purchase_options:
        reservation = purchase_option.reservation
        if reservation is None or not reservation.is_whole:
            model.add(days.whole == 0).only_enforce_if(chosen)
        else:
            model.add(phase.reserved == phase.bought).only_enforce_if(chosen, days.whole)
            model.add(days.held == 0).only_enforce_if(chosen, ~days.whole)
            model.add(days.held <= purchase_option.placement.nodes).only_enforce_if(chosen)
            if purchase_option.spot_policy.policy != "steady":
                model.add(days.whole == 0).only_enforce_if(chosen)
            if reservation.block:
                sizes = Domain.from_values([0, *reservation.block.sizes])
                model.add_in_domain(days.held, sizes).only_enforce_if(chosen, days.whole)


def goes_on_with_whole(model: Model, before: PhaseDays | None, days: PhaseDays) -> None:
    """Phases in a row on nodes that are paid whole share them from the first one's begin on."""
    if before is None:
        model.add(days.goes_on == 0)
        return
    model.add(days.goes_on <= days.whole)
    model.add(days.goes_on <= before.whole)
    model.add(days.goes_on + days.waits <= 1)
    model.add(days.held == before.held).only_enforce_if(days.goes_on)
    model.add(days.stay_begin == before.stay_begin).only_enforce_if(days.goes_on)
    known = {id(option): chosen for option, chosen in before.phase.purchase_options}
    for option, chosen in days.phase.purchase_options:
        model.add(chosen <= known.get(id(option), 0)).only_enforce_if(days.goes_on)


def pays_whole(model: Model, days: PhaseDays, following: PhaseDays | None, scale: Scale) -> None:
    """Nodes that are paid whole cost the time from their begin to the end, and at least their term or whole days."""
    phase, name = days.phase, days.phase.figures.name
    model.add(days.stay_begin == days.begin).only_enforce_if(~days.goes_on)
    options = [(one, chosen) for one, chosen in phase.purchase_options if one.reservation and one.reservation.is_whole]
    if not options:
        model.add(days.whole == 0)
        return
    ends = [days.whole] if following is None else [days.whole, ~following.goes_on]
    span = model.new_int_var(0, scale.horizon + scale.day * MOST_BLOCKS, f"{name}.time of its reservation")
    model.add(span >= days.end - days.stay_begin - scale.slack)
    paid = times(model, days.held, span)
    for option, chosen in options:
        reservation = option.reservation
        if reservation is None:
            continue
        bill = _units(scale.fixed, reservation.usd_per_node_hour) * paid
        rule = model.add(scale.fixed.cost_ratio * (days.reserved_cost + 1) >= bill + 1)
        rule.with_name(f"{name}: reservation").only_enforce_if(chosen, *ends)
        if reservation.committed_seconds:
            term = floor(reservation.committed_seconds / scale.fixed.seconds)
            model.add(span >= term).with_name(f"{name}: committed term").only_enforce_if(chosen, *ends)
        if reservation.block:
            least, most = reservation.block.days
            _pays_blocks(model, days, (least, most), span, scale, [chosen, *ends])
            lead = ceil((reservation.block.lead or 0.0) / SECONDS_PER_DAY) * scale.day
            model.add(days.stay_begin >= lead - scale.slack).only_enforce_if(chosen, days.whole)


def _pays_blocks(
    model: Model, days: PhaseDays, lasts: tuple[int, int], span: IntVar, scale: Scale, conditions: list[IntVar]
) -> None:
    """Blocks in a row, each of some days, from the midnight before the begin to the one after the end."""
    name, most_days = days.phase.figures.name, scale.horizon // scale.day + 1
    first, last, paid = (
        model.new_int_var(0, most_days * 2 + MOST_BLOCKS, f"{name}.{what} of its blocks")
        for what in ("first day", "day after the last", "days")
    )
    blocks = model.new_int_var(1, MOST_BLOCKS, f"{name}.blocks")
    for rule in (
        scale.day * first <= days.stay_begin + scale.slack,
        scale.day * last >= days.end,
        paid >= last - first,
        paid >= lasts[0] * blocks,
        paid <= lasts[1] * blocks,
        span >= scale.day * paid,
    ):
        model.add(rule).only_enforce_if(*conditions)


def ends_in_order(
    model: Model, plan: PlanVariables, days: Sequence[PhaseDays], move_costs: Sequence[LinearExpr]
) -> None:
    """The wall time counts from the first day to the last phase's end; costs add up, gpus is the largest number."""
    model.add(plan.wall == days[-1].end).with_name("wall")
    model.add(plan.reserved_cost == LinearExpr.sum([one.reserved_cost for one in days])).with_name("reservations")
    bought = sum(phase.cost for phase in plan.phases) + plan.reserved_cost
    model.add(plan.cost == bought + LinearExpr.sum(list(move_costs))).with_name("cost")
    model.add_maximum(plan.gpus, [phase.gpus for phase in plan.phases])
