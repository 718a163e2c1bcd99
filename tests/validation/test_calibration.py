"""Fitting: runs made from known constants give them back, and the record survives being written."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from written_runs import case, rows

from planner.catalog.calibration import Calibration, load_calibration, read_calibration
from planner.performance.evaluate import constants_of
from planner.performance.memory import MOST_CONNECTED
from planner.performance.predictive import NORMAL_80
from planner.performance.symbols import Constants
from planner.validation.calibrate import calibration_of, calibration_toml, constants_as_numbers, usable_cases
from planner.validation.cases import Case
from planner.validation.memory_fit import (
    fit_memory,
    memory_data,
    memory_kind,
    memory_leave_one_source_out,
    predict_bytes,
)
from planner.validation.predict import memories, table_of
from planner.validation.priors import MEMORY_PRIORS, TIME_PRIORS, hand_set
from planner.validation.robust_fit import robust, root_weights, solve
from planner.validation.step_time_fit import (
    fit_times,
    leave_out,
    predict_seconds,
    relative_errors,
    subset,
    time_data,
)

FACTORS = {"attention": 0.8, "generic_stack": 1.15, "step_seconds": 1.5, "activations": 1.1, "context_bytes": 1.4}
TRUTH = replace(hand_set(), **{name: factor * getattr(hand_set(), name) for name, factor in FACTORS.items()})
"""The constants that the synthetic runs follow."""
EFFICIENCY = {"H100-80GB-SXM5": 0.9, "A100-80GB-SXM4": 1.1}
SOURCES = ("first", "second", "third", "fourth", "fifth", "sixth")


@cache
def synthetic() -> tuple[Case, ...]:
    """Ninety-six configurations of six sources, two devices, two stacks and two models, measured without noise."""
    choices = product(
        ("H100", "A100"), ("Megatron-LM", "torchtitan"), ("llama3.1-8b", "gpt3-6.7b"), ("1", "8"), SOURCES
    )
    cases = [
        case(
            {
                "id": f"{source}-{number:04d}/step_time",
                "gpu": gpu,
                "framework": framework,
                "model": model,
                "tp": tp,
                "dp": str(64 // int(tp)),
                "seq": str(2048 * (1 + number % 4)),
                "global_batch": str(64 * (1 + number % 3)),
            }
        )
        for number, (gpu, framework, model, tp, source) in enumerate(choices)
    ]
    data = time_data(cases)
    seconds = predict_seconds(data, TRUTH, np.asarray([EFFICIENCY[name] for name in data.device_names]))
    return tuple(
        replace(one, rows=(replace(one.rows[0], value=float(value)),))
        for one, value in zip(data.cases, seconds, strict=True)
    )


@cache
def peaks() -> tuple[Case, ...]:
    """The same configurations with their peaks of memory, in turn as allocated, as reserved and as the driver shows."""
    kinds = (("mem_peak_gib", ""), ("mem_reserved_gib", ""), ("mem_peak_gib", "from nvidia-smi"))
    found = []
    for number, one in enumerate(synthetic()):
        metric, notes = kinds[number % 3]
        row = replace(one.rows[0], text=one.rows[0].text | {"metric": metric, "notes": notes})
        data = memory_data([replace(one, rows=(row,))], TRUTH)
        value = float(predict_bytes(data, TRUTH)[0]) / 2**30
        found.append(replace(one, rows=(replace(row, value=value),)))
    return tuple(found)


@cache
def record() -> Calibration:
    """What calibrating on the synthetic runs writes."""
    return calibration_of(synthetic(), peaks(), "2026-01-31", lambda _: None)


def test_the_fit_predicts_what_it_was_fitted_to() -> None:
    """Runs without noise are met within two per cent, from a start that is far off."""
    data = time_data(synthetic())
    before = predict_seconds(data, hand_set(), np.ones(2)) / data.measured - 1
    assert np.median(np.abs(before)) > 0.05
    assert np.median(np.abs(relative_errors(data, fit_times(data)))) < 0.02


def test_the_fit_recovers_what_made_the_runs() -> None:
    """Efficiencies and the constants that matter move most of the way from their priors to the truth."""
    data = time_data(synthetic())
    fit = fit_times(data)
    found = dict(zip(data.device_names, fit.efficiencies.tolist(), strict=True))
    assert found == pytest.approx(EFFICIENCY, rel=0.06)
    for name in ("attention", "generic_stack"):
        moved = math.log(getattr(fit.constants, name) / getattr(hand_set(), name)) / math.log(FACTORS[name])
        assert moved == pytest.approx(1, abs=0.4), name


def test_standard_errors_are_finite() -> None:
    """Every fitted constant and device has one; what the runs do not tell is known no better than its prior."""
    data = time_data(synthetic())
    fit = fit_times(data)
    deviations = {prior.name: prior.log_sd for prior in TIME_PRIORS}
    assert fit.constant_errors.keys() == deviations.keys()
    assert all(0 < error <= deviations[name] * 1.001 for name, error in fit.constant_errors.items())
    assert np.all((fit.efficiency_errors > 0) & np.isfinite(fit.efficiency_errors))
    assert fit.constant_errors["expert_exposed"] == pytest.approx(deviations["expert_exposed"], rel=0.01)


@pytest.mark.slow
def test_unseen_sources_are_predicted_by_the_others() -> None:
    """All sources follow one truth here, so leaving one out loses little."""
    data = time_data(synthetic())
    seen: list[str] = []
    errors = leave_out(data, data.sources, fit_times(data), seen.append)
    assert seen == sorted(SOURCES)
    assert np.median(np.abs(errors)) < 0.03


@pytest.mark.slow
def test_a_subset_is_predicted_as_in_the_whole() -> None:
    """Leaving cases out keeps the others' devices and predictions."""
    data = time_data(synthetic())
    mask = np.asarray([source != "second" for source in data.sources])
    efficiencies = np.asarray([0.9, 1.1])
    part = subset(data, mask)
    assert set(part.sources) == set(SOURCES) - {"second"}
    assert predict_seconds(part, TRUTH, efficiencies) == pytest.approx(predict_seconds(data, TRUTH, efficiencies)[mask])


