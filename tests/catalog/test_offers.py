"""The market catalog: published list prices are in it, and what is suspect is marked."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from planner.catalog.accelerators import load_accelerators
from planner.catalog.offers import (
    load_offers,
    load_spot_history,
    suspect,
    usable,
    usd_per_accelerator_hour,
)

LIST_PRICES = [
    ("aws", "H100-80GB-SXM5", 6.88),
    ("aws", "H200-141GB-SXM", 7.91),
    ("aws", "B200-SXM", 14.24),
    ("aws", "A100-80GB-SXM4", 3.43),
    ("gcp", "H100-80GB-SXM5", 11.06),
    ("azure", "H100-80GB-SXM5", 12.29),
    ("azure", "MI300X", 6.00),
    ("nebius", "H100-80GB-SXM5", 4.50),
    ("nebius", "H200-141GB-SXM", 5.40),
    ("nebius", "B200-SXM", 8.50),
    ("coreweave", "H100-80GB-SXM5", 6.155),
    ("coreweave", "B200-SXM", 8.60),
    ("coreweave", "GB200", 10.50),
    ("crusoe", "H200-141GB-SXM", 4.29),
    ("hyperstack", "B300-SXM", 7.40),
    ("runpod", "B200-SXM", 6.79),
    ("together", "H100-80GB-SXM5", 3.99),
]


@pytest.mark.parametrize(("cloud", "accelerator", "usd"), LIST_PRICES)
def test_the_list_price_of_2026_is_the_lowest(cloud: str, accelerator: str, usd: float) -> None:
    """The cheapest usable region of a cloud asks the list price."""
    prices = [
        offer.on_demand_usd_per_hour / offer.accelerators
        for offer in usable(load_offers())
        if offer.cloud == cloud and offer.accelerator == accelerator and offer.on_demand_usd_per_hour
    ]
    assert float(min(prices)) == pytest.approx(usd, abs=0.006)


def test_every_offer_is_either_usable_or_says_why_not() -> None:
    """The two views divide the catalog."""
    offers = load_offers()
    assert len(usable(offers)) + len(suspect(offers)) == len(offers)
    assert all(offer.suspect for offer in suspect(offers))
    assert len(usable(offers)) > 700


def test_lambda_is_listed_but_suspect() -> None:
    """A cloud that lists everything everywhere keeps its price and is never used silently."""
    offers = [offer for offer in load_offers() if offer.cloud == "lambda"]
    assert {offer.region for offer in offers} == {"any"}
    assert all(offer.suspect for offer in offers)
    assert Decimal("3.99") in {round(usd_per_accelerator_hour(offer) or 0, 2) for offer in offers}


def test_defined_duration_prices_are_no_on_demand_prices() -> None:
    """GCP H100 Mega at 4.42 to 5.94 USD is never an on-demand price."""
    mega = [offer for offer in load_offers() if offer.instance_type == "a3-megagpu-8g"]
    assert mega
    assert all((offer.on_demand_usd_per_hour or 1000) / offer.accelerators > 10 for offer in mega)


def test_azure_form_factors_follow_the_instance_type() -> None:
    """What Azure calls H100 is an NVL card in NC instances and an SXM card in ND instances."""
    carried = {offer.instance_type: offer.accelerator for offer in load_offers()}
    assert carried["Standard_NC80adis_H100_v5"] == "H100-94GB-NVL"
    assert carried["Standard_ND96isr_H100_v5"] == "H100-80GB-SXM5"
    assert carried["Standard_NC96ads_A100_v4"] == "A100-80GB-PCIe"
    assert carried["a2-highgpu-8g"] == "A100-40GB-SXM4"


def test_single_gpus_without_a_fabric_stay_on_one_node() -> None:
    """A 1-GPU instance is offered for several nodes only where its fabric was published."""
    alone = {offer.instance_type for offer in load_offers() if offer.network_gbit_s and offer.accelerators == 1}
    assert alone == {"p5.4xlarge"}


def test_reserved_prices_lie_below_on_demand() -> None:
    """A longer commitment costs less per hour."""
    both = [offer for offer in load_offers() if offer.reserved_1y_usd_per_hour and offer.reserved_3y_usd_per_hour]
    assert len(both) > 150
    for offer in both:
        assert offer.on_demand_usd_per_hour is None or offer.reserved_1y_usd_per_hour is not None
        assert (offer.reserved_3y_usd_per_hour or 0) < (offer.reserved_1y_usd_per_hour or 0)
        assert (offer.reserved_1y_usd_per_hour or 0) < (offer.on_demand_usd_per_hour or 1e9)


def test_a_tpu_offer_is_one_host() -> None:
    """A slice is sold by the host: 4 chips for v4 and v5p, 8 for v5e and v6e."""
    hosts = {offer.accelerator: offer.accelerators for offer in load_offers() if offer.accelerator.startswith("TPU")}
    assert hosts == {"TPUv4": 4, "TPUv5p": 4, "TPUv5e": 8, "TPUv6e": 8}


def test_every_offer_names_a_known_device() -> None:
    """Offers use the names of the accelerator catalog."""
    names = {accelerator.name for accelerator in load_accelerators()}
    assert {offer.accelerator for offer in load_offers()} <= names


def test_spot_history_is_of_machines_in_regions() -> None:
    """Licence surcharges that the price list keeps beside regions, and host prices alone, are not in it."""
    histories = load_spot_history()
    assert {"rhel", "sles", "windows"}.isdisjoint(history.region for history in histories)
    for history in histories:
        assert history.spot_p10_usd_per_hour <= history.spot_p50_usd_per_hour <= history.spot_p90_usd_per_hour
        assert history.spot_latest_usd_per_hour < history.on_demand_latest_usd_per_hour
        assert history.first_date < history.date


def test_an_offer_without_on_demand_is_compared_by_its_lowest_price() -> None:
    """p5e is sold as spot and in blocks only; an offer without any price has none to compare."""
    offer = next(offer for offer in load_offers() if offer.instance_type == "p5e.48xlarge")
    assert offer.on_demand_usd_per_hour is None
    blocks = offer.model_copy(update={"spot_usd_per_hour": 80.0, "block_usd_per_hour": 40.0})
    assert usd_per_accelerator_hour(blocks) == 5.0
    assert usd_per_accelerator_hour(blocks.model_copy(update={"on_demand_usd_per_hour": 88.0})) == 11.0
    bare = offer.model_copy(update={"spot_usd_per_hour": None, "block_usd_per_hour": None})
    assert usd_per_accelerator_hour(bare) is None


def test_the_documentation_counts_the_catalog() -> None:
    """docs/catalogs.md states how many offers, devices and histories there are, and accounts for every raw row."""
    text = (Path(__file__).parents[2] / "docs" / "catalogs.md").read_text("utf-8")
    assert f"{len(load_accelerators())} devices" in text
    counts = f"{len(load_offers())} offers of thirteen clouds, {len(usable(load_offers()))} usable and"
    assert counts in text
    assert f"{len(load_spot_history())} records" in text
    fates = text.partition("| rows |")[2].partition("Suspect are")[0]
    assert sum(int(rows) for rows in re.findall(r"^\| (\d+) \|", fates, re.MULTILINE)) == 1872
