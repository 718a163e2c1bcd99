"""Which accelerator of the catalog a quote means: by instance type first, then by name."""

from __future__ import annotations

from functools import cache

from planner.catalog.accelerators import find_accelerator
from planner.catalog.offers import load_offers
from planner.errors import InputError
from planner.prices.quote import Quote, price_sources


def device_named(quote: Quote) -> str | None:
    """The catalog's name of a quote's device; None where it is not known or may be several.

    The same instance type in the catalog decides; then what the list's plain names mean; then the catalog's spellings.
    """
    if known := _by_instance().get((quote.cloud, quote.instance_type)):
        return known[0]
    return device_by_name(quote.device)


def devices_of(quote: Quote) -> int:
    """Devices per instance: as the list says, else as the catalog knows the instance type; 0 where neither does."""
    known = _by_instance().get((quote.cloud, quote.instance_type))
    return quote.count or (known[1] if known else 0)


@cache
def _by_instance() -> dict[tuple[str, str], tuple[str, int]]:
    return {(one.cloud, one.instance_type): (one.accelerator, one.accelerators) for one in load_offers()}


@cache
def device_by_name(name: str) -> str | None:
    """The catalog's name of what lists and tasks of others call a device; None where it is not known or ambiguous."""
    sources = price_sources()
    plain = {one.name.casefold(): one.accelerator for one in sources.skypilot_name}
    slices = {one.prefix: one.accelerator for one in sources.slice}
    if name.casefold() in plain:
        return plain[name.casefold()]
    if (prefix := name.rpartition("-")[0]) in slices:
        return slices[prefix]
    try:
        return find_accelerator(name).name
    except InputError:
        return None
