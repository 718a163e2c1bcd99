"""Where `plan track` says that a run stands: against simple arithmetic, with what it measured, and on bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batches import few
from click.testing import CliRunner, Result

from planner.catalog.calibration import read_calibration
from planner.cli import main
from planner.learning.track_document import TrackDocument, track_schema

ROOT = Path(__file__).resolve().parents[2]
PROBLEM = """\
schema: plan/1
model: llama3.1-8b
training:
  phases:
    - {name: pretrain, tokens: 600B, sequence_length: 8192, global_batch: 512}
    - {name: extend, tokens: 60B, sequence_length: 32768, global_batch: 128}
market:
  clouds: []
  together: true
  offers:
    - {name: ours, accelerator: H100-80GB-SXM5, nodes: 64, on_demand: $2.50/GPU-h}
limits: {gpus: 128, deadline: 40d}
objective: time
"""


def plan(*arguments: str | Path) -> Result:
    """What a command answers."""
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module", name="planned")
def fixture_planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solved plan of two phases whose deadline leaves a twentieth."""
    folder = tmp_path_factory.mktemp("track")
    problem, out = folder / "problem.yaml", folder / "plan.json"
    problem.write_text(PROBLEM, encoding="utf-8")
    assert plan("solve", problem, "--out", out).exit_code == 0
    hours = round(1.05 * part(out)["wall_seconds"] / 3600)
    assert plan("solve", problem, "--set", f"limits.deadline={hours}h", "--out", out).exit_code == 0
    return out


def part(planned: Path) -> dict[str, Any]:
    """The plan of an answer."""
    found: dict[str, Any] = json.loads(planned.read_text(encoding="utf-8"))["plan"]
    return found


def steps(folder: Path, planned: Path, slower: float, every: int = 50, share: float = 0.5) -> Path:
    """A run whose steps take so many times the plan's, until some share of the first phase is done."""
    first, elapsed = part(planned)["phases"][0], part(planned)["phases"][0]["startup_seconds"]
    rows = [
        f"{step},{elapsed + step * slower * first['step_seconds']:.3f}"
        for step in range(0, round(share * first["steps"]), every)
    ]
    path = folder / "steps.csv"
    path.write_text("\n".join(["step,elapsed", *rows]), encoding="utf-8")
    return path


def tracked(planned: Path, path: Path, *arguments: str | Path) -> TrackDocument:
    """What is said of a run."""
    found = plan("track", planned, path, "--json", *arguments)
    assert found.exit_code == 0, found.output
    return TrackDocument.model_validate_json(found.stdout)


def test_a_run_on_plan_holds(tmp_path: Path, planned: Path) -> None:
    """A run whose steps take what was planned ends when planned, at the planned cost, and needs nothing else."""
    found = tracked(planned, steps(tmp_path, planned, 1.0))
    assert found.end.expected == pytest.approx(found.end.planned, rel=0.01)
    assert float(found.cost.expected) == pytest.approx(float(found.cost.planned), rel=0.01)
    assert found.holds
    assert found.rest is None
    assert found.probability_in_time is not None
    assert found.planned_probability_in_time is not None
    assert found.probability_in_time > found.planned_probability_in_time


@pytest.mark.slow
def test_a_slow_run_is_told_and_planned_anew(tmp_path: Path, planned: Path) -> None:
    """At half time, a run a quarter slower ends as much later, loses its deadline, and gets a plan that keeps it."""
    found = tracked(planned, steps(tmp_path, planned, 1.25), "--out", tmp_path / "ours.toml")
    assert found.end.expected == pytest.approx(1.25 * found.end.planned, rel=0.02)
    assert found.end.range[0] < found.end.expected < found.end.range[1]
    assert not found.holds
    assert found.rest is not None
    assert len(read_calibration(tmp_path / "ours.toml").own_runs) == 1
    sets = [word for text in found.rest.sets for word in ("--set", text)]
    again = plan("solve", planned, *sets, "--json")
    assert again.exit_code == (0 if found.rest.then else 3)
    for one in found.rest.relaxations[:1]:
        more = [word for text in one.sets for word in ("--set", text)]
        assert plan("solve", planned, *sets, *more, "--json").exit_code == 0


@pytest.mark.slow
def test_later_phases_follow_what_was_measured(tmp_path: Path, planned: Path) -> None:
    """A phase that has not begun is expected to be slower too, by part of what the first one was."""
    first, later = tracked(planned, steps(tmp_path, planned, 1.25)).phases
    assert (first.measured, later.measured) == (True, False)
    assert first.step_seconds == pytest.approx(1.25 * first.planned_step_seconds, rel=1e-3)
    assert 1.08 < later.step_seconds / later.planned_step_seconds < 1.25


