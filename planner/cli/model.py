"""`plan model`: one architecture's parameters, FLOPs and memory."""

from __future__ import annotations

import json

import click

MAX_SEQUENCE = 10**8
"""Longest sequence that is asked about, in tokens."""


@click.command()
@click.argument("reference", metavar="NAME|CONFIG.JSON")
@click.option(
    "--sequence-length",
    type=click.IntRange(1, MAX_SEQUENCE),
    default=4096,
    show_default=True,
    help="Tokens in a sequence; attention's share of the work grows with it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def model(reference: str, sequence_length: int, *, as_json: bool) -> None:
    """Parameters by part, FLOPs per token, key-value cache and activations of one model.

    NAME is a catalog name or another spelling of it; a path leads to a Hugging Face config.json or its folder.
    """
    from pathlib import Path

    from planner.catalog.models import model_from
    from planner.report.model import as_document, model_report, model_tables

    report = model_report(model_from(reference, Path()), sequence_length)
    if as_json:
        return click.echo(json.dumps(as_document(report), indent=2, ensure_ascii=False))
    from planner.report.console import print_report

    return print_report(*model_tables(report))
