"""What each rule on layouts and nodes is worth: the best plan with it loosened, on which it binds in the model.

Memory, room to grow, pins, and the nodes of own offers; limits on time, money and devices are `sensitivity`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import floor, log
from typing import Final, Literal

import numpy as np

from planner.explore.enumeration import best_mode, best_plan
from planner.explore.job_modes import Bounds, JobMode, bounds_of, decision_of, plan_of_mode
from planner.explore.room import Room, within
from planner.layouts.device_memory import headroom_kept_anyway
from planner.layouts.workload import workload_of
from planner.market.places import OWN
from planner.performance.normal import normal_probability
from planner.plans.choices import Choices, PhaseModes, Site, choices_of, site_of, usable
from planner.plans.more_memory import Spent, with_more_memory
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.problem.quantities import UNLIMITED
from planner.units import format_share

MORE_MEMORY: Final = 0.05
"""Share of each device's memory that is asked for on top."""
MORE_NODES: Final = 0.05
"""Share of an own offer's nodes that is asked for on top; at least one node."""
MEMORY: Final = "memory of a device"
"""What is more than any setting gives."""
EVEN: Final = 0.5
"""The least confidence in memory that can be asked for."""
STEPS: Final = 1000
"""Steps of a share in one that is named as a setting."""
UNPINNED: Final = {"zero": ">=0", "recompute": "[none, selective, full]"}
"""What states that a degree may be any; of all others `>=1` does."""


@dataclass(frozen=True)
class BeyondModes:
    """A layout of one phase that a rule rules out."""

    phase: int
    site: Site
    modes: PhaseModes


@dataclass(frozen=True)
class RuleWorth:
    """What loosening one rule by a little, or dropping it, changes in the objective."""

    rule: str
    """The user's key, or keys."""
    before: str
    after: str
    gain: float
    """Never negative."""
    unit: Literal["USD", "s", "tokens"]
    """Dollars saved, seconds sooner, or tokens more."""
    more_bytes: float | None
    """Of each device's memory, that the plan takes on top; None for other rules."""
    sets: tuple[str, ...]
    """`--set` arguments that loosen it; none where only larger devices would do."""
    beyond: tuple[BeyondModes, ...] = ()
    """What the better plan runs, and the rule rules out."""


@dataclass(frozen=True)
class _Loosened:
    """A problem with one rule loosened."""

    rule: str
    before: str
    after: str
    problem: Problem
    sets: tuple[str, ...]

    def worth(
        self,
        gain: float,
        unit: Literal["USD", "s", "tokens"],
        more_bytes: float | None = None,
        beyond: tuple[BeyondModes, ...] = (),
    ) -> RuleWorth:
        """What it brings."""
        return RuleWorth(self.rule, self.before, self.after, gain, unit, more_bytes, self.sets, beyond)


def rule_worths(room: Room, choices: Choices, plan: Plan) -> tuple[RuleWorth, ...]:
    """Memory, and every other rule that is stated, with what loosening it changes.

    `choices` are those of the room's problem. What the room's patience is too short for is named there. Where offers
    change in time nothing is asked.
    """
    if choices.is_dated:
        return ()
    asked: list[tuple[str, Callable[[], RuleWorth]]] = []
    if room.problem.objective != "tokens":
        asked.append(("memory", lambda: _of_memory(_with_more_memory(room, plan), plan)))
    asked += ((one.rule, partial(_worth, room, plan, one)) for one in _loosened(room.problem, plan))
    found = (room.time_budget.ask(rule, question) for rule, question in asked)
    return tuple(one for one in found if one)


