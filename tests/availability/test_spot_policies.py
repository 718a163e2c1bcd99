"""Time and cost under failures and preemptions: limits that must hold, inverses, and published formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from planner.availability import spot_policies as risk
from planner.availability.chance_constraint import deviations_of, promised
from planner.availability.checkpointing import expansion
from planner.availability.completion import steady_moments
from planner.availability.distributions import Delays, probability_within, quantile_beyond
from planner.availability.renewal import (
    Cycle,
    Periods,
    cycle_cubes,
    extra_preemptions,
    residual_length,
    squared_variation,
    worth_cubes,
)
from planner.availability.spot_cycles import GangCycle, Rates, WorkLeft, capacity
from planner.performance.normal import normal_quantile
from planner.performance.predictive import Predictive
from planner.performance.symbols import Array

DAY = 86400.0
ONE: tuple[Array, Array] = (np.asarray([1.0]), np.asarray([1.0]))
TWO: tuple[Array, Array] = (np.asarray([0.75, 0.25]), np.asarray([0.3, 3.1]))
RATES = Rates(spot=np.asarray(1.0), on_demand=np.asarray(3.0), fixed=np.asarray(0.0))


def work(days: float = 30, failures: float = 1e-6) -> WorkLeft:
    """A long job with a checkpoint of a minute and a restart of ten."""
    figures = (days * DAY, 900.0, 60.0, 600.0, failures)
    return WorkLeft(*(np.asarray(figure) for figure in figures))


def gang(availability: float = 0.7, hours: float = 5.0, kinds: tuple[Array, Array] = TWO) -> GangCycle:
    """Spot nodes that are there for so many hours on average."""
    rate, share = np.asarray(1 / (hours * 3600)), np.asarray(availability)
    return capacity(rate, share, np.minimum(1, share / 0.94), np.asarray(0.5), kinds, kinds)


def test_waiting_is_dalys_formula_where_periods_are_exponential() -> None:
    """Up periods without a heavy tail make preemptions a Poisson process: Daly's expansion over the availability."""
    job, spot = work(), gang(kinds=ONE)
    found = risk.moments("wait", job, spot, RATES, begins=False)
    events = job.failures + 1 / (5 * 3600)
    expected = (job.start_up + job.seconds * expansion(job.checkpoint, job.restart, events)) / 0.7
    assert float(found.seconds) == pytest.approx(float(expected), rel=1e-3)
    assert float(found.usd) == pytest.approx(0.7 * float(expected), rel=1e-3)


def test_steady_is_dalys_formula() -> None:
    """Without spot nodes only failures count."""
    job = work(failures=1e-5)
    expected = job.start_up + job.seconds * expansion(job.checkpoint, job.restart, job.failures)
    assert float(risk.moments("steady", job, None, RATES).seconds) == pytest.approx(float(expected), rel=1e-3)


def test_without_preemptions_and_failures_a_run_takes_its_work() -> None:
    """What never happens costs nothing."""
    job = replace(work(failures=0.0), checkpoint=np.asarray(0.0))
    found = risk.moments("wait", job, gang(availability=1.0, hours=1e9), RATES)
    assert float(found.seconds) == pytest.approx(30 * DAY + 900, rel=1e-6)
    assert float(found.seconds_variance) == pytest.approx(0, abs=1e-3 * DAY**2)


@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic"])
def test_more_availability_never_takes_longer(policy: str) -> None:
    """Spot nodes that are there for longer make no policy slower, and those that buy on demand no dearer."""
    found = [risk.moments(policy, work(), gang(share), RATES) for share in (0.3, 0.5, 0.7, 0.9, 0.99)]
    if policy != "fallback":
        assert [float(one.seconds) for one in found] == sorted((float(one.seconds) for one in found), reverse=True)
    if policy != "elastic":
        assert [float(one.usd) for one in found] == sorted((float(one.usd) for one in found), reverse=True)


