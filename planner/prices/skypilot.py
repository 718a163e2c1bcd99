"""SkyPilot's catalog, as it lies under `~/.sky/catalogs`: one `vms.csv` a cloud.

Columns are read by name, in whatever order; hosts and devices that are priced in rows of their own (GCP) are added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from planner.catalog.offers import load_offers
from planner.errors import InputError, Place
from planner.prices.quote import Quote, price_sources
from planner.prices.table import amount, content_of, rows_of_csv

FILE: Final = "vms.csv"
NEEDED: Final = frozenset({"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"})
MOST_CLOUDS: Final = 100
NEWEST_WIN: Final = re.compile(r"v(\d{1,3})")
HOUSE: Final = Path("~/.sky/catalogs")
"""Where SkyPilot keeps its catalogs."""


def skypilot_quotes(folder: Path | None = None) -> list[Quote]:
    """The rows with devices of every cloud in a folder (the user's own by default). Raises InputError."""
    root = (folder or HOUSE).expanduser()
    files = list(_files(root))
    if not files:
        fix = "give the folder that holds CLOUD/vms.csv, or run sky once so that it is downloaded"
        raise InputError(f"no cloud's {FILE} below it", place=Place(str(root)), fix=fix)
    return [quote for path in files for quote in _of_cloud(path)]


def _files(root: Path) -> Iterator[Path]:
    """The price list of every cloud; of several schema versions the newest that has the cloud."""
    if root.is_file():
        yield root
        return
    found: dict[str, tuple[int, Path]] = {}
    for path in sorted((*root.glob(f"*/{FILE}"), *root.glob(f"*/*/{FILE}")))[: 10 * MOST_CLOUDS]:
        version = NEWEST_WIN.fullmatch(path.parent.parent.name)
        cloud, rank = path.parent.name, int(version[1]) if version else 0
        if path.is_file() and rank >= found.get(cloud, (-1, path))[0]:
            found[cloud] = rank, path
    yield from (path for _, path in list(found.values())[:MOST_CLOUDS])


def _of_cloud(path: Path) -> list[Quote]:
    """One cloud's rows that have devices, host and devices added up."""
    rows = list(rows_of_csv(path, content_of(path)))
    if rows and not set(rows[0][1]) >= NEEDED:
        missing = ", ".join(sorted(NEEDED - set(rows[0][1])))
        raise InputError(
            f"not a price list of SkyPilot: no column {missing}", place=Place(str(path)), fix="give vms.csv"
        )
    date = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).date().isoformat()
    quotes = [_quote(path.parent.name, place, row, date) for place, row in rows]
    return _with_hosts([one for one in quotes if one.count], [one for one in quotes if not one.count])


def _quote(cloud: str, place: Place, row: dict[str, str], date: str) -> Quote:
    """One row as it stands."""
    count = amount(row["AcceleratorCount"]) or Decimal(0)
    quote = Quote(
        place=place,
        cloud=cloud,
        region=row["Region"],
        zone=row.get("AvailabilityZone", ""),
        instance_type=row["InstanceType"],
        device=row["AcceleratorName"],
        count=int(count) if row["AcceleratorName"] else 0,
        on_demand=amount(row["Price"]),
        spot=amount(row.get("SpotPrice", "")),
        date=date,
        source=f"SkyPilot catalog, {cloud}/{FILE}",
    )
    return _of_slice(quote)


def _of_slice(quote: Quote) -> Quote:
    """A TPU slice with the chips that its name counts, instead of one device."""
    prefix, _, number = quote.device.rpartition("-")
    if not number.isdigit() or prefix not in {one.prefix for one in price_sources().slice}:
        return quote
    chips = max(1, int(number) // chips_counted(prefix))
    return replace(quote, count=chips, instance_type=quote.instance_type or quote.device)


def chips_counted(prefix: str) -> int:
    """What one chip counts for in the number of a slice's name."""
    from planner.catalog.traps import load_traps  # noqa: PLC0415  (few lists have slices)

    return next((one.counted_per_chip for one in load_traps().slice if one.prefix == prefix), 1)


def _with_hosts(devices: Sequence[Quote], hosts: Iterable[Quote]) -> list[Quote]:
    """Devices that are priced without a machine, each with the machine that carries so many of them."""
    by_machine = {(one.instance_type, one.zone or one.region): one for one in hosts}
    types = _machines()
    return [_on_host(one, types, by_machine) if not one.instance_type else one for one in devices]


def _machines() -> dict[tuple[str, str, int], tuple[str, ...]]:
    """Instance types of the catalog by cloud, device and number of devices."""
    found: dict[tuple[str, str, int], dict[str, None]] = {}
    for offer in load_offers():
        found.setdefault((offer.cloud, offer.accelerator, offer.accelerators), {})[offer.instance_type] = None
    return {key: tuple(names) for key, names in found.items()}


def _on_host(
    quote: Quote, types: dict[tuple[str, str, int], tuple[str, ...]], hosts: dict[tuple[str, str], Quote]
) -> Quote:
    """The devices with the first machine of the place that carries them."""
    from planner.prices.devices import device_named  # noqa: PLC0415  (few lists price hosts apart)

    name, begins = device_named(quote), {one.name: one.machines for one in price_sources().skypilot_name}
    for machine in types.get((quote.cloud, name or "", quote.count), ()):
        host = hosts.get((machine, quote.zone or quote.region))
        if host is not None and machine.startswith(begins.get(quote.device, "")):
            return replace(
                quote,
                instance_type=machine,
                on_demand=_sum(quote.on_demand, host.on_demand),
                spot=_sum(quote.spot, host.spot),
                host_usd=host.on_demand,
            )
    return replace(quote, instance_type=f"{quote.device}:{quote.count}", fault="priced without its host")


def _sum(devices: Decimal | None, host: Decimal | None) -> Decimal | None:
    return None if devices is None or host is None else devices + host
