"""A what-if table as a workbook: a row per cell, whose cost adds up from its bill, and the table of two keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from planner.market.places import place_title
from planner.report.bill_sheet import bill_sheet, cost_of
from planner.report.sheets import MONEY, NUMBER, PER_CENT, Cell, Formula, Sheet
from planner.units import SECONDS_PER_DAY

FIGURES: Final = ("status", "USD", "days", "GPUs", "accelerator", "place", "spot share", "above the least")
LEAST: Final = Formula("=[USD]/MIN([:USD])-1")


def whatif_sheets(document: Mapping[str, Any]) -> tuple[Sheet, ...]:
    """The sheets of `plan whatif --json`."""
    keys = tuple(one["key"] for one in document["vary"])
    formats = {"USD": MONEY, "days": NUMBER, "spot share": PER_CENT, "above the least": PER_CENT}
    cells = Sheet("Cells", ("cell", *keys, *FIGURES), list(_rows(document["cells"])), formats)
    table = (_table(document["vary"], len(keys) + 3),) if len(keys) > 1 else ()
    return (*table, cells, bill_sheet([one["plan"] or NO_PLAN for one in document["cells"]]))


NO_PLAN: Final[Mapping[str, Any]] = {"purchases": ()}
"""What stands for a plan that does not exist."""


def _rows(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    """A row per cell; without a plan its figures are empty."""
    for number, cell in enumerate(cells, start=1):
        values = [one.partition("=")[2] for one in cell["set"]]
        plan = cell["plan"]
        if plan is None:
            yield (number, *values, cell["status"], *[None] * (len(FIGURES) - 1))
            continue
        place = place_title(plan["cloud"], plan["region"], plan["zone"], plan["instance_type"])
        figures = (cost_of("cell"), plan["wall_seconds"] / SECONDS_PER_DAY, plan["gpus"], plan["accelerator"], place)
        yield (number, *values, cell["status"], *figures, plan["spot_share"], LEAST)


def _table(vary: Sequence[Mapping[str, Any]], column: int) -> Sheet:
    """Dollars of every combination, taken from the cells; `column`: of the dollars, counted from 1."""
    down, across = vary
    cells, width = f"Cells!{chr(ord('A') + column - 1)}", len(across["values"])
    rows = [
        (value, *(Formula(f'=IF({cells}{one}="","",{cells}{one})') for one in range(start, start + width)))
        for value, start in zip(down["values"], range(2, 2 + width * len(down["values"]), width), strict=True)
    ]
    headings = (f"{down['key']} \\ {across['key']}", *across["values"])
    return Sheet("USD", headings, rows, dict.fromkeys(across["values"], MONEY))
