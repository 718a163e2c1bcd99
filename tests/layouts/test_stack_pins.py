"""What a stack does not run on or offer is left out of plans that state it."""

from __future__ import annotations

from typing import Any

import pytest

from planner.catalog.accelerators import load_accelerators
from planner.catalog.software import load_stacks, load_support
from planner.errors import InputError
from planner.layouts.stack_pins import hybrid_zero_of, pins_of
from planner.market.placements import placements
from planner.problem.pins import Pin
from planner.problem.problem import Problem

NOW = "2026-06"
"""A release after all that the catalog knows."""


def problem(stack: str | None, **parts: Any) -> Problem:  # noqa: ANN401  (plain data)
    """A job under a stack."""
    training: dict[str, Any] = {"phases": [{"tokens": "1B", "sequence_length": 2048, "global_batch": 64}]}
    if stack:
        training["software"] = {"stack": stack}
    return Problem.model_validate({"schema": "plan/1", "model": "llama3.2-1b", "training": training, **parts})


@pytest.mark.parametrize("stack", sorted(load_support()))
def test_plans_keep_to_what_a_stack_offers(stack: str) -> None:
    """Only devices and ZeRO stages of its record are left, and degrees that it lacks are one."""
    support, asked = load_support()[stack], problem(stack)
    pins = pins_of(asked, NOW)
    assert pins.zero is not None
    assert pins.zero.values == support.zero
    for name in support.lacking(NOW):
        assert getattr(pins, name).values == (1,)
    if any(support.runs_on(one) for one in load_accelerators() if one.vendor != "AWS"):
        try:
            found = placements(asked)
        except InputError:
            assert stack == "primus"
        else:
            assert all(support.runs_on(one.machine.accelerator) for one in found)


def test_records_name_what_the_catalogs_know() -> None:
    """Stacks, vendors and architectures of the records exist."""
    devices = load_accelerators()
    for support in load_support().values():
        assert support.stack in load_stacks()
        assert set(support.vendors) <= {one.vendor for one in devices}
        assert set(support.excluded) <= {one.architecture for one in devices}


def test_no_tpu_is_planned_on_megatron() -> None:
    """A TPU alone on a stack for NVIDIA GPUs is refused with the key that left it out."""
    with pytest.raises(InputError, match=r"training\.software\.stack leaves none"):
        placements(problem("megatron", market={"accelerators": ["TPUv5p"]}))


def test_a_pin_that_a_stack_does_not_offer_is_refused() -> None:
    """ZeRO-3 under a stack without it is no plan but an error, which names what there is."""
    with pytest.raises(InputError, match="megatron has no zero 3: it offers 0 or 1"):
        pins_of(problem("megatron", layout={"zero": 3}), NOW)
    assert pins_of(problem("megatron", layout={"zero": 1}), NOW).zero is not None


def test_an_unstated_stack_restricts_little() -> None:
    """Without a stack the pins are the problem's own, but experts are whole and groups shard nothing unless pinned."""
    asked = problem(None, layout={"tensor": 2})
    assert pins_of(asked, NOW) == asked.layout.model_copy(update={"expert_tensor": Pin(1, 1, (1,))})
    assert not hybrid_zero_of(asked)
    pinned = problem(None, layout={"expert_tensor": "<=8", "shard": 8})
    assert pins_of(pinned, NOW) == pinned.layout
    assert hybrid_zero_of(pinned) == (3,)


def test_a_release_before_a_degree_does_not_have_it() -> None:
    """Megatron cuts experts by a degree of their own since Core 0.10, and shards over no part of the replicas."""
    pinned = problem("megatron", layout={"expert_tensor": 2})
    with pytest.raises(InputError, match="megatron has no expert tensor 2"):
        pins_of(pinned, "2024-06")
    assert pins_of(pinned, NOW).expert_tensor == pinned.layout.expert_tensor
    assert not hybrid_zero_of(problem("megatron", layout={"shard": 8}))
    assert hybrid_zero_of(problem("pytorch-fsdp")) == (3,)


def test_parameters_on_the_host_are_sharded() -> None:
    """Offloading parameters leaves ZeRO-3 alone, as run files ask for; a stack or a pin without it is refused."""
    asked = problem(None)
    training = asked.training.model_copy(update={"offload": ("parameters",)})
    pins = pins_of(asked.model_copy(update={"training": training}), NOW)
    assert pins.zero is not None
    assert pins.zero.values == (3,)
    for one in (problem("megatron"), problem(None, layout={"zero": "<=2"})):
        training = one.training.model_copy(update={"offload": ("parameters",)})
        with pytest.raises(InputError, match="offloaded parameters need ZeRO 3"):
            pins_of(one.model_copy(update={"training": training}), NOW)
