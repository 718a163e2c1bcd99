"""Time and cost under failures and preemptions: limits that must hold, inverses, and published formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from planner.equations import risk
from planner.equations.chance import (
    deviations_of,
    mean_shortfall,
    normal_quantile,
    probability_with_error,
    probability_within,
    promised,
    quantile_beyond,
    shortfall_within,
)
from planner.equations.reliability import expansion
from planner.equations.renewal import extra_preemptions, residual_length, squared_variation
from planner.equations.spot import Capacity, Rates, Work, capacity
from planner.equations.symbols import Array

DAY = 86400.0
ONE: tuple[Array, Array] = (np.asarray([1.0]), np.asarray([1.0]))
TWO: tuple[Array, Array] = (np.asarray([0.75, 0.25]), np.asarray([0.3, 3.1]))
RATES = Rates(spot=np.asarray(1.0), on_demand=np.asarray(3.0), fixed=np.asarray(0.0))


def work(days: float = 30, failures: float = 1e-6) -> Work:
    """A long job with a checkpoint of a minute and a restart of ten."""
    figures = (days * DAY, 900.0, 60.0, 600.0, failures)
    return Work(*(np.asarray(figure) for figure in figures))


def gang(availability: float = 0.7, hours: float = 5.0, kinds: tuple[Array, Array] = TWO) -> Capacity:
    """Spot nodes that are there for so many hours on average."""
    rate, share = np.asarray(1 / (hours * 3600)), np.asarray(availability)
    return capacity(rate, share, np.asarray(0.94), np.asarray(0.5), kinds, kinds)


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


@pytest.mark.parametrize("policy", ["wait", "fallback", "elastic", "progress"])
def test_more_availability_never_takes_longer(policy: str) -> None:
    """Spot nodes that are there for longer make no policy slower, and those that buy on demand no dearer."""
    found = [
        risk.moments(policy, work(), gang(share), RATES, np.asarray(40 * DAY)) for share in (0.3, 0.5, 0.7, 0.9, 0.99)
    ]
    if policy != "fallback":
        assert [float(one.seconds) for one in found] == sorted((float(one.seconds) for one in found), reverse=True)
    if policy != "elastic":
        assert [float(one.usd) for one in found] == sorted((float(one.usd) for one in found), reverse=True)


def test_policies_trade_time_for_money() -> None:
    """Waiting is cheapest and slowest, falling back fastest, elastic never slower than waiting."""
    found = {policy: risk.moments(policy, work(), gang(), RATES) for policy in ("wait", "fallback", "elastic")}
    assert float(found["wait"].usd) < float(found["fallback"].usd)
    assert float(found["fallback"].seconds) < float(found["elastic"].seconds) <= float(found["wait"].seconds)


def test_progress_ends_by_the_deadline() -> None:
    """On-demand nodes buy what spot nodes do not get done, and a later deadline is never dearer."""
    deadlines = [35 * DAY, 45 * DAY, 60 * DAY]
    found = [risk.moments("progress", work(), gang(), RATES, np.asarray(one)) for one in deadlines]
    assert all(float(one.seconds) <= deadline for one, deadline in zip(found, deadlines, strict=True))
    assert [float(one.usd) for one in found] == sorted((float(one.usd) for one in found), reverse=True)


@pytest.mark.parametrize("policy", ["steady", "wait", "fallback", "elastic"])
def test_what_is_promised_is_kept_with_that_probability(policy: str) -> None:
    """More certainty takes longer, and no promise is less certain than it says."""
    found = risk.moments(policy, work(), gang(), RATES)
    figures = found.least_seconds, found.seconds, found.seconds_variance
    confidences = (0.5, 0.8, 0.9, 0.95, 0.99)
    times = [promised(*figures, deviations_of(one)) for one in confidences]
    assert times == sorted(times)
    for confidence, time in zip(confidences, times, strict=True):
        assert float(probability_within(*figures, time)) >= confidence - 1e-6
    assert float(probability_within(*figures, times[3])) == pytest.approx(0.95, abs=2e-3)


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
    assert grown.wall.after(seconds) == pytest.approx(found.seconds)
    assert grown.variance.after(seconds) == pytest.approx(found.seconds_variance)
    paid = grown.spot.after(seconds) * RATES.spot + grown.replaced.after(seconds) * RATES.on_demand
    if policy != "steady":
        assert paid + grown.wall.after(seconds) * RATES.fixed == pytest.approx(found.usd, rel=1e-6)


def test_runs_that_never_end_take_for_ever() -> None:
    """Where nodes go faster than a job restarts, the wall time is infinite and nothing is undefined."""
    hopeless = Work(*(np.asarray([value]) for value in (0.0, 900.0, 600.0, 86400.0, 1 / 60)))
    grown = risk.growth("wait", hopeless, gang(), begins=True)
    assert np.isinf(grown.wall.after(1e6)).all()
    assert np.isfinite(grown.spot.after(1e6)).all()


def test_an_uncertain_estimate_makes_sure_times_less_sure() -> None:
    """Certainty about failures alone becomes a coin's toss at the estimate itself, and is kept far from it."""
    one = np.asarray(100.0), np.asarray(100.0), np.asarray(1e-6)
    at, far = (float(probability_with_error(*one, np.asarray(bound), 0.1)) for bound in (100.0001, 200.0))
    assert at == pytest.approx(0.5, abs=0.1)
    assert far > 0.999


def test_progress_needs_a_deadline() -> None:
    """There is no line to follow without one."""
    with pytest.raises(ValueError, match="deadline"):
        risk.moments("progress", work(), gang(), RATES)


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


def test_shortfall_without_drift_is_the_reflection_principle() -> None:
    """σ·√(2T/π), and the mean is the integral of the tail for any drift."""
    zero, one, long = np.asarray(0.0), np.asarray(4.0), np.asarray(9.0)
    assert float(mean_shortfall(zero, one, long)) == pytest.approx(2 * math.sqrt(18 / math.pi))
    bounds = np.linspace(0, 80, 80_001)
    for drift in (-0.7, 0.4):
        tail = 1 - shortfall_within(np.asarray(drift), one, long, bounds)
        assert float(mean_shortfall(np.asarray(drift), one, long)) == pytest.approx(
            float(np.trapezoid(tail, bounds)), rel=1e-4
        )


def test_heavy_tails() -> None:
    """One exponential has variation 1 and a residual of its mean; a mixture has more, and more preemptions early."""
    share, mean = TWO
    assert float(squared_variation(*ONE)) == pytest.approx(1)
    assert float(residual_length(*ONE)) == pytest.approx(1)
    assert float(residual_length(share, mean)) == pytest.approx((1 + float(squared_variation(share, mean))) / 2)
    assert float(extra_preemptions(*ONE)) == pytest.approx(0)
    assert float(extra_preemptions(share, mean)) > 0


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


def test_spares_shorten_restarts() -> None:
    """With nothing to repair a restart is a restart; each spare makes waiting for repairs rarer."""
    restart, failures = np.asarray(600.0), np.asarray(1e-5)
    assert float(risk.restart_with_spares(restart, np.asarray(0.0), failures, np.asarray(0))) == 600
    waits = risk.restart_with_spares(restart, np.asarray(DAY), failures, np.asarray([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert list(waits) == sorted(waits, reverse=True)
    assert float(waits[0]) == pytest.approx(600 + DAY * (1 - math.exp(-0.864)))
