"""What keeping states on the host costs: transfers over the host link, and an optimizer step in the host's memory."""

from __future__ import annotations

import numpy as np

from planner.performance.collectives import exposed
from planner.performance.data_parallel import WEIGHT_BYTES
from planner.performance.sharding import Held, state_shards
from planner.performance.symbols import Array, Constants, Device, Job, Layout

HOST_SHARE = 0.8
"""Share of a host link's wire rate that pinned transfers reach."""
GRADIENT_BYTES = 2.0
"""A gradient on its way to the host."""


def owned_parameters(held: Held, layout: Layout) -> Array:
    """Trained parameters whose states a device keeps: its share from ZeRO-1 on."""
    by_dense, by_expert = (np.where(layout.zero > 0, ways, 1.0) for ways in state_shards(layout))
    return held.trained_dense / by_dense + held.trained_experts / by_expert


def optimizer_offload_seconds(held: Held, device: Device, job: Job, layout: Layout, traffic: Array) -> Array:
    """Once a step: gradients to the host, the update in the host's memory, weights back; nothing is hidden.

    Paged states are read and written over the link instead. Source: Ren et al. 2021, arXiv 2101.06840, section 4.
    """
    owned, link = owned_parameters(held, layout), HOST_SHARE * device.host_bytes_s
    moved = owned * (GRADIENT_BYTES + WEIGHT_BYTES) / link
    updated = owned * traffic / device.host_memory_bytes_s
    paged = owned * 2 * job.state_bytes / link
    return np.where(np.asarray(job.offloads_optimizer) > 0, moved + updated, job.pages_optimizer * paged)


def parameter_offload_seconds(
    held: Held, device: Device, job: Job, layout: Layout, c: Constants, *, hidden_by: Array, rounds: Array
) -> Array:
    """A step's transfers of a device's weight shards, before each of the two gathers of a ZeRO-3 round.

    What a micro-batch computes hides them. Source: Rajbhandari et al. 2021, arXiv 2104.07857, section 6.
    """
    by_dense, by_expert = state_shards(layout)
    shard = WEIGHT_BYTES * (held.dense / by_dense + held.experts / by_expert)
    each = exposed(2 * shard / (HOST_SHARE * device.host_bytes_s), hidden_by, c.overlap_leak)
    return job.offloads_parameters * (layout.zero >= 3) * rounds * each


def activation_offload_seconds(
    stored: Array, device: Device, job: Job, c: Constants, *, hidden_by: Array, microbatches: Array
) -> Array:
    """A step's transfers of the stored activations of a stage there and back, hidden under a micro-batch's compute."""
    each = exposed(2 * stored / (HOST_SHARE * device.host_bytes_s), hidden_by, c.overlap_leak)
    return job.offloads_activations * microbatches * each
