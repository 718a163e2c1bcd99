"""Configurations in YAML and JSON: axolotl, LLaMA-Factory, Accelerate, DeepSpeed, MaxText, NeMo and Megatron-Bridge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from planner.catalog.launch_targets import find_target
from planner.catalog.models import find_model
from planner.errors import InputError, Place
from planner.foreign.architecture import reference_of
from planner.foreign.reading import Reading, present

Config = Mapping[str, Any]
LARGEST: Final = 10**9
"""Numbers of a configuration stay below."""


class _Keys:
    """A configuration's values by dotted path, with errors that name file and key."""

    def __init__(self, data: Config, source: str) -> None:
        self.data = data
        self.source = source

    def value(self, path: str) -> Any:  # noqa: ANN401  (whatever a file holds)
        """The value at a path; None when there is none."""
        found: Any = self.data
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        return found

    def count(self, *paths: str) -> int | None:
        """The first whole number at one of some paths. Raises InputError for something else there."""
        for path in paths:
            found = self.value(path)
            if found is None or found in ("auto", "null"):
                continue
            whole = int(found) if isinstance(found, str) and re.fullmatch(r"\d{1,18}", found) else found
            if isinstance(whole, bool) or not isinstance(whole, int):
                fix = f"write a whole number under {path}"
                raise InputError(f"{path} is not a whole number", place=Place(self.source), fix=fix)
            return whole
        return None

    def number(self, path: str, default: float) -> float:
        """A positive number. Raises InputError for something else."""
        found = self.value(path)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found < LARGEST:
            raise InputError(
                f"{path} is not a number above 0", place=Place(self.source), fix=f"write {path}: {default:g}"
            )
        return float(found)

    def word(self, *paths: str) -> str | None:
        """The first text at one of some paths."""
        return next((found for found in map(self.value, paths) if isinstance(found, str)), None)

    def flag(self, path: str) -> bool:
        """Whether something is switched on."""
        return str(self.value(path)).casefold() in {"true", "1", "auto"}


def _named_model(name: str | None, reading: Reading) -> None:
    """Takes over a model that goes by a name of the catalog, or asks for it."""
    if name is None:
        return
    try:
        reading.data["model"] = find_model(name).name
    except InputError:
        reading.missing["model"] = "--model NAME or --model config.json"


def _tokens(reading: Reading, steps: int | None) -> None:
    """Tokens from steps, once the batch is known."""
    training = reading.data["training"]
    if steps is not None and steps > 0 and {"global_batch", "sequence_length"} <= set(training):
        training["tokens"] = steps * training["global_batch"] * training["sequence_length"]


def _precision(keys: _Keys, *paths: str) -> str:
    """bf16 unless fp16 or fp8 is switched on."""
    for name in ("fp8", "fp16"):
        if any(keys.flag(path.replace("*", name)) for path in paths):
            return name
    return "bf16"


def _global_batch(micro: int | None, accumulated: int | None, replicas: int | None) -> int | None:
    """Sequences of a step, where all three factors are known."""
    if micro is None or replicas is None:
        return None
    return micro * (accumulated or 1) * replicas


def read_deepspeed(data: Config, source: str) -> Reading:
    """DeepSpeed's JSON: batches, precision and sharding. The model is in another file."""
    keys, reading = _Keys(data, source), Reading()
    micro, whole = keys.count("train_micro_batch_size_per_gpu"), keys.count("train_batch_size")
    accumulated = keys.count("gradient_accumulation_steps")
    precision = _precision(keys, "*.enabled")
    reading.data["training"] = present({"global_batch": whole, "offload": _offloaded(keys)})
    reading.data["training"]["precision"] = precision
    layout = {
        "micro_batch": micro,
        "zero": keys.count("zero_optimization.stage") or 0,
        "tensor": keys.count("tensor_parallel.autotp_size", "tensor_parallel.tp.tp_size"),
        "context": keys.count("sequence_parallel_size"),
        "data": whole // (micro * accumulated) if whole and micro and accumulated else None,
    }
    reading.data["layout"] = present(layout)
    if whole is None and micro is not None:
        _leave_to_devices(reading, micro * (accumulated or 1), None)
    return reading


