"""Scaling curves are what `plan layouts` finds for each number of GPUs, and never anything in between."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from negotiated_problems import generated

from planner.cli import main
from planner.errors import InputError
from planner.explore.gpu_counts import parse_gpu_counts
from planner.explore.job_modes import Bounds
from planner.explore.layout_table import layout_tables
from planner.explore.room import with_bounds
from planner.explore.scaling import Curve, scaling
from planner.plans.choices import choices_of
from planner.problem.problem import Problem, load_problem

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
GPT3 = str(PROBLEMS / "gpt3_175b.yaml")
GENERATED = [generated(seed) for seed in range(50_000, 50_012)]
ALL = parse_gpu_counts("1,2,3,4,6,8,12,16,24,32,48,64,128")


def found_by_layouts(problem: Problem, curve: Curve, gpus: int) -> tuple[float, float] | None:
    """The least step time among all layouts on a machine with so many GPUs, and the least cost at that time."""
    choices = choices_of(with_bounds(problem, Bounds()))
    first = choices.phases[0].name
    found = [
        (float(step), float(usd))
        for table in layout_tables(choices)
        if table.phase == first and table.machine.key == curve.machine.key and gpus % table.machine.per_node == 0
        for step, usd, devices in zip(table.step_seconds, table.cost_usd, table.rows.devices, strict=True)
        if devices == gpus
    ]
    return min(found, default=None)


@pytest.mark.slow
@pytest.mark.parametrize("problem", GENERATED)
def test_points_are_what_layouts_finds(problem: Problem) -> None:
    """Every point has the least step time of all layouts on that many GPUs and its cost; others have none at all."""
    for curve in scaling(problem, ALL).curves:
        for point in curve.points:
            expected = found_by_layouts(problem, curve, point.gpus)
            assert (point.plan is None) == (expected is None)
            assert bool(point.reason) == (expected is None)
            if expected and point.phase:
                assert point.phase.gpus == point.gpus
                assert point.phase.step_seconds == pytest.approx(expected[0], rel=1e-12)
                assert float(point.cost_usd or np.inf) == pytest.approx(expected[1], abs=0.01)


@pytest.mark.parametrize("problem", GENERATED[:6])
def test_figures_are_shares_and_the_first_is_whole(problem: Problem) -> None:
    """Efficiency begins at one and is throughput per GPU against the first; waiting is a share of the step."""
    for curve in scaling(problem, ALL).curves:
        held = [one for one in curve.points if one.plan]
        assert not held or held[0].efficiency == 1
        for point in held:
            per_gpu = [(one.tokens_per_second or 0) / one.gpus for one in (point, held[0])]
            assert point.efficiency == pytest.approx(per_gpu[0] / per_gpu[1])
            assert 0 <= (point.communication or 0) + (point.bubble or 0) < 1


def test_weak_scaling_is_the_problem_with_the_larger_batch() -> None:
    """With `--weak` a point on n times the GPUs is that of the problem whose batch is n times as large."""
    problem = load_problem(GPT3)
    (curve,) = scaling(problem, parse_gpu_counts("128,192,256,129"), kind="weak").curves
    batches = {one.gpus: one.global_batch for one in curve.points}
    assert batches == {128: 1536, 129: None, 192: 2304, 256: 3072}
    larger = load_problem(GPT3, ["training.phases[0].global_batch=3072"])
    (same,) = scaling(larger, parse_gpu_counts("256")).curves
    assert curve.points[-1].phase == same.points[0].phase


def test_counts_between_low_and_high() -> None:
    """A range doubles or keeps equal ratios on whole nodes, its ends as they are; a list is taken as it is."""
    assert parse_gpu_counts("128..1024").on(8) == (128, 256, 512, 1024)
    assert parse_gpu_counts("100..900").on(8) == (100, 200, 400, 800, 900)
    assert parse_gpu_counts("128..1024:7").on(8) == (128, 184, 256, 360, 512, 728, 1024)
    assert parse_gpu_counts(" 64, 8 ,64 ").on(8) == (8, 64)
    assert parse_gpu_counts("8..8").on(8) == (8,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1024..128", "ends before it begins"),
        ("many", "no range and no list"),
        ("", "no range and no list"),
        ("128..", "no range and no list"),
        ("-8..8", "no range and no list"),
        ("1.5", "no range and no list"),
        ("1,024", "no range and no list"),
        ("0", "no GPUs at all"),
        ("0..8", "no GPUs at all"),
        ("8,2000000", "more than the 1,048,576"),
        ("8.." + "9" * 400, "no range and no list"),
        ("8..64:1", "1 points"),
        ("8..64:101", "101 points"),
        (",".join(str(one) for one in range(1, 200)), "more than 100"),
    ],
)
def test_bad_counts_are_refused(text: str, message: str) -> None:
    """What is no number of GPUs is answered with what is wrong and how to write it."""
    with pytest.raises(InputError, match=message) as refused:
        parse_gpu_counts(text)
    assert str(refused.value.issues[0].place) == "--gpus"
    assert refused.value.issues[0].fix


def ran(*words: str) -> Result:
    """What the command prints for GPT-3 on 128 A100 nodes."""
    return CliRunner().invoke(main, ["scale", GPT3, *words])


def document(*words: str) -> dict[str, Any]:
    """Its JSON."""
    found: dict[str, Any] = json.loads(ran("--json", *words).stdout)
    return found


def test_json_keeps_its_promise() -> None:
    """Every key of the document is there; where no layout exists only the reason is."""
    found = document("--gpus", "16,128,1024,1030,2048")
    assert list(found) == [
        *("format_version", "name", "phase", "scaling", "tokens", "sequence_length", "global_batch"),
        *("curves", "others", "catalog"),
    ]
    (curve,) = found["curves"]
    assert (curve["accelerator"], curve["gpus_per_node"], curve["network_gbit_s"]) == ("A100-80GB-SXM4", 8, 200)
    figures = ["tokens_per_second", "efficiency", "communication", "bubble", "wall_seconds", "cost_usd"]
    small, first, last, odd, large = curve["points"]
    assert list(first) == ["gpus", "global_batch", *figures, "placement", "layout", "reason"]
    assert all(first[name] is not None for name in figures)
    for none, reason in ((small, "in memory"), (odd, "whole nodes"), (large, "the offers have 128")):
        assert reason in none["reason"]
        assert all(value is None for name, value in none.items() if name not in {"gpus", "reason"})
    assert first["efficiency"] == 1
    assert last["layout"]["gpus"] == last["gpus"] == 1024
    assert last["tokens_per_second"] == pytest.approx(1536 * 2048 / last["layout"]["step_seconds"])
    assert isinstance(last["cost_usd"], str)


def test_text_and_csv_show_every_count() -> None:
    """People see a picture and a line per number of GPUs with the reason where there is none; CSV has the same rows."""
    text, table = ran("--gpus", "16..1024"), ran("--gpus", "16..1024", "--csv")
    assert text.exit_code == table.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(table.stdout)))
    assert [row["gpus"] for row in rows] == ["16", "32", "64", "128", "256", "512", "1024"]
    assert all(bool(row["reason"]) != bool(row["layout"]) for row in rows)
    assert text.stdout.count("no layout fits in memory") == sum(bool(row["reason"]) for row in rows)
    assert text.stdout.count("●") == 1 + sum(not row["reason"] for row in rows)


def test_usual_counts_are_within_limit_and_offers() -> None:
    """Without `--gpus` nodes double within `limits.gpus` and the offers; what is asked for goes beyond the limit."""
    usual = document("--set", "limits.gpus=300")["curves"][0]["points"]
    assert [one["gpus"] for one in usual] == [8, 16, 32, 64, 128, 256]
    (asked,) = document("--set", "limits.gpus=300", "--gpus", "512")["curves"][0]["points"]
    assert asked["layout"]["gpus"] == 512


def test_price_is_left_out_where_nothing_is_sold_on_demand() -> None:
    """A market of spot nodes alone has layouts and times, and no on-demand cost."""
    words = ["scale", str(PROBLEMS / "spot_heavy.yaml"), "--set", "market.purchase=[spot]", "--gpus", "8"]
    text, table = CliRunner().invoke(main, words), CliRunner().invoke(main, [*words, "--csv"])
    (row,) = csv.DictReader(io.StringIO(table.stdout))
    assert float(row["wall_seconds"]) > 0
    assert (row["cost_usd"], row["placement"]) == ("", "")
    assert "no on-demand offer has room" in text.stdout


@pytest.mark.slow
def test_accelerators_and_phases_are_chosen_by_name() -> None:
    """By default at most four accelerators, one fabric each, the others named; --on shows all fabrics of one."""
    anywhere = str(PROBLEMS / "own_cluster.yaml")
    found = json.loads(CliRunner().invoke(main, ["scale", anywhere, "--gpus", "64", "--json"]).stdout)
    shown = [one["accelerator"] for one in found["curves"]]
    assert len(set(shown)) == 4 == len(shown)
    assert not set(shown) & set(found["others"])
    words = ["scale", anywhere, "--gpus", "64", "--on", "A100-80GB-SXM4", "--phase", "anneal", "--json"]
    one = json.loads(CliRunner().invoke(main, words).stdout)
    assert one["phase"] == "anneal"
    assert {curve["accelerator"] for curve in one["curves"]} == {"A100-80GB-SXM4"}
    assert len({curve["network_gbit_s"] for curve in one["curves"]}) > 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--on", "H100-80GB-SXM5"], "they have A100-80GB-SXM4"),
        (["--on", "A10O"], "unknown accelerator"),
        (["--phase", "pretrian"], "did you mean pretrain?"),
        (["--gpus", "9..1"], "write 1..9"),
        (["--set", "limits.gpus=4"], "not even one whole node"),
    ],
)
def test_mistakes_are_answered_with_the_fix(words: list[str], told: str) -> None:
    """A wrong name or number ends with 2 and says what is right."""
    result = ran(*words)
    assert result.exit_code == 2
    assert told in result.stderr


def test_no_layout_at_all_ends_with_3() -> None:
    """When no number of GPUs has a layout the command says why and ends like an infeasible problem."""
    result = ran("--gpus", "8,16")
    assert result.exit_code == 3
    assert result.stdout.count("no layout fits in memory") == 2
