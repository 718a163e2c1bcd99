"""What replicas exchange: volumes follow ZeRO and what is trained, overlap hides."""

from __future__ import annotations

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.performance import data_parallel as equations
from planner.performance.collectives import NETWORK_HOP_SECONDS, NETWORK_SHARE, SCALE_UP_SHARE
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.parameters import low_rank_adapter_parameters
from planner.performance.symbols import Array

LINKS, CARD = SCALE_UP_SHARE * 1e11, NETWORK_SHARE * 1e10
LAYERS = 8 * (4 * 1024**2 + 2 * 1024 * 4096 + 2 * 1024.0)
"""Parameters of the toy transformer's layers: projections, MLP and two norms."""
TABLE = 32768 * 1024.0
HELD = LAYERS + 2 * TABLE
"""What a device of a pipeline of one exchanges: all layers, the token table and the output projection."""


def exposed(setting: toy.Setting, *, hiding: float = 0.0, microbatches: float = 8.0, **degrees: toy.Number) -> Array:
    """Exposed data-parallel seconds of a step whose micro-batches compute for `hiding` seconds."""
    return equations.gradient_exchange_seconds(
        setting.arch,
        setting.device,
        setting.software,
        setting.job,
        toy.layout(**degrees),
        setting.constants,
        micro_batch_seconds=np.asarray(hiding),
        microbatches=np.asarray(microbatches),
    )


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_one_replica_exchanges_nothing(zero: float) -> None:
    """DP = CP = 1: no data-parallel communication at any stage."""
    assert exposed(toy.toy(collective_seconds=1e-3), tensor=4, pipeline=2, zero=zero) == 0


def test_gradients_are_all_reduced() -> None:
    """Without ZeRO: twice 7/8 of two bytes per parameter over the links, once a step."""
    assert exposed(toy.toy(), data=8) == pytest.approx(2 * 2 * HELD * 7 / 8 / LINKS)


@pytest.mark.parametrize("zero", [1, 2])
def test_sharded_states_scatter_and_gather(zero: float) -> None:
    """ZeRO-1 and 2: gradients scattered, 16-bit parameters gathered, the volume of an all-reduce in 16 bit."""
    assert exposed(toy.toy(), data=8, zero=zero) == pytest.approx(exposed(toy.toy(), data=8))
    wide = toy.toy().with_software(gradient_wire_bytes=4.0)
    assert exposed(wide, data=8, zero=zero) == pytest.approx((4 + 2) * HELD * 7 / 8 / LINKS)


def test_sharded_parameters_are_gathered_for_every_micro_batch() -> None:
    """ZeRO-3: two gathers and a scatter per micro-batch, half as much again as an all-reduce."""
    once = exposed(toy.toy(), data=8)
    assert exposed(toy.toy(), data=8, zero=3) == pytest.approx(8 * 1.5 * once)


def test_a_tied_table_and_a_stage_have_one_table_to_exchange() -> None:
    """Whole and untied: both tables; tied, or on the first or last of two stages: one."""
    tied = toy.toy(toy.architecture(tied=1.0))
    assert exposed(tied, data=8) == pytest.approx(2 * 2 * (LAYERS + TABLE) * 7 / 8 / LINKS)
    staged = exposed(toy.toy(), data=8, pipeline=2)
    assert staged == pytest.approx(2 * 2 * (LAYERS / 2 + TABLE) * 7 / 8 / LINKS)
    assert exposed(tied, data=8, pipeline=2) == pytest.approx(staged)


def test_the_fullest_stage_exchanges_whole_layers() -> None:
    """Eight layers on three stages: three layers' gradients on the fullest, not 8/3."""
    found = exposed(toy.toy(), data=8, pipeline=3)
    assert found == pytest.approx(2 * 2 * (LAYERS * 3 / 8 + TABLE) * 7 / 8 / LINKS)


def test_across_nodes_the_cards_decide() -> None:
    """Sixteen replicas of eight ranks each: every rank has its own card, and both rings take fifteen steps."""
    found = exposed(toy.toy(), tensor=8, data=16)
    assert found == pytest.approx(2 * (2 * HELD / 8 * 15 / 16 / CARD + 15 * NETWORK_HOP_SECONDS))


def test_sharding_inside_groups_reduces_between_them() -> None:
    """HSDP, groups of 8 in 4 nodes: gathers stay in the node, an eighth of the gradients goes around the nodes.

    Each layer is reduced by itself, in two passes of a ring of three steps.
    """
    inside = 1.5 * 2 * 2 * HELD * 7 / 8 / LINKS
    between = 2 * 2 * HELD / 8 * 3 / 4 / CARD
    waiting = 2 * 8 * 3 * NETWORK_HOP_SECONDS
    assert exposed(toy.toy(), data=32, zero=3, shard=8, microbatches=1) == pytest.approx(inside + between + waiting)


