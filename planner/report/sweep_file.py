"""Sweeps as files: comma-separated values or Parquet, written cell by cell, and parts put together again."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from planner.errors import InputError, Place
from planner.explore.sweep_option import Varied
from planner.explore.whatif import Cell, SweepPart
from planner.files import readable, replacing
from planner.report.whatif import headings, row_of

TOGETHER: Final = 10_000
"""Rows of a Parquet file that are held in memory before they are written."""
KINDS: Final = "write FILE.csv, or without --part FILE.parquet"
NUMBERS: Final = {"gpus": int, "wall_seconds": float, "tokens": int, "spot_share": float}
"""Columns of a Parquet file that hold numbers; money and the varied values are text, as in every answer."""


def write_sweep(path: str, axes: Sequence[Varied], cells: Iterable[Cell], part: SweepPart | None, count: int) -> None:
    """Writes a row per cell to a file that ends in `.csv` or `.parquet`, whole or not at all; `count`: of cells.

    A part, which only CSV can be, says in its first line which one it is. Raises InputError.
    """
    ending = Path(path).suffix
    if ending not in {".csv", ".parquet"} or (part and ending == ".parquet"):
        raise InputError("no such file is written", place=Place(path), fix=KINDS)
    rows = (row_of(cell) for cell in cells)
    with _written(path) as file:
        if ending == ".csv":
            _write_csv(file, f"# part {part.number} of {part.parts}, {count} cells\n" if part else "", axes, rows)
        else:
            _write_parquet(file, headings(axes), rows)


@contextmanager
def _written(path: str) -> Iterator[BinaryIO]:
    """A file that is written whole or not at all. Raises InputError when it cannot be."""
    try:
        with replacing(Path(path)) as file:
            yield file
    except OSError as error:
        fix = "give a path in a folder of yours"
        raise InputError(f"cannot write it: {error.strerror or error}", place=Place(path), fix=fix) from None


def _write_csv(file: BinaryIO, first: str, axes: Sequence[Varied], rows: Iterable[list[object]]) -> None:
    """Comma-separated values as `plan whatif --csv` prints them."""
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    text.write(first)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings(axes))
    writer.writerows(rows)
    text.detach()


def _write_parquet(file: BinaryIO, names: Sequence[str], rows: Iterator[list[object]]) -> None:
    """Parquet, some rows at a time. Raises InputError without the library."""
    try:
        import pyarrow as pa  # noqa: PLC0415  (only Parquet needs it)
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise InputError("Parquet needs pyarrow, which is not installed", fix="pip install pyarrow") from None
    kinds = {int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds.get(NUMBERS.get(name, str), pa.string())) for name in names])
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(rows, TOGETHER)):
            columns = {name: [_number(name, row[place]) for row in some] for place, name in enumerate(names)}
            writer.write_table(pa.table(columns, schema=schema))


def _number(name: str, value: object) -> object:
    """A value as a column of that name holds it; what is not there is null."""
    if value in ("", None):
        return None
    return NUMBERS.get(name, str)(str(value))


@dataclass(frozen=True)
class _Piece:
    """A part of a sweep on disk."""

    path: str
    number: int
    parts: int
    cells: int
    head: str

    @classmethod
    def read(cls, path: str) -> _Piece:
        """What a file says that it is. Raises InputError."""
        with readable(Place(path), "give the path of a part"), Path(path).open(encoding="utf-8", newline="") as file:
            first, head = file.readline(200), file.readline(10_000)
        found = re.fullmatch(r"# part ([0-9]{1,6}) of ([0-9]{1,6}), ([0-9]{1,7}) cells\n", first)
        if not found:
            fix = "give what plan whatif --part i/N --out wrote"
            raise InputError("this is no part of a sweep", place=Place(path, 1), fix=fix)
        number, parts, cells = map(int, found.groups())
        return cls(path, number, parts, cells, head)

    def rows(self) -> Iterator[str]:
        """Its lines below the headings. Raises InputError when one is missing."""
        with Path(self.path).open(encoding="utf-8", newline="") as file:
            for number, line in enumerate(islice(file, 2, None)):
                yield line
                if number + 1 == self.cells:
                    return
        if self.cells:
            raise InputError("the part ends too early", place=Place(self.path), fix="make it again")


def merge_sweep(paths: Sequence[str], out: str) -> None:
    """Puts the parts of a sweep together, in whatever order they are given, as if it had been made at once.

    Raises InputError for files that are no parts, of different sweeps, twice there or missing.
    """
    pieces = sorted((_Piece.read(path) for path in paths), key=lambda one: one.number)
    first = pieces[0]
    for piece in pieces:
        if (piece.parts, piece.head) != (first.parts, first.head):
            raise InputError("this is a part of another sweep", place=Place(piece.path), fix=f"see {first.path}")
    numbers = [one.number for one in pieces]
    if numbers != list(range(1, first.parts + 1)):
        told = f"parts {', '.join(map(str, numbers[:20]))} of {first.parts} are given"
        raise InputError(told, fix="give every part once")
    with _written(out) as file:
        file.write(first.head.encode())
        for piece in pieces:
            for line in piece.rows():
                file.write(line.encode())
