"""The time of a step: whole steps by hand, parts that add up, limits, and laws on real systems."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.performance import step as equations
from planner.performance.attention import BACKWARD_ATTENTION
from planner.performance.flops import model_flops_per_token
from planner.performance.layer import layer_time
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.step import StepTime
from planner.performance.symbols import Architecture, Array

DENSE = tuple(names for names in toy.SYSTEMS if names[0] in {"llama3.1-8b", "llama3.1-70b", "gpt3-175b", "gemma2-9b"})
DEGREES = st.fixed_dictionaries(
    {
        "tensor": st.sampled_from([1.0, 2.0, 8.0]),
        "pipeline": st.sampled_from([1.0, 2.0, 4.0, 8.0]),
        "context": st.sampled_from([1.0, 2.0]),
        "data": st.sampled_from([1.0, 8.0, 64.0]),
        "micro_batch": st.sampled_from([1.0, 2.0]),
        "zero": st.sampled_from([0.0, 1.0, 2.0, 3.0]),
        "recompute_full": st.sampled_from([0.0, 0.5]),
        "recompute_selective": st.sampled_from([0.0, 0.5]),
    }
)


def parts(time: StepTime) -> dict[str, float]:
    """Seconds by part."""
    return {part.name: float(getattr(time, part.name)) for part in fields(time)}


LAYER = 2 * 2048 * (4 * 1024**2 + 2 * 1024 * 4096) / 1e14
"""Forward seconds of the toy layer's products."""
CORE = 2 * 2048 * 8 * 1024 * 256 / 1e14 * (1 + 128 / 1024)
"""Forward seconds of its attention core."""
ONE = 3 * LAYER + (1 + BACKWARD_ATTENTION) * CORE
"""Both passes of one layer."""
ADAM_BYTES = 30.0
"""Memory traffic of mixed-precision Adam per parameter: 12 bytes of states in and out, 4 of gradient, 2 of weight."""
HEAD = 3 * 2 * 2048 * 32768 * 1024 / 1e14 + 2048 * 32768 * equations.LOGIT_BYTES / (BANDWIDTH_SHARE * 1e12)
"""Logits and loss of a micro-batch: three products and their traffic."""


def test_a_step_on_one_device() -> None:
    """64 micro-batches through eight layers and the logits, then Adam on all parameters; nothing else."""
    found = toy.toy().evaluate().time
    held = 8 * (4 * 1024**2 + 2 * 1024 * 4096 + 2 * 1024) + 2 * 32768 * 1024
    adam = ADAM_BYTES * held / (BANDWIDTH_SHARE * 1e12)
    zero = dict.fromkeys(parts(found), 0.0)
    assert parts(found) == pytest.approx(zero | {"compute": 64 * (8 * ONE + HEAD), "optimizer": adam})


def test_a_pipelined_step() -> None:
    """Four stages of two layers: the last, with the logits, sets the pace; the bubble is three average stages."""
    found = toy.toy().evaluate(pipeline=4).time
    slowest = max(2 * ONE, 2 * ONE + HEAD)
    assert found.compute == pytest.approx(64 * slowest)
    assert found.pipeline_bubble == pytest.approx(3 * (8 * ONE + HEAD) / 4)
    assert toy.toy().evaluate(pipeline=4, virtual_pipeline=2).time.pipeline_bubble == pytest.approx(
        found.pipeline_bubble / 2
    )


def test_logits_of_a_padded_vocabulary() -> None:
    """50,257 columns on four ranks are computed as 12,672 = 99·128 each; their traffic is that of the real ones."""
    arch = toy.architecture(vocabulary=50257.0)
    found = equations.logits_seconds(arch, toy.device(), toy.job(), toy.layout(tensor=4), toy.constants())
    traffic = 2048 * 50257 / 4 * equations.LOGIT_BYTES / (BANDWIDTH_SHARE * 1e12)
    assert found == pytest.approx(3 * 2 * 2048 * 12672 * 1024 / 1e14 + traffic)
    frozen = equations.logits_seconds(
        arch, toy.device(), toy.job(trains_base=0.0), toy.layout(tensor=4), toy.constants()
    )
    assert found - frozen == pytest.approx(2 * 2048 * 12672 * 1024 / 1e14)


def test_the_mean_layer_weighs_dense_and_sparse_ones() -> None:
    """Two dense layers of eight are a quarter of the mean."""
    setting = toy.toy(toy.mixture(dense_layers=2.0, dense_ffn=8192.0))
    arguments = (setting.arch, setting.device, setting.software, setting.job, toy.layout(), setting.constants)
    mean = equations.mean_layer_time(*arguments)
    dense, moe = (layer_time(*arguments, moe=moe) for moe in (False, True))
    assert mean.linear_forward == pytest.approx(dense.linear_forward / 4 + moe.linear_forward * 3 / 4)


