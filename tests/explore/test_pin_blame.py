"""Pins that rule out every layout are named, with the reason and the nearest values that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.session import Session, load_problem

SPOT = Path(__file__).resolve().parent.parent.parent / "problems" / "spot_heavy.yaml"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pins", "blamed", "why"),
    [
        ({"layout.tensor": 3}, "tensor", "does not divide the 40 attention heads"),
        ({"layout.tensor": 8, "layout.pipeline": 41}, "pipeline", "more than the 40 layers"),
        ({"layout.tensor": 1, "layout.data": 48}, "data", "48 does not divide the global batch of 1,024"),
    ],
)
def test_the_pin_to_blame_is_named(pins: dict[str, object], blamed: str, why: str) -> None:
    """One pin excludes everything; each value that is proposed instead gives a plan."""
    found = Session(load_problem(SPOT, pins)).solve()
    assert found.status == "infeasible"
    (blame,) = found.pins_to_blame
    assert blame.pin == blamed
    assert why in blame.why
    assert blame.nearest
    for value in blame.nearest:
        changed = load_problem(SPOT, pins | {f"layout.{blamed}": value, "limits.deadline": "1000d"})
        assert Session(changed).solve().plan is not None


def test_two_pins_that_are_both_impossible_are_both_named() -> None:
    """Where no single pin is to blame, every pin that rules out everything by itself is."""
    found = Session(load_problem(SPOT, {"layout.tensor": 3, "layout.data": 48})).solve()
    assert {one.pin for one in found.pins_to_blame} == {"tensor", "data"}


@pytest.mark.parametrize(("degree", "value"), [("expert", 3), ("expert_tensor", 3), ("shard", 7)])
def test_degrees_of_experts_and_of_sharding_are_named(degree: str, value: int) -> None:
    """A degree that divides nothing is to blame, whatever else the stack leaves."""
    changes = {"model": "mixtral-8x7b", "training.software": "{stack: megatron}", f"layout.{degree}": value}
    found = Session(load_problem(SPOT, changes)).solve()
    assert found.status == "infeasible"
    assert [one.pin for one in found.pins_to_blame] == [degree]


def test_no_pin_is_blamed_where_layouts_exist() -> None:
    """A deadline that is too short is no pin's fault."""
    found = Session(load_problem(SPOT, {"layout.tensor": 2, "limits.deadline": "1h"})).solve()
    assert found.status == "infeasible"
    assert found.pins_to_blame == ()
