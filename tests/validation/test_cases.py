"""From published rows to symbols: names, degrees, gaps that are filled, and reasons to skip."""

from __future__ import annotations

from dataclasses import replace

import pytest
from written_runs import SHAPE, case, rows

from planner.catalog.precisions import find_precision, load_precisions
from planner.catalog.software import DEFAULT_STACK, find_stack
from planner.performance.parameters import total_parameters
from planner.performance.symbols import Array
from planner.validation.cases import ADAPTER_RANK, UNSTATED_ROUNDS, Case, case_of, group
from planner.validation.imputation import MICRO_BATCHES, Skipped
from planner.validation.predict import FITS_WITHIN, memories, settle, table_of, times
from planner.validation.priors import hand_set

MIXTRAL = {"model": "mixtral-8x7b", "seq": "4096"}


def skipped(**cells: str) -> str:
    """The reason why a configuration is not predicted."""
    with pytest.raises(Skipped) as caught:
        case(cells)
    return str(caught.value)


def of(**cells: str) -> Case:
    """The ordinary run with other cells."""
    return case(cells)


def floats(*values: Array) -> tuple[float, ...]:
    """Arrays of one number each as numbers."""
    return tuple(float(value) for value in values)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("H100-SXM-80GB", "H100-80GB-SXM5"),
        ("H100", "H100-80GB-SXM5"),
        ("A100-SXM", "A100-80GB-SXM4"),
        ("A100-SXM-40GB", "A100-40GB-SXM4"),
        ("A800-80GB", "A800-80GB-SXM"),
        ("H800", "H800-80GB-SXM"),
        ("H200-NVL", "H200-141GB-NVL"),
        ("H200", "H200-141GB-SXM"),
        ("B200", "B200-SXM"),
        ("GB200", "GB200"),
        ("GB300", "GB300"),
        ("MI300X", "MI300X"),
        ("MI350X", "MI350X"),
        ("TPU-v5p", "TPUv5p"),
        ("TPU-v6e(Trillium)", "TPUv6e"),
        ("TPU-v7x(Ironwood)", "TPUv7x"),
        ("Gaudi2", "Gaudi2"),
        ("L40S", "L40S"),
        ("V100", "V100-32GB-SXM2"),
        ("nvidia h100 sxm 80gb", "H100-80GB-SXM5"),
    ],
)
def test_spellings_of_devices(spelling: str, name: str) -> None:
    """Files of published runs spell devices in many ways; a shared spelling means the usual device."""
    assert of(gpu=spelling).accelerator.name == name


@pytest.mark.parametrize(
    ("spelling", "name", "arithmetic"),
    [
        ("", "bf16", "bf16"),
        ("bf16", "bf16", "bf16"),
        ("BF16", "bf16", "bf16"),
        ("fp16", "fp16", "fp16"),
        ("fp8", "fp8", "fp8"),
        ("fp8-cs", "fp8-cs", "fp8"),
        ("fp8-subchannel(128x128/1x128)", "fp8-blockwise", "fp8"),
        ("mxfp8", "mxfp8", "fp8"),
        ("nvfp4", "nvfp4", "fp4"),
        ("int8", "int8", "int8"),
    ],
)
def test_spellings_of_precisions(spelling: str, name: str, arithmetic: str) -> None:
    """Every format that files name resolves on a device that has all of them, and to its own peak."""
    found = of(precision=spelling, gpu="B200")
    assert (found.precision.name, found.precision.arithmetic) == (name, arithmetic)
    assert float(found.job.low_precision) == (arithmetic not in {"bf16", "fp16"})


