"""How commands end: with the documented exit code whoever reads, and on Ctrl-C with what is there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from planner.cli.ending import stopped_by_interrupts
from planner.clock import Clock

PLAN = [sys.executable, "-m", "planner"]
EXAMPLES = Path(__file__).resolve().parents[2] / "problems"
SMALL = """\
schema: plan/1
model: llama3.2-1b
training:
  phases:
    - {name: train, tokens: 5B, sequence_length: 2048, global_batch: 64}
market:
  clouds: []
  offers:
    - {name: own, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $3/GPU-h}
limits: {deadline: 2d, gpus: 32}
"""
STARTED = 0.15
"""Seconds in which Python itself starts, which nobody can keep quiet."""
IMPOSSIBLE = ("--set", "limits.budget=$1")


def file_of(folder: Path) -> str:
    """A problem file."""
    path = folder / "problem.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return str(path)


def read_partly(*words: str) -> int:
    """The exit code of a command whose reader goes away before its first line."""
    with subprocess.Popen([*PLAN, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        assert process.stdout
        process.stdout.close()
        return process.wait(timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_code_does_not_depend_on_the_reader(tmp_path: Path, options: tuple[str, ...]) -> None:
    """`plan … | head -1` ends with 3 when there is no plan and with 0 when there is one, as text and as JSON."""
    file = file_of(tmp_path)
    assert read_partly("solve", file, *options, *IMPOSSIBLE) == 3
    assert read_partly("solve", file, *options) == 0
    assert read_partly("alternatives", file, *options, "--set", "limits.deadline=1min") == 3
    assert read_partly("frontier", file, *options, "--set", "layout.tensor=7") == 3


def with_output(command: str) -> subprocess.CompletedProcess[str]:
    """A command with its output as a shell redirects it."""
    return subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S602


@pytest.mark.slow
def test_an_answer_is_not_lost_in_silence(tmp_path: Path) -> None:
    """With standard output closed or full the command says so and ends with 2; `--out` is written all the same."""
    file, out = file_of(tmp_path), tmp_path / "plan.json"
    plan = f"{sys.executable} -m planner solve {file} --out {out}"
    closed = with_output(f"{plan} >&-")
    assert (closed.returncode, json.loads(out.read_text())["status"]) == (2, "optimal")
    assert "standard output is closed, so the answer is lost" in closed.stderr
    assert with_output(f"{sys.executable} -m planner catalog models >&-").returncode == 2
    if Path("/dev/full").exists():
        full = with_output(f"{plan} > /dev/full")
        assert (full.returncode, "No space left" in full.stderr) == (2, True)


def interrupted(seconds: float, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that Ctrl-C reaches after so many seconds."""
    with subprocess.Popen(  # noqa: S603
        [*PLAN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        time.sleep(STARTED + seconds)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0])
def test_ctrl_c_ends_with_a_plan_or_quietly(seconds: float) -> None:
    """At whatever moment it comes: the best verified plan so far and 0, or nothing and 130, and never a traceback."""
    code, output, errors = interrupted(seconds, "solve", str(EXAMPLES / "deepseek_v3_anywhere.yaml"), "--json")
    assert "Traceback" not in errors
    if code in {130, -signal.SIGINT}:  # the second where Python itself had not begun yet
        assert output == ""
    else:
        assert code == 0
        assert json.loads(output)["plan"]["cost_usd"]


def test_a_signal_cuts_no_answer_short() -> None:
    """A reader that waits gets the whole answer although a signal comes meanwhile, with PYTHONUNBUFFERED too."""
    program = (
        "import signal\nfrom planner.cli.ending import write_in_whole\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\nwrite_in_whole()\nprint('x' * 200_000, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.read(1) == "x"  # so that it writes, and waits for the pipe to be read
        process.send_signal(signal.SIGINT)
        assert len(process.stdout.read()) == 200_000


def test_ctrl_c_stops_the_clock_once() -> None:
    """The first Ctrl-C lets whoever works end with what is there; outside, Ctrl-C is what it was."""
    clock, before = Clock(), signal.getsignal(signal.SIGINT)
    with stopped_by_interrupts(clock):
        signal.raise_signal(signal.SIGINT)
        assert clock.is_over
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_at_once() -> None:
    """Who asks twice does not wait for an answer."""
    program = (
        "import signal, time\nfrom planner.clock import Clock\nfrom planner.cli.ending import stopped_by_interrupts\n"
        "with stopped_by_interrupts(Clock()):\n"
        "    signal.raise_signal(signal.SIGINT)\n    signal.raise_signal(signal.SIGINT)\n    time.sleep(60)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 130  # noqa: S603