@pytest.mark.slow
def test_memory_is_fitted_too() -> None:
    """Activations and context move from their priors to what made the peaks."""
    data = memory_data(peaks(), hand_set())
    constants, errors = fit_memory(data, np.ones(data.measured.size, dtype=bool), hand_set())
    assert constants.activations == pytest.approx(TRUTH.activations, rel=0.03)
    devices = np.asarray([float(case.gpus) for case in peaks()])
    context, true = (
        one.context_bytes + one.communicator_bytes * np.log2(np.minimum(devices, MOST_CONNECTED))
        for one in (constants, TRUTH)
    )
    assert context == pytest.approx(true, rel=0.15)
    assert errors.keys() == {prior.name for prior in MEMORY_PRIORS}
    assert np.median(np.abs(predict_bytes(data, constants) / data.measured - 1)) < 0.01
    assert np.median(np.abs(memory_leave_one_source_out(data, hand_set()))) < 0.02


@pytest.mark.parametrize(
    ("metric", "notes", "kind"),
    [
        ("mem_peak_gb", "", "allocated"),
        ("mem_peak_gib", "torch max_memory_allocated", "allocated"),
        ("mem_reserved_gib", "", "reserved"),
        ("mem_peak_gib", "read off nvidia-smi", "device"),
    ],
)
def test_kinds_of_peaks(metric: str, notes: str, kind: str) -> None:
    """Reserved by its name, the driver's by its notes, else what the framework allocated."""
    assert memory_kind(metric, notes) == kind


def test_kinds_of_peaks_contain_each_other() -> None:
    """Allocated, reserved and what the driver shows differ by fragmentation and by the context."""
    one = synthetic()[0]
    peak = memories(table_of([one]), TRUTH)
    values = []
    for metric, notes in (("mem_peak_gib", ""), ("mem_reserved_gib", ""), ("mem_peak_gib", "nvidia-smi")):
        row = replace(one.rows[0], text=one.rows[0].text | {"metric": metric, "notes": notes})
        values.append(float(predict_bytes(memory_data([replace(one, rows=(row,))], TRUTH), TRUTH)[0]))
    assert values[0] == pytest.approx(float(peak.allocated[0]))
    assert values[1] == pytest.approx(values[0] * (1 + TRUTH.fragmentation))
    context = TRUTH.context_bytes + TRUTH.communicator_bytes * np.log2(min(one.gpus, MOST_CONNECTED))
    assert values[2] == pytest.approx(values[1] + context)


@pytest.mark.slow
def test_the_spread_of_the_peaks_covers_what_it_promises() -> None:
    """With the deviation that the record holds, about one peak in ten lies above what a plan reserves for 90 %."""
    found = constants_of(record())
    data = memory_data(peaks(), found)
    ratio = np.log(data.measured / predict_bytes(data, found))
    assert np.mean(ratio > NORMAL_80 * found.memory_deviation) <= 0.2


@pytest.mark.slow
def test_the_record_of_a_calibration() -> None:
    """It holds all constants, an efficiency per device with its runs, and errors by kind, memory among them."""
    found = record()
    assert found.date == "2026-01-31"
    assert constants_as_numbers(constants_of(found)) == found.constants
    assert found.standard_errors.keys() == {prior.name for prior in TIME_PRIORS + MEMORY_PRIORS}
    assert {e.accelerator: e.runs for e in found.efficiencies} == dict.fromkeys(sorted(EFFICIENCY), 48)
    accuracies = {a.kind: a for a in found.accuracies}
    assert list(accuracies) == ["all", "dense", "memory"]
    assert accuracies["all"].configs == accuracies["memory"].configs == 96
    assert accuracies["all"].median_ape < 0.03


