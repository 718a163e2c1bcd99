"""The catalogs as tables for people, and as the JSON that `plan catalog --json` prints."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from planner.catalog.records import Accelerator, ModelArchitecture, Offer, Record, SourcedRecord
from planner.catalog.reliability import Reliability, SpotStatistics
from planner.report.tables import facts, indented, text_table
from planner.units import SECONDS_PER_MINUTE, format_count, format_number, format_share

FORMAT_VERSION: Final = 1


LEFT: Final = frozenset({"place", "instance type", "family", "source"})
"""Headings of columns that hold words."""


def accelerator_table(accelerators: Iterable[Accelerator]) -> Table:
    """One line per device: memory, bandwidths, dense peaks and what matrix products were measured to reach."""
    table = _table("device", "GiB", "TB/s", "bf16", "fp8", "matmul", "scale-up", "NIC", "conf.")
    for one in accelerators:
        peak = one.peak_tflops
        table.add_row(
            one.name,
            format_number(one.memory_usable_gib),
            format_number(one.memory_bandwidth_gb_s / 1000),
            _figure(peak.get("bf16")) if "bf16" in peak else f"fp16 {_figure(peak.get('fp16'))}",
            _figure(peak.get("fp8")),
            format_share(one.matmul_share["bf16"]) if "bf16" in one.matmul_share else "–",
            f"{format_number(one.scale_up_gb_s)} ×{one.scale_up_domain}",
            format_number(one.nic_gbit_s),
            one.confidence,
        )
    return table


ACCELERATOR_LEGEND: Final = (
    "Usable memory; dense peaks in TFLOP/s; matmul: measured share of the bf16 peak; scale-up: GB/s per direction × "
    "devices; NIC: Gbit/s per device; conf.: A vendor page or measurement, B one secondary source, C from memory. "
    "–: not known or not there."
)


def record_lines(record: SourcedRecord) -> Table:
    """Every field of one record that is known, name beside value, where it was read at the end."""
    known = record.model_dump(exclude_defaults=True)
    ordered = sorted(known, key=lambda field: field in SourcedRecord.model_fields)
    return facts((field, _shown(known[field])) for field in ordered)


def offer_table(offers: Sequence[Offer]) -> Table:
    """One line per offer that differs in more than its zone, prices in USD per device and hour.

    A kind of price that none of them has gets no column.
    """
    shown = _one_per_region(offers)
    kinds = {heading: field for heading, field in PRICES.items() if any(getattr(offer, field) for offer in shown)}
    table = _table("device", "n", "place", "instance type", *kinds, "Gb/s")
    several_zones = {here for here, times in Counter(map(_here, shown)).items() if times > 1}
    for offer in shown:
        table.add_row(
            offer.accelerator,
            str(offer.accelerators),
            f"{offer.cloud} {offer.zone if _here(offer) in several_zones and offer.zone else offer.region}",
            offer.instance_type,
            *(_price(offer, field) for field in kinds.values()),
            _network(offer),
        )
    return table


PRICES: Final = MappingProxyType(
    {
        "demand": "on_demand_usd_per_hour",
        "spot": "spot_usd_per_hour",
        "1y": "reserved_1y_usd_per_hour",
        "3y": "reserved_3y_usd_per_hour",
        "block": "block_usd_per_hour",
    }
)
"""Headings of the kinds of price, with their fields."""

OFFER_LEGEND: Final = (
    "n: devices per instance; prices in USD per device and hour; Gb/s: network per device (~ assumed, 0 one node "
    "only); –: no such price is known."
)


def suspicions(offers: Sequence[Offer]) -> Group:
    """Why offers are suspect: each reason once, with the instance types that it concerns."""
    types: dict[tuple[str, str], set[str]] = defaultdict(set)
    for offer in offers:
        if offer.suspect:
            types[offer.cloud, offer.suspect].add(offer.instance_type)
    return Group(*(Text(f"suspect: {cloud} {', '.join(sorted(types[cloud, why]))}: {why}") for cloud, why in types))


def model_table(models: Iterable[tuple[ModelArchitecture, float, float]]) -> Table:
    """One line per model with its total and active parameters."""
    table = _table("model", "family", "params", "active", "layers", "hidden", "heads", "kv", "experts")
    for record, total, active in models:
        experts = f"{record.num_experts_per_tok}/{record.n_routed_experts}" if record.is_moe else "–"
        table.add_row(
            record.name,
            record.family,
            format_count(total),
            format_count(active),
            str(record.num_hidden_layers),
            str(record.hidden_size),
            str(record.num_attention_heads),
            "MLA" if record.kv_lora_rank else str(record.num_key_value_heads),
            experts,
        )
    return table


def reliability_report(reliability: Reliability) -> Group:
    """Failures, restarts, checkpoints and spot capacity, with what is assumed and what nobody knows."""
    return Group(
        Text("Failures per 1,000 node-days (* used when nothing better is known)"),
        indented(_failures(reliability)),
        Text("\nRestart and start-up"),
        indented(_restarts(reliability)),
        Text("\nCheckpoint storage, GB/s"),
        indented(_checkpoints(reliability)),
        Text("\nSpot nodes in recorded traces"),
        indented(_spot(reliability.spot)),
        Text("\nNodes of one zone go together: P(all available) / P(at least one), over zones"),
        indented(_gangs(reliability)),
        Text(f"\nAny other device: {reliability.untraced.statement} Stand-in: {reliability.untraced.stand_in}."),
    )


def as_json(record: Record) -> dict[str, Any]:
    """A record for `--json`: money as decimal strings, everything else as it is."""
    return record.model_dump(mode="json")


def _failures(reliability: Reliability) -> Table:
    """The failure rates with their sources."""
    table = _table("name", "rate", "source", header=False)
    for rate in reliability.failure_rate:
        name = f"{rate.name}{' *' if rate.usual else ''}"
        table.add_row(name, f"{rate.failures_per_1000_node_days:.2f}", f"{rate.source} ({rate.date})")
    return table


def _restarts(reliability: Reliability) -> Table:
    """How long a job stands still."""
    table = _table("name", "figure", "source", header=False)
    for one in reliability.restart:
        table.add_row(one.name, f"{one.seconds / SECONDS_PER_MINUTE:g} min", _marked(one.assumed, one.source, one.date))
    return table


def _checkpoints(reliability: Reliability) -> Table:
    """How fast checkpoints are written and read."""
    table = _table("name", "figure", "source", header=False)
    for one in reliability.checkpoint:
        writing = f"write {one.write_gb_s_per_node:g} a node, {one.write_gb_s_total:g} in all"
        table.add_row(
            one.name, f"{writing}; read {one.read_gb_s_per_node:g}", _marked(one.assumed, one.source, one.date)
        )
    return table


def _spot(statistics: Iterable[SpotStatistics]) -> Table:
    """Availability and how long nodes stayed."""
    table = _table("trace", "year", "per node", "available", "up h", "median", "down h", "lost/h")
    for one in statistics:
        table.add_row(
            one.name,
            one.date[:4],
            str(one.devices_per_node),
            _range(one.availability_min, one.availability_median, one.availability_max),
            f"{one.mean_up_hours:.2f}",
            "–" if one.median_up_hours is None else f"{one.median_up_hours:.2f}",
            "–" if one.mean_down_hours is None else f"{one.mean_down_hours:.2f}",
            f"{one.preemptions_per_node_up_hour:.2f}",
        )
    return table


def _gangs(reliability: Reliability) -> Table:
    """How far nodes go together."""
    table = _table("name", "share", header=False)
    for one in reliability.gang:
        table.add_row(one.name, _range(one.all_given_any_min, one.all_given_any_median, one.all_given_any_max))
    return table


def _table(*headings: str, header: bool = True) -> Table:
    """A table of many columns, close together."""
    return text_table(*headings, left={headings[0], *LEFT}, wrap=headings, header=header, gap=1)


def _one_per_region(offers: Sequence[Offer]) -> list[Offer]:
    """The offers without those that differ from an earlier one in their zone only."""
    seen: dict[Offer, Offer] = {}
    for offer in offers:
        seen.setdefault(offer.model_copy(update={"zone": ""}), offer)
    return list(seen.values())


def _here(offer: Offer) -> tuple[str, str, str]:
    """An offer's region and instance type."""
    return offer.cloud, offer.region, offer.instance_type


def _network(offer: Offer) -> str:
    """Gbit/s per device, marked when assumed."""
    mark = "~" if offer.network_assumed and offer.network_gbit_s else ""
    return f"{mark}{format_number(offer.network_gbit_s)}"


def _price(offer: Offer, field: str) -> str:
    """One kind of price, in USD per device and hour."""
    price = getattr(offer, field)
    return "–" if price is None else f"{price / offer.accelerators:.2f}"


def _marked(assumed: bool, source: str, date: str) -> str:
    """A source, with its date unless it is an assumption."""
    return source if assumed else f"{source} ({date})"


def _range(lowest: float | None, middle: float, highest: float | None) -> str:
    """A median share with its range over zones where there was more than one."""
    text = format_share(middle)
    if lowest is None or highest is None:
        return text
    return f"{text} ({format_share(lowest).rstrip('%')}–{format_share(highest)})"


def _figure(value: float | None) -> str:
    """A figure that may not be known."""
    return "–" if value is None else format_number(value)


def _shown(value: object) -> str:
    """A field's value in a line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item:g}" for key, item in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