def read_accelerate(data: Config, source: str) -> Reading:
    """Accelerate's YAML: devices, precision and sharding. Model and batches are in the training script."""
    keys, reading = _Keys(data, source), Reading()
    parallel = "parallelism_config.parallelism_config_"
    replicate, shard = (keys.count(f"{parallel}dp_{kind}_size") for kind in ("replicate", "shard"))
    gpus = keys.count("num_processes")
    reading.data = {"cluster": {"gpus": gpus}} if gpus else {}
    mixed = keys.word("mixed_precision") or "bf16"
    reading.data["training"] = {"precision": mixed if mixed in {"fp16", "fp8"} else "bf16"}
    reading.data["layout"] = present(
        {
            "tensor": keys.count(f"{parallel}tp_size"),
            "context": keys.count(f"{parallel}cp_size", f"{parallel}sp_size"),
            "data": (replicate or 1) * shard if shard else None,
        }
    )
    reading.sharded_copies = replicate or 1
    reading.data["layout"] |= {"zero": _accelerate_zero(keys), "recompute": _checkpointing(keys, "fsdp_config.fsdp_")}
    if keys.count("deepspeed_config.gradient_accumulation_steps") is not None:
        reading.assumed.append("gradient accumulation of the DeepSpeed part is left to the global batch")
    return reading


def _accelerate_zero(keys: _Keys) -> int:
    """The ZeRO stage."""
    kind = keys.word("distributed_type") or ""
    if kind == "DEEPSPEED":
        return keys.count("deepspeed_config.zero_stage") or 0
    return _fsdp_zero(keys, "fsdp_config.fsdp_") if kind == "FSDP" else 0


def _fsdp_zero(keys: _Keys, prefix: str) -> int:
    """The ZeRO stage that FSDP's settings are, of either version."""
    strategies = {"FULL_SHARD": 3, "HYBRID_SHARD": 3, "SHARD_GRAD_OP": 2, "HYBRID_SHARD_ZERO2": 2, "NO_SHARD": 0}
    strategy = keys.word(f"{prefix}sharding_strategy", f"{prefix}reshard_after_forward")
    if strategy in strategies:
        return strategies[strategy]
    reshard = keys.value(f"{prefix}reshard_after_forward")
    return 3 if reshard is None or keys.flag(f"{prefix}reshard_after_forward") else 2


def _checkpointing(keys: _Keys, prefix: str) -> str:
    return "full" if keys.flag(f"{prefix}activation_checkpointing") else "none"


def read_axolotl(data: Config, source: str) -> Reading:
    """Axolotl's YAML."""
    keys, reading = _Keys(data, source), Reading()
    shard, replicate = keys.count("dp_shard_size"), keys.count("dp_replicate_size")
    replicas = (shard or 1) * (replicate or 1) if shard or replicate else None
    reading.sharded_copies = replicate or 1
    micro, accumulated = keys.count("micro_batch_size"), keys.count("gradient_accumulation_steps")
    reading.data["training"] = present(
        {
            "sequence_length": keys.count("sequence_len"),
            "global_batch": _global_batch(micro, accumulated, replicas),
        }
    ) | {"precision": _precision(keys, "*")}
    degrees = {
        "tensor": keys.count("tensor_parallel_size"),
        "context": keys.count("context_parallel_size", "sequence_parallel_degree"),
    }
    reading.data["layout"] = present({"micro_batch": micro, "data": replicas, **degrees})
    reading.data["layout"] |= {"zero": _axolotl_zero(keys), "recompute": _gradient_checkpointing(keys)}
    _named_model(keys.word("base_model"), reading)
    _read_adapter(keys, reading, "adapter", "lora_r")
    _tokens(reading, keys.count("max_steps"))
    if replicas is None and micro is not None:
        _leave_to_devices(reading, micro * (accumulated or 1), keys.count("max_steps"))
    return reading


def _leave_to_devices(reading: Reading, sequences: int, steps: int | None) -> None:
    """States the batch of one device, which becomes that of a step once the number of devices is known."""
    reading.data["training"] |= {"sequences_per_device": sequences, "steps": steps}


def _axolotl_zero(keys: _Keys) -> int:
    """The ZeRO stage: FSDP's, or the one in the name of DeepSpeed's file."""
    if keys.value("fsdp_config") is not None or keys.value("fsdp") is not None:
        return _fsdp_zero(keys, "fsdp_config.")
    found = re.search(r"zero([0-3])", keys.word("deepspeed") or "")
    return int(found[1]) if found else 0


def _gradient_checkpointing(keys: _Keys) -> str:
    on = keys.flag("gradient_checkpointing") or keys.word("gradient_checkpointing") in {"offload", "unsloth"}
    return "full" if on or _checkpointing(keys, "fsdp_config.") == "full" else "none"


def _read_adapter(keys: _Keys, reading: Reading, kind: str, rank: str) -> None:
    """Adapters on a frozen base."""
    adapter = keys.word(kind)
    if adapter in {"lora", "qlora"}:
        quantised = adapter == "qlora" or keys.flag("load_in_4bit") or keys.count("quantization_bit") == 4
        method = "qlora" if quantised else "lora"
        reading.data["training"] |= {"method": method, "rank": keys.count(rank) or 8}
    optimizer = _OPTIMIZERS.get(keys.word("optimizer", "optim") or "")
    reading.data["training"] |= present({"optimizer": optimizer})