@pytest.mark.parametrize("spelling", sorted(load_precisions()))
def test_low_precision_is_faster_than_none_or_as_fast(spelling: str) -> None:
    """Linear layers in a low precision run at least at the 16-bit rate on a device that has it."""
    device = of(precision=spelling, gpu="B200").device
    if find_precision(spelling).is_low:
        assert device.low_matmul_flops_s > device.matmul_flops_s
    else:
        assert device.low_matmul_flops_s == device.matmul_flops_s


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"gpu": ""}, "the accelerator is not stated"),
        ({"gpu": "abacus"}, "unknown accelerator 'abacus'"),
        ({"precision": "fp7"}, "unknown precision 'fp7'"),
        ({"gpu": "A100", "precision": "fp8"}, "A100-80GB-SXM4 has no fp8 arithmetic"),
        ({"gpu": "H100", "precision": "nvfp4"}, "H100-80GB-SXM5 has no fp4 arithmetic"),
        ({"model": "our-own"}, "model 'our-own' is not in the catalog and its shape is not stated"),
        ({"model": "our-own", "layers": "24", "hidden": "2048"}, "model 'our-own' is not in the catalog"),
        (SHAPE | {"model": "mamba-8b"}, "hybrid state-space models are not covered"),
        ({"seq": ""}, "the sequence length is not stated"),
        ({"n_gpus": ""}, "the number of devices is not stated"),
        ({"tp": "", "pp": "", "n_gpus": "7", "cp": "2"}, "no layout matches the number of devices"),
    ],
)
def test_reasons_to_skip(cells: dict[str, str], reason: str) -> None:
    """What is missing or unknown is told in a few words, and nothing is guessed for it."""
    assert reason in skipped(**cells)


def test_reasons_are_short() -> None:
    """Names of any length are cut in the reason."""
    assert len(skipped(model="m" * 10_000)) < 200
    assert len(skipped(gpu="g" * 10_000)) < 400
    assert len(skipped(precision="p" * 10_000)) < 200


def test_rows_of_a_configuration_are_one_case() -> None:
    """Ids that agree before the slash were measured together."""
    found = group(rows({}, {"id": "ours-0002/mfu"}, {"id": "ours-0001/mfu"}))
    assert [len(members) for members in found] == [2, 1]
    assert [row.metric for row in case_of(found[0]).rows] == ["step_time", "step_time"]


def test_stated_degrees_are_taken() -> None:
    """Nothing is left to choose when micro-batch and recompute are stated."""
    (layout,) = of(tp="4", pp="2", cp="2", dp="4", vpp="5", micro_batch="2", recompute="selective").layouts
    assert floats(layout.tensor, layout.pipeline, layout.context, layout.data) == (4, 2, 2, 4)
    assert floats(layout.virtual_pipeline, layout.micro_batch) == (5, 2)
    assert floats(layout.recompute_full, layout.recompute_selective) == (0, 1)


def test_replicas_that_are_not_stated() -> None:
    """The devices that tensor, pipeline and context leave, at least one."""
    assert of(dp="", tp="4", pp="2", cp="2").layouts[0].data == 4
    assert of(dp="", tp="8", pp="16").layouts[0].data == 1


def test_a_pipeline_of_one_has_no_chunks() -> None:
    """A stated interleaving without pipelining counts as one chunk."""
    assert of(vpp="8", pp="1").layouts[0].virtual_pipeline == 1


@pytest.mark.parametrize(
    ("cells", "virtual"),
    [
        ({"pp": "4"}, 8),  # 32 layers on four stages: a layer per chunk, Megatron's usual choice
        ({"pp": "2"}, 1),  # 16 chunks would be more than anyone uses
        ({"pp": "4", "date": "2021-06"}, 1),  # before interleaving
        ({"pp": "4", "framework": "nanotron"}, 1),
        ({"pp": "5"}, 1),
    ],
)
def test_interleaving_that_is_not_stated(cells: dict[str, str], virtual: float) -> None:
    """Megatron's runs interleave layer by layer where the layers divide into few chunks; others do not."""
    assert of(**{"dp": "", **cells}).layouts[0].virtual_pipeline == virtual


