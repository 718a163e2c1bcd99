"""Dominance drops what is worse in every way, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from planner.layouts.dominance import not_beaten, undominated
from planner.performance.symbols import Array


def by_loops(values: Array) -> set[int]:
    """Rows that no other row beats, row by row; of equal rows the first."""
    rows = [tuple(row) for row in values.tolist()]

    def beaten(index: int) -> bool:
        others = (other for other in range(len(rows)) if other != index)
        return any(
            all(one <= two for one, two in zip(rows[other], rows[index], strict=True))
            and (rows[other] != rows[index] or other < index)
            for other in others
        )

    return {index for index, row in enumerate(rows) if np.isfinite(row).all() and not beaten(index)}


@pytest.mark.parametrize("columns", [2, 3, 5])
@pytest.mark.parametrize("rows", [0, 1, 7, 300])
def test_undominated_rows_are_those_of_loops(rows: int, columns: int) -> None:
    """With many ties, and with rows that are infinite somewhere."""
    draw = np.random.default_rng(rows + columns)
    values = draw.integers(0, 7, (rows, columns)).astype(float)
    values[rows // 2 : rows // 2 + 1] = np.inf
    found = undominated(values)
    assert set(found.tolist()) == by_loops(values)
    assert sorted(found.tolist(), key=lambda one: tuple(values[one])) == found.tolist()


@pytest.mark.parametrize("columns", [1, 2])
def test_blocks_do_not_matter(columns: int) -> None:
    """More rows than are compared at a time, none of which beats another."""
    up = np.linspace(0, 1, 700)
    values = np.column_stack([up, 1 - up, np.random.default_rng(1).random((700, columns))])
    assert len(undominated(values)) == 700


@pytest.mark.parametrize("known", [0, 1, 400])
def test_rows_that_no_known_one_beats(known: int) -> None:
    """Whether any known row is as small in every column, block by block."""
    draw = np.random.default_rng(known)
    values, others = draw.integers(0, 9, (700, 3)).astype(float), draw.integers(3, 9, (known, 3)).astype(float)
    expected = [not any((other <= one).all() for other in others) for one in values]
    assert not_beaten(values, others).tolist() == expected
