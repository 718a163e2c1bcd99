"""One layer: its products from its weights, its traffic, its exchanges, and what recompute runs again."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.models import find_model
from planner.performance import layer as equations
from planner.performance.attention import BACKWARD_ATTENTION, attention_core_seconds
from planner.performance.collectives import EXCHANGE_SHARE, NETWORK_SHARE, SCALE_UP_SHARE
from planner.performance.layer_communication import context_seconds, expert_seconds, tensor_seconds
from planner.performance.matmul import BANDWIDTH_SHARE
from planner.performance.parameters import (
    attention_matrices,
    dense_mlp_matrices,
    expert_matrices,
    router_matrices,
    shared_expert_parameters,
)
from planner.performance.symbols import Architecture, Array

TOKENS = 2048.0
INSTANT_MEMORY = toy.device(memory_bytes_s=1e30)
LINKS, CARD, CARD_OF_EXCHANGE = SCALE_UP_SHARE * 1e11, NETWORK_SHARE * 1e10, EXCHANGE_SHARE * 1e10


def tokens(count: float = TOKENS) -> Array:
    """Rows of a product."""
    return np.asarray(count)


def of_layer(setting: toy.Setting, *, moe: bool = False, **degrees: toy.Number) -> equations.LayerTime:
    """The times of one layer of a setting under a layout."""
    arch, machine = setting.arch, setting.device
    cut = toy.layout(**degrees)
    return equations.layer_time(arch, machine, setting.software, setting.job, cut, setting.constants, moe=moe)


def test_a_linear_layer_is_three_products() -> None:
    """Forward, data gradient and weight gradient of 1024 → 4096 on 2,048 tokens: the same FLOP each."""
    found = equations.linear(tokens(), tokens(4096), tokens(1024), INSTANT_MEMORY, toy.constants())
    once = 2 * TOKENS * 4096 * 1024 / 1e14
    assert (found.forward, found.data_gradient, found.weight_gradient) == pytest.approx((once, once, once))


@pytest.mark.parametrize("shape", [(0, 128, 128), (128, 0, 128), (128, 128, 0), (0, 0, 0)])
def test_absent_linear_layers_take_no_time(shape: tuple[float, float, float]) -> None:
    """A model without experts has linear layers of width 0, on real devices with tiles and latencies too."""
    rows, columns, inner = (tokens(size) for size in shape)
    found = equations.linear(rows, columns, inner, toy.device(compute_units=132), toy.constants(shape_elements=60))
    assert found.forward == found.data_gradient == found.weight_gradient == 0


@pytest.mark.parametrize("name", ["gpt3-175b", "llama3.1-8b", "llama3.1-405b", "qwen3-235b-a22b", "deepseek-v3"])
@pytest.mark.parametrize("moe", [False, True])
def test_products_of_a_layer_are_its_weights(name: str, *, moe: bool) -> None:
    """On one device with instant memory a layer takes 2 FLOP per weight and token; experts' gradients some more."""
    arch = Architecture.of(find_model(name))
    found = equations.layer_products(arch, INSTANT_MEMORY, toy.layout(), tokens(), toy.constants(), moe=moe)
    weights, starting = attention_matrices(arch) + dense_mlp_matrices(arch), np.asarray(0.0)
    if moe:
        rows = TOKENS * arch.top_k / np.maximum(arch.experts, 1)
        always = attention_matrices(arch) + shared_expert_parameters(arch) + router_matrices(arch)
        weights = always + arch.top_k * expert_matrices(arch)
        starting = arch.top_k * expert_matrices(arch) * equations.GROUPED_ROWS / np.maximum(rows, 1)
    assert found.forward == pytest.approx(2 * TOKENS * weights / 1e14, rel=1e-9)
    assert found.data_gradient == pytest.approx(found.forward, rel=1e-9)
    assert found.weight_gradient == pytest.approx(2 * TOKENS * (weights + starting) / 1e14, rel=1e-9)


