"""A schedule again, day by day from the portfolio alone: written apart from the search and from its bill."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from math import ceil
from typing import Final

from planner.portfolio.instance import Mode, Portfolio
from planner.portfolio.schedule import Schedule

TOLERANCE_USD: Final = Decimal("0.02")
"""Rounding of one line of a bill, by which the sum of lines may differ for each."""
HOURS: Final = 24


class FaultyScheduleError(Exception):
    """A schedule that does not hold, which would be a bug."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def check_schedule(portfolio: Portfolio, schedule: Schedule, money_usd: Decimal, value: Decimal) -> None:
    """Checks every rule of a schedule, and the money and the value that are told. Raises FaultyScheduleError."""
    faults = [*_shape(portfolio, schedule)]
    if not faults:
        faults += [*_windows(portfolio, schedule), *_order(portfolio, schedule), *_capacity(portfolio, schedule)]
        faults += [*_terms(portfolio, schedule), *_sums(portfolio, schedule, money_usd, value)]
    if faults:
        raise FaultyScheduleError(faults)


def _shape(portfolio: Portfolio, schedule: Schedule) -> list[str]:
    """Every kept job has all of its phases, each in one of its modes."""
    faults = []
    if len(schedule.jobs) != len(portfolio.jobs):
        return ["the schedule has other jobs than the portfolio"]
    for job, runs in zip(portfolio.jobs, schedule.jobs, strict=True):
        if not runs:
            if job.value_usd is None:
                faults.append(f"{job.name} must be kept and is dropped")
        elif len(runs) != len(job.phases):
            faults.append(f"{job.name} has {len(runs)} of {len(job.phases)} phases")
        elif any(not 0 <= run.mode < len(phase.modes) for run, phase in zip(runs, job.phases, strict=True)):
            faults.append(f"{job.name} runs in no mode of its own")
    return faults


def _blocked(mode: Mode) -> int:
    """Whole days that a phase takes."""
    return max(1, ceil(mode.hours / HOURS - 1e-9))


def _windows(portfolio: Portfolio, schedule: Schedule) -> list[str]:
    """Release, deadline, calendar, the order of phases, and what is fixed."""
    faults = []
    for job, runs in zip(portfolio.jobs, schedule.jobs, strict=True):
        free = job.release if job.fixed_start is None else job.fixed_start
        for run, phase in zip(runs, job.phases, strict=False):
            if run.start < free:
                faults.append(f"{job.name}, {phase.name}: begins on day {run.start}, before day {free}")
            if job.fixed_start is not None and run.start != free:
                faults.append(f"{job.name}, {phase.name}: does not begin where it is fixed")
            free = run.start + _blocked(phase.modes[run.mode])
        if not runs:
            continue
        if free > portfolio.days:
            faults.append(f"{job.name}: ends after the calendar")
        if job.late_usd_per_day is None and job.fixed_start is None and free > job.deadline + 1:
            faults.append(f"{job.name}: ends on day {free - 1}, after its deadline, day {job.deadline}")
    return faults


def _order(portfolio: Portfolio, schedule: Schedule) -> list[str]:
    """Jobs begin after the last day of those that they wait for, which are kept."""
    faults = []
    for index, job in enumerate(portfolio.jobs):
        for before in job.after if schedule.jobs[index] else ():
            first = portfolio.jobs[before]
            if not schedule.jobs[before]:
                faults.append(f"{job.name} is kept, and {first.name} before it is dropped")
                continue
            last = schedule.jobs[before][-1]
            if schedule.jobs[index][0].start < last.start + _blocked(first.phases[-1].modes[last.mode]):
                faults.append(f"{job.name} begins before {first.name} ends")
    return faults


def _capacity(portfolio: Portfolio, schedule: Schedule) -> list[str]:
    """No pool has fewer nodes on a day than jobs block."""
    blocked: dict[tuple[int, int], int] = defaultdict(int)
    for job, runs in zip(portfolio.jobs, schedule.jobs, strict=True):
        for run, phase in zip(runs, job.phases, strict=False):
            mode = phase.modes[run.mode]
            for day in range(run.start, run.start + _blocked(mode)):
                blocked[mode.pool, day] += mode.nodes
    return [
        f"{portfolio.pools[pool].name}: {nodes} nodes are blocked on {portfolio.date(day)}, more than there are"
        for (pool, day), nodes in sorted(blocked.items())
        if day < portfolio.days and nodes > int(portfolio.pools[pool].nodes[day])
    ]


