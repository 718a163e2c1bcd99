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
def test_short_lines_of_known_programs_are_read(tmp_path: Path, line: str, seconds: float) -> None:
    """Console and JSON lines of each program give the seconds of a step, by the run's tokens, batch and devices."""
    assert steps_of(tmp_path, ["starting", *[line] * 6]).median_seconds == pytest.approx(seconds)


MEGATRON_LOG = """\
> setting tensorboard ...
[after dataloaders are built] datetime: 2025-06-01 12:00:00
training ...
""" + "".join(
    f" [2025-06-01 12:{step:02d}:00] iteration {step:8d}/  500000 | consumed samples: {256 * step:12d} | elapsed time "
    f"per iteration (ms): {ms:.1f} | throughput per GPU (TFLOP/s/GPU): 402.1 | learning rate: 6.0E-07 | global batch "
    f"size:   256 | lm loss: 1.1E+01 | loss scale: 1.0 | grad norm: 5.632 | number of skipped iterations:   0 |\n"
    for step, ms in enumerate([61234.5, 4321.0, *[2000.0] * 8], start=1)
)
TITAN_LOG = "".join(
    f"[rank0]:[titan] 2025-06-01 12:00:{step:02d},123 - root - INFO - \x1b[31mstep: {step:2d}  \x1b[32mloss:  7.1234  "
    f"\x1b[38;2;54;234;195mgrad_norm:  2.3  \x1b[33mmemory: 35.27GiB(44.61%)  \x1b[34m{unit}: 8,192  \x1b[36mtflops: "
    f"250.11  \x1b[35mmfu: 25.29%\x1b[39m\n[rank0]:2025-06-01 12:00:00 - INFO - [GC] Performing periodic GC\n"
    for step, unit in enumerate(["tps"] * 8, start=1)
)
TRAINER_LOG = (
    "Loading checkpoint shards: 100%|██████████| 4/4 [00:10<00:00,  2.51s/it]\n"
    + "\r".join(f"{step:3d}%|█▏        | {step}/100 [0:0{step % 9}:09<3:12:00,  2.00s/it]" for step in range(1, 40))
    + "\n{'loss': 1.2345, 'grad_norm': 0.5, 'learning_rate': 1e-05, 'epoch': 0.01}\n"
)
RESULTS = """\
{
    "epoch": 1.0,
    "total_flos": 1.2e+18,
    "train_loss": 1.2345,
    "train_runtime": 200.0,
    "train_samples_per_second": 128.0,
    "train_steps_per_second": 0.5
}
"""
METRICS = (
    "***** train metrics *****\n  epoch                    =        1.0\n  train_steps_per_second   =        0.5\n"
)
MLPERF_LOG = "".join(
    f':::MLLOG {{"namespace": "", "time_ms": {1750000000000 + 2000 * step}, "event_type": "POINT_IN_TIME", "key": '
    f'"tracked_stats", "value": {{"train_step_time": 2.0, "reduced_train_loss": 4.5}}, "metadata": {{"file": '
    f'"/workspace/llm/callbacks.py", "lineno": 263, "step": {step}}}}}\n'
    f':::MLLOG {{"key": "train_loss", "value": 4.5, "metadata": {{"step": {step}}}}}\n'
    for step in range(10, 60, 10)
)


@pytest.mark.parametrize(
    ("content", "program", "last"),
    [
        (MEGATRON_LOG, "Megatron-LM", 10),
        (TITAN_LOG, "torchtitan", 8),
        (TITAN_LOG.replace("tps", "wps"), "torchtitan", 8),
        (TRAINER_LOG, "progress bar", 39),
        (RESULTS, "JSON", None),
        (METRICS, "JSON", None),
        (MLPERF_LOG, "JSON", 50),
    ],
    ids=["Megatron-LM", "torchtitan", "older torchtitan", "bar", "results", "metrics", "MLPerf"],
)
def test_whole_logs_are_read(tmp_path: Path, content: str, program: str, last: int | None) -> None:
    """Logs as the programs write them, between lines of other kinds, give two seconds a step and their last step."""
    found = steps_of(tmp_path, [content])
    assert (found.program, found.last_step) == (program, last)
    assert found.median_seconds == pytest.approx(2.0)


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
