"""The difference of two plans as a result: document, text and page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from planner.report.console import print_lines
from planner.report.diff import (
    Dated,
    asked_document,
    asked_lines,
    diff_document,
    diff_lines,
    differences,
    flattened,
)
from planner.report.page.diff import diff_page
from planner.report.result import Result

Asked = tuple[Mapping[str, Any], Mapping[str, Any]]
"""What two problem files say."""


def diff_result(old: Dated, new: Dated, asked: Asked | None) -> Result:
    """What `plan diff` answers."""
    document, lines = diff_document(old, new), list(diff_lines(old, new))
    if asked is not None:
        document, lines = asked_document(*asked) | document, [*asked_lines(*asked), *lines]
    changed = differences(*map(flattened, asked)) if asked is not None else ()
    page = diff_page(old, new, changed)
    return Result(document, partial(print_lines, lines), page=lambda: page)
