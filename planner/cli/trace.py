"""`plan trace`: what recorded spot capacity says."""

from __future__ import annotations

import json

import click

from planner.cli.options import Subcommands


@click.group(cls=Subcommands)
def trace() -> None:
    """Summarize recorded spot capacity, for a problem file and for `plan replay`."""


@trace.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def stats(files: tuple[str, ...], *, as_json: bool) -> None:
    """Show availability, times up and away, and correlation of recorded traces.

    FILE is JSON of the "Can't Be Late" study (nodes at each tick) or CSV of Bamboo (milliseconds,add|remove,node). The
    last lines are the keys that an offer of a problem file takes.
    """
    from planner.report.trace import print_traces, trace_document
    from planner.simulate.statistics import statistics_of
    from planner.simulate.traces import read_traces

    found = [statistics_of(one) for one in read_traces(files)]
    if as_json:
        return click.echo(json.dumps(trace_document(found), indent=2, ensure_ascii=False))
    return print_traces(found)
