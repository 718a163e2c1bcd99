"""How large a device's memory must be to hold a layout."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from planner.layouts.rows import Index
from planner.layouts.workload import Workload
from planner.performance.memory import States, activation_peak, model_states, peak_memory
from planner.performance.symbols import Architecture, Array, Job, Layout


@dataclass(frozen=True)
class Contents:
    """What devices hold of one model at the peak; layouts that differ in nothing but experts and ZeRO keep as much."""

    workload: Workload
    states: States
    """Shape (ZeRO stages, 1, layouts) each: NumPy is quick along the last axis if that is the long one."""
    activations: Array
    """Shape (recompute choices, layouts alike)."""
    logits: Array
    """Bytes, of the same shape."""
    alike: Index
    """Where each layout's activations stand."""

    @classmethod
    def of(
        cls, workload: Workload, job: Job, model: Architecture, of_states: Layout, of_alike: Layout, alike: Index
    ) -> Contents:
        """Those of layouts with degrees of shapes (ZeRO stages, 1, layouts) and (recompute choices, layouts alike)."""
        states = model_states(model, workload.software, job, of_states, workload.constants)
        shape = (of_states.zero.size, 1, len(alike))
        held = States(**{one.name: np.broadcast_to(getattr(states, one.name), shape) for one in fields(States)})
        peak = activation_peak(model, workload.software, job, of_alike, workload.constants)
        kept = np.broadcast_shapes(*(one.shape for one in peak), of_alike.recompute_full.shape)
        activations, logits = (np.broadcast_to(one, kept) for one in peak)
        return cls(workload, held, activations, logits, alike)

    def take(self, index: Index) -> Contents:
        """Those of some of the layouts."""
        states = States(**{one.name: getattr(self.states, one.name)[..., index] for one in fields(States)})
        return replace(self, states=states, alike=self.alike[index])

    def needed_bytes(self) -> Array:
        """Smallest device memory that holds each, of shape (ZeRO stages, recompute choices, layouts).

        The peak fits the device with the probability that is asked for, and the expected peak leaves the headroom free.
        """
        return self._needed_bytes(self.states, self.activations, self.logits)

    def least_needed_bytes(self) -> Array:
        """What no ZeRO stage and recompute choice of a layout stays below, but for rounding; shape (layouts,)."""
        nothing, states = np.zeros(()), self.states
        held = np.min(states.weights + states.gradients + states.optimizer + states.gathered, axis=0)
        states = States(held, nothing, nothing, nothing, np.min(states.context, axis=0))
        kept = np.min(self.activations + self.logits, axis=0)
        needed: Array = self._needed_bytes(states, kept, np.zeros_like(kept))[0]
        return needed

    def _needed_bytes(self, states: States, activations: Array, logits: Array) -> Array:
        workload = self.workload
        used = peak_memory(states, activations[..., self.alike], logits[..., self.alike], workload.constants)
        return np.maximum(used.reserved(workload.memory_deviations), used.expected / (1 - workload.headroom))


def models_held(workload: Workload) -> list[Architecture]:
    """What must fit a device: the model, and where there must be room to grow, the larger one too."""
    return [workload.architecture] if workload.growth == 1 else [workload.architecture, workload.grown()]


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
