"""Checks exported modules with torchtitan: its configuration, its device mesh and its cut into stages; needs no GPU.

Usage: python check_torchtitan.py FILE…, in an environment with torchtitan. Prints one JSON line a file.
"""

from __future__ import annotations

import ast
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def checked(file: Path) -> dict[str, Any]:
    """What torchtitan makes of a module. Raises what it raises."""
    os.environ["HF_ASSETS_PATH"] = "assets"
    config = runpy.run_path(str(file))["planned"]()
    parallelism, training = config.parallelism, config.training

    import torch
    from torch.testing._internal.distributed.fake_pg import FakeStore
    from torchtitan.distributed import ParallelDims
    from torchtitan.distributed import pipeline_parallel as stages

    degrees = {
        "dp_replicate": parallelism.data_parallel_replicate_degree,
        "dp_shard": parallelism.data_parallel_shard_degree,
        "cp": parallelism.context_parallel_degree,
        "tp": parallelism.tensor_parallel_degree,
        "pp": parallelism.pipeline_parallel_degree,
        "ep": parallelism.expert_parallel_degree,
    }
    world = degrees["dp_shard"] * degrees["cp"] * degrees["tp"] * degrees["pp"]
    torch.distributed.init_process_group("fake", rank=0, world_size=world, store=FakeStore())
    dims = ParallelDims(**degrees, world_size=world)
    dims.build_mesh()
    chunks = 1
    if degrees["pp"] > 1:
        number, layers, first, last = stages._get_pipeline_metadata(dims, parallelism, config.model_spec.model)
        parts = stages._generate_llm_fqn_per_model_part(number, layers, first, last)
        chunks = len(parts) // degrees["pp"]
    return {
        "gpus": world,
        "tensor": degrees["tp"],
        "pipeline": degrees["pp"],
        "context": degrees["cp"],
        "expert": degrees["ep"],
        "data": degrees["dp_shard"],
        "virtual_pipeline": chunks,
        "global_batch": training.global_batch_size,
        "steps": training.steps,
    }


def main() -> None:
    """Checks each file in a process of its own."""
    import torchtitan.components.quantization.float8 as quantization
    import torchtitan.trainer

    assert torchtitan.trainer
    for name in ("has_cuda_capability", "has_rocm_capability"):
        if hasattr(quantization, name):
            setattr(quantization, name, lambda *_: True)  # a Hopper in place of the GPU that is not there
    for name in sys.argv[1:]:
        file = Path(name)
        ast.parse(file.read_text(encoding="utf-8"))
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            try:
                answer: dict[str, Any] = {"accepted": checked(file)}
            except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a foreign parser raises)
                answer = {"refused": f"{type(error).__name__}: {error}"[:500]}
            print(json.dumps({"file": file.name, **answer}), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