def adam(setting: toy.Setting, **degrees: toy.Number) -> Array:
    """Seconds of the optimizer step under a layout."""
    return equations.optimizer_seconds(
        setting.arch, setting.device, setting.software, setting.job, toy.layout(**degrees)
    )


@pytest.mark.parametrize(("zero", "share"), [(0, 1), (1, 8), (2, 8), (3, 8)])
def test_the_optimizer_step_is_sharded_from_stage_one(zero: float, share: float) -> None:
    """Eight replicas update an eighth each."""
    assert adam(toy.toy(), data=8, zero=zero) == pytest.approx(adam(toy.toy()) / share)


@pytest.mark.parametrize("rank", [0, 16])
@pytest.mark.parametrize("arch", [toy.architecture(), toy.architecture(tied=1.0), toy.mixture()])
@pytest.mark.parametrize(
    "degrees",
    [
        {"data": 8.0},
        {"data": 8.0, "zero": 1.0},
        {"data": 8.0, "zero": 3.0, "shard": 4.0, "expert": 4.0},
        {"pipeline": 2.0, "tensor": 2.0},
        {"pipeline": 3.0},
    ],
)
def test_the_optimizer_updates_what_it_keeps_states_for(
    rank: float, arch: Architecture, degrees: dict[str, toy.Number]
) -> None:
    """Its time and its memory are of the same parameters: tables, whole layers of a stage, or adapters alone."""
    setting = toy.toy(arch).with_job(trains_base=float(rank == 0), adapter_rank=rank)
    updated = setting.evaluate(**degrees).memory.optimizer / setting.job.state_bytes
    assert adam(setting, **degrees) == pytest.approx(updated * ADAM_BYTES / (BANDWIDTH_SHARE * 1e12))
    assert updated > 0


def test_stragglers_grow_with_the_nodes() -> None:
    """A share per doubling of nodes: none in one node, three shares in eight."""
    c = toy.constants(jitter=0.02)
    inside, across = (
        equations.jitter_seconds(np.asarray(10.0), toy.device(), toy.layout(data=data), c) for data in (8, 64)
    )
    assert inside == 0
    assert across == pytest.approx(0.6)


def test_fixed_time_is_spent_once() -> None:
    """Data loading and logging do not depend on the layout."""
    for degrees in ({}, {"data": 8.0}, {"pipeline": 8.0, "tensor": 8.0}):
        fixed, free = (toy.toy(step_seconds=s).evaluate(**degrees).time for s in (0.5, 0))
        assert fixed.total - free.total == pytest.approx(0.5)


@given(st.sampled_from(toy.SYSTEMS), DEGREES)
def test_parts_add_up(names: tuple[str, str, str, str], degrees: dict[str, toy.Number]) -> None:
    """No part is negative and the total is their sum."""
    time = toy.system(*names).evaluate(**degrees).time
    assert min(parts(time).values()) >= -1e-12 * time.total
    assert sum(parts(time).values()) == pytest.approx(float(time.total), rel=1e-12)


@given(st.sampled_from(toy.SYSTEMS), DEGREES)
def test_no_layout_beats_the_matrix_rate(names: tuple[str, str, str, str], degrees: dict[str, toy.Number]) -> None:
    """Model FLOP over the devices' fastest products is a bound: the one that sizing by hand uses."""
    setting, cut = toy.system(*names), toy.layout(**degrees)
    rate = np.maximum(setting.device.matmul_flops_s, setting.device.low_matmul_flops_s)
    tokens = np.maximum(setting.job.global_batch, cut.data * cut.micro_batch) * setting.job.sequence
    flop = model_flops_per_token(setting.arch, setting.job.sequence) * tokens
    devices = cut.tensor * cut.pipeline * cut.context * cut.data
    assert setting.seconds(**degrees) >= flop / (devices * rate)


@given(st.sampled_from(toy.SYSTEMS), DEGREES)
def test_limits_of_degree_one(names: tuple[str, str, str, str], degrees: dict[str, toy.Number]) -> None:
    """A degree of one neither communicates nor waits, a single replica neither; no recompute takes no time."""
    setting = toy.system(*names)
    assert setting.evaluate(**degrees | {"tensor": 1.0}).time.tensor == 0
    assert setting.evaluate(**degrees | {"context": 1.0}).time.context == 0
    assert setting.evaluate(**degrees | {"expert": 1.0}).time.expert == 0
    alone = setting.evaluate(**degrees | {"pipeline": 1.0}).time
    assert alone.pipeline_bubble == alone.pipeline_send == 0
    assert setting.evaluate(**degrees | {"data": 1.0, "context": 1.0, "shard": 1.0}).time.data == 0
    assert setting.evaluate(**degrees | {"recompute_full": 0.0, "recompute_selective": 0.0}).time.recompute == 0


