"""What an answer takes for granted is said in text, JSON and pages, with what the problem states told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.report.assumed import assumed_rows
from planner.report.document.assumed import NOT_IN_THE_BILL
from planner.report.page.answer import answer_page
from planner.session import Answered, Session, load_problem

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


@pytest.fixture(scope="module")
def answered() -> Answered:
    """An answer to a problem that pins a degree and states its stack."""
    return Session(load_problem(SPOT, {"layout.tensor": 1, "training.software": "{stack: megatron}"})).answered


def test_defaults_and_what_is_stated_are_told_apart(answered: Answered) -> None:
    """Pins and the stack are stated, the optimizer is not; batches are in tokens; the bill's gaps are named."""
    found = {one.name: one for one in answered.document.assumed}
    assert (found["pinned"].value, found["pinned"].stated) == ("tensor 1", True)
    assert found["software"].stated
    assert (found["optimizer"].value, found["optimizer"].stated) == ("adamw", False)
    assert "4.19M tokens a step" in found["batch of pretrain"].value
    assert "shard" in found["not searched"].value
    assert found["not in the bill"].value == NOT_IN_THE_BILL


def test_the_page_holds_the_same(answered: Answered) -> None:
    """Every assumption of the JSON document stands in the page."""
    (table,) = (one for one in answer_page(answered.document).tables if one.title == "Assumed")
    assert set(table.rows) == set(assumed_rows(answered.document.assumed))
