"""What hardware failures are expected to add to a run, by the catalog's usual rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.availability import checkpointing as equations
from planner.catalog.reliability import Reliability, load_reliability
from planner.estimator.resolve import Symbols
from planner.performance.symbols import Array
from planner.units import SECONDS_PER_DAY

RESTART: Final = "synchronous-job"
"""The record of how long a job stands still after a failure."""
START_UP: Final = "start-up"
"""The record of how long it takes until the first step."""
NEVER: Final = 1000.0
"""Expected wall time over work above which a job is said never to end."""


@dataclass(frozen=True)
class Failures:
    """Expected failures of a synchronous job that saves checkpoints at the best interval."""

    per_day: float
    checkpoint_seconds: float
    """The job stands still for so long while it writes one."""
    interval_seconds: float
    """Work between two checkpoints."""
    restart_seconds: float
    start_up_seconds: float
    expansion: float
    """Expected wall seconds per second of work; infinite when failures come too fast to get on."""
    rate_name: str
    """Which record of failure rates was used."""

    def wall_seconds(self, work_seconds: float) -> float:
        """Expected wall time of a run that computes for so long."""
        return self.start_up_seconds + self.expansion * work_seconds


def expected_failures(symbols: Symbols, nodes: int) -> Failures:
    """The failures of a job on so many nodes."""
    known, count = load_reliability(), np.asarray(float(nodes))
    rate = equations.failures_per_second(count, np.asarray(known.usual_failure_rate.failures_per_1000_node_days))
    checkpoint = _checkpoint_seconds(symbols, count, known)
    seconds = {one.name: one.seconds for one in known.restart}
    expansion = float(equations.expansion(checkpoint, np.asarray(seconds[RESTART]), rate))
    return Failures(
        per_day=float(rate) * SECONDS_PER_DAY,
        checkpoint_seconds=float(checkpoint),
        interval_seconds=float(equations.checkpoint_interval_seconds(checkpoint, rate)),
        restart_seconds=seconds[RESTART],
        start_up_seconds=seconds[START_UP],
        expansion=expansion if expansion < NEVER else math.inf,
        rate_name=known.usual_failure_rate.name,
    )


def _checkpoint_seconds(symbols: Symbols, nodes: Array, known: Reliability) -> Array:
    """Time to write one checkpoint to the catalog's storage."""
    storage = known.checkpoint[0]
    return equations.transfer_seconds(
        equations.checkpoint_bytes(symbols.architecture, symbols.job),
        nodes,
        np.asarray(storage.write_gb_s_per_node * 1e9),
        np.asarray(storage.write_gb_s_total * 1e9),
    )
