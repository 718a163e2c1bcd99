"""Where the catalogs lie (an installed wheel, or the top of a checkout), and the records of one of their files."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from planner.catalog.records import Record

Kind = TypeVar("Kind", bound=Record)


@cache
def catalog_directory() -> Path:
    """The folder of catalog files, from an installed wheel outside the checkout too."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "data" / "catalogs"
    return packaged if packaged.is_dir() else package.parent / "catalogs"


def toml_records(kind: type[Kind], name: str) -> tuple[Kind, ...]:
    """The records in the tables of a TOML file of the catalogs, all of one kind."""
    tables = tomllib.loads((catalog_directory() / name).read_text("utf-8"))
    (rows,) = tables.values()
    return _records(kind, rows)


def csv_records(kind: type[Kind], name: str) -> tuple[Kind, ...]:
    """The rows of a CSV file of the catalogs as records, without the cells that are empty (not known)."""
    with (catalog_directory() / name).open(encoding="utf-8", newline="") as file:
        rows = [{field: cell for field, cell in row.items() if cell} | _always(row) for row in csv.DictReader(file)]
    return _records(kind, rows)


def _always(row: dict[str, str]) -> dict[str, str]:
    """The text fields that are required although they may be empty."""
    return {"zone": row["zone"]} if "zone" in row else {}


def _records(kind: type[Kind], rows: Iterable[dict[str, Any]]) -> tuple[Kind, ...]:
    """Rows as records."""
    return tuple(map(kind.model_validate, rows))
