"""torchtitan: overrides on a command line, or the literal arguments of a module, which is read and never run."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from planner.catalog.launch_targets import Target, find_target
from planner.errors import InputError, Place
from planner.foreign.arguments import Arguments, arguments_of
from planner.foreign.reading import Reading, devices_of, present
from planner.foreign.shell import Script, read_script

TELLTALES: Final = ("--training.", "--parallelism.", "--activation_checkpoint.")
"""Beginnings of arguments that show that a text is for torchtitan."""
TABLES: Final = ("training", "parallelism", "activation_checkpoint")
"""Tables that show that a TOML text is for torchtitan."""
MODULE: Final = "Trainer.Config("
"""What a module for torchtitan contains."""
LAYERS_PER_STAGE: Final = "parallelism.pipeline_parallel_layers_per_stage"


def read_torchtitan(text: str, source: str) -> Reading:
    """The run that overrides or a module describe. Raises InputError."""
    if MODULE in text and not _is_shell(text):
        return _reading(_module(text, source), Script(), text)
    if (settings := settings_of(text)) is not None:
        return _reading(_settings(settings, source), Script(), "")
    script = read_script(text, source)
    words = max(script.commands, key=lambda found: sum(_is_override(word) for word in found), default=[])
    return _reading(arguments_of(words, source), script, text)


def settings_of(text: str) -> Mapping[str, Any] | None:
    """The tables of the TOML that releases before 0.3 are configured with; None for other texts."""
    if not any(f"[{table}]" in text for table in TABLES):
        return None
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return found if any(isinstance(found.get(table), Mapping) for table in TABLES) else None


def _settings(tables: Mapping[str, Any], source: str) -> Arguments:
    """The tables' values under the names that overrides have."""
    values = {
        f"--{table}.{key}": (str(value),)
        for table, entries in tables.items()
        if isinstance(entries, Mapping)
        for key, value in entries.items()
        if isinstance(value, str | int | float)
    }
    return Arguments(source, values)


def _is_shell(text: str) -> bool:
    return text.startswith("#!") or "torchrun" in text


def _is_override(word: str) -> bool:
    return word.startswith(TELLTALES)


