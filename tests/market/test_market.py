"""What can be bought: filters and their errors, prices, capacities, dominance."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.catalog.offers import load_offers, load_spot_history, usable
from planner.catalog.reliability import load_reliability
from planner.errors import InputError
from planner.market.placements import placements
from planner.market.purchase_options import purchase_options_of, undominated, worth_their_term
from planner.market.slices import is_sold
from planner.market.spot import gang_availability, gang_law, spot_figures
from planner.problem.problem import Problem
from planner.problem.quantities import UNLIMITED


def problem_of(market: dict[str, Any] | None = None, **parts: Any) -> Problem:  # noqa: ANN401  (plain data)
    """A problem with a market."""
    training = {"phases": [{"tokens": "1B", "sequence_length": 2048, "global_batch": 64}]}
    return Problem.model_validate(
        {"schema": "plan/1", "model": "llama3.2-1b", "training": training, "market": market or {}, **parts}
    )


OWN = {"name": "own", "accelerator": "H100-80GB-SXM5", "nodes": 4, "on_demand": "$2/GPU-h"}


def refused(problem: Problem) -> str:
    """What is told when nothing is left."""
    with pytest.raises(InputError) as raised:
        placements(problem)
    return str(raised.value)


def test_everything_is_considered_by_default() -> None:
    """Without filters all trusted offers are there, ordered by name."""
    found = placements(problem_of())
    assert len(found) > 600
    assert [one.machine.key for one in found] == sorted(one.machine.key for one in found)


def test_filters_are_named_when_nothing_is_left() -> None:
    """The filter that removed the last offer is said, at its place."""
    fp8 = problem_of({"accelerators": ["A100-80GB-SXM4"]}, training={
        "precision": "fp8", "phases": [{"tokens": "1B", "sequence_length": 2048, "global_batch": 64}]
    })  # fmt: skip
    assert "training.precision leaves none" in refused(fp8)
    assert "market.accelerators leaves none" in refused(problem_of({"accelerators": ["H800-80GB"]}))
    assert "market.purchase leaves none" in refused(problem_of({"clouds": [], "offers": [OWN], "purchase": ["spot"]}))
    assert "unknown cloud 'aws2'" in refused(problem_of({"clouds": ["aws2"]}))
    assert "unknown accelerator" in refused(problem_of({"accelerators": ["Z9000"]}))


def test_own_offers_have_defaults() -> None:
    """Nodes, network and spot figures of an own offer default to what is usual."""
    only = {"clouds": [], "purchase": ["on_demand", "spot"], "offers": [OWN | {"spot": "$1/GPU-h"}]}
    (own,) = placements(problem_of(only))
    assert (own.machine.per_node, own.machine.network_gbit_s, own.nodes, own.spot_nodes) == (8, 400, 4, 4)
    assert (own.on_demand, own.spot) == (Decimal(16), Decimal(8))
    assert own.spot_figures
    assert own.spot_figures.availability == 1
    assert own.spot_figures.preemptions_per_node_day > 0
    assert own.title == "own"


def test_unconnected_nodes_come_alone() -> None:
    """An instance type without a network carries jobs of one node."""
    assert {one.nodes for one in placements(problem_of()) if one.machine.network_gbit_s == 0} == {1}


def test_spot_prices_move_with_factor_and_percentile() -> None:
    """`spot_price` multiplies, `risk.spot_price` reads the history where there is one."""
    sold = {(one.cloud, one.region, one.instance_type) for one in usable(load_offers()) if one.spot_usd_per_hour}
    history = next(one for one in load_spot_history() if (one.cloud, one.region, one.instance_type) in sold)
    market = {"clouds": [history.cloud], "purchase": ["spot"]}

    def spot(**parts: Any) -> Decimal:  # noqa: ANN401  (plain data)
        changes = parts.pop("market", {})
        found = placements(problem_of(market | changes, **parts))
        at = [one for one in found if (one.region, one.instance_type) == (history.region, history.instance_type)]
        assert at[0].spot
        return at[0].spot

    assert spot(market={"spot_price": "×2"}) == pytest.approx(2 * spot())
    assert float(spot(risk={"spot_price": "p90"})) == pytest.approx(float(history.spot_p90_usd_per_hour))
    assert float(spot(risk={"spot_price": "p50"})) == pytest.approx(float(history.spot_p50_usd_per_hour))


def test_policies_need_their_prices() -> None:
    """Falling back needs on-demand nodes; nodes that are always there need no policy."""
    spot = OWN | {"spot": "$1/GPU-h", "availability": "80%"}
    both = purchase_options_of(
        placements(problem_of({"clouds": [], "purchase": ["on_demand", "spot"], "offers": [spot]}))
    )
    alone = purchase_options_of(placements(problem_of({"clouds": [], "purchase": ["spot"], "offers": [spot]})))
    assert {one.spot_policy.policy for one in both} == {"steady", "wait", "elastic", "fallback"}
    assert {one.spot_policy.policy for one in alone} == {"wait", "elastic"}
    always = problem_of({"clouds": [], "purchase": ["spot"], "offers": [spot | {"availability": "100%"}]})
    assert {one.spot_policy.policy for one in purchase_options_of(placements(always))} == {"wait"}


def test_dominance_keeps_every_price_that_can_be_best() -> None:
    """Of each machine the cheapest survives, and a dearer one only with more nodes or a faster network."""
    offers = [
        OWN | {"name": "cheap", "nodes": 2, "on_demand": "$1/GPU-h"},
        OWN | {"name": "large", "nodes": 8, "on_demand": "$2/GPU-h"},
        OWN | {"name": "beaten", "nodes": 4, "on_demand": "$2.5/GPU-h"},
        OWN | {"name": "twin", "nodes": 8, "on_demand": "$2/GPU-h"},
        OWN | {"name": "fast", "nodes": 2, "on_demand": "$3/GPU-h", "network": "800 Gb/s"},
    ]
    kept = undominated(purchase_options_of(placements(problem_of({"clouds": [], "offers": offers}))))
    assert sorted(one.placement.title for one in kept) == ["cheap", "fast", "large"]


def test_reservations_go_only_where_on_demand_nodes_cost_no_more() -> None:
    """A term goes where as many on-demand nodes until the deadline cost less, and stays for a job a little longer."""
    found = purchase_options_of(placements(problem_of({"purchase": ["on_demand", "reserved"]})))
    one = next(one for one in found if one.reservation and one.reservation.term == "1 year" and one.on_demand_price)
    assert one.reservation
    ratio = float(one.reservation.usd_per_node_hour / (one.on_demand_price or 1))
    even = ratio * one.committed_seconds
    plain = replace(one, reservation=None)
    assert worth_their_term([one, plain], 0.99 * even) == (plain,)
    assert worth_their_term([one, plain], 1.01 * even) == (one, plain)
    assert worth_their_term([one, plain], float("inf")) == (one, plain)


def test_reservations_have_their_terms() -> None:
    """The catalogs' yearly prices bind for years, blocks and own reservations for the job."""
    found = purchase_options_of(placements(problem_of({"purchase": ["reserved"]})))
    terms = {one.reservation.term: one.committed_seconds for one in found if one.reservation}
    assert terms["1 year"] == 365 * 86400
    assert terms["block"] == 0


