"""`plan prices`: price lists, quotas and commitments of others as one's own, what changed, and how old it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from planner.cli.ending import ending_with
from planner.cli.options import Subcommands, working
from planner.errors import InputError, Place

if TYPE_CHECKING:
    from planner.catalog.records import Offer
    from planner.prices.clouds import Cloud
    from planner.prices.quotas import StatedQuota
    from planner.prices.quote import Quote

SOURCES = ("skypilot", "aws", "gcp", "azure", "csv", "xlsx")
SHOWN = 20
"""Most rows of a preview."""


@click.group(cls=Subcommands)
def prices() -> None:
    """Read price lists into a book of own prices, quotas and commitments; compare books; say how old prices are.

    A problem uses a book with `market: {prices: [prices.csv]}`; `user` stands for the one in the user's own
    configuration folder.
    """


@prices.command("import")
@click.argument("source", type=click.Choice(SOURCES))
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--out", type=click.Path(), help="Write the book to this file; default: only show what was read.")
@click.option("--user", "to_user", is_flag=True, help="Write it to the user's configuration folder.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which column of a sheet is meant.")
@click.option("--cloud", default="contract", show_default=True, help="The cloud of a sheet's rows that name none.")
def import_prices(
    source: str, path: str | None, out: str | None, columns: tuple[str, ...], cloud: str, *, to_user: bool
) -> None:
    """Read a price list: SkyPilot's catalog (PATH: a folder), a cloud's price JSON, or a contract as CSV or XLSX.

    Shows what each row was taken for; a row that is not believed says why, is kept in the book and never used.
    """
    from planner.files import write_whole
    from planner.prices.book import book_text, user_book
    from planner.prices.judge import judged

    named = dict(_column(one) for one in columns)
    with working("judging prices"):
        offers = judged(_quotes(source, path, named, cloud))
    target = user_book() if to_user else Path(out) if out else None
    if target is not None:
        if to_user:
            target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, book_text(offers))
    with ending_with():
        _show(offers, target)


def _column(text: str) -> tuple[str, str]:
    """Field and heading. Raises InputError."""
    field, equals, heading = text.partition("=")
    if not equals:
        raise InputError("not FIELD=HEADING", place=Place(f"--column {text[:100]}"), fix="write on_demand='Our rate'")
    return field.strip(), heading.strip()


def _quotes(source: str, path: str | None, columns: dict[str, str], cloud: str) -> Sequence[Quote]:
    """The rows of a list. Raises InputError."""
    if source == "skypilot":
        from planner.prices.skypilot import skypilot_quotes

        return skypilot_quotes(None if path is None else Path(path))
    if path is None:
        raise click.UsageError(f"plan prices import {source} needs a file")
    if source in {"csv", "xlsx"}:
        from planner.prices.sheet import sheet_quotes

        taken, found = sheet_quotes(Path(path), columns, cloud=cloud)
        _tell_columns(taken)
        return found
    from planner.prices.clouds import cloud_quotes

    return cloud_quotes(cast("Cloud", source), Path(path))


def _tell_columns(taken: dict[str, str]) -> None:
    """Says which column was taken for what."""
    click.echo("columns: " + ", ".join(f"{field} = {heading!r}" for field, heading in taken.items()), err=True)


def _show(offers: Sequence[Offer], target: Path | None) -> None:
    """A preview: rows that are used, and why others are not."""
    from planner.clock import today
    from planner.report.console import wide_console
    from planner.report.prices import age_lines, far_line
    from planner.report.tables import text_table
    from planner.units import counted, price_text

    used = [offer for offer in offers if not offer.suspect]
    table = text_table("cloud", "where", "instance type", "accelerator", "GPUs", "on demand", "spot", "date")
    for offer in used[:SHOWN]:
        each = (offer.on_demand_usd_per_hour, offer.spot_usd_per_hour)
        shown = ("–" if one is None else f"${price_text(round(one / offer.accelerators, 4))}/GPU-h" for one in each)
        place = offer.zone or offer.region
        row = offer.cloud, place, offer.instance_type, offer.accelerator, f"{offer.accelerators}"
        table.add_row(*row, *shown, offer.date)
    console = wide_console()
    if used:
        console.print(table)
    if len(used) > SHOWN:
        click.echo(f"and {len(used) - SHOWN:,} more")
    if used:
        click.echo()
    click.echo(f"{counted(len(used), 'row')} used, {len(offers) - len(used):,} not believed")
    for line in filter(None, (*age_lines(used, today()), far_line(used))):
        click.echo(line)
    for reason, count in Counter(offer.suspect for offer in offers if offer.suspect).most_common(SHOWN):
        click.echo(f"  {count:,} × {reason}")
    if target is None:
        click.echo("nothing was written; add --out prices.csv, and market: {prices: [prices.csv]} to the problem")
    else:
        click.echo(f"wrote {target}")


@prices.command("quotas")
@click.argument("source", type=click.Choice(SOURCES[1:]))
@click.argument("path", metavar="FILE")
@click.option("--region", default="", help="Where the quotas hold; Azure's file says it only in its name, eastus.json.")
@click.option("--unused", is_flag=True, help="Without what is in use, where the file says so.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which column of a sheet is meant.")
@click.option("--out", type=click.Path(), help="Write the YAML here instead of stdout.")
def import_quotas(
    source: str, path: str, region: str, columns: tuple[str, ...], out: str | None, *, unused: bool
) -> None:
    """A cloud's quotas, or a sheet of quotas, as `market.quotas` for a problem file.

    FILE is what `aws service-quotas list-service-quotas --service-code ec2`, `gcloud compute regions describe` (or
    list) with `--format=json`, or `az vm list-usage -o json` printed, or a sheet. What was read goes to stderr.
    """
    from planner.prices.quotas import quota_lines
    from planner.report.prices import quota_preview

    quotas = _stated_quotas(source, Path(path), region, dict(_column(one) for one in columns))
    lines = quota_lines(quotas, unused=unused)
    for line in quota_preview(quotas, lines):
        click.echo(line, err=True)
    _write_yaml({"market": {"quotas": [one.data() for one in lines]}}, out)


def _stated_quotas(source: str, path: Path, region: str, columns: dict[str, str]) -> Sequence[StatedQuota]:
    """The quotas of a file. Raises InputError."""
    if source in {"csv", "xlsx"}:
        from planner.prices.sheet_quotas import sheet_quotas

        taken, found = sheet_quotas(path, columns)
        _tell_columns(taken)
        return found
    from planner.prices.cloud_quotas import cloud_quotas

    return cloud_quotas(cast("Cloud", source), path, region)


@prices.command("commitments")
@click.argument("source", type=click.Choice(SOURCES[-2:]))
@click.argument("path", metavar="FILE")
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which column of the sheet is meant.")
@click.option("--pool", is_flag=True, help="As the commitments of a pool in a portfolio file; needs nodes and start.")
@click.option("--out", type=click.Path(), help="Write the YAML here instead of stdout.")
def import_commitments(source: str, path: str, columns: tuple[str, ...], out: str | None, *, pool: bool) -> None:  # noqa: ARG001
    """A sheet of commitments as `market.offers` for a problem file: reserved nodes, paid for a term at least.

    Columns: device, term, price or discount off the catalog's list price, and where stated nodes, take or pay as a
    share of the term, minimum hours, devices per node, network, start, lead. What was read goes to stderr.
    """
    from planner.prices.commitments import sheet_commitments
    from planner.report.prices import commitment_preview

    taken, found = sheet_commitments(Path(path), dict(_column(one) for one in columns))
    _tell_columns(taken)
    for line in commitment_preview(found):
        click.echo(line, err=True)
    if pool:
        return _write_yaml({"commitments": [one.of_pool() for one in found]}, out)
    market = {"purchase": ["on_demand", "reserved"], "offers": [one.data() for one in found]}
    return _write_yaml({"market": market}, out)


def _write_yaml(keys: dict[str, object], out: str | None) -> None:
    """Keys of a problem or portfolio as YAML, on stdout or in a file."""
    from planner.files import write_whole
    from planner.foreign.yaml_text import yaml_text

    text = yaml_text(keys, short=True)
    if out is None:
        return click.echo(text, nl=False)
    write_whole(out, text)
    return click.echo(f"wrote {out}", err=True)


@prices.command()
@click.argument("old", metavar="[OLD.CSV]", required=False)
@click.argument("new", metavar="[NEW.CSV]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def diff(old: str | None, new: str | None, *, as_json: bool) -> None:
    """Show what changed from one book to another; from the catalog to one file, or to the user's own book."""
    from planner.catalog.offers import load_offers
    from planner.prices.book import changes, key_of, read_book, user_book
    from planner.report.prices import change_documents, change_lines

    before = read_book(Path(old)) if old and new else load_offers()
    after = read_book(Path(new or old or user_book()))
    if not (old and new):  # of the catalog only the rows that the book has
        keys = {key_of(one) for one in after}
        before = tuple(one for one in before if key_of(one) in keys)
    found = changes(before, after)
    with ending_with():
        if as_json:
            click.echo(json.dumps({"changes": change_documents(found)}, indent=2, ensure_ascii=False))
        else:
            click.echo("\n".join(change_lines(found)))


@prices.command()
@click.argument("books", metavar="[BOOK.CSV …]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def age(books: tuple[str, ...], *, as_json: bool) -> None:
    """Show how old the prices of every source are, in the catalog or in books."""
    from dataclasses import asdict

    from planner.catalog.offers import load_offers
    from planner.clock import today
    from planner.prices.book import ages, read_book
    from planner.report.prices import print_ages

    offers = [one for path in books for one in read_book(Path(path))] if books else load_offers()
    found = ages(offers, today())
    with ending_with():
        if as_json:
            click.echo(json.dumps({"sources": [asdict(one) for one in found]}, indent=2, ensure_ascii=False))
        else:
            print_ages(found)
