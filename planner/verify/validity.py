"""What a valid layout is: every rule once, for any integers, without a list of candidates.

`planner.layouts.cuts` generates layouts by the same rules; here they are stated to check it, and every plan, against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.layouts.workload import PhaseWork, Workload
from planner.market.placements import Machine
from planner.problem.parallelism import DEGREES
from planner.problem.pins import Pin

Degrees = Mapping[str, npt.NDArray[np.integer[Any]]]
"""Integers by degree (`DEGREES`), which broadcast."""
Flags = npt.NDArray[np.bool_]


def layout_rules(workload: Workload, phase: PhaseWork, degrees: Degrees) -> dict[str, Flags]:
    """Each rule that a model, a batch and the user's pins set, and where it holds; memory is another matter."""
    t, p, v, c, e, d, b, zero, inside, shard = (np.asarray(degrees[name]) for name in DEGREES)
    model, layers = workload.model, workload.model.num_hidden_layers
    kv_heads = model.num_attention_heads if model.kv_lora_rank else model.num_key_value_heads
    chunks = p * v
    counted = workload.stack.counts_embedding & ((layers + 2) % chunks == 0)
    rules = {
        "tensor divides the heads": model.num_attention_heads % t == 0,
        "tensor divides the key-value heads or repeats them": (kv_heads % t == 0) | (t % kv_heads == 0),
        "tensor divides the widths of the MLPs": (
            (model.intermediate_size % t == 0) & (model.shared_expert_intermediate_size % t == 0)
        ),
        "tensor divides the heads of layers without attention": model.mixer_heads % t == 0,
        "every stage has a layer": p <= layers,
        "every chunk has a layer, the embedding or the loss": (chunks <= layers) | counted,
        "chunks cut the layers evenly": (v == 1) | ((p > 1) & ((layers % chunks == 0) | counted)),
        "context cuts the sequence into pairs of chunks": (c == 1) | (phase.sequence_length % (2 * c) == 0),
        "expert divides the experts": max(model.n_routed_experts, 1) % e == 0,
        "expert_tensor divides tensor": t % inside == 0,
        "expert_tensor divides the experts' width": (model.moe_intermediate_size if model.is_moe else 1) % inside == 0,
        "sharding groups hold whole context groups": shard % c == 0,
        "sharding groups divide the replicas": c * d % shard == 0,
        "expert groups divide the devices of a stage": t * c * d % (e * inside) == 0,
        "expert groups lie in sharding groups": t * shard % (e * inside) == 0,
        "a part of the replicas is sharded over where ZeRO and the stack allow it": (
            (shard == c * d) | np.isin(zero, workload.hybrid_zero)
        ),
        "global_batch = data · micro_batch · microbatches": phase.global_batch % (d * b) == 0,
        "interleaving runs whole rounds": (v == 1) | (phase.global_batch // np.maximum(d * b, 1) % p == 0),
        "ZeRO 2 and 3 go without a pipeline": (zero < 2) | (p == 1),
    }
    return {name: np.asarray(holds, dtype=np.bool_) for name, holds in rules.items()} | _pin_rules(workload, degrees)


def _pin_rules(workload: Workload, degrees: Degrees) -> dict[str, Flags]:
    """What the user pins."""
    pins = {name: getattr(workload.pins, name) for name in degrees}
    return {
        f"{name} is within {pin}": np.vectorize(pin.allows, otypes=[np.bool_])(degrees[name])
        for name, pin in pins.items()
        if isinstance(pin, Pin)
    }


def machine_rules(machine: Machine, degrees: Degrees) -> dict[str, Flags]:
    """Each rule that a machine's nodes and fabric set, and where it holds."""
    t, p, c, d = (np.asarray(degrees[name]) for name in ("tensor", "pipeline", "context", "data"))
    devices, per_node = t * p * c * d, machine.per_node
    return {
        "nodes are whole": (devices % per_node == 0) | (devices < per_node),
        "tensor stays in the fabric": t <= machine.domain,
        "tensor groups fill nodes, or nodes them": (per_node % t == 0) | (t % per_node == 0),
    }


def is_valid(workload: Workload, phase: PhaseWork, machine: Machine, degrees: Degrees) -> Flags:
    """Where all rules hold; of the degrees' broadcast shape."""
    rules = [*layout_rules(workload, phase, degrees).values(), *machine_rules(machine, degrees).values()]
    holds: Flags = np.logical_and.reduce(np.broadcast_arrays(*rules))
    return holds
