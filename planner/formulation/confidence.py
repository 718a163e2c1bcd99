"""The deadline as a chance constraint: its deterministic equivalent, posted in integers.

With mean M, variance V and mean b beyond the least wall time, all sums over the phases, `promised` says which time is
kept with a probability: M + k(u)·√V, k never falling with u = √V/b. That is posted by cases: a case for the size of
√V, which its tangent then bounds, and one for the size of u, which bounds k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, log, sqrt
from typing import Final

import numpy as np
from ortools.sat.python.cp_model import CpModel, IntVar, LinearExpr

from planner.equations.promise import (
    LEAST_SKEWED,
    deviations_of,
    margin_deviations,
    promised,
    widest_variation,
)
from planner.formulation.choices import Choices, Ground, ground_of, is_open
from planner.formulation.constraints import grown
from planner.formulation.figures import LARGEST, Counted, figure_of
from planner.formulation.limits import Limit
from planner.formulation.scale import Scale
from planner.formulation.variables import PhaseVariables, PlanVariables

SPREADS: Final = 2**20
"""Units of √V in the deadline: its square stays far from where products of the solver go wrong."""
BEYONDS: Final = 2**30
"""Units of b and of the deadline itself in the deadline."""
PARTS: Final = 2**16
"""Parts of one in which factors are counted."""
SPREAD_RATIO: Final = 1.1
"""From one case of √V to the next: its tangent is off by at most ln²(ratio)/8, 0.1 %."""
SHAPE_RATIO: Final = 1.01
"""From one case of u to the next, which moves k by less than 0.4 %."""
CASES_ERROR: Final = 0.005
"""Part of the margin beyond the mean by which cases may tighten the deadline."""
FEWEST_SHAPES: Final = 0.003
"""Smallest u that is told apart."""
FEWER: Final = 4
"""An open phase with so many times fewer steps than it may have is told apart less finely."""
ALMOST: Final = 0.998
"""What rounding leaves of an implied bound."""
LEAST_DEVIATIONS: Final = 1e-2


@dataclass(frozen=True)
class _Rule:
    """By when, and how sure."""

    seconds: float
    deviations: float


@dataclass(frozen=True)
class _Phase:
    """How sure the time of a phase is, option by option."""

    variables: PhaseVariables
    beyond: Counted
    """b in its units."""
    variance: Counted
    """V in the squares of units of √V."""

    @property
    def counts(self) -> int:
        """Most blocks of steps."""
        return self.variables.figures.counts

    def shapes(self, places: Sequence[int], count: int) -> list[float]:
        """√V/b of some options after so many blocks."""
        variances, beyond = self.variance.most(count), self.beyond.most(count)
        return [BEYONDS / SPREADS * sqrt(variances[place]) / max(beyond[place], 1) for place in places]


def keeps_deadline_surely(model: CpModel, plan: PlanVariables, choices: Choices, deadline: Limit, scale: Scale) -> None:
    """The phases, one after another, end before the deadline with probability `risk.confidence`."""
    confidence = choices.problem.risk.confidence
    if confidence is None:
        return
    rule = _Rule(deadline.bound, deviations_of(confidence))
    if len(plan.phases) == 1 and plan.phases[0].figures.counts == 1:
        _single(model, plan, choices, rule, scale)
        return
    phases = [_phase(plan.phases[index], choices, index, rule, scale) for index in range(len(plan.phases))]
    spread = _spread(model, _variance(model, phases), _spreads(phases))
    _keeps_margin(model, plan, phases, spread, rule, scale)
    if all(phase.counts == 1 for phase in phases):
        _leaves_least_margin(
            model, plan, phases, _least_margins(choices, phases, rule, scale), scale.time_bound(rule.seconds)
        )


def tightening(choices: Choices) -> float:
    """Part of the margin beyond the mean by which cases may tighten the deadline; one closed phase needs none."""
    one = len(choices.phases) == 1 and not is_open(choices.problem, choices.phases[0].name)
    return 0.0 if choices.problem.risk.confidence is None or one else CASES_ERROR


def _single(model: CpModel, plan: PlanVariables, choices: Choices, rule: _Rule, scale: Scale) -> None:
    """Of one phase the time that is kept is a column of the layout choice like any other."""
    phase, steps = plan.phases[0], choices.phases[0].steps
    kept: list[int] = []
    for ground in choices.grounds:
        run = choices.columns[0][ground].run
        times = promised(run.least.after(steps), run.wall.after(steps), run.variance.after(steps), rule.deviations)
        kept.extend(int(value) for value in np.ceil(times / scale.seconds))
    model.add(phase.chosen_sum(kept) <= scale.time_bound(rule.seconds)).with_name("risk.confidence")


def _phase(variables: PhaseVariables, choices: Choices, index: int, rule: _Rule, scale: Scale) -> _Phase:
    """A phase's figures; what no plan can have within the deadline is capped at twice of it."""
    figures = variables.figures
    steps = scale.block_steps if figures.is_open else choices.phases[index].steps
    counted = partial(figure_of, steps=steps, is_open=figures.is_open)
    runs = [choices.columns[index][ground].run for ground in choices.grounds]
    most = ceil(2 * SPREADS / max(rule.deviations, LEAST_DEVIATIONS)) ** 2
    return _Phase(
        variables,
        counted((run.beyond for run in runs), unit=rule.seconds / BEYONDS).capped(BEYONDS + 1),
        counted((run.variance for run in runs), unit=(rule.seconds / SPREADS) ** 2).capped(most),
    )


