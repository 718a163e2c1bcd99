"""Which framework a launch file is for, and what run it describes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from planner.catalog.models import find_model
from planner.errors import InputError, Place, did_you_mean
from planner.foreign import configs, megatron, torchtitan
from planner.foreign.block import JSON_KEY, merged, read_block
from planner.foreign.reading import Reading
from planner.prices.devices import device_by_name
from planner.problem.document import parse_document

TextReader = Callable[[str, str], Reading]
ConfigReader = Callable[[Mapping[str, Any], str], Reading]

TEXTS: Final[Mapping[str, TextReader]] = {
    "megatron": megatron.read_megatron,
    "torchtitan": torchtitan.read_torchtitan,
}
"""Readers of scripts and modules."""
CONFIGS: Final[Mapping[str, ConfigReader]] = {
    "deepspeed": configs.read_deepspeed,
    "accelerate": configs.read_accelerate,
    "axolotl": configs.read_axolotl,
    "llama-factory": configs.read_llama_factory,
    "maxtext": configs.read_maxtext,
    "bridge": configs.read_bridge,
}
"""Readers of YAML and JSON."""
FORMATS: Final = (*TEXTS, *CONFIGS)
"""What `--from` may say."""

_SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "llama-factory": ("model_name_or_path", "finetuning_type", "per_device_train_batch_size"),
    "axolotl": ("base_model",),
    "maxtext": ("per_device_batch_size", "max_target_length", "ici_tensor_parallelism"),
    "accelerate": ("distributed_type", "compute_environment", "fsdp_config"),
    "deepspeed": ("zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size"),
    "bridge": ("model", "trainer", "train"),
}
"""Top-level keys that show what a configuration is for; the first that has one counts."""


def read_launch_file(text: str, source: str, kind: str | None = None) -> Reading:
    """The run that a launch file describes, its comment block included. Raises InputError.

    `source` is what errors call the file; `kind` is a name in `FORMATS` where the text alone does not tell.
    """
    if kind is not None and kind not in FORMATS:
        raise InputError(f"unknown format {kind[:80]!r}", fix=did_you_mean(kind, FORMATS))
    data = _data(text, source)
    reading = _read_text(text, source, kind) if data is None else _read_data(data, text, source, kind)
    if isinstance(reading.data.get("model"), str):  # a path in a launch file is not a file that was given
        reading.data["model"] = find_model(reading.data["model"]).name
    return reading


def _read_text(text: str, source: str, kind: str | None) -> Reading:
    """A script or module, with its comment block and what it writes into files."""
    embedded = _embedded(text)
    if embedded is not None and kind not in TEXTS:
        reading = read_launch_file(embedded, source, kind)
    else:
        reading = TEXTS[kind or _text_kind(text, source)](text, source)
    reading.data = merged(reading.data, read_block(text, source))
    return reading


def _read_data(data: Mapping[str, Any], text: str, source: str, kind: str | None) -> Reading:
    """A configuration, or a scheduler's file around a script."""
    script = _script_in(data)
    if script is not None and kind not in CONFIGS:
        reading = _read_text(script, source, kind)
    else:
        found = kind or _config_kind(data)
        if found is None or found not in CONFIGS:
            raise InputError(
                "no launch file that is known", place=Place(source), fix=f"say --from {', '.join(FORMATS)}"
            )
        reading = CONFIGS[found](data, source)
    if device := device_by_name(_asked_devices(data)[0]):
        reading.guesses = merged({"cluster": {"accelerator": device}}, reading.guesses)
    about = data.get(JSON_KEY)
    block = about.get("run") if isinstance(about, Mapping) else read_block(text, source)
    reading.data = merged(reading.data, block if isinstance(block, Mapping) else {})
    return reading


def _data(text: str, source: str) -> dict[str, Any] | None:
    """The mapping that a YAML or JSON text holds; None for a script or module."""
    if _is_program(text) or torchtitan.settings_of(text) is not None:
        return None
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            fix = "give the file as the framework reads it"
            raise InputError(f"not JSON: {str(error)[:100]}", place=Place(source), fix=fix) from None
        return found if isinstance(found, dict) else None
    return dict(parse_document(text, source, Path()).data)


def _is_program(text: str) -> bool:
    """Whether a text is a script, a list of arguments or a module rather than YAML or JSON."""
    if text.startswith("#!") or torchtitan.MODULE in text:
        return True
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    in_yaml = first.partition(":")[0].strip().isidentifier() and ":" in first
    return not in_yaml and ("--" in text and not first.lstrip().startswith("{"))


def _text_kind(text: str, source: str) -> str:
    """What a script or module is for."""
    if (
        torchtitan.MODULE in text
        or torchtitan.settings_of(text) is not None
        or any(sign in text for sign in torchtitan.TELLTALES)
    ):
        return "torchtitan"
    plain = text.replace("_", "-")
    if any(sign in plain for sign in megatron.TELLTALES):
        return "megatron"
    fix = "give a script with its arguments, or say --from megatron or --from torchtitan"
    raise InputError("no arguments of a known framework", place=Place(source), fix=fix)


def _config_kind(data: Mapping[str, Any]) -> str | None:
    """What a configuration is for."""
    return next((kind for kind, keys in _SIGNS.items() if any(key in data for key in keys)), None)


def _script_in(data: Mapping[str, Any]) -> str | None:
    """The script that a SkyPilot task or a TrainJob runs, with the number of nodes that it is told."""
    spec = data.get("spec")
    trainer = spec.get("trainer") if isinstance(spec, Mapping) else None
    arguments = trainer.get("args") if isinstance(trainer, Mapping) else None
    if isinstance(arguments, list) and arguments and isinstance(trainer, Mapping):
        return _with_nodes(arguments[-1], "PET_NNODES", trainer.get("numNodes"))
    script = _with_nodes(data.get("run"), "SKYPILOT_NUM_NODES", data.get("num_nodes", 1))
    return script and f"SKYPILOT_NUM_GPUS_PER_NODE={_asked_devices(data)[1] or ''}\n{script}"


def _asked_devices(data: Mapping[str, Any]) -> tuple[str, int]:
    """The device and how many of it a SkyPilot task asks for: `H100:8` or `{H100: 8}`; else empty and 0."""
    resources = data.get("resources")
    asked = resources.get("accelerators") if isinstance(resources, Mapping) else None
    if isinstance(asked, Mapping) and len(asked) == 1:
        asked = ":".join(map(str, *asked.items()))
    name, _, count = asked.partition(":") if isinstance(asked, str) else ("", "", "")
    return name, int(count or 1) if name and re.fullmatch(r"\d{0,4}", count) else 0


def _with_nodes(script: object, variable: str, nodes: object) -> str | None:
    """A script behind the variable that holds the number of nodes; None when it is no text."""
    if not isinstance(script, str):
        return None
    return f"{variable}={nodes}\n{script}" if isinstance(nodes, int) else script


END_OF_CONFIG: Final = "END_OF_CONFIG"
"""What closes a configuration that a script writes into a file."""


def _embedded(text: str) -> str | None:
    """The configuration that an exported script writes into a file."""
    _, opened, rest = text.partition(f"<<'{END_OF_CONFIG}'\n")
    body, closed, _ = rest.partition(f"\n{END_OF_CONFIG}\n")
    return body + "\n" if opened and closed else None