def _with_more_memory(room: Room, plan: Plan) -> Choices:
    """The choices with what fits a little more memory, where that may beat a plan. Raises OutOfTimeError."""
    found = room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    if not found.more_memory:
        found = choices_of(room.problem, clock=room.time_budget.clock, more_memory=MORE_MEMORY)
        room.time_budget.check()
    options, most = found.undominated, _no_worse(room.problem, plan)
    spent = Spent(min(most.wall_seconds, most.expected_seconds), most.cost_usd)
    more = within(with_more_memory(found, options, spent), room.problem)
    columns = more.modelled
    return replace(more, columns=columns, beyond=(), purchase_options=usable(room.problem, options, columns))


def with_beyond(choices: Choices, rules: Sequence[RuleWorth]) -> Choices:
    """The choices with what the best plan without each rule runs, so that in the model the rule binds."""
    beyond: tuple[dict[Site, PhaseModes], ...] = tuple({} for _ in choices.columns)
    for one in (beyond_modes for rule in rules for beyond_modes in rule.beyond):
        known = beyond[one.phase].get(one.site)
        beyond[one.phase][one.site] = known.joined(one.modes) if known else one.modes
    return replace(choices, beyond=beyond if any(beyond) else ())


def _loosened(problem: Problem, plan: Plan) -> Iterator[_Loosened]:
    """Every other rule that is stated, by itself."""
    if problem.limits.growth != 1:
        limits = problem.limits.model_copy(update={"growth": 1.0})
        changed = problem.model_copy(update={"limits": limits})
        yield _Loosened("limits.growth", f"{problem.limits.growth:g}x", "1x", changed, ("limits.growth=1x",))
    for degree in type(problem.layout).model_fields:
        pin = getattr(problem.layout, degree)
        if pin is not None:
            layout = problem.layout.model_copy(update={degree: None})
            before = str(pin) if degree != "recompute" else ", ".join(one.kind for one in pin)
            sets = (f"layout.{degree}={UNPINNED.get(degree, '>=1')}",)
            yield _Loosened(f"layout.{degree}", before, "any", problem.model_copy(update={"layout": layout}), sets)
    yield from _more_nodes(problem, plan)


def _more_nodes(problem: Problem, plan: Plan) -> Iterator[_Loosened]:
    """Own offers of which a plan takes every node, with a few more."""
    full = {
        phase.purchase_option.placement.instance_type
        for phase in plan.phases
        if phase.purchase_option.placement.cloud == OWN
        and phase.nodes + phase.spare_nodes == phase.purchase_option.placement.nodes < UNLIMITED
    }
    for number, offer in enumerate(problem.market.offers):
        if offer.name in full and offer.nodes is not None:
            more = offer.nodes + max(1, floor(MORE_NODES * offer.nodes))
            offers = list(problem.market.offers)
            offers[number] = offer.model_copy(update={"nodes": more})
            market = problem.market.model_copy(update={"offers": tuple(offers)})
            changed = problem.model_copy(update={"market": market})
            key = f"market.offers[{number}].nodes"
            yield _Loosened(key, f"{offer.nodes:,}", f"{more:,}", changed, (f"{key}={more}",))


def _worth(room: Room, plan: Plan, loosened: _Loosened) -> RuleWorth:
    """What a problem with one rule loosened brings. Raises OutOfTimeError."""
    around, bounds = room.changed(loosened.problem), room.bounds
    choices = within(around.choices(bounds.wall_seconds, bounds.gpus), loosened.problem)
    if choices.objective == "tokens":
        better = best_plan(choices, room.time_budget.clock)
        gain = max(0.0, float(better.tokens - plan.tokens)) if better else 0.0
        return loosened.worth(gain, "tokens")
    mode = best_mode(choices, _no_worse(room.problem, plan), room.time_budget.clock)
    if mode:
        plan_of_mode(choices, loosened.problem, mode)
    gain, unit = _gain(choices, plan, mode)
    posted = mode and gain and loosened.rule != "layout.recompute"  # whose choices are numbered by the pin itself
    return loosened.worth(gain, unit, beyond=tuple(_run_by(choices, mode)) if mode and posted else ())


