"""Checks exported scripts with Megatron-LM's own parser, model configuration and process groups; needs no GPU.

Usage: python check_megatron.py MEGATRON_DIR FILE…, in an environment with torch and triton. Prints one JSON line a
file. Each script runs as it is, with a stand-in for torchrun that writes down its arguments.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

STAND_IN = """#!/usr/bin/env bash
printf '%s\\0' "$@" > "$SEEN"
"""


def seen_by_torchrun(script: Path, megatron: Path) -> list[str]:
    """The arguments with which a script starts torchrun."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "torchrun")
        program.write_text(STAND_IN, encoding="utf-8")
        program.chmod(0o755)
        environment = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "SEEN": f"{folder}/seen",
            "MEGATRON_DIR": str(megatron),
            "DATA_PATH": "data",
            "TOKENIZER_MODEL": "tokenizer",
            "LEARNING_RATE": "3e-4",
            "CHECKPOINTS": folder,
        }
        subprocess.run(["bash", str(script)], env=environment, check=True, cwd=folder)
        return Path(folder, "seen").read_text(encoding="utf-8").split("\0")[:-1]


def checked(words: list[str], connections: str | None) -> dict[str, Any]:
    """What the parser, the configuration and the process groups make of the arguments. Raises what they raise."""
    program = words.index("pretrain_gpt.py")
    launcher = dict(pairwise(words[:program]))
    world = int(launcher["--nnodes"]) * int(launcher["--nproc-per-node"])
    os.environ |= {"WORLD_SIZE": str(world), "RANK": "0", "LOCAL_RANK": "0"}
    os.environ.pop("CUDA_DEVICE_MAX_CONNECTIONS", None)
    if connections is not None:
        os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] = connections
    sys.argv = ["pretrain_gpt.py", *words[program + 1 :], "--no-rope-fusion"]

    import torch
    from megatron.core import parallel_state
    from megatron.training import arguments
    from torch.testing._internal.distributed.fake_pg import FakeStore

    parsed = arguments.parse_args()
    arguments.validate_args(parsed, {})
    arguments.core_transformer_config_from_args(parsed)
    torch.distributed.init_process_group("fake", rank=0, world_size=world, store=FakeStore())
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=parsed.tensor_model_parallel_size,
        pipeline_model_parallel_size=parsed.pipeline_model_parallel_size,
        virtual_pipeline_model_parallel_size=parsed.virtual_pipeline_model_parallel_size,
        context_parallel_size=parsed.context_parallel_size,
        expert_model_parallel_size=parsed.expert_model_parallel_size,
        expert_tensor_parallel_size=parsed.expert_tensor_parallel_size,
        create_gloo_process_groups=False,
    )
    return {
        "gpus": world,
        "tensor": parallel_state.get_tensor_model_parallel_world_size(),
        "pipeline": parallel_state.get_pipeline_model_parallel_world_size(),
        "context": parallel_state.get_context_parallel_world_size(),
        "data": parallel_state.get_data_parallel_world_size(),
        "expert": parallel_state.get_expert_model_parallel_world_size(),
        "virtual_pipeline": parsed.virtual_pipeline_model_parallel_size or 1,
        "micro_batch": parsed.micro_batch_size,
        "global_batch": parsed.global_batch_size,
        "steps": parsed.train_iters,
    }


def prepare(megatron: Path) -> None:
    """Imports Megatron with a Hopper in place of the GPU that is not there."""
    import typing

    import typing_extensions

    typing.override = typing_extensions.override  # Megatron wants Python 3.12
    sys.path.insert(0, str(megatron))
    import torch

    torch.cuda.get_device_capability = lambda *_: (9, 0)
    from megatron.core.transformer import transformer_config
    from megatron.training import arguments

    arguments.get_device_arch_version = lambda: 9
    for module in (arguments, transformer_config):
        if hasattr(module, "is_te_min_version"):
            module.is_te_min_version = lambda *_, **__: True


def main() -> None:
    """Checks each file in a process of its own."""
    megatron = Path(sys.argv[1]).resolve()
    files = [Path(name).resolve() for name in sys.argv[2:]]
    prepare(megatron)
    for file in files:
        words = seen_by_torchrun(file, megatron)
        found = re.search(r"^export CUDA_DEVICE_MAX_CONNECTIONS=(\d+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            out = os.dup(1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                answer: dict[str, Any] = {"accepted": checked(words, found[1] if found else None)}
            except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a foreign parser raises)
                answer = {"refused": f"{type(error).__name__}: {error}"[:500]}
            os.write(out, (json.dumps({"file": file.name, **answer}) + "\n").encode())
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
