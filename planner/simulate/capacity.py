"""Capacity over time, for many runs at once: what share of a gang of spot nodes is there, and until when."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Runs = npt.NDArray[np.int64]
"""Indices of runs."""


class Capacity(Protocol):
    """The state of every run's zone."""

    share: Floats
    """Share of the spot nodes that are available now; shape (runs,)."""
    until: Floats
    """Time of the next change, seconds since the start; shape (runs,)."""

    def advance(self, runs: Runs) -> None:
        """Moves some runs past their next change."""

    def begin_phase(self, phase: int, runs: Runs, seconds: Floats) -> None:
        """A phase begins, with its own number of nodes."""
