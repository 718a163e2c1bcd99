"""`plan export`: files that start a plan under a framework or a scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.options import quantity
from planner.errors import InputError, Place
from planner.units import parse_duration

if TYPE_CHECKING:
    from planner.launch.export import LaunchFile
    from planner.launch.job import LaunchJob

TARGETS = ("megatron", "torchtitan", "deepspeed", "accelerate", "maxtext", "axolotl", "skypilot", "slurm", "trainjob")
FRAMEWORKS = TARGETS[:6]


@click.command()
@click.argument("answer", metavar="ANSWER.JSON")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="What the files are for.")
@click.option(
    "--framework", type=click.Choice(FRAMEWORKS), help="What a scheduler starts; default: the plan's software."
)
@click.option("--phase", metavar="NAME", help="One phase only; needed for several phases without --out.")
@click.option("--out", type=click.Path(), metavar="DIR", help="Write one file a phase into this folder.")
@click.option(
    "--job-time",
    callback=quantity(parse_duration),
    metavar="DURATION",
    help="Longest time of one job, such as 14d: longer phases become a chain (slurm).",
)
@click.option("--queue", metavar="NAME", default="", help="Partition (slurm) or queue of Kueue (trainjob).")
def export(
    answer: str,
    target: str,
    framework: str | None,
    phase: str | None,
    out: str | None,
    job_time: float | None,
    queue: str,
) -> None:
    """Files that start a plan: model and layout for a framework, nodes and purchases for a scheduler.

    ANSWER.JSON is what `plan solve --out` wrote, or - for standard input. Without --out the file of one phase goes to
    stdout. What the target cannot express is listed in the file and on stderr; what it would refuse ends with 2.
    """
    from planner.catalog.launch_targets import find_target
    from planner.launch.export import launch_file
    from planner.launch.job import jobs_of
    from planner.launch.options import Options
    from planner.plans.document import PlanDocument

    document = PlanDocument.given(answer)
    jobs = _chosen(jobs_of(document, answer), phase, answer)
    if out is None and len(jobs) > 1:
        names = ", ".join(job.phase for job in jobs)
        message = f"the plan has {len(jobs)} phases, each with a file of its own: {names}"
        raise InputError(message, place=Place(answer), fix="add --phase NAME or --out DIR")
    _check_queue(queue)
    runs = find_target(framework, "framework") if framework else None
    options = Options(job_time, queue)
    files = [launch_file(job, find_target(target), runs, options) for job in jobs]
    for item in dict.fromkeys(item for file in files for item in file.not_expressed):
        click.echo(f"not in the file: {item}", err=True)
    _deliver(files, out)


def _deliver(files: list[LaunchFile], out: str | None) -> None:
    """Writes the files into a folder, or prints the only one."""
    if out is None:
        return click.echo(files[0].text, nl=False)
    from planner.files import make_folder, write_whole

    folder = make_folder(out)
    for file in files:
        write_whole(folder / file.name, file.text)
        click.echo(str(folder / file.name))
    return None


def _chosen(jobs: tuple[LaunchJob, ...], phase: str | None, answer: str) -> tuple[LaunchJob, ...]:
    """All phases, or the one of that name. Raises InputError for an unknown one."""
    if phase is None:
        return jobs
    chosen = tuple(job for job in jobs if job.phase == phase)
    if not chosen:
        names = ", ".join(job.phase for job in jobs)
        raise InputError(f"no phase {phase[:80]!r}", place=Place(answer), fix=f"its phases are {names}")
    return chosen


def _check_queue(queue: str) -> None:
    """Refuses a queue's name that could be anything but a name."""
    if queue and not (len(queue) <= 63 and all(letter.isalnum() or letter in "-_." for letter in queue)):
        raise InputError(
            f"not a queue's name: {queue[:80]!r}", place=Place("--queue"), fix="letters, digits, - _ and ."
        )
