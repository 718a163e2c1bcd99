"""What well-known training runs took, so that an estimate has something to stand beside."""

from __future__ import annotations

from functools import cache

from planner.catalog.files import toml_records
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


@cache
def load_known_runs() -> tuple[KnownRun, ...]:
    """Every record of the catalog."""
    return toml_records(KnownRun, "known_runs.toml")


def known_runs_of(model: ModelArchitecture, accelerator: Accelerator) -> tuple[KnownRun, ...]:
    """The runs of that model on that accelerator."""
    wanted = (model.name, accelerator.name)
    return tuple(run for run in load_known_runs() if (run.model, run.accelerator) == wanted)