def test_tensor_parallelism_divides_the_products() -> None:
    """Four ranks do a quarter each; keys and values of fewer groups than ranks are computed by several."""
    arch = toy.architecture()
    whole, quarter = (
        equations.layer_products(arch, INSTANT_MEMORY, toy.layout(tensor=t), tokens(), toy.constants(), moe=False)
        for t in (1, 4)
    )
    assert quarter.forward == pytest.approx(whole.forward / 4)
    shared = toy.architecture(kv_heads=2)
    extra = [
        equations.attention_projections(shared, INSTANT_MEMORY, toy.layout(tensor=t), tokens(), toy.constants())
        for t in (2, 8)
    ]
    one_group = 2 * TOKENS * 2 * 128 * 1024 / 1e14
    assert 8 * extra[1].forward - 2 * extra[0].forward == pytest.approx((8 - 2) * one_group)


def test_experts_share_the_tokens_that_the_group_sends() -> None:
    """Whatever the expert degree, a device computes k copies of its own share of tokens; fewer experts, longer rows."""
    arch = toy.mixture()
    whole, spread = (
        equations.routed_experts(arch, INSTANT_MEMORY, toy.layout(expert=e), tokens(), toy.constants()) for e in (1, 8)
    )
    copies = 2 * TOKENS * 4 * 2 * 1024 * 1024 / 1e14
    assert whole.forward == spread.forward == pytest.approx(copies)
    assert whole.weight_gradient == pytest.approx(copies * (1 + equations.GROUPED_ROWS / (TOKENS * 4 / 16)))
    assert spread.weight_gradient == pytest.approx(copies * (1 + equations.GROUPED_ROWS / (TOKENS * 4 / 2)))


@pytest.mark.parametrize(
    ("rows", "forward", "weight_gradient"),
    [(64, 0.23, 0.21), (256, 0.80, 0.55), (1024, 0.90, 0.84), (4096, 0.94, 0.92)],
)
def test_grouped_products_of_an_h200(rows: float, forward: float, weight_gradient: float) -> None:
    """Shares of a large product's rate as measured on one H200, within 0.1; few rows slow weight gradients most."""
    setting = toy.system("mixtral-8x7b", "H200-141GB-SXM", "bf16", "megatron")
    copies = rows * setting.arch.experts / setting.arch.top_k
    found = equations.routed_experts(setting.arch, setting.device, toy.layout(), copies, setting.constants)
    ideal = 2 * copies * setting.arch.top_k * expert_matrices(setting.arch) / setting.device.low_matmul_flops_s
    assert ideal / found.forward == pytest.approx(forward, abs=0.1)
    assert ideal / found.weight_gradient == pytest.approx(weight_gradient, abs=0.1)


of_width = partial(equations.elementwise_bytes, quantised=tokens(0), biased=tokens(0))
"""Memory traffic where nothing is quantised and experts have no biases."""


def test_traffic_of_a_dense_layer() -> None:
    """20·h + 4·(a + g)·d + 4·f bytes per token, 6·f when gated; sequence parallelism shards them all."""
    plain, gated = toy.architecture(), toy.architecture(gated=1.0, kv_heads=2)

    def moved(arch: Architecture, sequence_parallel: float = 1, **degrees: toy.Number) -> Array:
        cut, stack = toy.layout(**degrees), toy.software(sequence_parallel=sequence_parallel)
        width = arch.dense_ffn / cut.tensor
        return of_width(arch, stack, toy.job(), cut, width=width, moe=0.0, traffic=tokens(1))

    assert moved(plain) == 2048 * (20 * 1024 + 4 * 16 * 128 + 4 * 4096)
    assert moved(gated) == 2048 * (20 * 1024 + 4 * 10 * 128 + 6 * 4096)
    assert moved(plain, tensor=4) == moved(plain) / 4
    assert moved(plain, 0, tensor=4) == 2048 * (20 * 1024 + (4 * 16 * 128 + 4 * 4096) / 4)
    assert moved(plain, context=2, micro_batch=4) == 2 * moved(plain)


