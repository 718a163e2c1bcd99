"""Price lists of others: clean rows are used, every known fault is caught, hostile files are refused or harmless."""

from __future__ import annotations

import csv
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner
from price_lists import clean, everything, row, split_rows, write

from planner.catalog.offers import load_offers, usable
from planner.catalog.records import Offer
from planner.cli import main
from planner.clock import today
from planner.errors import InputError
from planner.prices.book import book_text, changes, key_of, offers_with, read_book
from planner.prices.clouds import Cloud, cloud_quotes
from planner.prices.judge import judged
from planner.prices.merge import machine_of
from planner.prices.sheet import sheet_quotes
from planner.prices.skypilot import skypilot_quotes


def read(folder: Path) -> tuple[Offer, ...]:
    """A folder of lists as rows of a book."""
    return judged(skypilot_quotes(folder))


def test_clean_rows_are_used(tmp_path: Path) -> None:
    """At most one in fifty rows of the catalog's own, written as SkyPilot's, is not believed, and none is lost."""
    offers = read(everything(tmp_path))
    assert len(offers) > 500
    assert sum(1 for one in offers if one.suspect) <= 0.02 * len(offers)


def test_host_and_devices_are_added_up(tmp_path: Path) -> None:
    """Google's two rows of a machine become one with the sum of both, as the catalog has it."""
    known = {key_of(one): one for one in clean("gcp")}
    for one in read(everything(tmp_path)):
        if one.cloud == "gcp":
            assert one.on_demand_usd_per_hour == pytest.approx(
                known[key_of(one)].on_demand_usd_per_hour, abs=Decimal("1e-5")
            )


AWS = [one for one in clean("aws") if one.instance_type == "p5.48xlarge"]
GCP = [one for one in clean("gcp") if one.instance_type == "a3-highgpu-8g"]


def reasons(folder: Path) -> set[str]:
    """Why rows are not believed."""
    return {one.suspect for one in read(folder) if one.suspect}


def test_faults_of_rows_are_caught(tmp_path: Path) -> None:
    """Nothing for a machine, bid floors, prices of one device for eight, local zones, duplicates, unknown devices."""
    first = AWS[0]
    faulty = {
        "it costs nothing": row(first, Price="0", SpotPrice=""),
        "times the catalog's": row(first, Price="0.08", SpotPrice=""),
        "a local zone": row(first, Region="us-west-2-lax-1", AvailabilityZone="us-west-2-lax-1a"),
        "is not known": row(first, InstanceType="x9.huge", AcceleratorName="H9000"),
    }
    for said, line in faulty.items():
        found = reasons(write(tmp_path / said.replace(" ", "_").replace("'", ""), "aws", [line]))
        assert len(found) == 1, said
        assert said in found.pop()
    twice = write(tmp_path / "twice", "aws", [row(first), row(first, Price="97.5")])
    assert reasons(twice) == {"listed twice at two prices"}


def test_spot_at_the_price_on_demand_is_no_offer(tmp_path: Path) -> None:
    """A spot price that is not below the one on demand is left out; the rest of the row is used."""
    (offer,) = read(write(tmp_path, "aws", [row(AWS[0], SpotPrice=str(AWS[0].on_demand_usd_per_hour))]))
    assert (offer.suspect, offer.spot_usd_per_hour) == ("", None)


def test_prices_that_do_not_scale_are_caught(tmp_path: Path) -> None:
    """One price for one and for eight devices is believed for neither."""
    lines = [row(AWS[0], InstanceType=f"new-{n}", AcceleratorCount=str(n), Price="30", SpotPrice="") for n in (4, 8)]
    found = read(write(tmp_path, "unheard", lines))
    assert {one.suspect for one in found} == {"the same price for another number of devices"}


def test_one_flat_price_a_device_is_caught(tmp_path: Path) -> None:
    """One price of the devices in all regions, another product's, while the hosts' prices differ."""
    lines = [line for offer in GCP for line in split_rows(offer, device_usd=Decimal("33.606"))]
    found = read(write(tmp_path, "gcp", lines))
    assert len(found) == len(GCP)
    assert all(one.suspect for one in found)


