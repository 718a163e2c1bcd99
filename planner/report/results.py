"""Answers of commands as results: document, text, comma-separated values, workbook and page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from planner.explore.frontier import Frontier
from planner.explore.per_accelerator import rivals
from planner.explore.room import Room
from planner.explore.scaling import Scaling
from planner.explore.whatif import WhatIf
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.report.alternatives import alternatives_document, print_alternatives
from planner.report.alternatives_files import alternatives_rows, alternatives_sheets
from planner.report.frontier import csv_rows as frontier_rows
from planner.report.frontier import frontier_document, print_frontier
from planner.report.frontier_files import frontier_sheets
from planner.report.page.alternatives import alternatives_page
from planner.report.page.frontier import frontier_page
from planner.report.page.scaling import scaling_page
from planner.report.page.whatif import whatif_page
from planner.report.result import Result
from planner.report.scaling import csv_rows as scaling_rows
from planner.report.scaling import print_scaling, scaling_document
from planner.report.whatif import Shown, print_whatif, whatif_document
from planner.report.whatif import csv_rows as whatif_rows
from planner.report.whatif_files import whatif_sheets


def frontier_result(found: Frontier, room: Room) -> Result:
    """What `plan frontier` answers; without points there is nothing to write."""
    document = frontier_document(found)
    return Result(
        document,
        partial(print_frontier, found),
        rows=partial(frontier_rows, found),
        sheets=partial(frontier_sheets, document) if found.points else None,
        page=(lambda: frontier_page(found, rivals(found, room))) if found.points else None,
    )


def whatif_result(found: WhatIf, shown: Shown | None) -> Result:
    """What `plan whatif` answers."""
    document = whatif_document(found)
    return Result(
        document,
        partial(print_whatif, found, shown),
        rows=partial(whatif_rows, found),
        sheets=partial(whatif_sheets, document),
        page=partial(whatif_page, found, shown),
    )


def alternatives_result(problem: Problem, plans: Sequence[Plan]) -> Result:
    """What `plan alternatives` answers; without a plan there is nothing to write."""
    document = alternatives_document(problem, plans)
    return Result(
        document,
        partial(print_alternatives, problem, plans),
        rows=partial(alternatives_rows, document),
        sheets=partial(alternatives_sheets, document) if plans else None,
        page=partial(alternatives_page, problem, plans) if plans else None,
    )


def scaling_result(found: Scaling) -> Result:
    """What `plan scale` answers; without a layout there is nothing to write."""
    has_layout = any(point.plan for curve in found.curves for point in curve.points)
    return Result(
        scaling_document(found),
        partial(print_scaling, found),
        rows=partial(scaling_rows, found),
        page=partial(scaling_page, found) if has_layout else None,
    )
