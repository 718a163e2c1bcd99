"""The controls of a portfolio: days of jobs and pools, nodes and money, made from the schema of portfolio files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

import numpy as np

from planner.board.controls import amounts
from planner.board.given import UNSTATED, GivenPortfolio, Sets
from planner.errors import InputError, did_you_mean
from planner.portfolio.file import JobEntry, PoolEntry, PortfolioFile, PortfolioObjective, portfolio_schema

MOST_ENTRIES: Final = 200
"""Jobs, and pools, that have controls."""
MONEY, DAY, DATES_OF = "Money", "day", {"release": "start", "deadline": "end", "from": "start", "to": "end"}
"""Which end of the calendar holds where a day is not stated."""


@dataclass(frozen=True)
class PortfolioField:
    """A key of a portfolio file that has a control."""

    key: str
    label: str
    group: str
    kind: str
    model: str
    """The part of the schema that describes it, and its name there."""
    name: str
    unit: str = ""

    @property
    def description(self) -> str:
        """What the schema says of it."""
        found: str = _properties(self.model)[self.name].get("description", "")
        return found


@cache
def _properties(model: str) -> Mapping[str, Any]:
    schema = portfolio_schema()
    found: Mapping[str, Any] = (schema["$defs"][model] if model else schema)["properties"]
    return found


def portfolio_fields(file: PortfolioFile) -> tuple[PortfolioField, ...]:
    """The fields of a portfolio: its money, then every pool and every job."""
    return tuple(_fields(file))


def _fields(file: PortfolioFile) -> Iterator[PortfolioField]:
    yield PortfolioField("objective", "Best is", MONEY, "choice", "", "objective")
    yield PortfolioField("budget.total", "Budget", MONEY, "quantity", "Budget", "total", "US dollars")
    for quarter in file.budget.quarters:
        key = f"budget.quarters.{quarter}"
        yield PortfolioField(key, f"Budget of {quarter}", MONEY, "quantity", "Budget", "quarters", "US dollars")
    for team in file.budget.teams:
        if key := referred("budget.teams", team, None):
            yield PortfolioField(key, f"Budget of {team}", MONEY, "quantity", "Budget", "teams", "US dollars")
    for index, pool in enumerate(file.pools[:MOST_ENTRIES]):
        yield from _of_pool(pool, referred("pools", pool.name, index))
    for index, job in enumerate(file.jobs[:MOST_ENTRIES]):
        yield from _of_job(job, referred("jobs", job.name, index))


def referred(key: str, name: str, index: int | None) -> str:
    """How `--set` refers to an item: by its name, or its number where the name has what brackets cannot hold."""
    if "[" not in name and "]" not in name and "=" not in name and not name.isdecimal():
        return f"{key}[{name}]"
    return "" if index is None else f"{key}[{index}]"


def _of_pool(pool: PoolEntry, key: str) -> Iterator[PortfolioField]:
    """Nodes and days of a pool."""
    group = f"Pool {pool.name}"
    yield PortfolioField(f"{key}.from", "There from", group, DAY, "PoolEntry", "from", "first day")
    yield PortfolioField(f"{key}.to", "There to", group, DAY, "PoolEntry", "to", "last day")
    yield PortfolioField(f"{key}.nodes", "Nodes", group, "quantity", "PoolEntry", "nodes", "nodes")


def _of_job(job: JobEntry, key: str) -> Iterator[PortfolioField]:
    """Days of a job, and what its lateness costs."""
    group = f"Job {job.name}"
    yield PortfolioField(f"{key}.release", "Release", group, DAY, "JobEntry", "release", "first day")
    yield PortfolioField(f"{key}.deadline", "Deadline", group, DAY, "JobEntry", "deadline", "last day")
    yield PortfolioField(f"{key}.fixed", "Fixed start", group, DAY, "JobEntry", "fixed", "first day")
    yield PortfolioField(f"{key}.late", "A day late costs", group, "quantity", "JobEntry", "late", "US dollars a day")


def check_portfolio(changes: Mapping[str, str | None], file: PortfolioFile) -> None:
    """Refuses a change that no control makes. Raises InputError."""
    fields = {field.key: field for field in portfolio_fields(file)}
    for key, text in changes.items():
        if key not in fields:
            raise InputError(f"{key[:60]} has no control", fix=did_you_mean(key, fields))
        if fields[key].kind == "choice" and text not in {None, UNSTATED, *get_args(PortfolioObjective)}:
            raise InputError(f"{fields[key].label} cannot be {text!r}", fix=", ".join(get_args(PortfolioObjective)))


Held = Mapping[str, tuple[str, int, str]]
"""Pool, nodes and first day of every job that runs in one pool, by name."""


def portfolio_controls(given: GivenPortfolio, sets: Sets, file: PortfolioFile, held: Held) -> list[dict[str, Any]]:
    """Every control as JSON; `held`: where jobs run now, which is what a fixed start keeps."""
    jobs = {f"{referred('jobs', job.name, index)}.fixed": job for index, job in enumerate(file.jobs)}
    found = []
    for field in portfolio_fields(file):
        control = _control(field, given, sets, file)
        if job := jobs.get(field.key):
            control |= _fixed(job, held.get(job.name))
        found.append(control)
    return found


def _control(field: PortfolioField, given: GivenPortfolio, sets: Sets, file: PortfolioFile) -> dict[str, Any]:
    value = given.stated(field.key, sets)
    calendar = file.calendar
    return {
        "key": field.key,
        "label": field.label,
        "group": field.group,
        "kind": field.kind,
        "unit": field.unit,
        "value": "" if value is None else str(value),
        "usual": str(getattr(calendar, DATES_OF[field.name])) if field.name in DATES_OF else "",
        "chosen": [],
        "changed": field.key in sets,
        "description": field.description,
        "examples": [],
        "options": list(get_args(PortfolioObjective)) if field.kind == "choice" else [],
        "isLimit": True,
        "steps": list(_steps(field, str(value or ""), file)),
        "range": [str(calendar.start), str(calendar.end)] if field.kind == DAY else [],
    }


def _steps(field: PortfolioField, value: str, file: PortfolioFile) -> Iterator[str]:
    """Values that a slider goes through: nodes up to twice as many, money from a quarter to four times as much."""
    if field.name == "nodes" and value.isdecimal():
        most = 2 * int(value)
        yield from (str(one) for one in np.unique(np.linspace(1, max(most, 2), 64).astype(int)))
    elif field.key == "budget.total" and file.budget.total:
        yield from amounts(float(file.budget.total) / 4, 4 * float(file.budget.total))


def _fixed(job: JobEntry, held: tuple[str, int, str] | None) -> dict[str, Any]:
    """What stands around the day of a fixed start; without a place to keep it cannot be moved."""
    start = str(job.fixed.start) if job.fixed else ""
    if job.fixed:
        held = (job.fixed.pool, job.fixed.nodes, start)
    if held is None:
        return {"value": start, "before": "", "after": ""}
    before = f"{{pool: {json.dumps(held[0])}, nodes: {held[1]}, start: "
    return {"value": start, "usual": held[2], "before": before, "after": "}"}
