"""What leaves the board as a file: the answer as a page, a workbook, Markdown or JSON, and the problem as YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from planner.board.answers import headline
from planner.board.charts import month_of, spending
from planner.board.markdown import markdown_rows, plain
from planner.board.plan_pieces import ShownPlan
from planner.board.portfolio_exports import PORTFOLIO_KINDS
from planner.board.portfolio_pieces import ShownPortfolio
from planner.board.work import Shown
from planner.errors import InputError
from planner.plans.plan_part import PlanFigures
from planner.prices.table import as_text
from planner.report.page.answer import answer_page
from planner.report.page.render import rendered
from planner.units import SECONDS_PER_DAY


@dataclass(frozen=True)
class File:
    """A file to download."""

    name: str
    media_type: str
    content: bytes


def exported(kind: str, shown: Shown) -> File:
    """The answer as a kind of file. Raises InputError where that kind is unknown or needs what is not installed."""
    makes: Mapping[str, Callable[[], bytes]] = {"yaml": partial(_yaml, shown)}
    if isinstance(shown, ShownPlan):
        makes = {**makes, **{name: partial(make, shown) for name, make in PLAN_KINDS.items()}}
    elif isinstance(shown, ShownPortfolio):
        makes = {**makes, **{name: partial(make, shown) for name, make in PORTFOLIO_KINDS.items()}}
    if kind not in makes:
        raise InputError(f"this is not exported as {kind[:20]!r}", fix=f"known: {', '.join(makes)}")
    return File(f"plan.{kind}", MEDIA_TYPES[kind], makes[kind]())


def _html(shown: ShownPlan) -> bytes:
    return rendered(answer_page(shown.document)).encode()


def _json(shown: ShownPlan) -> bytes:
    """What `plan solve --json` says, as far as the board knows it."""
    return shown.document.to_json().encode()


def _yaml(shown: Shown) -> bytes:
    return shown.given.written(shown.sets, Path.cwd()).encode()


def _markdown(shown: ShownPlan) -> bytes:
    return "\n".join(_markdown_lines(shown)).encode() + b"\n"


def _markdown_lines(shown: ShownPlan) -> Iterator[str]:
    """The headline, the bill, the limits, the relaxations, and the command that gives the same."""
    found = headline(shown.document)
    yield f"# {plain(found['name'])}: {plain(found['title'])}"
    yield ""
    yield from (f"{plain(line)}  " for line in found["lead"])
    if found["bill"]:
        yield ""
        yield from markdown_rows(
            ("bill", "", "cost"), [(one["name"], one["detail"], one["amount"]) for one in found["bill"]]
        )
    if found["limits"]:
        yield ""
        yield from markdown_rows(found["limits"]["headings"], found["limits"]["rows"])
    possible = [(", ".join(one.sets), one.then) for one in shown.document.relaxations if one.then]
    if possible:
        yield ""
        yield from markdown_rows(("smallest relaxations", "then"), possible)
    yield ""
    yield "```sh"
    yield shown.given.command(shown.sets)
    yield "```"


def _xlsx(shown: ShownPlan) -> bytes:
    """A workbook: the bill in figures, months, phases, and the frontier. Raises InputError without openpyxl."""
    try:
        from openpyxl import Workbook  # noqa: PLC0415  (only workbooks need it)
    except ImportError:
        raise InputError("workbooks need openpyxl, which is not installed", fix="pip install openpyxl") from None
    book = Workbook(write_only=True)
    for title, rows in _sheets(shown).items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([_cell(value) for value in row])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


Row = Sequence[str | float | int | Decimal | None]


def _sheets(shown: ShownPlan) -> Mapping[str, Sequence[Row]]:
    """The sheets of a workbook by title."""
    plan, found = shown.document.plan, headline(shown.document)
    summary: list[Row] = [("job", found["name"]), ("answer", found["title"]), *(tuple(one) for one in found["facts"])]
    summary += [("command", shown.given.command(shown.sets))]
    sheets: dict[str, Sequence[Row]] = {"Answer": summary}
    if plan is not None:
        months: list[Row] = [(month, round(usd, 2)) for month, usd in spending(plan)]
        sheets |= {
            "Bill": _bill(plan),
            "Months": [(month_of(plan), "US dollars"), *months],
            "Phases": _phases(plan),
        }
    if shown.curve is not None:
        points: list[Row] = [(one.cost_usd, one.seconds / DAY, one.gpus, one.accelerator) for one in shown.curve.points]
        sheets["Frontier"] = [("US dollars", "days", "GPUs", "accelerator"), *points]
    return sheets


def _bill(plan: PlanFigures) -> Sequence[Row]:
    """Every purchase in figures."""
    rows: list[Row] = [("phase", "bought", "offer", "nodes", "US dollars per GPU-hour", "hours", "US dollars", "note")]
    for one in plan.purchases:
        where = (one.phase, one.kind, one.offer)
        rows.append((*where, one.nodes, one.usd_per_gpu_hour, one.hours, one.cost_usd, one.note))
    return rows


def _phases(plan: PlanFigures) -> Sequence[Row]:
    """Every phase in figures."""
    names = list(plan.phases[0].degrees)
    rows: list[Row] = [("phase", "GPUs", *names, "seconds a step", "steps", "days", "MFU")]
    for one in plan.phases:
        degrees = (one.degrees[name] for name in names)
        rows.append((one.name, one.gpus, *degrees, one.step_seconds, one.steps, one.wall_seconds / DAY, one.mfu))
    return rows


DAY: Final = float(SECONDS_PER_DAY)


def _cell(value: str | float | Decimal | None) -> str | float | Decimal | None:
    """A value as a cell holds it; a text that a spreadsheet would take for a formula is kept a text."""
    return as_text(value) if isinstance(value, str) else value


PLAN_KINDS: Final[Mapping[str, Callable[[ShownPlan], bytes]]] = {
    "html": _html,
    "xlsx": _xlsx,
    "md": _markdown,
    "json": _json,
}
"""Kinds of files that the answer to a problem can be, each with how it is made."""
MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "yaml": "application/yaml; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
}


def save(shown_text: str, name: Any, folder: Path, *, replace: bool) -> str:  # noqa: ANN401  (from outside)
    """Writes a problem file into a folder and says its name. Raises InputError for a name that leads elsewhere."""
    from planner.files import write_whole  # noqa: PLC0415

    if not isinstance(name, str) or not _is_file_name(name):
        raise InputError("this is not the name of a YAML file", fix="write for example agreed.yaml, without a folder")
    target = folder / name
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise InputError(f"{name} is no plain file", fix="choose another name")
    if target.exists() and not replace:
        raise ExistsError(f"{name} is there already", fix="replace it, or choose another name")
    write_whole(target, shown_text)
    return name


class ExistsError(InputError):
    """A file of that name is there."""


def _is_file_name(name: str) -> bool:
    stem, dot, ending = name.rpartition(".")
    allowed = all(one.isalnum() or one in " ._-" for one in stem)
    return (
        bool(dot) and ending in {"yaml", "yml"} and 0 < len(stem) <= 100 and allowed and not stem.startswith((".", " "))
    )
