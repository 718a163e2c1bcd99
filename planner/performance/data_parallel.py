"""What replicas exchange in a step: gradients and parameters, by ZeRO stage, minus what compute hides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.performance.collectives import exposed, gather_seconds, group_bandwidth, ring_seconds
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.sharding import Held, expert_replicas, held_parameters, state_shards
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

WEIGHT_BYTES = 2.0
"""The 16-bit copy of a parameter that is gathered and that the passes read."""
BUCKET, BUCKET_PER_MEMBER = 40e6, 1e6
"""Parameters of one collective: the larger of these, the latter times the group.

Source: Megatron-Core, DistributedDataParallelConfig, `bucket_size`.
"""
COMPRESSED_BYTES = 1.0
"""A gradient compressed to 8 bit on the wire."""
COMPRESSION_TRAFFIC = 8.0
"""Memory traffic per gradient of quantising before and restoring after the exchange: fp32 in and out, 8 bit between."""


Collective = Callable[[Array, Array, Array, Array | float], Array]
"""Seconds over so many members, so many ranks apart, of so many parameters of so many bytes."""


@dataclass(frozen=True)
class Exchange:
    """Seconds of the collectives over replicas, one of each, none hidden."""

    gather: Array
    """All-gather of all 16-bit parameters over the sharding group."""
    update: Array
    """All-gather of the trained ones alone, which a step has changed."""
    scatter: Array
    """Reduce-scatter of gradients over the sharding group."""
    between: Array
    """All-reduce of a shard's gradients between sharding groups, where these are smaller than all replicas.

    Experts have groups of their own: those of a sharding group are reduced with those of the others.
    """
    reduce: Array
    """Reduce-scatter of gradients over all replicas."""


def exchange(
    arch: Architecture, held: Held, device: Device, software: Software, job: Job, layout: Layout, c: Constants
) -> Exchange:
    """The collectives of one step on the fullest stage; experts have their own, smaller group.

    A frozen base has no gradients and does not change: only its adapters do. Each layer under ZeRO-3, and each bucket
    otherwise, is a collective of its own that waits for its ring.
    """
    replicas = layout.data * layout.context
    whole, grouped = (replicas, np.minimum(expert_replicas(layout), replicas)), state_shards(layout)
    strides = layout.tensor, layout.expert * layout.expert_tensor
    trained = held.trained_dense, held.trained_experts
    layers = np.maximum(arch.layers / layout.pipeline, 1.0)
    wire = np.where(job.compressed_gradients > 0, COMPRESSED_BYTES, software.gradient_wire_bytes)

    def of_layers(members: Array, stride: Array, parameters: Array, bytes_each: Array | float) -> Array:
        """Seconds of a collective that is called once a layer."""
        rounds = np.where(parameters > 0, layers, 0.0)
        return one(members, stride, parameters, bytes_each, rounds)

    def of_buckets(members: Array, stride: Array, parameters: Array, bytes_each: Array | float) -> Array:
        """Seconds of a collective that is called once a bucket."""
        buckets = parameters / np.maximum(BUCKET, BUCKET_PER_MEMBER * members)
        rounds = np.where(parameters > 0, np.clip(buckets, 1.0, layers), 0.0)
        return one(members, stride, parameters, bytes_each, rounds)

    def one(members: Array, stride: Array, parameters: Array, bytes_each: Array | float, rounds: Array) -> Array:
        bandwidth = group_bandwidth(device, members, stride)
        moving = gather_seconds(parameters * bytes_each, members, bandwidth, device.pace * c.collective_seconds)
        return moving + rounds * ring_seconds(device, members, stride)

    def both(
        each: Collective, members: tuple[Array, Array], dense: Array, experts: Array, bytes_each: Array | float
    ) -> Array:
        of_dense = each(members[0], strides[0], dense, bytes_each)
        return of_dense + each(members[1], strides[1], experts, bytes_each)

    between = np.zeros(())
    if np.any(grouped[0] < replicas):
        pairs = zip(whole, grouped, strides, trained, strict=True)
        between = 2 * sum(
            (of_layers(ranks / group, stride * group, own / group, wire) for ranks, group, stride, own in pairs),
            start=between,
        )
    return Exchange(
        gather=both(of_layers, grouped, held.dense, held.experts, WEIGHT_BYTES),
        update=both(of_buckets, grouped, *trained, WEIGHT_BYTES),
        scatter=both(of_layers, grouped, *trained, wire),
        between=between,
        reduce=both(of_buckets, whole, *trained, wire),
    )


def compression_seconds(held: Held, device: Device, job: Job, layout: Layout) -> Array:
    """Quantising and restoring compressed gradients once a step: memory traffic over the device's own gradients."""
    own = held.trained_dense + held.trained_experts
    traffic = COMPRESSION_TRAFFIC * own / (BANDWIDTH_SHARE * device.memory_bytes_s)
    return job.compressed_gradients * (layout.data * layout.context > 1) * traffic


def gradient_exchange_seconds(
    arch: Architecture,
    device: Device,
    software: Software,
    job: Job,
    layout: Layout,
    c: Constants,
    *,
    micro_batch_seconds: Array,
    microbatches: Array,
) -> Array:
    """Exposed data-parallel communication of one step.

    ZeRO 0–2: gradients are reduce-scattered and the parameters that the step changed all-gathered once a step, hidden
    under one micro-batch where the stack overlaps. ZeRO-3: parameters are gathered for the forward and for the backward
    pass of every micro-batch (once a step under pipelining) and gradients scattered, each hidden under that
    micro-batch's compute.
    Source: Rajbhandari et al. 2020, section 7; Zhao et al. 2023 (FSDP), section 3.
    """
    held = held_parameters(arch, software, job, layout)
    parts = exchange(arch, held, device, software, job, layout, c)
    sharded_states = parts.reduce + parts.update
    once = np.where(layout.zero > 0, sharded_states, 2 * parts.reduce)
    hidden = np.where(software.data_overlap > 0, exposed(once, micro_batch_seconds, c.overlap_leak), once)
    late = software.parameter_gather_exposed * (layout.zero > 0) * parts.update
    rounds = np.where(layout.pipeline > 1, 1.0, microbatches)
    one = 2 * parts.gather + parts.scatter
    each = exposed(one, micro_batch_seconds, c.overlap_leak)
    fully_sharded = (rounds - 1) * each + exposed(one + parts.between, micro_batch_seconds, c.overlap_leak)
    compression = compression_seconds(held, device, job, layout)
    return np.where(layout.zero >= 3, fully_sharded, hidden + late) + compression