def test_devices_without_a_host_are_caught(tmp_path: Path) -> None:
    """Half of a price is no price."""
    lines = [split_rows(offer)[1] for offer in GCP]
    assert reasons(write(tmp_path, "gcp", lines)) == {"priced without its host"}


def test_slices_count_their_chips(tmp_path: Path) -> None:
    """`tpu-v5p-8` is four chips, and $700 at every size is believed at none."""
    lines = [
        row(GCP[0], InstanceType="", AcceleratorName=f"tpu-v6e-{n}", AcceleratorCount="1", Price="700", SpotPrice="")
        for n in (8, 16)
    ]
    found = read(write(tmp_path, "gcp", lines))
    assert [one.accelerators for one in found] == [8, 16]
    assert all(one.suspect for one in found)


def test_a_list_of_everything_everywhere_is_caught(tmp_path: Path) -> None:
    """A cloud that lists each type in every region at one price says nothing of where it is sold."""
    lines = [
        row(AWS[0], InstanceType="h100x8", Price="24", SpotPrice="", Region=f"region-{n}", AvailabilityZone="")
        for n in range(17)
    ]
    found = read(write(tmp_path, "lamdba", lines))
    assert any("every type in every region" in one.suspect for one in found)


def test_floors_to_bid_from_are_no_prices(tmp_path: Path) -> None:
    """A cloud that sells by auction lists its floor: known by name, or by one price for every device, spot or not."""
    lines = [
        row(
            AWS[0],
            InstanceType=f"{device}.8x",
            AcceleratorName=device,
            Price="8.0",
            SpotPrice="8.0",
            AvailabilityZone="",
        )
        for device in ("H100", "H200")
    ]
    for cloud in ("mithril", "unheard"):
        found = read(write(tmp_path / cloud, cloud, lines))
        assert {one.suspect for one in found} == {"a floor to bid from, not a price"}


def test_one_price_in_all_regions_is_believed_where_the_catalog_has_it(tmp_path: Path) -> None:
    """A list cut to one type that costs the same in five regions is used as far as the catalog confirms it."""
    regions: dict[str, list[Offer]] = {}
    for one in AWS:
        regions.setdefault(str(one.on_demand_usd_per_hour), []).append(one)
    same = max(regions.values(), key=lambda some: len({one.region for one in some}))
    found = read(write(tmp_path, "aws", [row(one) for one in same]))
    assert not [one for one in found if one.suspect]


def test_a_newer_version_of_a_list_wins(tmp_path: Path) -> None:
    """Of two schema versions the newer one's rows are read, once."""
    write(tmp_path, "aws", [row(AWS[0])])
    newer = tmp_path / "v9" / "aws" / "vms.csv"
    newer.parent.mkdir(parents=True)
    text = (tmp_path / "v8" / "aws" / "vms.csv").read_text("utf-8")
    newer.write_text(text + text.splitlines()[1].replace(AWS[0].region, "eu-new-1") + "\n", encoding="utf-8")
    assert len(skypilot_quotes(tmp_path)) == 2


SHEET = """Provider,GPU,GPUs per node,Rate,Spot,Network,As of
Acme,H100-80GB-SXM5,8,$1.90,1.10,400 Gb/s,2026-11-01
Acme,B200-SXM,8,$3.75/GPU-h,,400,2026-11-01
"""


