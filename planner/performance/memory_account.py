"""Memory of one layout as users read it: from what the framework allocates to what a plan sets aside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from planner.performance.memory import Memory
from planner.performance.symbols import Array
from planner.units import GIB


@dataclass(frozen=True)
class MemoryAccount:
    """GiB on the fullest device at its peak: every part is named, and together they are what must be set aside."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    buffers: float
    """Logits, and layers that ZeRO-3 holds whole."""
    reserve: float
    """What the allocator, the driver context and the communication library are expected to take on top."""
    margin: float
    """Beyond the expectation, so that real peaks stay below with the probability that is asked for."""
    limit: float
    """Usable memory of the device, as its driver reports it."""
    fit_probability: float
    """Probability that the real peak fits the device."""

    @classmethod
    def of(cls, used: Memory, limit_gib: float, deviations: float) -> MemoryAccount:
        """The account of one layout, from bytes of shape () or (1,); the margin covers so many standard deviations."""
        return cls(
            weights=_gib(used.weights),
            gradients=_gib(used.gradients),
            optimizer=_gib(used.optimizer),
            activations=_gib(used.activations),
            buffers=_gib(used.other),
            reserve=_gib(used.reserve),
            margin=_gib(used.margin(deviations)),
            limit=limit_gib,
            fit_probability=used.fit_probability(limit_gib * GIB).item(),
        )

    @property
    def parts(self) -> Mapping[str, float]:
        """The parts by name; they add up to `total`."""
        return {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "activations": self.activations,
            "buffers": self.buffers,
            "reserve": self.reserve,
            "margin": self.margin,
        }

    @property
    def allocated(self) -> float:
        """What the framework is expected to allocate."""
        return math.fsum((self.weights, self.gradients, self.optimizer, self.activations, self.buffers))

    @property
    def expected(self) -> float:
        """What the device is expected to show as used."""
        return self.allocated + self.reserve

    @property
    def total(self) -> float:
        """What must be set aside."""
        return self.expected + self.margin

    @property
    def free(self) -> float:
        """What is left of the device; below 0 where it is too small."""
        return self.limit - self.total

    @property
    def fits(self) -> bool:
        """Whether fitting is more likely than not."""
        return self.fit_probability >= 1 / 2

    @property
    def is_sure(self) -> bool:
        """Whether the device holds it with the margin."""
        return self.total <= self.limit

    def document(self) -> dict[str, float | bool]:
        """The account in the form that JSON of plans and estimates shares: five parts, of which `other` is the rest."""
        return {
            "weights": self.weights,
            "gradients": self.gradients,
            "optimizer": self.optimizer,
            "activations": self.activations,
            "other": self.buffers + self.reserve + self.margin,
            "total": self.total,
            "limit": self.limit,
            "allocated": self.allocated,
            "reserve": self.reserve,
            "expected": self.expected,
            "margin": self.margin,
            "fits": self.fits,
            "fit_probability": self.fit_probability,
        }


def _gib(size: Array) -> float:
    return float(size.item() / GIB)
