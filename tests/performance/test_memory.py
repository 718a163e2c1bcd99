"""Memory of the fullest stage: states and activations by hand, Korthikanti's published figures, and the laws."""

from __future__ import annotations

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.models import find_model
from planner.performance import memory as equations
from planner.performance.memory import Memory
from planner.performance.parameters import expert_adapter_parameters, low_rank_adapter_parameters, total_parameters
from planner.performance.symbols import Architecture, Array

LAYER = 4 * 1024**2 + 2 * 1024 * 4096 + 2 * 1024.0
"""Parameters of a toy layer."""
TABLE = 32768 * 1024.0
DEGREES = st.fixed_dictionaries(
    {
        "tensor": st.sampled_from([1.0, 2.0, 8.0]),
        "pipeline": st.sampled_from([1.0, 2.0, 4.0]),
        "context": st.sampled_from([1.0, 2.0]),
        "data": st.sampled_from([1.0, 8.0, 64.0]),
        "micro_batch": st.sampled_from([1.0, 2.0]),
        "zero": st.sampled_from([0.0, 1.0, 2.0]),
    }
)
SYSTEM = st.sampled_from(toy.SYSTEMS)
Names = tuple[str, str, str, str]
Degrees = dict[str, toy.Number]


def of(setting: toy.Setting, **degrees: toy.Number) -> Memory:
    """Memory of a setting under a layout."""
    return setting.evaluate(**degrees).memory


def states(memory: Memory) -> float:
    """Weights, gradients and optimizer states together."""
    return float(memory.weights + memory.gradients + memory.optimizer)


def kept(setting: toy.Setting, **degrees: toy.Number) -> Array:
    """Bytes that one layer keeps for one micro-batch."""
    arguments = (setting.arch, setting.software, setting.job, toy.layout(**degrees))
    return equations.stored_activation_bytes(*arguments, equations.layer_activation_bytes(*arguments))


def test_states_on_one_device() -> None:
    """Two bytes of weights, four of gradients and twelve of Adam's per parameter: 18."""
    found = of(toy.toy())
    parameters = 8 * LAYER + 2 * TABLE
    assert found.weights == 2 * parameters
    assert found.gradients == 4 * parameters
    assert found.optimizer == 12 * parameters


def test_tied_tables_are_held_once_until_a_pipeline_separates_them() -> None:
    """Embedding and head share a table on one stage; first and last stage of several hold one each, tied or not."""
    tied = toy.toy(toy.architecture(tied=1.0))
    assert of(toy.toy()).weights - of(tied).weights == 2 * TABLE
    assert of(toy.toy(), pipeline=4).weights == of(tied, pipeline=4).weights == 2 * (2 * LAYER + TABLE)


def test_states_of_gpt3() -> None:
    """175 billion parameters at 18 bytes over t·p = 96 devices are 33 GB, and a little for the vocabulary."""
    arch = Architecture.of(find_model("gpt3-175b"))
    found = states(of(toy.toy(arch), tensor=8, pipeline=12))
    assert found == pytest.approx(18 * total_parameters(arch) / 96, rel=0.05)
    assert found > 18 * 96 * 12 * 12288**2 / 96


@pytest.mark.parametrize(("zero", "bytes_each"), [(0, 18), (1, 6 + 12 / 8), (2, 2 + 16 / 8), (3, 18 / 8)])
def test_zero_stages_shard_states(zero: float, bytes_each: float) -> None:
    """Rajbhandari et al. 2020, figure 1: 18, 6 + 12/n, 2 + 16/n and 18/n bytes per parameter over n = 8 replicas."""
    found = of(toy.toy(), data=8, zero=zero)
    assert states(found) == pytest.approx(bytes_each * (8 * LAYER + 2 * TABLE))
    fetched = 2 * (equations.GATHERED_LAYERS * LAYER + TABLE) if zero == 3 else 0
    assert found.other == pytest.approx(fetched)


def test_nothing_is_fetched_without_replicas() -> None:
    """ZeRO-3 on one replica holds no layer twice."""
    assert of(toy.toy(), data=1, zero=3).other == of(toy.toy(), data=1, zero=0).other


def test_context_ranks_share_states_too() -> None:
    """Context-parallel devices are replicas of the weights, so states shard over DP·CP."""
    assert states(of(toy.toy(), data=4, context=2, zero=3)) == pytest.approx(states(of(toy.toy(), data=8, zero=3)))


def test_sharding_in_smaller_groups() -> None:
    """HSDP over groups of 8 in 64 replicas keeps an eighth."""
    assert states(of(toy.toy(), data=64, shard=8, zero=3)) == pytest.approx(states(of(toy.toy(), data=8, zero=3)))


