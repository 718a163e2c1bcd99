"""The size of a job by hand arithmetic: work over rate is device-seconds, and the states' bytes set a floor.

Every function broadcasts. Nothing here knows of layouts: communication, bubbles and activations are what the
difference between a bound and a typical utilisation stands for.
"""

from __future__ import annotations

import numpy as np

from planner.performance.symbols import Array
from planner.tolerances import SUM_ORDER

STATE_BYTES = 18.0
"""Bytes of a parameter in mixed-precision Adam training, sharded as finely as it gets: 16-bit weight (2), fp32 gradient
(4), fp32 master copy (4) and two fp32 moments (8). Source: Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1, with
the fp32 gradients that large runs accumulate in."""


def training_flop(flop_per_token: Array | float, tokens: Array | float) -> Array:
    """FLOP of the whole run: FLOP per token × tokens."""
    return np.asarray(flop_per_token * tokens, dtype=np.float64)


def device_seconds(flop: Array | float, peak_flops_s: Array | float, utilisation: Array | float) -> Array:
    """Device-seconds of a run: FLOP/(peak · MFU). Source: the definition of MFU, Chowdhery et al. 2022, appendix B."""
    return np.asarray(flop / (peak_flops_s * utilisation), dtype=np.float64)


def devices_for(work_seconds: Array | float, window_seconds: Array | float) -> Array:
    """Devices that do so many device-seconds of work within a window; not yet whole."""
    return np.asarray(work_seconds / window_seconds, dtype=np.float64)


def tokens_within(
    flop_per_token: Array | float, peak_flops_s: Array | float, utilisation: Array | float, work_seconds: Array | float
) -> Array:
    """Tokens that so many device-seconds train: peak · MFU · device-seconds/(FLOP per token)."""
    return np.asarray(peak_flops_s * utilisation * work_seconds / flop_per_token, dtype=np.float64)


def whole_nodes(devices: Array | float, devices_per_node: Array | float) -> Array:
    """Nodes that hold so many devices, rounded up; one part in 10⁹ over a whole number counts as rounding."""
    return np.ceil(np.asarray(devices, dtype=np.float64) / devices_per_node * (1 - SUM_ORDER))


def devices_for_states(parameters: Array | float, usable_bytes: Array | float) -> Array:
    """Devices without which the training states do not fit, activations not counted: 18 · parameters/usable memory."""
    return np.asarray(STATE_BYTES * parameters / usable_bytes, dtype=np.float64)