@given(
    st.sampled_from(toy.SYSTEMS),
    DEGREES,
    st.sampled_from(["network_bytes_s", "scale_up_bytes_s", "memory_bytes_s", "scale_up_domain"]),
    st.sampled_from([1.5, 2.0, 8.0]),
)
def test_faster_devices_are_never_slower(
    names: tuple[str, str, str, str], degrees: dict[str, toy.Number], figure: str, factor: float
) -> None:
    """A faster network, faster links, faster memory or a wider scale-up domain never lengthens a step."""
    setting = toy.system(*names)
    assert setting.on_device(**{figure: factor}).seconds(**degrees) <= setting.seconds(**degrees) * (1 + 1e-9)


@given(st.sampled_from(DENSE), DEGREES, st.sampled_from([1.1, 2.0, 8.0]))
def test_faster_products_are_never_slower(
    names: tuple[str, str, str, str], degrees: dict[str, toy.Number], factor: float
) -> None:
    """Where the host keeps up, faster matrix products never lengthen a step, though they hide less."""
    setting = toy.system(*names).with_software(host_seconds=0.0)
    faster = setting.on_device(matmul_flops_s=factor, low_matmul_flops_s=factor)
    assert faster.seconds(**degrees) <= setting.seconds(**degrees) * (1 + 1e-9)


@given(st.sampled_from(toy.SYSTEMS), DEGREES)
def test_more_recompute_is_never_faster(names: tuple[str, str, str, str], degrees: dict[str, toy.Number]) -> None:
    """None, selective, full: each runs more again than the one before."""
    setting = toy.system(*names)
    none, selective, full = (
        setting.seconds(**degrees | {"recompute_full": f, "recompute_selective": s})
        for f, s in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0))
    )
    assert none <= selective * (1 + 1e-12)
    assert selective <= full * (1 + 1e-12)


@given(st.sampled_from(toy.SYSTEMS), st.sampled_from([2.0, 4.0, 8.0]), st.sampled_from([1.0, 2.0]))
def test_bubble_share_falls_with_micro_batches_and_chunks(
    names: tuple[str, str, str, str], pipeline: float, virtual: float
) -> None:
    """Twice the batch halves the bubble's share; twice the chunks halve the bubble."""
    setting = toy.system(*names)
    degrees: dict[str, toy.Number] = {"pipeline": pipeline, "data": 8.0}
    small = setting.evaluate(**degrees, virtual_pipeline=virtual).time
    large = setting.with_job(global_batch=2048.0).evaluate(**degrees, virtual_pipeline=virtual).time
    finer = setting.evaluate(**degrees, virtual_pipeline=2 * virtual).time
    assert large.pipeline_bubble / large.total < small.pipeline_bubble / small.total
    assert finer.pipeline_bubble == pytest.approx(small.pipeline_bubble / 2)


@given(st.sampled_from(toy.SYSTEMS), DEGREES)
def test_adapters_train_faster_than_the_whole(names: tuple[str, str, str, str], degrees: dict[str, toy.Number]) -> None:
    """LoRA: no weight gradients of the base, little to reduce, and an optimizer step on the adapters alone."""
    setting = toy.system(*names)
    frozen = setting.with_job(trains_base=0.0, adapter_rank=16.0).evaluate(**degrees).time
    whole = setting.evaluate(**degrees).time
    assert frozen.total < whole.total
    assert 0 < frozen.optimizer < whole.optimizer / 4


def test_expert_exchange_grows_when_it_leaves_the_domain() -> None:
    """The same expert degree costs more where the group spans several scale-up domains."""
    setting = toy.system("mixtral-8x7b", "H100-80GB-SXM5", "bf16", "megatron")
    inside = setting.evaluate(expert=8, data=16).time.expert
    across = setting.on_device(scale_up_domain=0.25).evaluate(expert=8, data=16).time.expert
    assert 0 < inside < across


def test_compressed_gradients_help_a_slow_network() -> None:
    """8-bit gradients shorten the exposed exchange of many replicas on a tenth of the network."""
    setting = toy.system("llama3.1-8b", "H100-80GB-SXM5", "bf16", "megatron").on_device(network_bytes_s=0.1)
    plain = setting.evaluate(tensor=8, data=64).time.data
    assert setting.with_job(compressed_gradients=1.0).evaluate(tensor=8, data=64).time.data < plain
