"""The napkin: two quantities give the third, a bound is below what is typical, the published formula holds."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from planner.catalog.accelerators import find_accelerator, load_accelerators
from planner.catalog.calibration import load_calibration
from planner.catalog.models import find_model
from planner.catalog.precisions import find_precision
from planner.catalog.records import Accelerator
from planner.errors import InputError
from planner.estimator.estimate import estimate
from planner.estimator.price import HourlyPrice
from planner.estimator.size import Question, Size, size
from planner.problem.run import load_run

DAY = 86400.0
RUNS = sorted((Path(__file__).parents[2] / "problems" / "runs").glob("*.yaml"))
DEEPSEEK = Question(
    find_model("deepseek-v3"),
    find_accelerator("H800-80GB"),
    find_precision("fp8"),
    4096,
    14_800_000_000_000,
    60 * DAY,
    None,
)


def answer(mfu: float | None = None, price: HourlyPrice | None = None, **changes: object) -> Size:
    """The answer to the question above with something changed."""
    return size(dataclasses.replace(DEEPSEEK, **changes), load_calibration(), mfu, price)  # type: ignore[arg-type]


def test_the_published_formula() -> None:
    """GPUs = FLOPs/(peak · MFU · seconds): at DeepSeek's own 19.5 % of the fp8 peak their 2.66M hours come out."""
    (stated,) = answer(mfu=0.1953).typical
    assert stated.gpu_hours == pytest.approx(2.664e6, rel=0.005)
    assert stated.devices == pytest.approx(2.664e6 / (60 * 24), rel=0.005)


def test_six_n_d_is_close_to_the_exact_work() -> None:
    """6 · N_active · tokens lacks attention and counts the token table: within 15 % here."""
    work = answer().work
    assert 6 * work.active_parameters == pytest.approx(work.flop_per_token, rel=0.15)
    assert work.flop_per_token == pytest.approx(6 * work.multiplied + work.attention_flop)


def test_whole_nodes_finish_in_time() -> None:
    """Rounding up never misses the window, and one node fewer does."""
    for one in (answer().bound, *answer().typical):
        assert one.gpus == 8 * one.nodes
        assert one.days <= 60
        assert one.device_seconds / (one.gpus - 8) > 60 * DAY


def test_the_third_quantity_follows_from_any_two() -> None:
    """GPUs from tokens and days, then days from those GPUs, then tokens from both."""
    first = answer(mfu=0.3).typical[0]
    days = answer(mfu=0.3, gpus=first.gpus, seconds=None).typical[0]
    assert days.days == pytest.approx(first.days)
    tokens = answer(mfu=0.3, gpus=first.gpus, seconds=days.days * DAY, tokens=None).typical[0]
    assert tokens.tokens == pytest.approx(14.8e12)


def test_memory_sets_a_floor() -> None:
    """A job of a day on one device still has to hold its states."""
    small = answer(tokens=1_000_000)
    assert small.bound.devices < 1
    assert small.bound.nodes == small.memory.nodes == 18
    assert small.memory.devices == pytest.approx(671.03e9 * 18 / (79.1 * 2**30), rel=1e-3)


def test_hours_and_cost_do_not_depend_on_the_window() -> None:
    """Work is work: half the time takes twice the GPUs."""
    price = HourlyPrice(Decimal(2), "as stated")
    long, short = answer(price=price), answer(price=price, seconds=30 * DAY)
    assert long.bound.gpu_hours == short.bound.gpu_hours
    assert long.bound.cost_usd == short.bound.cost_usd
    assert short.bound.devices == pytest.approx(2 * long.bound.devices)


@pytest.mark.parametrize("device", load_accelerators(), ids=lambda device: device.name)
def test_the_bound_is_below_what_is_typical(device: Accelerator) -> None:
    """On every device of the catalog, in 16 bit."""
    bits = find_precision("bf16" if "bf16" in device.peak_tflops else "fp16")
    found = answer(accelerator=device, precision=bits)
    assert found.typical[0].name == "typical"
    assert found.bound.gpu_hours <= min(one.gpu_hours for one in found.typical)
    slow, fast = found.typical[1:]
    assert fast.gpu_hours <= found.typical[0].gpu_hours <= slow.gpu_hours


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_no_estimate_beats_the_bound(path: Path) -> None:
    """Every run file, all parameters trained, takes more device-hours than the bound for the same job."""
    found = estimate(load_run(path, ["training.method=full", "training.rank="]), load_calibration())
    run, subject = found.subject.run, found.subject
    question = Question(
        subject.model,
        subject.accelerator,
        subject.precision,
        run.training.sequence_length,
        run.training.tokens,
        None,
        run.cluster.gpus,
    )
    assert size(question, load_calibration(), None, None).bound.gpu_hours < found.gpu_hours


def test_a_precision_that_the_device_lacks() -> None:
    """Named with what it has."""
    with pytest.raises(InputError, match="H800-80GB-SXM has no fp4"):
        answer(precision=find_precision("fp4"))
