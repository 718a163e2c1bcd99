"""Quotas and commitments of others: what they mean for a problem, and what is said of rows that are not understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from planner.catalog.offers import load_offers
from planner.catalog.quotas import load_quotas
from planner.cli import main
from planner.errors import InputError
from planner.portfolio.file import load_portfolio
from planner.prices.cloud_quotas import cloud_quotas
from planner.prices.clouds import Cloud
from planner.prices.commitments import sheet_commitments
from planner.prices.quotas import quota_lines
from planner.prices.sheet_quotas import sheet_quotas
from planner.problem.problem import load_problem

AWS = {
    "Quotas": [
        {"QuotaCode": code, "QuotaArn": f"arn:aws:servicequotas:us-east-1:1:ec2/{code}", "Value": value}
        for code, value in (("L-417A185B", 768.0), ("L-C4BD4855", 1920.0), ("L-1216C47A", 5.0))
    ]
}
GCP = [
    {
        "name": "us-central1",
        "quotas": [
            {"metric": "CPUS", "limit": 72.0, "usage": 0.0},
            {"metric": "NVIDIA_H100_GPUS", "limit": 256.0, "usage": 64.0},
        ],
    },
    {
        "quotaId": "GPUS-PER-GPU-FAMILY-per-project-region",
        "dimensionsInfos": [
            {
                "dimensions": {"gpu_family": "NVIDIA_B200"},
                "details": {"value": "16"},
                "applicableLocations": ["us-central1", "us-east1"],
            }
        ],
    },
]
AZURE = [{"name": {"value": "standardNDSH100v5Family"}, "limit": "960", "currentValue": "96"}]
PROBLEM = """\
schema: plan/1
model: llama3-8b
training: {phases: [{tokens: 10B, sequence_length: 8192, global_batch: 512}]}
"""


def written(path: Path, content: object) -> Path:
    """A file with some content."""
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def run(*words: str | Path) -> Result:
    """What a command does."""
    return CliRunner().invoke(main, [*map(str, words)])


def test_the_catalog_names_machines_that_it_offers() -> None:
    """Each machine of a quota is one of the cloud's offers, and one counted in virtual CPUs has their number."""
    offered = {(one.cloud, one.instance_type) for one in load_offers()}
    for quota in load_quotas().quota:
        assert {(quota.cloud, one) for one in quota.machines} <= offered, quota.title
        assert quota.counts == "devices" or set(quota.machines) <= set(load_quotas().vcpus), quota.title


@pytest.mark.parametrize(
    ("cloud", "name", "content", "expected"),
    [
        ("aws", "quotas.json", AWS, {("p5.48xlarge", "on_demand"): 32, ("p4d.24xlarge", "on_demand"): 64}),
        ("aws", "quotas.json", AWS, {("p5.48xlarge", "spot"): 80}),
        ("gcp", "region.json", GCP, {("a3-highgpu-8g", "on_demand"): 256, ("a4-highgpu-8g", "on_demand"): 16}),
        ("azure", "eastus.json", AZURE, {("Standard_ND96isr_H100_v5", "on_demand"): 80}),
    ],
)
def test_the_clouds_own_files_become_quotas(
    tmp_path: Path, cloud: Cloud, name: str, content: object, expected: dict[tuple[str, str], int]
) -> None:
    """Virtual CPUs become devices of each type of machine; quotas on other things are left out."""
    lines = quota_lines(cloud_quotas(cloud, written(tmp_path / name, content)))
    found = {(machine, line.quota.purchase): line.gpus for line in lines for machine in line.machines}
    assert expected.items() <= found.items()
    assert all(line.quota.region in {"us-east-1", "us-central1", "us-east1", "eastus"} for line in lines)


def test_what_is_in_use_can_be_left_out(tmp_path: Path) -> None:
    """With --unused a quota is what is left of it."""
    quotas = cloud_quotas("azure", written(tmp_path / "eastus.json", AZURE))
    assert [line.gpus for line in quota_lines(quotas, unused=True)] == [72]