def test_expert_states_shard_over_their_own_replicas() -> None:
    """Eight replicas, experts over four: an expert has two replicas, so ZeRO-1 halves its 12 bytes."""
    found = of(toy.toy(toy.mixture()), data=8, expert=4, zero=1)
    dense = 8 * (4 * 1024**2 + 2 * 1024 + 16 * 1024) + 2 * TABLE
    experts = 8 * 16 * 2 * 1024 * 1024 / 4
    assert found.weights == pytest.approx(2 * (dense + experts))
    assert found.optimizer == pytest.approx(12 * (dense / 8 + experts / 2))


def test_the_fullest_stage_holds_whole_layers() -> None:
    """61 layers on 16 stages: four layers' states on the fullest, not 61/16."""
    arch = toy.architecture(layers=61.0, dense_layers=61.0)
    assert of(toy.toy(arch), pipeline=16).weights == pytest.approx(2 * (4 * LAYER + TABLE))


def test_adapters_carry_the_only_gradients_of_a_frozen_base() -> None:
    """LoRA: 2 bytes per base parameter; 2 + 4 + 12 per parameter of the adapters."""
    setting = toy.toy().with_job(trains_base=0.0, adapter_rank=16.0)
    adapters = low_rank_adapter_parameters(setting.arch, np.asarray(16.0))
    found = of(setting)
    assert found.weights == 2 * (8 * LAYER + 2 * TABLE + adapters)
    assert found.gradients == 4 * adapters
    assert found.optimizer == 12 * adapters


def test_adapters_of_experts_stay_with_their_experts() -> None:
    """16 experts over 8 ranks: each rank trains the adapters of two, and ZeRO-1 shards their optimizer states."""
    setting = toy.toy(toy.mixture()).with_job(trains_base=0.0, adapter_rank=16.0)
    alone, spread = of(setting, data=8, expert=1), of(setting, data=8, expert=8)
    of_experts = expert_adapter_parameters(setting.arch, np.asarray(16.0))
    assert alone.gradients - spread.gradients == pytest.approx(4 * of_experts * 7 / 8)
    assert of(setting, data=8, zero=1).optimizer == pytest.approx(alone.optimizer / 8)


@pytest.mark.parametrize("tensor", [1, 8])
@pytest.mark.parametrize("sequence_parallel", [0, 1])
@pytest.mark.parametrize("fused", [0, 1])
def test_activations_of_a_layer(tensor: float, sequence_parallel: float, fused: float) -> None:
    """Korthikanti et al. 2022, equations 2 and 4, less the two dropout masks of s·b·h bytes that no one keeps today.

    s·b·h·(8 + 24/t + 5·a·s/(h·t)) without and s·b·h/t·(32 + 5·a·s/h) with sequence parallelism; fused attention
    keeps no scores.
    """
    setting = toy.toy().with_software(sequence_parallel=sequence_parallel, fused_attention=fused)
    scores = (1 - fused) * 5 * 8 * 2048 / 1024
    expected = (32 + scores) / tensor if sequence_parallel else 8 + (24 + scores) / tensor
    assert kept(setting, tensor=tensor, micro_batch=4) == pytest.approx(2048 * 4 * 1024 * expected)


@pytest.mark.parametrize(
    ("hidden", "heads", "sequence_parallel", "selective", "both", "full"),
    [
        (6144, 64, 66.84, 49.42, 16.18, 7.64),
        (12288, 96, 62.04, 56.53, 18.49, 8.71),
        (20480, 128, 58.31, 62.04, 20.27, 9.42),
    ],
)
def test_published_activation_shares(
    hidden: float, heads: float, sequence_parallel: float, selective: float, both: float, full: float
) -> None:
    """Korthikanti et al. 2022, figure 7: per cent of tensor parallelism alone, with the dropout masks put back."""
    head = hidden / heads
    arch = toy.architecture(
        hidden=hidden, heads=heads, kv_heads=heads, query_key_head=head, value_head=head, dense_ffn=4 * hidden
    )
    setting = toy.toy(arch).with_software(fused_attention=0.0, selective_kept=1.0)
    masks = 2 * 2048 * hidden

    def total(parallel: float, **recompute: toy.Number) -> float:
        stack = setting.with_software(sequence_parallel=parallel)
        masked = masks / (8 if parallel else 1)
        return float(kept(stack, tensor=8, **recompute)) + (0 if "recompute_full" in recompute else masked)

    shares = (
        total(1),
        total(0, recompute_selective=1),
        total(1, recompute_selective=1),
        total(0, recompute_full=1),
    )
    assert [100 * one / total(0) for one in shares] == pytest.approx(
        [sequence_parallel, selective, both, full], abs=0.2
    )


