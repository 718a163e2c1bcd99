"""Launch files say what a plan decided, in the words of their target, and refuse what it would refuse."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from batches import few
from launch_jobs import GOLDEN, JOBS, TWO_WEEKS, golden_files, job, place, sized
from ruamel.yaml import YAML

from planner.catalog.launch_targets import find_target, framework_of_stack, load_targets
from planner.catalog.software import load_stacks
from planner.errors import InputError
from planner.foreign.read import read_launch_file
from planner.foreign.run_file import run_text
from planner.launch.export import launch_file
from planner.launch.job import Bought, LaunchJob
from planner.launch.options import Options
from planner.launch.slurm import slurm_time
from planner.problem.document import parse_document
from planner.problem.parallelism import DEGREES
from planner.problem.run import Recompute, Run
from planner.problem.training import Training

HOSTILE = (
    'x\'; touch INJECTED; $(touch INJECTED) `touch INJECTED`\n- key: !!python/object\n\u2028"""\nEND_OF_WORKER\n../..'
)


def written(phase: LaunchJob, target: str, framework: str | None = None, options: Options | None = None) -> str:
    """The text of a phase's file."""
    runs = find_target(framework) if framework else None
    return launch_file(phase, find_target(target), runs, options or Options()).text


def refusal(phase: LaunchJob, target: str) -> str:
    """Why a target refuses a phase."""
    with pytest.raises(InputError) as error:
        written(phase, target)
    return str(error.value)


def started(script: str, folder: Path, name: str = "torchrun", **environment: str) -> list[str]:
    """The words with which a script starts a program, when it runs with a stand-in for it."""
    stand_in = folder / name
    stand_in.write_text('#!/usr/bin/env bash\nprintf "%s\\0" "$@" > "$SEEN"\n', encoding="utf-8")
    stand_in.chmod(0o755)
    (folder / "script.sh").write_text(script, encoding="utf-8")
    (folder / "megatron").mkdir(exist_ok=True)
    known = {"MEGATRON_DIR": "megatron", "DATA_PATH": "my data", "TOKENIZER_MODEL": "t", "LEARNING_RATE": "3e-4"}
    path = {"PATH": f"{folder}:{os.environ['PATH']}", "SEEN": str(folder / "seen"), "CHECKPOINTS": str(folder / "c")}
    subprocess.run(["bash", "script.sh"], cwd=folder, env=os.environ | known | path | environment, check=True)  # noqa: S607
    return (folder / "seen").read_text(encoding="utf-8").split("\0")[:-1]


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_files_are_those_that_real_parsers_accepted(name: str) -> None:
    """A file is the golden one, which `benchmarks/exports.py` has shown to its target's own parser."""
    assert golden_files()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_has_its_golden_one() -> None:
    """No file is written without having been shown to a parser."""
    assert set(golden_files()) == {path.name for path in GOLDEN.iterdir()}


def test_a_scripts_arguments_reach_the_framework_as_words(tmp_path: Path) -> None:
    """A script that runs gives torchrun the plan's nodes and Megatron the plan's layout; values stay whole."""
    words = started(written(JOBS["llama-405b"], "megatron"), tmp_path)
    assert words[:6] == ["--nnodes", "2048", "--node-rank", "0", "--nproc-per-node", "8"]
    for pair in (("--tensor-model-parallel-size", "8"), ("--train-iters", "929833"), ("--data-path", "my data")):
        assert words[words.index(pair[0]) + 1] == pair[1]


def test_uneven_stages_hold_every_layer() -> None:
    """Where layers do not divide, the layout string has a part per stage and all layers, the fullest first."""
    phase = job("deepseek-v3", **sized(1488, tensor=2, pipeline=31, data=24, expert=16, global_batch=15360))
    cut = re.search(r"--pipeline-model-parallel-layout '([^']*)'", written(phase, "megatron"))
    assert cut is not None
    stages = cut[1].split("|")
    assert len(stages) == 31
    assert cut[1].count("t") == 61
    assert [stage.count("t") for stage in stages] == [2] * 30 + [1]


