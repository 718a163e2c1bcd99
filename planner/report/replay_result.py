"""A replay as a result: document, text, comma-separated values, workbook and page."""

from __future__ import annotations

from functools import partial

from planner.report.page.replay import replay_page
from planner.report.replay import Replay, print_replay, replay_document
from planner.report.replay_files import replay_rows, replay_sheets
from planner.report.result import Result


def replay_result(found: Replay) -> Result:
    """What `plan replay` answers."""
    document = replay_document(found)
    return Result(
        document,
        partial(print_replay, found),
        rows=partial(replay_rows, document),
        sheets=partial(replay_sheets, found),
        page=partial(replay_page, found),
    )
