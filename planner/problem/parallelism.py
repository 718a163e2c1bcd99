"""The degrees of a layout, declared once: their keys in files and answers, and their letters."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

LETTERS: Final = MappingProxyType(
    {"tensor": "t", "pipeline": "p", "virtual_pipeline": "v", "context": "c", "expert": "e", "data": "d"}
)
"""Letter of each degree of parallelism, by its key under `layout`."""
DEGREES: Final = (*LETTERS, "micro_batch", "zero", "expert_tensor", "shard")
"""Keys of all that a layout states in whole numbers."""
