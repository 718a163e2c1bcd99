"""A document says all that is printed of an answer: read back from its JSON it gives the same text, page and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.plans.document import PlanDocument
from planner.report.page.answer import answer_page
from planner.report.page.render import rendered
from planner.report.plan_text import print_answer
from planner.report.solve_files import csv_text, markdown_text, workbook
from planner.session import Session, load_problem

PROBLEMS = Path(__file__).resolve().parent.parent.parent / "problems"


@pytest.fixture(
    scope="module",
    params=[
        ("startup_7b.yaml", {}),
        ("spot_heavy.yaml", {"risk.confidence": "90%"}),
        pytest.param(("startup_7b.yaml", {"objective": "{cost: , within: 1%, then: time}"}), marks=pytest.mark.slow),
        pytest.param(("deepseek_v3.yaml", {"limits.deadline": "20d"}), marks=pytest.mark.slow),
        ("deepseek_v3.yaml", {"layout.tensor": 3}),
    ],
    ids=["rivals", "confidence", "preference", "relaxations", "pins"],
)
def document(request: pytest.FixtureRequest) -> PlanDocument:
    """The document of an answer at solve time."""
    file, overrides = request.param
    return Session(load_problem(PROBLEMS / file, overrides)).solve()


@pytest.fixture
def saved(document: PlanDocument) -> PlanDocument:
    """The same as whoever was sent its JSON has it."""
    return PlanDocument.parsed(document.to_json())


def test_text_is_the_same(document: PlanDocument, saved: PlanDocument, capsys: pytest.CaptureFixture[str]) -> None:
    """The text for people is printed from a saved answer as it was when it was found."""
    print_answer(document)
    first = capsys.readouterr().out
    print_answer(saved)
    assert capsys.readouterr().out == first
    assert len(first.splitlines()) > 5


def test_page_is_the_same(document: PlanDocument, saved: PlanDocument) -> None:
    """So is the page."""
    assert rendered(answer_page(saved)) == rendered(answer_page(document))


def test_files_are_the_same(document: PlanDocument, saved: PlanDocument) -> None:
    """So are the bill as CSV, the summary in Markdown and, but for the time in it, the workbook."""
    if document.plan is None or saved.plan is None:
        assert document.plan is saved.plan is None
        return
    assert csv_text(saved.plan) == csv_text(document.plan)
    assert markdown_text(saved, saved.plan) == markdown_text(document, document.plan)
    assert len(workbook(saved, saved.plan)) == pytest.approx(len(workbook(document, document.plan)), abs=64)