@pytest.mark.parametrize(
    ("cloud", "content", "said"),
    [
        ("azure", AZURE, "does not say for which region"),
        ("aws", {"Quotas": [{"QuotaCode": "L-417A185B", "Value": "many"}]}, "not numbers"),
        ("aws", {"Quotas": [{"QuotaCode": "L-1216C47A", "Value": 5}]}, "no quota on accelerators"),
        ("gcp", {"other": 1}, "not a quota file of gcp"),
        ("gcp", "[" * 100_000, "not JSON"),
        ("gcp", "3", "not a quota file of gcp"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, cloud: Cloud, content: object, said: str) -> None:
    """What is no quota file, or does not say where it holds, is refused with the command that makes one."""
    with pytest.raises(InputError, match=said) as error:
        cloud_quotas(cloud, written(tmp_path / "quotas.json", content))
    assert error.value.issues[0].fix


SHEET = """\
Provider,Region,GPU,Kind,Limit
AWS,us-east-1,H100,on demand,64
gcp,,H200-141GB-SXM,,128
"""


def test_a_sheet_of_quotas_goes_into_a_problem(tmp_path: Path) -> None:
    """What the command prints under `market` is read by a problem, and bounds the offers that each row names."""
    out = run("prices", "quotas", "csv", written(tmp_path / "quotas.csv", SHEET))
    assert out.exit_code == 0, out.output
    market = yaml.safe_load(out.stdout)["market"]
    problem = load_problem(written(tmp_path / "problem.yaml", PROBLEM + out.stdout))
    assert [quota.gpus for quota in problem.market.quotas] == [64, 128]
    assert market["quotas"][0]["within"] == ["us-east-1"]
    assert market["quotas"][1] == {"of": ["a3-ultragpu-8g"], "within": ["gcp"], "gpus": 128}
    assert "H100-80GB-SXM5" not in out.stdout
    assert "aws us-east-1" in out.stderr


BAD = """\
Provider,Region,GPU,Kind,Limit
nebius,eu-north1,H100,kindly,8
azur,,H100,,4
aws,us-est-1,H100,,4
aws,,H9000,,4
aws,,H100,,=1+1
"""


def test_every_row_that_is_not_understood_is_named(tmp_path: Path) -> None:
    """A quota that is left out would be no limit at all: all bad rows at once, each with its line and a fix."""
    with pytest.raises(InputError) as error:
        sheet_quotas(written(tmp_path / "quotas.csv", BAD), {})
    assert [issue.place and issue.place.line for issue in error.value.issues] == [2, 3, 4, 5, 6]
    assert all(issue.fix for issue in error.value.issues)
    with pytest.raises(InputError, match="no column for the provider"):
        sheet_quotas(written(tmp_path / "quotas.csv", "GPU,Price\nH100,2\n"), {})


COMMITMENTS = """\
Vendor,Region,Instance,GPU,Rate,Discount,Term,Take or pay,Nodes,Network
Acme,,,H100-80GB-SXM5,$1.90,,1 year,75%,64,400 Gb/s
Acme,,,H100-80GB-SXM5,2,,90 days,,,
aws,us-east-1,p5.48xlarge,H100-80GB-SXM5,,30%,36 months,,8,
"""


def test_commitments_become_own_offers(tmp_path: Path) -> None:
    """Term, take or pay, nodes and price become reserved nodes that a problem reads, at the figures of the sheet."""
    sheet = written(tmp_path / "deal.csv", COMMITMENTS)
    found = sheet_commitments(sheet, {})[1]
    assert [one.least_seconds / 86400 for one in found] == [365 * 0.75, 90, 3 * 365]
    (listed,) = {
        one.on_demand_usd_per_hour
        for one in load_offers()
        if (one.region, one.instance_type) == ("us-east-1", "p5.48xlarge")
    }
    assert listed is not None
    assert float(found[2].usd_per_node_hour) == pytest.approx(0.7 * float(listed))
    out = run("prices", "commitments", "csv", sheet, "--out", tmp_path / "offers.yaml")
    assert out.exit_code == 0, out.output
    text = (tmp_path / "offers.yaml").read_text("utf-8")
    offers = load_problem(written(tmp_path / "problem.yaml", PROBLEM + text)).market.offers
    assert [one.minimum_term for one in offers] == [one.least_seconds for one in found]
    assert [one.nodes for one in offers] == [64, None, 8]
    assert "$1.90/GPU-h, each paid for" in out.stderr


POOLED = """\
GPU,Rate,Term,Nodes,Start,Lead
H100-80GB-SXM5,1.90,1 year,64,2027-03-01,30 days
H100-80GB-SXM5,1.70,3 years,32,2027-04-01,
"""
PORTFOLIO = """\
schema: plan-portfolio/1
calendar: {start: 2027-01-01, end: 2027-12-31}
jobs: [{name: one, phases: [{name: run, modes: [{pool: ours, nodes: 8, duration: 10d}]}]}]
pools:
  - name: ours
    accelerator: H100-80GB-SXM5
    nodes: 128
    price: $2.50/GPU-h
"""


def test_commitments_go_into_a_pool_of_a_portfolio(tmp_path: Path) -> None:
    """With --pool the rows are what a pool's commitments are; one without nodes or start is named."""
    out = run("prices", "commitments", "csv", written(tmp_path / "deal.csv", POOLED), "--pool")
    assert out.exit_code == 0, out.output
    indented = "".join(f"    {line}\n" for line in out.stdout.splitlines())
    (pool,) = load_portfolio(written(tmp_path / "year.yaml", PORTFOLIO + indented)).pools
    assert [(one.term / 86400, one.most, one.starts[0].isoformat()) for one in pool.commitments] == [
        (365, 64, "2027-03-01"),
        (1095, 32, "2027-04-01"),
    ]
    refused = run("prices", "commitments", "csv", written(tmp_path / "deal.csv", COMMITMENTS), "--pool")
    assert refused.exit_code == 2
    assert "a pool's commitment needs its start" in refused.stderr
    assert "deal.csv:2" in refused.stderr


BAD_COMMITMENTS = """\
Vendor,GPU,Rate,Term,Minimum hours
Acme,H100-80GB-SXM5,free,1 year,
Acme,H9000,2,1 year,
Acme,H100-80GB-SXM5,2,soon,
Acme,H100-80GB-SXM5,2,30 days,9000
"""


def test_every_commitment_that_is_not_understood_is_named(tmp_path: Path) -> None:
    """All bad rows at once, each with its line and a fix."""
    with pytest.raises(InputError) as error:
        sheet_commitments(written(tmp_path / "deal.csv", BAD_COMMITMENTS), {})
    assert [issue.place and issue.place.line for issue in error.value.issues] == [2, 3, 4, 5]
    assert all(issue.fix for issue in error.value.issues)


DISTINCT = """\
limits: {deadline: 30d}
market:
  clouds: [aws]
  accelerators: [H100-80GB-SXM5]
  regions: [us-east-1]
  purchase: [on_demand, spot]
  quotas:
    - {of: [p5.48xlarge], purchase: on_demand, gpus: 16}
    - {of: [p5.48xlarge], purchase: spot, gpus: 24}
"""


@pytest.mark.slow
def test_a_plan_keeps_quotas_of_each_way_to_buy(tmp_path: Path) -> None:
    """No plan has more nodes of a kind than its quota, and the exhaustive search finds the same optimum."""
    problem = written(tmp_path / "problem.yaml", PROBLEM + DISTINCT)
    for ways in ("[on_demand, spot]", "[on_demand]", "[spot]"):
        out = run("solve", problem, "--json", "--check", "--set", f"market.purchase={ways}")
        assert out.exit_code == 0, out.output
        for line in json.loads(out.stdout)["plan"]["purchases"]:
            assert line["nodes"] <= {"on_demand": 2, "spot": 3}[line["kind"]]