@pytest.mark.parametrize(
    ("text", "framework", "stage", "group_size"),
    [
        ("", "Megatron-LM", 1, 32),  # the distributed optimizer is its default
        ("", "nanotron", 0, 32),
        ("DP", "Megatron-LM", 0, 32),
        ("DDP+distopt", "Megatron-LM", 1, 32),
        ("distributed optimizer", "NeMo", 1, 32),
        ("ZeRO-0", "Megatron-DeepSpeed", 0, 32),
        ("ZeRO", "GPT-NeoX", 1, 32),
        ("ZeRO-1", "InternEvo", 1, 32),
        ("ZeRO-1 (8-way in node)", "InternEvo", 1, 8),
        ("ZeRO-1 (all ranks)", "InternEvo", 1, 32),
        ("ZeRO-1 (64-way)", "InternEvo", 1, 32),
        ("ZeRO-2", "DeepSpeed", 2, 32),
        ("ZeRO-3", "DeepSpeed", 3, 32),
        ("FSDP", "torchtitan", 3, 32),
        ("FSDP FULL_SHARD", "llm-foundry", 3, 32),
        ("FSDP SHARD_GRAD_OP", "llm-foundry", 2, 32),
        ("FSDP2-8", "NeMo AutoModel", 3, 32),
        ("MegatronFSDP-64", "NeMo", 3, 32),
        ("FSDP-8 in node + DP-4 over nodes", "PAX/JAX", 3, 8),
        ("FSDP-16 per slice + DP-2 over slices (DCN)", "MaxText/JAX", 3, 16),
        ("FSDP-16 (per slice) + DP-2", "MaxText/JAX", 3, 16),
        ("fully sharded (256-way per pod)", "MaxText/JAX", 3, 32),
    ],
)
def test_words_for_sharding(text: str, framework: str, stage: float, group_size: float) -> None:
    """What publishers write for ZeRO, FSDP and their groups; a group is never larger than the replicas."""
    layout = of(zero_or_fsdp=text, framework=framework).layouts[0]
    assert floats(layout.zero, layout.shard) == (stage, group_size)


@pytest.mark.parametrize(
    ("cells", "shares"),
    [
        ({"recompute": "none"}, [(0, 0)]),
        ({"recompute": "selective"}, [(0, 1)]),
        ({"recompute": "full"}, [(1, 0)]),
        ({"recompute": "full", "notes": "block recompute of 8 layers per stage"}, [(0.25, 0)]),
        ({"recompute": "full", "notes": "block recompute of 80 layers per stage"}, [(1, 0)]),
    ],
)
def test_recompute(cells: dict[str, str], shares: list[tuple[float, float]]) -> None:
    """Shares of layers recomputed in full and selectively; notes may say of how many layers."""
    assert [floats(x.recompute_full, x.recompute_selective) for x in of(**cells).layouts] == shares


@pytest.mark.parametrize("framework", ["Megatron-LM", "torchtitan", "llm-foundry"])
def test_recompute_that_is_not_stated(framework: str) -> None:
    """What the stack does unless told otherwise is tried first, then whatever recomputes more."""
    found = of(recompute="", framework=framework)
    order = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)]
    first = ("none", "selective", "full").index(found.stack.recompute_unstated)
    assert [floats(x.recompute_full, x.recompute_selective) for x in found.layouts] == order[first:]


def test_model_degrees_that_are_not_stated() -> None:
    """Tensor degrees inside the scale-up domain that divide the heads, stages of a layer or more, on all devices."""
    degrees = {floats(x.tensor, x.pipeline, x.data) for x in of(tp="", pp="", dp="").layouts}
    assert {(1, 1, 64), (8, 1, 8), (8, 8, 1), (2, 32, 1)} <= degrees
    assert all(t * p * d == 64 and t <= 8 and p <= 32 for t, p, d in degrees)
    assert {float(x.pipeline) for x in of(tp="4", pp="", dp="", layers="3").layouts} == {1, 2}
    assert {float(x.tensor) for x in of(tp="", pp="2", dp="", heads="6").layouts} == {1, 2}


def test_fully_sharded_runs_have_no_other_degrees_unless_stated() -> None:
    """FSDP without a tensor or pipeline degree is FSDP alone."""
    assert {floats(x.tensor, x.pipeline) for x in of(tp="", pp="", dp="", zero_or_fsdp="FSDP").layouts} == {(1, 1)}
    assert {floats(x.tensor, x.pipeline) for x in of(tp="8", pp="", dp="", zero_or_fsdp="FSDP").layouts} == {(8, 1)}


def test_micro_batches_that_are_not_stated() -> None:
    """Those that divide the batch per replica; any of the usual ones when the batch is unknown; else one."""
    assert [float(x.micro_batch) for x in of(micro_batch="").layouts] == [1, 2, 4]
    assert [float(x.micro_batch) for x in of(micro_batch="", global_batch="").layouts] == list(MICRO_BATCHES)
    assert [float(x.micro_batch) for x in of(micro_batch="", global_batch="48").layouts] == [1]


