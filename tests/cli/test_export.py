"""`plan export` writes files that start a plan, and `plan import` reads them back as the same run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from planner.cli import main

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
TARGETS = ("megatron", "torchtitan", "deepspeed", "accelerate", "maxtext", "axolotl", "skypilot", "slurm", "trainjob")


def run(*words: str, stdin: str | None = None) -> Result:
    """A command's result."""
    return CliRunner().invoke(main, list(words), input=stdin)


def solved(problem: str, folder: Path) -> str:
    """The file of a problem's answer."""
    file = str(folder / f"{problem}.json")
    assert run("solve", str(PROBLEMS / f"{problem}.yaml"), "--out", file).exit_code == 0
    return file


@pytest.fixture(scope="module")
def deepseek(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A plan of three phases, as a file."""
    return solved("deepseek_v3", tmp_path_factory.mktemp("plans"))


def assert_round_trip(answer: str, folder: Path, target: str) -> int:
    """Every phase that a target takes comes back with its layout, batch, steps and seconds; returns how many."""
    document, compared = json.loads(Path(answer).read_text(encoding="utf-8")), 0
    for phase in document["plan"]["phases"]:
        exported = run("export", answer, "--to", target, "--phase", phase["name"])
        if exported.exit_code == 2:
            assert "cannot run phase" in exported.stderr
            continue
        assert exported.exit_code == 0, exported.output
        (folder / "launch").write_text(exported.stdout, encoding="utf-8")
        assert run("import", str(folder / "launch"), "--out", str(folder / "run.yaml")).exit_code == 0
        estimate = json.loads(run("estimate", str(folder / "run.yaml"), "--json").stdout)["phase"]
        keys = ("gpus", "tensor", "pipeline", "context", "expert", "data", "virtual_pipeline", "micro_batch", "zero")
        for key in (*keys, "microbatches", "recompute", "steps"):
            assert estimate[key] == phase[key], (target, key)
        assert estimate["step_seconds"] == pytest.approx(phase["step_seconds"], rel=1e-9)
        compared += 1
    return compared


@pytest.mark.parametrize("target", ["megatron", "slurm", "torchtitan", "trainjob"])
def test_a_plan_comes_back_as_the_same_run(deepseek: str, tmp_path: Path, target: str) -> None:
    """Export, import and estimate give the plan's own figures for every phase."""
    assert assert_round_trip(deepseek, tmp_path, target) == 3


@pytest.mark.slow
@pytest.mark.parametrize("problem", sorted(path.stem for path in PROBLEMS.glob("*.yaml")))
def test_every_problem_comes_back_from_every_target(problem: str, tmp_path: Path) -> None:
    """All problems, all phases, all targets that take them."""
    answer = solved(problem, tmp_path)
    for target in TARGETS:
        assert_round_trip(answer, tmp_path, target)


def test_several_phases_need_a_folder_or_a_name(deepseek: str) -> None:
    """Without `--out` a plan of several phases is refused, with the names to choose from."""
    result = run("export", deepseek, "--to", "megatron")
    assert result.exit_code == 2
    assert "pretrain, extend-32k, extend-128k" in result.stderr
    assert "--phase" in result.stderr


def test_each_phase_has_a_file_of_its_own(deepseek: str, tmp_path: Path) -> None:
    """`--out` makes the folder and names the files; what they do not say goes to stderr."""
    result = run("export", deepseek, "--to", "slurm", "--out", str(tmp_path / "new" / "launch"))
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == ["01-pretrain.slurm.sh", "02-extend-32k.slurm.sh", "03-extend-128k.slurm.sh"]
    assert sorted(path.name for path in (tmp_path / "new" / "launch").iterdir()) == names
    assert "not in the file: partition" in result.stderr


def test_a_refused_target_ends_with_2(deepseek: str, tmp_path: Path) -> None:
    """A phase that the target cannot run is named with the reason, and nothing is written."""
    result = run("export", deepseek, "--to", "accelerate", "--out", str(tmp_path / "launch"))
    assert result.exit_code == 2
    assert "Accelerate cannot run phase pretrain: pipeline is" in result.stderr
    assert not (tmp_path / "launch").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "not a plan"), ("[1]", "not a plan"), ("{", "not a plan in JSON"), ("", "not a plan")],
)
def test_what_is_no_plan_is_refused(content: str, message: str) -> None:
    """Anything but an answer with a plan ends with an error for the user."""
    result = run("export", "-", "--to", "megatron", stdin=content)
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_unknown_phase_or_queue_is_refused(deepseek: str) -> None:
    """A wrong name is answered with what there is."""
    assert "its phases are pretrain, extend-32k" in run("export", deepseek, "--to", "slurm", "--phase", "x").stderr
    result = run("export", deepseek, "--to", "slurm", "--phase", "pretrain", "--queue", "a; rm")
    assert result.exit_code == 2
    assert "not a queue's name" in result.stderr


def test_a_foreign_file_needs_devices(tmp_path: Path) -> None:
    """Without accelerator and number a foreign file is refused, with both options; with them it is a run."""
    file = tmp_path / "axolotl.yaml"
    text = "base_model: llama3-8b\nsequence_len: 8192\nmicro_batch_size: 1\nmax_steps: 100\ndp_shard_size: 64\n"
    file.write_text(text, encoding="utf-8")
    refused = run("import", str(file))
    assert refused.exit_code == 2
    assert "--on" in refused.stderr
    assert "--gpus" in refused.stderr
    read = run("import", str(file), "--on", "H100-80GB-SXM5", "--gpus", "64")
    assert read.exit_code == 0
    assert "assumed: no price" in read.stderr
    assert run("estimate", "-", stdin=read.stdout).exit_code == 0