def test_traffic_of_copies_and_casts() -> None:
    """Experts move 12 bytes per element of each token copy, times what permutation costs; 8 bit quantises inputs."""
    arch, cut = toy.mixture(), toy.layout()
    arguments = (arch, toy.software(cast_traffic=1.0))
    width = arch.top_k * arch.expert_ffn
    plain, permuted = (
        of_width(*arguments, toy.job(), cut, width=width, moe=1.0, traffic=tokens(traffic)) for traffic in (0, 3)
    )
    assert permuted - plain == 2048 * 3 * 12 * 4 * 1024
    low = toy.job(low_precision=1.0, cast_bytes=6.0)
    cast = of_width(*arguments, low, cut, width=width, quantised=width, moe=1.0, traffic=tokens(0))
    assert cast - plain == 2048 * 6 * (2 * 1024 + 2 * 1024 + 3 * 4096)


@given(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3))
def test_smooth_maximum(first: float, second: float) -> None:
    """Never below the larger, at most a fifth above it, and the larger itself when the other is nothing."""
    found = equations.smooth_max(tokens(first), tokens(second), 4)
    larger = max(first, second)
    assert larger * (1 - 1e-12) <= found <= larger * 2**0.25 * (1 + 1e-12)
    assert equations.smooth_max(tokens(first), tokens(0), 4) == pytest.approx(first)
    assert equations.smooth_max(tokens(first), tokens(second), 2) >= found * (1 - 1e-12)


def test_fused_attention_core() -> None:
    """2·tokens·a·keys·(d + d_v) FLOP on half of the keys, at a rate that falls with few of them."""
    forward, backward = attention_core_seconds(
        toy.architecture(), toy.device(), toy.software(), toy.job(), toy.layout(), toy.constants()
    )
    keys = 2048 / 2
    assert forward == pytest.approx(2 * 2048 * 8 * keys * 256 / 1e14 * (1 + 128 / keys))
    assert backward == pytest.approx(BACKWARD_ATTENTION * forward)


@pytest.mark.parametrize("degrees", [{"tensor": 4.0}, {"context": 4.0}])
def test_heads_and_context_divide_the_attention_core(degrees: dict[str, toy.Number]) -> None:
    """A quarter of the heads, or a quarter of the queries on all keys: a quarter of the time."""
    arguments = (toy.architecture(), toy.device(), toy.software(), toy.job())
    whole, _ = attention_core_seconds(*arguments, toy.layout(), toy.constants())
    part, _ = attention_core_seconds(*arguments, toy.layout(**degrees), toy.constants())
    assert part == pytest.approx(whole / 4)


@given(st.sampled_from([1024.0, 4096.0, 16384.0]), st.sampled_from([1.0, 8.0]))
def test_unfused_attention_is_slower(sequence: float, tensor: float) -> None:
    """It computes the masked half too and streams all scores through memory."""
    fused, unfused = (
        attention_core_seconds(
            toy.architecture(),
            toy.device(),
            toy.software(fused_attention=flag),
            toy.job(sequence=sequence),
            toy.layout(tensor=tensor),
            toy.constants(),
        )
        for flag in (1, 0)
    )
    assert unfused[0] > 2 * fused[0]
    assert unfused[1] > fused[1]


def test_windows_shorten_attention() -> None:
    """A window of a sixteenth of the sequence leaves less than a quarter of the time, unless it is only masked."""
    long = toy.job(sequence=65536)
    everything, local = (
        attention_core_seconds(arch, toy.device(), toy.software(), long, toy.layout(), toy.constants())[0]
        for arch in (toy.architecture(), toy.architecture(window=4096.0, full_attention_share=0.0))
    )
    assert local < everything / 4
    masked, _ = attention_core_seconds(
        toy.architecture(window=4096.0, full_attention_share=0.0),
        toy.device(),
        toy.software(skips_window=0.0),
        long,
        toy.layout(),
        toy.constants(),
    )
    assert masked == pytest.approx(everything)


