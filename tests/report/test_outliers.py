"""Where axes end."""

from __future__ import annotations

import pytest

from planner.report.outliers import end_of


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ((16.9, 17.2, 17.5, 18.0, 56.2), 18.0),
        ((16.9, 17.2, 17.5, 18.0, 56.2, 60.0), 18.0),
        ((1.0, 2.0, 3.0, 4.0, 5.0), 5.0),
        ((1.0, 1.1, 9.0), 9.0),
        ((5.0, 5.0, 5.0, 5.0, 9.0), 9.0),
    ],
)
def test_one_or_two_far_values_do_not_squash_the_others(values: tuple[float, ...], end: float) -> None:
    """They lie beyond the end, unless there are too few others, or none that differ."""
    assert end_of(values) == end
