"""Arguments of Megatron-LM as a run: the architecture is in the arguments, a small table reads them, no parser runs."""

from __future__ import annotations

import re
from typing import Any, Final

from planner.catalog.launch_targets import Target, find_target
from planner.errors import InputError, Place
from planner.foreign.architecture import reference_of
from planner.foreign.arguments import Arguments, arguments_of
from planner.foreign.reading import Reading, devices_of, present
from planner.foreign.shell import Script, read_script

TELLTALES: Final = ("--num-layers", "--tensor-model-parallel-size", "--micro-batch-size", "--global-batch-size")
"""Arguments that show that a text is for Megatron."""


def read_megatron(text: str, source: str) -> Reading:
    """The run that a list of arguments or a launch script describes. Raises InputError."""
    script = read_script(text, source)
    return read_arguments(arguments_of(_words(script), source), script, text)


def _words(script: Script) -> list[str]:
    """The words of the command with most of the arguments, or of a variable where they are never used."""
    lists = [*script.commands, *(value.split() if isinstance(value, str) else value for value in _values(script))]
    return max(lists, key=lambda words: (sum(_is_argument(word) for word in words), -len(words)), default=[])


def _values(script: Script) -> list[str | list[str]]:
    return list(script.variables.values())


def _is_argument(word: str) -> bool:
    return word.startswith("--")


def read_arguments(arguments: Arguments, script: Script, text: str) -> Reading:
    """The run that arguments describe."""
    target = find_target("megatron")
    reading = Reading()
    if script.has_conditions:
        reading.assumed.append("branches and loops of the script are not followed: the last assignment counts")
    _read_model(arguments, target, reading)
    _read_batches(arguments, target, reading)
    _read_layout(arguments, target, reading)
    if "--rampup-batch-size" in arguments:
        reading.assumed.append("every step has the full batch, though the file begins with a smaller one")
    reading.data["training"] |= {"precision": _precision(arguments), **_optimizer(arguments)}
    if (gpus := devices_of(arguments, script, text)) is not None:
        reading.data["cluster"] = {"gpus": gpus}
    return reading


def _named(arguments: Arguments, target: Target, *fields: str) -> dict[str, int]:
    """The fields that Megatron takes one to one and that are there."""
    return present({field: arguments.count(target.names[field]) for field in fields})


def _spelt(arguments: Arguments, target: Target, field: str) -> str | None:
    """The value of a field whose words are all among the arguments, the one with most words."""
    fitting = [
        (len(words), value) for value, words in target.words[field].items() if words and _has_all(arguments, words)
    ]
    none = next((value for value, words in target.words[field].items() if not words), None)
    return max(fitting)[1] if fitting else none


def _has_all(arguments: Arguments, words: tuple[str, ...]) -> bool:
    """Whether the arguments hold each of some words with its value."""
    return all(
        arguments.values.get(name, ("missing",))[:1] == wanted
        for name, wanted in arguments_of(words, "").values.items()
    )


def _read_model(arguments: Arguments, target: Target, reading: Reading) -> None:
    """The architecture."""
    facts: dict[str, Any] = _attention(arguments, target) | _feed_forward(arguments, target)
    facts |= _named(arguments, target, "vocab_size")
    facts["norm"] = _spelt(arguments, target, "norm") or "layernorm"
    for field in ("tie_word_embeddings", "query_key_norm", "router_bias", "shared_expert_gate"):
        facts[field] = _spelt(arguments, target, field) == "True"
    facts |= {field: values[0] for field, values in target.accepts.items() if field in _FIXED}
    learned = arguments.word("--position-embedding-type") in {None, "learned_absolute"}
    facts["learned_positions"] = arguments.count("--max-position-embeddings") or 0 if learned else 0
    if "num_hidden_layers" not in facts or "hidden_size" not in facts:
        fix = "give the arguments with --num-layers and --hidden-size, or the script that states them"
        raise InputError("no model in the arguments", place=Place(arguments.source), fix=fix)
    reading.data["model"], assumed = reference_of(facts)
    reading.assumed += assumed
    if "vocab_size" not in facts and isinstance(reading.data["model"], dict):
        reading.missing["model.vocab_size"] = "--set model.vocab_size=128256"


