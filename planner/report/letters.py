"""Names and letters of degrees, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from planner.problem.parallelism import LETTERS

DEGREE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tensor": "tensor parallel",
        "pipeline": "pipeline stages",
        "virtual_pipeline": "chunks per stage",
        "context": "context parallel",
        "expert": "expert parallel",
        "data": "data parallel",
    }
)
"""What a degree is called in a table."""
_SHORT: Final = ", ".join(f"{letter} {name.replace('_', ' ')}" for name, letter in LETTERS.items())
LETTERS_LINE: Final = f"Layouts: {_SHORT}, b micro-batch."
"""What each letter of a layout stands for."""
