"""The document of a portfolio's answer: what `plan portfolio --json` prints and every other form is made from."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import numpy as np

from planner.explore.portfolio import PortfolioAnswer
from planner.portfolio.bill import UNUSED, Bill
from planner.portfolio.instance import Portfolio
from planner.portfolio.schedule import PlacedRun, Schedule, placed_runs
from planner.portfolio.waits import free_nodes, waits_of
from planner.units import usd_text

FORMAT_VERSION: Final = 1
KIND: Final = "portfolio"
"""What the document says it is, so that `plan diff` tells it from a plan."""


def portfolio_document(
    found: PortfolioAnswer,
    *,
    worth: Iterable[dict[str, Any]] = (),
    relaxations: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The whole answer; money as decimal strings, dates as YYYY-MM-DD."""
    portfolio, schedule, bill = found.portfolio, found.schedule, found.bill
    head = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "name": portfolio.name,
        "calendar": {"start": str(portfolio.start), "end": str(portfolio.date(portfolio.days - 1)), "step": "1d"},
        "status": found.status.value,
        "objective": _objective(found),
    }
    tail = {
        "worth": list(worth),
        "relaxations": list(relaxations),
        "notes": list(portfolio.notes),
        "solver": _solver(found),
    }
    if schedule is None or bill is None:
        return head | {"jobs": [], "commitments": [], "pools": [], "bill": None} | tail
    return (
        head
        | {
            "money_usd": usd_text(bill.money_usd),
            "money_gap": found.money_gap,
            "estimate_error": found.estimate_error,
            "lateness_usd": usd_text(bill.lateness_usd),
            "dropped_value_usd": usd_text(bill.dropped_usd),
            "budget": _budget(portfolio, bill),
            "jobs": list(_jobs(portfolio, schedule, bill)),
            "commitments": list(_commitments(portfolio, schedule, bill)),
            "pools": list(_pools(portfolio, schedule)),
            "bill": _bill(portfolio, bill),
        }
        | tail
    )


def _objective(found: PortfolioAnswer) -> dict[str, Any]:
    bound = found.bound if isfinite(found.bound) else 0.0
    return {
        "name": found.portfolio.objective,
        "value": None if found.value is None else usd_text(found.value),
        "bound": usd_text(bound),
        "gap": found.gap,
    }


def _solver(found: PortfolioAnswer) -> dict[str, Any]:
    return {
        "seconds": round(found.seconds, 3),
        "first_plan_seconds": None if found.first_seconds is None else round(found.first_seconds, 3),
        "stopped": "interrupted" if found.clock.is_interrupted else "time limit" if found.clock.is_over else None,
    }


def _budget(portfolio: Portfolio, bill: Bill) -> list[dict[str, Any]]:
    """Each limit on money with what is spent of it."""
    budgets, found = portfolio.budgets, list[tuple[str, Decimal, Decimal]]()
    if budgets.total is not None:
        found.append(("budget.total", budgets.total, bill.money_usd))
    quarters, teams = bill.by("quarter"), bill.by("team")
    for number, most in budgets.quarters.items():
        spent = quarters.get((number,), Decimal(0))
        found.append((f"budget.quarters.{portfolio.quarters[number].name}", most, spent))
    found += [(f"budget.teams.{team}", most, teams.get((team,), Decimal(0))) for team, most in budgets.teams.items()]
    return [
        {"limit": limit, "bound_usd": usd_text(most), "value_usd": usd_text(spent), "left_usd": usd_text(most - spent)}
        for limit, most, spent in found
    ]


