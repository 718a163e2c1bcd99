"""`plan size`: a back-of-the-envelope answer for GPUs, days or tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.options import quantity
from planner.cli.reading import warn_of_few_tokens
from planner.errors import InputError, Place
from planner.units import Price, parse_duration, parse_price, parse_share, parse_tokens

if TYPE_CHECKING:
    from planner.estimator.price import HourlyPrice
    from planner.estimator.size import Question

MAX_SEQUENCE = 10**8
"""Longest sequence that is asked about, in tokens."""
MAX_GPUS = 10**7
"""Most devices that are asked about."""


def _days(text: object) -> float:
    """Seconds from a number of days, or from a duration with its unit."""
    plain = isinstance(text, str) and text.strip().replace(".", "", 1).isdecimal()
    return parse_duration(f"{text}d" if plain else text)


@click.command()
@click.argument("model")
@click.option("--tokens", callback=quantity(parse_tokens), help="Tokens to train on, such as 14.8T.")
@click.option("--days", callback=quantity(_days), help="Time available, in days or with a unit, such as 60 or 8w.")
@click.option("--gpus", type=click.IntRange(1, MAX_GPUS), help="GPUs available.")
@click.option("--on", "accelerator", required=True, help="The accelerator, such as H800-80GB.")
@click.option(
    "--sequence-length",
    type=click.IntRange(1, MAX_SEQUENCE),
    default=4096,
    show_default=True,
    help="Tokens in a sequence; attention's share of the work grows with it.",
)
@click.option("--precision", default="bf16", show_default=True, help="Precision of the linear layers: bf16, fp8 …")
@click.option("--mfu", callback=quantity(parse_share), help="Share of peak, such as 40%, instead of the typical one.")
@click.option(
    "--price", callback=quantity(parse_price), help="Price, such as $2/GPU-h; default: the catalog's cheapest."
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="A calibration that plan learn wrote: typical answers move as far as own runs do.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def size(
    *,
    model: str,
    tokens: int | None,
    days: float | None,
    gpus: int | None,
    accelerator: str,
    sequence_length: int,
    precision: str,
    mfu: float | None,
    price: Price | None,
    calibration: Path | None,
    as_json: bool,
) -> None:
    """Back-of-the-envelope GPUs, days or tokens of training MODEL: a bound that no plan beats, and a typical answer.

    Give two of --tokens, --days and --gpus; the third is answered, its arithmetic shown line by line. MODEL is a
    catalog name or the path of a Hugging Face config.json.
    """
    from planner.catalog.calibration import load_calibration, read_calibration
    from planner.estimator.size import size as sized
    from planner.report.size import as_document, size_tables

    question = _question(
        model, accelerator, precision, sequence_length=sequence_length, tokens=tokens, seconds=days, gpus=gpus
    )
    if mfu == 0:
        raise InputError("MFU must be more than zero", place=Place("--mfu"), fix="write 40% or 0.4")
    warn_of_few_tokens(tokens, sequence_length)
    known = read_calibration(calibration) if calibration else load_calibration()
    answer = sized(question, known, mfu, _hourly(price, question))
    if as_json:
        return click.echo(json.dumps(as_document(answer), indent=2, ensure_ascii=False))
    from planner.report.console import print_report

    return print_report(*size_tables(answer))


def _question(
    model: str,
    accelerator: str,
    precision: str,
    *,
    sequence_length: int,
    tokens: int | None,
    seconds: float | None,
    gpus: int | None,
) -> Question:
    """The options with every name resolved. Raises InputError unless exactly two quantities are given."""
    from planner.catalog.accelerators import accelerator_from
    from planner.catalog.models import model_from
    from planner.catalog.precisions import find_precision
    from planner.estimator.size import Question

    given = {"--tokens": tokens, "--days": seconds, "--gpus": gpus}
    if sum(value is not None for value in given.values()) != 2:
        named = ", ".join(name for name, value in given.items() if value is not None) or "none of them"
        raise InputError(
            f"two of --tokens, --days and --gpus are needed, got {named}", fix="for example --tokens 14.8T --days 60"
        )
    return Question(
        model_from(model, Path()),
        accelerator_from(accelerator, Path()),
        find_precision(precision),
        sequence_length,
        tokens,
        seconds,
        gpus,
    )


def _hourly(price: Price | None, question: Question) -> HourlyPrice | None:
    """The stated price per device."""
    from planner.estimator.price import stated_price

    return stated_price(price, question.accelerator) if price else None
