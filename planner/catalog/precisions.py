"""Number formats of linear layers and the spellings that people use for them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Annotated

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Accelerator, Precision, Share, SourcedRecord
from planner.errors import InputError, did_you_mean


class TrainingPrecision(SourcedRecord):
    """A training recipe's number format."""

    name: str
    aliases: tuple[str, ...] = ()
    arithmetic: Precision
    """The peak that linear layers run against."""
    rate: Share
    """Share of the format's matmul rate that the recipe keeps."""
    cast_bytes: Annotated[float, Field(ge=0)]
    """Memory traffic of quantising by separate kernels, bytes per activation element."""

    @property
    def is_low(self) -> bool:
        """Whether linear layers run below 16 bit."""
        return self.arithmetic not in {"bf16", "fp16"}

    def runs_on(self, accelerator: Accelerator) -> bool:
        """Whether the device has the arithmetic; 16 bit is there in one form or the other."""
        return not self.is_low or self.arithmetic in accelerator.peak_tflops


@cache
def load_precisions() -> dict[str, TrainingPrecision]:
    """All formats by every spelling, in lower case."""
    rows = tomllib.loads((catalog_directory() / "precisions.toml").read_text(encoding="utf-8"))["precision"]
    records = [TrainingPrecision.model_validate(row) for row in rows]
    return {spelling.lower(): record for record in records for spelling in (record.name, *record.aliases)}


def find_precision(name: str) -> TrainingPrecision:
    """The format of that spelling. Raises InputError with the nearest known one."""
    known = load_precisions()
    if name.lower() not in known:
        raise InputError(f"unknown precision {name[:80]!r}", fix=did_you_mean(name, known))
    return known[name.lower()]


def used_precision(precision: TrainingPrecision, accelerator: Accelerator) -> TrainingPrecision:
    """The format that a device really computes in: the other 16-bit one where it lacks the one that is asked for."""
    if precision.is_low or precision.arithmetic in accelerator.peak_tflops:
        return precision
    return find_precision("fp16" if precision.arithmetic == "bf16" else "bf16")


def substitution(asked: TrainingPrecision, used: TrainingPrecision, devices: Iterable[str]) -> str:
    """A sentence on devices that compute in another format than asked for, and what that takes."""
    names = list(devices)
    lack = f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no {asked.name}"
    return f"planned in {used.name}: {lack}" + ("; needs loss scaling" if used.arithmetic == "fp16" else "")
