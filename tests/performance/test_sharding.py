"""What devices hold: parameters add up to the model, tables stand on the first and the last stage."""

from __future__ import annotations

import pytest
import toy

from planner.catalog.models import find_model, load_models
from planner.performance import sharding as equations
from planner.performance.parameters import parameters_by_part, total_parameters
from planner.performance.symbols import Architecture


@pytest.mark.parametrize("name", sorted(load_models()))
def test_devices_of_a_replica_hold_the_model(name: str) -> None:
    """Summed over t·p and e·p devices: all but the vocabulary tables, positions and norms outside of layers."""
    arch = Architecture.of(find_model(name))
    cut = toy.layout(tensor=4, pipeline=2, expert=8)
    dense = equations.dense_parameters_per_device(arch, cut) * cut.tensor * cut.pipeline
    experts = equations.expert_parameters_per_device(arch, cut) * cut.expert * cut.pipeline
    parts = parameters_by_part(arch)
    outside = (
        parts["embedding"]
        + parts["head"]
        + parts["norms"]
        - arch.layers * arch.norms_per_layer * (arch.norm_size * arch.hidden)
    )
    assert dense + experts == pytest.approx(float(total_parameters(arch) - outside), rel=1e-12)
    assert equations.embedding_parameters_per_device(arch, cut) * cut.tensor == arch.vocabulary * arch.hidden


def test_parameters_of_deepseek_v3_per_device() -> None:
    """Sixteen stages and 64 expert ranks: 671 billion less the tables, of which 1/1024 of the experts on each."""
    arch = Architecture.of(find_model("deepseek-v3"))
    cut = toy.layout(pipeline=16, expert=64, data=128)
    assert equations.expert_parameters_per_device(arch, cut) == 58 * 256 * 3 * 7168 * 2048 / 1024
    assert equations.expert_replicas(cut) == 2


@pytest.mark.parametrize(
    ("degrees", "replicas"),
    [
        ({"data": 8.0}, 8),
        ({"data": 8.0, "expert": 8.0}, 1),
        ({"data": 8.0, "expert": 4.0}, 2),
        ({"data": 2.0, "tensor": 4.0, "expert": 8.0}, 1),
        ({"data": 8.0, "tensor": 4.0, "expert": 8.0, "expert_tensor": 4.0}, 1),
        ({"data": 1.0, "context": 4.0, "expert": 2.0}, 2),
        ({"data": 1.0, "expert": 8.0}, 1),
    ],
)
def test_expert_replicas(degrees: dict[str, toy.Number], replicas: float) -> None:
    """DP·CP·TP/(EP·ETP): the experts' own, smaller group; at least the device itself."""
    assert equations.expert_replicas(toy.layout(**degrees)) == replicas


@pytest.mark.parametrize(
    ("degrees", "ways"),
    [
        ({"data": 64.0, "expert": 8.0}, (64, 8)),
        ({"data": 64.0, "expert": 8.0, "shard": 8.0}, (8, 1)),
        ({"data": 64.0, "expert": 4.0, "shard": 8.0}, (8, 2)),
        ({"data": 8.0, "tensor": 2.0, "expert": 4.0, "expert_tensor": 2.0, "shard": 4.0}, (4, 1)),
    ],
)
def test_experts_are_sharded_within_a_group(degrees: dict[str, toy.Number], ways: tuple[float, float]) -> None:
    """Of a group of S, S·TP/(EP·ETP) devices hold the same experts."""
    assert [float(one) for one in equations.state_shards(toy.layout(**degrees))] == list(ways)


@pytest.mark.parametrize(("tied", "pipeline", "tables"), [(0, 1, 2), (1, 1, 1), (0, 2, 1), (1, 2, 1)])
def test_vocabulary_tables_of_the_fullest_stage(tied: float, pipeline: float, tables: float) -> None:
    """Both on a single stage, one where they are tied; of several stages the first and the last have one each."""
    arch = toy.architecture(tied=tied)
    held = equations.held_parameters(arch, toy.software(), toy.job(), toy.layout(pipeline=pipeline))
    layers = 8 * (4 * 1024**2 + 2 * 1024 * 4096 + 2 * 1024) / pipeline
    assert held.dense == held.trained_dense == layers + tables * 32768 * 1024
