"""`plan learn`: a team's own runs, so that everything answers with them."""

from __future__ import annotations

from pathlib import Path

import click

from planner.cli.options import working


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES…")
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A training log; one for each run file, in their order.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="What to add to: an earlier ours.toml; default: the catalog's calibration.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="OURS.toml", help="Where to write the calibration.")
@click.option("--date", metavar="YYYY-MM-DD", help="The date that it carries; today unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def learn(
    files: tuple[Path, ...],
    logs: tuple[Path, ...],
    calibration: Path | None,
    out: Path | None,
    date: str | None,
    *,
    as_json: bool,
) -> None:
    """Learn from measured steps of your own, and write a calibration that knows them.

    FILES are CSVs in the format of `plan validate`, or run files with `measured: {step: 18.9s, peak_memory: 71.2 GiB}`,
    or run files whose step times stand in a --log of Megatron-LM, torchtitan, the Hugging Face Trainer or MLPerf. Name
    the result in problem and run files, `calibration: ours.toml`, or with --calibration: every answer then rests on it.
    Rows that cannot be used are skipped, each with a line on stderr. Exit code 2: nothing could be used.
    """
    import json

    from planner.catalog.calibration import load_calibration, read_calibration
    from planner.cli import describe
    from planner.clock import today
    from planner.files import write_whole
    from planner.learning.learn import learn as learned
    from planner.learning.measurements import read_measurements
    from planner.report.console import print_report
    from planner.report.learning import lesson_document, lesson_report
    from planner.validation.calibrate import calibration_toml

    base = read_calibration(calibration) if calibration else load_calibration()
    reading = read_measurements(files, logs, base)
    for issue in reading.issues:
        click.echo(describe(issue).replace("error:", "skipped:", 1), err=True)
    with working("learning"):
        lesson = learned(reading.measurements, base)
    if out:
        day = date or today().isoformat()
        source = f"plan learn, on {len(lesson.calibration.own_runs)} own runs"
        write_whole(out, calibration_toml(lesson.calibration.model_copy(update={"source": source, "date": day})))
    if as_json:
        return click.echo(json.dumps(lesson_document(lesson), indent=2, ensure_ascii=False))
    return print_report(*lesson_report(lesson, reading.logs))
