"""What a team measured itself, as `plan learn` writes it beside the calibration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from planner.catalog.records import Positive, Record

MOST_WEIGHT = 100.0
ShareOfLayers = Annotated[float, Field(ge=0, le=1)]


class LayoutTraits(Record):
    """What of a layout decides how much one run says about another."""

    tensor: Positive
    pipeline: Positive
    context: Positive
    micro_batch: Positive
    sequence: Positive
    """Tokens of a sequence."""
    recompute_full: ShareOfLayers
    recompute_selective: ShareOfLayers


class RunTraits(Record):
    """What decides how much one run says about another."""

    accelerator: str
    architecture: str
    """Generation of the accelerator."""
    vendor: str
    hidden: Positive
    layers: Positive
    gpus: Positive
    experts: bool
    low_precision: bool
    adapters: bool
    layout: LayoutTraits | None = None
    """None where it is not decided yet, and of a measured run where it counts for every layout."""


class OwnRun(RunTraits):
    """One measured configuration against what the calibration says of it."""

    name: str
    """Where it was read, such as `my-runs.csv:3`."""
    log_ratio: float
    """Logarithm of measured over estimated seconds of a step, under the calibration before any own run."""
    weight: Annotated[float, Field(gt=0, le=MOST_WEIGHT)]
    """How far it counts: 1 where it agrees with the others, near 0 where it is at odds with them; the most for a run
    under way, whose rest is planned at its pace."""
    communication: float
    """Change of log(time) per change of log(exposed communication)."""
    host: float
    """Change of log(time) per change of log(host and fixed time)."""


class OwnPeak(Record):
    """One measured peak of memory against what the calibration says of it."""

    name: str
    """Where it was read."""
    log_ratio: float
    """Logarithm of measured over estimated bytes that the framework allocates."""
    activations: float
    """Change of log(bytes) per change of log(activations)."""