def test_policies_trade_time_for_money() -> None:
    """Waiting is cheapest and slowest, falling back fastest, elastic never slower than waiting."""
    found = {policy: risk.moments(policy, work(), gang(), RATES) for policy in ("wait", "fallback", "elastic")}
    assert float(found["wait"].usd) < float(found["fallback"].usd)
    assert float(found["fallback"].seconds) < float(found["elastic"].seconds) <= float(found["wait"].seconds)


@pytest.mark.parametrize("policy", ["steady", "wait", "fallback", "elastic"])
def test_what_is_promised_is_kept_with_that_probability(policy: str) -> None:
    """More certainty takes longer, and no promise is less certain than it says."""
    job = work()
    job = replace(job, failures=np.asarray([float(job.failures)]))
    grown, found = risk.growth(policy, job, gang(), begins=True), risk.moments(policy, job, gang(), RATES)
    least, mean, variance = (one.after(float(job.seconds)) for one in (grown.least, grown.wall, grown.variance))
    times = [promised(least, mean, variance, deviations_of(one)) for one in CONFIDENCES]
    assert times == sorted(times)
    kept = [float(found.delays.within(time)[0]) for time in times]
    assert all(share >= confidence - 1e-3 for share, confidence in zip(kept, CONFIDENCES, strict=True))
    if policy != "steady":
        assert kept[3] == pytest.approx(0.95, abs=2e-3)


CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99)


def test_few_failures_keep_what_is_promised() -> None:
    """Where hardly a failure is expected, a promise counts the one that may come."""
    draw = np.random.default_rng(1)
    size = 2000
    seconds, expected = draw.uniform(1, 90, size) * DAY, 10 ** draw.uniform(-3, 1.5, size)
    pauses = (10 ** draw.uniform(0, 3, size), draw.uniform(200, 2000, size))
    job = WorkLeft(seconds, np.full(size, 900.0), *pauses, expected / seconds)
    grown, found = risk.growth("steady", job, None, begins=True), steady_moments(job, np.ones(()))
    least, mean, variance = (one.start + seconds * one.each for one in (grown.least, grown.wall, grown.variance))
    for confidence in CONFIDENCES:
        kept = found.delays.within(promised(least, mean, variance, deviations_of(confidence)))
        assert kept.min() >= confidence - 2e-3


def test_a_promise_never_falls_with_the_spread() -> None:
    """However large, a variance makes a promised time later or leaves it."""
    least, mean = np.asarray(10.0), np.asarray(12.0)
    for confidence in (0.6, 0.9, 0.99):
        times = promised(least, mean, np.linspace(0, 400, 200), deviations_of(confidence))
        assert (np.diff(times) >= 0).all()
        assert times[0] == pytest.approx(12)


@pytest.mark.parametrize("policy", ["steady", "wait", "fallback", "elastic"])
def test_time_and_cost_grow_evenly_with_the_work(policy: str) -> None:
    """Start and growth of every figure give what the whole run's moments give."""
    job = work()
    job = replace(job, failures=np.asarray([float(job.failures)]))
    grown = risk.growth(policy, job, gang(), begins=True)
    found = risk.moments(policy, job, gang(), RATES)
    seconds = float(job.seconds)
    assert grown.wall.after(seconds) == pytest.approx(found.seconds, rel=1e-4)
    if policy != "steady":
        assert grown.variance.after(seconds) == pytest.approx(found.seconds_variance, rel=1e-3)
    paid = grown.spot.after(seconds) * RATES.spot + grown.replaced.after(seconds) * RATES.on_demand
    if policy != "steady":
        assert paid + grown.wall.after(seconds) * RATES.fixed == pytest.approx(found.usd, rel=1e-4)


def test_runs_that_never_end_take_for_ever() -> None:
    """Where nodes go faster than a job restarts, the wall time is infinite and nothing is undefined."""
    hopeless = WorkLeft(*(np.asarray([value]) for value in (0.0, 900.0, 600.0, 86400.0, 1 / 60)))
    grown = risk.growth("wait", hopeless, gang(), begins=True)
    assert np.isinf(grown.wall.after(1e6)).all()
    assert np.isfinite(grown.spot.after(1e6)).all()