def test_experts_are_reduced_between_sharding_groups_too() -> None:
    """HSDP of a mixture: each group of 8 holds all experts once, so theirs go around the nodes as a whole."""
    setting = toy.toy(toy.mixture())
    dense, experts = 8 * (4 * 1024**2 + 16 * 1024 + 2 * 1024) + 2 * TABLE, 8 * 16 * 2 * 1024 * 1024 / 8
    inside = 1.5 * 2 * 2 * dense * 7 / 8 / LINKS
    between = 2 * 2 * (dense / 8 + experts) * 3 / 4 / CARD
    waiting = 2 * 2 * 8 * 3 * NETWORK_HOP_SECONDS
    found = exposed(setting, data=32, zero=3, shard=8, expert=8, microbatches=1)
    assert found == pytest.approx(inside + between + waiting)


def test_experts_are_reduced_over_their_own_replicas() -> None:
    """Experts on as many devices as there are replicas have none to agree with; the rest of the model has."""
    setting = toy.toy(toy.mixture())
    always = 8 * (4 * 1024**2 + 16 * 1024 + 2 * 1024) + 2 * TABLE
    assert exposed(setting, data=8, expert=8) == pytest.approx(2 * 2 * always * 7 / 8 / LINKS)
    experts = 8 * 16 * 2 * 1024 * 1024 / 2
    expected = 2 * 2 * (always * 7 / 8 + experts * 3 / 4) / LINKS
    assert exposed(setting, data=8, expert=2) == pytest.approx(expected)


def test_overlap_hides_the_exchange() -> None:
    """A stack that overlaps hides what fits one micro-batch, but for the leak; one that does not hides nothing."""
    setting = toy.toy(overlap_leak=0.2).with_software(data_overlap=1.0)
    alone = exposed(setting, data=8)
    assert exposed(setting, data=8, hiding=10) == pytest.approx(0.2 * alone)
    assert exposed(setting, data=8, hiding=float(alone) / 2) == pytest.approx(0.6 * alone)
    assert exposed(toy.toy(), data=8, hiding=10) == pytest.approx(alone)


def test_late_gathers_wait_for_the_end_of_the_step() -> None:
    """Stacks that gather updated parameters after the step expose it whatever there is to hide under."""
    setting = toy.toy().with_software(data_overlap=1.0, parameter_gather_exposed=1.0)
    gather = 2 * HELD * 7 / 8 / LINKS
    assert exposed(setting, data=8, zero=1, hiding=10) == pytest.approx(gather)
    assert exposed(setting, data=8, zero=0, hiding=10) == 0


@pytest.mark.parametrize("zero", [0, 1, 2])
def test_a_frozen_base_has_no_gradients_to_reduce(zero: float) -> None:
    """LoRA's base exchanges nothing, but for the parameters that ZeRO-3 gathers."""
    frozen = toy.toy().with_job(trains_base=0.0)
    assert exposed(frozen, data=8, zero=zero) == 0
    assert exposed(frozen, data=8, zero=3, microbatches=1) == pytest.approx(2 * 2 * HELD * 7 / 8 / LINKS)


@pytest.mark.parametrize("zero", [0, 1, 2])
def test_adapters_are_all_that_a_frozen_base_exchanges(zero: float) -> None:
    """LoRA: the adapters' gradients are reduced and, sharded, the adapters gathered; ZeRO-3 gathers the base too."""
    setting = toy.toy().with_job(trains_base=0.0, adapter_rank=16.0)
    adapters = low_rank_adapter_parameters(setting.arch, np.asarray(16.0))
    assert exposed(setting, data=8, zero=zero) == pytest.approx(2 * 2 * adapters * 7 / 8 / LINKS)
    whole = 2 * (2 * (HELD + adapters)) + 2 * adapters
    assert exposed(setting, data=8, zero=3, microbatches=1) == pytest.approx(whole * 7 / 8 / LINKS)


def test_compressed_gradients() -> None:
    """A byte instead of two halves the all-reduce; quantising moves eight bytes per gradient through memory."""
    compressed = toy.toy().with_job(compressed_gradients=1.0)
    quantising = equations.COMPRESSION_TRAFFIC * HELD / (BANDWIDTH_SHARE * 1e12)
    assert exposed(compressed, data=8) == pytest.approx(exposed(toy.toy(), data=8) / 2 + quantising)
    assert exposed(compressed, tensor=8, data=16) < exposed(toy.toy(), tensor=8, data=16)


@given(
    st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    st.sampled_from([1.0, 2.0, 8.0, 64.0]),
    st.sampled_from([1.0, 4.0, 8.0]),
    st.floats(0, 1),
    st.floats(1, 10),
)
def test_laws_of_the_exchange(zero: float, data: float, tensor: float, hiding: float, factor: float) -> None:
    """Never negative; never longer on a faster network, on faster links, or under more compute to hide it."""
    setting = toy.toy(overlap_leak=0.2, collective_seconds=1e-5).with_software(data_overlap=1.0)
    network, links = setting.on_device(network_bytes_s=factor), setting.on_device(scale_up_bytes_s=factor)
    base, *better = (
        exposed(one, hiding=compute, zero=zero, data=data, tensor=tensor)
        for one, compute in ((setting, hiding), (network, hiding), (links, hiding), (setting, hiding * factor))
    )
    assert base >= 0
    assert max(better) <= base * (1 + 1e-12)