def test_a_contract_is_read_by_its_headings(tmp_path: Path) -> None:
    """Prices are per device unless the heading or the cell says per node; networks may be plain numbers."""
    path = tmp_path / "contract.csv"
    path.write_text(SHEET, encoding="utf-8")
    taken, quotes = sheet_quotes(path, {})
    assert (taken["accelerator"], taken["on_demand"], taken["date"]) == ("GPU", "Rate", "As of")
    first, second = judged(quotes)
    assert (first.suspect, first.on_demand_usd_per_hour, first.spot_usd_per_hour) == (
        "",
        Decimal("15.20"),
        Decimal("8.80"),
    )
    assert (second.on_demand_usd_per_hour, second.network_gbit_s) == (Decimal("30.00"), 400.0)
    headless = tmp_path / "headless.csv"
    headless.write_text("a,b\nH100-80GB-SXM5,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column for the device"):
        sheet_quotes(headless, {})
    assert sheet_quotes(headless, {"accelerator": "a", "on_demand": "b"})[1][0].on_demand == Decimal(16)


DISCOUNTS = """Vendor,Instance,Region,Discount
aws,p5.48xlarge,us-east-1,22%
aws,,eu-north-1,0.1
nowhere,,,5%
aws,p5.48xlarge,,a lot
"""


def test_a_contract_may_state_what_comes_off(tmp_path: Path) -> None:
    """A share off the list price is taken off every offer that the row is about; spot prices are the market's."""
    path = tmp_path / "contract.csv"
    path.write_text(DISCOUNTS, encoding="utf-8")
    offers = judged(sheet_quotes(path, {})[1])
    listed = {(one.region, one.zone, one.instance_type): one for one in usable(load_offers()) if one.cloud == "aws"}
    good = [one for one in offers if not one.suspect]
    assert sum(one.on_demand_usd_per_hour is not None for one in good) > 5
    assert {one.region for one in good} == {"us-east-1", "eu-north-1"}
    for offer in good:
        list_price = listed[offer.region, offer.zone, offer.instance_type]
        left = Decimal("0.78") if offer.region == "us-east-1" else Decimal("0.9")
        listed_price = list_price.on_demand_usd_per_hour
        assert offer.on_demand_usd_per_hour == (None if listed_price is None else round(listed_price * left, 6))
        assert offer.spot_usd_per_hour == list_price.spot_usd_per_hour
        assert "off " in offer.source
        assert offer.date == list_price.date
    faults = [one.suspect for one in offers if one.suspect]
    assert any("no offer that the discount is about" in fault for fault in faults)
    assert any("discount 'a lot'" in fault for fault in faults)


def test_a_workbook_is_read_like_a_sheet(tmp_path: Path) -> None:
    """The same rows in a workbook give the same quotes."""
    book, path = openpyxl.Workbook(), tmp_path / "contract.xlsx"
    for line in SHEET.splitlines():
        assert book.active is not None
        book.active.append(line.split(","))
    book.save(path)
    plain = tmp_path / "contract.csv"
    plain.write_text(SHEET, encoding="utf-8")
    both = [[one.on_demand_usd_per_hour for one in judged(sheet_quotes(p, {})[1])] for p in (path, plain)]
    assert both[0] == both[1]


@pytest.mark.slow
def test_no_cell_of_a_book_is_a_formula(tmp_path: Path) -> None:
    """What a spreadsheet would run is not believed, whichever list it comes from, and is written as a text."""
    line = row(AWS[0], InstanceType="=1+1", Region="@SUM(1)", AvailabilityZone="-x")
    (offer,) = read(write(tmp_path, "aws", [line]))
    assert "like a formula" in offer.suspect
    cells = [cell for text in csv.reader(book_text([offer]).splitlines()) for cell in text]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    path = tmp_path / "prices.csv"
    path.write_text(book_text([offer]), encoding="utf-8")
    assert read_book(path)[0].suspect == offer.suspect