def _variance(model: CpModel, phases: Sequence[_Phase]) -> IntVar:
    """Variances add up over the phases."""
    parts = [grown(model, phase.variables, "variance", phase.variance, LARGEST) for phase in phases]
    variance = model.new_int_var(0, sum(max(phase.variance.most(phase.counts)) for phase in phases), "variance")
    model.add(variance == sum(parts)).with_name("variance of the wall time")
    return variance


def _spread(model: CpModel, variance: IntVar, cases: list[int]) -> IntVar:
    """At least the square root: 2·s·√V ≤ V + s² for every s, and one s is near enough to √V."""
    spread = model.new_int_var(0, 2 * cases[-1], "standard deviation")
    literals = [model.new_bool_var(f"standard deviation near {case}") for case in cases]
    model.add_exactly_one(literals)
    for case, literal in zip(cases, literals, strict=True):
        model.add(2 * case * spread >= variance + case**2).only_enforce_if(literal).with_name("standard deviation")
    return spread


def _spreads(phases: Sequence[_Phase]) -> list[int]:
    """Cases of √V in units, from the least that a phase has to the most that all have together."""
    least = min(min(phase.variance.most(1)) for phase in phases)
    most = sum(max(phase.variance.most(phase.counts)) for phase in phases)
    low, high = sqrt(max(least, 1)), sqrt(max(most, 1))
    count = ceil(log(high / low) / log(SPREAD_RATIO)) + 1
    return sorted({ceil(low * SPREAD_RATIO**power) for power in range(count)})


