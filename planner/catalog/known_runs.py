"""What well-known training runs took, so that an estimate has something to stand beside."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Final

from pydantic import TypeAdapter

from planner.catalog.files import catalog_directory
from planner.catalog.records import Accelerator, Count, ModelArchitecture, Positive, SourcedRecord
from planner.units import HOURS_PER_DAY


class KnownRun(SourcedRecord):
    """One training run whose device-hours its authors published."""

    name: str
    """The run and what its hours cover."""
    model: str
    """Name in the model catalog."""
    accelerator: str
    """Name in the accelerator catalog."""
    tokens: Count
    gpu_hours: Positive
    gpus: Count | None = None
    """Size of the cluster, where it was one size throughout."""

    @property
    def days(self) -> float | None:
        """Days on the whole cluster, where its size is known."""
        return self.gpu_hours / self.gpus / HOURS_PER_DAY if self.gpus else None

    @property
    def gpu_hours_per_trillion_tokens(self) -> float:
        """What runs of different length are compared by."""
        return self.gpu_hours / self.tokens * 1e12


_RECORDS: Final[TypeAdapter[tuple[KnownRun, ...]]] = TypeAdapter(tuple[KnownRun, ...])


@cache
def load_known_runs() -> tuple[KnownRun, ...]:
    """Every record of the catalog."""
    text = (catalog_directory() / "known_runs.toml").read_text("utf-8")
    return _RECORDS.validate_python(tomllib.loads(text)["known_run"])


def known_runs_of(model: ModelArchitecture, accelerator: Accelerator) -> tuple[KnownRun, ...]:
    """The runs of that model on that accelerator."""
    wanted = (model.name, accelerator.name)
    return tuple(run for run in load_known_runs() if (run.model, run.accelerator) == wanted)