def _terms(portfolio: Portfolio, schedule: Schedule) -> list[str]:
    """Commitments are bought within their sizes and their most."""
    bought = {(one.pool, one.commitment): one.nodes for one in schedule.purchases}
    faults = [
        f"{term.name}: fewer than the {term.least} nodes that are to be bought"
        for pool, of in enumerate(portfolio.pools)
        for place, term in enumerate(of.commitments)
        if bought.get((pool, place), 0) < term.least
    ]
    taken = defaultdict[tuple[int, str, int], int](int)
    for one in schedule.purchases:
        term = portfolio.pools[one.pool].commitments[one.commitment]
        if one.nodes < 1 or (term.is_block and one.nodes not in term.sizes):
            faults.append(f"{term.name}: {one.nodes} nodes are no size that is sold")
        if term.largest is not None and one.nodes > term.largest:
            faults.append(f"{term.name}: more than the {term.largest} nodes that are to be bought")
        for day in range(term.start, term.start + term.days):
            taken[one.pool, term.name, day] += one.nodes
            if taken[one.pool, term.name, day] > term.most:
                faults.append(f"{term.name}: more than {term.most} nodes on day {day}")
                break
    return faults


def _money(portfolio: Portfolio, schedule: Schedule) -> tuple[Decimal, dict[int, Decimal]]:
    """Dollars in all and by quarter, by adding up the days of every pool."""
    used: dict[tuple[int, int], float] = defaultdict(float)
    for job, runs in zip(portfolio.jobs, schedule.jobs, strict=True):
        for run, phase in zip(runs, job.phases, strict=False):
            mode = phase.modes[run.mode]
            left = expected = mode.hours - mode.reserve_hours
            for day in range(run.start, run.start + _blocked(mode)):
                used[mode.pool, day] += mode.nodes * min(HOURS, left) * mode.paid_hours / expected
                left -= min(HOURS, left)
    covered: dict[tuple[int, int], int] = defaultdict(int)
    by_day: dict[int, Decimal] = defaultdict(Decimal)
    for one in schedule.purchases:
        term = portfolio.pools[one.pool].commitments[one.commitment]
        for day in range(term.start, term.start + term.days):
            covered[one.pool, day] += one.nodes
            by_day[day] += term.usd_per_node_hour * HOURS * one.nodes
    for (pool, day), hours in used.items():
        over = max(0.0, hours - HOURS * covered[pool, day])
        by_day[day] += Decimal(repr(over)) * portfolio.pools[pool].usd_per_node_hour[day]
    whole = sum(by_day.values(), Decimal(0)) + sum((one.paid_usd for one in portfolio.pools), Decimal(0))
    quarters: dict[int, Decimal] = defaultdict(Decimal)
    for number, quarter in enumerate(portfolio.quarters):
        quarters[number] = sum((by_day[day] for day in range(quarter.start, quarter.end)), Decimal(0))
    return whole, quarters


def _sums(portfolio: Portfolio, schedule: Schedule, money_usd: Decimal, value: Decimal) -> list[str]:
    """The money that is told is what the days add up to, within rounding, and within the budget."""
    faults, (whole, quarters) = [], _money(portfolio, schedule)
    slack = TOLERANCE_USD * (3 + sum(len(runs) for runs in schedule.jobs) + 10 * len(portfolio.pools))
    if abs(whole - money_usd) > slack:
        faults.append(f"the bill is {money_usd:.2f}, and the days add up to {whole:.2f}")
    late = dropped = Decimal(0)
    for job, runs in zip(portfolio.jobs, schedule.jobs, strict=True):
        if not runs:
            dropped += job.value_usd or Decimal(0)
            continue
        end = runs[-1].start + _blocked(job.phases[-1].modes[runs[-1].mode])
        late += (job.late_usd_per_day or Decimal(0)) * max(0, end - 1 - job.deadline)
    expected = {"cost": money_usd + late + dropped, "value": dropped, "lateness": late + dropped}[portfolio.objective]
    if abs(expected - value) > slack:
        faults.append(f"the objective is told as {value:.2f}, and is {expected:.2f}")
    if portfolio.budgets.total is not None and money_usd > portfolio.budgets.total + TOLERANCE_USD:
        faults.append(f"{money_usd:.2f} is beyond the budget of {portfolio.budgets.total}")
    for number, most in portfolio.budgets.quarters.items():
        if quarters[number] > most + slack:
            faults.append(f"{quarters[number]:.2f} is beyond the budget of {portfolio.quarters[number].name}, {most}")
    return faults