_OPTIMIZERS: Final[Mapping[str, str]] = {
    "adamw_8bit": "adamw-8bit",
    "adamw_bnb_8bit": "adamw-8bit",
    "adamw_torch_8bit": "adamw-8bit",
    "paged_adamw_8bit": "paged-adamw-8bit",
    "muon": "muon",
    "adafactor": "adafactor",
    "lion_32bit": "lion",
    "sgd": "sgd",
}
"""Optimizers of Transformers other than AdamW."""


def _offloaded(keys: _Keys) -> list[str] | None:
    """What DeepSpeed keeps in the host's memory."""
    places = {"optimizer": "offload_optimizer", "parameters": "offload_param"}
    found = [what for what, key in places.items() if keys.word(f"zero_optimization.{key}.device") not in {None, "none"}]
    return found or None


def read_llama_factory(data: Config, source: str) -> Reading:
    """LLaMA-Factory's YAML; the number of devices is not in it."""
    keys, reading = _Keys(data, source), Reading()
    reading.data["training"] = present({"sequence_length": keys.count("cutoff_len")})
    reading.data["training"]["precision"] = _precision(keys, "*")
    micro = keys.count("per_device_train_batch_size") or 8
    found = re.search(r"z(?:ero)?_?([0-3])", keys.word("deepspeed") or "")
    reading.data["layout"] = {"micro_batch": micro, "zero": int(found[1]) if found else 0}
    off = keys.flag("disable_gradient_checkpointing")
    reading.data["layout"]["recompute"] = "none" if off else "full"
    if not off:
        reading.assumed.append("layers are recomputed in full, LLaMA-Factory's default")
    _named_model(keys.word("model_name_or_path"), reading)
    _read_adapter(keys, reading, "finetuning_type", "lora_rank")
    accumulated = keys.count("gradient_accumulation_steps") or 1
    _leave_to_devices(reading, micro * accumulated, keys.count("max_steps"))
    return reading


_AXES: Final = ("tensor", "context", "expert", "fsdp", "data", "pipeline")


def read_maxtext(data: Config, source: str) -> Reading:
    """MaxText's YAML; an axis inside slices and the same across them multiply."""
    keys, reading, target = _Keys(data, source), Reading(), find_target("maxtext")
    axis = {
        name: (keys.count(f"ici_{name}_parallelism") or 1) * (keys.count(f"dcn_{name}_parallelism") or 1)
        for name in _AXES
    }
    if any(degree < 1 for degree in axis.values()):
        fix = "write the degree instead of -1"
        raise InputError("an axis that MaxText fills by itself", place=Place(source), fix=fix)
    gpus = 1
    for degree in axis.values():
        gpus *= degree
    replicas = axis["data"] * axis["fsdp"] * axis["expert"]
    accumulated = (
        keys.count("num_pipeline_microbatches" if axis["pipeline"] > 1 else "gradient_accumulation_steps") or 1
    )
    each = keys.number("per_device_batch_size", 1.0)
    in_a_step = each * gpus * (1 if axis["pipeline"] > 1 else accumulated)
    quantization, policy = keys.word("quantization") or "", keys.word("remat_policy") or "full"
    reading.data = {
        "cluster": {"gpus": gpus},
        "training": present({"sequence_length": keys.count("max_target_length"), "global_batch": round(in_a_step)}),
        "layout": {
            **{name: axis[name] for name in ("tensor", "context", "expert", "pipeline")},
            "data": replicas,
            "micro_batch": max(1, round(in_a_step / (replicas * accumulated))),
            "virtual_pipeline": max(1, keys.count("num_pipeline_repeats") or 1),
            **_maxtext_zero(keys, axis),
            "recompute": target.meant_by("recompute_kind", policy) or "selective",
        },
    }
    reading.data["training"]["precision"] = target.meant_by("precision", quantization) or "bf16"
    reading.sharded_copies = axis["data"] if axis["fsdp"] > 1 else 1
    _maxtext_model(keys, reading)
    _tokens(reading, keys.count("steps"))
    return reading


def _maxtext_zero(keys: _Keys, axis: Mapping[str, int]) -> dict[str, int]:
    """The ZeRO stage; nothing is said where there is neither a data nor an fsdp axis."""
    if axis["fsdp"] > 1:
        return {"zero": 3}
    return {"zero": int(keys.flag("shard_optimizer_over_data"))} if axis["data"] > 1 else {}


def _maxtext_model(keys: _Keys, reading: Reading) -> None:
    """The catalog's model of MaxText's name."""
    target, name = find_target("maxtext"), keys.word("model_name") or ""
    known = target.meant_by("model", name)
    _named_model(known or name or None, reading)


