"""`plan replay`: a plan against recorded or generated capacity."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from planner.cli.options import require_html, workers_option
from planner.cli.output import Output, output_options

MAX_RUNS = 1_000_000
"""Most runs of one replay."""
BAR = 30
"""Characters of the progress bar."""


@click.command()
@click.argument("plan_file", metavar="PLAN.JSON")
@click.option(
    "--trace", "traces", multiple=True, metavar="FILE", help="Recorded capacity instead of generated; may be repeated."
)
@click.option("--runs", type=click.IntRange(1, MAX_RUNS), default=1000, show_default=True, help="Runs of each policy.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Random seed of the runs.",
)
@workers_option
@click.option("--svg", type=click.Path(), callback=require_html, help="Write a picture to this file.")
@output_options("csv", "xlsx", "html")
def replay(
    plan_file: str,
    traces: tuple[str, ...],
    runs: int,
    seed: int,
    workers: int | str | None,
    svg: str | None,
    output: Output,
) -> None:
    """Simulate a plan under node failures and spot preemptions, run by run and policy by policy.

    PLAN.JSON is what `plan solve --out` writes. Capacity is generated from the plan's own spot figures, or taken from
    recorded traces (`plan trace stats` says which formats), each run from a random time on in one of them.
    """
    from planner.explore.spread import spread_over
    from planner.files import write_whole
    from planner.plans.document import PlanDocument
    from planner.report.replay import Replay
    from planner.report.replay_result import replay_result
    from planner.simulate.job import job_of
    from planner.simulate.replay import replay as replayed
    from planner.simulate.traces import read_traces

    job = job_of(PlanDocument.given(plan_file), plan_file)
    recorded = read_traces(traces)
    tell = _progress() if workers is None else None
    outcomes = replayed(
        job, job.policies(), runs=runs, seed=seed, traces=recorded, tell=tell, spread=spread_over(workers)
    )
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    found = Replay(job, outcomes, runs, seed, tuple(one.name for one in recorded))
    if svg:
        from planner.report.replay_svg import replay_svg

        write_whole(svg, replay_svg(found))
    output.show(replay_result(found))


def _progress() -> Callable[[str, float], None] | None:
    """A bar on stderr, when that is a terminal; drawn anew when it has grown."""
    if not sys.stderr.isatty():
        return None
    shown = ""

    def tell(policy: str, share: float) -> None:
        """Draws the bar of a policy anew when it has grown."""
        nonlocal shown
        done = round(BAR * min(max(share, 0.0), 1.0))
        text = f"{policy:<10} {'█' * done}{'░' * (BAR - done)}"
        if text != shown:
            shown = text
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    return tell