def test_hostile_files_are_refused_or_harmless(tmp_path: Path) -> None:
    """Bombs, entities, formulas, damaged archives: one line with the file, or a row that is not used."""
    bomb, entities, broken = (tmp_path / f"{name}.xlsx" for name in ("bomb", "entities", "broken"))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (257 * 2**20))
    with zipfile.ZipFile(entities, "w") as archive:
        archive.writestr("xl/workbook.xml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    broken.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    for path, said in ((bomb, "256 MiB"), (entities, "entities"), (broken, "not a workbook")):
        with pytest.raises(InputError, match=said):
            sheet_quotes(path, {})
    formula = tmp_path / "formula.csv"
    formula.write_text("Provider,GPU,Rate\n=cmd|' /C calc'!A0,H100-80GB-SXM5,2\n", encoding="utf-8")
    (offer,) = judged(sheet_quotes(formula, {})[1])
    assert "like a formula" in offer.suspect
    for text in ("", "\0", "[" * 10_000, "a\n" * 10):
        other = tmp_path / "other.csv"
        other.write_text(text, encoding="utf-8")
        with pytest.raises(InputError):
            sheet_quotes(other, {})


AZURE = {
    "Items": [
        {
            "serviceName": "Virtual Machines",
            "productName": "Virtual Machines NDv5 Series",
            "armRegionName": "eastus",
            "armSkuName": "Standard_ND96isr_H100_v5",
            "skuName": f"ND96isr H100 v5{kind}",
            "type": "Reservation" if term else "Consumption",
            "reservationTerm": term,
            "retailPrice": price,
            "currencyCode": "USD",
            "effectiveStartDate": "2026-08-01T00:00:00Z",
        }
        for kind, term, price in (("", "", 98.32), (" Spot", "", 49.0), ("", "1 Year", 551_880.0))
    ]
}
AWS_PRICES = {
    "PriceList": [
        json.dumps(
            {
                "product": {
                    "attributes": {
                        "operatingSystem": "Linux",
                        "tenancy": "Shared",
                        "capacitystatus": "Used",
                        "preInstalledSw": "NA",
                        "regionCode": "us-east-1",
                        "instanceType": "p5.48xlarge",
                    }
                },
                "terms": {
                    "OnDemand": {
                        "a": {
                            "effectiveDate": "2026-07-01T00:00:00Z",
                            "priceDimensions": {"b": {"unit": "Hrs", "pricePerUnit": {"USD": "55.04"}}},
                        }
                    }
                },
            }
        )
    ]
}


@pytest.mark.parametrize(("cloud", "data", "usd"), [("azure", AZURE, "98.32"), ("aws", AWS_PRICES, "55.04")])
def test_the_clouds_own_files_are_read(tmp_path: Path, cloud: Cloud, data: dict[str, object], usd: str) -> None:
    """Device and count come from the instance type; reservations are by the hour."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    (offer,) = judged(cloud_quotes(cloud, path))
    assert (offer.suspect, offer.accelerator, offer.accelerators) == ("", "H100-80GB-SXM5", 8)
    assert offer.date >= "2026-11-29"
    path.write_text(json.dumps([data, data]), encoding="utf-8")
    assert len(judged(cloud_quotes(cloud, path))) == 1
    path.write_text(json.dumps({**data, "NextPageLink": "https://next", "NextToken": "x"}), encoding="utf-8")
    with pytest.raises(InputError, match="one page of several"):
        cloud_quotes(cloud, path)
    assert offer.on_demand_usd_per_hour == Decimal(usd)
    if cloud == "azure":
        assert offer.reserved_1y_usd_per_hour == Decimal(63)
    path.write_text('{"other": 1}', encoding="utf-8")
    with pytest.raises(InputError, match=f"not a price file of {cloud}"):
        cloud_quotes(cloud, path)


def gcp_sku(description: str, units: int, nanos: int, group: str, usage: str = "OnDemand") -> dict[str, object]:
    """One SKU as the Cloud Billing Catalog lists it."""
    rate = {"unitPrice": {"units": str(units), "nanos": nanos}}
    pricing = {"effectiveTime": "2026-11-01T00:00:00Z", "pricingExpression": {"tieredRates": [rate]}}
    return {
        "description": description,
        "category": {"resourceGroup": group, "usageType": usage},
        "serviceRegions": ["us-central1", "europe-north9"],
        "pricingInfo": [pricing],
    }


GCP_SKUS = [
    gcp_sku("Nvidia H100 80GB GPU running in Americas", 9, 796_550_569, "GPU"),
    gcp_sku("A3 Instance Core running in Americas", 0, 29_322_700, "CPU"),
    gcp_sku("A3 Instance Ram running in Americas", 0, 2_553_400, "RAM"),
    gcp_sku("Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in Americas", 3, 0, "GPU", "Preemptible"),
    gcp_sku("Spot Preemptible A3 Instance Core running in Americas", 0, 10_000_000, "CPU", "Preemptible"),
    gcp_sku("Spot Preemptible A3 Instance Ram running in Americas", 0, 1_000_000, "RAM", "Preemptible"),
    gcp_sku("A4 Nvidia B200 (1 gpu slice) running in Americas", 16, 110_000_000, "GPU"),
    gcp_sku("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Americas", 5, 0, "GPU"),
    gcp_sku("Nvidia H100 80GB GPU attached to DWS Defined Duration VMs running in Americas", 4, 200_760_000, "GPU"),
    gcp_sku("Commitment v1: Nvidia H100 80GB GPU running in Americas for 1 Year", 6, 0, "GPU", "Commit1Yr"),
    gcp_sku("Nvidia Tesla A100 GPU running in Americas", 2, 934_000_000, "GPU"),
]


def test_googles_parts_add_up_to_machines(tmp_path: Path) -> None:
    """Device, virtual CPUs and memory become the machine's price in the zones that have it; half of one is no price.

    A slice carries the whole machine; a spot price is told by its description; defined durations and commitments are
    no price on demand.
    """
    path = tmp_path / "skus.json"
    path.write_text(json.dumps({"skus": GCP_SKUS}), encoding="utf-8")
    offers = judged(cloud_quotes("gcp", path))
    used = {one.instance_type: one for one in offers if not one.suspect}
    whole = 8 * Decimal("9.796550569") + 208 * Decimal("0.0293227") + 1872 * Decimal("0.0025534")
    assert used["a3-highgpu-8g"].on_demand_usd_per_hour == whole
    assert used["a3-highgpu-8g"].spot_usd_per_hour == 24 + Decimal("2.08") + Decimal("1.872")
    assert used["a4-highgpu-8g"].on_demand_usd_per_hour == Decimal("128.88")
    assert used["a4-highgpu-8g"].spot_usd_per_hour == 40
    assert all(one.zone for one in used.values())
    assert {one.region for one in used.values()} == {"us-central1"}
    reasons = {one.suspect for one in offers if one.suspect}
    assert "A2 Instance Core has no price in us-central1" in reasons
    assert any("without its machine" in reason for reason in reasons)
    assert not [one for one in offers if one.on_demand_usd_per_hour == Decimal("4.20076")]


def test_a_book_reads_back_and_lies_over_the_catalog(tmp_path: Path) -> None:
    """What was written is read; its row replaces the catalog's of the same place and machine, and others stay."""
    dearer = AWS[0].model_copy(update={"on_demand_usd_per_hour": Decimal("77.125")})
    path = tmp_path / "prices.csv"
    path.write_text(book_text([dearer]), encoding="utf-8")
    assert read_book(path) == (dearer,)
    merged = offers_with([path])
    assert [one.on_demand_usd_per_hour for one in merged if key_of(one) == key_of(dearer)] == [Decimal("77.125")]
    (change,) = changes([AWS[0]], [dearer])
    assert (change.kind, change.new) == ("on_demand", Decimal("77.125"))
    path.write_text("cloud,accelerator,date\naws,H100,yesterday\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"prices\.csv:2"):
        read_book(path)


def test_a_row_that_is_not_believed_replaces_none(tmp_path: Path) -> None:
    """Where a list is doubted, the catalog's row of the same machine and place stays, or the next book's."""
    dearer = AWS[0].model_copy(update={"on_demand_usd_per_hour": Decimal("77.125")})
    doubted, good = tmp_path / "doubted.csv", tmp_path / "good.csv"
    doubted.write_text(book_text([dearer.model_copy(update={"suspect": "too dear"})]), encoding="utf-8")
    good.write_text(book_text([dearer]), encoding="utf-8")
    for books, expected in (([doubted], AWS[0]), ([doubted, good], dearer)):
        assert [one for one in offers_with(books) if key_of(one) == key_of(dearer)] == [expected]


def test_a_row_replaces_the_zones_that_it_is_for(tmp_path: Path) -> None:
    """A row of one zone takes that zone out of the catalog's; one of a region reprices its zones, but for spot."""
    listed = next(one for one in clean("gcp") if " " in one.zone)
    first, *others = listed.zone.split()
    priced = Decimal("77.125")
    zone = listed.model_copy(update={"zone": first, "on_demand_usd_per_hour": priced})
    region = listed.model_copy(update={"zone": "", "on_demand_usd_per_hour": priced, "spot_usd_per_hour": None})
    for book, expected in (
        (zone, {first: (priced, listed.spot_usd_per_hour), " ".join(others): prices(listed)}),
        (region, {listed.zone: (priced, listed.spot_usd_per_hour)}),
    ):
        path = tmp_path / "prices.csv"
        path.write_text(book_text([book]), encoding="utf-8")
        here = [one for one in offers_with([path]) if machine_of(one) == machine_of(listed)]
        assert {one.zone: prices(one) for one in here} == expected


def prices(offer: Offer) -> tuple[Decimal | None, Decimal | None]:
    """On demand and spot."""
    return offer.on_demand_usd_per_hour, offer.spot_usd_per_hour


PROBLEM = """\
schema: plan/1
model: llama3-8b
training: {phases: [{tokens: 10B, sequence_length: 8192, global_batch: 512}]}
market: {clouds: [contract], accelerators: [H100-80GB-SXM5], prices: [prices.csv], capacity: unlimited}
"""


def test_own_prices_decide_a_plan(tmp_path: Path) -> None:
    """From a contract to a plan that buys from it, by commands alone."""
    sheet, problem, book = (tmp_path / name for name in ("deal.csv", "problem.yaml", "prices.csv"))
    sheet.write_text("GPU,GPUs per node,Rate,Network\nH100-80GB-SXM5,8,1.90,400\n", encoding="utf-8")
    problem.write_text(PROBLEM, encoding="utf-8")
    done = CliRunner().invoke(main, ["prices", "import", "csv", str(sheet), "--out", str(book)])
    assert done.exit_code == 0, done.output
    assert "1 row used, 0 not believed" in done.stdout
    answer = CliRunner().invoke(main, ["solve", str(problem), "--json"])
    assert answer.exit_code == 0, answer.output
    bought = json.loads(answer.stdout)["plan"]["purchases"][0]
    assert Decimal(bought["usd_per_gpu_hour"]) == Decimal("1.90")
    assert "0 of 1 rows" in CliRunner().invoke(main, ["prices", "age", str(book)]).stdout
    assert CliRunner().invoke(main, ["prices", "diff", str(book), str(book)]).stdout == "no price differs\n"
    problem.write_text(PROBLEM.replace("prices.csv", "none.csv"), encoding="utf-8")
    assert CliRunner().invoke(main, ["solve", str(problem)]).exit_code == 2


@pytest.mark.slow
def test_old_prices_are_told(tmp_path: Path) -> None:
    """A plan that rests on a price of long ago says so on stderr; one on today's price says nothing."""
    problem, book = tmp_path / "problem.yaml", tmp_path / "prices.csv"
    problem.write_text(PROBLEM.replace("[contract]", "[aws]"), encoding="utf-8")
    for date, is_told in (("2020-01-01", True), (today().isoformat(), False)):
        book.write_text(book_text(one.model_copy(update={"date": date}) for one in AWS), encoding="utf-8")
        told = CliRunner().invoke(main, ["solve", str(problem)]).stderr
        assert ("days old" in told and "look it up again" in told) is is_told
        assert (f"of {date}" in told) is is_told
