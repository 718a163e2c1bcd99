"""A portfolio's plan carried out many times: estimates that are off, failures and spot, pools that arrive late.

Every job keeps its mode and its turn; it begins when it was planned to, or as soon after as the jobs before it, its
pool's delivery and the nodes that others still hold allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from math import ceil, exp, sqrt
from typing import Final

import numpy as np

from planner.market.money import priced
from planner.portfolio.bill import committed_by_day, usd_per_used_hour
from planner.portfolio.commitments import uncovered_usd
from planner.portfolio.instance import Array, Ints, Mode, Portfolio
from planner.portfolio.schedule import PlacedRun, Schedule, placed_runs
from planner.tasks import Spread, in_turn
from planner.units import HOURS_PER_DAY

SHARED: Final = 0.5
"""Share of the variance of estimate errors that all jobs have in common: see `planner.estimator.certainty`."""
SEED: Final = 1
DRAWS_AT_ONCE: Final = 50
"""Draws that one process carries out at a time."""
SLACK_DAYS: Final = 365
"""Days after the calendar that late jobs may take in a simulation."""


@dataclass(frozen=True)
class Outcomes:
    """What happened in all draws."""

    draws: int
    deadlines: tuple[float, ...]
    """By job, the share of draws in which it ended by its deadline; of dropped jobs 0."""
    ends: tuple[tuple[float, float, float], ...]
    """By job, the 10 %, 50 % and 90 % quantiles of its last day."""
    causes: tuple[tuple[tuple[str, int], ...], ...]
    """By job, what made it late and in how many draws, the most frequent first."""
    budgets: tuple[tuple[str, float], ...]
    """Each budget with the share of draws in which it held."""
    money: tuple[float, float, float]
    """The 10 %, 50 % and 90 % quantiles of what is paid."""


@dataclass
class _State:
    """What has happened so far in one draw."""

    free: Ints
    used: Array
    """Paid node-hours, shape (teams, pools, days)."""
    delivered: Ints
    """By pool, the day on which it arrives when that is late; 0: on time."""
    ends: dict[int, int] = field(default_factory=dict)
    blame: dict[int, str] = field(default_factory=dict)
    pool_ends: dict[int, dict[int, int]] = field(default_factory=dict)
    """By pool and job, days by which it left the pool later than planned."""


@dataclass(frozen=True)
class _Draw:
    """One time that the plan was carried out."""

    ends: Mapping[int, int]
    """By job, the day after its last."""
    blame: Mapping[int, str]
    """By job, whose slip made it end when it did."""
    usd: Array
    """Dollars by day; the days after the calendar, on which only late jobs run, stand at its end."""
    team_usd: Array
    """Dollars by team, each day's commitments shared by use."""


def replayed(
    portfolio: Portfolio, schedule: Schedule, draws: int, mean_delay_days: float, spread: Spread = in_turn
) -> Outcomes:
    """Carries the plan out so many times; pools that are not there at first arrive late by an exponential time.

    Each draw has a seed of its own, so that `spread` may carry them out anywhere.
    """
    parts = [range(first, min(first + DRAWS_AT_ONCE, draws)) for first in range(0, draws, DRAWS_AT_ONCE)]
    found = list(chain(*spread([partial(_drawn, portfolio, schedule, part, mean_delay_days) for part in parts])))
    jobs = range(len(portfolio.jobs))
    return Outcomes(
        draws=draws,
        deadlines=tuple(_in_time(portfolio, found, job) for job in jobs),
        ends=tuple(_quantiles([draw.ends[job] - 1 for draw in found if job in draw.ends]) for job in jobs),
        causes=tuple(_causes(portfolio, found, job) for job in jobs),
        budgets=tuple(_budgets(portfolio, found)),
        money=_quantiles([float(draw.usd.sum()) for draw in found]),
    )


