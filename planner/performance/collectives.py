"""What moving data between devices costs: rings inside the scale-up domain and across it."""

from __future__ import annotations

import numpy as np

from planner.performance.symbols import Array, Device

SCALE_UP_SHARE = 0.75
"""Bus bandwidth of large collectives over the link rate (8 × H200: 368 of 450 GB/s without in-network reduction)."""
NETWORK_SHARE = 0.73
"""The same across nodes: share of the wire rate that large collectives reach."""
EXCHANGE_SHARE = 0.5
"""The same of all-to-alls, whose many small flows share the wires and whose kernels take multiprocessors from others.

Assumed: left-out mixtures ask for it (docs/validation.md, "What was tried").
"""
NETWORK_HOP_SECONDS = 14e-6
"""Latency of a ring's step between scale-up domains. Source: NCCL, src/graph/tuning.cc, ring over a network, Simple."""


def group_bandwidth(device: Device, group: Array, stride: Array) -> Array:
    """Bus bandwidth per device of a collective over `group` devices that stand `stride` ranks apart, bytes/s.

    Inside the scale-up domain it is the domain's. A larger group is bound by its slowest level: the ring crosses
    between domains once for all of a domain's members, which drive their network cards together. Shapes broadcast.
    Source: Thakur et al. 2005 (ring collectives), hierarchical as in NCCL.
    """
    inside = SCALE_UP_SHARE * device.scale_up_bytes_s
    members = np.clip(device.scale_up_domain / stride, 1.0, np.maximum(group, 1.0))
    across = np.minimum(inside, NETWORK_SHARE * device.network_bytes_s * members)
    return np.where(group * stride <= device.scale_up_domain, inside, across)


def gather_seconds(size: Array, group: Array, bandwidth: Array, latency: Array | float) -> Array:
    """All-gather (or reduce-scatter) that leaves (starts with) `size` bytes on each of `group` devices.

    size·(g − 1)/g / bandwidth + latency·log2 g. Source: Thakur, Rabenseifner, Gropp 2005, section 4.1.
    """
    return np.where(group > 1, size * (group - 1) / group / bandwidth + latency * np.log2(np.maximum(group, 1)), 0.0)


def ring_seconds(device: Device, group: Array, stride: Array) -> Array:
    """Latency of one all-gather or reduce-scatter in a ring over `group` devices that stand `stride` ranks apart.

    One step per scale-up domain but the first: it grows with their number, not with its logarithm, and comes on top of
    the bytes once per collective. Shapes broadcast.
    """
    members = np.clip(device.scale_up_domain / stride, 1.0, np.maximum(group, 1.0))
    return device.pace * NETWORK_HOP_SECONDS * (np.maximum(group, 1.0) / members - 1)


def exchange_seconds(crossing: Array, local: Array, group: Array, device: Device, latency: Array | float) -> Array:
    """All-to-all of which each of `group` devices sends `crossing` bytes over the network and `local` over its links.

    Both levels work at the same time; the slower decides.
    """
    over_network = crossing / (EXCHANGE_SHARE * device.network_bytes_s)
    over_links = local / (SCALE_UP_SHARE * device.scale_up_bytes_s)
    return np.where(group > 1, np.maximum(over_network, over_links) + latency * np.log2(np.maximum(group, 1)), 0.0)


def exposed(communication: Array, compute: Array, leak: float) -> Array:
    """Part of an overlapped communication that the step still waits for.

    max(0, comm − compute) + leak·min(comm, compute): what does not fit under the compute, and the slow-down of
    kernels that share memory and multiprocessors with it.
    """
    return np.maximum(0.0, communication - compute) + leak * np.minimum(communication, compute)
