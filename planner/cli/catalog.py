"""`plan catalog`: what is known about hardware, prices, models and reliability, and whether it is sound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.cli.options import Subcommands, working
from planner.errors import ExitCode, InputError, closest

if TYPE_CHECKING:
    from decimal import Decimal

    from planner.catalog.records import Accelerator, ModelArchitecture, Offer

Item = TypeVar("Item")

SHOWN = 40
"""Offers that are printed unless all are asked for."""

words_argument = click.argument("words", nargs=-1, metavar="[FILTER]...")
json_option = click.option("--json", "as_document", is_flag=True, help="Print one JSON document.")


@click.group(cls=Subcommands)
def catalog() -> None:
    """Show the accelerators, offers, models and reliability that are known, and check them.

    A FILTER is a part of a name, another spelling, a cloud, a region or an instance type; several must all match.
    """


@catalog.command()
@words_argument
@json_option
def accelerators(words: tuple[str, ...], as_document: bool) -> None:
    """List devices: memory, bandwidth, dense peaks, measured matmul share, fabric.

    A FILTER that leaves one device shows all that is known about it.
    """
    from planner.catalog.accelerators import load_accelerators

    found = _matching(words, load_accelerators(), _accelerator_names, "accelerator")
    if as_document:
        return _print_json("accelerators", found)
    from planner.report import catalog as report
    from planner.report.console import print_report

    if len(found) == 1:
        return print_report(report.record_lines(found[0]))
    return print_report(report.accelerator_table(found), "", report.ACCELERATOR_LEGEND)


@catalog.command()
@words_argument
@click.option("--all", "everything", is_flag=True, help=f"Print all of them, not the {SHOWN} cheapest.")
@click.option("--suspect", "suspects", is_flag=True, help="Include offers whose prices are not to be trusted.")
@json_option
def offers(words: tuple[str, ...], everything: bool, suspects: bool, as_document: bool) -> None:
    """List what clouds sell and at what price, the cheapest per device and hour first."""
    from planner.catalog import offers as market

    known = market.load_offers() if suspects else market.usable(market.load_offers())
    found = sorted(_matching(words, known, _offer_names(), "offer"), key=_price)
    if as_document:
        return _print_json("offers", found)
    from planner.report import catalog as report
    from planner.report.console import print_report

    shown = found if everything else found[:SHOWN]
    rest = [f"{len(found) - len(shown)} more: add a FILTER or --all."] if len(shown) < len(found) else []
    left_out = len(market.suspect(market.load_offers()))
    hidden = [] if suspects else [f"{left_out} suspect offers of the catalog are left out; --suspect shows them."]
    legend = " ".join([report.OFFER_LEGEND, *rest, *hidden])
    return print_report(report.offer_table(shown), "", report.suspicions(shown), legend)


@catalog.command()
@words_argument
@json_option
def models(words: tuple[str, ...], as_document: bool) -> None:
    """List architectures by name, with total and active parameters as counted from them."""
    from planner.catalog.models import load_models, names_of

    found = _matching(words, load_models().values(), lambda record: (*names_of(record), record.family), "model")
    if as_document:
        return _print_json("models", found)
    from planner.report import catalog as report
    from planner.report.console import print_report

    legend = "Parameters as counted from the architecture; experts: active/routed; `plan model NAME` shows one in full."
    return print_report(report.model_table(_with_parameters(found)), "", legend)


@catalog.command()
@json_option
def reliability(as_document: bool) -> None:
    """Show failure rates, restarts, checkpoints, spot capacity, and what nobody has published."""
    from planner.catalog.reliability import load_reliability
    from planner.report import catalog as report
    from planner.report.console import print_report

    known = load_reliability()
    if as_document:
        return click.echo(json.dumps({"format_version": report.FORMAT_VERSION} | report.as_json(known), indent=2))
    return print_report(report.reliability_report(known))


@catalog.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_document: bool) -> None:
    """Look for every mistake that was met in published tables of hardware and prices; exit 2 if there is one."""
    from planner.catalog.accelerators import load_accelerators
    from planner.catalog.check import ACCELERATOR_CHECKS, check_catalogs
    from planner.catalog.check_offers import OFFER_CHECKS
    from planner.catalog.models import load_models
    from planner.catalog.offers import load_offers, load_spot_history, suspect
    from planner.report.catalog import FORMAT_VERSION, suspicions
    from planner.report.console import print_report

    with working("checking the catalogs"):
        issues = check_catalogs()
    checked = {
        "accelerators": len(load_accelerators()),
        "offers": len(load_offers()),
        "suspect_offers": len(suspect(load_offers())),
        "spot_histories": len(load_spot_history()),
        "models": len(load_models()),
        "checks": len(ACCELERATOR_CHECKS) + len(OFFER_CHECKS) + 2,
    }
    if as_document:
        document = {"format_version": FORMAT_VERSION, "checked": checked, "issues": [str(issue) for issue in issues]}
        click.echo(json.dumps(document, indent=2))
        ctx.exit(ExitCode.BAD_INPUT if issues else ExitCode.OK)
    if issues:
        raise InputError(issues)
    click.echo(
        "{accelerators} accelerators, {offers} offers ({suspect_offers} marked suspect), {spot_histories} spot price "
        "records, {models} models.\n{checks} checks, nothing wrong. Not used for plans:".format(**checked)
    )
    print_report(suspicions(suspect(load_offers())))


def _matching(
    words: Sequence[str], known: Iterable[Item], names: Callable[[Item], Iterable[str]], kind: str
) -> list[Item]:
    """The records of which every word is part of some name; raises InputError when there is none."""
    from planner.catalog.accelerators import MAX_SPELLING, spelling_key

    records = list(known)
    keys = [spelling_key(word[:MAX_SPELLING]) for word in words]
    spelled = [[spelling_key(name) for name in names(record)] for record in records]
    found = [
        record
        for record, own in zip(records, spelled, strict=True)
        if all(any(key in name for name in own) for key in keys)
    ]
    if found:
        return found
    strange = [
        word for word, key in zip(words, keys, strict=True) if not any(key in name for own in spelled for name in own)
    ]
    wanted = " ".join(words)[:MAX_SPELLING]
    raise InputError(f"no {kind} matches {wanted!r}", fix=_nearest(strange, records, names, kind))


def _nearest(words: Sequence[str], records: Iterable[Item], names: Callable[[Item], Iterable[str]], kind: str) -> str:
    """What to ask for instead of words that match nothing."""
    if not words:
        return "each word matches something, but nothing matches all of them"
    known = set(chain.from_iterable(map(names, records)))
    near = [name for name in (closest(word, known) for word in words) if name]
    return f"did you mean {' '.join(near)}?" if near else f"`plan catalog {kind}s` lists all"


def _accelerator_names(accelerator: Accelerator) -> tuple[str, ...]:
    """Every spelling of a device, its vendor and its architecture."""
    one = accelerator
    return (one.name, *one.aliases, *one.ambiguous_aliases, one.vendor, one.architecture)


def _offer_names() -> Callable[[Offer], tuple[str, ...]]:
    """What an offer is found by: its place, its instance type and its device's spellings."""
    from planner.catalog.accelerators import load_accelerators

    spellings = {one.name: (*one.aliases, *one.ambiguous_aliases) for one in load_accelerators()}
    return lambda offer: (
        offer.cloud,
        offer.region,
        *offer.zone.split(),
        offer.instance_type,
        offer.accelerator,
        *spellings.get(offer.accelerator, ()),
    )


def _price(offer: Offer) -> tuple[Decimal, str, str, int]:
    """Cheapest first, to the cent; at the same price by place, small instances before large ones."""
    from decimal import Decimal

    from planner.catalog.offers import usd_per_accelerator_hour

    price = usd_per_accelerator_hour(offer) or Decimal("inf")
    return round(price, 2), offer.cloud, offer.region, offer.accelerators


def _with_parameters(records: Sequence[ModelArchitecture]) -> list[tuple[ModelArchitecture, float, float]]:
    """The models, each with its total and its active parameters."""
    from planner.performance.parameters import active_parameters, total_parameters
    from planner.performance.symbols import Architecture

    models = Architecture.stack([Architecture.of(record) for record in records])
    return list(zip(records, total_parameters(models), active_parameters(models), strict=True))


def _print_json(name: str, records: Iterable[Any]) -> None:
    """One document with the records under their name."""
    from planner.report import catalog as report

    document = {"format_version": report.FORMAT_VERSION, name: [report.as_json(record) for record in records]}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
