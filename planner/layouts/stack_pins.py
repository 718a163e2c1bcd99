"""The pins of a problem with what its stack does not offer, or what is kept on the host does not allow, left out."""

from __future__ import annotations

from typing import Final

from planner.catalog.software import Support
from planner.errors import InputError
from planner.market.placements import support_of
from planner.problem.pins import Pin
from planner.problem.problem import LayoutPins, Problem

SHARDS_PARAMETERS: Final = 3
"""The ZeRO stage that shards parameters, and so the one under which they can be kept on the host."""


WITHOUT_A_STACK: Final = (3,)
"""ZeRO stages that PyTorch's HSDP shards by, for a problem that pins `shard` and states no stack."""


def pins_of(problem: Problem, release: str) -> LayoutPins:
    """What a problem pins, within what the stack that it states offers; all that it pins where it states none.

    Few stacks cut experts by a tensor degree of their own: where none is stated they are whole unless it is pinned.
    Raises InputError where a pin leaves nothing that the stack offers, or nothing under which parameters are offloaded.
    """
    support = support_of(problem)
    pins = problem.layout
    if support is not None:
        update = {name: _with(problem, support, name, (1,)) for name in support.lacking(release)}
        update["zero"] = _with(problem, support, "zero", support.zero)
        pins = pins.model_copy(update=update)
    elif pins.expert_tensor is None:
        pins = pins.model_copy(update={"expert_tensor": Pin(1, 1, (1,))})
    if "parameters" not in problem.training.offload:
        return pins
    if pins.zero is not None and not pins.zero.allows(SHARDS_PARAMETERS):
        message = f"offloaded parameters need ZeRO {SHARDS_PARAMETERS}, which shards them: zero is {pins.zero}"
        fix = "leave parameters out, or allow zero: 3 and state a stack that offers it"
        raise InputError(message, place=problem.place("training", "offload"), fix=fix)
    return pins.model_copy(update={"zero": Pin(SHARDS_PARAMETERS, SHARDS_PARAMETERS, (SHARDS_PARAMETERS,))})


def hybrid_zero_of(problem: Problem) -> tuple[int, ...]:
    """ZeRO stages that may be applied to a part of the replicas: those of the stack; without one only if pinned."""
    support = support_of(problem)
    if support is not None:
        return support.hybrid_zero
    return () if problem.layout.shard is None else WITHOUT_A_STACK


def _with(problem: Problem, support: Support, name: str, offered: tuple[int, ...]) -> Pin:
    """A pin within the values that a stack offers. Raises InputError where none is left."""
    pin: Pin | None = getattr(problem.layout, name)
    values = tuple(value for value in offered if pin is None or pin.allows(value))
    if not values:
        shown = " or ".join(map(str, offered))
        message = f"{support.stack} has no {name.replace('_', ' ')} {pin}: it offers {shown} ({support.source})"
        raise InputError(message, place=problem.place("layout", name), fix=f"write {offered[-1]}, or another stack")
    return Pin(values[0], values[-1], values)
