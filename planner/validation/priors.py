"""The constants before any fit: where each comes from, and how far published runs may move it."""

from __future__ import annotations

from dataclasses import dataclass

from planner.performance.symbols import Constants

HUBER_SCALE = 0.08
"""Relative error from which a residual counts linearly instead of quadratically."""
VENDOR_MEAN, VENDOR_SD, DEVICE_SD = -0.05, 0.08, 0.06
"""Prior of log(efficiency): a vendor's mean and deviation, and a device's deviation from its vendor.

The mean is below 0: a training step's products do not reach the largest product that was ever measured.
"""


HAND_SET_MEMORY_DEVIATION = 0.10


@dataclass(frozen=True)
class Prior:
    """A constant before the fit: where it comes from, and how far (in log) the fit may move it."""

    name: str
    value: float
    log_sd: float
    source: str


TIME_PRIORS = (
    Prior("shape_elements", 60.0, 0.5, "kernel measurements on A100: median error 3.4 % at 60"),
    Prior("attention", 1.0, 0.3, "published kernel rates, see catalogs/software.toml"),
    Prior("elementwise", 1.0, 0.15, "byte counts of the operators"),
    Prior("tensor_exposed", 0.35, 0.3, "Megatron-Core user-buffer overlap"),
    Prior("overlap_leak", 0.15, 0.4, "slow-down of kernels under communication"),
    Prior("expert_exposed", 0.5, 0.5, "no published figure"),
    Prior("generic_stack", 1.1, 0.1, "framework comparisons on one device"),
    Prior("collective_seconds", 12e-6, 0.5, "NCCL latency per hop, 5 to 25 µs"),
    Prior("host", 1.0, 0.3, "kernel launch of 12 µs through a Python framework"),
    Prior("moe_traffic", 3.0, 0.4, "permute, unpermute and padding of token copies"),
    Prior("step_seconds", 0.03, 0.5, "data loading, logging and synchronisation"),
    Prior("jitter", 0.01, 0.5, "stragglers: ×1.12 at 64 to ×1.23 at 4,096 devices in one published model"),
)
MEMORY_PRIORS = (
    Prior("activations", 1.0, 0.15, "byte counts of the operators"),
    Prior("fragmentation", 0.048, 0.4, "published allocator reserve: mean 4.8 %, at most 9.3 %"),
    Prior("context_bytes", 0.9 * 2**30, 0.2, "driver context and libraries' workspaces: 0.7 GiB on one H200, measured"),
    Prior("communicator_bytes", 0.5 * 2**30, 0.4, "NCCL at 2 to 4 GiB on tens to hundreds of devices"),
)


def hand_set() -> Constants:
    """The constants before any fit."""
    values = {prior.name: prior.value for prior in TIME_PRIORS + MEMORY_PRIORS}
    return Constants(**values, memory_deviation=HAND_SET_MEMORY_DEVIATION)
