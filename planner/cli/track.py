"""`plan track`: a run under way against its plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from planner.cli.options import quantity, working
from planner.units import parse_duration

if TYPE_CHECKING:
    from planner.clock import Clock
    from planner.learning.rest import Rest
    from planner.learning.track import Track


@click.command()
@click.argument("plan_file", metavar="PLAN.JSON")
@click.argument("steps_file", type=click.Path(path_type=Path), metavar="STEPS.CSV")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="What the plan was made with; default: the problem's own, or the catalog's.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="OURS.toml", help="Write a calibration for the rest of this run."
)
@click.option(
    "--time-limit", callback=quantity(parse_duration), metavar="DURATION", help="Stop looking for ways back after it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def track(
    plan_file: str,
    steps_file: Path,
    calibration: Path | None,
    out: Path | None,
    time_limit: float | None,
    *,
    as_json: bool,
) -> None:
    """Compare a run under way with its plan: when it ends, what it costs, and what would bring it back.

    PLAN.JSON is what `plan solve --out` wrote, or - for standard input. STEPS.CSV has a row now and then: `step`, the
    steps that are done; `elapsed`, the time since the job began, in seconds or with a unit; if measured `seconds` of a
    step; and `phase`, where steps are counted in each phase. Rows that cannot be used are skipped, each with a line on
    stderr. What is left is expected by what was measured, for later phases by the posterior of `plan learn`. Where
    deadline or budget no longer hold, the rest is planned anew, on the devices that it runs on. Exit code 0 whether
    they hold or not.
    """
    from planner.catalog.calibration import calibration_from
    from planner.cli import describe
    from planner.clock import Clock
    from planner.learning.step_file import read_steps
    from planner.learning.track import track as tracked
    from planner.learning.track_document import track_document
    from planner.plans.document import PlanDocument
    from planner.report.track import print_track, rest_document

    document = PlanDocument.given(plan_file)
    phases = {one.name: one.steps for one in document.plan.phases} if document.plan else {}
    steps = read_steps(steps_file, phases)
    for issue in steps.issues:
        click.echo(describe(issue).replace("error:", "skipped:", 1), err=True)
    with document.asked.at("calibration"):
        known = calibration_from(str(calibration) if calibration else document.asked.calibration, Path())
    found = tracked(document, plan_file, steps, known)
    with working("planning what is left"):
        rest = rest_document(_way_back(found, out, Clock.of(time_limit)))
    if as_json:
        return click.echo(track_document(found, rest).model_dump_json(by_alias=True, indent=2))
    return print_track(found, rest, plan_file)


def _way_back(found: Track, out: Path | None, clock: Clock) -> Rest | None:
    """The rest planned anew with what the run taught, which is written to `out`; None where nothing is asked of it."""
    from planner.learning.rest import planned_anew, rest_sets

    sets = rest_sets(found)
    with _learned(found, out) as path:
        if found.holds or not sets:
            return None
        rest = planned_anew(found.document, (*sets, f"calibration={path}"), clock)
    return replace(rest, sets=rest.sets if out else sets)


@contextmanager
def _learned(found: Track, out: Path | None) -> Iterator[Path]:
    """A calibration that knows the run: the file that was asked for, or one that is gone afterwards."""
    from planner.clock import today
    from planner.files import write_whole
    from planner.learning.rest import going_on
    from planner.validation.calibrate import calibration_toml

    update = {"source": "plan track", "date": today().isoformat()}
    text = calibration_toml(going_on(found).model_copy(update=update))
    if out is not None:
        write_whole(out, text)
        yield out.absolute()
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "learned.toml"
        write_whole(path, text)
        yield path
