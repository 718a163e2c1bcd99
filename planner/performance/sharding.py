"""What parameters a device holds and trains, and over how many replicas their states are sharded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.performance.parameters import (
    attention_layers,
    attention_parameters,
    dense_adapter_parameters,
    dense_mlp_parameters,
    expert_adapter_parameters,
    expert_parameters,
    mixer_layers,
    mixer_parameters,
    moe_layers,
    multi_token_prediction_parameters,
    norm_parameters,
    router_parameters,
    shared_expert_parameters,
)
from planner.performance.pipeline import largest_stage_layers
from planner.performance.symbols import Architecture, Array, Job, Layout, Software


def dense_parameters_per_device(arch: Architecture, layout: Layout) -> Array:
    """Parameters of a middle stage that every replica holds: attention, dense MLPs, routers, norms; 1/(t·p) of them."""
    moe = moe_layers(arch)
    every_layer = attention_layers(arch) * attention_parameters(arch) + arch.layers * norm_parameters(arch)
    every_layer = every_layer + mixer_layers(arch) * mixer_parameters(arch)
    dense = arch.dense_layers * dense_mlp_parameters(arch)
    shared = moe * (shared_expert_parameters(arch) + router_parameters(arch))
    return (every_layer + dense + shared) / (layout.tensor * layout.pipeline)


def expert_parameters_per_device(arch: Architecture, layout: Layout) -> Array:
    """Routed-expert parameters of one device: 1/(e·etp·p) of them."""
    return (
        moe_layers(arch)
        * arch.experts
        * expert_parameters(arch)
        / (layout.expert * layout.expert_tensor * layout.pipeline)
    )


def embedding_parameters_per_device(arch: Architecture, layout: Layout) -> Array:
    """One vocabulary table's share of a device that has it: the first or the last stage."""
    return arch.vocabulary * arch.hidden / layout.tensor


def multi_token_prediction_per_device(arch: Architecture, job: Job, layout: Layout) -> tuple[Array, Array]:
    """Dense and expert parameters of the multi-token-prediction modules on one device, where they are trained."""
    trained = job.trains_mtp * arch.mtp_layers
    routed = np.sign(arch.experts) * arch.mtp_layers * arch.experts * expert_parameters(arch)
    dense = multi_token_prediction_parameters(arch) - routed
    on_device = trained * arch.experts * expert_parameters(arch) / (layout.expert * layout.expert_tensor)
    return job.trains_mtp * dense / layout.tensor, on_device


def expert_replicas(layout: Layout) -> Array:
    """Devices that hold the same experts: DP·CP·TP/(EP·ETP), at least 1."""
    return np.maximum(layout.data * layout.context * layout.tensor / (layout.expert * layout.expert_tensor), 1.0)


def state_shards(layout: Layout) -> tuple[Array, Array]:
    """Ways that dense and expert states are sharded over data parallelism when they are at all.

    Experts are repeated with the groups that states are sharded over: S·TP/(EP·ETP) devices of a group of S hold the
    same ones, at least 1.
    """
    dense = np.minimum(layout.shard, layout.data * layout.context)
    experts = np.maximum(dense * layout.tensor / (layout.expert * layout.expert_tensor), 1.0)
    return dense, np.minimum(experts, dense)


@dataclass(frozen=True)
class Held:
    """Parameters on the fullest stage's device, before any sharding over replicas."""

    dense: Array
    """Layers' parameters outside routed experts, the vocabulary tables, and adapters."""
    experts: Array
    trained_dense: Array
    """Those with gradients and optimizer states: all, or the adapters alone."""
    trained_experts: Array
    largest_layer: Array
    """Parameters of one layer on this device."""
    layers: Array
    """The part of `dense` that the layers hold: neither vocabulary tables nor adapters."""
    expert_layers: Array
    """The same of `experts`."""


def held_parameters(arch: Architecture, software: Software, job: Job, layout: Layout) -> Held:
    """What the fullest stage holds: its layers, a vocabulary table (both without pipelining), and adapters.

    Multi-token-prediction modules that are trained are counted on it too.
    """
    full = largest_stage_layers(arch, software, layout)
    balance = full * layout.pipeline / arch.layers
    layers = dense_parameters_per_device(arch, layout) * balance
    experts = expert_parameters_per_device(arch, layout) * balance
    dense_mtp, experts_mtp = multi_token_prediction_per_device(arch, job, layout)
    layers, experts = layers + dense_mtp, experts + experts_mtp
    tables = np.where(layout.pipeline > 1, 1.0, 2.0 - arch.tied) * embedding_parameters_per_device(arch, layout)
    stage = layout.pipeline / balance
    dense_adapters = dense_adapter_parameters(arch, job.adapter_rank) / (layout.tensor * stage)
    of_experts = expert_adapter_parameters(arch, job.adapter_rank) / (layout.expert * layout.expert_tensor * stage)
    return Held(
        dense=layers + tables + dense_adapters,
        experts=experts + of_experts,
        trained_dense=job.trains_base * (layers + tables) + dense_adapters,
        trained_experts=job.trains_base * experts + of_experts,
        largest_layer=(layers + experts) / full,
        layers=layers,
        expert_layers=experts,
    )