def test_tensor_exchange() -> None:
    """Attention and MLP each all-gather and reduce-scatter 2·tokens·h bytes, 7/8 of them over the links."""
    cut = toy.layout(tensor=8)
    found = tensor_seconds(
        toy.architecture(), toy.device(), toy.software(), toy.job(), cut, toy.constants(), blocks=2.0
    )
    assert found == pytest.approx(4 * 2 * 2048 * 1024 * 7 / 8 / LINKS)
    overlapped = tensor_seconds(
        toy.architecture(),
        toy.device(),
        toy.software(tensor_overlap=1.0),
        toy.job(),
        cut,
        toy.constants(tensor_exposed=0.4),
        blocks=2.0,
    )
    assert overlapped == pytest.approx(0.4 * found)


def test_whole_experts_leave_one_sharded_block() -> None:
    """Without expert tensor parallelism and shared experts only attention is gathered and scattered."""
    cut = toy.layout(tensor=8)
    assert equations.sharded_blocks(toy.architecture(), cut, moe=False) == 2
    assert equations.sharded_blocks(toy.mixture(), cut, moe=True) == 1
    assert equations.sharded_blocks(toy.mixture(shared_ffn=1024.0), cut, moe=True) == 2
    assert equations.sharded_blocks(toy.mixture(), toy.layout(tensor=8, expert_tensor=8), moe=True) == 2


def test_context_exchange() -> None:
    """Keys and values of 8 heads, 2·2·s·a·d bytes, pass around four devices: three quarters of them arrive."""
    arguments = (toy.architecture(), toy.device(), toy.layout(context=4), toy.job())
    size = 2 * 2048 * 8 * 256
    nothing_to_hide = context_seconds(*arguments, tokens(0), toy.constants(), passes=1.0)
    assert nothing_to_hide == pytest.approx(size * 3 / 4 / LINKS)
    assert context_seconds(*arguments, tokens(1), toy.constants(), passes=1.0) == 0
    leaking = context_seconds(*arguments, tokens(1), toy.constants(overlap_leak=0.2), passes=2.0)
    assert leaking == pytest.approx(0.2 * 2 * nothing_to_hide)


def test_context_exchange_of_few_heads() -> None:
    """Grouped queries send their groups only, and t > g ranks each a whole group; latent attention sends all heads."""
    seconds = [
        context_seconds(
            arch, toy.device(), toy.layout(context=2, tensor=t), toy.job(), tokens(0), toy.constants(), passes=1.0
        )
        for arch, t in (
            (toy.architecture(), 1),
            (toy.architecture(kv_heads=2), 1),
            (toy.architecture(kv_heads=2), 4),
            (toy.architecture(kv_rank=512.0, kv_heads=2), 1),
        )
    ]
    assert seconds[1] == pytest.approx(seconds[0] / 4)
    assert seconds[2] == pytest.approx(seconds[0] / 8)
    assert seconds[3] == pytest.approx(seconds[0])


def expert_exchange(
    expert: float, *, domain: float = 8, deduplicates: float = 0, expert_overlap: float = 0, **degrees: toy.Number
) -> Array:
    """Dispatch and combine of a layer with 4 of 16 experts."""
    return expert_seconds(
        toy.mixture(),
        toy.device(scale_up_domain=domain),
        toy.software(deduplicates=deduplicates, expert_overlap=expert_overlap),
        toy.job(),
        toy.layout(expert=expert, **degrees),
        toy.constants(),
    )


COPY = 2 * 2048 * 1024
"""Bytes of one copy of the micro-batch's tokens."""


def test_expert_exchange_inside_a_domain() -> None:
    """Of k copies (e − 1)/e leave the device, there and back, over the links alone."""
    assert expert_exchange(8) == pytest.approx(2 * 4 * COPY * 7 / 8 / LINKS)


