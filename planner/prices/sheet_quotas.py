"""A sheet of quotas: provider, region, accelerator or instance type, way to buy, and most devices or nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from planner.catalog.accelerators import find_accelerator
from planner.catalog.offers import ANY_REGION, load_offers, usable
from planner.catalog.quotas import QuotaWay, load_quotas
from planner.catalog.records import Offer
from planner.errors import InputError, Issue, Place, did_you_mean
from planner.prices.quotas import StatedQuota
from planner.prices.sheet import columns_taken, headings_shown, plain, sheet_rows
from planner.prices.table import amount

ANYWHERE: Final = frozenset({"", "any", "all", "*", "global"})
"""What stands for every region, or every way to buy."""


def sheet_quotas(path: Path, columns: Mapping[str, str]) -> tuple[dict[str, str], list[StatedQuota]]:
    """Which column was taken for what, and the quotas. Raises InputError with every row that is not understood."""
    rows = list(sheet_rows(path))
    taken = columns_taken(path, rows, load_quotas().headings, columns)
    if "cloud" not in taken or not {"gpus", "nodes"} & set(taken):
        message = f"no column for the provider, or for the limit, among {headings_shown(rows)}"
        raise InputError(message, place=Place(str(path)), fix="name them, such as --column gpus='Max GPUs'")
    found: list[StatedQuota] = []
    issues: list[Issue] = []
    for place, row in rows:
        texts = {field: row.get(heading, "") for field, heading in taken.items()}
        try:
            found.extend(_quotas(place, texts) if any(texts.values()) else ())
        except InputError as error:
            issues += error.issues
    if issues:
        raise InputError(issues)
    return taken, found


def _quotas(place: Place, row: Mapping[str, str]) -> Iterator[StatedQuota]:
    """The quotas of one row: one, or of a limit in nodes one for each size of node. Raises InputError."""
    offers = _offers(place, row)
    purchase, title = _purchase(place, row.get("purchase", "")), " ".join(filter(None, row.values()))[:100]
    is_everywhere = row.get("region", "").casefold() in ANYWHERE or offers[0].region == ANY_REGION
    region = "" if is_everywhere else row["region"]
    number, sizes = _limit(place, row), {one.instance_type: one.accelerators for one in offers}
    machines = (tuple(sizes),) if row.get("gpus") else tuple((name,) for name in sizes)
    for names in machines:
        limit = number if row.get("gpus") else number * sizes[names[0]]
        yield StatedQuota(place, title, offers[0].cloud, region, purchase, names, limit)


def _offers(place: Place, row: Mapping[str, str]) -> Sequence[Offer]:
    """The catalog's offers that a row is about, by provider, region, instance type and device. Raises InputError."""
    device, wanted = row.get("accelerator", ""), {key: row.get(key, "") for key in ("region", "instance_type")}
    known = [one for one in usable(load_offers()) if one.cloud == row["cloud"].casefold()]
    if not known:
        clouds = sorted({one.cloud for one in usable(load_offers())})
        raise InputError(f"unknown provider {row['cloud'][:60]!r}", place=place, fix=did_you_mean(row["cloud"], clouds))
    try:
        wanted["accelerator"] = find_accelerator(device, usual=True).name if device else ""
    except InputError as error:
        raise InputError(error.issues[0].message, place=place, fix=error.issues[0].fix) from None
    for field, value in wanted.items():
        if value.casefold() in ANYWHERE:
            continue
        names = sorted({str(getattr(one, field)) for one in known})
        known = [one for one in known if getattr(one, field) in {value, ANY_REGION}]
        if not known:
            message = f"no offer of {row['cloud'].casefold()} has {field.replace('_', ' ')} {value[:60]!r}"
            raise InputError(message, place=place, fix=did_you_mean(value, names))
    return known


def _purchase(place: Place, text: str) -> QuotaWay | None:
    """The way to buy that a cell names; None for every one. Raises InputError."""
    if plain(text) in ANYWHERE:
        return None
    for way, words in load_quotas().purchases.items():
        if plain(text) in words:
            return way
    message = f"unknown way to buy {text[:60]!r}"
    raise InputError(message, place=place, fix="write on demand, spot, or leave it empty for both")


def _limit(place: Place, row: Mapping[str, str]) -> int:
    """The number of devices, or else of nodes. Raises InputError."""
    text = row.get("gpus") or row.get("nodes") or ""
    number = amount(text)
    if number is None or number < 0 or number != int(number):
        raise InputError(f"the limit is {text[:30]!r}, not a number of devices", place=place, fix="write 512")
    return int(number)
