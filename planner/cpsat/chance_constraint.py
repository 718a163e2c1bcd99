"""The deadline as a chance constraint: its deterministic equivalent, posted in integers.

With mean M, variance V and mean b beyond the least wall time, all sums over the phases, `promised` says which time is
kept with a probability: M + k(u)·√V, k never falling with u = √V/b. That is posted by cases: a case for the size of
√V, which its chord then bounds from below, and one for the size of u, which bounds k from below. So whatever keeps the
deadline surely keeps it in the integers too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log, sqrt
from typing import Final

import numpy as np

from planner.availability.chance_constraint import (
    LEAST_SKEWED,
    deviations_of,
    margin_deviations,
    promised,
    widest_variation,
)
from planner.cpsat.fixed_point import FixedPoint
from planner.cpsat.mode_columns import in_units
from planner.cpsat.model import IntVar, LinearExpr, Model
from planner.cpsat.variables import PhaseVariables, PlanVariables
from planner.market.purchase_options import STEADY
from planner.plans.choices import Choices, Site, site_of
from planner.plans.limits import Limit
from planner.plans.plan_error import counts_error, kept_of_phase

SPREADS: Final = 2**20
"""Units of √V in the deadline: its square stays far from where products of the solver go wrong."""
BEYONDS: Final = 2**30
"""Units of b and of the deadline itself in the deadline."""
PARTS: Final = 2**16
"""Parts of one in which factors are counted."""
SPREAD_RATIO: Final = 1.1
"""From one case of √V to the next: its chord is off by at most ln²(ratio)/8, 0.1 %."""
SHAPE_RATIO: Final = 1.01
"""From one case of u to the next, which moves k by less than 0.4 %."""
CASES_ERROR: Final = 0.005
"""Part of the margin beyond the mean by which cases may loosen the deadline."""
FEWEST_SHAPES: Final = 0.003
"""Smallest u that is told apart."""
ALMOST: Final = 0.998
"""What rounding leaves of an implied bound."""
LEAST_DEVIATIONS: Final = 1e-2


@dataclass(frozen=True)
class _Rule:
    """The deadline and its confidence."""

    seconds: float
    deviations: float


@dataclass(frozen=True)
class _PhaseCertainty:
    """How sure the time of a phase is, option by option."""

    variables: PhaseVariables
    beyond: list[int]
    """b in its units."""
    variance: list[int]
    """V in the squares of units of √V."""

    def shapes(self, places: Sequence[int]) -> list[float]:
        """√V/b of some options."""
        return [BEYONDS / SPREADS * sqrt(self.variance[place]) / max(self.beyond[place], 1) for place in places]


def keeps_deadline_surely(
    model: Model, plan: PlanVariables, choices: Choices, deadline: Limit, scale: FixedPoint
) -> None:
    """The phases, one after another, end before the deadline with probability `risk.confidence`."""
    confidence = choices.problem.risk.confidence
    if confidence is None:
        return
    rule = _Rule(deadline.bound, deviations_of(confidence))
    if counts_error(choices.problem.risk):
        _with_error(model, plan, choices, rule, scale)
        return
    if len(plan.phases) == 1:
        _single(model, plan, choices, rule, scale)
        return
    phases = [_phase(plan.phases[index], choices, index, rule) for index in range(len(plan.phases))]
    spread = _spread(model, _variance(model, phases), _spreads(phases))
    _keeps_margin(model, plan, phases, spread, rule, scale)
    _leaves_least_margin(
        model, plan, phases, _least_margins(choices, phases, rule, scale), scale.time_bound(rule.seconds)
    )


def loosening(choices: Choices) -> float:
    """Part of the margin beyond the mean by which cases may loosen the deadline; sums of columns need none."""
    risk = choices.problem.risk
    exact = risk.confidence is None or len(choices.phases) == 1 or counts_error(risk)
    return 0.0 if exact else CASES_ERROR


def _with_error(model: Model, plan: PlanVariables, choices: Choices, rule: _Rule, scale: FixedPoint) -> None:
    """With the estimate's error the time that is kept is a column of each phase's layouts, and the columns add up."""
    parts = [plan.wall - LinearExpr.sum([phase.wall for phase in plan.phases])]  # the time of moves
    for index, (phase, work) in enumerate(zip(plan.phases, choices.phases, strict=True)):
        on_sites = ((choices.machines[site.machine], modes) for site, modes in choices.options_of(index))
        kept = (kept_of_phase(choices, machine, modes, work.steps) for machine, modes in on_sites)
        parts.append(phase.chosen_sum(in_units(kept, scale.seconds)))
    model.add(sum(parts) <= scale.time_bound(rule.seconds)).with_name("risk.confidence")


def _single(model: Model, plan: PlanVariables, choices: Choices, rule: _Rule, scale: FixedPoint) -> None:
    """With one phase, the time that is kept is a column of the layout choice like any other."""
    phase, steps = plan.phases[0], choices.phases[0].steps
    runs = [modes.run for _, modes in choices.options_of(0)]
    times = (
        promised(run.least.after(steps), run.wall.after(steps), run.variance.after(steps), rule.deviations)
        for run in runs
    )
    kept = in_units(times, scale.seconds)
    model.add(phase.chosen_sum(kept) <= scale.time_bound(rule.seconds)).with_name("risk.confidence")


def _phase(variables: PhaseVariables, choices: Choices, index: int, rule: _Rule) -> _PhaseCertainty:
    """A phase's figures; a variance that no plan can have within the deadline is capped at twice of it."""
    steps, runs = choices.phases[index].steps, [modes.run for _, modes in choices.options_of(index)]
    most = ceil(2 * SPREADS / max(rule.deviations, LEAST_DEVIATIONS)) ** 2
    beyond = in_units((run.beyond.after(steps) for run in runs), rule.seconds / BEYONDS)
    variance = in_units((run.variance.after(steps) for run in runs), (rule.seconds / SPREADS) ** 2)
    return _PhaseCertainty(
        variables, [min(one + 1, BEYONDS + 1) for one in beyond], [min(one, most) for one in variance]
    )