def test_nodes_that_are_hardly_ever_there_never_end_a_run() -> None:
    """Where nodes are away millions of times as long as a job works, it counts as one that never ends."""
    job = WorkLeft(*(np.asarray([value]) for value in (0.0, 900.0, 60.0, 600.0, 1e-7)))
    seldom = replace(gang(), away_mean=gang().away_mean * 1e9)
    assert np.isinf(risk.growth("wait", job, seldom, begins=True).wall.after(1e6)).all()


def test_an_uncertain_estimate_makes_sure_times_less_sure() -> None:
    """Certainty about failures alone becomes a coin's toss at the estimate itself, and is kept far from it."""
    sure = Delays(*(np.asarray(one) for one in (100.0, 1e-9, 100.0, 100.0, 1e-6)))
    at, far = (float(sure.within_uncertain(np.asarray(bound), Predictive(0.1))) for bound in (100.0001, 200.0))
    assert at == pytest.approx(0.5, abs=0.1)
    assert far > 0.999


def test_equations_broadcast_over_layouts() -> None:
    """A column of layouts gives what each gives alone."""
    seconds = np.asarray([10.0, 20.0, 30.0]) * DAY
    column = risk.moments("fallback", replace(work(), seconds=seconds), gang(), RATES)
    alone = [risk.moments("fallback", replace(work(), seconds=np.asarray(one)), gang(), RATES) for one in seconds]
    assert column.seconds == pytest.approx([float(one.seconds) for one in alone])
    assert column.usd_variance == pytest.approx([float(one.usd_variance) for one in alone])


def test_normal_quantiles() -> None:
    """The usual table."""
    assert normal_quantile(np.asarray([0.5, 0.95, 0.99, 0.025])) == pytest.approx(
        [0, 1.6448536, 2.3263479, -1.9599640], abs=1e-6
    )


def test_quantile_and_probability_are_inverse() -> None:
    """The deterministic equivalent holds with just that probability."""
    least, mean, variance = (np.asarray(value) for value in (10.0, 14.0, 3.0))
    for share in (0.5, 0.8, 0.95, 0.99):
        bound = quantile_beyond(least, mean, variance, np.asarray(share))
        assert float(probability_within(least, mean, variance, bound)) == pytest.approx(share, abs=1e-6)


def test_gamma_quantiles_of_an_exponential() -> None:
    """Mean 1 and variance 1 is an exponential, with its quantile −ln(1 − p)."""
    found = quantile_beyond(np.asarray(0.0), np.asarray(1.0), np.asarray(1.0), np.asarray([0.5, 0.9, 0.95]))
    assert found == pytest.approx([math.log(2), math.log(10), math.log(20)], rel=0.02)


def sums_of_losses(count: float, losses: Callable[[int], Array], draws: int = 400_000) -> Array:
    """Random sums of a Poisson number of losses."""
    generator = np.random.default_rng(1)
    numbers = generator.poisson(count, draws)
    owner = np.repeat(np.arange(draws), numbers)
    return np.bincount(owner, weights=losses(len(owner)), minlength=draws).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0.05, 0.3, 0.8, 1.5, 3.0, 8.0, 40.0, 70.0])
def test_few_losses(count: float) -> None:
    """Whatever the number of losses, each a restart and up to an interval: probabilities are right within 2 points."""
    generator = np.random.default_rng(2)
    drawn = sums_of_losses(count, lambda size: 1 + 2 * generator.random(size))
    mean, variance, third = count * 2, count * (4 + 1 / 3), count * (8 + 2)
    least = 100 + mean - 2 * variance**2 / third
    found = Delays(*(np.asarray(one) for one in (100.0, count, least, 100 + mean, variance)))
    bounds = np.asarray([0.0, 0.9, 1.5, 2.5, 3.5, 5.0, 8.0, 12.0, 18.0, 25.0, 80.0, 140.0])
    real = np.asarray([(drawn <= bound).mean() for bound in bounds])
    assert found.within(100 + bounds) == pytest.approx(real, abs=0.02)
    assert float(found.within(np.asarray(99.9))) == pytest.approx(0, abs=0.02)