def test_expert_degrees_that_are_not_stated() -> None:
    """Sharded stacks on GPUs may have used any degree that divides the experts; others none."""
    sharded = of(**MIXTRAL, zero_or_fsdp="FSDP", framework="torchtitan")
    assert sorted({float(x.expert) for x in sharded.layouts}) == [1, 2, 4, 8]
    assert {float(x.expert) for x in of(**MIXTRAL, ep="4", zero_or_fsdp="FSDP").layouts} == {4}
    assert {float(x.expert) for x in of(**MIXTRAL).layouts} == {1}
    assert {float(x.expert) for x in of(zero_or_fsdp="FSDP").layouts} == {1}


def test_expert_tensor_parallelism_in_the_notes() -> None:
    """Megatron's ETP has no column; dense models have none whatever the notes say."""
    assert of(**MIXTRAL, ep="4", notes="EP=4, ETP=2").layouts[0].expert_tensor == 2
    assert of(notes="ETP=2").layouts[0].expert_tensor == 1


@pytest.mark.parametrize("cells", [{"micro_batch": ""}, {"recompute": ""}, {"micro_batch": "", "recompute": ""}])
@pytest.mark.parametrize("model", ["llama3.1-8b", "llama3.1-70b"])
def test_gaps_are_filled_by_the_fastest_layout_that_fits(cells: dict[str, str], model: str) -> None:
    """Of all candidates that the device holds the quickest; of none the smallest."""
    found, c = of(**cells, model=model), hand_set()
    alone = [table_of([case_with(found, i)]) for i in range(len(found.layouts))]
    seconds = [float(times(one, c).total[0]) for one in alone]
    used = [float(memories(one, c).expected[0]) for one in alone]
    fits = [one <= FITS_WITHIN * float(found.device.memory_bytes) for one in used]
    best = min((s for s, fit in zip(seconds, fits, strict=True) if fit), default=None)
    chosen = settle(found, c)
    assert len(chosen.layouts) == 1
    index = found.layouts.index(chosen.layouts[0])
    assert seconds[index] == best if any(fits) else used[index] == min(used)


def case_with(found: Case, index: int) -> Case:
    """The case with one of its layouts."""
    return replace(found, layouts=(found.layouts[index],))


def test_settled_cases_stay_as_they_are() -> None:
    """A case without gaps is returned itself."""
    found = of()
    assert settle(found, hand_set()) is found


@pytest.mark.parametrize(
    ("published", "gated", "tied"),
    [("1.3e9", 0, 1), ("1.42e9", 0, 0), ("1.71e9", 1, 1), ("1.82e9", 1, 0)],
)
def test_the_published_size_tells_gates_and_ties(published: str, gated: float, tied: float) -> None:
    """24 layers of 2048: 1.31, 1.41, 1.71 or 1.82 billion with two or three matrices and one or two tables."""
    found = of(**SHAPE, params_total=published).architecture
    assert floats(found.gated, found.tied) == (gated, tied)
    assert float(total_parameters(found)) == pytest.approx(float(published), rel=0.02)


def test_a_shape_without_a_size() -> None:
    """Four hidden sizes wide is a plain MLP with tied tables, any other width a gated one with its own head."""
    plain, gated = of(**SHAPE).architecture, of(**SHAPE | {"ffn": "5632"}).architecture
    assert floats(plain.gated, plain.tied) == (0, 1)
    assert floats(gated.gated, gated.tied) == (1, 0)


def test_a_shape_with_gaps() -> None:
    """Heads of 128, as many groups as heads, and an MLP of four hidden sizes unless stated."""
    found = of(**SHAPE | {"heads": "", "ffn": ""}).architecture
    assert floats(found.heads, found.kv_heads, found.query_key_head, found.dense_ffn) == (16, 16, 128, 8192)
    stated = of(**SHAPE | {"kv_heads": "4", "head_dim": "96"}).architecture
    assert floats(stated.kv_heads, stated.query_key_head, stated.value_head) == (4, 96, 96)


def test_a_shape_with_experts() -> None:
    """Every layer routes; the width is that of an expert."""
    found = of(**SHAPE | {"n_experts": "8", "top_k": "2"}).architecture
    assert floats(found.experts, found.top_k, found.dense_layers, found.dense_ffn) == (8, 2, 0, 0)
    assert found.expert_ffn == 8192


