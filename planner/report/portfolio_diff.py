"""What differs between two answers of a portfolio: jobs that move, come or go, and who pays more or less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from planner.units import format_money, usd_text

Document = Mapping[str, Any]


def portfolio_diff(before: Document, after: Document) -> dict[str, Any]:
    """The differences as a document."""
    old, new = ({job["name"]: job for job in one["jobs"]} for one in (before, after))
    changed = [
        {"name": name, "from": _where(old.get(name)), "to": _where(new.get(name))}
        for name in dict.fromkeys([*old, *new])
        if _where(old.get(name)) != _where(new.get(name))
    ]
    keys = ("money_usd", "lateness_usd", "dropped_value_usd")
    sums = {key: usd_text(Decimal(after[key]) - Decimal(before[key])) for key in keys}
    sums["objective"] = usd_text(Decimal(after["objective"]["value"]) - Decimal(before["objective"]["value"]))
    teams = dict.fromkeys([*before["bill"]["teams"], *after["bill"]["teams"]])
    return {
        "jobs": changed,
        "commitments": {"from": before["commitments"], "to": after["commitments"]},
        "difference": sums,
        "teams": {team: usd_text(_team(after, team) - _team(before, team)) for team in teams},
    }


def _team(document: Document, team: str) -> Decimal:
    return Decimal(document["bill"]["teams"].get(team, {}).get("total", "0"))


def _where(job: Document | None) -> str | None:
    """Where and when a job runs, in a line; None when there is no such job."""
    if job is None:
        return None
    if job["dropped"]:
        return "dropped"
    parts = [f"{phase['nodes']} × {phase['pool']} {phase['start']} to {phase['end']}" for phase in job["phases"]]
    return ", then ".join(parts)


def portfolio_diff_lines(before: Document, after: Document) -> Iterator[str]:
    """The differences for people."""
    found = portfolio_diff(before, after)
    for job in found["jobs"]:
        sign = "+" if job["from"] in {None, "dropped"} else "-" if job["to"] in {None, "dropped"} else "~"
        yield f"{sign} {job['name']}: {job['from'] or 'not there'} → {job['to'] or 'not there'}"
    if not found["jobs"]:
        yield "every job runs where and when it did"
    for name, words in (
        ("money_usd", "money"),
        ("lateness_usd", "lateness"),
        ("dropped_value_usd", "value dropped"),
        ("objective", "objective"),
    ):
        yield f"{words}: {_signed(found['difference'][name])}"
    yield from (f"team {team}: {_signed(usd)}" for team, usd in found["teams"].items() if Decimal(usd))


def _signed(text: str) -> str:
    usd = Decimal(text)
    return f"+{format_money(usd)}" if usd > 0 else format_money(usd)
