"""Batches of generated problems: some run with the slow tests, the rest with the long ones."""

from __future__ import annotations

import pytest
from _pytest.mark.structures import ParameterSet


def later(first: int, slow: int, end: int, step: int = 1) -> list[ParameterSet]:
    """The seeds from `first` on, marked slow before `slow` and long before `end`."""
    marks = {seed: pytest.mark.slow if seed < slow else pytest.mark.long for seed in range(first, end, step)}
    return [pytest.param(seed, marks=mark) for seed, mark in marks.items()]
