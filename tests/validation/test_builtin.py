"""The catalog's own published runs: how good the estimator is, and that the recorded figures are those of the code."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner

from planner.catalog.accelerators import load_accelerators
from planner.catalog.calibration import Accuracy, load_calibration
from planner.cli import main
from planner.validation.published import builtin_runs, read_published

DRIFT = 0.003
"""How far the code's figures may be from the recorded ones: TOML keeps six digits, machines differ in the last."""


@cache
def document() -> dict[str, Any]:
    """What `plan validate --json` prints."""
    result = CliRunner().invoke(main, ["validate", "--json"])
    assert result.exit_code == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout, parse_constant=pytest.fail)
    return parsed


def recorded(kind: str) -> Accuracy:
    """The recorded error on sources that the fit had not seen."""
    return next(a for a in load_calibration().accuracies if a.kind == kind)


def test_step_time_of_unseen_sources() -> None:
    """Leave one source out: median at most 8 %, mean 11 %, 60 % of runs within 10 % and 87 % within 20 %."""
    found = recorded("all")
    assert found.median_ape <= 0.08
    assert found.mean_ape <= 0.11
    assert found.within_10 >= 0.60
    assert found.within_20 >= 0.87


def test_dense_and_sparse_models() -> None:
    """Dense models within 8 %, mixtures of experts within 22 %, in the median."""
    assert recorded("dense").median_ape <= 0.08
    assert recorded("moe").median_ape <= 0.22


def test_the_fit_is_no_overfit() -> None:
    """The error on unseen sources is at most one and a half times the error on the same runs when fitted."""
    found = recorded("all")
    assert found.median_ape / found.fitted_median_ape <= 1.5


def test_launch_bound_runs_are_fitted() -> None:
    """The small models whose time is launches: 12 % in the median, in the fit."""
    assert recorded("launch-bound").fitted_median_ape <= 0.12


def test_memory_of_unseen_sources() -> None:
    """Peaks of memory within 11 % in the median."""
    assert recorded("memory").median_ape <= 0.11


@pytest.mark.slow
def test_plans_reserve_enough() -> None:
    """At most one measured peak in twenty exceeds the memory that a plan sets aside."""
    assert document()["summary"]["share_above_reserved"] <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["all", "dense", "moe", "launch-bound", "memory"])
def test_recorded_figures_are_those_of_the_code(kind: str) -> None:
    """The equations as they are now give the fitted median, and as many configurations, as calibrating recorded."""
    summary = document()["summary"]
    found = {"all": summary["step_time"], "memory": summary["memory"]} | summary["step_time_by_kind"]
    assert found[kind]["configs"] == recorded(kind).configs
    assert found[kind]["median_ape"] == pytest.approx(recorded(kind).fitted_median_ape, abs=DRIFT)


@pytest.mark.slow
def test_every_row_is_answered() -> None:
    """One entry per row of the file, in its order by configuration, predicted or with the reason why not."""
    rows = document()["rows"]
    assert sorted(row["id"] for row in rows) == sorted(row.text["id"] for row in read_published(builtin_runs()))
    assert all((row["predicted"] is None) == bool(row["skipped"]) for row in rows)
    assert all((row["error"] is None) == (row["predicted"] is None) for row in rows)


@pytest.mark.slow
def test_most_configurations_are_predicted() -> None:
    """Nine in ten have enough stated; each skipped one is counted under its reason."""
    skipped = sum(document()["summary"]["skipped"].values())
    configurations = {row["id"].split("/")[0] for row in document()["rows"]}
    assert skipped < 0.1 * len(configurations)


@pytest.mark.slow
def test_intervals_hold_what_they_promise() -> None:
    """The middle four fifths of unseen runs: of all scored predictions, fitted here, at least three quarters."""
    inside = [
        row["interval"][0] <= row["measured"] <= row["interval"][1]
        for row in document()["rows"]
        if "interval" in row and "excluded" not in row
    ]
    assert sum(inside) / len(inside) >= 0.75


@pytest.mark.slow
def test_the_leave_one_out_error_is_printed_beside_the_fit() -> None:
    """For the built-in runs the document carries the recorded accuracies."""
    found = document()["summary"]["leave_one_source_out"]
    assert found == {a.kind: a.model_dump() for a in load_calibration().accuracies}


def test_devices_of_the_record_are_in_the_catalog() -> None:
    """Every fitted efficiency names an accelerator by its catalog name, within a factor that physics allows."""
    names = {accelerator.name for accelerator in load_accelerators()}
    assert {e.accelerator for e in load_calibration().efficiencies} <= names
    assert all(0.5 < e.factor < 1.5 for e in load_calibration().efficiencies)
