"""An answer as files to send: comma-separated values, a workbook that recomputes, and Markdown for a mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planner.plans.document import PlanDocument
from planner.plans.phase_part import PurchaseLine
from planner.plans.plan_part import PlanFigures, PlanPart, SpendPart
from planner.report import sheets
from planner.report.assumed import assumed_rows
from planner.report.bill import printed_bill
from planner.report.bill_sheet import AMOUNT, in_gigabytes, moved
from planner.report.dates import dated, schedule_lines
from planner.report.grants import grant_line
from planner.report.near_optimal import near_optimal_lines
from planner.report.plan_text import limit_rows
from planner.report.sheets import MONEY, NUMBER, PER_CENT, Cell, Formula, Sheet
from planner.report.spend import quarter_of, spend_lines, spend_rows
from planner.report.summary import devices_text
from planner.units import SECONDS_PER_DAY, format_money, price_text, usd_text

HEADINGS: Final = (
    *("phase", "bought", "offer", "nodes", "GPUs per node"),
    *("USD per GPU-hour", "paid hours", "wall hours", "USD"),
)
"""Columns of the bill."""


def csv_text(plan: PlanFigures) -> str:
    """The bill, a row per purchase and per move; amounts recompute from the figures beside them."""
    rows: list[tuple[object, ...]] = [(*HEADINGS, "note", "begin", "end")]
    for one in plan.purchases:
        figures = (price_text(one.usd_per_gpu_hour), repr(one.hours), repr(one.wall_hours), usd_text(one.cost_usd))
        rows.append((*_names(one), one.nodes, one.gpus_per_node, *figures, one.note, one.start, one.end))
    for move in plan.moves:
        if move.cost_usd:
            names = (move.phase, "moving", f"{in_gigabytes(move.bytes)} at ${move.usd_per_gb}/GB")
            rows.append((*names, *[None] * 5, usd_text(move.cost_usd), "", None, None))
    return sheets.csv_text(rows)


def _names(one: PurchaseLine) -> tuple[str, str, str]:
    return one.of_phase or "all phases", one.kind.replace("_", "-"), one.offer


def workbook(document: PlanDocument, plan: PlanPart) -> bytes:
    """A workbook: the bill in live formulas, phases, runners-up, assumptions. Raises InputError without openpyxl."""
    spend = (_spend_sheet(plan.spend),) if plan.start else ()
    return sheets.workbook((_bill_sheet(plan), *spend, *_sheets(document, plan)))


def _bill_sheet(plan: PlanFigures) -> Sheet:
    """Every purchase with its amount as a formula, what moves cost, and the total as their sum."""
    rows: list[tuple[Cell, ...]] = []
    for one in plan.purchases:
        figures = (one.nodes, one.gpus_per_node, float(price_text(one.usd_per_gpu_hour)), one.hours, one.wall_hours)
        rows.append((*_names(one), *figures, AMOUNT))
    for move in plan.moves:
        if move.cost_usd:
            amount = moved(move.bytes, move.usd_per_gb)
            rows.append((move.phase, "moving", in_gigabytes(move.bytes), *[None] * 5, amount))
    rows.append(("total", *[None] * 7, Formula(f"=SUM(I2:I{len(rows) + 1})")))
    return Sheet("Bill", HEADINGS, rows, {"USD": MONEY})


def _spend_sheet(spend: SpendPart) -> Sheet:
    """What is due by month, and each quarter and the total as formulas over the months."""
    quarters = [quarter_of(one.month) for one in spend.months]
    rows: list[tuple[Cell, ...]] = []
    for row, (month, quarter) in enumerate(zip(spend.months, quarters, strict=True), start=2):
        first = quarters.index(quarter) + 2
        is_last = row - 1 == len(quarters) or quarters[row - 1] != quarter
        of_quarter = (quarter, Formula(f"=SUM(B{first}:B{row})")) if is_last else (None, None)
        rows.append((month.month, float(month.usd), *of_quarter))
    rows.append(("total", Formula(f"=SUM(B2:B{len(quarters) + 1})"), None, None))
    rows += [(None,) * 4, *((line, None, None, None) for line in spend_lines(spend))]
    headings = ("month", "USD", "quarter", "USD of the quarter")
    return Sheet("Spend", headings, rows, {"USD": MONEY, "USD of the quarter": MONEY})


def _spend_markdown(spend: SpendPart) -> Iterator[str]:
    """What is due by month and quarter, and what stands beside the bill."""
    rows = tuple(spend_rows(spend))
    if rows:
        yield from ("", "| month | spend | quarter | spend of the quarter |", "|---|--:|---|--:|")
        yield from (f"| {' | '.join(row)} |" for row in rows)
    yield from (f"\n{_plain(line)}" for line in spend_lines(spend))


def _sheets(document: PlanDocument, plan: PlanPart) -> Iterator[Sheet]:
    """Phases, the best plan of every accelerator, and what is assumed."""
    degrees = tuple(plan.phases[0].degrees)
    phases = [
        (one.name, one.gpus, *(one.degrees[name] for name in degrees), one.step_seconds, one.steps,
         one.wall_seconds / SECONDS_PER_DAY, one.start, one.end, one.mfu)
        for one in plan.phases
    ]  # fmt: skip
    last = ("seconds a step", "steps", "days", "begin", "end", "MFU")
    yield Sheet("Phases", ("phase", "GPUs", *degrees, *last), phases, {"days": NUMBER, "MFU": PER_CENT})
    found: list[PlanFigures] = [plan, *(one.plan for one in document.alternatives if one.plan)]
    others = [
        (one.accelerator, one.placement.title, one.gpus, one.wall_seconds / SECONDS_PER_DAY, one.cost_usd)
        for one in found
    ]
    yield Sheet("Accelerators", ("accelerator", "place", "GPUs", "days", "USD"), others, {"days": NUMBER, "USD": MONEY})
    yield Sheet("Assumed", ("what", "figure"), list(assumed_rows(document.assumed)), {})


def markdown_text(document: PlanDocument, plan: PlanPart) -> str:
    """A summary for a mail or a ticket: the plan, its bill, its limits, and what it assumes."""
    return "\n".join(_markdown(document, plan)) + "\n"


def _markdown(document: PlanDocument, plan: PlanPart) -> Iterator[str]:
    figures = f"{dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
    place = _plain(plan.placement.title)
    yield f"**{_plain(document.name)}: {devices_text(plan)} for {figures}** ({place})"
    conditions = [grant_line(document.needs_grant)] if document.needs_grant else []
    conditions += schedule_lines(plan.schedule)
    yield from (f"\n{_plain(line)}" for line in (*conditions, *near_optimal_lines(document.near_optimal, plan)))
    bill = printed_bill(plan)
    yield from ("", "| phase | bought | amount |", "|---|---|--:|")
    for phase, lines in bill.phases.items():
        for line in lines:
            yield f"| {_plain(phase)} | {line.title}: {_plain(line.product)} | {bill.money(line.amount)} |"
    yield f"| **total** | | **{bill.money(bill.total)}** |"
    yield from _spend_markdown(plan.spend)
    if document.limits:
        yield from ("", "| limit | bound | plan |", "|---|--:|--:|")
    yield from (f"| {name} | {bound} | {value} |" for name, bound, value, _ in limit_rows(document))
    told = "; ".join(f"{name} {_plain(text)}" for name, text in assumed_rows(document.assumed))
    yield from ("", f"Assumed: {told}.")


def _plain(text: str) -> str:
    """A text in which Markdown reads no markup."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text if one.isprintable())
