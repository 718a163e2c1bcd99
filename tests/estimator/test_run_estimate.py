"""What an estimate promises: parts add up, money follows hours, more work takes longer, remedies mend."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest

from planner.catalog.accelerators import find_accelerator
from planner.catalog.calibration import load_calibration
from planner.catalog.known_runs import load_known_runs
from planner.catalog.models import find_model
from planner.estimator.estimate import Estimate, estimate
from planner.estimator.price import catalog_price, stated_price
from planner.problem.run import load_run
from planner.units import Price

RUNS = sorted((Path(__file__).parents[2] / "problems" / "runs").glob("*.yaml"))
LLAMA = RUNS[0].with_name("llama3.1-405b.yaml")
DEEPSEEK = RUNS[0].with_name("deepseek-v3.yaml")


def answer(path: Path, *sets: str) -> Estimate:
    """The estimate of a run file with some keys changed."""
    return estimate(load_run(path, sets), load_calibration())


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_run_file_is_estimated(path: Path) -> None:
    """Positive figures everywhere, utilisation below one, parts that add up."""
    found = answer(path)
    assert found.step_seconds == pytest.approx(sum(found.time.values()))
    assert found.memory.total == pytest.approx(sum(found.memory.parts.values()))
    assert 0 < found.mfu <= found.hfu < 1
    assert 0 < found.memory.allocated < found.memory.total
    assert all(seconds >= 0 for seconds in found.time.values())
    assert found.expected_wall_seconds > found.wall_seconds


def test_deepseek_lands_near_the_published_hours() -> None:
    """2.664 million H800-hours: within the interval, and within a quarter."""
    found = answer(DEEPSEEK)
    low, high = found.interval
    assert found.gpu_hours * low < 2.664e6 < found.gpu_hours * high
    assert found.gpu_hours == pytest.approx(2.664e6, rel=0.25)
    (published,) = found.known_runs
    assert published.days == pytest.approx(54.2, abs=0.1)
    assert found.over(published) == pytest.approx(found.gpu_hours / 2.664e6)


def test_steps_are_whole() -> None:
    """A token more is a step more."""
    assert answer(LLAMA, "training.tokens=16777216").steps == 1
    assert answer(LLAMA, "training.tokens=16777217").steps == 2


def test_twice_the_tokens_take_twice_as_long() -> None:
    """And cost twice as much; the step is the same."""
    once, twice = answer(LLAMA, "training.tokens=16777216000"), answer(LLAMA, "training.tokens=33554432000")
    assert twice.wall_seconds == pytest.approx(2 * once.wall_seconds)
    assert twice.step_seconds == once.step_seconds
    assert float(twice.cost_usd or 0) == pytest.approx(2 * float(once.cost_usd or 0), rel=1e-6)


def test_cost_is_hours_times_price() -> None:
    """In whole cents; a price per node is a price per device times the devices of a node."""
    found = answer(LLAMA, "cluster.price=$16/node-h")
    assert found.price == stated_price(Price(Decimal(2), "GPU"), find_accelerator("H100-80GB-SXM5"))
    assert found.cost_usd == (Decimal(found.gpu_hours) * 2).quantize(Decimal("0.01"))


def test_without_a_price_the_cheapest_offer_counts() -> None:
    """Named with its place and date; a device that nobody offers has no cost, and the answer says so."""
    offered, unknown = answer(LLAMA), answer(DEEPSEEK, "cluster.price=")
    assert offered.price
    assert offered.price.origin.startswith("cheapest on-demand offer known: ")
    assert (unknown.price, unknown.cost_usd, unknown.expected_cost_usd) == (None, None, None)
    assert any("state cluster.price" in sentence for sentence in unknown.assumptions)


def test_a_job_of_several_nodes_needs_whole_nodes_and_a_network() -> None:
    """An offer of single cards never prices a job of nodes; more devices are never cheaper each."""
    device = find_accelerator("A100-80GB-SXM4")
    one, many = catalog_price(device, 1), catalog_price(device, 1024)
    assert one
    assert many
    assert one.usd <= many.usd


def test_recomputation_is_hardware_work_only() -> None:
    """MFU counts what the model asks for, HFU what is computed again too."""
    plain, again = answer(LLAMA), answer(LLAMA, "layout.recompute=full")
    assert plain.hfu == plain.mfu
    assert again.hfu > again.mfu
    assert again.work.model_flop_per_token == plain.work.model_flop_per_token


def test_a_layout_that_may_not_fit_is_told_what_mends_it() -> None:
    """Every remedy, applied as `--set` takes it, fits with the memory and at the pace that it promised."""
    before = answer(LLAMA, "layout.micro_batch=2")
    assert not before.memory.is_sure
    assert before.remedies
    for remedy in before.remedies:
        after = answer(LLAMA, "layout.micro_batch=2", remedy.override)
        assert after.memory.is_sure
        assert after.memory.total == pytest.approx(remedy.memory_gib)
        assert after.step_seconds / before.step_seconds == pytest.approx(remedy.step_factor)


def test_a_layout_that_fits_needs_no_remedy() -> None:
    """Nothing is proposed then."""
    assert answer(LLAMA, "layout.recompute=full").remedies == ()


def test_the_interval_is_wider_where_nothing_was_fitted() -> None:
    """A device without published runs adds the spread of the fitted ones."""
    for path in RUNS:
        devices = ("H100-80GB-SXM5", "H800-80GB-SXM")
        seen, unknown = (answer(path, f"cluster.accelerator={name}").error for name in devices)
        assert unknown.scale > seen.scale
        assert unknown.middle == seen.middle


def test_adapters_are_not_compared_with_full_training() -> None:
    """Published hours are those of training every parameter."""
    assert answer(RUNS[0].with_name("llama3-70b-fsdp.yaml")).known_runs
    assert not answer(RUNS[0].with_name("llama3-70b-lora.yaml")).known_runs


def test_published_runs_name_records_of_the_catalogs() -> None:
    """Otherwise no estimate would ever stand beside them."""
    for run in load_known_runs():
        assert find_model(run.model).name == run.model
        assert find_accelerator(run.accelerator).name == run.accelerator


def test_a_cluster_that_always_fails_never_ends() -> None:
    """Ten million devices fail every few seconds: infinite time and no cost, and the estimate itself stands."""
    huge = answer(RUNS[0].with_name("llama3-70b-fsdp.yaml"), "cluster.gpus=10000000", "training.global_batch=10000000")
    assert math.isinf(huge.expected_wall_seconds)
    assert huge.expected_cost_usd is None
    assert huge.cost_usd


def test_assumptions_name_what_was_not_stated() -> None:
    """The stack and the network, until they are."""
    stated = answer(LLAMA)
    assumed = answer(LLAMA, "training.software=", "cluster.network=")
    assert not any(sentence.startswith(("Software", "Network")) for sentence in stated.assumptions)
    assert sum(sentence.startswith(("Software", "Network")) for sentence in assumed.assumptions) == 2
