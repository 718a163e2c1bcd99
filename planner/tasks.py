"""Independent pieces of work: done in turn here, or spread over processes by whoever can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Spread = Callable[[Sequence[Callable[[], Any]]], list[Any]]
"""Carries out pieces that do not depend on one another and returns their results in order."""


def in_turn(pieces: Sequence[Callable[[], Any]]) -> list[Any]:
    """One after another, in this process."""
    return [piece() for piece in pieces]
