"""What `--vary` accepts and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_documents import document

from planner.errors import InputError
from planner.explore.sweep_option import varied
from planner.explore.whatif import whatif
from planner.problem.document import parse_document

RANGES = {
    "limits.budget=1MUSD..5MUSD:3": ["1MUSD", "3MUSD", "5MUSD"],
    "limits.budget=$500k..$2M:4": ["$500k", "$1M", "$1.5M", "$2M"],
    "limits.budget=$1,000,000..$2,000,000:3": ["$1,000,000", "$1500000", "$2,000,000"],
    "limits.budget=$100..$10000:3:log": ["$100", "$1000", "$10000"],
    "limits.deadline=20d..60d:3": ["20d", "40d", "60d"],
    "limits.deadline=12h..5d:4": ["12h", "2d", "3.5d", "5d"],
    "limits.deadline=1d 12h..3d:3": ["1d 12h", "2.25d", "3d"],
    "limits.gpus=512..2048:4:log": ["512", "813", "1290", "2048"],
    "limits.memory_headroom=0%..30%:3": ["0%", "15%", "30%"],
    "market.spot_price=×0.5..×2:3": ["×0.5", "×1.25", "×2"],
    "market.offers[0].on_demand=$1/GPU-h..$2/GPU-h:3": ["$1/GPU-h", "$1.5/GPU-h", "$2/GPU-h"],
    "training.phases[0].tokens=1T..10T:3:log": ["1T", "3.16228T", "10T"],
    "risk.spot_price=p50..p90:3": ["p50", "p70", "p90"],
    "layout.tensor=1,[2,4],<=8": ["1", "[2,4]", "<=8"],
    "limits.deadline=30d,null": ["30d", "null"],
}


@pytest.mark.parametrize(("text", "values"), RANGES.items())
def test_values_are_written_as_the_file_would(text: str, values: list[str]) -> None:
    """Ranges are linear or geometric, in the unit of the upper end and whole where the key is; lists are as given."""
    (axis,) = varied(document(0), [text])
    assert list(axis.values) == values


BAD = {
    "limits.budgt=1MUSD..5MUSD:3": "did you mean budget?",
    "limits.budget=-1MUSD,5MUSD": "must not be negative",
    "limits.budget=5MUSD..5MUSD:3": "is not below",
    "limits.budget=5MUSD..1MUSD:3": "is not below",
    "limits.budget=1MUSD..5MUSD:1": "from 2 to 10000",
    "limits.budget=1MUSD..5MUSD:1000000000": "from 2 to 10000",
    "limits.budget=1MUSD..5MUSD": "needs 2 to 10000 different values",
    "limits.budget=1MUSD..5MUSD:3:cubic": "unknown scale",
    "limits.budget=1MUSD..5d:3": "has no currency",
    "limits.budget=1..5MUSD:3": "has no currency",
    "limits.memory_headroom=0%..30%:3:log": "cannot start at zero",
    "limits.deadline=1d 1h..2d 1h:3": "written in one unit",
    "limits.gpus=1..4:9": "ask for at most :4",
    "limits.gpus=1,1": "different values",
    "limits=1..5:3": "must be a mapping",
    "limits=1,5": "must be a mapping",
    "training.precision=bf16..fp8:3": "list its values",
    "training.precision=bf16,fp4": "leaves none",
    "model=llama3.2-1b,gpt-9": "unknown model",
    "market.offers[0].on_demand=$1/GPU-h..$9/node-h:3": "different kinds",
    "market.offers[9].nodes=1,2": "no item 9",
    "limits.budget": "not KEY=VALUES",
    "limits.gpus=[1,2": "needs 2 to 10000 different values",
}


@pytest.mark.parametrize(("text", "told"), BAD.items())
def test_bad_input_names_the_vary(text: str, told: str) -> None:
    """Whatever a `--vary` has wrong is one message with its text and what to do."""
    with pytest.raises(InputError) as caught:
        whatif(document(0), [text], workers=1)
    (issue, *_) = caught.value.issues
    assert told in f"{issue.message} {issue.fix}"
    assert str(issue.place) == f"--vary {text}"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ((), "one or two quantities"),
        (("limits.gpus=1,2", "limits.deadline=1d,2d", "limits.budget=$1,$2"), "not 3"),
        (("limits.gpus=1,2", "limits.gpus=4,8"), "varied twice"),
        (("market.offers[0].nodes=1,2", "market.offers.0.nodes=4,8"), "varied twice"),
        (("limits.gpus=1..2000:2000", "limits.budget=$1..$9000:9000"), "18,000,000 cells"),
    ],
)
def test_bad_combinations_are_refused(texts: tuple[str, ...], told: str) -> None:
    """At most two different keys and a million cells."""
    with pytest.raises(InputError, match=told):
        varied(document(0), texts)


def test_errors_of_the_file_stay_as_they_are() -> None:
    """A mistake that is there without any `--vary` is told at its own line."""
    wrong = parse_document('{"schema": "plan/1", "modl": "llama3.2-1b"}', "wrong.yaml", Path())
    with pytest.raises(InputError) as caught:
        whatif(wrong, ["limits.gpus=1,2"], workers=1)
    assert {issue.place.file for issue in caught.value.issues if issue.place} == {"wrong.yaml"}
    assert not any("(with" in issue.message for issue in caught.value.issues)


def test_a_cell_that_is_wrong_elsewhere_says_with_what() -> None:
    """A rule that two varied keys break together is told at its own line with both settings."""
    with pytest.raises(InputError, match=r"endless \(with limits.budget=null and limits.deadline=null\)"):
        whatif(document(0, "tokens"), ["limits.budget=$90,null", "limits.deadline=1d,null"], workers=1)
