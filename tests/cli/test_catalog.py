"""`plan catalog`: tables that fit a terminal, JSON that programs read, and friendly answers to odd filters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from planner.catalog import check
from planner.cli import main
from planner.errors import Issue


def run(*arguments: str, width: int = 120) -> Result:
    """The command with these arguments, in a terminal so wide."""
    return CliRunner(env={"COLUMNS": str(width)}).invoke(main, ["catalog", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    """What the command prints with --json."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["format_version"] == 1
    return found


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("accelerators",),
        ("accelerators", "gb300"),
        ("offers",),
        ("offers", "gcp", "h100"),
        ("models",),
        ("reliability",),
    ],
)
def test_tables_fit_the_terminal(arguments: tuple[str, ...], width: int) -> None:
    """No line is wider than the terminal."""
    result = run(*arguments, width=width)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= width


def test_a_filter_finds_devices_under_any_spelling() -> None:
    """An alias, an architecture, or a part of either."""
    assert [one["name"] for one in document("accelerators", "trillium")["accelerators"]] == ["TPUv6e"]
    hopper = document("accelerators", "hopper")["accelerators"]
    assert {"H100-80GB-SXM5", "H800-80GB-SXM", "H200-141GB-SXM"} <= {one["name"] for one in hopper}


def test_one_device_is_shown_in_full() -> None:
    """A filter that leaves one device shows its note and its source."""
    result = run("accelerators", "gb300")
    assert "Per GPU, not per superchip" in result.stdout
    assert "source" in result.stdout


def test_offers_are_sorted_by_price_per_device_hour() -> None:
    """Cheapest first, to the cent; several words must all match."""
    offers = document("offers", "aws", "h100")["offers"]
    assert {offer["cloud"] for offer in offers} == {"aws"}
    assert {offer["accelerator"] for offer in offers} == {"H100-80GB-SXM5"}
    prices = [round(float(offer["on_demand_usd_per_hour"]) / offer["accelerators"], 2) for offer in offers]
    assert prices == sorted(prices)


def test_money_is_a_decimal_string() -> None:
    """Prices in JSON are decimal strings, absent ones null."""
    offer = document("offers", "p5e.48xlarge")["offers"][0]
    assert isinstance(offer["block_usd_per_hour"], str)
    assert offer["on_demand_usd_per_hour"] is None


def test_suspect_offers_are_left_out_unless_asked_for() -> None:
    """They come with their reason, once per cloud and reason."""
    assert run("offers", "lambda").exit_code == 2
    assert all(offer["suspect"] for offer in document("offers", "lambda", "--suspect")["offers"])
    text = run("offers", "lambda", "--suspect").stdout
    assert text.count("suspect: lambda") == 1
    assert "listed in all 17 regions" in text


@pytest.mark.slow
def test_long_lists_are_cut_and_say_so() -> None:
    """Without --all the cheapest are shown, and how many more there are."""
    assert "more: add a FILTER or --all" in run("offers").stdout
    assert "more: add" not in run("offers", "--all").stdout


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("accelerators", "h10000"), "did you mean H100?"),
        (("offers", "gcp", "us-centrall1"), "did you mean us-central1?"),
        (("offers", "aws", "tpu"), "nothing matches all of them"),
        (("models", "zzzzzz"), "`plan catalog models` lists all"),
    ],
)
def test_a_filter_that_matches_nothing_is_answered(arguments: tuple[str, ...], answer: str) -> None:
    """Exit 2, an empty stdout, and what to write instead on stderr."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert answer in result.stderr


def test_models_carry_their_counted_parameters() -> None:
    """DeepSeek-V3 has 671 billion parameters and is a mixture of 256 experts."""
    line = next(line for line in run("models", "deepseek-v3").stdout.splitlines() if line.startswith("deepseek-v3 "))
    assert "671B" in line
    assert "8/256" in line


def test_reliability_names_what_is_assumed_and_what_is_unknown() -> None:
    """Published rates, assumptions by that name, and the statement on devices without a trace."""
    text = run("reliability").stdout
    assert "3.79" in text
    assert "assumption" in text
    assert "not known" in text
    assert len(document("reliability")["failure_rate"]) == 3


def test_check_says_what_it_looked_at() -> None:
    """The shipped catalogs are clean, and the counts are printed."""
    result = run("check")
    assert result.exit_code == 0
    assert "nothing wrong" in result.stdout
    assert document("check")["issues"] == []


def test_check_fails_on_an_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with each issue, in text and in JSON."""
    monkeypatch.setattr(check, "check_catalogs", lambda: [Issue("H100 at 624 TFLOP/s", fix="989")])
    text, as_json = run("check"), run("check", "--json")
    assert (text.exit_code, as_json.exit_code) == (2, 2)
    assert "H100 at 624 TFLOP/s" in text.stderr
    assert json.loads(as_json.stdout)["issues"] == ["H100 at 624 TFLOP/s; 989"]
