"""A portfolio's answer for people, from its document: headline, Gantt chart, pools, commitments, bill, waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from string import ascii_uppercase
from typing import Any, Final

from rich.console import RenderableType

from planner.report.console import wide_console
from planner.report.tables import text_table
from planner.units import counted, format_money, format_share

Document = Mapping[str, Any]

WIDEST_CHART: Final = 60
"""Most columns of the Gantt chart."""


def print_portfolio(document: Document) -> None:
    """The whole answer on stdout."""
    console = wide_console()
    for part in _parts(document):
        console.print(part)


def _parts(document: Document) -> Iterator[RenderableType]:
    """What is printed, in order."""
    yield from headline(document)
    if not document["jobs"]:
        yield from relaxation_lines(document)
        return
    yield ""
    yield from gantt_lines(document)
    yield ""
    yield _pool_table(document)
    if document["commitments"]:
        yield ""
        yield _commitment_table(document)
    yield ""
    yield _bill_table(document)
    yield from _budget_lines(document)
    yield from wait_lines(document)
    yield from worth_lines(document)
    yield from relaxation_lines(document)
    for note in document["notes"]:
        yield f"{note}."


def headline(document: Document) -> Iterator[str]:
    """Cost, gap and what goes."""
    name = document["name"] or "portfolio"
    if not document["jobs"]:
        why = document["solver"]["stopped"]
        unknown = f"{why + ': ' if why else ''}no plan found, feasibility unknown"
        is_proven = document["status"] == "infeasible"
        yield f"{name}: {'no plan exists: proven by a relaxation that has none either' if is_proven else unknown}"
        return
    jobs = document["jobs"]
    dropped = [job["name"] for job in jobs if job["dropped"]]
    late = [job for job in jobs if job["late_days"]]
    kept = f"{len(jobs) - len(dropped)} of {counted(len(jobs), 'job')}"
    yield f"{name}: {kept} for {_usd(document['money_usd'])} from {_first_and_last(document)}"
    yield _proof(document)
    if late:
        yield f"late: {len(late)}, for {_usd(document['lateness_usd'])} ({_some([_late(job) for job in late])})"
    if dropped:
        yield f"dropped: {len(dropped)}, worth {_usd(document['dropped_value_usd'])} ({_some(dropped)})"


def _first_and_last(document: Document) -> str:
    starts = [job["start"] for job in document["jobs"] if job["start"]]
    ends = [job["end"] for job in document["jobs"] if job["end"]]
    return f"{min(starts)} to {max(ends)}" if starts else "no day to none"


def _late(job: Document) -> str:
    return f"{job['name']} {counted(job['late_days'], 'day')}"


def _some(names: Sequence[str], most: int = 8) -> str:
    """Names, not too many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _proof(document: Document) -> str:
    """How good the plan is known to be, on the objective and on money, beside the estimates' own error."""
    objective, error = document["objective"], document["estimate_error"]
    value, bound = objective["value"], objective["bound"]
    if document["status"] == "optimal":
        found = f"proven best within {objective['gap']:.2%} by {objective['name']} ({_usd(value)})"
    else:
        found = f"at most {objective['gap']:.2%} above the best there is by {objective['name']}: "
        found += f"{_usd(value)}, bound {_usd(bound)}"
        if document["money_gap"] is not None:
            found += f" ({document['money_gap']:.2%} of the money)"
    if error is None:
        return found
    wider = "less" if (document["money_gap"] or 0) < error else "more"
    return f"{found}; {wider} than the estimates' own error, ±{format_share(error)} of the money in 80% of cases"