def test_expert_exchange_across_domains() -> None:
    """Sixteen devices in two domains of eight: half of the copies cross, once each over the network cards."""
    assert expert_exchange(16) == pytest.approx(2 * 4 * COPY / 2 / CARD_OF_EXCHANGE)


def test_a_wider_domain_keeps_the_exchange_off_the_network() -> None:
    """Crossing costs nothing where the group fits the domain; a copy that crosses is one that the links are spared."""
    within = expert_exchange(16, domain=16)
    assert within == pytest.approx(2 * 4 * COPY * 15 / 16 / LINKS)
    assert within < expert_exchange(16, domain=8) < expert_exchange(16, domain=4)


@pytest.mark.parametrize(("domains", "top_k"), [(2, 1), (2, 4), (3, 3), (4, 2), (4, 4)])
def test_deduplicated_tokens_cross_once_per_domain(domains: int, top_k: int) -> None:
    """The closed form is the mean number of other domains over all ways to choose k experts' domains."""
    choices = list(product(range(domains), repeat=top_k))
    crossed = np.mean([len(set(choice) - {0}) for choice in choices])
    once = expert_seconds(
        toy.mixture(top_k=float(top_k)),
        toy.device(scale_up_bytes_s=1e30),
        toy.software(deduplicates=1.0),
        toy.job(),
        toy.layout(expert=8.0 * domains),
        toy.constants(),
    )
    assert once == pytest.approx(2 * COPY * crossed / CARD_OF_EXCHANGE)


@pytest.mark.parametrize(("devices", "top_k"), [(2, 1), (2, 4), (4, 3), (4, 4)])
def test_deduplicated_tokens_reach_a_device_once(devices: int, top_k: int) -> None:
    """Inside a domain the closed form is the mean number of other devices over all ways to choose k of them."""
    choices = list(product(range(devices), repeat=top_k))
    reached = np.mean([len(set(choice) - {0}) for choice in choices])
    once = expert_seconds(
        toy.mixture(top_k=float(top_k)),
        toy.device(),
        toy.software(deduplicates=1.0),
        toy.job(),
        toy.layout(expert=float(devices)),
        toy.constants(),
    )
    assert once == pytest.approx(2 * COPY * reached / LINKS)


@pytest.mark.parametrize(("groups", "open_to_token", "reached"), [(8, 4, 4), (4, 2, 4), (8, 8, 8), (1, 1, 8)])
def test_node_limited_routing_reaches_fewer_domains(groups: float, open_to_token: float, reached: float) -> None:
    """A token of 64 experts reaches its groups' domains of eight and no other, each but its own over the network."""
    found = expert_seconds(
        toy.mixture(experts=64.0, top_k=8.0, expert_groups=groups, groups_per_token=open_to_token),
        toy.device(scale_up_bytes_s=1e30),
        toy.software(deduplicates=1.0),
        toy.job(),
        toy.layout(expert=64.0),
        toy.constants(),
    )
    crossed = reached * (1 - (1 - 1 / reached) ** 8) * 7 / 8
    assert found == pytest.approx(2 * COPY * crossed / CARD_OF_EXCHANGE)


def test_deduplication_and_overlap_only_help() -> None:
    """A stack that sends a token once per domain, or hides the exchange, waits less for it."""
    assert expert_exchange(16, deduplicates=1) < expert_exchange(16)
    assert expert_exchange(16, expert_overlap=0.9) == pytest.approx(0.1 * expert_exchange(16))


def test_degrees_of_one_exchange_nothing() -> None:
    """With t = c = e = 1 a layer does not communicate."""
    alone = of_layer(toy.toy(toy.mixture(), collective_seconds=1e-3), moe=True)
    assert alone.tensor_forward == alone.context_forward == alone.context_backward == alone.expert_forward == 0