def _variance(model: Model, phases: Sequence[_PhaseCertainty]) -> IntVar:
    """Variances add up over the phases."""
    parts = [phase.variables.chosen_sum(phase.variance) for phase in phases]
    variance = model.new_int_var(0, sum(max(phase.variance) for phase in phases), "variance")
    model.add(variance == sum(parts)).with_name("variance of the wall time")
    return variance


def _spread(model: Model, variance: IntVar, cases: list[int]) -> IntVar:
    """At least the chord of √V in one case (s, t): (s + t)·√V ≥ V + s·t between s² and t², and too much elsewhere."""
    spread = model.new_int_var(0, 2 * cases[-1], "standard deviation")
    chords = list(pairwise(cases))
    literals = [model.new_bool_var(f"standard deviation near {low}") for low, _ in chords]
    model.add_exactly_one(literals)
    for (low, high), literal in zip(chords, literals, strict=True):
        chord = (low + high) * (spread + 1) >= variance + low * high
        model.add(chord).only_enforce_if(literal).with_name("standard deviation")
    return spread


def _spreads(phases: Sequence[_PhaseCertainty]) -> list[int]:
    """Ends of the cases of √V in units, from below the least that a phase has to above the most of all together."""
    low = sqrt(max(min(min(phase.variance) for phase in phases), 1))
    high = sqrt(max(sum(max(phase.variance) for phase in phases), 1))
    count = ceil(log(high / low) / log(SPREAD_RATIO)) + 1
    return sorted({0, *(floor(low * SPREAD_RATIO**power) for power in range(count)), ceil(high) + 1})


