"""`plan layouts`: which rows are marked as more than can be had."""

from __future__ import annotations

import csv
import io

from click.testing import CliRunner

from planner.cli import main

CLOUD = """\
schema: plan/1
model: llama3.2-1b
training:
  phases: [{tokens: 5B, sequence_length: 2048, global_batch: 1024}]
market: {clouds: [nebius], accelerators: [B200-SXM]}
limits: {gpus: 1024}
"""
FEW_CHOICES = [
    "--set",
    "layout.tensor=1",
    "--set",
    "layout.pipeline=1",
    "--set",
    "layout.zero=1",
    "--set",
    "training.phases[0].global_batch=1024",
]


def rows(*arguments: str) -> list[dict[str, str]]:
    """The rows of the comma-separated values."""
    result = CliRunner().invoke(main, ["layouts", "-", "--csv", *FEW_CHOICES, *arguments], input=CLOUD)
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_rows_beyond_capacity_are_marked_and_only_listed_when_asked_for() -> None:
    """Within what is granted no row is marked; beyond it every row says how many nodes can be had."""
    within, beyond = rows(), rows("--beyond")
    assert max(int(row["nodes"]) for row in within) <= 64
    assert not any(row["sold_nodes"] for row in within)
    assert {row["sold_nodes"] for row in beyond if int(row["nodes"]) > 64} == {"64"}
    assert not any(row["sold_nodes"] for row in beyond if int(row["nodes"]) <= 64)


def test_where_nothing_within_capacity_is_feasible_the_others_are_listed() -> None:
    """The same rule as for the answer of plan solve."""
    pinned = ("--set", "layout.data=1024")
    assert {row["sold_nodes"] for row in rows(*pinned)} == {"64"}


DATED = """\
schema: plan/1
model: llama3.2-1b
training:
  phases: [{tokens: 5B, sequence_length: 2048, global_batch: 1024}]
schedule: {start: 2027-01-01}
market:
  clouds: []
  offers:
    - {name: ours, accelerator: B200-SXM, nodes: 8,
       on_demand: [{price: $6/GPU-h}, {from: 2027-01-02, price: $2/GPU-h}]}
"""


def test_a_price_that_changes_in_time_is_paid_as_it_is() -> None:
    """A layout of several days pays the first day's price for that day and the later one for the rest."""
    result = CliRunner().invoke(main, ["layouts", "-", "--csv", *FEW_CHOICES], input=DATED)
    assert result.exit_code == 0, result.stderr
    for row in csv.DictReader(io.StringIO(result.stdout)):
        days = float(row["wall_days"])
        usd = (6 * min(days, 1) + 2 * max(days - 1, 0)) * 24 * 8 * int(row["nodes"])
        assert abs(float(row["cost_usd"]) / usd - 1) < 1e-4


def test_an_offer_with_quotas_by_way_to_buy_is_listed() -> None:
    """What may be bought on demand within a quota is priced, though spot nodes have another one."""
    quotas = (
        "market.quotas=[{of: [B200-SXM], purchase: on_demand, gpus: 64}, {of: [B200-SXM], purchase: spot, gpus: 8}]"
    )
    listed = rows("--set", quotas, "--set", "market.purchase=[on_demand, spot]", "--set", "market.clouds=[coreweave]")
    assert listed
    assert all(row["cost_usd"] for row in listed if int(row["nodes"]) <= 8)
