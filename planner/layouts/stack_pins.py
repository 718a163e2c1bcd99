"""The pins of a problem with what its stack does not offer left out."""

from __future__ import annotations

from planner.catalog.software import Support
from planner.errors import InputError
from planner.market.placements import support_of
from planner.problem.pins import Pin
from planner.problem.problem import LayoutPins, Problem


def pins_of(problem: Problem) -> LayoutPins:
    """What a problem pins, within what the stack that it states offers; all that it pins where it states none.

    Raises InputError where a pin leaves nothing that the stack offers.
    """
    support = support_of(problem)
    if support is None:
        return problem.layout
    update = {name: _with(problem, support, name, (1,)) for name in support.lacking}
    update["zero"] = _with(problem, support, "zero", support.zero)
    return problem.layout.model_copy(update=update)


def _with(problem: Problem, support: Support, name: str, offered: tuple[int, ...]) -> Pin:
    """A pin within the values that a stack offers. Raises InputError where none is left."""
    pin: Pin | None = getattr(problem.layout, name)
    values = tuple(value for value in offered if pin is None or pin.allows(value))
    if not values:
        shown = " or ".join(map(str, offered))
        message = f"{support.stack} has no {name.replace('_', ' ')} {pin}: it offers {shown} ({support.source})"
        raise InputError(message, place=problem.place("layout", name), fix=f"write {offered[-1]}, or another stack")
    return Pin(values[0], values[-1], values)
