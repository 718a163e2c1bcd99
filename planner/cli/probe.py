"""`plan probe`: which short runs to make before deciding."""

from __future__ import annotations

import click

from planner.cli.options import cache_option, calibration_option, quantity, set_option, working
from planner.cli.reading import problem_of
from planner.units import parse_duration, parse_money


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option("--nodes", type=click.IntRange(1, 1000), default=1, show_default=True, help="Nodes of each test.")
@click.option("--hours", type=click.FloatRange(0.01, 10_000), default=2.0, show_default=True, help="Hours of each.")
@click.option("--budget", callback=quantity(parse_money), metavar="MONEY", help="Most that a test may cost: '$2k'.")
@click.option(
    "--time-limit", callback=quantity(parse_duration), metavar="DURATION", help="Stop searching for the plan after it."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def probe(
    problem_file: str,
    sets: tuple[str, ...],
    nodes: int,
    hours: float,
    budget: object,
    time_limit: float | None,
    *,
    as_json: bool,
) -> None:
    """Which short runs are worth their money before a plan is decided, by the value of their information.

    Each test measures steps of the model on few nodes of the best plan's accelerator, of another one that comes near,
    or of both. For each: what it costs, how much narrower the plan's range gets, the chance that it changes the choice
    of accelerator, and what that saves by expectation. "No test is worth its money" is an answer. Exit codes as of
    `plan solve`.
    """
    import json

    from planner.cli.solve import exit_code
    from planner.clock import Clock
    from planner.explore.answer import answer
    from planner.learning.probe import probe_documents, probes
    from planner.report.console import print_report
    from planner.report.probe import advice, probe_report

    problem = problem_of(problem_file, sets)
    with working("weighing short runs"):
        found = answer(problem, clock=Clock.of(time_limit))
        tests = probes(found, nodes, hours, None if budget is None else float(str(budget)))
    if as_json:
        document = {"format_version": 1, "probes": list(probe_documents(tests)), "advice": advice(tests)}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_report(*probe_report(tests))
    click.get_current_context().exit(exit_code(found))
