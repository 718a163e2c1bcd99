"""Checks exported files with DeepSpeed's, Accelerate's and axolotl's own configuration classes; needs no GPU.

Usage: python check_hugging_face.py FILE…, in an environment with all three. Prints one JSON line a file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml


def checked_deepspeed(file: Path) -> dict[str, Any]:
    """The batches that DeepSpeed's configuration finds to agree. Raises what it raises."""
    os.environ["DS_ACCELERATOR"] = "cpu"
    import deepspeed.comm
    from deepspeed.runtime.config import DeepSpeedConfig

    data = json.loads(file.read_text(encoding="utf-8"))
    run = data["_plan"]["run"]
    tensor = data.get("tensor_parallel", {}).get("autotp_size", 1)
    context = data.get("sequence_parallel_size", 1)
    gpus = run["cluster"]["gpus"]
    replicas = gpus // (tensor * context)
    deepspeed.comm.get_rank = lambda *_, **__: 0
    deepspeed.comm.get_world_size = lambda *_, **__: gpus
    deepspeed.comm.is_initialized = lambda: True
    mesh = SimpleNamespace(get_data_parallel_world_size=lambda: replicas)
    config = DeepSpeedConfig(data, mpu=mesh)
    return {
        "gpus": gpus,
        "global_batch": config.train_batch_size,
        "micro_batch": config.train_micro_batch_size_per_gpu,
        "tensor": config.tensor_parallel_config.autotp_size or 1,
        "context": context,
        "data": replicas,
        "zero": int(config.zero_optimization_stage),
    }


def checked_accelerate(file: Path) -> dict[str, Any]:
    """The degrees of Accelerate's configuration, once its product is the number of processes. Raises what it raises."""
    from accelerate.commands.config.config_args import ClusterConfig
    from accelerate.parallelism_config import ParallelismConfig
    from accelerate.utils import FullyShardedDataParallelPlugin

    config = ClusterConfig.from_yaml_file(str(file))
    parallel = {name.removeprefix("parallelism_config_"): size for name, size in config.parallelism_config.items()}
    dims = ParallelismConfig(**parallel)
    if dims.total_size != config.num_processes:
        raise ValueError(f"degrees make {dims.total_size}, num_processes is {config.num_processes}")
    sharding = {name.removeprefix("fsdp_"): value for name, value in config.fsdp_config.items()}
    known = {"auto_wrap_policy", "reshard_after_forward", "activation_checkpointing", "state_dict_type", "version"}
    if left := set(sharding) - known:
        raise ValueError(f"unknown keys {sorted(left)}")
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=sharding["version"],
        reshard_after_forward=sharding["reshard_after_forward"],
        activation_checkpointing=sharding["activation_checkpointing"],
        state_dict_type=sharding["state_dict_type"],
    )
    return {
        "gpus": config.num_processes,
        "tensor": dims.tp_size,
        "context": dims.cp_size,
        "data": dims.dp_shard_size,
        "zero": 3 if plugin.reshard_after_forward else 2,
    }


def checked_axolotl(file: Path) -> dict[str, Any]:
    """The values that axolotl's schema takes. Raises what it raises."""
    sys.modules["ring_flash_attn"] = types.ModuleType("ring_flash_attn")  # a context asks for it; it needs a GPU
    from axolotl.utils.schemas.config import AxolotlInputConfig

    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    config = AxolotlInputConfig(**data)
    unknown = set(data) - set(AxolotlInputConfig.model_fields)
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    return {
        "data": config.dp_shard_size,
        "context": config.context_parallel_size or 1,
        "micro_batch": config.micro_batch_size,
        "steps": config.max_steps,
        "global_batch": config.micro_batch_size * config.gradient_accumulation_steps * config.dp_shard_size,
        "zero": 3 if config.fsdp_config.reshard_after_forward else 2,
    }


CHECKS = {
    ".deepspeed.json": checked_deepspeed,
    ".accelerate.yaml": checked_accelerate,
    ".axolotl.yaml": checked_axolotl,
}


def main() -> None:
    """Checks each file by its suffix."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    out = os.dup(1)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in sys.argv[1:]:
            check = next(check for suffix, check in CHECKS.items() if name.endswith(suffix))
            try:
                answer: dict[str, Any] = {"accepted": check(Path(name))}
            except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a foreign parser raises)
                answer = {"refused": f"{type(error).__name__}: {error}"[:500]}
            os.write(out, (json.dumps({"file": Path(name).name, **answer}) + "\n").encode())


if __name__ == "__main__":
    main()
