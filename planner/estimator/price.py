"""What a device-hour costs: as stated, or by the catalog's cheapest on-demand offer that could carry the job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from planner.catalog.records import Accelerator, Offer
from planner.units import Price


@dataclass(frozen=True)
class HourlyPrice:
    """US dollars per device-hour and where the figure comes from."""

    usd: Decimal
    origin: str


def stated_price(price: Price, accelerator: Accelerator) -> HourlyPrice:
    """The user's own price, per device even where it was written per node."""
    return HourlyPrice(price.usd_per_gpu_hour(accelerator.accelerators_per_node), "as stated")


def catalog_price(accelerator: Accelerator, gpus: int) -> HourlyPrice | None:
    """The cheapest on-demand offer of the catalog that carries the job; None when there is none."""
    from planner.catalog.offers import load_offers, usable  # noqa: PLC0415  (runs with a price need no offers)

    fitting = [offer for offer in usable(load_offers()) if _carries(offer, accelerator, gpus)]
    if not fitting:
        return None
    best = min(fitting, key=lambda offer: (_per_device(offer), offer.cloud, offer.region))
    return HourlyPrice(_per_device(best), _origin(best, fitting))


def _carries(offer: Offer, accelerator: Accelerator, gpus: int) -> bool:
    """Whether an offer has the device, on demand, in whole nodes, with a network when one node is not enough."""
    whole = offer.accelerators >= min(gpus, accelerator.accelerators_per_node)
    joined = offer.network_gbit_s > 0 or offer.accelerators >= gpus
    return offer.accelerator == accelerator.name and bool(offer.on_demand_usd_per_hour) and whole and joined


def _per_device(offer: Offer) -> Decimal:
    return (offer.on_demand_usd_per_hour or Decimal("inf")) / offer.accelerators


def _origin(offer: Offer, fitting: Iterable[Offer]) -> str:
    """The offer by cloud, instance type, region and date, and how many others have its price."""
    places = {(one.cloud, one.region) for one in fitting if _per_device(one) == _per_device(offer)}
    others = f" and {len(places) - 1} more" if len(places) > 1 else ""
    where = f"{offer.cloud} {offer.instance_type}, {offer.region}{others}"
    return f"cheapest on-demand offer known: {where} ({offer.date})"
