"""What own runs say of other runs: the posterior's limits and symmetries, and a device that is slower by a factor."""

from __future__ import annotations

import math

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.catalog.calibration import load_calibration
from planner.catalog.own_runs import LayoutTraits, OwnPeak, OwnRun, RunTraits
from planner.performance.evaluate import constants_of
from planner.performance.own_runs import learned_activations, posterior_of, with_own_constants
from planner.performance.run_covariance import PRIOR, RunPrior, RunTable, covariance
from planner.performance.step import step_time

LAYOUT = LayoutTraits(
    tensor=8,
    pipeline=4,
    context=1,
    micro_batch=1,
    sequence=4096,
    recompute_full=0,
    recompute_selective=1,
)
TRAITS = RunTraits(
    accelerator="H100",
    architecture="hopper",
    vendor="NVIDIA",
    hidden=8192,
    layers=80,
    gpus=64,
    experts=False,
    low_precision=False,
    adapters=False,
    layout=LAYOUT,
)


def run(log_ratio: float, weight: float = 1.0, **changes: object) -> OwnRun:
    """A measured run; `changes` are its traits and sensitivities."""
    measured = {"name": "one", "log_ratio": log_ratio, "weight": weight, "communication": 0.1, "host": 0.1}
    return OwnRun.model_validate(TRAITS.model_dump() | measured | changes)


def traits(**changes: object) -> RunTraits:
    """A run to be predicted."""
    return TRAITS.model_copy(update=changes)


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.3])
@pytest.mark.parametrize("name", toy.SYSTEMS, ids=lambda name: name[0])
def test_a_slower_device_takes_exactly_so_much_longer(name: tuple[str, str, str, str], factor: float) -> None:
    """Every part of a step, latencies and fixed times too, takes `factor` times as long on a slowed device."""
    setting = toy.system(*name)
    layout = toy.layout(tensor=4.0, pipeline=2.0, data=16.0, shard=16.0)
    usual, slower = (
        step_time(setting.arch, one, setting.software, setting.job, layout, setting.constants).total
        for one in (setting.device, setting.device.slowed(factor))
    )
    assert slower == pytest.approx(usual * factor, rel=1e-9)


def test_no_device_gets_faster_than_its_peak() -> None:
    """However fast own runs were, products stay below the data sheet's peak."""
    device = toy.device().slowed(1e-3)
    assert float(device.low_matmul_flops_s) <= float(device.peak_flops_s) * (1 + 1e-9)


def test_nothing_is_learned_from_nothing() -> None:
    """Without own runs the pace is 1 and all of the variance is left."""
    nothing = posterior_of(())
    assert nothing.log_pace(TRAITS) == 0
    assert nothing.variance_left(TRAITS) == 1
    assert nothing.variance_left_between(TRAITS, traits(accelerator="A100")) == 1


@given(st.floats(-0.5, 0.5), st.integers(1, 20))
def test_many_like_runs_are_believed(ratio: float, count: int) -> None:
    """The pace lies between 1 and what was measured, nearer to it and surer the more runs say so."""
    few, more = (posterior_of(tuple(run(ratio) for _ in range(one))) for one in (count, count + 1))
    assert abs(few.log_pace(TRAITS)) <= abs(more.log_pace(TRAITS)) + 1e-12 <= abs(ratio) + 1e-9
    assert 0 < more.variance_left(TRAITS) <= few.variance_left(TRAITS) < 1


def test_relatives_move_less_and_strangers_hardly() -> None:
    """A run moves its own accelerator most, then its generation, its vendor and others; and their ranges likewise."""
    posterior = posterior_of((run(0.2),))
    kin = [
        TRAITS,
        traits(accelerator="H200"),
        traits(accelerator="A100", architecture="ampere"),
        traits(accelerator="MI300X", architecture="cdna3", vendor="AMD"),
    ]
    paces, left = [posterior.log_pace(one) for one in kin], [posterior.variance_left(one) for one in kin]
    assert paces == sorted(paces, reverse=True)
    assert left == sorted(left)
    assert len(set(paces)) == len(paces)


@pytest.mark.parametrize("change", [{"gpus": 4096}, {"hidden": 2048, "layers": 24}, {"experts": True}])
def test_distance_widens_the_range(change: dict[str, object]) -> None:
    """More devices, another model and another kind of model leave more unknown."""
    posterior = posterior_of((run(0.1),))
    assert posterior.variance_left(traits(**change)) > posterior.variance_left(TRAITS)


def test_what_two_plans_share_cancels() -> None:
    """Own runs on both of two accelerators tell their ratio better than runs on one of them."""
    other = traits(accelerator="B200", architecture="blackwell")
    ours, theirs = run(0.1), run(0.1, accelerator="B200", architecture="blackwell")
    one, both = posterior_of((ours, ours)), posterior_of((ours, theirs))
    assert both.variance_left_between(TRAITS, other) < one.variance_left_between(TRAITS, other) < 1


@given(st.lists(st.sampled_from([1.0, 8.0, 512.0, 4096.0]), min_size=2, max_size=6))
def test_the_covariance_is_one(devices: list[float]) -> None:
    """Whatever the runs, no combination of them has a negative variance."""
    runs = RunTable.of([traits(gpus=gpus, hidden=1024.0 * (1 + i)) for i, gpus in enumerate(devices)])
    assert np.linalg.eigvalsh(covariance(runs, runs)).min() > -1e-12


def test_a_run_of_no_weight_says_nothing() -> None:
    """A run at odds with the others hardly moves what they say."""
    agreed = posterior_of((run(0.1), run(0.1)))
    disturbed = posterior_of((run(0.1), run(0.1), run(1.5, weight=1e-4)))
    assert disturbed.log_pace(TRAITS) == pytest.approx(agreed.log_pace(TRAITS), abs=0.01)


def test_slow_communication_is_told_from_slow_everything() -> None:
    """Runs that are slower the more they communicate raise the constants of communication, others do not."""
    growing = tuple(run(0.5 * share, communication=share) for share in (0.0, 0.2, 0.4, 0.6))
    constants = constants_of(load_calibration())
    assert with_own_constants(constants, growing, ()).tensor_exposed > constants.tensor_exposed
    level = tuple(run(0.1, communication=share) for share in (0.0, 0.2, 0.4, 0.6))
    moved = with_own_constants(constants, level, ()).tensor_exposed / constants.tensor_exposed
    assert abs(math.log(moved)) < abs(math.log(1.1))


def test_memory_moves_with_its_peaks() -> None:
    """Peaks above the estimate make activations larger, never by more than they say, and are the surer the more."""
    peaks = [OwnPeak(name="one", log_ratio=0.1, activations=0.8)] * 3
    one, three = learned_activations(peaks[:1]), learned_activations(peaks)
    assert 0 < one.mean < three.mean < 0.1 / 0.8
    assert three.deviation < one.deviation < PRIOR.activations
    assert learned_activations([]).mean == 0


def test_the_prior_is_a_choice() -> None:
    """A prior that knows teams to differ more believes a run more."""
    wide = RunPrior(source=0.3)
    assert posterior_of((run(0.2),), wide).log_pace(TRAITS) > posterior_of((run(0.2),)).log_pace(TRAITS)