_BRIDGE: Final[Mapping[str, tuple[str, ...]]] = {
    "tensor": ("model.tensor_model_parallel_size", "trainer.strategy.tensor_model_parallel_size"),
    "pipeline": ("model.pipeline_model_parallel_size", "trainer.strategy.pipeline_model_parallel_size"),
    "context": ("model.context_parallel_size", "trainer.strategy.context_parallel_size"),
    "expert": ("model.expert_model_parallel_size", "trainer.strategy.expert_model_parallel_size"),
    "virtual_pipeline": (
        "model.virtual_pipeline_model_parallel_size",
        "trainer.strategy.virtual_pipeline_model_parallel_size",
    ),
    "micro_batch": ("train.micro_batch_size", "data.micro_batch_size", "model.micro_batch_size"),
}
"""Where recipes of Megatron-Bridge and NeMo state degrees."""


_LENGTHS: Final = (
    "dataset.sequence_length",
    "dataset.seq_length",
    "data.seq_length",
    "model.seq_length",
    "model.encoder_seq_length",
)
"""Where they state the length of a sequence."""


def read_bridge(data: Config, source: str) -> Reading:
    """A recipe of NeMo or Megatron-Bridge as YAML."""
    keys, reading = _Keys(data, source), Reading()
    batch = keys.count("train.global_batch_size", "data.global_batch_size", "model.global_batch_size")
    length = keys.count(*_LENGTHS)
    reading.data["training"] = present({"sequence_length": length, "global_batch": batch})
    reading.data["training"]["precision"] = _bridge_precision(keys)
    layout = {name: keys.count(*paths) for name, paths in _BRIDGE.items()}
    reading.data["layout"] = {name: degree for name, degree in present(layout).items() if degree > 0}
    reading.data["layout"] |= {"zero": _bridge_zero(keys), "recompute": _bridge_recompute(keys)}
    nodes, each = keys.count("trainer.num_nodes"), keys.count("trainer.devices")
    if nodes and each:
        reading.data["cluster"] = {"gpus": nodes * each}
    _bridge_model(keys, reading)
    _tokens(reading, keys.count("train.train_iters", "trainer.max_steps"))
    return reading


def _bridge_precision(keys: _Keys) -> str:
    mixed = keys.word("mixed_precision", "trainer.precision", "model.precision", "trainer.plugins.precision") or ""
    if found := re.search(r"(mxfp8|nvfp4|fp8)", mixed):
        return "fp8-cs" if "current" in mixed else "fp8-blockwise" if "subchannel" in mixed else found[1]
    return "fp8" if keys.flag("model.fp8") else "fp16" if "16-mixed" in mixed and "bf" not in mixed else "bf16"


def _bridge_zero(keys: _Keys) -> int:
    if keys.flag("ddp.use_megatron_fsdp") or keys.flag("ddp.use_custom_fsdp"):
        strategies = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
        return strategies.get(keys.word("ddp.data_parallel_sharding_strategy") or "", 3)
    places = (
        "optimizer.use_distributed_optimizer",
        "ddp.use_distributed_optimizer",
        "optim.config.use_distributed_optimizer",
    )
    stated = [keys.value(path) for path in places if keys.value(path) is not None]
    return int(str(stated[0]).casefold() == "true") if stated else 1


def _bridge_recompute(keys: _Keys) -> str:
    kind = keys.word(
        "model.recompute_granularity", "model.config.recompute_granularity", "model.activations_checkpoint_granularity"
    )
    return kind if kind in {"full", "selective"} else "none"


_BRIDGE_MODEL: Final[Mapping[str, str]] = {
    "num_hidden_layers": "num_layers",
    "hidden_size": "hidden_size",
    "num_attention_heads": "num_attention_heads",
    "intermediate_size": "ffn_hidden_size",
    "vocab_size": "vocab_size",
    "n_routed_experts": "num_moe_experts",
    "num_experts_per_tok": "moe_router_topk",
    "moe_intermediate_size": "moe_ffn_hidden_size",
}


def _bridge_model(keys: _Keys, reading: Reading) -> None:
    """The architecture that a recipe spells out, or the model of Hugging Face that it names."""
    facts = present(
        {field: keys.count(f"model.{name}", f"model.config.{name}") for field, name in _BRIDGE_MODEL.items()}
    )
    named = keys.word("model.hf_path", "model.hf_model_id", "model.pretrained_model_name_or_path", "model.name")
    if not {"num_hidden_layers", "hidden_size", "num_attention_heads"} <= set(facts):
        _named_model(named, reading)
        return
    facts["num_key_value_heads"] = (
        keys.count("model.num_query_groups", "model.config.num_query_groups") or (facts["num_attention_heads"])
    )
    reading.data["model"], assumed = reference_of(facts)
    reading.assumed += assumed
