"""What failures, preemptions and checkpoints add to the time of a run, by expected values.

Events (hardware failures, preemptions) come as a Poisson process; each throws the job back to its last checkpoint.
Arguments broadcast; seconds, bytes and events per second.
"""

from __future__ import annotations

import numpy as np

from planner.performance.parameters import low_rank_adapter_parameters, total_parameters
from planner.performance.symbols import Architecture, Array, Job
from planner.units import SECONDS_PER_DAY

WEIGHT_BYTES = 2.0
"""The 16-bit copy of a parameter in a checkpoint."""
SHORTEST_INTERVAL = 1.0
"""Seconds between checkpoints that cost nothing."""


def checkpoint_bytes(arch: Architecture, job: Job) -> Array:
    """Bytes of one checkpoint: 16-bit weights and optimizer states of what is trained."""
    adapters = low_rank_adapter_parameters(arch, job.adapter_rank)
    trained = job.trains_base * total_parameters(arch) + adapters
    return trained * (WEIGHT_BYTES + job.state_bytes)


def transfer_seconds(size: Array, nodes: Array, per_node_bytes_s: Array, total_bytes_s: Array) -> Array:
    """Time to write or read a checkpoint: all nodes at once, but never faster than the storage as a whole."""
    return size / np.minimum(nodes * per_node_bytes_s, total_bytes_s)


def failures_per_second(nodes: Array, per_1000_node_days: Array) -> Array:
    """Hardware failures of a job on `nodes` nodes, which fail independently of each other."""
    return nodes * per_1000_node_days / 1000 / SECONDS_PER_DAY


def gang_preemptions_per_second(nodes: Array, per_node_day: Array, together: Array) -> Array:
    """Preemptions that hit a gang of spot nodes in one zone: ρ·n^(1 − γ).

    `together` is γ: 1 when the nodes of a zone go as one, 0 when each goes on its own; fitted to gangs of 4 and 16
    nodes (`fitted_together`). Source: Wu et al. 2024 (NSDI, Can't Be Late).
    """
    return per_node_day / SECONDS_PER_DAY * np.asarray(nodes, dtype=np.float64) ** (1 - together)


def checkpoint_interval_seconds(checkpoint: Array, events_per_second: Array) -> Array:
    """Work between two checkpoints that wastes least: Daly's higher-order form of Young's √(2·C·M), M = 1/rate.

    Source: Daly 2006, Future Generation Computer Systems 22, equation 37; Young 1974.
    """
    between = 1 / np.maximum(events_per_second, 1e-30)
    half = np.sqrt(checkpoint / (2 * between))
    young = np.sqrt(2 * checkpoint * between)
    daly = np.where(checkpoint < 2 * between, young * (1 + half / 3 + half**2 / 9) - checkpoint, between)
    return np.maximum(daly, SHORTEST_INTERVAL)


def expansion(checkpoint: Array, restart: Array, events_per_second: Array) -> Array:
    """Expected wall time per second of work: e^(R·λ)·(e^((τ + C)·λ) − 1)/(λ·τ) with the interval τ above.

    Exact for a Poisson process whose events may also strike while writing a checkpoint or restarting; for rare events
    it is 1 + C/τ + τ·λ/2 + R·λ. Infinite where the job never gets on. Source: Daly 2006, equation 20.
    """
    interval = checkpoint_interval_seconds(checkpoint, np.maximum(events_per_second, 1e-30))
    return expansion_with_interval(checkpoint, restart, events_per_second, interval)


def expansion_with_interval(checkpoint: Array, restart: Array, events_per_second: Array, interval: Array) -> Array:
    """`expansion` when checkpoints are τ = `interval` seconds of work apart, whatever the events would ask for."""
    rate = np.maximum(events_per_second, 1e-30)
    with np.errstate(over="ignore"):
        return np.exp(restart * rate) * np.expm1((interval + checkpoint) * rate) / (rate * interval)