def test_activations_of_grouped_gated_and_eight_bit_layers() -> None:
    """Norm input and output, queries, keys, values, output, two widths and their product; linear inputs in 8 bit."""
    setting = toy.toy(toy.architecture(kv_heads=2, gated=1.0))
    attention = 2 * 1024 + 2 * 1024 + 2 * (8 + 2 * 2) * 128 + 2 * 1024
    mlp = 2 * 1024 + 2 * 1024 + 2 * (2 * 4096) + 2 * 4096
    assert kept(setting) == 2048 * (attention + mlp)
    low = setting.with_job(low_precision=1.0).with_software(stores_low_precision=1.0)
    assert kept(setting) - kept(low) == 2048 * (1024 + 1024 + 1024 + 4096)
    assert kept(setting.with_job(low_precision=1.0)) == kept(setting)


def test_activations_of_expert_layers() -> None:
    """Each of k copies keeps the token's input and output and its expert's widths; shared experts come on top."""
    plain, sparse = (kept(toy.toy(arch)) for arch in (toy.architecture(), toy.mixture(shared_ffn=512.0)))
    copies = 4 * (4 * 1024 + 4 * 1024)
    assert sparse - plain == 2048 * (copies + 4 * 512 - 4 * 4096)


def test_stacks_that_keep_gathered_inputs() -> None:
    """They keep the norms' outputs whole on every rank: 2·h per block instead of 2·h/t."""
    gathered = toy.toy().with_software(keeps_gathered=1.0)
    assert kept(gathered, tensor=8) - kept(toy.toy(), tensor=8) == 2048 * 2 * 2 * 1024 * 7 / 8


@pytest.mark.parametrize(("sequence_parallel", "expected"), [(1, 2 * 2048 * 1024 / 8), (0, 2 * 2048 * 1024)])
def test_full_recompute_keeps_inputs(sequence_parallel: float, expected: float) -> None:
    """2·s·b·h per layer, sharded over the tensor-parallel ranks only under sequence parallelism."""
    setting = toy.toy().with_software(sequence_parallel=sequence_parallel)
    assert kept(setting, tensor=8, recompute_full=1) == expected


def test_recompute_of_some_layers() -> None:
    """A quarter of the layers in full, a quarter selectively, half kept whole."""
    whole, inputs = float(kept(toy.toy())), 2 * 2048 * 1024
    mixed = kept(toy.toy(), recompute_full=0.25, recompute_selective=0.25)
    assert mixed == pytest.approx(0.5 * whole + 0.25 * 0.5 * whole + 0.25 * inputs)


def test_peak_of_the_first_stage() -> None:
    """Four stages, eight layers: two layers for each of four micro-batches in flight, and the working layer."""
    found = of(toy.toy(), pipeline=4)
    assert found.activations == pytest.approx(2 * 4 * float(kept(toy.toy())))
    recomputed = of(toy.toy(), pipeline=4, recompute_full=1)
    inputs = 2 * 2048 * 1024
    assert recomputed.activations == pytest.approx(2 * 4 * inputs + float(kept(toy.toy())))


def test_logits_move_the_peak_to_the_last_stage() -> None:
    """Ten bytes per logit of a large vocabulary outweigh the three more micro-batches of the first stage."""
    setting = toy.toy(toy.architecture(vocabulary=262144.0)).with_software(logits_bytes=10.0)
    found = of(setting, pipeline=4)
    assert found.other == 10 * 2048 * 262144
    assert found.activations == pytest.approx(2 * float(kept(toy.toy())))
    alone = of(setting)
    assert alone.activations + alone.other == pytest.approx(8 * float(kept(toy.toy())) + 10 * 2048 * 262144)


def test_reserve_and_margin() -> None:
    """Fragmentation is a share of what is allocated, the context grows with the devices, the margin is a quantile's."""
    found = of(toy.toy(fragmentation=0.05, context_bytes=5e9, communicator_bytes=1e9, memory_deviation=0.1), data=8.0)
    assert found.reserve == pytest.approx(0.05 * found.allocated + 5e9 + 3e9)
    compiled = toy.toy(fragmentation=0.05, context_bytes=5e9, communicator_bytes=1e9)
    planned = of(compiled.with_software(communication_buffers=0.0), data=8.0)
    assert planned.reserve == pytest.approx(0.05 * planned.allocated + 5e9)
    assert found.reserved(1.5) == pytest.approx(np.exp(0.15) * (1.05 * found.allocated + 8e9))
    assert found.fit_probability(found.allocated + 8e9) == pytest.approx(0.5)
    assert found.fit_probability(np.exp(0.12816) * (found.allocated + 8e9)) == pytest.approx(0.9, abs=1e-4)
    assert found.fit_probability(found.reserved(1.2816)) > 0.9


