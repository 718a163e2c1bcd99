"""The deadline as a chance constraint: its deterministic equivalent, posted in integers.

With mean M, variance V and mean b beyond the least wall time, all sums over the phases, `promised` says which time is
kept with probability Φ(z): M − b + b·g(u)³ with u = √V/b, or below one standard deviation M + z·√V. Both are posted by
cases: a case for the size of √V, which its tangent then bounds, and one for the size of u or the other form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log, sqrt
from typing import Final

import numpy as np
from ortools.sat.python.cp_model import CpModel, IntVar, LinearExpr

from planner.equations.chance import LEAST_SKEWED, deviations_of, promised, stretched
from planner.formulation.choices import Choices, Ground, ground_of
from planner.formulation.constraints import grown
from planner.formulation.figures import LARGEST, Counted
from planner.formulation.limits import Limit
from planner.formulation.scale import FINE, Scale
from planner.formulation.variables import PhaseVariables, PlanVariables

SPREAD_RATIO: Final = 1.1
"""From one case of √V to the next: its tangent is off by at most ln²(ratio)/8, 0.1 %."""
SHAPE_RATIO: Final = 1.005
"""From one case of u to the next."""
PARTS: Final = 10**5
"""Parts of one in which factors are counted."""
GRID: Final = 1000
"""Values of u that are looked at for the least margin."""
FEWEST_SHAPES: Final = 1e-4
"""Smallest u that is told apart."""


def keeps_deadline_surely(model: CpModel, plan: PlanVariables, choices: Choices, deadline: Limit, scale: Scale) -> None:
    """The phases, one after another, end before the deadline with probability `risk.confidence`."""
    confidence = choices.problem.risk.confidence
    if confidence is None:
        return
    deviations = deviations_of(confidence)
    if len(plan.phases) == 1 and plan.phases[0].figures.counts == 1:
        _single(model, plan, choices, deviations, scale.time_bound(deadline.bound), scale)
        return
    rule = _Rule(deviations, scale.time_bound(deadline.bound))
    variances = [_capped_variance(phase, rule) for phase in plan.phases]
    beyond = [phase.figures.beyond.capped(FINE * rule.bound + 1) for phase in plan.phases]
    variance = _variance(model, plan, variances)
    spread = _spread(model, variance, _spreads(plan, variances))
    _skewed(model, plan, beyond, spread, rule, _shapes(plan, beyond, variances, rule.skewed_deviations))
    if all(phase.figures.counts == 1 for phase in plan.phases):
        margins = {ground: _least_margin(plan, ground, beyond, variances, rule) for ground in choices.grounds}
        _leaves_least_margin(model, plan, margins, variances, rule)


@dataclass(frozen=True)
class _Rule:
    """How sure, and by when in units of time."""

    deviations: float
    bound: int

    @property
    def skewed_deviations(self) -> float:
        """Those of the skewed form."""
        return max(self.deviations, LEAST_SKEWED)

    def least_margin(self, low: float, high: float) -> float:
        """Standard deviations that `promised` leaves at least when u is from `low` to `high`."""
        shapes = np.geomspace(max(low, FEWEST_SHAPES), max(high, FEWEST_SHAPES), GRID)
        margins = (stretched(shapes, self.skewed_deviations) - 1) / shapes
        least = float(margins.min())
        return min(least, self.deviations) if self.deviations < LEAST_SKEWED else least


def _capped_variance(phase: PhaseVariables, rule: _Rule) -> Counted:
    """The variance of a phase; twice the deadline for the deviations that count is too much for any plan."""
    figures = phase.figures
    most = ceil(2 * rule.bound / max(rule.deviations, LEAST_DEVIATIONS)) ** 2
    return figures.variance.capped(min(most, LARGEST // MOST_PHASES // figures.counts))


LEAST_DEVIATIONS: Final = 1e-3
MOST_PHASES: Final = 32
"""Sums of so many figures fit a variable."""


def _single(model: CpModel, plan: PlanVariables, choices: Choices, deviations: float, bound: int, scale: Scale) -> None:
    """Of one phase the time that is kept is a column of the layout choice like any other."""
    phase, steps = plan.phases[0], choices.phases[0].steps
    kept: list[int] = []
    for ground in choices.grounds:
        run = choices.columns[0][ground].run
        times = promised(run.least.after(steps), run.wall.after(steps), run.variance.after(steps), deviations)
        kept.extend(int(value) for value in np.ceil(times / scale.seconds))
    model.add(phase.chosen_sum(kept) <= bound).with_name("risk.confidence")


def _variance(model: CpModel, plan: PlanVariables, variances: Sequence[Counted]) -> IntVar:
    """Variances add up over the phases."""
    pairs = list(zip(plan.phases, variances, strict=True))
    parts = [grown(model, phase, "variance", of_phase, LARGEST) for phase, of_phase in pairs]
    most = sum(max(of_phase.most(phase.figures.counts)) for phase, of_phase in pairs)
    variance = model.new_int_var(0, min(most, LARGEST), "variance")
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


def _skewed(
    model: CpModel, plan: PlanVariables, beyond: Sequence[Counted], spread: IntVar, rule: _Rule, shapes: Sequence[float]
) -> None:
    """In the case u ≤ uⱼ: √V ≤ uⱼ·b and M − b + b·g(uⱼ)³ ≤ deadline; the largest uⱼ holds whatever u is."""
    pairs = zip(plan.phases, beyond, strict=True)
    most = sum(grown(model, phase, "beyond", of_phase, LARGEST) for phase, of_phase in pairs)
    least = most - sum(phase.count + 1 for phase in plan.phases)
    literals = [model.new_bool_var(f"skewed up to {shape:.4g}") for shape in shapes]
    model.add_exactly_one([*literals, *_normal(model, plan, spread, rule)])
    for place, (shape, literal) in enumerate(zip(shapes, literals, strict=True)):
        factor = ceil(PARTS * float(stretched(np.asarray(shape), rule.skewed_deviations)))
        kept = FINE * PARTS * plan.wall - PARTS * least + factor * most
        model.add(kept <= FINE * PARTS * rule.bound).only_enforce_if(literal).with_name("risk.confidence")
        if place < len(shapes) - 1:
            narrow = FINE * PARTS * spread <= floor(PARTS * shape) * least
            model.add(narrow).only_enforce_if(literal).with_name("skewness")


def _normal(model: CpModel, plan: PlanVariables, spread: IntVar, rule: _Rule) -> Iterator[IntVar]:
    """The case M + z·√V ≤ deadline, below one standard deviation."""
    if rule.deviations < LEAST_SKEWED:
        literal = model.new_bool_var("as if not skewed")
        kept = PARTS * plan.wall + ceil(PARTS * rule.deviations) * spread
        model.add(kept <= PARTS * rule.bound).only_enforce_if(literal).with_name("risk.confidence")
        yield literal


def _spreads(plan: PlanVariables, variances: Sequence[Counted]) -> list[int]:
    """Cases of √V in units, from the least that a phase has to the most that all have together."""
    least = min(min(one.most(1)) for one in variances)
    most = sum(max(one.most(phase.figures.counts)) for phase, one in zip(plan.phases, variances, strict=True))
    low, high = sqrt(max(least, 1)), sqrt(max(most, 1))
    count = ceil(log(high / low) / log(SPREAD_RATIO)) + 1
    return sorted({ceil(low * SPREAD_RATIO**power) for power in range(count)})


@dataclass(frozen=True)
class _Margin:
    """At least start + slope · variance, in units of time."""

    start: float
    slope: float


def _least_margin(
    plan: PlanVariables, ground: Ground, beyond: Sequence[Counted], variances: Sequence[Counted], rule: _Rule
) -> _Margin:
    """What `promised` leaves at least on one ground: its fewest standard deviations times the chord of √V."""
    low = high = 0
    shapes: list[float] = []
    for phase, b, v in zip(plan.phases, beyond, variances, strict=True):
        here = [place for place, where in enumerate(phase.figures.grounds) if where == ground]
        low += min(v.block[place] for place in here)
        high += max(v.block[place] for place in here)
        shapes.extend(FINE * sqrt(v.block[place]) / max(b.block[place], 1) for place in here)
    deviations = ALMOST * rule.least_margin(min(shapes) / sqrt(len(plan.phases)), max(shapes))
    slope = 1 / max(sqrt(low) + sqrt(high), 1.0)
    return _Margin(deviations * (sqrt(low) - slope * low), deviations * slope)


def _leaves_least_margin(
    model: CpModel,
    plan: PlanVariables,
    margins: Mapping[Ground, _Margin],
    variances: Sequence[Counted],
    rule: _Rule,
) -> None:
    """Every option with its part of the least margin: implied, but the linear bound that proofs need."""
    parts = [
        phase.chosen_sum(
            [
                PARTS * wall + floor(PARTS * margins[ground].slope * variance)
                for wall, variance, ground in zip(phase.figures.wall.block, v.block, phase.figures.grounds, strict=True)
            ]
        )
        for phase, v in zip(plan.phases, variances, strict=True)
    ]
    starts = [floor(PARTS * margins[ground_of(tender)].start) for tender, _ in plan.tenders]
    begin = LinearExpr.weighted_sum([chosen for _, chosen in plan.tenders], starts)
    model.add(begin + sum(parts) <= PARTS * rule.bound).with_name("risk.confidence: least margin")


ALMOST: Final = 0.998
"""What rounding leaves of an implied bound."""
FEWER: Final = 4
"""An open phase with so many times fewer steps than it may have is told apart less finely."""


def _shapes(
    plan: PlanVariables, beyond: Sequence[Counted], variances: Sequence[Counted], deviations: float
) -> list[float]:
    """Cases of u: that of a sum is no more than the largest of a phase and no less than the smallest over √phases."""
    found = [
        FINE * sqrt(variance) / max(mean, 1)
        for phase, b, v in zip(plan.phases, beyond, variances, strict=True)
        for counts in {max(1, phase.figures.counts // FEWER), phase.figures.counts}
        for variance, mean in zip(v.most(counts), b.most(counts), strict=True)
    ]
    low = max(min(found) / sqrt(len(plan.phases)), FEWEST_SHAPES)
    high = min(max(found), 1.5 * deviations)
    count = max(0, ceil(log(high / low) / log(SHAPE_RATIO))) if high > low else 0
    return [*(low * SHAPE_RATIO**power for power in range(count)), 1.5 * deviations]
