"""Whether a change is one that a control makes, and how its key is called, for either kind of file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.board.controls import Field, check, completed, fields_of
from planner.board.given import Given, GivenFile, GivenPortfolio, Sets
from planner.board.portfolio_controls import PortfolioField, check_portfolio, portfolio_fields


def check_changes(changes: Mapping[str, str | None], given: GivenFile, sets: Sets) -> None:
    """Refuses a change of a file with `sets` that no control makes. Raises InputError."""
    if isinstance(given, Given):
        check(changes, given, given.problem(sets))
    elif isinstance(given, GivenPortfolio):
        check_portfolio(changes, given.portfolio(sets))


def with_units(changes: Mapping[str, str | None], given: GivenFile, sets: Sets) -> dict[str, str | None]:
    """The changes with the units of their controls where they were typed without. Raises InputError."""
    units = {one.key: one.unit for one in _fields(given, sets)}
    return {key: completed(units.get(key, ""), text) for key, text in changes.items()}


def labels_of(given: GivenFile, sets: Sets) -> Mapping[str, str]:
    """What each key with a control is called. Raises InputError."""
    is_portfolio = isinstance(given, GivenPortfolio)
    return {one.key: f"{one.group}: {one.label}" if is_portfolio else one.label for one in _fields(given, sets)}


def _fields(given: GivenFile, sets: Sets) -> Sequence[Field | PortfolioField]:
    """The fields of a file of either kind. Raises InputError."""
    if isinstance(given, GivenPortfolio):
        return portfolio_fields(given.portfolio(sets))
    return fields_of(given.problem(sets)) if isinstance(given, Given) else ()