@given(SYSTEM, DEGREES)
def test_parts_add_up(names: Names, degrees: Degrees) -> None:
    """No part is negative; allocated, expected and reserved memory each contain the one before."""
    found = of(toy.system(*names), **degrees)
    parts = [found.weights, found.gradients, found.optimizer, found.activations, found.other]
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(float(found.allocated))
    assert found.allocated + found.reserve == pytest.approx(float(found.expected))
    assert found.expected + found.margin(1.0) == pytest.approx(float(found.reserved(1.0)))
    assert found.allocated < found.expected < found.reserved(1.0)


@given(SYSTEM, DEGREES)
def test_sharding_more_states_never_takes_memory(names: Names, degrees: Degrees) -> None:
    """Each ZeRO stage up to 2 needs at most what the one before does; stage 3 holds less of weights than any."""
    setting = toy.system(*names)
    stages = [of(setting, **degrees | {"zero": stage}) for stage in (0.0, 1.0, 2.0, 3.0)]
    assert stages[0].allocated >= stages[1].allocated >= stages[2].allocated
    assert stages[2].weights >= stages[3].weights


@given(st.sampled_from([names for names in toy.SYSTEMS if names[0] in {"llama3.1-8b", "gpt3-175b"}]), DEGREES)
def test_sharded_parameters_save_memory_in_large_groups(names: Names, degrees: Degrees) -> None:
    """Over eight replicas and more, ZeRO-3 saves more weights than the layers it gathers take."""
    setting, many = toy.system(*names), degrees | {"data": 8.0}
    assert of(setting, **many | {"zero": 3.0}).allocated <= of(setting, **many | {"zero": 2.0}).allocated


@given(SYSTEM, DEGREES)
def test_more_recompute_never_takes_memory(names: Names, degrees: Degrees) -> None:
    """None, half, all layers recomputed in full: each needs at most what the one before does."""
    setting = toy.system(*names)
    none, half, full = (of(setting, **degrees, recompute_full=share).allocated for share in (0.0, 0.5, 1.0))
    assert none >= half >= full


@given(SYSTEM, DEGREES)
def test_larger_micro_batches_take_memory(names: Names, degrees: Degrees) -> None:
    """Twice the sequences at a time never keep fewer activations and logits."""
    setting = toy.system(*names)
    small, large = (of(setting, **degrees | {"micro_batch": b}).allocated for b in (1.0, 2.0))
    assert large >= small


@given(SYSTEM, DEGREES)
def test_context_parallelism_divides_activations(names: Names, degrees: Degrees) -> None:
    """Twice the devices per sequence keep half of its activations each, and half of its logits."""
    setting = toy.system(*names)
    one, two = (of(setting, **degrees | {"context": c, "zero": 0.0}) for c in (1.0, 2.0))
    assert two.activations == pytest.approx(one.activations / 2)
    assert two.other == pytest.approx(one.other / 2)


@given(st.sampled_from([names for names in toy.SYSTEMS if names[0] not in {"mixtral-8x7b", "deepseek-v3"}]), DEGREES)
def test_adapters_take_less_memory_than_training_the_whole(names: Names, degrees: Degrees) -> None:
    """LoRA drops the base's gradients and optimizer states and adds little."""
    setting = toy.system(*names)
    frozen = setting.with_job(trains_base=0.0, adapter_rank=16.0)
    unsharded = degrees | {"data": 1.0}
    assert of(frozen, **unsharded).allocated < of(setting, **unsharded).allocated
    assert of(frozen, **unsharded).optimizer < 0.05 * of(setting, **unsharded).optimizer


def test_separate_kernels_keep_copies_that_recompute_drops() -> None:
    """Eager norms keep 32-bit copies of their input: 4·h a norm more, but nothing under selective recompute."""
    fused, eager = (toy.toy().with_software(unfused_kept=kept, selective_kept=1.0) for kept in (0.0, 1.0))
    tokens_kept = 8 * 2048 * 2 * 4 * 1024
    assert float(eager.evaluate().memory.activations - fused.evaluate().memory.activations) == tokens_kept
    again, lean = (float(one.evaluate(recompute_selective=1.0).memory.activations) for one in (eager, fused))
    assert again == lean


def test_selective_recompute_keeps_what_experts_were_sent() -> None:
    """Of a mixture the stack's share of all but the k copies that the exchange delivered, which it does not repeat."""
    setting = toy.toy(toy.mixture())
    copies = 2048 * 4 * 2 * 1024
    computed = kept(setting) - copies
    assert kept(setting, recompute_selective=1.0) == pytest.approx(copies + 0.5 * computed)