def _keeps_margin(
    model: CpModel, plan: PlanVariables, phases: Sequence[_Phase], spread: IntVar, rule: _Rule, scale: Scale
) -> None:
    """In the case u ≤ uⱼ: √V ≤ uⱼ·b and M + k(uⱼ)·√V ≤ deadline; the largest uⱼ holds whatever u is."""
    shapes = _shapes(phases, rule.deviations)
    least = _beyond(model, phases) - sum(phase.variables.count + 1 for phase in phases)
    wall = ceil(PARTS * scale.seconds * BEYONDS / rule.seconds) * plan.wall
    literals = [model.new_bool_var(f"skewed up to {shape:.4g}") for shape in shapes]
    model.add_exactly_one(literals)
    for place, (shape, literal) in enumerate(zip(shapes, literals, strict=True)):
        factor = ceil(PARTS * float(margin_deviations(np.asarray(shape), rule.deviations))) * (BEYONDS // SPREADS)
        model.add(wall + factor * spread <= PARTS * BEYONDS).only_enforce_if(literal).with_name("risk.confidence")
        if place < len(shapes) - 1:
            narrow = BEYONDS // SPREADS * PARTS * spread <= floor(PARTS * shape) * least
            model.add(narrow).only_enforce_if(literal).with_name("skewness")


def _beyond(model: CpModel, phases: Sequence[_Phase]) -> IntVar:
    """Means beyond the least wall time add up over the phases."""
    parts = [grown(model, phase.variables, "beyond", phase.beyond, LARGEST) for phase in phases]
    beyond = model.new_int_var(0, sum(max(phase.beyond.most(phase.counts)) for phase in phases), "beyond")
    model.add(beyond == sum(parts)).with_name("wall time beyond the least")
    return beyond


def _shapes(phases: Sequence[_Phase], deviations: float) -> list[float]:
    """Cases of u: that of a sum is no more than the largest of a phase and no less than the smallest over √phases."""
    if deviations <= LEAST_SKEWED:
        return [1.0]
    found = [
        shape
        for phase in phases
        for count in {max(1, phase.counts // FEWER), phase.counts}
        for shape in phase.shapes(range(len(phase.variance.block)), count)
    ]
    widest = widest_variation(deviations)
    low, high = max(min(found) / sqrt(len(phases)), FEWEST_SHAPES), min(max(found), widest)
    count = max(0, ceil(log(high / low) / log(SHAPE_RATIO))) if high > low else 0
    return [*(low * SHAPE_RATIO**power for power in range(count)), widest]


@dataclass(frozen=True)
class _Margin:
    """At least start + slope · V, in units of time."""

    start: float
    slope: float


def _least_margins(choices: Choices, phases: Sequence[_Phase], rule: _Rule, scale: Scale) -> Mapping[Ground, _Margin]:
    """What `promised` leaves at least on each ground: its fewest standard deviations times the chord of √V."""
    unit = rule.seconds / SPREADS / scale.seconds
    margins: dict[Ground, _Margin] = {}
    for ground in choices.grounds:
        low = high = 0
        shapes: list[float] = []
        for phase in phases:
            here = [place for place, where in enumerate(phase.variables.figures.grounds) if where == ground]
            low += min(phase.variance.block[place] for place in here)
            high += max(phase.variance.block[place] for place in here)
            shapes.extend(phase.shapes(here, 1))
        least = np.asarray(min(shapes) / sqrt(len(phases)))
        deviations = ALMOST * unit * float(margin_deviations(least, rule.deviations))
        slope = 1 / max(sqrt(low) + sqrt(high), 1.0)
        margins[ground] = _Margin(deviations * (sqrt(low) - slope * low), deviations * slope)
    return margins


def _leaves_least_margin(
    model: CpModel, plan: PlanVariables, phases: Sequence[_Phase], margins: Mapping[Ground, _Margin], bound: int
) -> None:
    """Every option with its part of the least margin: implied, but the linear bound that proofs need."""
    parts: list[LinearExpr] = []
    for phase in phases:
        figures = phase.variables.figures
        columns = zip(figures.wall.block, phase.variance.block, figures.grounds, strict=True)
        with_margin = [PARTS * wall + floor(PARTS * margins[where].slope * v) for wall, v, where in columns]
        parts.append(phase.variables.chosen_sum(with_margin))
    starts = [floor(PARTS * margins[ground_of(tender)].start) for tender, _ in plan.tenders]
    begin = LinearExpr.weighted_sum([chosen for _, chosen in plan.tenders], starts)
    model.add(begin + sum(parts) <= PARTS * bound).with_name("risk.confidence: least margin")