def _drawn(portfolio: Portfolio, schedule: Schedule, draws: range, mean_delay_days: float) -> list[_Draw]:
    """Some of the draws."""
    runs = sorted(placed_runs(portfolio, schedule), key=lambda one: (one.run.start, one.job, one.phase))
    seeds = (np.random.default_rng([SEED, draw]) for draw in draws)
    return [_carried_out(portfolio, schedule, runs, random, mean_delay_days) for random in seeds]


def _quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 10 %, 50 % and 90 % quantiles; zeros of nothing."""
    if not values:
        return 0.0, 0.0, 0.0
    low, middle, high = np.quantile(np.asarray(values, dtype=np.float64), [0.1, 0.5, 0.9])
    return float(low), float(middle), float(high)


def _in_time(portfolio: Portfolio, found: Sequence[_Draw], job: int) -> float:
    """Share of the draws in which a job ends by its deadline."""
    return sum(job in draw.ends and draw.ends[job] - 1 <= portfolio.jobs[job].deadline for draw in found) / len(found)


def _causes(portfolio: Portfolio, found: Sequence[_Draw], job: int) -> tuple[tuple[str, int], ...]:
    """What made a job late, the most frequent first."""
    late = (draw for draw in found if job in draw.ends and draw.ends[job] - 1 > portfolio.jobs[job].deadline)
    return tuple(Counter(draw.blame[job] for draw in late).most_common(3))


def _carried_out(
    portfolio: Portfolio,
    schedule: Schedule,
    runs: Sequence[PlacedRun],
    random: np.random.Generator,
    mean_delay_days: float,
) -> _Draw:
    """One draw."""
    days = portfolio.days + SLACK_DAYS
    nodes = np.stack([np.concatenate((one.nodes, np.full(SLACK_DAYS, one.nodes[-1]))) for one in portfolio.pools])
    delivered = np.zeros(len(nodes), dtype=np.int64)
    for pool, of in enumerate(nodes):
        arrival = int(np.flatnonzero(of > 0)[0]) if (of > 0).any() else days
        if 0 < arrival < days and mean_delay_days > 0:
            delivered[pool] = arrival + ceil(random.exponential(mean_delay_days))
            of[arrival : delivered[pool]] = 0
    state = _State(nodes, np.zeros((len(portfolio.teams), *nodes.shape)), delivered)
    common = float(random.standard_normal())
    errors = [_error(one.log_deviation, common, random) for one in portfolio.jobs]
    for run in runs:
        _run(portfolio, state, run, _hours(run.mode, errors[run.job], random))
    return _Draw(state.ends, state.blame, *_spent(portfolio, schedule, state.used))


def _error(deviation: float, common: float, random: np.random.Generator) -> float:
    """How many times longer a job takes than estimated: partly the same for all."""
    return exp(deviation * (sqrt(SHARED) * common + sqrt(1 - SHARED) * float(random.standard_normal())))


def _hours(mode: Mode, error: float, random: np.random.Generator) -> float:
    """Wall time of a phase: the estimate's error, and failures and preemptions around it."""
    luck = float(random.standard_normal()) * mode.spread_hours
    return max(mode.expected_hours / 4, mode.expected_hours * error + luck)


def _run(portfolio: Portfolio, state: _State, run: PlacedRun, hours: float) -> None:
    """Carries out one phase, and says what delayed it."""
    pool, days = run.mode.pool, max(1, ceil(hours / HOURS_PER_DAY - 1e-9))
    name = portfolio.jobs[run.job].name
    ready, blame = _ready(portfolio, state, run)
    start = _first_day(state.free[pool], run.mode.nodes, days, ready)
    if start > max(ready, run.run.start):
        is_delayed = state.delivered[pool] > max(ready, run.run.start)
        blame = f"delivery of {portfolio.pools[pool].name}" if is_delayed else _holder(portfolio, state, pool) or name
    end = start + days
    if end > run.end and start <= run.run.start:
        blame = name
    state.free[pool, start:end] -= run.mode.nodes
    paid_share = run.mode.paid_hours / run.mode.expected_hours * run.mode.nodes
    used = state.used[portfolio.teams.index(portfolio.jobs[run.job].team), pool]
    used[start : end - 1] += HOURS_PER_DAY * paid_share
    used[end - 1] += paid_share * (hours - HOURS_PER_DAY * (days - 1))
    state.ends[run.job], state.blame[run.job] = end, blame or name
    state.pool_ends.setdefault(pool, {})[run.job] = end - run.end


