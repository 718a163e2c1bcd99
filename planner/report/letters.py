"""The letters that short forms of layouts are written with."""

from __future__ import annotations

from typing import Final

from planner.problem.parallelism import LETTERS

LETTERS_LINE: Final = (
    "Layouts: "
    + ", ".join(f"{letter} {name.replace('_', ' ')}" for name, letter in LETTERS.items())
    + ", b micro-batch."
)
"""What each letter of a layout stands for."""
