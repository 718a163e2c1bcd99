"""Where an axis ends, so that one or two far values do not squash all others into a corner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SQUASHED: Final = 0.25
"""Part of an axis that the other values must fill for the farthest to be shown in place."""
FEWEST: Final = 4
"""Other values from which on there is something to squash."""
MOST: Final = 2
"""Values that may lie beyond the end of an axis."""


def end_of(values: Sequence[float]) -> float:
    """The largest value, or the largest of the others where one or two beyond would squash them."""
    ordered = sorted(values)
    for left_out in range(1, MOST + 1):
        rest = ordered[:-left_out]
        if len(rest) >= FEWEST and 0 < rest[-1] - rest[0] < SQUASHED * (ordered[-1] - rest[0]):
            return rest[-1]
    return ordered[-1]