def gantt_lines(document: Document) -> Iterator[str]:
    """A chart of jobs by week, each with the letter of its pool."""
    first, last = (date.fromisoformat(document["calendar"][key]) for key in ("start", "end"))
    days = (last - first).days + 1
    step = 7 * max(1, -(-days // (7 * WIDEST_CHART)))
    columns, letters = -(-days // step), pool_letters(document)
    width = max(len(job["name"]) for job in document["jobs"])
    yield f"{'':<{width}}  {_month_ruler(first, days, step)}"
    for job in document["jobs"]:
        cells = ["·"] * columns
        for phase in job["phases"]:
            start, end = ((date.fromisoformat(phase[key]) - first).days for key in ("start", "end"))
            for column in range(start // step, end // step + 1):
                cells[column] = letters[phase["pool"]]
        yield f"{job['name']:<{width}}  {''.join(cells)}  {_in_words(job)}"
    legend = ", ".join(f"{letter} {name}" for name, letter in letters.items())
    yield f"{'':<{width}}  {legend}; one column is {step} days"


def pool_letters(document: Document) -> dict[str, str]:
    """A letter for each pool."""
    names = [pool["name"] for pool in document["pools"]]
    signs = ascii_uppercase + ascii_uppercase.lower() + "0123456789"
    return {name: signs[number % len(signs)] for number, name in enumerate(names)}


def _month_ruler(first: date, days: int, step: int) -> str:
    """The names of months above the weeks in which they begin."""
    cells = [" "] * (days // step + 4)
    for day in range(days):
        column, begins = day // step, first + timedelta(days=day)
        if begins.day == 1 and "".join(cells[column : column + 3]).strip() == "":
            cells[column : column + 3] = begins.strftime("%b")
    return "".join(cells).rstrip()


def _in_words(job: Document) -> str:
    """A job's figures behind its row."""
    if job["dropped"]:
        return f"dropped, worth {_usd(job['value_usd'])}"
    first, *more = (phase["nodes"] for phase in job["phases"])
    nodes = f"{'+'.join(map(str, (first, *more)))} nodes" if more else counted(first, "node")
    late = f", {job['late_days']} d late" if job["late_days"] else ""
    return f"{nodes}, {job['start']} to {job['end']}, {_usd(job['cost_usd'])}{late}"


def _pool_table(document: Document) -> RenderableType:
    """Mean use of each pool by month."""
    months = [one["month"][5:] for one in document["pools"][0]["months"]]
    table = text_table("pool use", "nodes", *[f"{one} " if months.count(one) > 1 else one for one in _distinct(months)])
    for pool in document["pools"]:
        shares = ["–" if one["share"] is None else f"{one['share']:.0%}" for one in pool["months"]]
        table.add_row(pool["name"], str(pool["nodes"]), *shares)
    return table


def _distinct(months: Sequence[str]) -> list[str]:
    """Headings that tell the months of several years apart."""
    return [one + "'" * (months[:place].count(one)) for place, one in enumerate(months)]


def _commitment_table(document: Document) -> RenderableType:
    """What is committed to and how much of it is used."""
    headings = ("commitment", "pool", "from", "to", "nodes", "cost", "used")
    table = text_table(*headings, left=headings[:4])
    for one in document["commitments"]:
        figures = (str(one["nodes"]), _usd(one["cost_usd"]), f"{one['used_share']:.0%}")
        table.add_row(one["name"], one["pool"], one["start"], one["end"], *figures)
    return table


def _bill_table(document: Document) -> RenderableType:
    """Teams by quarter, with what nobody uses on a line of its own."""
    bill = document["bill"]
    table = text_table("bill", *bill["quarters"], "total")
    for team, row in bill["teams"].items():
        table.add_row(team, *(_usd(usd) for usd in row.values()))
    if Decimal(bill["unused"]["total"]):
        table.add_row("paid for and unused", *(_usd(usd) for usd in bill["unused"].values()))
    table.add_row("total", *(_usd(usd) for usd in bill["quarters"].values()), _usd(bill["total"]))
    return table


def _budget_lines(document: Document) -> Iterator[str]:
    """What is left of each budget."""
    for one in document["budget"]:
        yield f"{one['limit']}: {_usd(one['value_usd'])} of {_usd(one['bound_usd'])}, {_usd(one['left_usd'])} left"


def wait_lines(document: Document) -> Iterator[str]:
    """Who waits how long for what, the longest first."""
    words = {"job": "the job before it,", "pool": "room in", "price": "a lower cost in"}
    found = [
        (one["days"], f"{job['name']} waits {counted(one['days'], 'day')} for {words[one['cause']]} {one['name']}")
        for job in document["jobs"]
        for one in job["waits_for"]
        if one["days"] > 0
    ]
    if found:
        yield ""
    yield from (text for _, text in sorted(found, key=lambda one: -one[0])[:LONGEST_WAITS])
    if len(found) > LONGEST_WAITS:
        yield f"and {len(found) - LONGEST_WAITS} shorter waits"


LONGEST_WAITS: Final = 12
"""Waits that are printed."""


def worth_lines(document: Document) -> Iterator[str]:
    """What a little more of each limit brings."""
    if document["worth"]:
        yield ""
    nothing, untold = list[str](), list[str]()
    for one in document["worth"]:
        low, high = one["saves_usd"]
        change = f"{one['limit']} {one['change']}"
        if one["verdict"] == "nothing":
            nothing.append(change)
        elif Decimal(low) <= 0:
            untold.append(f"{change} ({_usd(high)} at most)")
        else:
            most = "" if low == high else f" (plan found) to {_usd(high)} (relaxation)"
            yield f"{change}: saves {_usd(low)}{most}"
    if nothing:
        yield f"saves nothing: {', '.join(nothing)}"
    if untold:
        yield f"saves nothing that was found in the time: {', '.join(untold)}"


def relaxation_lines(document: Document) -> Iterator[str]:
    """The smallest change of each limit with which a plan exists."""
    if document["relaxations"]:
        yield ""
        yield "smallest relaxations: each of these alone"
    for one in document["relaxations"]:
        yield f"  {one['limit']}: from {one['from']} to {one['to']}{one['interval']}   --set '{one['set'][0]}'"


def _usd(text: str) -> str:
    return format_money(Decimal(text))
