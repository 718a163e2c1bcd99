"""Published training measurements: reading their CSV, one row per metric."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from planner.catalog.files import catalog_directory
from planner.errors import InputError, Issue, Place
from planner.files import read_whole, text_of

MAX_BYTES = 64 * 2**20
MAX_CELL = 20_000
TEXT = (
    "id",
    "source",
    "date",
    "framework",
    "model",
    "gpu",
    "zero_or_fsdp",
    "recompute",
    "precision",
    "metric",
    "unit",
    "notes",
)
NUMBERS = (
    "params_total",
    "params_active",
    "layers",
    "hidden",
    "ffn",
    "heads",
    "kv_heads",
    "head_dim",
    "vocab",
    "seq",
    "n_experts",
    "top_k",
    "n_gpus",
    "tp",
    "pp",
    "vpp",
    "cp",
    "ep",
    "dp",
    "micro_batch",
    "global_batch",
)
MAY_BE_ZERO = ("n_experts", "top_k", "vpp", "ep")
"""Numbers that tables write as 0 for dense models and for schedules without interleaving."""
SHARES = ("mfu", "hfu", "pct_peak")
"""Metrics that are a fraction of peak."""
REQUIRED = ("id", "model", "gpu", "metric", "value")
SMALLEST, LARGEST = 1e-6, 1e18
"""Figures outside of these bounds are mistakes."""


@dataclass(frozen=True)
class PublishedRow:
    """One metric of one published configuration; numbers that the source does not state are None."""

    line: int
    configuration: str
    """Rows that share it were measured together."""
    text: dict[str, str]
    numbers: dict[str, float | None]
    value: float
    network_gbit_s: float | None
    excluded: str
    """Why the row takes no part in calibration and score; empty when it does."""
    scored_apart: str
    """A label of rows that are fitted but have a score of their own, such as `launch-bound`; empty for the others."""

    @property
    def source(self) -> str:
        """The beginning of the id: the publication that leave-one-source-out leaves out."""
        start, _, number = self.configuration.rpartition("-")
        return start if start and number.isdigit() else self.text["source"] or self.configuration

    @property
    def metric(self) -> str:
        """What was measured."""
        return self.text["metric"]


def builtin_runs() -> Path:
    """The catalog's own published runs."""
    return catalog_directory() / "published_runs.csv"


def read_published(path: Path) -> list[PublishedRow]:
    """The rows of a CSV of published runs.

    Raises InputError with every malformed line: missing columns, cells that are no numbers, negative or absurd
    figures, text that is not UTF-8, files over 64 MiB.
    """
    return parse_published(published_text(path), str(path))


def published_text(path: Path) -> str:
    """The text of a CSV. Raises InputError when it cannot be read, is not UTF-8 or over 64 MiB."""
    return text_of(read_whole(path, MAX_BYTES, fix="give the path of a file; split a large one"), str(path))


def parse_published(text: str, name: str) -> list[PublishedRow]:
    """The rows of a CSV text; `name` is what errors call the file."""
    rows, issues = rows_and_issues(text, name)
    if issues:
        raise InputError(issues[:50])
    if not rows:
        raise InputError("no rows", place=Place(name), fix="give at least one published run")
    return rows


def rows_and_issues(text: str, name: str) -> tuple[list[PublishedRow], list[Issue]]:
    """The rows of a CSV text that can be used, and what is wrong with the others.

    Raises InputError where the file is no such CSV at all.
    """
    if "\0" in text:
        raise InputError("the file holds NUL bytes", place=Place(name), fix="give a CSV text file")
    reader = csv.DictReader(io.StringIO(text, newline=None), strict=True)
    try:
        missing = [column for column in REQUIRED if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"columns are missing: {', '.join(missing)}", place=Place(name, 1), fix="see plan validate --help"
            )
        issues: list[Issue] = []
        rows = [row for cells in reader if (row := _row(cells, reader.line_num, name, issues)) is not None]
    except csv.Error as error:
        raise InputError(
            f"malformed CSV: {error}", place=Place(name, reader.line_num), fix="quote cells that hold commas"
        ) from None
    return rows, issues


def _row(cells: dict[str, str | None], line: int, name: str, issues: list[Issue]) -> PublishedRow | None:
    place = Place(name, line)
    if None in cells or any(cell is None for cell in cells.values()):
        issues.append(Issue("the row has more or fewer cells than the header", place, "quote cells that hold commas"))
        return None
    clean = {key: (cell or "").strip()[:MAX_CELL] for key, cell in cells.items()}
    identifier = clean["id"]
    if not identifier:
        issues.append(Issue("the id is empty", place, "give each configuration an id such as name-0001/step_time"))
        return None
    count = len(issues)
    numbers = {key: _count(clean.get(key, ""), key, place, issues) for key in NUMBERS}
    value = _value(clean["value"], clean["metric"], place, issues)
    network = _number(clean.get("network_gbit_s", ""), "network_gbit_s", place, issues)
    if value is None and len(issues) == count:
        issues.append(Issue("the value is empty", place, "give the measured figure"))
    if len(issues) > count or value is None:
        return None
    text = {key: clean.get(key, "") for key in TEXT}
    return PublishedRow(
        line,
        identifier.split("/")[0],
        text,
        numbers,
        value,
        network,
        clean.get("excluded", ""),
        clean.get("scored_apart", ""),
    )


def _value(cell: str, metric: str, place: Place, issues: list[Issue]) -> float | None:
    """The measured figure; shares of peak that are written in per cent are refused with the fraction."""
    if metric not in SHARES:
        return _number(cell, "value", place, issues)
    is_percent = cell.endswith("%")
    known = len(issues)
    number = _number(cell.removesuffix("%").rstrip(), "value", place, issues)
    if number is None or len(issues) > known or (number <= 1 and not is_percent):
        return number
    fix = f"write {number / 100:.6g}" if number <= 100 else "write the share of peak, from 0 to 1"
    issues.append(Issue(f"value: {cell[:40]}, but {metric} is a fraction", place, fix))
    return None


def _count(cell: str, column: str, place: Place, issues: list[Issue]) -> float | None:
    """A size or degree; 0 of what a run may go without means that it does."""
    return None if column in MAY_BE_ZERO and cell in {"0", "0.0"} else _number(cell, column, place, issues)


def _number(cell: str, column: str, place: Place, issues: list[Issue]) -> float | None:
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        issues.append(
            Issue(f"{column}: {cell[:40]!r} is not a number", place, "leave the cell empty when it is not known")
        )
        return None
    if not SMALLEST <= number <= LARGEST:
        issues.append(
            Issue(
                f"{column}: {cell[:40]} is out of range", place, f"give a number from {SMALLEST:.0e} to {LARGEST:.0e}"
            )
        )
        return None
    return number
