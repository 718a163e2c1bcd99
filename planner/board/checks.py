"""Whether a change is one that a control makes, and how its key is called, for either kind of file."""

from __future__ import annotations

from collections.abc import Mapping

from planner.board.controls import check, fields_of
from planner.board.given import Given, GivenFile, GivenPortfolio, Sets
from planner.board.portfolio_controls import check_portfolio, portfolio_fields


def check_changes(changes: Mapping[str, str | None], given: GivenFile, sets: Sets) -> None:
    """Refuses a change of a file with `sets` that no control makes. Raises InputError."""
    if isinstance(given, Given):
        check(changes, given, given.problem(sets))
    elif isinstance(given, GivenPortfolio):
        check_portfolio(changes, given.portfolio(sets))


def labels_of(given: GivenFile, sets: Sets) -> Mapping[str, str]:
    """What each key with a control is called. Raises InputError."""
    if isinstance(given, GivenPortfolio):
        return {one.key: f"{one.group}: {one.label}" for one in portfolio_fields(given.portfolio(sets))}
    assert isinstance(given, Given)  # noqa: S101  (there is no third kind)
    return {one.key: one.label for one in fields_of(given.problem(sets))}