@pytest.mark.slow
def test_runs_scored_apart_have_their_own_line() -> None:
    """They are fitted, and kept out of the overall figures."""
    labelled = [
        replace(one, rows=(replace(one.rows[0], scored_apart="launch-bound"),)) if i % 3 == 0 else one
        for i, one in enumerate(synthetic())
    ]
    found = calibration_of(labelled, peaks()[:3], "2026-01-31", lambda _: None)
    counts = {a.kind: a.configs for a in found.accuracies}
    assert counts == {"all": 64, "dense": 64, "launch-bound": 32, "memory": 3}


@pytest.mark.slow
def test_a_record_survives_being_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    """TOML and back: the same names, figures to six digits."""
    for one in (record(), load_calibration()):
        path = tmp_path_factory.mktemp("calibration") / "calibration.toml"
        path.write_text(calibration_toml(one), encoding="utf-8")
        back = read_calibration(path)
        assert back.constants == pytest.approx(one.constants, rel=1e-5)
        assert back.standard_errors == pytest.approx(one.standard_errors, rel=1e-5)
        assert [e.accelerator for e in back.efficiencies] == [e.accelerator for e in one.efficiencies]
        assert [a.kind for a in back.accuracies] == [a.kind for a in one.accuracies]
        assert back.spread.newest == one.spread.newest
        assert back.spread.dense == pytest.approx(one.spread.dense, rel=1e-5)
        assert [r.confidence for r in back.reliability] == [r.confidence for r in one.reliability]
        assert calibration_toml(back) == calibration_toml(one)


@pytest.mark.slow
def test_text_in_a_record_is_quoted() -> None:
    """A source with quotes, line breaks and backslashes is still TOML."""
    odd = load_calibration().model_copy(update={"source": 'a "quoted" \\ path\nand a line'})
    assert tomllib.loads(calibration_toml(odd))["source"] == odd.source


@pytest.mark.slow
def test_the_efficiency_of_a_device_without_runs() -> None:
    """Its own, else its architecture's mean, else its vendor's, else 1."""
    found = record()
    h100, a100 = (
        next(c.accelerator for c in synthetic() if c.accelerator.name == name) for name in sorted(EFFICIENCY)[::-1]
    )
    by_name = {e.accelerator: e.factor for e in found.efficiencies}
    assert found.efficiency(h100) == by_name[h100.name]
    assert found.efficiency(h100.model_copy(update={"name": "new"})) == by_name[h100.name]
    stranger = a100.model_copy(update={"name": "new", "architecture": "new"})
    assert found.efficiency(stranger) == pytest.approx(np.mean(list(by_name.values())))
    assert found.efficiency(stranger.model_copy(update={"vendor": "new"})) == 1
    assert found.is_fitted(h100)
    assert not found.is_fitted(stranger)


def test_usable_cases() -> None:
    """Times and memory are fitted apart; excluded rows and configurations without a prediction take no part."""
    written = rows(
        {},
        {"id": "ours-0001/mem_peak_gb", "metric": "mem_peak_gb", "value": "60"},
        {"id": "ours-0002/step_time", "excluded": "a warm-up step"},
        {"id": "ours-0003/step_time", "gpu": "abacus"},
    )
    timed, remembered = (usable_cases(written, memory=memory) for memory in (False, True))
    assert [[row.text["id"] for row in one.rows] for one in timed] == [["ours-0001/step_time"]]
    assert [[row.text["id"] for row in one.rows] for one in remembered] == [["ours-0001/mem_peak_gb"]]


def test_weights_of_sources() -> None:
    """A source of sixteen cases has four votes: squared residuals weigh a quarter each."""
    weights = root_weights(["large"] * 16 + ["small"])
    assert weights[0] ** 2 == pytest.approx(1 / 4)
    assert weights[-1] == 1


def test_robust_residuals() -> None:
    """Small errors count squared, large ones linearly, and the sign is kept."""
    small, large, larger = robust(np.asarray([1e-4, 8.0, -16.0]))
    assert small**2 == pytest.approx((1e-4 / 0.08) ** 2, rel=1e-3)
    assert larger**2 / large**2 == pytest.approx(2, rel=0.02)
    assert larger < 0 < large


def test_least_squares() -> None:
    """A line through points with unit deviation: the known minimum and the known standard error."""
    x = np.asarray([1.0, 2.0, 3.0])
    found, errors = solve(lambda z: z[0] * x - np.asarray([2.0, 4.0, 6.0]), np.zeros(1))
    assert found == pytest.approx([2])
    assert errors == pytest.approx([1 / np.sqrt(14)])


def test_priors_cover_the_constants() -> None:
    """Every constant but the spread of the peaks has a prior with its source; at most a dozen describe time."""
    named = [prior.name for prior in TIME_PRIORS + MEMORY_PRIORS]
    assert {*named, "memory_deviation"} == set(Constants.__dataclass_fields__)
    assert len(TIME_PRIORS) <= 12
    assert all(prior.value > 0 and prior.log_sd > 0 and prior.source for prior in TIME_PRIORS + MEMORY_PRIORS)
