"""Every check catches a record in its trap, lets the right one pass, and finds the shipped catalogs clean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from pydantic import ValidationError

from planner.catalog import check, check_offers
from planner.catalog.accelerators import find_accelerator
from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Accelerator, Offer
from planner.catalog.reliability import load_reliability
from planner.errors import Issue


def device(name: str, **changes: object) -> Accelerator:
    """A shipped record with some figures replaced by wrong ones."""
    return find_accelerator(name, usual=True).model_copy(update=changes)


def offer(**changes: object) -> Offer:
    """A sound offer, with some fields replaced by wrong ones."""
    sound = next(one for one in usable(load_offers()) if one.instance_type == "a3-highgpu-8g")
    return Offer.model_validate(sound.model_dump() | changes)


def peaks(name: str, **changed: float) -> dict[str, object]:
    """A shipped record's peaks with some replaced."""
    return {**{str(precision): peak for precision, peak in find_accelerator(name).peak_tflops.items()}, **changed}


TRAPPED_DEVICES = {
    "A100-80GB at the 40 GB card's 1.55 TB/s": (
        check.figures_of_another_card,
        device("A100-80GB-SXM4", memory_bandwidth_gb_s=1555),
    ),
    "H100 at an A100's 2.03 TB/s": (
        check.figures_of_another_card,
        device("H100-80GB-SXM5", memory_bandwidth_gb_s=2030),
    ),
    "H100 at the A100's sparse 624": (
        check.sparse_or_doubled_peaks,
        device("H100-80GB-SXM5", peak_tflops=peaks("H100-80GB-SXM5", bf16=624)),
    ),
    "H100 at its sparse 1979": (
        check.sparse_or_doubled_peaks,
        device("H100-80GB-SXM5", peak_tflops=peaks("H100-80GB-SXM5", bf16=1979)),
    ),
    "L4 at its sparse 242": (check.sparse_or_doubled_peaks, device("L4", peak_tflops=peaks("L4", bf16=242))),
    "GB200 at its sparse 5000": (
        check.sparse_or_doubled_peaks,
        device("GB200", peak_tflops=peaks("GB200", bf16=5000)),
    ),
    "GB200 as the superchip's 10000": (
        check.sparse_or_doubled_peaks,
        device("GB200", peak_tflops=peaks("GB200", bf16=10000)),
    ),
    "NVLink 3 both ways": (check.both_directions, device("A100-80GB-SXM4", scale_up_gb_s=600)),
    "NVLink 4 both ways": (check.both_directions, device("H100-80GB-SXM5", scale_up_gb_s=900)),
    "NVLink 5 both ways": (check.both_directions, device("B200", scale_up_gb_s=1800)),
    "A800 as if its NVLink were not cut": (check.both_directions, device("A800", scale_up_gb_s=300)),
    "H800 both ways": (check.both_directions, device("H800", scale_up_gb_s=400)),
    "A100 with FP8": (
        check.precisions_without_units,
        device("A100-80GB-SXM4", peak_tflops=peaks("A100-80GB-SXM4", fp8=624)),
    ),
    "V100 with BF16": (
        check.precisions_without_units,
        device("V100-32GB-SXM2", peak_tflops=peaks("V100-32GB-SXM2", bf16=125)),
    ),
    "T4 with BF16": (check.precisions_without_units, device("T4", peak_tflops=peaks("T4", bf16=65))),
    "MI300X without what a pair gets": (check.sums_of_links, device("MI300X", pair_gb_s=None)),
    "MI300X with the sum for a pair": (check.sums_of_links, device("MI300X", pair_gb_s=448)),
    "MI250X without a word on its two dies": (check.several_devices_per_package, device("MI250X", note="")),
    "TPU v7 without a word on its two cores": (check.several_devices_per_package, device("TPUv7x", note="")),
    "MI300X at 80 % of peak": (check.unmeasured_matmul_shares, device("MI300X", matmul_share={"bf16": 0.8})),
    "Gaudi2 at 80 % of peak": (check.unmeasured_matmul_shares, device("Gaudi2", matmul_share={"bf16": 0.8})),
    "B200 with its nominal memory": (check.nominal_memory_as_usable, device("B200", memory_usable_gib=192)),
    "a device with more memory than it has": (
        check.nominal_memory_as_usable,
        device("H20", memory_usable_gib=100),
    ),
}