def test_a_row_may_change_a_catalog_model() -> None:
    """Benchmarks run known models with fewer layers or other widths; what is not stated stays."""
    known, cut = of().architecture, of(layers="4", ffn="1024", heads="16", vocab="32000").architecture
    assert floats(cut.layers, cut.dense_layers, cut.dense_ffn) == (4, 4, 1024)
    assert floats(cut.heads, cut.vocabulary) == (16, 32000)
    assert floats(cut.hidden, cut.kv_heads, cut.gated) == floats(known.hidden, known.kv_heads, known.gated)
    latent = of(model="deepseek-v3", kv_heads="128").architecture
    assert latent.kv_heads == of(model="deepseek-v3").architecture.kv_heads


@pytest.mark.parametrize("cells", [{"model": "llama3.1-8b LoRA"}, {"notes": "LoRA fine-tuning"}])
def test_adapters(cells: dict[str, str]) -> None:
    """A run that says LoRA in its notes trains adapters of the assumed rank on a frozen base."""
    if "model" in cells:
        cells = cells | SHAPE | {"model": cells["model"]}
    found = of(**cells)
    assert found.adapter
    assert floats(found.job.trains_base, found.job.adapter_rank) == (0, ADAPTER_RANK)
    assert floats(of().job.trains_base, of().job.adapter_rank) == (1, 0)


@pytest.mark.parametrize(
    ("framework", "stack"),
    [
        ("Megatron-LM", "megatron"),
        ("NeMo 24.07 (Megatron-Core)", "megatron"),
        ("NeMo AutoModel (PyTorch FSDP2)", "automodel"),
        ("Megatron-DeepSpeed", "megatron-deepspeed"),
        ("Megatron-DeepSpeed (BigScience)", "bigscience"),
        ("torchtitan", "pytorch-fsdp"),
        ("llm-foundry/Composer FSDP", "composer"),
        ("MaxText/JAX", "maxtext"),
        ("", DEFAULT_STACK),
        ("a framework of our own", DEFAULT_STACK),
    ],
)
def test_frameworks(framework: str, stack: str) -> None:
    """The longest beginning that a stack is known by; the default stack for names that nobody knows."""
    assert of(framework=framework).stack_name == stack


def test_the_date_decides_the_release() -> None:
    """A run is predicted with what its stack did then; without a date with the default release."""
    megatron = find_stack("megatron")
    assert of(date="2021-04").stack == megatron.at("2021-04") != megatron.at()
    assert of(date="2025-12-31").stack == megatron.at("2025-12")
    assert of(date="").stack == megatron.at()


def test_a_stated_network_replaces_the_catalogs() -> None:
    """Gbit/s per device, one eighth of it in bytes."""
    assert of(network_gbit_s="200").device.network_bytes_s == 25e9
    assert of(network_gbit_s="200").device.network_bytes_s != of().device.network_bytes_s


def test_an_unstated_batch_has_some_rounds_per_stage() -> None:
    """Eight micro-batches per replica and stage, so that the bubble is neither nothing nor everything."""
    found = of(global_batch="", pp="2", dp="16", micro_batch="2")
    assert found.job.global_batch == UNSTATED_ROUNDS * 2 * 16 * 2


def test_efficiencies_scale_the_matrix_rate() -> None:
    """The factor of the device's own name applies, to both precisions."""
    (members,) = group(rows({}))
    plain, faster = case_of(members), case_of(members, {"H100-80GB-SXM5": 1.25, "B200-SXM": 9.0})
    ratio = faster.device.low_matmul_flops_s / plain.device.low_matmul_flops_s
    assert ratio == pytest.approx(1.25)
    assert faster.device.matmul_flops_s / plain.device.matmul_flops_s == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"pp": "64", "dp": "1", "tp": "1"}, "more pipeline stages than layers"),
        ({"dp": "16"}, "do not multiply"),
        ({"model": "mixtral-8x7b", "ep": "3"}, "do not divide"),
    ],
)
def test_layouts_that_cannot_be(cells: dict[str, str], reason: str) -> None:
    """Stated degrees that contradict the model or the devices are told, not predicted."""
    with pytest.raises(Skipped, match=reason):
        of(**cells)