_FIXED: Final = frozenset(
    {
        "norms_per_layer",
        "norm_weights",
        "embedding_norm",
        "attention_sinks",
        "head_bias",
        "expert_bias",
    }
)
"""Fields of a model that have one value under Megatron."""


def _attention(arguments: Arguments, target: Target) -> dict[str, Any]:
    """Heads, biases and windows."""
    facts: dict[str, Any] = dict(_named(arguments, target, "num_hidden_layers", "hidden_size", "num_attention_heads"))
    heads, hidden = facts.get("num_attention_heads", 1), facts.get("hidden_size", 0)
    biased = "--disable-bias-linear" not in arguments
    facts |= {
        "num_key_value_heads": _groups(arguments, heads),
        "head_dim": arguments.count("--kv-channels") or hidden // max(heads, 1),
        "attention_qkv_bias": biased or "--add-qkv-bias" in arguments,
        "attention_output_bias": biased,
        "mlp_bias": biased,
        "kv_lora_rank": 0,
    }
    if "--multi-latent-attention" in arguments:
        latent = _named(arguments, target, "q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "v_head_dim")
        nope = arguments.count("--qk-head-dim") or 128
        facts |= {"q_lora_rank": 0, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "v_head_dim": 128, **latent}
        facts["head_dim"] = nope + facts["qk_rope_head_dim"]
    return facts | _window(arguments)


def _groups(arguments: Arguments, heads: int) -> int:
    """Key-value heads."""
    if "--group-query-attention" not in arguments:
        return heads
    return arguments.count("--num-query-groups") or 1


def _window(arguments: Arguments) -> dict[str, Any]:
    """Layers that see a window only."""
    size = re.match(r"\(?(\d{1,9}),", arguments.word("--window-size") or "")
    every = arguments.count("--window-attn-skip-freq") if size else None
    share = 1.0 if size is None else 1 / every if every else 0.0
    return (
        {"sliding_window": int(size[1]) + 1, "full_attention_share": share} if size else {"full_attention_share": 1.0}
    )


def _feed_forward(arguments: Arguments, target: Target) -> dict[str, Any]:
    """The MLP or the experts."""
    gated, hidden = "--swiglu" in arguments, arguments.count("--hidden-size") or 0
    width = arguments.count("--ffn-hidden-size") or (int(8 * hidden / 3 / 64) * 64 if gated else 4 * hidden)
    facts: dict[str, Any] = {"gated_mlp": gated, "intermediate_size": width, "n_routed_experts": 0}
    experts = _named(arguments, target, "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size")
    if "n_routed_experts" not in experts:
        return facts
    dense = _dense_layers(arguments)
    shared = arguments.count(target.names["shared_expert_intermediate_size"]) or 0
    facts |= {"num_experts_per_tok": 2, "moe_intermediate_size": width, **experts}
    facts |= _named(arguments, target, "n_group", "topk_group")
    facts |= {"shared_expert_intermediate_size": shared, "dense_layers": dense}
    return facts | ({} if dense else {"intermediate_size": 0})


def _dense_layers(arguments: Arguments) -> int:
    """Layers without experts: from `N` (every Nth has them) or a list such as `([0]*3+[1]*58)`."""
    text, layers = arguments.word("--moe-layer-freq") or "1", arguments.count("--num-layers") or 0
    if text.isdecimal():
        return layers - -(-layers // max(int(text[:9]), 1))
    runs = re.findall(r"\[([01](?:,\s*[01])*)\](?:\*(\d{1,6}))?", text.replace(" ", ""))
    return sum(pattern.count("0") * int(times or 1) for pattern, times in runs)


def _read_batches(arguments: Arguments, target: Target, reading: Reading) -> None:
    """Sequences, batches and tokens."""
    training: dict[str, Any] = dict(_named(arguments, target, "sequence_length", "global_batch"))
    reading.data["training"] = training
    if {"sequence_length", "global_batch"} <= set(training):
        steps, samples = arguments.count(target.names["steps"]), arguments.count("--train-samples")
        sequences = steps * training["global_batch"] if steps is not None else samples
        if sequences:
            training["tokens"] = sequences * training["sequence_length"]


def _read_layout(arguments: Arguments, target: Target, reading: Reading) -> None:
    """Degrees, sharding and recompute."""
    layout: dict[str, Any] = dict(_named(arguments, target, "tensor", "pipeline", "context", "expert", "micro_batch"))
    if (virtual := _virtual(arguments, layout.get("pipeline", 1))) > 1:
        layout["virtual_pipeline"] = virtual
    layout |= {"zero": _zero(arguments), "recompute": _recompute(arguments, virtual)}
    inside = arguments.count("--expert-tensor-parallel-size") or layout.get("tensor", 1)
    if target.names["n_routed_experts"] in arguments and inside > 1:
        layout["expert_tensor"] = inside
    copies = arguments.count("--num-distributed-optimizer-instances") or 1
    if copies > 1:
        reading.sharded_copies = copies
    if layout.get("tensor", 1) > 1 and "--sequence-parallel" not in arguments:
        reading.assumed.append("sequence parallelism goes with tensor, though the file does not ask for it")
    reading.data["layout"] = layout


def _virtual(arguments: Arguments, pipeline: int) -> int:
    """Virtual stages per device."""
    if (stages := arguments.count("--num-virtual-stages-per-pipeline-rank")) is not None:
        return stages
    if (cut := arguments.word("--pipeline-model-parallel-layout")) is not None:
        return max(1, (cut.count("|") + 1) // max(pipeline, 1))
    per_chunk = arguments.count("--num-layers-per-virtual-pipeline-stage")
    if not per_chunk:
        return 1
    counted = sum(f"--account-for-{end}-in-pipeline-split" in arguments for end in ("embedding", "loss"))
    layers = (arguments.count("--num-layers") or 0) + counted
    return max(1, layers // (max(pipeline, 1) * per_chunk))


def _zero(arguments: Arguments) -> int:
    """The ZeRO stage."""
    if "--use-torch-fsdp2" in arguments:
        return 3
    if "--use-megatron-fsdp" not in arguments:
        return int("--use-distributed-optimizer" in arguments)
    strategies = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
    return strategies.get(arguments.word("--data-parallel-sharding-strategy") or "no_shard", 0)


def _recompute(arguments: Arguments, virtual: int) -> str | dict[str, int]:
    """What is recomputed."""
    kind = arguments.word("--recompute-granularity")
    if kind == "full" and arguments.word("--recompute-method") == "block":
        return {"full_layers": max(1, (arguments.count("--recompute-num-layers") or 1) * virtual)}
    if kind in {"full", "selective"}:
        return str(kind)
    return "selective" if "--recompute-activations" in arguments else "none"


_OPTIMIZERS: Final = {"sgd": "sgd", "muon": "muon", "dist_muon": "muon", "lion": "lion"}


def _optimizer(arguments: Arguments) -> dict[str, Any]:
    """An optimizer other than AdamW, and where its states are."""
    other = _OPTIMIZERS.get(arguments.word("--optimizer") or "adam")
    offloaded = "--optimizer-cpu-offload" in arguments
    return present({"optimizer": other, "offload": ["optimizer"] if offloaded else None})


_RECIPES: Final = {"tensorwise": "fp8-cs", "blockwise": "fp8-blockwise", "mxfp8": "mxfp8"}


def _precision(arguments: Arguments) -> str:
    """The number format of the linear layers."""
    if "--fp4-format" in arguments:
        return "nvfp4"
    if "--fp8-format" in arguments:
        return _RECIPES.get(arguments.word("--fp8-recipe") or "delayed", "fp8")
    return "fp16" if "--fp16" in arguments else "bf16"