def _no_worse(problem: Problem, plan: Plan) -> Bounds:
    """The limits, and what a plan reaches: a better one is within both."""
    bounds = bounds_of(problem)
    if problem.objective == "cost":
        return replace(bounds, cost_usd=float(plan.cost_usd))
    return bounds if problem.risk.confidence is not None else replace(bounds, wall_seconds=plan.wall_seconds)


def _gain(choices: Choices, plan: Plan, mode: JobMode | None) -> tuple[float, Literal["USD", "s"]]:
    """What a mode is better by than a plan, never less than nothing."""
    if choices.objective == "time":
        return max(0.0, plan.wall_seconds - mode.wall_seconds) if mode else 0.0, "s"
    return max(0.0, float(plan.cost_usd) - mode.cost_usd) if mode else 0.0, "USD"


def _run_by(choices: Choices, mode: JobMode) -> Iterator[BeyondModes]:
    """The layouts of a mode, where they run."""
    decided = decision_of(choices, mode).phases
    for stay in mode.stays:
        for index in stay.phases:
            site = site_of(stay.purchase_option, arrives=0 < index == stay.first)
            modes = decided[index].columns.take(np.asarray([decided[index].index]))
            yield BeyondModes(index, site, modes)


def _of_memory(wider: Choices, plan: Plan) -> RuleWorth:
    """What a little more memory brings, and how much of it, or how much less certainty, the better plan needs."""
    mode = best_mode(wider, _no_worse(wider.problem, plan))
    gain, unit = _gain(wider, plan, mode)
    used = list(_run_by(wider, mode)) if mode and gain else []
    beyond = tuple(one for one in used if _excess(wider, one) > 0)
    if mode is None or not beyond:
        return RuleWorth(MEMORY, "100%", f"{1 + MORE_MEMORY:.0%}", 0.0, unit, None, ())
    loosened = _with_less_memory(wider, max(_ratio(wider, one) for one in beyond))
    if loosened.sets:
        plan_of_mode(replace(wider, workload=workload_of(loosened.problem)), loosened.problem, mode)
    return loosened.worth(gain, unit, max(_excess(wider, one) for one in beyond), beyond)


def _excess(choices: Choices, one: BeyondModes) -> float:
    """Bytes that a layout needs beyond what its device has."""
    return float(one.modes.rows.needed_bytes[0]) - choices.machines[one.site.machine].memory_bytes


def _ratio(choices: Choices, one: BeyondModes) -> float:
    """What a layout needs over what its device has."""
    return float(one.modes.rows.needed_bytes[0]) / choices.machines[one.site.machine].memory_bytes


def _with_less_memory(choices: Choices, ratio: float) -> _Loosened:
    """The problem in which a layout may need so many times more memory than now, or larger devices where none has it.

    A peak is multiplied by the larger of 1/(1 − headroom) and exp(k·σ), see `Contents.needed_bytes`.
    """
    problem, workload = choices.problem, choices.workload
    headroom = max(workload.headroom, headroom_kept_anyway(workload))
    factor = 1 / (1 - headroom) / ratio
    likely = float(normal_probability(np.asarray(log(factor) / workload.constants.memory_deviation)))
    if likely < EVEN or factor < 1:
        return _Loosened(MEMORY, "100%", format_share(ratio), problem, ())
    least = {"memory_headroom": max(0.0, 1 - 1 / factor), "memory_confidence": likely}
    loosened = {key: floor(STEPS * now) / STEPS for key, now in least.items() if now < getattr(problem.limits, key)}
    before = ", ".join(format_share(getattr(problem.limits, key)) for key in loosened)
    limits = problem.limits.model_copy(update=loosened)
    return _Loosened(
        " and ".join(f"limits.{key}" for key in loosened),
        before,
        ", ".join(map(format_share, loosened.values())),
        problem.model_copy(update={"limits": limits}),
        tuple(f"limits.{key}={format_share(now)}" for key, now in loosened.items()),
    )