TRAPPED_OFFERS = {
    "v5p-64 as 64 chips": (
        check_offers.tpu_names_count_cores,
        offer(instance_type="tpu-v5p-64", accelerator="TPUv5p", accelerators=64),
    ),
    "v4-8 as 8 chips": (
        check_offers.tpu_names_count_cores,
        offer(instance_type="tpu-v4-8", accelerator="TPUv4", accelerators=8),
    ),
    "v6e-8 as 4 chips": (
        check_offers.tpu_names_count_cores,
        offer(instance_type="tpu-v6e-8", accelerator="TPUv6e", accelerators=4),
    ),
    "Azure NC as SXM": (
        check_offers.form_factors,
        offer(cloud="azure", instance_type="Standard_NC40ads_H100_v5", accelerator="H100-80GB-SXM5"),
    ),
    "Azure NC A100 as SXM": (
        check_offers.form_factors,
        offer(cloud="azure", instance_type="Standard_NC96ads_A100_v4", accelerator="A100-80GB-SXM4"),
    ),
    "a plain A100 as 80 GB": (
        check_offers.form_factors,
        offer(instance_type="a2-highgpu-8g", accelerator="A100-80GB-SXM4"),
    ),
    "one GPU with somebody's fabric": (
        check_offers.single_devices_with_a_fabric,
        offer(instance_type="a3-highgpu-1g", accelerators=1, network_gbit_s=100),
    ),
    "a fabric that nobody published": (
        check_offers.unpublished_networks,
        offer(cloud="nebius", instance_type="gpu-h100-sxm_8gpu-128vcpu-1600gb", network_assumed=False),
    ),
    "a published fabric that was altered": (check_offers.unpublished_networks, offer(network_gbit_s=400)),
    "spot above on demand": (check_offers.spot_above_on_demand, offer(spot_usd_per_hour=1000.0)),
    "spot equal to on demand": (
        check_offers.spot_equal_to_on_demand,
        offer(on_demand_usd_per_hour=88.49, spot_usd_per_hour=88.49),
    ),
    "spot for nothing": (check_offers.spot_for_nothing, offer(spot_usd_per_hour=0.01)),
    "a local zone as its region": (
        check_offers.local_zones,
        offer(cloud="aws", region="us-east-1", zone="use1-atl2-az1", instance_type="p5.48xlarge"),
    ),
    "priced where no zone offers it": (check_offers.priced_where_no_zone_offers_it, offer(zone="")),
    "a device without a record": (check_offers.offers_of_unknown_devices, offer(accelerator="H101")),
}


@pytest.mark.parametrize("trap", TRAPPED_DEVICES)
def test_a_device_in_a_trap_is_caught(trap: str) -> None:
    """The check finds the wrong record, and nothing wrong with the shipped one."""
    function, wrong = TRAPPED_DEVICES[trap]
    assert names_of(function([wrong])) == [wrong.name]
    assert function([find_accelerator(wrong.name)]) == []


@pytest.mark.parametrize("trap", TRAPPED_OFFERS)
def test_an_offer_in_a_trap_is_caught(trap: str) -> None:
    """The check finds the wrong offer among the shipped ones."""
    function, wrong = TRAPPED_OFFERS[trap]
    assert len(function([wrong])) == 1
    assert wrong.instance_type in str(function([wrong])[0])
    assert function(usable(load_offers())) == []


def names_of(issues: Sequence[Issue]) -> list[str]:
    """The devices that issues are about."""
    return [issue.message.partition(":")[0] for issue in issues]


def in_regions(*prices: float, **changes: object) -> list[Offer]:
    """The same offer in several regions, at these on-demand prices."""
    return [
        offer(region=f"region-{place}", on_demand_usd_per_hour=price, spot_usd_per_hour=None, **changes)
        for place, price in enumerate(prices)
    ]


def test_a_defined_duration_price_in_disguise_is_caught() -> None:
    """GCP's H100 at 33.61 where the other regions ask 88.49; 0.76 of the median is an ordinary difference."""
    check_one: Callable[[Sequence[Offer]], list[Issue]] = check_offers.defined_duration_in_disguise
    assert len(check_one(in_regions(88.49, 33.61, 88.56, 99.58))) == 1
    assert check_one(in_regions(88.49, 67.0, 88.56, 99.58)) == []


def test_half_of_a_price_is_caught_even_in_every_region_of_a_type() -> None:
    """A type whose rows all lack the accelerator (13.23 for the host alone) stands out among the cloud's others."""
    whole = in_regions(88.49, 88.56, 99.58)
    half = in_regions(13.23, 11.61, instance_type="a3-megagpu-8g")
    assert len(check_offers.half_of_a_price([*whole, *half])) == 2
    assert check_offers.half_of_a_price(whole) == []