def test_time_of_a_dense_layer() -> None:
    """Products, attention core and traffic, forward; backward the products and the traffic twice."""
    found = of_layer(toy.toy())
    products = 2 * 2048 * (4 * 1024**2 + 2 * 1024 * 4096) / 1e14
    core = 2 * 2048 * 8 * 1024 * 256 / 1e14 * (1 + 128 / 1024)
    assert found.linear_forward == pytest.approx(products)
    assert found.attention_core_forward == pytest.approx(core)
    assert found.compute_forward == pytest.approx(products + core)
    assert found.compute_backward == pytest.approx(2 * products + BACKWARD_ATTENTION * core)
    streaming = of_layer(toy.toy().with_software(elementwise_traffic=1.0))
    stream = 2048 * (20 * 1024 + 4 * 16 * 128 + 4 * 4096) / (BANDWIDTH_SHARE * 1e12)
    assert streaming.compute_forward - found.compute_forward == pytest.approx(stream)
    assert streaming.compute_backward - found.compute_backward == pytest.approx(2 * stream)


def test_a_pass_is_no_shorter_than_its_launches() -> None:
    """Twenty launches of a millisecond outlast a small layer's kernels, experts launch more, backward twice as many."""
    slow_host = toy.toy(toy.mixture()).with_software(host_seconds=1e-3, moe_host_kernels=120.0)
    dense, moe = of_layer(slow_host), of_layer(slow_host, moe=True)
    assert dense.compute_forward == pytest.approx(equations.DENSE_KERNELS * 1e-3, rel=1e-3)
    assert moe.compute_forward == pytest.approx((equations.DENSE_KERNELS + 120) * 1e-3, rel=1e-3)
    assert moe.compute_backward == pytest.approx(2 * moe.compute_forward, rel=1e-3)


def test_experts_are_launched_one_by_one() -> None:
    """Sixteen experts on one device cost four times the launches of four, unless fused products take them all.

    Those are written for gated experts.
    """
    few, many = (
        of_layer(
            toy.toy(toy.mixture()).with_software(host_seconds=1e-3, expert_host_kernels=8.0),
            moe=True,
            data=4.0,
            expert=expert,
        ).compute_forward
        for expert in (4.0, 1.0)
    )
    assert few == pytest.approx((equations.DENSE_KERNELS + 4 * 8) * 1e-3, rel=1e-2)
    assert many == pytest.approx((equations.DENSE_KERNELS + 16 * 8) * 1e-3, rel=1e-2)
    gated, plain = (
        toy.toy(toy.mixture(gated=gate)).with_software(host_seconds=1e-3, expert_host_kernels=8.0)
        for gate in (1.0, 0.0)
    )
    assert of_layer(gated.with_device(fused_experts=1.0), moe=True).compute_forward < 0.1 * few
    assert of_layer(plain.with_device(fused_experts=1.0), moe=True).compute_forward == pytest.approx(many)


def test_fused_experts_move_less() -> None:
    """Kernels that permute and quantise inside the product leave the copies' own bytes, and no casts of experts."""
    apart = toy.toy(toy.mixture(gated=1.0), moe_traffic=3.0).with_software(moe_traffic=1.0, elementwise_traffic=1.0)
    fused = apart.with_device(fused_experts=1.0)
    saved = of_layer(apart, moe=True).compute_forward - of_layer(fused, moe=True).compute_forward
    assert saved == pytest.approx(2048 * 2 * 12 * 4 * 1024 / (BANDWIDTH_SHARE * 1e12))


def test_biases_of_experts_take_kernels_of_their_own() -> None:
    """44 bytes per inner and 10 per outer element of each copy, where no product adds them."""
    plain, biased = (
        of_width(
            toy.mixture(expert_bias=bias),
            toy.software(),
            toy.job(),
            toy.layout(),
            width=tokens(4096),
            biased=tokens(1),
            moe=1.0,
            traffic=tokens(1),
        )
        for bias in (0.0, 1.0)
    )
    assert biased - plain == 2048 * 4 * (44 * 1024 + 10 * 1024)


