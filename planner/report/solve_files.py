"""An answer as files to send: comma-separated values, a workbook that recomputes, and Markdown for a mail."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Final

from planner.errors import InputError
from planner.plans.document import PlanDocument
from planner.plans.phase_part import PurchaseLine
from planner.plans.plan_part import PlanFigures, PlanPart, SpendPart
from planner.prices.table import is_formula
from planner.report.assumed import assumed_rows
from planner.report.bill import printed_bill
from planner.report.dates import dated, schedule_lines
from planner.report.grants import grant_line
from planner.report.near_optimal import near_optimal_lines
from planner.report.plan_text import limit_rows
from planner.report.spend import quarter_of, spend_lines, spend_rows
from planner.units import SECONDS_PER_DAY, format_money, price_text, usd_text

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

BILL: Final = (
    *("phase", "bought", "offer", "nodes", "GPUs per node"),
    *("USD per GPU-hour", "paid hours", "wall hours", "USD"),
)
"""Columns of the bill."""


def csv_text(plan: PlanFigures) -> str:
    """The bill, a row per purchase; amounts recompute from the figures beside them."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*BILL, "note", "begin", "end"))
    for one in plan.purchases:
        figures = (price_text(one.usd_per_gpu_hour), repr(one.hours), repr(one.wall_hours), usd_text(one.cost_usd))
        nodes, days = (one.nodes, one.gpus_per_node), (one.start, one.end)
        writer.writerow((*map(as_text, _names(one)), *nodes, *figures, one.note, *days))
    return stream.getvalue()


def _names(one: PurchaseLine) -> tuple[str, str, str]:
    return one.of_phase or "all phases", one.kind.replace("_", "-"), one.offer


def as_text(value: str) -> str:
    """A text as a cell holds it; what a spreadsheet would take for a formula is kept a text."""
    shown = "".join(one for one in value if one.isprintable())
    return f"'{shown}" if is_formula(shown) else shown


def workbook(document: PlanDocument, plan: PlanPart) -> bytes:
    """A workbook: the bill in live formulas, phases, runners-up, assumptions. Raises InputError without openpyxl."""
    try:
        from openpyxl import Workbook  # noqa: PLC0415  (only workbooks need it)
    except ImportError:
        fix = "pip install openpyxl, or from a checkout pip install '.[xlsx]'"
        raise InputError("workbooks need openpyxl, which is not installed", fix=fix) from None
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "Bill"
    _bill_sheet(sheet, plan)
    if plan.start:
        _spend_sheet(book.create_sheet("Spend"), plan.spend)
    for title, rows in _tables(document, plan):
        _filled(book.create_sheet(title), rows)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _bill_sheet(sheet: Worksheet, plan: PlanFigures) -> None:
    """Every purchase with its amount as a formula, and the total as their sum."""
    _filled(sheet, [BILL])
    for row, one in enumerate(plan.purchases, start=2):
        figures = (one.nodes, one.gpus_per_node, float(price_text(one.usd_per_gpu_hour)), one.hours, one.wall_hours)
        sheet.append([*map(as_text, _names(one)), *figures, f"=ROUND(D{row}*E{row}*F{row}*G{row},2)"])
    last = len(plan.purchases) + 1
    sheet.append(["total", *[None] * 7, f"=SUM(I2:I{last})"])
    for row in range(2, last + 2):
        sheet.cell(row, len(BILL)).number_format = "#,##0.00"


def _spend_sheet(sheet: Worksheet, spend: SpendPart) -> None:
    """What is due by month, and each quarter and the total as formulas over the months."""
    _filled(sheet, [("month", "USD", "quarter", "USD of the quarter")])
    quarters = [quarter_of(one.month) for one in spend.months]
    for row, (month, quarter) in enumerate(zip(spend.months, quarters, strict=True), start=2):
        first = quarters.index(quarter) + 2
        is_last = row - 1 == len(quarters) or quarters[row - 1] != quarter
        of_quarter = (quarter, f"=SUM(B{first}:B{row})") if is_last else (None, None)
        sheet.append((month.month, float(month.usd), *of_quarter))
    sheet.append(("total", f"=SUM(B2:B{len(quarters) + 1})"))
    for cell in (*sheet["B"], *sheet["D"]):
        cell.number_format = "#,##0.00"
    sheet.append(())
    for line in spend_lines(spend):
        sheet.append((as_text(line),))


def _spend_markdown(spend: SpendPart) -> Iterator[str]:
    """What is due by month and quarter, and what stands beside the bill."""
    rows = tuple(spend_rows(spend))
    if rows:
        yield from ("", "| month | spend | quarter | spend of the quarter |", "|---|--:|---|--:|")
        yield from (f"| {' | '.join(row)} |" for row in rows)
    yield from (f"\n{_plain(line)}" for line in spend_lines(spend))


def _tables(document: PlanDocument, plan: PlanPart) -> Iterator[tuple[str, Sequence[Sequence[object]]]]:
    """The other sheets by title."""
    degrees = list(plan.phases[0].degrees)
    phases = [
        (one.name, one.gpus, *(one.degrees[name] for name in degrees), one.step_seconds, one.steps,
         one.wall_seconds / SECONDS_PER_DAY, one.start, one.end, one.mfu)
        for one in plan.phases
    ]  # fmt: skip
    yield "Phases", [("phase", "GPUs", *degrees, "seconds a step", "steps", "days", "begin", "end", "MFU"), *phases]
    found: list[PlanFigures] = [plan, *(one.plan for one in document.alternatives if one.plan)]
    others = [
        (one.accelerator, one.placement.title, one.gpus, one.wall_seconds / SECONDS_PER_DAY, float(one.cost_usd))
        for one in found
    ]
    yield "Accelerators", [("accelerator", "place", "GPUs", "days", "USD"), *others]
    yield "Assumed", [("what", "figure"), *assumed_rows(document.assumed)]


def _filled(sheet: Worksheet, rows: Sequence[Sequence[object]]) -> None:
    """Rows under bold headings that stay in sight."""
    from openpyxl.styles import Font  # noqa: PLC0415  (only workbooks need it)

    for row in rows:
        sheet.append([as_text(one) if isinstance(one, str) else one for one in row])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"


def markdown_text(document: PlanDocument, plan: PlanPart) -> str:
    """A summary for a mail or a ticket: the plan, its bill, its limits, and what it assumes."""
    return "\n".join(_markdown(document, plan)) + "\n"


def _markdown(document: PlanDocument, plan: PlanPart) -> Iterator[str]:
    figures = f"{dated(plan.wall_seconds, plan.start)}, {format_money(plan.cost_usd)}"
    place = _plain(plan.placement.title)
    yield f"**{_plain(document.name)}: {plan.gpus:,} × {plan.accelerator} for {figures}** ({place})"
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