def test_prices_too_far_apart_are_refused() -> None:
    """Prices of one accelerator that differ a billionfold are a slip; what costs nothing may cost nothing."""
    dear = {**OWN, "name": "dear", "on_demand": "$3/GPU-h"}
    slip = refused(problem_of({"clouds": [], "offers": [{**OWN, "on_demand": "$0.000000001/GPU-h"}, dear]}))
    assert "too far apart" in slip
    assert len(placements(problem_of({"clouds": [], "offers": [{**OWN, "on_demand": "$0/GPU-h"}, dear]}))) == 2


def test_gangs_are_there_as_often_as_was_recorded() -> None:
    """Each recorded zone lies within the range of its size, and the law in the middle of it."""
    for record in load_reliability().gang:
        for one, every in zip(record.one_there, record.all_there, strict=True):
            figures = replace(spot_figures("V100-16GB-SXM2", "aws"), availability=one)
            found = gang_availability(figures, record.nodes)
            assert found.low - 1e-4 <= every <= found.high + 1e-4
            assert found.low < found.share < found.high
            assert not found.extrapolated


def test_a_gang_of_thousands_is_not_there_like_one_node() -> None:
    """Availability falls with the size, its range widens, and beyond the records it counts as extrapolated."""
    figures = spot_figures("H100-80GB-SXM5", "aws")
    one, some, many = (gang_availability(figures, nodes) for nodes in (1, 256, 4096))
    assert one.share == pytest.approx(figures.availability)
    assert one.share > some.share > many.share
    assert many.high - many.low > some.high - some.low > 0.2
    assert many.low < 0.1 * one.share
    assert many.extrapolated


def test_the_law_of_gangs_is_that_of_the_records() -> None:
    """Nodes of a zone go nearly together, and rates grow with the gang far less than its size."""
    law = gang_law()
    assert law.nodes == 16
    assert law.worst < law.correlation < law.best < 1
    assert 0.8 < law.together < 1


