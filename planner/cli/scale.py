"""`plan scale`: what more GPUs bring."""

from __future__ import annotations

import click

from planner.cli.options import cache_option, calibration_option, set_option, working
from planner.cli.output import Output, output_options
from planner.cli.reading import problem_of
from planner.errors import ExitCode


@click.command()
@click.argument("problem_file", metavar="PROBLEM.YAML")
@set_option
@calibration_option
@cache_option
@click.option(
    "--gpus",
    metavar="COUNTS",
    help="128..1024 in doublings, 128..1024:7 for 7 counts at equal ratios, or 128,256,512; default: powers of two of "
    "nodes within limits.gpus and the offers.",
)
@click.option("--on", "accelerator", metavar="NAME", help="Only this accelerator, each of its fabrics.")
@click.option("--phase", metavar="NAME", help="The phase; default the first.")
@click.option("--weak", is_flag=True, help="Let the global batch grow with the GPUs; default: it stays.")
@output_options("csv", "html")
def scale(
    problem_file: str,
    sets: tuple[str, ...],
    gpus: str | None,
    accelerator: str | None,
    phase: str | None,
    *,
    weak: bool,
    output: Output,
) -> None:
    """The fastest layout on each number of GPUs: throughput, efficiency, time, cost, and what a step waits for.

    Every number is evaluated and verified, none is interpolated; where no layout exists the reason is given. Deadline
    and budget are not applied, and GPUs that are asked for may go beyond limits.gpus. By default a curve for each
    accelerator on its best fabric, of at most four. Exit code 3: no layout on any number.
    """
    problem = problem_of(problem_file, sets)
    from planner.explore.gpu_counts import parse_gpu_counts
    from planner.explore.scaling import scaling
    from planner.report.results import scaling_result

    counts = None if gpus is None else parse_gpu_counts(gpus)
    with working("evaluating numbers of GPUs"):
        found = scaling(problem, counts, accelerator=accelerator, phase=phase, kind="weak" if weak else "strong")
    has_plan = any(point.plan for curve in found.curves for point in curve.points)
    output.show(scaling_result(found), ExitCode.OK if has_plan else ExitCode.INFEASIBLE)