def test_the_quantile_of_few_losses() -> None:
    """The bare time as long as no loss is likelier; else the bound that holds with that probability."""
    found = Delays(*(np.asarray(one) for one in (100.0, 0.5, 96.0, 101.0, 2.17)))
    none, likely, rare = (float(found.quantile(np.asarray(share))) for share in (0.5, 0.75, 0.99))
    assert none == pytest.approx(100)
    assert float(found.within(np.asarray(likely))) == pytest.approx(0.75, abs=1e-6)
    assert likely < rare


@pytest.mark.slow
@pytest.mark.parametrize(("step", "dead"), [(0.0, 0.3), (0.8, 0.3), (0.8, 0.0)])
def test_third_moments_of_a_period(step: float, dead: float) -> None:
    """Those of drawn periods in which work grows evenly or by steps after a dead time."""
    share, mean = TWO
    period = Periods(share, mean, np.asarray([0.6, 0.8]), np.zeros(2), np.full(2, dead), np.full(2, step))
    generator = np.random.default_rng(1)
    kind = (generator.random(2_000_000) < 0.25).astype(np.int64)
    length = mean[kind] * generator.standard_exponential(len(kind))
    grown = np.maximum(length - dead, 0)
    grown = np.floor(grown / step) if step else grown
    of_kind = np.asarray([grown[kind == one].mean() for one in (0, 1)])
    done = (period.work * mean / of_kind)[kind] * grown
    rest = length - 1.3 * done
    third, covariance = worth_cubes(period, np.asarray([1.3]))
    assert float(third) == pytest.approx(((rest - rest.mean()) ** 3).mean(), rel=0.05)
    assert float(covariance) == pytest.approx(np.cov(rest, done)[0, 1], rel=0.02)


def test_independent_periods_add_their_skewness() -> None:
    """A period of nothing but waiting adds its third central moment: with one kind twice the cube of its mean."""
    one, nothing = np.ones(1), np.zeros(1)
    work_only = Periods(one, 5 * one, one, nothing, nothing, nothing)
    waiting = Periods(one, 2 * one, nothing, nothing, nothing, nothing)
    cycle = Cycle(work_only, waiting)
    assert float(cycle_cubes(cycle, np.asarray(1.0))) == pytest.approx(2 * 2**3)


def test_heavy_tails() -> None:
    """One exponential has variation 1 and a residual of its mean; a mixture has more, and more preemptions early."""
    share, mean = TWO
    assert float(squared_variation(*ONE)) == pytest.approx(1)
    assert float(residual_length(*ONE)) == pytest.approx(1)
    assert float(residual_length(share, mean)) == pytest.approx((1 + float(squared_variation(share, mean))) / 2)
    assert float(extra_preemptions(*ONE, np.asarray(50.0))) == pytest.approx(0)
    assert float(extra_preemptions(share, mean, np.asarray(50.0))) > 0


def test_break_even_price() -> None:
    """At that price both ways cost the same."""
    price = risk.break_even_price(np.asarray(1000.0), np.asarray(100.0), np.asarray(300.0))
    assert float(price) * 300 + 100 == pytest.approx(1000)


def test_break_even_preemptions() -> None:
    """At that rate both ways cost the same; above it spot is dearer."""

    def cost(per_second: Array) -> Array:
        return risk.moments("wait", work(), gang(hours=1 / (3600 * float(per_second))), RATES).usd

    other = np.asarray(50 * DAY)
    rate = risk.break_even_rate(cost, other, np.asarray(1e-7), np.asarray(1e-3))
    assert float(cost(rate)) == pytest.approx(float(other), rel=1e-3)
