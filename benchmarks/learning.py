"""What a team's own runs are worth: published sources as if each were a team that the calibration does not know.

    python benchmarks/learning.py [--publishers] [--untuned]

Every source (with `--publishers` all sources of its publisher) is left out of the fit; some of its runs, drawn at
random, are learned from, and the others predicted. One vote a source of at least seven configurations. With `--untuned`
they are predicted as if their software were not stated: the catalog's stacks were described with these sources in view,
which leaving them out of a fit does not undo. Takes about three minutes of one core, most of them for the fits.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.catalog.calibration import Spread, load_calibration
from planner.catalog.own_runs import OwnRun
from planner.learning.learn import AT_ODDS, DERIVATIVE, weighed
from planner.performance.own_runs import COMMUNICATION, HOST, posterior_of, scaled_constants, with_own_runs
from planner.performance.predictive import predictive
from planner.performance.symbols import Array
from planner.validation.calibrate import usable_cases
from planner.validation.cases import Case
from planner.validation.predict import Index
from planner.validation.published import builtin_runs, read_published
from planner.validation.spread import publisher, unseen_of
from planner.validation.step_time_fit import Fit, TimeData, fit_times, predict_seconds, subset, time_data
from planner.validation.validate import traits_of_case

LEAST = 7
"""Configurations that a source must have."""
DRAWS = 20
MOST = 60
"""Configurations of a source that take part; of larger ones as many are drawn."""
WRONG = 3.0
"""Factor on the step of the wrong row."""
SMALL, LARGE = 8, 64
"""Devices of the runs that are learned from, and of those that are then predicted."""
PROMISED = 0.9
"""Probability with which a time is promised."""


@dataclass(frozen=True)
class Source:
    """One source's runs against a fit that has not seen them."""

    runs: tuple[OwnRun, ...]
    cases: tuple[Case, ...]


def sources(data: TimeData, groups: Sequence[str], told: TimeData) -> Iterator[Source]:
    """Every source of enough configurations under the fit that left its group out, by what is `told` of them."""
    whole, labels, names = fit_times(data), np.asarray(groups), np.asarray(data.sources)
    for group in sorted(set(groups)):
        left = (labels == group) & data.scored
        fit = fit_times(subset(data, labels != group), whole.parameters)
        for name in sorted(set(names[left].tolist())):
            chosen = np.flatnonzero(left & (names == name))
            if len(chosen) >= LEAST:
                yield _source(subset(told, np.isin(np.arange(len(labels)), _some(chosen))), fit)


def _some(chosen: Index) -> Index:
    drawn = np.random.default_rng(0).choice(chosen, min(MOST, len(chosen)), replace=False)
    return np.sort(drawn)


def _source(data: TimeData, fit: Fit) -> Source:
    base = np.log(predict_seconds(data, fit.constants, fit.efficiencies))

    def sensitivity(names: Sequence[str]) -> Array:
        more = scaled_constants(fit.constants, dict.fromkeys(names, DERIVATIVE))
        return np.asarray((np.log(predict_seconds(data, more, fit.efficiencies)) - base) / DERIVATIVE)

    ratios, communication, host = np.log(data.measured) - base, sensitivity(COMMUNICATION), sensitivity(HOST)
    runs = tuple(
        OwnRun(
            **traits_of_case(case).model_dump(),
            name=case.configuration,
            log_ratio=float(ratios[i]),
            weight=1.0,
            communication=float(communication[i]),
            host=float(host[i]),
        )
        for i, case in enumerate(data.cases)
    )
    return Source(runs, data.cases)


@dataclass(frozen=True)
class Score:
    """Of one draw: median error, shares inside the 80 % range and within what `PROMISED` keeps, and the range's width.

    The width is over that without own runs.
    """

    error: float
    inside: float = math.nan
    kept: float = math.nan
    width: float = math.nan
    named: float = 0.0


def score(source: Source, known: Sequence[OwnRun], asked: Sequence[int], spread: Spread) -> Score:
    """How well the runs that are asked for are predicted by those that are known."""
    runs = tuple(weighed(known))
    posterior = posterior_of(runs)
    errors, inside, kept, widths = [], [], [], []
    for index in asked:
        run, case = source.runs[index], source.cases[index]
        learned = posterior.log_pace(run)
        learned += run.communication * posterior.learned("communication") + run.host * posterior.learned("host")
        slower = run.log_ratio - learned
        before = predictive(spread, unseen_of(case))
        after = predictive(spread, with_own_runs(unseen_of(case), runs, run))
        low, high = (math.log(end) for end in after.interval())
        errors.append(abs(math.expm1(-slower)))
        inside.append(low <= slower <= high)
        kept.append(slower <= math.log(after.factor(PROMISED)))
        widths.append(after.scale / before.scale)
    return Score(*(float(one) for one in (np.median(errors), np.mean(inside), np.mean(kept), np.mean(widths))))


Draw = Callable[[Source, np.random.Generator], Score | None]


def random_runs(count: int, spread: Spread) -> Draw:
    """So many runs drawn at random, all others predicted."""

    def draw(source: Source, random: np.random.Generator) -> Score:
        order = random.permutation(len(source.runs)).tolist()
        return score(source, [source.runs[i] for i in order[:count]], order[count:], spread)

    return draw


def small_runs(count: int, spread: Spread) -> Draw:
    """So many runs on few devices, those on many predicted."""

    def draw(source: Source, random: np.random.Generator) -> Score | None:
        small = [i for i, run in enumerate(source.runs) if run.gpus <= SMALL]
        large = [i for i, run in enumerate(source.runs) if run.gpus >= LARGE]
        if len(small) < max(count, 1) or not large:
            return None
        known = random.choice(small, count, replace=False).tolist()
        return score(source, [source.runs[i] for i in known], large, spread)

    return draw


