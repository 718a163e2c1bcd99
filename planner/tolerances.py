"""The one place for tolerances: by how much equal figures may differ, and what rounding to cents may hide."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

SUM_ORDER: Final = 1e-9
"""Relative difference between sums of floats that were added in another order."""
CENT: Final = Decimal("0.01")
"""US dollars; every line of a bill is whole cents."""
PHASE_CENTS: Final = 2
"""Cents that rounding takes off the bill of a phase at most: half a cent of each of four lines."""


def rounded_usd(phases: int) -> Decimal:
    """US dollars that rounding takes off the bill of so many phases at most, the reservation's line included."""
    return CENT * PHASE_CENTS * (phases + 1)
