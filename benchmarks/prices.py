"""Reads a price list of 20,000 rows and the catalog's own rows, and says how long, how large, and how many are doubted.

    python benchmarks/prices.py

The large list has the catalog's machines again and again in zones of other names; the clean one has each row of the
catalog once, as SkyPilot's lists write them. Each is read in a process of its own.
"""

from __future__ import annotations

import csv
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.prices.judge import judged
from planner.prices.skypilot import skypilot_quotes

ROWS = 20_000
HEADINGS = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region", "AvailabilityZone")
CLOUDS = ("aws", "azure", "nebius")
"""Those whose lists price whole machines."""


def main() -> None:
    """Writes both lists, reads them, and prints a line for each."""
    offers = [one for one in usable(load_offers()) if one.cloud in CLOUDS and one.on_demand_usd_per_hour]
    many = ((one, f"{one.zone or one.region}-{number}") for number, one in enumerate(islice(cycle(offers), ROWS)))
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("20,000 rows", many), ("clean rows", ((one, one.zone) for one in offers))):
            _write(Path(folder, name), rows)
            process = multiprocessing.get_context("spawn").Process(target=_read, args=(Path(folder, name), name))
            process.start()
            process.join()


def _write(folder: Path, rows: Iterator[tuple[Offer, str]]) -> None:
    """A list a cloud, of offers with their zones."""
    lists: dict[str, list[tuple[object, ...]]] = {}
    for one, zone in rows:
        prices = (one.on_demand_usd_per_hour, one.spot_usd_per_hour or "")
        line = (one.instance_type, one.accelerator, one.accelerators, *prices, one.region, zone)
        lists.setdefault(one.cloud, []).append(line)
    for cloud, lines in lists.items():
        path = folder / "v8" / cloud / "vms.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADINGS, *lines])


def _read(folder: Path, name: str) -> None:
    """Reads and judges a list, and prints what that took."""
    begun = time.process_time()
    offers = judged(skypilot_quotes(folder))
    seconds, peak = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    doubted = sum(1 for one in offers if one.suspect)
    share = doubted / len(offers)
    print(f"{name}: {len(offers):,} read, {doubted:,} doubted ({share:.1%}), {seconds:.2f} CPU s, {peak:.0f} MB")


if __name__ == "__main__":
    main()
