"""A replay as comma-separated values and as a workbook whose quantiles follow from the runs in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planner.report.replay import Replay
from planner.report.sheets import MONEY, NUMBER, PER_CENT, Cell, Formula, Sheet
from planner.simulate.closed_form import QUANTILES
from planner.units import SECONDS_PER_DAY

COLUMNS: Final = (
    *("policy", "runs", "probability_in_time", "days_mean", *(f"days_{name}" for name in QUANTILES)),
    *("cost_usd_mean", *(f"cost_usd_{name}" for name in QUANTILES), "preemptions"),
)
"""Columns of the comma-separated values."""
MOST_RUNS: Final = 10_000
"""Runs of a policy up to which a workbook holds each of them."""


def replay_rows(document: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """A row per policy under its headings, the plan's own first."""
    yield COLUMNS
    for one in document["policies"]:
        days, usd = one["days"], one["cost_usd"]
        figures = (days["mean"], *(days[name] for name in QUANTILES), usd["mean"], *(usd[name] for name in QUANTILES))
        in_time = one["probability_in_time"]
        yield (one["policy"], document["runs"], "" if in_time is None else in_time, *figures, one["preemptions"])


def replay_sheets(found: Replay) -> tuple[Sheet, ...]:
    """Policies, and the runs that their figures are computed from: of very many runs, as many as a workbook holds."""
    runs = min(found.runs, MOST_RUNS)
    names = [f"{one.policy} {unit}" for one in found.outcomes for unit in ("days", "USD")]
    columns = [
        column
        for one in found.outcomes
        for column in ((one.seconds[:runs] / SECONDS_PER_DAY).tolist(), one.usd[:runs].tolist())
    ]
    table = [(number, *row) for number, row in enumerate(zip(*columns, strict=True), start=1)]
    formats = {name: MONEY if name.endswith("USD") else NUMBER for name in names}
    return _policies(found, runs), Sheet("Runs", ("run", *names), table, formats), _deadline(found)


def _policies(found: Replay, runs: int) -> Sheet:
    """Mean and quantiles of each policy, and the share of its runs that end in time."""
    figures = ("mean", *QUANTILES)
    headings = ("policy", "in time", *(f"days {one}" for one in figures), *(f"USD {one}" for one in figures))
    rows: list[tuple[Cell, ...]] = []
    for number, one in enumerate(found.outcomes):
        days, usd = (f"Runs!${letter}$2:${letter}${runs + 1}" for letter in _letters(2 * number + 1))
        in_time = f'=IF(Deadline!$A$2="","",COUNTIF({days},"<="&Deadline!$A$2)/COUNT({days}))'
        rows.append((one.policy, Formula(in_time), *_figures(days), *_figures(usd)))
    formats = {name: MONEY if name.startswith("USD") else NUMBER for name in headings[2:]} | {"in time": PER_CENT}
    return Sheet("Policies", headings, rows, formats)


def _figures(cells: str) -> Iterator[Formula]:
    """Mean and quantiles of some cells."""
    yield Formula(f"=AVERAGE({cells})")
    for share in QUANTILES.values():
        yield Formula(f"=PERCENTILE({cells},{share})")


def _letters(place: int) -> tuple[str, str]:
    """Letters of a column, counted from 0, and of the next."""
    return chr(ord("A") + place), chr(ord("A") + place + 1)


def _deadline(found: Replay) -> Sheet:
    """The deadline, which may be changed to see who keeps it."""
    seconds = found.job.deadline_seconds
    return Sheet("Deadline", ("days",), [(None if seconds is None else seconds / SECONDS_PER_DAY,)], {"days": NUMBER})