def _module(text: str, source: str) -> Arguments:
    """The literal keyword arguments in a module's calls, under the names that overrides have."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError("not a Python module", place=Place(source), fix="give it as it was exported") from None
    return Arguments(source, dict(_keywords(tree)))


_CALLS: Final[Mapping[str, str]] = {"TrainingConfig": "training", "ParallelismConfig": "parallelism"}


def _keywords(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Arguments by name, with their literal values."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in _CALLS:
                for keyword in keywords:
                    if isinstance(keyword.value, ast.Constant):
                        yield f"--{_CALLS[name]}.{keyword.arg}", (str(keyword.value.value),)
            case ast.Call(func=ast.Name(id="model_registry"), args=[ast.Constant(value=flavor), *_], keywords=keywords):
                yield "--flavor", (str(flavor),)
                yield from (("--recipe", (recipe,)) for recipe in _recipes(keywords))
            case ast.ImportFrom(module=str(module), names=[ast.alias(name="model_registry")]):
                yield "--module", (module.rpartition(".")[2],)
            case ast.keyword(arg="activation_checkpoint", value=value):
                yield "--activation_checkpoint", (_policy(value),)


def _recipes(keywords: list[ast.keyword]) -> Iterator[str]:
    for keyword in keywords:
        for node in ast.walk(keyword.value):
            if isinstance(node, ast.keyword) and node.arg == "recipe_name" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)


def _policy(value: ast.expr) -> str:
    """`none`, `selective` or `full`."""
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            return name.removesuffix("AC").casefold()
    return "none"


def _reading(arguments: Arguments, script: Script, text: str) -> Reading:
    """The run that arguments describe."""
    target, reading = find_target("torchtitan"), Reading()
    reading.data = {
        "training": {key: count for key, count in _batches(arguments, target).items() if count > 0},
        "layout": present(_counts(arguments, target, "tensor", "pipeline", "context", "expert")),
    }
    training, layout = reading.data["training"], reading.data["layout"]
    steps = arguments.count(f"--{target.names['steps']}")
    if steps is not None and {"global_batch", "sequence_length"} <= set(training):
        training["tokens"] = steps * training["global_batch"] * training["sequence_length"]
    elif (local := arguments.count("--training.local_batch_size")) is not None and "global_batch" not in training:
        training |= {"sequences_per_device": local, "steps": steps}
    if (model := _model(arguments, target)) is not None:
        reading.data["model"] = model
    recipe = arguments.word("--recipe")
    if (precision := target.meant_by("precision", *((recipe,) if recipe else ()))) is not None:
        training["precision"] = precision
    reading.guesses = {"training": {"precision": "fp8" if recipe else "bf16"}, "layout": {"zero": 2}}
    layout |= present({"micro_batch": _micro_batch(arguments), "data": _replicas(arguments)})
    layout |= present({"zero": _zero(arguments)}) | {"recompute": _recompute(arguments)}
    reading.sharded_copies = arguments.count("--parallelism.data_parallel_replicate_degree") or 1
    _read_chunks(arguments, reading)
    gpus = devices_of(arguments, script, text) or _of_a_node(script)
    if gpus is not None:
        reading.data["cluster"] = {"gpus": gpus}
    return reading


def _of_a_node(script: Script) -> int | None:
    """Devices that `NGPU=8 ./run_train.sh` starts on one node."""
    stated = script.variables.get("NGPU")
    return int(stated[:9]) if isinstance(stated, str) and stated.isdecimal() and int(stated[:9]) else None


def _batches(arguments: Arguments, target: Target) -> dict[str, int]:
    """Sequence length and global batch, where they are stated; −1 stands for what torchtitan works out."""
    return present(_counts(arguments, target, "sequence_length", "global_batch"))


def _counts(arguments: Arguments, target: Target, *fields: str) -> dict[str, int | None]:
    return {field: arguments.count(f"--{target.names[field]}") for field in fields}


def _model(arguments: Arguments, target: Target) -> str | None:
    """The catalog's name of a registry's model."""
    module = arguments.word("--module") or arguments.word("--model.name")
    flavor = arguments.word("--flavor") or arguments.word("--model.flavor")
    config = arguments.word("--config") or ""
    if module is not None and flavor is None:
        flavor = config.removeprefix(f"{module}_")
    registered = target.words["model"].items()
    names = (
        name for name, (package, one) in registered if package == module and one.casefold() == str(flavor).casefold()
    )
    return next(names, None)


def _micro_batch(arguments: Arguments) -> int | None:
    """Sequences of a micro-batch: a pipeline cuts the local batch further."""
    if (arguments.count("--parallelism.pipeline_parallel_degree") or 1) > 1:
        return arguments.count("--parallelism.pipeline_parallel_microbatch_size") or 1
    return arguments.count("--training.local_batch_size")


def _replicas(arguments: Arguments) -> int | None:
    """Data-parallel replicas, where they are stated."""
    shard = arguments.count("--parallelism.data_parallel_shard_degree")
    if shard is None or shard < 1:
        return None
    return shard * (arguments.count("--parallelism.data_parallel_replicate_degree") or 1)


def _zero(arguments: Arguments) -> int | None:
    """The ZeRO stage: 3 where weights are sharded again after the forward pass; None where it may be 1 or 2."""
    context = arguments.count("--parallelism.context_parallel_degree") or 1
    if arguments.count("--parallelism.data_parallel_shard_degree") == context == 1:
        return None
    reshard = arguments.word("--parallelism.fsdp_reshard_after_forward") or "default"
    pipelined = (arguments.count("--parallelism.pipeline_parallel_degree") or 1) > 1
    return None if reshard == "never" or (reshard == "default" and pipelined) else 3


def _recompute(arguments: Arguments) -> str:
    found = (
        arguments.word("--activation_checkpoint") or arguments.word("--activation_checkpoint.mode") or ""
    ).casefold()
    return found if found in {"none", "full"} else "selective"


def _read_chunks(arguments: Arguments, reading: Reading) -> None:
    """Virtual stages, which torchtitan derives from the layers of a stage: only the model tells how many they are."""
    per_stage = arguments.count(f"--{LAYERS_PER_STAGE}")
    interleaved = "Interleaved" in (arguments.word("--parallelism.pipeline_parallel_schedule") or "")
    if not interleaved:
        return
    layers = _layers(reading.data.get("model"))
    pipeline = reading.data["layout"].get("pipeline", 1)
    ends = (
        "--parallelism.pipeline_parallel_first_stage_less_layers",
        "--parallelism.pipeline_parallel_last_stage_less_layers",
    )
    dealt = layers + sum(1 if (less := arguments.count(end)) is None else less for end in ends)
    virtual = -(-dealt // (per_stage * pipeline)) if layers and per_stage else 2
    reading.data["layout"]["virtual_pipeline"] = max(virtual, 1)
    if not per_stage:
        reading.assumed.append("two virtual stages a device, torchtitan's default for an interleaved schedule")


def _layers(model: Any) -> int:  # noqa: ANN401  (a name or an architecture)
    """Layers of a model that goes by a name."""
    from planner.catalog.models import find_model  # noqa: PLC0415

    return find_model(model).num_hidden_layers if isinstance(model, str) else 0
