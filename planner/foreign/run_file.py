"""From what was read of a launch file to a run file, complete or refused with what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from planner.errors import InputError, Issue, Place
from planner.foreign.block import merged
from planner.foreign.reading import Reading
from planner.foreign.yaml_text import yaml_text
from planner.problem.document import Document, parse_document, with_overrides
from planner.problem.run import Run

_NEEDED: Final[Mapping[tuple[str, ...], str]] = {
    ("model",): "--model llama3-8b or --model config.json",
    ("training", "tokens"): "--tokens 1T",
    ("training", "sequence_length"): "--set training.sequence_length=4096",
    ("training", "global_batch"): "--set training.global_batch=1024",
    ("cluster", "accelerator"): "--on H100-80GB-SXM5",
    ("cluster", "gpus"): "--gpus 64",
}
"""What a run cannot do without, and the option that states it."""
_ORDER: Final = ("schema", "name", "model", "training", "cluster", "layout")


def run_text(reading: Reading, source: str, options: Mapping[str, str], sets: Iterable[str]) -> tuple[str, list[str]]:
    """The run file of a reading, with what a user states on top, and what was assumed.

    `options` holds values by dotted key. Raises InputError with everything that is missing, and for a run whose parts
    do not fit together.
    """
    said = merged(reading.data, reading.guesses)
    data = {key: dict(value) if isinstance(value, Mapping) else value for key, value in said.items()}
    document = Document(source, {"schema": "run/1", **data}, ("",), {}, Path())
    document = with_overrides(document, [*(f"{path}={value}" for path, value in options.items()), *sets])
    whole: dict[str, Any] = dict(document.data)
    _complete_batch(whole)
    _complete_shard(whole, reading.sharded_copies)
    _refuse_missing(whole, reading, source)
    text = yaml_text({key: whole[key] for key in (*_ORDER, *sorted(set(whole) - set(_ORDER))) if key in whole})
    Run.of(parse_document(text, source, Path()))
    return text, [*reading.assumed, *_defaults(whole)]


def _complete_batch(whole: dict[str, Any]) -> None:
    """Works out batch and tokens where a file states sequences per device and steps."""
    training = whole.get("training")
    if not isinstance(training, dict):
        return
    each, steps = training.pop("sequences_per_device", None), training.pop("steps", None)
    gpus = _whole(whole, "cluster", "gpus")
    if each and gpus and "global_batch" not in training:
        training["global_batch"] = each * max(1, gpus // _devices(whole, "tensor", "pipeline", "context"))
    batch, length = _whole(whole, "training", "global_batch"), _whole(whole, "training", "sequence_length")
    if steps and steps > 0 and batch and length and "tokens" not in training:
        training["tokens"] = steps * batch * length


def _complete_shard(whole: dict[str, Any], copies: int) -> None:
    """States the devices that one copy of the states is sharded over, where there are several copies."""
    layout, gpus = whole.get("layout"), _whole(whole, "cluster", "gpus")
    if copies > 1 and isinstance(layout, dict) and gpus:
        layout.setdefault("shard", max(1, gpus // (_devices(whole, "tensor", "pipeline") * copies)))


def _devices(whole: Mapping[str, Any], *degrees: str) -> int:
    """The product of some degrees."""
    return prod(_whole(whole, "layout", degree) or 1 for degree in degrees)


def _whole(whole: Mapping[str, Any], *path: str) -> int | None:
    """A whole number above 0 at a path; None for anything else, which is refused later."""
    found = _at(whole, path)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _refuse_missing(whole: Mapping[str, Any], reading: Reading, source: str) -> None:
    """Raises InputError that names every key that is missing, and the option that states it."""
    missing = {".".join(path): option for path, option in _NEEDED.items() if _at(whole, path) is None}
    missing |= {key: option for key, option in reading.missing.items() if _at(whole, tuple(key.split("."))) is None}
    if missing:
        raise InputError(
            Issue(f"the file does not say {key}", Place(source), f"add {option}") for key, option in missing.items()
        )


def _at(whole: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401  (whatever stands there)
    """The value at a path; None when there is none."""
    found: Any = whole
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _defaults(whole: Mapping[str, Any]) -> list[str]:
    """What the run takes for granted because nothing said otherwise."""
    cluster, training = whole["cluster"], whole["training"]
    found = []
    if "network" not in cluster:
        found.append("the network that is usual for the accelerator (--set cluster.network=400Gb/s)")
    if "price" not in cluster:
        found.append("no price: an estimate takes the catalog's (--set cluster.price='$2/GPU-h')")
    if "software" not in training:
        found.append("a typical training stack (--set training.software.stack=megatron)")
    return found
