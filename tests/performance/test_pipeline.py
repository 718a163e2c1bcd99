"""Stages, schedules and what is in flight: small pipelines by hand, published layouts, and the laws of bubbles."""

from __future__ import annotations

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.performance import pipeline as p
from planner.performance.collectives import NETWORK_SHARE, SCALE_UP_SHARE
from planner.performance.symbols import Array

COUNTS = st.integers(1, 64).map(float)


def scalar(value: float) -> Array:
    """A number as an array."""
    return np.asarray(value)


def test_tokens_and_rounds_of_a_micro_batch() -> None:
    """b·s/c tokens on a device and B/(b·DP) micro-batches per replica, never less than one."""
    work = toy.job(sequence=2048, global_batch=64)
    assert p.micro_batch_tokens(work, toy.layout(micro_batch=2, context=4)) == 1024
    assert p.microbatches(work, toy.layout(micro_batch=2, data=8)) == 4
    assert p.microbatches(work, toy.layout(micro_batch=2, data=64)) == 1


@pytest.mark.parametrize(
    ("layers", "pipeline", "virtual", "counts_embedding", "largest", "last"),
    [
        (8, 1, 1, 0, 8, 8),
        (8, 4, 1, 0, 2, 2),
        (96, 8, 3, 0, 12, 12),
        (61, 16, 1, 0, 4, 1),  # DeepSeek-V3: fifteen stages of four and one
        (126, 16, 1, 1, 8, 7),  # Llama 3.1 405B: 126 layers, embedding and loss on 16 stages of eight slots
        (126, 16, 8, 1, 8, 7),
        (126, 16, 1, 0, 8, 6),
        (9, 4, 1, 0, 3, 2),
    ],
)
def test_layers_of_the_fullest_and_of_the_last_stage(
    layers: float, pipeline: float, virtual: float, counts_embedding: float, largest: float, last: float
) -> None:
    """Layers that divide are dealt evenly; of the others the last stage, with the logits, gets the fewer."""
    arch = toy.architecture(layers=layers, dense_layers=layers)
    stack = toy.software(counts_embedding=counts_embedding)
    cut = toy.layout(pipeline=pipeline, virtual_pipeline=virtual)
    assert p.largest_stage_layers(arch, stack, cut) == largest
    assert p.last_stage_layers(arch, stack, cut) == last


@given(COUNTS, st.integers(2, 64), st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([0.0, 1.0]))
def test_stages_hold_all_layers(more: float, stages: int, virtual: float, counts_embedding: float) -> None:
    """Full stages and the last together have room for every layer, and no stage has more than the fullest."""
    layers = stages + more - 1
    arch = toy.architecture(layers=layers, dense_layers=layers)
    stack = toy.software(counts_embedding=counts_embedding)
    cut = toy.layout(pipeline=stages, virtual_pipeline=virtual)
    full, last = p.largest_stage_layers(arch, stack, cut), p.last_stage_layers(arch, stack, cut)
    assert (cut.pipeline - 1) * full + last >= layers
    assert 0 <= last <= full <= layers


@pytest.mark.parametrize(
    ("pipeline", "virtual", "share", "seconds"),
    [(1, 1, 1, 16), (4, 1, 1, 16 + 3 * 1.5), (4, 3, 1, 16 + 1.5), (4, 1, 0.4, 16 + 1.8)],
)
def test_schedule(pipeline: float, virtual: float, share: float, seconds: float) -> None:
    """Eight micro-batches of 2 s on the slowest stage, and (p − 1)/v of 1.5 s on an average one for the bubble."""
    cut, stack = toy.layout(pipeline=pipeline, virtual_pipeline=virtual), toy.software(bubble=share)
    found = p.schedule_seconds(scalar(8), scalar(2), scalar(1.5), stack, cut.pipeline, cut.virtual_pipeline)
    assert found == pytest.approx(seconds)


@given(st.integers(1, 1000), st.integers(1, 64), st.integers(1, 12))
def test_bubble_share(m: int, stages: int, virtual: int) -> None:
    """(p − 1)/(v·m) of the work, so it falls with more micro-batches and with more chunks."""

    def bubble(m: float, v: float) -> float:
        cut = toy.layout(pipeline=stages, virtual_pipeline=v)
        passes = p.schedule_seconds(scalar(m), scalar(1), scalar(1), toy.software(), cut.pipeline, cut.virtual_pipeline)
        return float(passes) / m - 1

    assert bubble(m, virtual) == pytest.approx((stages - 1) / (virtual * m), abs=1e-12)
    assert bubble(m + 1, virtual) <= bubble(m, virtual) + 1e-12
    assert bubble(m, virtual + 1) <= bubble(m, virtual) + 1e-12