@pytest.mark.slow
def test_the_rest_is_planned_at_the_measured_pace(tmp_path: Path, planned: Path) -> None:
    """The deadline that would do, with every GPU in use already, is about when the run ends as it goes on."""
    found = tracked(planned, steps(tmp_path, planned, 1.25))
    assert found.rest is not None
    (needed,) = [float(str(one.after)) for one in found.rest.relaxations if one.limit == "limits.deadline"]
    assert needed == pytest.approx(found.end.expected - found.elapsed_seconds, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("every", few([10_000, 10]))
def test_dense_and_sparse_rows_agree(tmp_path: Path, planned: Path, every: int) -> None:
    """Whether every tenth step has a row or every ten thousandth hardly moves the end."""
    usual = tracked(planned, steps(tmp_path, planned, 1.1, share=0.9))
    other = tracked(planned, steps(tmp_path, planned, 1.1, every, share=0.9))
    assert other.end.expected == pytest.approx(usual.end.expected, rel=0.01)


@pytest.mark.slow
def test_losses_are_not_steps(tmp_path: Path, planned: Path) -> None:
    """A standstill of two days moves the end by about two days, raises the failures expected, not the step."""
    path = steps(tmp_path, planned, 1.0)
    usual = tracked(planned, path)
    head, *rows = path.read_text(encoding="utf-8").split("\n")
    half = len(rows) // 2
    late = [f"{row.split(',')[0]},{float(row.split(',')[1]) + 2 * 86400}" for row in rows[half:]]
    path.write_text("\n".join([head, *rows[:half], *late]), encoding="utf-8")
    found = tracked(planned, path)
    assert found.phases[0].step_seconds == pytest.approx(usual.phases[0].step_seconds, rel=1e-3)
    assert found.failure_factor > 2 * usual.failure_factor
    assert 2 <= (found.end.expected - usual.end.expected) / 86400 < 4


def test_a_run_that_is_over_has_ended(tmp_path: Path, planned: Path) -> None:
    """With all steps done the end is the time that has passed."""
    total = sum(one["steps"] for one in part(planned)["phases"])
    path = tmp_path / "steps.csv"
    path.write_text(f"step,elapsed\n{total // 2},10d\n{total},20d\n", encoding="utf-8")
    found = tracked(planned, path)
    assert found.end.expected == pytest.approx(20 * 86400)


@pytest.mark.slow
def test_text_says_what_would_bring_it_back(tmp_path: Path, planned: Path) -> None:
    """The text names steps, end, probability and a command whose --set are those of the document."""
    path = steps(tmp_path, planned, 1.25)
    text = plan("track", planned, path).stdout
    rest = tracked(planned, path).rest
    assert "Probability of keeping the deadline" in text
    assert rest is not None
    assert all(one in text for one in rest.sets)


@pytest.mark.slow
def test_rows_that_cannot_be_used_are_skipped(tmp_path: Path, planned: Path) -> None:
    """Each is told with its line and fix on stderr; units, phases and thousands are read."""
    path = tmp_path / "steps.csv"
    rows = ["step,elapsed,phase", "0,900,pretrain", "x,1h,pretrain", '"1,000",5h,pretrain', "1100,4h,pretrain"]
    rows += ["1200,-3,pretrain", "1300,6h,other", "99999999,7h,pretrain", "1400,7h 30min,pretrain"]
    path.write_text("\n".join(rows), encoding="utf-8")
    found = plan("track", planned, path, "--json")
    assert found.exit_code == 0, found.output
    assert [line for line in (3, 5, 6, 7, 8) if f"steps.csv:{line}: " in found.stderr] == [3, 5, 6, 7, 8]
    assert found.stderr.count("fix:") == 5
    assert json.loads(found.stdout)["steps_done"] == 1400


@pytest.mark.parametrize("content", ["", "step,elapsed\n", "a,b\n1,2\n", "step,elapsed\nx,y\n", "\x00\n", "step\n1\n"])
def test_nothing_to_track_is_refused(tmp_path: Path, planned: Path, content: str) -> None:
    """Exit code 2 and one line with the place and an example."""
    path = tmp_path / "steps.csv"
    path.write_text(content, encoding="utf-8")
    found = plan("track", planned, path)
    assert found.exit_code == 2, found.output
    assert "steps.csv" in found.stderr
    assert "fix:" in found.stderr


def test_an_answer_without_a_plan_is_refused(tmp_path: Path) -> None:
    """What is no plan ends with 2."""
    path = tmp_path / "steps.csv"
    path.write_text("step,elapsed\n1,2\n", encoding="utf-8")
    assert plan("track", path, path).exit_code == 2


def test_the_schema_is_shipped() -> None:
    """schema/track.json is what the program prints."""
    shipped = json.loads((ROOT / "schema" / "track.json").read_text(encoding="utf-8"))
    assert shipped == track_schema()
