"""Optimizers: what each keeps per trained parameter."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import SourcedRecord

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OptimizerRecord(SourcedRecord):
    """One optimizer."""

    name: str
    title: str
    moments: Annotated[int, Field(ge=0)]
    """States of the parameters' own shape."""
    moment_bytes: NonNegative
    """Bytes per parameter of all states, the copy that is updated not counted."""
    paged: bool = False
    """Whether the states move to the host where the device has no room for them."""
    orthogonalisation_steps: Annotated[int, Field(ge=0)] = 0
    """Newton–Schulz iterations that a step makes over every matrix."""


@cache
def load_optimizers() -> dict[str, OptimizerRecord]:
    """Every optimizer by name."""
    rows = tomllib.loads((catalog_directory() / "optimizers.toml").read_text(encoding="utf-8"))["optimizer"]
    return {row["name"]: OptimizerRecord.model_validate(row) for row in rows}
