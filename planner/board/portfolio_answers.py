"""A portfolio's answer as the page shows it: plain texts, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from planner.board.given import GivenFile
from planner.board.parts import Document, chart, notes_section, page_table, table
from planner.board.portfolio_charts import quarters_spec, use_spec
from planner.board.portfolio_controls import Held
from planner.board.state import Scenario
from planner.report.page.portfolio import bill_table, commitments_table, pools_table
from planner.report.portfolio_text import headline, wait_lines
from planner.units import counted, format_money, format_share


def held(document: Document) -> Held:
    """Where every job runs whose phases share a pool, on how many nodes, and from which day on."""
    found = {}
    for job in document["jobs"]:
        pools = {phase["pool"] for phase in job["phases"]}
        if len(pools) == 1:
            found[job["name"]] = (pools.pop(), max(phase["nodes"] for phase in job["phases"]), job["start"])
    return found


def portfolio_headline(document: Document) -> Document:
    """What is kept for how much, how far that is from the best, what is late and what is dropped."""
    title, *lead = headline(document)
    facts, figures = [], None
    if document["jobs"]:
        gap = document["objective"]["gap"]
        late = sum(job["late_days"] for job in document["jobs"])
        dropped = [job["name"] for job in document["jobs"] if job["dropped"]]
        facts = [
            ["cost", format_money(Decimal(document["money_usd"]))],
            ["lateness", f"{format_money(Decimal(document['lateness_usd']))}, {counted(late, 'day')}"],
            ["dropped", ", ".join(dropped) or "none"],
            ["ends", max((job["end"] for job in document["jobs"] if job["end"]), default="–")],
            ["gap", f"at most {format_share(gap)}" if gap < UNKNOWN_GAP else "not known yet"],
        ]
        figures = {"cost_usd": document["money_usd"], "value_usd": document["objective"]["value"], "gap": gap}
    return {
        "status": document["status"],
        "title": title,
        "name": document["name"] or "portfolio",
        "lead": lead,
        "facts": facts,
        "limits": _budget(document) if document.get("budget") else None,
        "bill": [],
        "figures": figures,
        "accelerator": "",
        "place": "",
    }


UNKNOWN_GAP: Final = 1.0
"""A gap that only says that no bound is known."""


def _budget(document: Document) -> Document:
    """Each limit on money."""
    rows = [
        (one["limit"], *(format_money(Decimal(one[key])) for key in ("bound_usd", "value_usd", "left_usd")))
        for one in document["budget"]
    ]
    return table("Budget", ("limit", "bound", "plan", "left"), rows, (1, 2, 3))


HEADINGS: Final = {
    "chart": "Calendar",
    "hint": "Drag a triangle to move a release or deadline, or the first or last day of a pool; drag a bar to fix the "
    "start of its job. Every day has a control of its own on the left, for keys.",
    "others": "Schedule",
    "none": "No job is planned.",
}


def portfolio_around(document: Document, worth: Mapping[str, Sequence[str]], calendar: Document | None) -> Document:
    """The calendar and the table of jobs."""
    rows = [
        (
            job["name"],
            job["team"],
            " → ".join(f"{phase['nodes']} × {phase['pool']}" for phase in job["phases"]) or "dropped",
            job["start"] or "–",
            job["end"] or "–",
            job["deadline"],
            f"{job['late_days']:,}" if job["late_days"] else "–",
            format_money(Decimal(job["cost_usd"])),
        )
        for job in document["jobs"]
    ]
    headings = ("job", "team", "nodes and pool", "from", "to", "deadline", "days late", "cost")
    others = table("Jobs", headings, rows, (6, 7)) if rows else None
    return {"worth": worth, "headings": HEADINGS, "chart": calendar, "others": others}


def portfolio_sections(document: Document) -> Document:
    """What each of the three views shows."""
    waits = [line for line in wait_lines(document) if line]
    phases = [
        (
            f"{job['name']}: {phase['name']}",
            phase["pool"],
            f"{phase['gpus']:,}",
            f"{phase['hours']:,.1f}",
            ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in (phase["layout"] or {}).items()),
        )
        for job in document["jobs"]
        for phase in job["phases"]
    ]
    return {
        "research": [
            table("Phases", ("phase", "pool", "GPUs", "hours", "layout"), phases, (2, 3)),
            notes_section("Who waits for what", waits or ["No job waits."]),
        ],
        "infrastructure": [
            chart("Use of each pool by month", use_spec(document)),
            page_table(pools_table(document)),
            *([page_table(commitments_table(document))] if document["commitments"] else []),
            notes_section("Notes", document["notes"]),
        ],
        "finance": [chart("Money by quarter", quarters_spec(document)), page_table(bill_table(document))],
    }


def replay_sections(document: Document) -> list[Document]:
    """How often each deadline and budget holds when the plan is carried out."""
    money = document["money_usd"]
    low, middle, high = (format_money(Decimal(money[name])) for name in ("p10", "p50", "p90"))
    drawn = "estimates that are off, failures and late pools"
    lines = [
        f"Carried out {document['draws']:,} times with {drawn}: {middle}, {low} to {high} in 80% of them.",
        *(f"{one['limit']} holds in {one['holds']:.0%}." for one in document["budgets"]),
    ]
    rows = [
        (
            job["name"],
            f"{job['deadline_holds']:.0%}",
            *(day or "later" for day in job["end"].values()),
            ", ".join(f"{one['cause']} ({one['draws']})" for one in job["late_because_of"]),
        )
        for job in document["jobs"]
    ]
    headings = ("job", "deadline holds", "ends (10%)", "50%", "90%", "late because of")
    return [notes_section("Replay", lines), table("Deadlines in the replay", headings, rows, (1, 2, 3, 4))]


def relaxation_button(row: Document) -> Document:
    """A smallest relaxation as a button."""
    return {
        "limit": row["limit"],
        "from": row["from"],
        "to": row["to"],
        "change": "",
        "then": f"to {row['to']}{row['interval']}" if row["interval"] else "",
        "sets": dict(text.split("=", 1) for text in row["set"]),
    }


def worth_words(row: Document) -> str:
    """What a little more of a limit saves."""
    low, high = (Decimal(usd) for usd in row["saves_usd"])
    if row["verdict"] == "nothing":
        return f"{row['change']}: saves nothing"
    if low == high:
        return f"{row['change']}: saves {format_money(low)}"
    return f"{row['change']}: saves {format_money(low)} to {format_money(high)}"


def portfolio_column(given: GivenFile, scenario: Scenario, document: Document) -> Document:
    """A pinned scenario in short."""
    shown: tuple[str, ...] = ("–",) * len(COLUMN_ROWS)
    if document["jobs"]:
        late = [f"{job['name']} {job['late_days']}" for job in document["jobs"] if job["late_days"]]
        shown = (
            format_money(Decimal(document["money_usd"])),
            ", ".join(late) or "none",
            ", ".join(job["name"] for job in document["jobs"] if job["dropped"]) or "none",
            max((job["end"] for job in document["jobs"] if job["end"]), default="–"),
            format_share(document["objective"]["gap"]),
        )
    return {
        "file": given.name,
        "sets": dict(scenario.sets),
        "shown": dict(zip(COLUMN_ROWS, shown, strict=True)),
        "cost_usd": float(document["money_usd"]) if document["jobs"] else None,
        "wall_seconds": None,
    }


COLUMN_ROWS: Final = ("cost", "days late", "dropped", "ends", "gap")
"""What is compared of pinned scenarios."""
