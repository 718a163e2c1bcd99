"""Checks exported files with MaxText's own configuration, for as many devices as a plan has; needs none of them.

Usage: python check_maxtext.py MAXTEXT_DIR FILE…, in an environment with JAX and OmegaConf. Prints one JSON line a file.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

AXES = ("tensor", "context", "expert", "fsdp", "data", "pipeline")


def checked(file: Path, configuration: Any) -> dict[str, Any]:  # noqa: ANN401  (a module of MaxText)
    """What MaxText makes of a file. Raises what it raises."""
    import jax

    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    within, across = ([data[f"{kind}_{axis}_parallelism"] for axis in AXES] for kind in ("ici", "dcn"))
    gpus, slices = math.prod(within) * math.prod(across), math.prod(across)
    devices = [SimpleNamespace(slice_index=index * slices // gpus, process_index=0, id=index) for index in range(gpus)]
    jax.devices = lambda *_: devices
    jax.device_count = lambda *_: gpus
    found = configuration.initialize_pydantic(["train", str(file), "run_name=check", "base_output_directory=/tmp"])
    return {
        "gpus": gpus,
        "model": found.model_name,
        "steps": found.steps,
        "global_batch": found.global_batch_size_to_train_on,
        "tensor": found.ici_tensor_parallelism * found.dcn_tensor_parallelism,
        "pipeline": found.ici_pipeline_parallelism * found.dcn_pipeline_parallelism,
    }


def main() -> None:
    """Checks all files."""
    maxtext = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(maxtext))
    out = os.dup(1)
    os.dup2(2, 1)
    from maxtext.configs import pyconfig

    for name in sys.argv[2:]:
        try:
            answer: dict[str, Any] = {"accepted": checked(Path(name), pyconfig)}
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a foreign parser raises)
            answer = {"refused": f"{type(error).__name__}: {error}"[:500]}
        os.write(out, (json.dumps({"file": Path(name).name, **answer}, default=str) + "\n").encode())


if __name__ == "__main__":
    main()