def test_catalog_offers_have_the_nodes_that_are_sold_without_a_contract() -> None:
    """No offer has more than the catalog's capacity unless a problem states a grant; own offers may have any number."""
    connected = [one for one in placements(problem_of()) if one.machine.network_gbit_s > 0]
    assert {(one.nodes, one.spot_nodes, one.basis) for one in connected} == {(64, 16, "assumed")}
    (own,) = placements(problem_of({"clouds": [], "offers": [OWN | {"nodes": None}]}))
    assert (own.nodes, own.basis) == (UNLIMITED, "unlimited")


def test_the_most_exact_grant_counts() -> None:
    """Of a cloud with an accelerator, a cloud, any cloud with it, and any cloud."""
    granted = {"any": 100, "any/H200-141GB-SXM": 150, "aws": 200, "aws/H100-80GB-SXM5": 300, "gcp": "unlimited"}
    found = {
        (one.cloud, one.machine.accelerator.name): one.nodes
        for one in placements(problem_of({"capacity": granted}))
        if one.machine.network_gbit_s > 0
    }
    assert found["aws", "H100-80GB-SXM5"] == 300
    assert found["aws", "B200-SXM"] == 200
    assert found["azure", "H200-141GB-SXM"] == 150
    assert found["azure", "H100-80GB-SXM5"] == 100
    assert found["gcp", "H100-80GB-SXM5"] == UNLIMITED


def test_grants_name_what_is_known() -> None:
    """A cloud or an accelerator that the catalogs do not have is refused with the nearest that they do."""
    assert "unknown cloud 'amazon'" in refused(problem_of({"capacity": {"amazon": 3}}))
    assert "unknown accelerator" in refused(problem_of({"capacity": {"aws/Z9000": 3}}))
    assert "did you mean gcp" in refused(problem_of({"capacity": {"qcp/H100-80GB-SXM5": 3}}))


def test_tpus_are_sold_in_slices() -> None:
    """9 or 144 hosts of 8 chips are no slice; two of the largest are one purchase; GPUs come in any number of nodes."""
    hosts = np.asarray([1, 2, 3, 4, 8, 9, 16, 32, 33, 64, 96, 144])
    sold = is_sold("TPUv6e", 8, 8 * hosts)
    assert list(hosts[sold]) == [1, 2, 4, 8, 16, 32, 64, 96]
    assert is_sold("H100-80GB-SXM5", 8, 8 * hosts).all()
    assert not is_sold("H100-80GB-SXM5", 8, np.asarray([12])).any()


def test_slices_have_no_spare_hosts() -> None:
    """With spare nodes asked for, TPUs are left out, and the key is named when nothing else is there."""
    tpus = {"accelerators": ["TPUv5e"]}
    assert placements(problem_of(tpus))
    assert "risk.spare_nodes leaves none" in refused(problem_of(tpus, risk={"spare_nodes": "2%"}))


def test_other_peoples_hosts_are_left_out_unless_asked_for() -> None:
    """A peer-to-peer marketplace is considered where a problem says so or names it, and its hosts carry one node."""
    assert "vast" not in {one.cloud for one in placements(problem_of())}
    for market in ({"peer_to_peer": True}, {"clouds": ["vast"]}):
        assert {one.nodes for one in placements(problem_of(market)) if one.cloud == "vast"} == {1}
    assert "market.peer_to_peer: true" in refused(problem_of({"accelerators": ["RTX4090"]}))


def test_regions_and_exclusions_filter_places() -> None:
    """Regions keep what they name, and what is excluded by any of its names is gone; unknown names are refused."""
    assert {one.region for one in placements(problem_of({"regions": ["us-east-1"]}))} == {"us-east-1"}
    excluded = ["aws", "us-central1", "H100-SXM", "a3-highgpu-8g"]
    for one in placements(problem_of({"exclude": excluded})):
        assert not one.names & {"aws", "us-central1", "H100-80GB-SXM5", "a3-highgpu-8g"}
    assert "unknown region 'us-est-1'" in refused(problem_of({"regions": ["us-est-1"]}))
    assert "is no cloud, region" in refused(problem_of({"exclude": ["nowhere at all"]}))
    assert "market.exclude leaves none" in refused(problem_of({"clouds": [], "offers": [OWN], "exclude": ["own"]}))


def test_discounts_lower_the_catalogs_prices_exactly() -> None:
    """A share off a cloud's prices changes that cloud only, in every way to buy, to the last digit."""
    ways = ["on_demand", "spot", "reserved"]
    whole = {one.key: one for one in placements(problem_of({"purchase": ways}))}
    for one in placements(problem_of({"purchase": ways, "discounts": {"aws": "22%"}})):
        share = Decimal("0.78") if one.cloud == "aws" else 1
        assert one.prices == tuple(price * share for price in whole[one.key].prices)
    with pytest.raises(ValueError, match="leaves no price"):
        problem_of({"discounts": {"aws": "100%"}})