def _ready(portfolio: Portfolio, state: _State, run: PlacedRun) -> tuple[int, str]:
    """When a phase may begin, and whose slip that is."""
    ready, blame = run.run.start, ""
    if run.phase and state.ends[run.job] > ready:
        ready, blame = state.ends[run.job], state.blame[run.job]
    for before in portfolio.jobs[run.job].after if run.phase == 0 else ():
        if state.ends.get(before, 0) > ready:
            ready, blame = state.ends[before], state.blame[before]
    return ready, blame


def _first_day(free: Ints, nodes: int, days: int, ready: int) -> int:
    """The first day from which the nodes are there for long enough; the last that is simulated when there is none."""
    short = np.concatenate(([0], np.cumsum(free < nodes)))
    for day in range(ready, len(free) - days):
        if short[day + days] == short[day]:
            return day
    return max(ready, len(free) - days - 1)


def _holder(portfolio: Portfolio, state: _State, pool: int) -> str | None:
    """The job that left a pool most days after it was to; None when none did."""
    slips = state.pool_ends.get(pool, {})
    job = max(slips, key=lambda one: slips[one], default=None)
    return None if job is None or slips[job] <= 0 else portfolio.jobs[job].name


def _spent(portfolio: Portfolio, schedule: Schedule, used: Array) -> tuple[Array, Array]:
    """Dollars by day and by team for paid node-hours, billed as a plan is; what nobody uses is no team's."""
    usd, teams = np.zeros(used.shape[2]), np.zeros(len(used))
    for pool, of in enumerate(portfolio.pools):
        bought = [one for one in schedule.purchases if one.pool == pool]
        committed, committed_usd = (np.pad(one, (0, SLACK_DAYS)) for one in committed_by_day(portfolio, bought))
        prices, hours = np.pad(of.prices, (0, SLACK_DAYS), mode="edge"), used[:, pool].sum(axis=0)
        paid = float(of.paid_usd) / max(1, int(of.nodes.sum()))
        usd += uncovered_usd(hours, committed, prices) + committed_usd
        usd[: portfolio.days] += paid * of.nodes
        rate = usd_per_used_hour(hours, committed, committed_usd, prices) + paid / HOURS_PER_DAY
        teams += priced(used[:, pool], rate).sum(axis=1)
    return usd, teams


def _budgets(portfolio: Portfolio, found: Sequence[_Draw]) -> list[tuple[str, float]]:
    """How often each budget holds."""
    budgets, held = portfolio.budgets, list[tuple[str, float]]()
    if budgets.total is not None:
        held.append(("budget.total", _share_within([float(draw.usd.sum()) for draw in found], budgets.total)))
    for number, most in budgets.quarters.items():
        quarter = portfolio.quarters[number]
        spent = [float(draw.usd[quarter.start : quarter.end].sum()) for draw in found]
        held.append((f"budget.quarters.{quarter.name}", _share_within(spent, most)))
    for team, most in budgets.teams.items():
        spent = [float(draw.team_usd[portfolio.teams.index(team)]) for draw in found]
        held.append((f"budget.teams.{team}", _share_within(spent, most)))
    return held


def _share_within(spent: Sequence[float], most: Decimal) -> float:
    """Share of the draws whose dollars keep to a budget, within a cent."""
    return sum(usd <= float(most) + CENT for usd in spent) / len(spent)


CENT: Final = 0.01
"""Dollars by which sums of floats may be off."""