def test_sends_between_nodes() -> None:
    """Per chunk, micro-batch and direction 1/t of 2·tokens·h bytes over each network card; p − 1 more to fill."""
    cut = toy.layout(tensor=4, pipeline=4, virtual_pipeline=2)
    size = 2 * 2048 * 1024 / 4
    sends = 2 * (8 * 2 + 3)
    found = p.send_seconds(toy.job(), toy.architecture(), toy.device(), toy.software(), cut, scalar(8))
    assert found == pytest.approx(p.SEND_EXPOSED * sends * size / (NETWORK_SHARE * 1e10))


def test_sends_inside_a_scale_up_domain() -> None:
    """A job that fits the domain sends over its links."""
    cut = toy.layout(pipeline=4, data=2)
    found = p.send_seconds(toy.job(), toy.architecture(), toy.device(), toy.software(), cut, scalar(8))
    assert found == pytest.approx(p.SEND_EXPOSED * 2 * 11 * 2 * 2048 * 1024 / (SCALE_UP_SHARE * 1e11))


def test_stacks_that_do_not_scatter_send_whole_copies() -> None:
    """Ranks of a tensor-parallel group that each send everything take t times as long."""
    cut = toy.layout(tensor=8, pipeline=4)
    scattered, whole = (
        p.send_seconds(toy.job(), toy.architecture(), toy.device(), toy.software(sends_sharded=s), cut, scalar(8))
        for s in (1, 0)
    )
    assert whole == pytest.approx(8 * scattered)


def test_one_stage_sends_nothing() -> None:
    """With p = 1 there is neither a bubble nor a send."""
    cut = toy.layout(data=64)
    assert p.send_seconds(toy.job(), toy.architecture(), toy.device(), toy.software(), cut, scalar(8)) == 0
    assert p.schedule_seconds(scalar(8), scalar(2), scalar(1), toy.software(), cut.pipeline, cut.virtual_pipeline) == 16


@pytest.mark.parametrize(
    ("m", "pipeline", "virtual", "first", "last"),
    [
        (8, 4, 1, 4, 1),  # 1F1B holds as many as there are stages
        (2, 4, 1, 2, 1),  # but no more than there are
        (8, 1, 1, 1, 1),
        (64, 4, 2, 4 + 3 / 2, 2.5),  # p·(1 + (p − 1)/(p·v)); ((v − 1)·p + 1)/v
        (64, 8, 3, 8 + 7 / 3, 17 / 3),  # 175B: 8 stages of 3 chunks, 1.29 times as many
        (64, 35, 3, 35 + 34 / 3, 71 / 3),  # 530B: 35 stages of 3 chunks
        (5, 4, 2, 5, 2.5),
    ],
)
def test_in_flight(m: float, pipeline: float, virtual: float, first: float, last: float) -> None:
    """Korthikanti et al. 2022, section 4.2.3, in micro-batches times a stage's layers."""
    cut = toy.layout(pipeline=pipeline, virtual_pipeline=virtual)
    assert p.in_flight(toy.software(), cut, scalar(m)) == pytest.approx(first)
    assert p.in_flight_last(cut, scalar(m)) == pytest.approx(last)


def test_stacks_that_free_late_hold_more() -> None:
    """A slack of 0.4 keeps 40 % more micro-batches under pipelining, never more than there are, and none without."""
    stack = toy.software(pipeline_slack=0.4)
    assert p.in_flight(stack, toy.layout(pipeline=10), scalar(64)) == pytest.approx(14)
    assert p.in_flight(stack, toy.layout(pipeline=10), scalar(12)) == 12
    assert p.in_flight(stack, toy.layout(), scalar(64)) == 1


@given(COUNTS, COUNTS, st.integers(1, 8))
def test_the_first_stage_holds_at_least_as_much_as_the_last(m: float, stages: float, virtual: int) -> None:
    """More warm-up micro-batches are in flight at the beginning of the pipeline than at its end."""
    cut = toy.layout(pipeline=stages, virtual_pipeline=virtual)
    assert p.in_flight(toy.software(), cut, scalar(m)) >= p.in_flight_last(cut, scalar(m)) - 1e-12
    assert p.in_flight_last(cut, scalar(m)) <= m
