"""The layouts that are searched are all there are: held against every tuple of integers that keeps the rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from defined_layouts import DEGREES, evaluated, every_layout

from planner.layouts.degrees import degrees_of
from planner.layouts.fastest import best_layouts
from planner.layouts.layout_space import layout_space, valid_rows
from planner.layouts.wall_time import replicas_left
from planner.layouts.workload import Workload, workload_of
from planner.market.placements import Machine, placements
from planner.problem.problem import Problem
from planner.verify.validity import layout_rules, machine_rules

DENSE = {
    "num_hidden_layers": 6,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "intermediate_size": 3072,
    "vocab_size": 32000,
    "hidden_act": "silu",
}
EXPERTS = {name: value for name, value in DENSE.items() if name != "intermediate_size"} | {
    "n_routed_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 1536,
}
HYBRID = DENSE | {
    "model_type": "bamba",
    "attn_layer_indices": [1, 4],
    "mamba_n_heads": 12,
    "mamba_d_head": 128,
    "mamba_n_groups": 1,
    "mamba_d_state": 64,
}
OFFERS: list[dict[str, Any]] = [
    {"name": "small", "accelerator": "L4", "gpus_per_node": 3},
    {"name": "large", "accelerator": "H100-80GB-SXM5", "gpus_per_node": 8},
    {"name": "odd", "accelerator": "A100-40GB-SXM4", "gpus_per_node": 6},
]
JOBS: list[dict[str, Any]] = [
    {},
    {"model": EXPERTS},
    {"phase": {"global_batch": 30, "sequence_length": 12000}},
    {"phase": {"global_batch": 30, "sequence_length": 12000}, "model": EXPERTS},
    {"model": DENSE | {"num_hidden_layers": 7}, "phase": {"global_batch": 21}},
    {"training": {"software": {"stack": "megatron", "release": "2025-06"}}},
    {"training": {"gradient_compression": "int8"}, "phase": {"sequence_length": 36000}},
    {"training": {"method": "lora", "rank": 8}, "phase": {"sequence_length": 36000}},
    {"training": {"offload": ["activations", "optimizer"]}, "phase": {"sequence_length": 24000}},
    {"training": {"optimizer": "paged-adamw-8bit", "fused_loss": True, "software": {"stack": "pytorch-fsdp"}}},
    {"training": {"method": "qlora", "offload": ["parameters"]}, "phase": {"sequence_length": 36000}},
    {"model": HYBRID},
    {"training": {"multi_token_prediction": True}, "model": EXPERTS | {"num_nextn_predict_layers": 1}},
    {"limits": {"memory_confidence": "60%", "memory_headroom": 0}, "phase": {"sequence_length": 24000}},
    {"layout": {"pipeline": [4, 5], "context": "<=3", "zero": [0, 2, 3]}},
    {"limits": {"memory_headroom": "55%", "gpus": 24}, "phase": {"sequence_length": 24000}},
    {"training": {"software": {"stack": "megatron", "release": "2025-06"}}, "model": EXPERTS},
    {"training": {"software": {"stack": "megatron", "release": "2024-06"}}, "model": EXPERTS},
    {"training": {"software": {"stack": "pytorch-fsdp"}}, "model": EXPERTS},
    {"training": {"software": {"stack": "maxtext"}}, "phase": {"sequence_length": 36000}},
    {"layout": {"shard": [2, 4, 12], "expert_tensor": "<=4"}, "model": EXPERTS},
]


def job(changes: dict[str, Any]) -> Problem:
    """A small job on three kinds of machines, one of which has little memory."""
    phase = {"tokens": "1B", "sequence_length": 2048, "global_batch": 24} | changes.get("phase", {})
    return Problem.model_validate(
        {
            "schema": "plan/1",
            "model": changes.get("model", DENSE),
            "training": {"phases": [phase], **changes.get("training", {})},
            "market": {"clouds": [], "offers": [one | {"on_demand": "$1/GPU-h"} for one in OFFERS]},
            "limits": {"gpus": 24} | changes.get("limits", {}),
            "layout": changes.get("layout", {}),
        }
    )


def machines_of(problem: Problem) -> list[Machine]:
    """What is offered."""
    return [one.machine for one in placements(problem)]


def tuples(columns: dict[str, Any]) -> set[tuple[int, ...]]:
    """Layouts as tuples of their degrees."""
    return set(zip(*(columns[name].tolist() for name in DEGREES), strict=True))


@pytest.mark.parametrize("changes", JOBS)
def test_every_valid_layout_is_generated(changes: dict[str, Any]) -> None:
    """What is generated for any machine is exactly what the definition allows on some number of its devices."""
    problem = job(changes)
    workload = workload_of(problem)
    work, widest = workload.phases[0], max(machines_of(problem), key=lambda one: one.domain)
    degrees = degrees_of(workload, work, widest.domain)
    generated = [rows.degrees for rows in valid_rows(workload, work, degrees, np.inf, 24)]
    for rows in generated:
        assert all(holds.all() for holds in layout_rules(workload, work, rows).values())
    placed = {one for rows in generated for one in tuples(_where_placeable(widest, rows))}
    assert placed == tuples(every_layout(workload, work, widest, 24))


def _where_placeable(machine: Machine, rows: dict[str, Any]) -> dict[str, Any]:
    """The layouts that a machine's nodes can be cut into."""
    holds = np.logical_and.reduce(list(machine_rules(machine, rows).values()))
    return {name: one[holds] for name, one in rows.items()}


@pytest.mark.slow
@pytest.mark.parametrize("changes", JOBS)
@pytest.mark.parametrize("loses_replicas", [False, True])
def test_nothing_beats_the_best_layouts(changes: dict[str, Any], *, loses_replicas: bool) -> None:
    """On every machine, and every number of its nodes, the fastest layout of all is among those that are searched."""
    problem = job(changes)
    workload = workload_of(problem)
    machines = machines_of(problem)
    degrees = degrees_of(workload, workload.phases[0], max(one.domain for one in machines))
    space = layout_space(workload, workload.phases[0], degrees, [one.memory_bytes for one in machines], 24)
    for machine in machines:
        most = 24 // machine.per_node
        best = best_layouts(workload, workload.phases[0], machine, space, max_nodes=most, loses_replicas=loses_replicas)
        shares = replicas_left(best.rows.data) if loses_replicas else np.ones(len(best))
        for (nodes, share), seconds in _fastest(workload, machine, loses_replicas=loses_replicas).items():
            no_worse = (best.nodes == nodes) & (shares >= share - 1e-12)
            assert best.step_seconds[no_worse].min(initial=np.inf) <= seconds * (1 + 1e-12)


def _fastest(workload: Workload, machine: Machine, *, loses_replicas: bool) -> dict[tuple[int, float], float]:
    """The least step time of all layouts that fit, by nodes and the share of replicas that goes on without some."""
    work = workload.phases[0]
    found = evaluated(workload, work, machine, every_layout(workload, work, machine, 24))
    least: dict[tuple[int, float], float] = {}
    d = found.degrees
    nodes = -(-(d["tensor"] * d["pipeline"] * d["context"] * d["data"]) // machine.per_node)
    shares = replicas_left(d["data"]) if loses_replicas else np.ones(len(nodes))
    for place in np.flatnonzero(found.fits).tolist():
        key = int(nodes[place]), float(shares[place])
        least[key] = min(least.get(key, np.inf), float(found.step_seconds[place]))
    return least