def test_checkpoints_are_as_far_apart_as_planned() -> None:
    """The interval in steps is the plan's in seconds over the seconds of a step."""
    assert "--save-interval 300 " in written(job(checkpoint_interval_seconds=1800.0, step_seconds=6.0), "megatron")


def test_every_value_says_where_it_comes_from() -> None:
    """Each argument, key and directive of a file carries a comment with its source."""
    script = written(JOBS["llama-405b"], "slurm", options=TWO_WEEKS)
    arguments = script.partition("ARGS=(\n")[2].partition("\n)\n")[0].splitlines()
    directives = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert all(re.search(r"  # \S", line) for line in (*arguments, *directives))
    module = written(JOBS["llama-70b-sharded"], "torchtitan")
    keywords = [line for line in module.splitlines() if re.match(r" {12}\w+=(?!Cross)", line)]
    assert keywords
    assert all("  # " in line for line in keywords if "loss_fn" not in line)


def test_files_name_the_release_they_are_written_for() -> None:
    """The release whose names are used stands in the file."""
    for target in load_targets().values():
        phase = next(phase for phase in JOBS.values() if _accepts(phase, target.name))
        assert target.release.split()[0] in written(phase, target.name)


def _accepts(phase: LaunchJob, target: str) -> bool:
    try:
        written(phase, target)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(
    ("changes", "target", "reason"),
    [
        ({"training": {"method": "lora", "rank": 8}}, "megatron", "method is lora"),
        ({"training": {"optimizer": "lion"}}, "megatron", "optimizer is lion"),
        ({}, "accelerate", "pipeline is 16"),
        ({}, "axolotl", "pipeline is 16"),
        ({}, "deepspeed", "pipeline is 16"),
        ({"model": "gpt3-175b"}, "torchtitan", "no gpt3-175b"),
        ({"model": "gemma2-9b"}, "megatron", "norms_per_layer is 4"),
        ({"placement": place("own", instance_type="racks", region="")}, "skypilot", "is your own"),
        ({"bought": (Bought("reserved", 2048, Decimal(1)),)}, "skypilot", "reserved"),
        ({"tensor": 16}, "megatron", "query groups"),
        ({"shard": 64}, "megatron", "sharding_groups is 2"),
        ({"model": "mixtral-8x7b", **sized(8, zero=3, expert_tensor=2)}, "torchtitan", "expert_tensor is 2"),
        (
            {"model": "llama3.1-8b", "training": {"precision": "fp8"}, **sized(8, zero=3, microbatches=4)},
            "maxtext",
            "accumulation",
        ),
    ],
)
def test_what_a_target_would_refuse_is_refused_with_the_reason(
    changes: dict[str, Any], target: str, reason: str
) -> None:
    """A refusal names what the target does not take, before anything is written."""
    assert reason in refusal(job(**changes), target)


def test_a_chain_covers_a_slow_run() -> None:
    """Jobs of the longest time allowed follow each other until even a slow run has ended."""
    script = written(job(wall_seconds=70 * 86400.0, slowest_factor=1.25), "slurm", options=TWO_WEEKS)
    assert "#SBATCH --array=1-7%1" in script
    assert "#SBATCH --time=14-00:00:00" in script
    single = written(job(wall_seconds=86400.0, slowest_factor=1.25), "slurm", options=TWO_WEEKS)
    assert "--array" not in single
    assert "#SBATCH --time=1-06:05:00" in single
    with pytest.raises(InputError, match="before it has written a checkpoint"):
        written(job(), "slurm", options=Options(job_time=300.0))


def test_time_limits_round_up() -> None:
    """A limit is never shorter than what it is for."""
    assert slurm_time(86_399.0) == "1-00:00:00"
    assert slurm_time(61.0) == "0-00:02:00"