def test_offers_share_a_quota() -> None:
    """No place that shares a quota has more devices than it, and other places are as they were."""
    found = placements(problem_of({"quotas": [{"of": ["us-east-1", "nebius"], "gpus": 32}]}))
    for one in found:
        shares = one.region == "us-east-1" or one.cloud == "nebius"
        assert one.nodes * one.machine.per_node <= 32 or not shares
    assert max(one.nodes for one in found) > 32
    assert "market.quotas leaves none" in refused(
        problem_of({"clouds": [], "offers": [OWN], "quotas": [{"of": ["own"], "gpus": 7}]})
    )


def test_a_quota_may_hold_in_a_place_and_for_a_way_to_buy() -> None:
    """Only what is of the names and within the places shares it; on demand and spot are counted apart; 0 is none."""
    ways = {"clouds": ["aws"], "purchase": ["on_demand", "spot"]}
    quota = {"of": ["p5.48xlarge"], "within": ["us-east-1"]}
    asked = problem_of(
        ways | {"quotas": [quota | {"purchase": "on_demand", "gpus": 32}, quota | {"purchase": "spot", "gpus": 80}]}
    )
    for one in placements(asked):
        shares = (one.region, one.instance_type) == ("us-east-1", "p5.48xlarge")
        assert (min(one.on_demand_nodes, one.nodes) == 4) is shares
        assert one.spot_nodes == 10 or not shares or one.spot is None
    bought = [one for one in purchase_options_of(placements(asked)) if one.placement.on_demand_nodes == 4]
    assert {one.placement.nodes for one in bought if one.on_demand_price is not None} == {4}
    assert {one.placement.nodes for one in bought if one.on_demand_price is None} == {64}
    none = placements(problem_of(ways | {"quotas": [quota | {"gpus": 0}]}))
    assert not [one for one in none if (one.region, one.instance_type) == ("us-east-1", "p5.48xlarge")]
    no_spot = placements(problem_of(ways | {"quotas": [{"of": ["aws"], "purchase": "spot", "gpus": 0}]}))
    assert all(one.spot is None for one in no_spot)
    assert "is no cloud, region" in refused(problem_of({"quotas": [quota | {"within": ["us-est-1"], "gpus": 8}]}))


def test_quotas_and_grants_know_the_clouds_of_a_price_book(tmp_path: Path) -> None:
    """What a book of own prices sells can be limited, granted and left out by its names."""
    (tmp_path / "prices.csv").write_text(
        "cloud,region,zone,instance_type,accelerator,accelerators,fabric,network_gbit_s,network_assumed,"
        "on_demand_usd_per_hour,source,date\nacme,north,,a8,H100-80GB-SXM5,8,IB,400,false,15.2,deal,2026-11-01\n",
        encoding="utf-8",
    )
    market = {"clouds": ["acme"], "prices": [str(tmp_path / "prices.csv")]}
    (granted,) = placements(problem_of(market | {"capacity": {"acme": 500}}))
    assert granted.nodes == 500
    (limited,) = placements(problem_of(market | {"quotas": [{"of": ["a8"], "within": ["north"], "gpus": 24}]}))
    assert limited.nodes == 3


def test_spot_nodes_are_fewer_than_nodes_on_demand() -> None:
    """Without a grant fewer nodes are assumed to be had as spot; a grant holds for every way to buy."""
    ways = {"clouds": ["aws"], "purchase": ["on_demand", "spot"]}
    assert {one.spot_nodes for one in placements(problem_of(ways)) if one.spot and one.nodes > 1} == {16}
    granted = placements(problem_of(ways | {"capacity": {"aws": 100}}))
    assert {one.spot_nodes for one in granted if one.spot and one.nodes > 1} == {100}


def test_a_reservation_of_ones_own_has_a_minimum_term() -> None:
    """Own reserved nodes are paid for their minimum term at least; a term without a reserved price is refused."""
    offer = {"name": "own", "accelerator": "H100-80GB-SXM5", "reserved": "$1/GPU-h", "minimum_term": "90d"}
    (own,) = placements(problem_of({"clouds": [], "purchase": ["reserved"], "offers": [offer]}))
    assert own.reservations[0].committed_seconds == 90 * 86400
    with pytest.raises(ValueError, match="minimum_term requires"):
        problem_of({"offers": [OWN | {"minimum_term": "90d"}]})
