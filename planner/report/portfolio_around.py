"""Tables around a portfolio's answer: what-if, what to reserve, and what happens when the plan is carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.console import RenderableType

from planner.explore.portfolio import PortfolioAnswer
from planner.explore.portfolio_negotiation import Reserved, told_apart
from planner.portfolio.instance import Portfolio
from planner.report.tables import text_table
from planner.simulate.portfolio import Outcomes
from planner.units import format_money, usd_text


def whatif_rows(key: str, values: Sequence[str], answers: Sequence[PortfolioAnswer]) -> list[dict[str, Any]]:
    """A row per value: the plan, its bound, and whether it is told apart from the one before."""
    rows = []
    for number, (value, found) in enumerate(zip(values, answers, strict=False)):
        schedule, bill = found.schedule, found.bill
        dropped = [
            job.name
            for job, runs in zip(found.portfolio.jobs, schedule.jobs if schedule else (), strict=False)
            if not runs
        ]
        rows.append(
            {
                "set": f"{key}={value}",
                "value": value,
                "status": found.status.value,
                "objective_usd": None if found.value is None else usd_text(found.value),
                "bound_usd": usd_text(found.bound),
                "gap": found.gap,
                "money_usd": None if bill is None else usd_text(bill.money_usd),
                "lateness_usd": None if bill is None else usd_text(bill.lateness_usd),
                "dropped": dropped,
                "told_apart": told_apart(answers[number - 1], found) if number else None,
            }
        )
    return rows


def whatif_table(key: str, rows: Sequence[dict[str, Any]]) -> RenderableType:
    """The rows for people."""
    table = text_table(key, "objective", "bound", "gap", "money", "lateness", "dropped", "", left=(key, "dropped", ""))
    for row in rows:
        if row["objective_usd"] is None:
            table.add_row(row["value"], row["status"])
            continue
        money = (_usd(row[name]) for name in ("money_usd", "lateness_usd"))
        differs = "not told apart from the row above" if row["told_apart"] is False else ""
        figures = (_usd(row["objective_usd"]), _usd(row["bound_usd"]), f"{row['gap']:.2%}")
        table.add_row(row["value"], *figures, *money, ", ".join(row["dropped"][:4]), differs)
    return table


def reserve_rows(rows: Sequence[Reserved], best: PortfolioAnswer) -> list[dict[str, Any]]:
    """A row per term and number of nodes."""
    return [
        {
            "pool": one.pool,
            "name": one.name,
            "start": one.start,
            "nodes": one.nodes,
            "status": one.answer.status.value,
            "objective_usd": None if one.answer.value is None else usd_text(one.answer.value),
            "bound_usd": usd_text(one.answer.bound),
            "difference_usd": None
            if one.answer.value is None or best.value is None
            else usd_text(one.answer.value - best.value),
            "told_apart": told_apart(best, one.answer),
        }
        for one in rows
    ]


def reserve_table(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """The rows for people."""
    headings = ("pool", "commitment", "from", "nodes", "objective", "bound", "against the plan", "")
    table = text_table(*headings, left=("pool", "commitment", "from", ""))
    for row in rows:
        if row["objective_usd"] is None:
            table.add_row(row["pool"], row["name"], row["start"], f"{row['nodes']:,}", row["status"])
            continue
        usd = Decimal(row["difference_usd"])
        words = "" if row["told_apart"] else "not told apart"
        figures = (_usd(row["objective_usd"]), _usd(row["bound_usd"]), f"{'+' * (usd > 0)}{format_money(usd)}")
        table.add_row(row["pool"], row["name"], row["start"], f"{row['nodes']:,}", *figures, words)
    return table


def replay_document(portfolio: Portfolio, found: Outcomes) -> dict[str, Any]:
    """How often each deadline and budget holds."""
    return {
        "draws": found.draws,
        "money_usd": {name: usd_text(usd) for name, usd in zip(("p10", "p50", "p90"), found.money, strict=True)},
        "budgets": [{"limit": name, "holds": share} for name, share in found.budgets],
        "jobs": [
            {
                "name": job.name,
                "deadline_holds": found.deadlines[number],
                "end": {
                    name: str(portfolio.date(round(day))) if day < portfolio.days else None
                    for name, day in zip(("p10", "p50", "p90"), found.ends[number], strict=True)
                },
                "late_because_of": [{"cause": cause, "draws": count} for cause, count in found.causes[number]],
            }
            for number, job in enumerate(portfolio.jobs)
            if any(found.ends[number])
        ],
    }


def replay_parts(document: dict[str, Any]) -> Iterator[RenderableType]:
    """The same for people."""
    money = document["money_usd"]
    yield (
        f"carried out {document['draws']:,} times: money {_usd(money['p50'])}, "
        f"{_usd(money['p10'])} to {_usd(money['p90'])} in 80% of them"
    )
    for one in document["budgets"]:
        yield f"{one['limit']} holds in {one['holds']:.0%}"
    headings = ("job", "deadline holds", "ends (10%)", "50%", "90%", "late because of")
    table = text_table(*headings, left=("job", "late because of"))
    for job in document["jobs"]:
        causes = ", ".join(f"{one['cause']} ({one['draws']})" for one in job["late_because_of"])
        ends = (day or "not in the calendar" for day in job["end"].values())
        table.add_row(job["name"], f"{job['deadline_holds']:.0%}", *ends, causes)
    yield table


def _usd(text: str) -> str:
    return format_money(Decimal(text))
