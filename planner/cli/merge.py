"""`plan merge`: the parts of a sweep as one file."""

from __future__ import annotations

import click

from planner.cli.options import working


@click.command()
@click.argument("parts", metavar="PART.CSV", nargs=-1, required=True)
@click.option("--out", type=click.Path(), required=True, metavar="FILE.csv", help="The file to write.")
def merge(parts: tuple[str, ...], out: str) -> None:
    """Put the parts of a sweep together that `plan whatif --part i/N --out` wrote, byte for byte as if made at once.

    The parts may be given in any order; one that is missing, twice there or of another sweep is refused.
    """
    from planner.report.sweep_file import merge_sweep

    with working("putting parts together"):
        merge_sweep(parts, out)
