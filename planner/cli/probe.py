"""`plan probe`: which short runs to make before deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.options import cache_option, calibration_option, quantity, set_option, working
from planner.cli.reading import problem_of
from planner.units import parse_duration, parse_money

if TYPE_CHECKING:
    from planner.learning.short_runs import ShortRun


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option("--nodes", type=click.IntRange(1, 1000), default=1, show_default=True, help="Most nodes of a test.")
@click.option("--hours", type=click.FloatRange(0.01, 10_000), default=2.0, show_default=True, help="Hours of each.")
@click.option("--budget", callback=quantity(parse_money), metavar="MONEY", help="Most that a test may cost: '$2k'.")
@click.option(
    "--time-limit", callback=quantity(parse_duration), metavar="DURATION", help="Stop searching for the plan after it."
)
@click.option("--out", type=click.Path(), metavar="DIR", help="Write run and launch files of the best test here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def probe(
    problem_file: str,
    sets: tuple[str, ...],
    nodes: int,
    hours: float,
    budget: object,
    time_limit: float | None,
    out: str | None,
    *,
    as_json: bool,
) -> None:
    """Name the short runs that are worth their money before a plan is decided, by the value of their information.

    Each test measures steps of the plan's own layout, cut down to few nodes, on the best plan's accelerator, on another
    one that comes near, or on both; where the model does not fit, of as many layers as do. For each: what it costs, how
    much narrower the plan's range gets, the chance that it changes the choice of accelerator, and what that saves by
    expectation. "No test is worth its money" is an answer. --out writes the run files of the first test, and where a
    framework takes the layout its launch file; `plan learn` takes back what they measured. Exit codes as of `plan
    solve`.
    """
    import json

    from planner.cli.show import exit_code
    from planner.clock import Clock
    from planner.explore.answer import answer
    from planner.learning.probe import probe_documents, probes
    from planner.learning.short_runs import plan_jobs
    from planner.report.console import print_report
    from planner.report.document.answer import answer_document
    from planner.report.probe import advice, probe_report

    problem = problem_of(problem_file, sets).with_hard_limits()
    with working("weighing short runs"):
        found = answer(problem, clock=Clock.of(time_limit))
        jobs = plan_jobs(answer_document(found), problem_file) if found.plan else {}
        tests = probes(found, jobs, nodes, hours, None if budget is None else float(str(budget)))
    if out is not None and tests:
        _write(out, tests[0].runs)
    if as_json:
        document = {"format_version": 1, "probes": list(probe_documents(tests)), "advice": advice(tests)}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_report(*probe_report(tests))
    click.get_current_context().exit(exit_code(found.status.value, has_plan=found.plan is not None))


def _write(out: str, runs: tuple[ShortRun, ...]) -> None:
    """Writes the run files of a test, and launch files where a framework takes them; says which on stderr."""
    from planner.errors import InputError
    from planner.files import make_folder, write_whole
    from planner.launch.export import default_framework, launch_file
    from planner.launch.options import Options

    folder = make_folder(out)
    for run in runs:
        files = {f"{run.name}.yaml": run.text}
        target = default_framework(run.job)
        try:
            files[f"{run.name}{target.suffix}"] = launch_file(run.job, target, None, Options()).text
        except InputError as error:
            click.echo(f"no launch file: {error.issues[0].message}", err=True)
        for name, text in files.items():
            write_whole(folder / name, text)
            click.echo(f"wrote {folder / name}", err=True)