def _jobs(portfolio: Portfolio, schedule: Schedule, bill: Bill) -> Iterable[dict[str, Any]]:
    """Every job, kept or dropped, in the order of the file."""
    costs, free = bill.by("job"), free_nodes(portfolio, schedule)
    runs = placed_runs(portfolio, schedule)
    for number, job in enumerate(portfolio.jobs):
        head = {"name": job.name, "team": job.team, "dropped": schedule.is_dropped(number)}
        tail = {
            "release": str(portfolio.date(job.release)),
            "deadline": str(portfolio.date(job.deadline)),
            "after": [portfolio.jobs[one].name for one in job.after],
        }
        value = {"value_usd": None if job.value_usd is None else usd_text(job.value_usd)}
        if schedule.is_dropped(number):
            nothing = {"start": None, "end": None, "late_days": 0, "cost_usd": "0.00"}
            yield head | nothing | value | {"waits_for": [], "phases": []} | tail
            continue
        first, end = schedule.span(portfolio, number)
        figures = {
            "start": str(portfolio.date(first)),
            "end": str(portfolio.date(end - 1)),
            "late_days": job.late_days(end),
            "cost_usd": usd_text(costs.get((number,), Decimal(0))),
        }
        waits = waits_of(portfolio, schedule, number, free)
        details = {
            "waits_for": [{"cause": one.cause, "name": one.name, "days": one.days} for one in waits],
            "phases": [_phase(portfolio, run, bill) for run in runs if run.job == number],
        }
        yield head | figures | value | details | tail


def _phase(portfolio: Portfolio, run: PlacedRun, bill: Bill) -> dict[str, Any]:
    """One phase of a kept job."""
    pool = portfolio.pools[run.mode.pool]
    usd = sum((line.usd for line in bill.lines if (line.job, line.phase) == (run.job, run.phase)), Decimal(0))
    return {
        "name": run.of.name,
        "pool": pool.name,
        "nodes": run.mode.nodes,
        "gpus": run.mode.nodes * pool.gpus_per_node,
        "start": str(portfolio.date(run.run.start)),
        "end": str(portfolio.date(run.end - 1)),
        "hours": run.mode.hours,
        "expected_hours": run.mode.expected_hours,
        "paid_hours": run.mode.paid_hours,
        "cost_usd": usd_text(usd),
        "layout": dict(run.mode.layout) or None,
    }


def _commitments(portfolio: Portfolio, schedule: Schedule, bill: Bill) -> Iterable[dict[str, Any]]:
    """Every purchase with the share of it that is used."""
    for one, share in zip(schedule.purchases, bill.used_share, strict=True):
        term = portfolio.pools[one.pool].commitments[one.commitment]
        yield {
            "pool": portfolio.pools[one.pool].name,
            "name": term.name,
            "start": str(portfolio.date(term.start)),
            "end": str(portfolio.date(term.end - 1)),
            "nodes": one.nodes,
            "cost_usd": usd_text(term.usd_per_node * one.nodes),
            "used_share": share,
        }


def _pools(portfolio: Portfolio, schedule: Schedule) -> Iterable[dict[str, Any]]:
    """Every pool with its mean use by month."""
    free = free_nodes(portfolio, schedule)
    for number, pool in enumerate(portfolio.pools):
        used = pool.nodes - free[number]
        yield {
            "name": pool.name,
            "gpus_per_node": pool.gpus_per_node,
            "nodes": int(pool.nodes.max(initial=0)),
            "months": [
                {
                    "month": month,
                    "nodes": float(used[first:end].mean()),
                    "share": _share(used[first:end], pool.nodes[first:end]),
                }
                for month, first, end in portfolio.months
            ],
        }


def _share(used: np.typing.NDArray[np.int64], there: np.typing.NDArray[np.int64]) -> float | None:
    """Used node-days of those that are there; None when none is."""
    return float(used.sum() / there.sum()) if there.sum() else None


def _bill(portfolio: Portfolio, bill: Bill) -> dict[str, Any]:
    """Teams by quarter, what nobody uses, and the same money by quarter and by pool."""
    names = [one.name for one in portfolio.quarters]
    cells, pools = bill.by("team", "quarter"), bill.by("pool")

    def row(team: str) -> dict[str, str]:
        """One team by quarter and in all."""
        by_quarter = [cells.get((team, number), Decimal(0)) for number in range(len(names))]
        figures = {name: usd_text(usd) for name, usd in zip(names, by_quarter, strict=True)}
        return figures | {"total": usd_text(sum(by_quarter, Decimal(0)))}

    quarters = bill.by("quarter")
    return {
        "teams": {team: row(team) for team in portfolio.teams},
        "unused": row(UNUSED),
        "quarters": {name: usd_text(quarters.get((number,), Decimal(0))) for number, name in enumerate(names)},
        "pools": {pool.name: usd_text(pools.get((number,), Decimal(0))) for number, pool in enumerate(portfolio.pools)},
        "total": usd_text(bill.money_usd),
    }
