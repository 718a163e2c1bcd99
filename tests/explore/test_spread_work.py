"""What several processes do for one command is what one does."""

from __future__ import annotations

import os
from functools import partial

import pytest

from planner.catalog.calibration import load_calibration
from planner.errors import InputError
from planner.explore.spread import spread_over
from planner.validation.published import builtin_runs
from planner.validation.validate import validate


def _ends_process() -> None:
    """Ends the process that it is called in."""
    os._exit(9)


def _refuses() -> None:
    """Raises what a reader of files raises."""
    raise InputError("not like this")


def test_results_come_in_order() -> None:
    """Whoever is done first, results stand where their pieces stood; no pieces have no results."""
    pieces = [partial(pow, base, 2) for base in range(9)]
    assert spread_over(2)(pieces) == spread_over(None)(pieces) == [base**2 for base in range(9)]
    assert spread_over(2)([]) == []


def test_an_error_of_a_piece_is_raised() -> None:
    """What a piece raises ends all of it, as in one process."""
    with pytest.raises(InputError, match="not like this"):
        spread_over(2)([partial(pow, 2, 2), _refuses])


def test_a_process_that_dies_is_told() -> None:
    """A part is no answer: it is said, with what helps."""
    with pytest.raises(InputError) as told:
        spread_over(2)([_ends_process, partial(pow, 2, 2)])
    assert "--workers 1" in str(told.value.issues[0])


@pytest.mark.slow
def test_validation_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions of published runs do not depend on how many processes made them."""
    monkeypatch.setattr("planner.validation.validate.CASES_AT_ONCE", 100)
    record = load_calibration()
    assert validate(builtin_runs(), record, spread_over(2)) == validate(builtin_runs(), record)