def test_a_frozen_base_needs_no_weight_gradients() -> None:
    """LoRA's backward pass has one product per weight matrix instead of two."""
    full, frozen = of_layer(toy.toy()), of_layer(toy.toy().with_job(trains_base=0.0))
    assert frozen.compute_forward == full.compute_forward
    assert full.compute_backward - frozen.compute_backward == pytest.approx(full.linear_forward)


def test_generic_stacks_run_slower_kernels() -> None:
    """Products and attention take the calibrated factor longer; memory traffic does not."""
    tuned = toy.toy(generic_stack=1.25)
    generic = tuned.with_software(generic=1.0)
    assert of_layer(generic).compute_forward == pytest.approx(1.25 * of_layer(tuned).compute_forward)


def test_full_recompute_runs_the_forward_pass_again() -> None:
    """Computation and every exchange of it, for the share of the layers that is recomputed."""
    setting = toy.toy(toy.mixture())
    degrees: dict[str, toy.Number] = {"tensor": 4.0, "context": 2.0, "expert": 4.0}
    found = of_layer(setting, moe=True, **degrees)
    forward = found.compute_forward + found.tensor_forward + found.context_forward + found.expert_forward
    for share in (0.0, 0.25, 1.0):
        again = equations.recompute_seconds(found, setting.software, toy.layout(**degrees, recompute_full=share))
        assert again == pytest.approx(share * forward)


def test_selective_recompute_runs_what_the_stack_says() -> None:
    """A share of the linear forward, and the attention core where the stack drops its result."""
    found = of_layer(toy.toy())
    cut = toy.layout(recompute_selective=1.0)
    core = equations.recompute_seconds(found, toy.software(), cut)
    mixed = equations.recompute_seconds(found, toy.software(selective_linear=0.3, selective_attention=0.0), cut)
    assert core == pytest.approx(found.attention_core_forward)
    assert mixed == pytest.approx(0.3 * found.linear_forward)


@given(st.sampled_from(toy.SYSTEMS), st.sampled_from([1.0, 2.0, 8.0]), st.sampled_from([1.0, 4.0]))
def test_parts_of_real_layers_are_consistent(names: tuple[str, str, str, str], tensor: float, batch: float) -> None:
    """Nothing is negative, the parts fit their pass, and the backward pass outlasts the forward pass."""
    setting = toy.system(*names)
    for moe in (False, True)[: 1 + bool(setting.arch.experts > 0)]:
        found = of_layer(setting, moe=moe, tensor=tensor, micro_batch=batch)
        assert all(getattr(found, name) >= 0 for name in found.__dataclass_fields__)
        assert found.attention_core_forward + found.linear_forward <= found.compute_forward
        assert found.compute_backward > found.compute_forward


def test_layers_broadcast() -> None:
    """A grid of degrees at once is every pair of degrees alone."""
    setting = toy.system(*toy.SYSTEMS[3])
    tensor, expert = [1.0, 2.0, 4.0], [1.0, 2.0, 8.0]
    grid = of_layer(setting, moe=True, tensor=np.asarray(tensor)[:, np.newaxis], expert=expert)
    for (i, t), (j, e) in product(enumerate(tensor), enumerate(expert)):
        alone = of_layer(setting, moe=True, tensor=t, expert=e)
        for name in grid.__dataclass_fields__:
            whole = np.broadcast_to(getattr(grid, name), (3, 3))
            assert whole[i, j] == pytest.approx(getattr(alone, name), rel=1e-12), name


def test_gating_adds_a_third_matrix() -> None:
    """At the same width a gated MLP takes half as long again; at two thirds of it as long."""
    plain, wide, narrow = (
        equations.mlp(
            toy.architecture(gated=gated), INSTANT_MEMORY, tokens(width), tokens(), toy.constants(), tokens(1)
        )
        for gated, width in ((0, 3072), (1, 3072), (1, 2048))
    )
    assert wide.forward == pytest.approx(1.5 * plain.forward)
    assert narrow.forward == pytest.approx(plain.forward)