def test_spare_nodes_replace_nodes_that_do_not_answer(tmp_path: Path) -> None:
    """A Slurm job asks for its spares too, starts on the nodes that answer, and marks the phase as ended."""
    script = written(JOBS["mixtral-with-spares"], "slurm")
    assert "#SBATCH --nodes=17 " in script
    for name, says in (("sinfo", "echo n3"), ("scontrol", 'printf "n%s\\n" {1..17}')):
        program = tmp_path / name
        program.write_text(f"#!/usr/bin/env bash\n{says}\n", encoding="utf-8")
        program.chmod(0o755)
    place_ = {"SLURM_JOB_NODELIST": "n[1-17]", "SLURM_JOB_ID": "1", "RUN_DIRECTORY": str(tmp_path)}
    words = started(script, tmp_path, "srun", **place_)
    nodes = next(word for word in words if word.startswith("--nodelist=")).partition("=")[2].split(",")
    assert "--nodes=16" in words
    assert nodes == [f"n{number}" for number in range(1, 18) if number != 3]
    assert (tmp_path / "01-pretrain.done").exists()
    assert (tmp_path / "01-pretrain.worker.sh").read_text(encoding="utf-8").startswith("set -euo pipefail")


def test_spot_nodes_come_back_as_the_policy_says() -> None:
    """A fallback asks for spot nodes first and for nodes on demand where there are none."""
    task = YAML(typ="safe").load(written(JOBS["llama-7b-on-spot"], "skypilot"))
    assert [one["use_spot"] for one in task["resources"]["ordered"]] == [True, False]
    assert task["resources"]["job_recovery"]["strategy"] == "FAILOVER"
    waiting = job(policy="wait", bought=(Bought("spot", 2048, Decimal("1.35")),))
    assert YAML(typ="safe").load(written(waiting, "skypilot"))["resources"]["use_spot"] is True


def test_a_scheduler_starts_any_framework(tmp_path: Path) -> None:
    """A Slurm script writes the framework's own file and starts its command with it."""
    script = written(JOBS["llama-7b-on-spot"], "slurm", "deepspeed")
    worker = script.partition("<<'END_OF_WORKER'\n")[2].partition("\nEND_OF_WORKER\n")[0]
    environment = {"SLURM_PROCID": "3", "MASTER_ADDR": "n1", "TRAIN_SCRIPT": "train.py"}
    words = started(worker, tmp_path, **environment)
    assert words[2:4] == ["--node-rank", "3"]
    config = json.loads(Path(words[words.index("--deepspeed_config") + 1]).read_text(encoding="utf-8"))
    assert config["train_batch_size"] == 512


def test_a_later_phase_begins_with_the_one_before() -> None:
    """The second phase loads what the first one saved."""
    script = written(JOBS["deepseek-v3-second-phase"], "megatron")
    assert '--pretrained-checkpoint "$PREVIOUS_CHECKPOINT"' in script
    assert "/../01-pretrain}" in script


def test_what_a_file_cannot_say_is_listed() -> None:
    """Spares, mixed purchases and keys of the training that a target lacks are in the list and in the file."""
    phase = replace(JOBS["mixtral-with-spares"], training=Training.model_validate({"fused_loss": True}))
    file = launch_file(phase, find_target("megatron"), None, Options())
    assert any("spare" in item for item in file.not_expressed)
    assert any(item.startswith("training.fused_loss: True") for item in file.not_expressed)
    squeezed = file.text.replace("\n#     ", " ")
    assert all(item in squeezed for item in file.not_expressed)


@pytest.mark.parametrize("target", sorted(load_targets()))
def test_names_that_users_wrote_stay_text(target: str, tmp_path: Path) -> None:
    """Whatever a problem and its phases are called, nothing of it runs, breaks out of a comment or names a path."""
    phase = next(one for one in JOBS.values() if _accepts(one, target))
    phase = replace(phase, title=HOSTILE, phase=HOSTILE, model=phase.model.model_copy(update={"note": HOSTILE}))
    file = launch_file(phase, find_target(target), None, Options())
    assert "/" not in file.name
    assert ".." not in file.name
    assert "\u2028" not in file.text
    read_launch_file(file.text, "file")
    if target == "torchtitan":
        ast.parse(file.text)
    elif target == "deepspeed":
        json.loads(file.text)
    elif target in {"megatron", "slurm"}:
        (tmp_path / "script.sh").write_text(file.text, encoding="utf-8")
        for flag in ("-n", "-eu"):
            subprocess.run(["bash", flag, "script.sh"], cwd=tmp_path, capture_output=True, check=flag == "-n")  # noqa: S603, S607
        assert not (tmp_path / "INJECTED").exists()
    else:
        YAML(typ="safe").load(file.text)


