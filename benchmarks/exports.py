"""Exports every phase of every problem to every target, and shows the files to the targets' own parsers.

    python benchmarks/exports.py --environments DIR [--megatron DIR] [--maxtext DIR] [--trainer DIR]

Parsers run in environments of their own, which are made in DIR where they are missing (about 3 GB). Megatron-LM,
MaxText and Kubeflow Trainer are checkouts; without them, and without Slurm's programs and the right to start its
controller, what they would check is said to be not checked. Ends with 1 when a parser refuses a file or finds other
degrees than the plan.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.catalog.launch_targets import load_targets
from planner.errors import InputError
from planner.launch.export import launch_file
from planner.launch.job import LaunchJob, jobs_of
from planner.launch.options import Options
from planner.problem.problem import load_problem
from planner.session import Session
from planner.units import SECONDS_PER_DAY

HERE = Path(__file__).resolve().parent
PARSERS = HERE / "parsers"
GOLDEN = HERE.parent / "tests" / "launch" / "golden"
PROBLEMS = HERE.parent / "problems"
COMPARED = ("gpus", "nodes", "tensor", "pipeline", "context", "expert", "data", "virtual_pipeline", "micro_batch")
"""What a parser's answer and a plan's phase both state, besides batch and steps."""


@dataclass(frozen=True)
class Check:
    """How the files of some targets are shown to their parser."""

    suffixes: tuple[str, ...]
    command: tuple[str, ...]
    """Program and arguments in front of the files; empty when the parser is not here."""
    why_not: str = ""


def main() -> None:
    """Exports, checks, prints, and ends with 1 when anything is wrong."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        expected, refused = _exported(Path(folder))
        files = [*sorted(Path(folder).iterdir()), *sorted(GOLDEN.iterdir())]
        wrong = [line for check in _checks(arguments, Path(folder)) for line in _shown(check, files, expected)]
    for line in refused:
        print(f"refused by plan: {line}")
    for line in wrong:
        print(f"wrong: {line}")
    sys.exit(bool(wrong))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, required=True, help="where the parsers' environments are")
    parser.add_argument("--megatron", type=Path, help="a checkout of NVIDIA/Megatron-LM")
    parser.add_argument("--maxtext", type=Path, help="a checkout of AI-Hypercomputer/maxtext")
    parser.add_argument("--trainer", type=Path, help="a checkout of kubeflow/trainer")
    return parser.parse_args()


def _exported(folder: Path) -> tuple[dict[str, LaunchJob], list[str]]:
    """Writes every file; the phase of each by file name, and what was refused."""
    expected: dict[str, LaunchJob] = {}
    refused: list[str] = []
    for path in sorted(PROBLEMS.glob("*.yaml")):
        for job in jobs_of(Session(load_problem(path)).solve(), path.stem):
            for target in load_targets().values():
                try:
                    file = launch_file(job, target, None, Options(14 * SECONDS_PER_DAY))
                except InputError as error:
                    refused.append(f"{path.stem}: {error.issues[0].message}")
                    continue
                name = f"{path.stem}-{file.name}"
                (folder / name).write_text(file.text, encoding="utf-8")
                expected[name] = job
    return expected, refused


def _checks(arguments: argparse.Namespace, folder: Path) -> Iterator[Check]:
    """Every check, with the program that does it where that is here."""
    torch, sky = (_environment(arguments.environments, name) for name in ("torch", "skypilot"))
    yield Check((".torchtitan.py",), (torch, str(PARSERS / "check_torchtitan.py")))
    suffixes = (".deepspeed.json", ".accelerate.yaml", ".axolotl.yaml")
    yield Check(suffixes, (torch, str(PARSERS / "check_hugging_face.py")))
    megatron = (torch, str(PARSERS / "check_megatron.py"), str(arguments.megatron))
    yield _with(arguments.megatron, Check((".megatron.sh",), megatron, "no --megatron"))
    yield Check((".skypilot.yaml",), ("env", f"HOME={folder}", sky, str(PARSERS / "check_skypilot.py")))
    definition = "manifests/base/crds/trainer.kubeflow.org_trainjobs.yaml"
    trainjob = (sky, str(PARSERS / "check_trainjob.py"), str((arguments.trainer or Path()) / definition))
    yield _with(arguments.trainer, Check((".trainjob.yaml",), trainjob, "no --trainer"))
    slurm = shutil.which("slurmctld") is not None and shutil.which("shellcheck") is not None and os.geteuid() == 0
    command = ("bash", str(PARSERS / "check_slurm.sh"), str(folder / "slurm"))
    yield Check((".slurm.sh",), command if slurm else (), "no slurmctld, shellcheck or right to start it")
    if arguments.maxtext is None:
        yield Check((".maxtext.yml",), (), "no --maxtext")
    else:
        jax = _environment(arguments.environments, "maxtext")
        sources = str(arguments.maxtext / "src")
        yield Check((".maxtext.yml",), ("env", "JAX_PLATFORMS=cpu", jax, str(PARSERS / "check_maxtext.py"), sources))


def _with(needed: Path | None, check: Check) -> Check:
    """The check, without its command when the checkout that it needs is not here."""
    return check if needed else Check(check.suffixes, (), check.why_not)


def _environment(folder: Path, name: str) -> str:
    """The Python of the environment of that name, made where it is missing."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        base = sys.executable if name != "maxtext" else shutil.which("python3.12") or sys.executable
        subprocess.run([base, "-m", "venv", str(folder / name)], check=True)  # noqa: S603
        requirements = PARSERS / f"requirements-{name}.txt"
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True)  # noqa: S603
    return str(python)


def _shown(check: Check, files: Sequence[Path], expected: dict[str, LaunchJob]) -> Iterator[str]:
    """Shows files to a parser and prints how many it took; yields what is wrong."""
    chosen = [file for file in files if file.name.endswith(check.suffixes)]
    title = ", ".join(suffix.split(".")[1] for suffix in check.suffixes)
    if not check.command:
        return print(f"{title}: {len(chosen)} files not checked ({check.why_not})")
    done = subprocess.run(  # noqa: S603
        [*check.command, *map(str, chosen)], capture_output=True, text=True, check=False, timeout=1800
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"file"')]
    wrong = [line for answer in answers for line in _wrong(answer, expected)]
    missing = {file.name for file in chosen} - {answer["file"] for answer in answers}
    wrong += [f"{name}: no answer: {done.stderr[-300:]}" for name in sorted(missing)]
    print(f"{title}: {len(chosen)} files, {len(chosen) - len(wrong)} accepted")
    yield from wrong
    return None


def _wrong(answer: dict[str, Any], expected: dict[str, LaunchJob]) -> Iterator[str]:
    """What a parser refused or read otherwise than it was planned."""
    found, name = answer.get("accepted"), answer["file"]
    if found is None:
        yield f"{name}: {answer['refused']}"
        return
    job = expected.get(name)
    if job is None or not isinstance(found, dict):
        return
    for key in (*COMPARED, "global_batch", "steps", "zero"):
        if key in found and found[key] != getattr(job, key):
            yield f"{name}: {key} is {found[key]}, planned {getattr(job, key)}"


if __name__ == "__main__":
    main()