def four_fifths(spread: Spread) -> Draw:
    """Four of five runs, the others predicted."""

    def draw(source: Source, random: np.random.Generator) -> Score:
        order = random.permutation(len(source.runs)).tolist()
        known = len(order) * 4 // 5
        return score(source, [source.runs[i] for i in order[:known]], order[known:], spread)

    return draw


def before_a_plan(count: int, spread: Spread, *, chosen: bool) -> Draw:
    """One run is the plan; of those on no more devices some are made first: at random, or as `plan probe` chooses.

    Chosen are runs that leave least of the plan's variance.
    """

    def draw(source: Source, random: np.random.Generator) -> Score | None:
        order = random.permutation(len(source.runs)).tolist()
        plan, gpus = order[0], max(source.runs[order[0]].gpus, SMALL)
        others = [i for i in order[1:] if source.runs[i].gpus <= gpus]
        if len(others) < count + 2:
            return None
        known = list[int]()
        while len(known) < count:
            left = [i for i in others if i not in known]
            known.append(min(left, key=lambda one: _left(source, plan, [*known, one])) if chosen else left[0])
        return score(source, [source.runs[i] for i in known], [plan], spread)

    return draw


def _left(source: Source, plan: int, known: Sequence[int]) -> float:
    """What some runs leave of a plan's variance."""
    return posterior_of(tuple(source.runs[i] for i in known)).variance_left(source.runs[plan])


def own_factor(source: Source, _: np.random.Generator) -> Score:
    """The source's median ratio as if it were known: what no common factor can beat by much."""
    ratios = np.asarray([run.log_ratio for run in source.runs])
    return Score(float(np.median(np.abs(np.expm1(np.median(ratios) - ratios)))))


def one_wrong(spread: Spread, *, wrong: bool) -> Draw:
    """Five runs drawn at random, one of them wildly wrong."""

    def draw(source: Source, random: np.random.Generator) -> Score:
        order = random.permutation(len(source.runs)).tolist()
        known = [source.runs[i] for i in order[: 5 if wrong else 4]]
        if wrong:
            known[-1] = known[-1].model_copy(update={"log_ratio": known[-1].log_ratio + math.log(WRONG)})
        found = score(source, known, order[5:], spread)
        named = weighed(known)[-1].weight < AT_ODDS if wrong else False
        return replace(found, named=float(named))

    return draw


Aggregate = Callable[[Sequence[float]], np.floating[Any]]


def row(name: str, found: Sequence[Source], draw: Draw, across: Aggregate = np.mean) -> tuple[float, float]:
    """Prints one row; the mean and the median error over the sources, each the mean `across` its draws."""
    random = np.random.default_rng(1)
    scores = [[one for _ in range(DRAWS) if (one := draw(source, random))] for source in found]
    votes = [Score(*(float(across([getattr(one, key) for one in of])) for key in KEYS)) for of in scores if of]
    mean, median = (float(take([one.error for one in votes])) for take in (np.mean, np.median))
    inside, kept, width, named = (float(np.mean([getattr(one, key) for one in votes])) for key in KEYS[1:])
    known = f"{inside:7.0%} {kept:8.0%} {width:6.2f}" if math.isfinite(width) else ""
    told = f"  named {named:.0%}" if named > 0 else ""
    print(f"{name:42} {len(votes):7d} {mean:7.1%} {median:7.1%} {known}{told}", flush=True)
    return mean, median


def over(found: tuple[float, float], base: tuple[float, float]) -> None:
    """Prints an error over another."""
    print(f"{'  over that':50} {found[0] / base[0]:7.2f} {found[1] / base[1]:7.2f}")


KEYS = ("error", "inside", "kept", "width", "named")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", action="store_true", help="leave out all sources of a publisher")
    parser.add_argument("--untuned", action="store_true", help="as if the software were not stated")
    asked, spread = parser.parse_args(), load_calibration().spread
    rows = read_published(builtin_runs())
    data = told = time_data(usable_cases(rows, memory=False))
    if asked.untuned:
        told = time_data(usable_cases([replace(row, text=row.text | {"framework": ""}) for row in rows], memory=False))
    groups = [publisher(one) for one in data.sources] if asked.publishers else list(data.sources)
    found = list(sources(data, groups, told))
    print(f"{'error of the rest, one vote a source':42} sources    mean  median  in 80%  90% kept  width")
    base = row("no own run", found, random_runs(0, spread))
    for count in (1, 3, 5):
        over(row(f"{count} own runs at random", found, random_runs(count, spread)), base)
    over(row("four fifths of the runs", found, four_fifths(spread)), base)
    over(row("the source's true median factor", found, own_factor), base)
    base = row(f"no own run, at least {LARGE} devices", found, small_runs(0, spread))
    over(row(f"3 own runs on at most {SMALL} devices", found, small_runs(3, spread)), base)
    base = row("4 own runs", found, one_wrong(spread, wrong=False))
    over(row(f"4 own runs and one {WRONG:g} times too slow", found, one_wrong(spread, wrong=True)), base)
    for count in (1, 3):
        base = row(f"a plan after {count} runs at random", found, before_a_plan(count, spread, chosen=False), np.median)
        over(row("… chosen as by plan probe", found, before_a_plan(count, spread, chosen=True), np.median), base)


if __name__ == "__main__":
    main()