def test_every_stack_of_a_target_is_known() -> None:
    """Targets name stacks of the software catalog, each at most once."""
    named = [stack for target in load_targets().values() for stack in target.stacks]
    assert set(named) <= set(load_stacks())
    assert len(named) == len(set(named))
    found = framework_of_stack("megatron")
    assert found is not None
    assert found.name == "megatron"


def test_recomputed_layers_are_whole_in_every_chunk() -> None:
    """Layers of a stage become layers of a chunk, or the phase is refused."""
    assert "--recompute-num-layers 1 " in written(JOBS["gpt3-in-chunks"], "megatron")
    odd = replace(JOBS["gpt3-in-chunks"], recompute=Recompute(kind="full", full_layers=13))
    assert "not whole" in refusal(odd, "megatron")


SHAPES = [
    {"tensor": 8, "pipeline": 1, "context": 1, "data": 1},
    {"tensor": 2, "pipeline": 1, "context": 4, "data": 1},
    {"tensor": 1, "pipeline": 8, "context": 1, "data": 1},
    {"tensor": 1, "pipeline": 1, "context": 1, "data": 8},
    {"tensor": 1, "pipeline": 4, "context": 1, "data": 2},
    {"tensor": 1, "pipeline": 4, "context": 1, "data": 2, "virtual_pipeline": 4},
    {"tensor": 2, "pipeline": 1, "context": 2, "data": 2},
    {"tensor": 1, "pipeline": 1, "context": 1, "data": 8, "shard": 4},
    {"tensor": 1, "pipeline": 1, "context": 2, "data": 4, "shard": 4},
    {"tensor": 4, "pipeline": 1, "context": 1, "data": 2, "expert_tensor": 2},
]


FRAMEWORKS = sorted(name for name, target in load_targets().items() if target.kind == "framework")
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("llama3.1-8b", "qwen2.5-7b", "gpt3-6.7b")]


@pytest.mark.parametrize("target", few([*FRAMEWORKS, "slurm"], 2))
@pytest.mark.parametrize("model", ["mixtral-8x7b", *SLOW])
def test_any_layout_is_written_as_it_is_or_refused(target: str, model: str) -> None:
    """Every ZeRO stage, recompute and shape on eight devices reads back as itself, or the target refuses it."""
    recomputes = (
        Recompute(),
        Recompute(kind="selective"),
        Recompute(kind="full"),
        Recompute(kind="full", full_layers=4),
    )
    for number, (shape, zero) in enumerate((shape, zero) for shape in SHAPES for zero in range(4)):
        expert = 2 if model.startswith("mixtral") and shape["data"] > 1 else 1
        phase = job(
            model,
            **{**sized(8), "expert": expert, **shape, "zero": zero, "recompute": recomputes[number % 4]},
            micro_batch=2,
            global_batch=64,
            sequence_length=2048,
            microbatches=64 // (2 * shape["data"]),
        )
        if not _accepts(phase, target):
            continue
        run = parse_document(run_text(read_launch_file(written(phase, target), "x"), "x", {}, ())[0], "run", Path())
        layout = Run.of(run).layout
        for key in (*(name for name in DEGREES if name not in {"data", "shard"}), "recompute"):
            assert getattr(layout, key) == getattr(phase, key), (shape, zero, key)
        assert (layout.shard or phase.data * phase.context) == phase.shard, (shape, zero)
        assert Run.of(run).replicas == shape["data"]
