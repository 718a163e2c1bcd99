"""How large a device's memory must be to hold a layout."""

from __future__ import annotations

import numpy as np

from planner.equations.memory import activation_peak, memory
from planner.equations.symbols import Array, Job, Layout
from planner.layouts.workload import Workload


def needed_bytes(workload: Workload, job: Job, layout: Layout) -> Array:
    """Smallest device memory that holds a layout.

    The peak fits the device with the probability that is asked for, the expected peak leaves the headroom free, and
    where there must be room to grow, the same holds for the larger model.
    """
    models = [workload.architecture] if workload.growth == 1 else [workload.architecture, workload.grown()]
    used = [memory(model, workload.software, job, layout, workload.constants) for model in models]
    needs = [
        np.maximum(one.reserved(workload.memory_deviations), one.expected / (1 - workload.headroom)) for one in used
    ]
    return needs[0] if len(needs) == 1 else np.maximum(*needs)


def least_activation_bytes(workload: Workload, job: Job, layout: Layout) -> Array:
    """What no layout with these tensor, context and micro-batch degrees and this recompute stays below.

    One micro-batch on a stage of one layer; weights, gradients and optimizer states only add to it. `layout` has as
    many stages as layers and one micro-batch in flight.
    """
    return sum(activation_peak(workload.architecture, workload.software, job, layout, workload.constants), np.zeros(()))


def headroom_kept_anyway(workload: Workload) -> float:
    """Share of memory that the expected peak leaves free anyway: a headroom below it changes nothing.

    What is set aside for the asked probability is then at least expected/(1 − headroom).
    """
    return float(-np.expm1(-workload.memory_deviations * workload.constants.memory_deviation))
