"""An estimate as a result: document, text and page; each is made, and its libraries are loaded, when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.estimator.estimate import Estimate
from planner.report.estimate_document import as_document
from planner.report.result import Result

if TYPE_CHECKING:
    from planner.report.page.parts import Page


def estimate_result(found: Estimate) -> Result:
    """What `plan estimate` answers."""
    document = as_document(found)

    def page() -> Page:
        from planner.report.page.estimate import estimate_page  # noqa: PLC0415

        return estimate_page(document)

    def prints() -> None:
        from planner.report.console import print_report  # noqa: PLC0415
        from planner.report.estimate import estimate_tables  # noqa: PLC0415

        print_report(*estimate_tables(found))

    return Result(document, prints, page=page)
