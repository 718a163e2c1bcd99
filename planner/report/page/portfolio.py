"""The page of a portfolio: a chart of jobs by day to point at, pools, commitments, and the bill; from its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from planner.report.page.parts import Badge, Card, Chart, Fact, Page, Table
from planner.report.portfolio_text import headline, pool_letters, wait_lines
from planner.units import counted, format_duration, format_money

Document = Mapping[str, Any]

RUNS: Final = "runs"
"""The layer whose marks are the phases."""
SHADES: Final = 10
"""Colours of pools, after which they repeat."""


def portfolio_page(document: Document) -> Page:
    """The page of an answer; without a plan it says so."""
    title, *lead = headline(document)
    if not document["jobs"]:
        return Page(title, tuple(lead), ())
    rows = [(job, phase) for job in document["jobs"] for phase in job["phases"]]
    chart = Chart(
        "Jobs by day, coloured by pool",
        _spec(document, rows, 640),
        _spec(document, rows, 270),
        RUNS,
        tuple((name, f"tone-{number % SHADES}") for number, name in enumerate(pool_letters(document))),
    )
    tables = [pools_table(document), bill_table(document)]
    if document["commitments"]:
        tables.append(commitments_table(document))
    if dropped := [job for job in document["jobs"] if job["dropped"]]:
        lost = tuple((job["name"], job["team"], format_money(Decimal(job["value_usd"]))) for job in dropped)
        tables.append(Table("Dropped", ("job", "team", "value"), lost, frozenset({2})))
    return Page(
        title=title,
        lead=tuple(lead),
        cards=tuple(_card(job, phase) for job, phase in rows),
        noun="phase",
        chart=chart if rows else None,
        tables=tuple(tables),
        notes=tuple(line for line in (*wait_lines(document), *document["notes"]) if line),
    )


def _spec(document: Document, rows: Sequence[tuple[Document, Document]], width: int) -> dict[str, Any]:
    """Bars from the first day of a phase to the day after its last."""
    pools = list(pool_letters(document))
    values = [
        {
            "job": job["name"],
            "start": f"{phase['start']}T00:00:00",
            "end": f"{phase['end']}T23:59:59",
            "pool": phase["pool"],
        }
        for job, phase in rows
    ]
    names = list(dict.fromkeys(job["name"] for job in document["jobs"]))
    return {
        "width": width,
        "height": max(120, min(26, 4000 // max(1, len(names))) * len(names)),
        "padding": {"left": 14, "right": 4, "top": 4, "bottom": 4},
        "data": {"values": values},
        "layer": [
            {
                "name": RUNS,
                "mark": {"type": "bar", "cornerRadius": 2},
                "encoding": {**_places(document, names, is_wide=width > NARROW), "color": _colours(pools)},
            }
        ],
    }


NARROW: Final = 400
"""Pixels up to which a chart is narrow."""


def _places(document: Document, names: list[str], *, is_wide: bool) -> dict[str, Any]:
    """Where bars stand: days across, jobs down."""
    span = [f"{document['calendar']['start']}T00:00:00", f"{document['calendar']['end']}T23:59:59"]
    months = {"title": None, "format": "%b" if is_wide else "%-m", "tickCount": "month"}
    jobs = {"title": None, "labelLimit": 150 if is_wide else 90, "ticks": False}
    return {
        "x": {"field": "start", "type": "temporal", "scale": {"domain": span}, "axis": months},
        "x2": {"field": "end"},
        "y": {"field": "job", "type": "ordinal", "scale": {"domain": names}, "axis": jobs},
    }


def _colours(pools: list[str]) -> dict[str, Any]:
    """A colour for each pool."""
    colours = [f"var(--t{number % SHADES})" for number in range(len(pools))]
    return {"field": "pool", "type": "nominal", "scale": {"domain": pools, "range": colours}, "legend": None}


def _card(job: Document, phase: Document) -> Card:
    """What is behind one bar."""
    nodes = f"{counted(phase['nodes'], 'node')} of {phase['pool']}"
    badges = [Badge(f"team {job['team']}")]
    if job["late_days"]:
        badges.append(Badge(f"{counted(job['late_days'], 'day')} late", "bad"))
    facts = [
        Fact("from", phase["start"]),
        Fact("to", phase["end"]),
        Fact("GPUs", f"{phase['gpus']:,}"),
        Fact("hours", f"{phase['hours']:,.1f}"),
        Fact("cost", format_money(Decimal(phase["cost_usd"]))),
        Fact("deadline", job["deadline"]),
    ]
    facts += [Fact(name.replace("_", " "), _layout_value(value)) for name, value in (phase["layout"] or {}).items()]
    waits = tuple(f"Waits {counted(one['days'], 'day')}: {one['cause']} {one['name']}." for one in job["waits_for"])
    return Card(
        title=f"{job['name']}: {phase['name']}",
        subtitle=f"{nodes} for {format_duration(3600 * phase['hours'])}",
        short=f"{job['name']}, {phase['name']}: {nodes}, {phase['start']} to {phase['end']}",
        badges=tuple(badges),
        facts=tuple(facts),
        change=waits,
    )


def _layout_value(value: object) -> str:
    """A degree, or how much is recomputed."""
    return f"{value['full_layers']} layers" if isinstance(value, dict) else str(value)


def pools_table(document: Document) -> Table:
    """Mean use of each pool by month."""
    months = tuple(one["month"][2:] for one in document["pools"][0]["months"])
    rows = tuple(
        (
            pool["name"],
            f"{pool['nodes']:,}",
            *("–" if one["share"] is None else f"{one['share']:.0%}" for one in pool["months"]),
        )
        for pool in document["pools"]
    )
    return Table("Use of each pool by month", ("pool", "nodes", *months), rows, frozenset(range(1, len(months) + 2)))


def bill_table(document: Document) -> Table:
    """Teams by quarter."""
    bill = document["bill"]
    lines = {
        **bill["teams"],
        "paid for and unused": bill["unused"],
        "total": bill["quarters"] | {"total": bill["total"]},
    }
    rows = tuple((name, *(format_money(Decimal(usd)) for usd in row.values())) for name, row in lines.items())
    headings = ("team", *bill["quarters"], "total")
    return Table("Bill", headings, rows, frozenset(range(1, len(headings))))


def commitments_table(document: Document) -> Table:
    """What is committed to."""
    rows = tuple(
        (
            *(one[key] for key in ("name", "pool", "start", "end")),
            *(f"{one['nodes']:,}", format_money(Decimal(one["cost_usd"])), f"{one['used_share']:.0%}"),
        )
        for one in document["commitments"]
    )
    headings = ("commitment", "pool", "from", "to", "nodes", "cost", "used")
    return Table("Commitments", headings, rows, frozenset({4, 5, 6}))
