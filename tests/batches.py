"""Batches of cases: a few are quick tests, some run with the slow ones, what else is generated with the long ones."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def later(first: int, slow: int, end: int, step: int = 1) -> list[ParameterSet]:
    """The seeds from `first` on, marked slow before `slow` and long before `end`."""
    marks = {seed: pytest.mark.slow if seed < slow else pytest.mark.long for seed in range(first, end, step)}
    return [pytest.param(seed, marks=mark) for seed, mark in marks.items()]


def few(values: Iterable[object], quick: int = 1) -> list[ParameterSet]:
    """All values, those after the first few marked slow."""
    return [pytest.param(one, marks=() if place < quick else pytest.mark.slow) for place, one in enumerate(values)]
