"""How large a device's memory must be to hold a layout."""

from __future__ import annotations

import numpy as np

from planner.layouts.workload import Workload
from planner.performance.memory import activation_peak, memory
from planner.performance.symbols import Array, Job, Layout


def needed_bytes(workload: Workload, job: Job, layout: Layout) -> Array:
    """Smallest device memory that holds a layout.

    The peak with everything that is reserved fits the device, what the framework allocates leaves the headroom free,
    and where there must be room to grow, the same holds for the larger model.
    """
    models = [workload.architecture] if workload.growth == 1 else [workload.architecture, workload.grown()]
    used = [memory(model, workload.software, job, layout, workload.constants) for model in models]
    needs = [np.maximum(one.reserved, one.allocated / (1 - workload.headroom)) for one in used]
    return needs[0] if len(needs) == 1 else np.maximum(*needs)


def least_activation_bytes(workload: Workload, job: Job, layout: Layout) -> Array:
    """What no layout with these tensor, context and micro-batch degrees and this recompute stays below.

    One micro-batch on a stage of one layer; weights, gradients and optimizer states only add to it. `layout` has as
    many stages as layers and one micro-batch in flight.
    """
    return sum(activation_peak(workload.architecture, workload.software, job, layout, workload.constants), np.zeros(()))


def headroom_kept_anyway(workload: Workload) -> float:
    """Share of memory that stays free of what the framework allocates anyway: a headroom below it changes nothing.

    What is set aside, (1 + fragmentation)·(1 + margin)·allocated and more, is then at least allocated/(1 − headroom).
    """
    constants = workload.constants
    return float(1 - 1 / ((1 + constants.fragmentation) * (1 + constants.memory_margin)))