def _keeps_margin(
    model: Model, plan: PlanVariables, phases: Sequence[_PhaseCertainty], spread: IntVar, rule: _Rule, scale: FixedPoint
) -> None:
    """Case u ≤ uⱼ: √V ≤ uⱼ·b and M + k(uⱼ₋₁)·√V ≤ deadline; the last case holds whatever u is."""
    shapes = _shapes(phases, rule.deviations)
    most = _beyond(model, phases)
    wall = floor(PARTS * scale.seconds * BEYONDS / rule.seconds) * plan.wall
    literals = [model.new_bool_var(f"skewed up to {shape:.4g}") for shape in shapes[1:]]
    model.add_exactly_one(literals)
    for place, ((below, shape), literal) in enumerate(zip(pairwise(shapes), literals, strict=True)):
        factor = floor(PARTS * float(margin_deviations(np.asarray(below), rule.deviations))) * (BEYONDS // SPREADS)
        bound = PARTS * (BEYONDS + ceil(scale.seconds * BEYONDS / rule.seconds))
        model.add(wall + factor * spread <= bound).only_enforce_if(literal).with_name("risk.confidence")
        if place < len(literals) - 1:
            narrow = BEYONDS // SPREADS * PARTS * spread <= ceil(PARTS * shape) * most
            model.add(narrow).only_enforce_if(literal).with_name("skewness")


def _beyond(model: Model, phases: Sequence[_PhaseCertainty]) -> IntVar:
    """Means beyond the least wall time add up over the phases."""
    beyond = model.new_int_var(0, sum(max(phase.beyond) for phase in phases), "beyond")
    parts = [phase.variables.chosen_sum(phase.beyond) for phase in phases]
    model.add(beyond == sum(parts)).with_name("wall time beyond the least")
    return beyond


def _shapes(phases: Sequence[_PhaseCertainty], deviations: float) -> list[float]:
    """Ends of the cases of u: of a sum it is at most the largest of a phase, at least the smallest over √phases."""
    if deviations <= LEAST_SKEWED:
        return [1.0, 1.0]
    found = [shape for phase in phases for shape in phase.shapes(range(len(phase.variance)))]
    widest = widest_variation(deviations)
    least, most = min(ALMOST * min(found) / sqrt(len(phases)), widest), min(max(found), widest)
    low = max(least, FEWEST_SHAPES)
    count = max(0, ceil(log(max(most, low) / low) / log(SHAPE_RATIO)))
    between = (low * SHAPE_RATIO**power for power in range(count + 1))
    begin = least if least >= FEWEST_SHAPES else 0.0
    return [begin, *(one for one in between if begin < one < widest), widest]


@dataclass(frozen=True)
class _Margin:
    """At least start + slope · V, in units of time."""

    start: float
    slope: float


def _least_margins(
    choices: Choices, phases: Sequence[_PhaseCertainty], rule: _Rule, scale: FixedPoint
) -> Mapping[Site, _Margin]:
    """What `promised` leaves at least on each site: its fewest standard deviations times the chord of √V.

    Of a job that may move, on all sites together.
    """
    unit = rule.seconds / SPREADS / scale.seconds
    places = [_places(phase, choices) for phase in phases]
    margins: dict[Site, _Margin] = {}
    for site in choices.sites if choices.together else ANYWHERE:
        low = high = 0
        shapes: list[float] = []
        for phase, of_phase in zip(phases, places, strict=True):
            here = of_phase[site]
            low += min(phase.variance[place] for place in here)
            high += max(phase.variance[place] for place in here)
            shapes.extend(phase.shapes(here))
        least = np.asarray(min(shapes) / sqrt(len(phases)))
        deviations = ALMOST * unit * float(margin_deviations(least, rule.deviations))
        slope = 1 / max(sqrt(low) + sqrt(high), 1.0)
        margins[site] = _Margin(deviations * (sqrt(low) - slope * low), deviations * slope)
    return margins


ANYWHERE: Final = (Site(("", 0, 0, 0.0), STEADY),)
"""Stands for all sites of a job that may move."""


def _places(phase: _PhaseCertainty, choices: Choices) -> Mapping[Site, Sequence[int]]:
    """The options of a phase by site."""
    found: dict[Site, list[int]] = {}
    for place, site in enumerate(phase.variables.figures.sites):
        found.setdefault(site if choices.together else ANYWHERE[0], []).append(place)
    return found


def _leaves_least_margin(
    model: Model, plan: PlanVariables, phases: Sequence[_PhaseCertainty], margins: Mapping[Site, _Margin], bound: int
) -> None:
    """Every option with its part of the least margin: implied, but the linear bound that proofs need."""
    parts: list[LinearExpr] = []
    anywhere = margins.get(ANYWHERE[0])
    for phase in phases:
        figures = phase.variables.figures
        columns = zip(figures.wall, phase.variance, figures.sites, strict=True)
        slopes = [(wall, variance, (anywhere or margins[where]).slope) for wall, variance, where in columns]
        with_margin = [PARTS * wall + floor(PARTS * slope * variance) for wall, variance, slope in slopes]
        parts.append(phase.variables.chosen_sum(with_margin))
    options = plan.phases[0].purchase_options
    starts = [floor(PARTS * (anywhere or margins[site_of(purchase_option)]).start) for purchase_option, _ in options]
    begin = LinearExpr.weighted_sum([chosen for _, chosen in options], starts)
    model.add(begin + sum(parts) <= PARTS * bound).with_name("risk.confidence: least margin")
