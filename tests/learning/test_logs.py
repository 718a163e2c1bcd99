"""Step times in logs: of which programs they are read, what is cut, and what a log of another program is answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from planner.errors import InputError
from planner.learning.logs import LogScale, StepTimes, read_log

RATES = LogScale(tokens_per_step=2**20, sequences_per_step=256, gpus=64)
MEGATRON = " iteration {step:8d}/  100 | consumed samples: 10 | elapsed time per iteration (ms): {ms:.1f} | loss: 2.1 |"


def steps_of(folder: Path, lines: Sequence[str]) -> StepTimes:
    """What a log of these lines says."""
    path = folder / "train.log"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_log(path, RATES)


def test_warm_up_is_cut_and_the_median_taken(tmp_path: Path) -> None:
    """Slow first steps and one hiccup do not change what a Megatron-LM log is said to take."""
    times = [90_000.0, 30_000.0, *[18_900.0] * 20, 50_000.0, *[18_900.0] * 5]
    found = steps_of(tmp_path, [MEGATRON.format(step=i + 1, ms=ms) for i, ms in enumerate(times)])
    assert (found.program, found.cut, found.steps, found.last_step) == ("Megatron-LM", 2, 26, 28)
    assert found.median_seconds == pytest.approx(18.9)
    assert found.deviation == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("\x1b[31mstep: 10  loss:  4.2  memory: 35.2GiB(44%)  tps: 8,192  tflops: 101  mfu: 10.2%\x1b[0m", 2.0),
        ('{"step": 7, "throughput(tps)": 8192}', 2.0),
        (" 10%|█         | 10/100 [00:30<04:30,  3.01s/it]", 3.01),
        ("{'train_runtime': 100.0, 'train_samples_per_second': 128.0, 'epoch': 1.0}", 2.0),
        (':::MLLOG {"key": "tracked_stats", "value": {"throughput": 128.0}, "metadata": {"step": 5}}', 2.0),
    ],
    ids=["torchtitan", "torchtitan JSON", "progress bar", "Trainer", "MLPerf"],
)
def test_lines_of_known_programs_are_read(tmp_path: Path, line: str, seconds: float) -> None:
    """Console and JSON lines of each program give the seconds of a step, by the run's tokens, batch and devices."""
    assert steps_of(tmp_path, ["starting", *[line] * 6]).median_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "content",
    ["", "epoch 1 done\n" * 50, "\x00\xff" * 1000, "{" * 100_000, "iteration 1/2 elapsed time per iteration (ms): 0"],
    ids=["empty", "another program", "binary", "brackets", "no time"],
)
def test_a_log_of_another_program_is_refused(tmp_path: Path, content: str) -> None:
    """A log without step times is answered with its place and with examples of what is read."""
    with pytest.raises(InputError) as caught:
        steps_of(tmp_path, [content])
    (issue,) = caught.value.issues
    assert issue.place is not None
    assert issue.place.file.endswith("train.log")
    assert "Megatron-LM" in (issue.fix or "")


def test_a_log_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A missing log is the user's to mend."""
    with pytest.raises(InputError, match="cannot read it"):
        read_log(tmp_path / "none.log", RATES)