def test_a_price_that_stands_alone_is_caught() -> None:
    """One region of several at half of what every other place asks; not where another provider asks as little."""
    regions = [offer(region=region, spot_usd_per_hour=40.0) for region in ("one", "two", "three")]
    alone = offer(region="alone", spot_usd_per_hour=20.0)
    (issue,) = check_offers.prices_that_stand_alone([*regions, alone])
    assert "alone" in issue.message
    assert "spot 2.50" in issue.message
    rival = offer(cloud="elsewhere", region="alone", spot_usd_per_hour=22.0)
    assert check_offers.prices_that_stand_alone([*regions, alone, rival]) == []
    assert check_offers.prices_that_stand_alone([regions[0], alone]) == []


def test_known_outliers_are_marked() -> None:
    """The two spot prices of the catalog that stand alone are suspect, so that no plan uses them."""
    caught = check_offers.prices_that_stand_alone(
        [one for one in load_offers() if "outlier" in one.suspect or not one.suspect]
    )
    assert len(caught) == 2
    assert check_offers.prices_that_stand_alone(usable(load_offers())) == []


def test_a_list_repeated_in_every_region_is_caught() -> None:
    """Two types, each in all six regions at one price, tell nothing about capacity; one gap or one other price does."""
    both = [*in_regions(*[80.0] * 6), *in_regions(*[20.0] * 6, instance_type="a3-highgpu-2g")]
    assert len(check_offers.listed_everywhere(both)) == 1
    assert check_offers.listed_everywhere(both[:-1]) == []
    assert check_offers.listed_everywhere([*both[:-1], offer(region="region-5", on_demand_usd_per_hour=25.0)]) == []


def test_a_stale_price_is_caught() -> None:
    """Spot prices move by factors within two years; a year alone counts to its end."""
    fresh = offer(date="2026-07-30")
    assert len(check_offers.stale_prices([fresh, offer(date="2024-06")])) == 1
    assert check_offers.stale_prices([fresh, offer(date="2024")]) == []


def test_an_offer_that_stands_twice_is_caught() -> None:
    """The table holds an offer once."""
    assert len(check_offers.repeated_offers([offer(), offer()])) == 1
    assert check_offers.repeated_offers([offer(), offer(zone="elsewhere")]) == []


def test_a_spelling_of_two_devices_is_caught() -> None:
    """An alias that another record has, and an ambiguous one that only one device can mean."""
    h100, h200 = device("H100-80GB-SXM5"), device("H200", aliases=("H100-SXM",))
    assert set(names_of(check.ambiguous_spellings([h100, h200]))) == {h100.name, h200.name}
    assert names_of(check.ambiguous_spellings([device("L4", ambiguous_aliases=("L4-PCIe",))])) == ["L4"]


@pytest.mark.parametrize("price", ["on_demand_usd_per_hour", "spot_usd_per_hour"])
def test_a_price_of_zero_is_no_price(price: str) -> None:
    """0.00 is refused by the record itself: an absent price is left out."""
    with pytest.raises(ValidationError):
        Offer.model_validate(offer().model_dump() | {price: 0.0})


def test_every_check_has_a_trap_in_these_tests() -> None:
    """A check that cannot fail is a defect: each one named here or in a test of its own."""
    tested = {function for function, _ in TRAPPED_DEVICES.values()} | {check.ambiguous_spellings}
    assert set(check.ACCELERATOR_CHECKS) == tested
    alone = {
        check_offers.defined_duration_in_disguise,
        check_offers.half_of_a_price,
        check_offers.prices_that_stand_alone,
        check_offers.listed_everywhere,
        check_offers.stale_prices,
        check_offers.repeated_offers,
    }
    assert set(check_offers.OFFER_CHECKS) == {function for function, _ in TRAPPED_OFFERS.values()} | alone


def test_the_reliability_catalog_needs_one_usual_rate_and_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two usual rates, or a proxy device without a trace, are caught."""
    known = load_reliability()
    untraced = known.untraced.model_copy(update={"stand_in": "nowhere"})
    rates = tuple(rate.model_copy(update={"usual": True}) for rate in known.failure_rate)
    wrong = known.model_copy(update={"untraced": untraced, "failure_rate": rates})
    monkeypatch.setattr(check, "load_reliability", lambda: wrong)
    assert len(check.check_reliability()) == 2


def test_the_shipped_catalogs_are_clean() -> None:
    """Nothing that is used falls into any trap."""
    assert check.check_catalogs() == []
