"""Pins and bounds on degrees: `16`, `"<=8"`, `">=2"` or `[4, 8]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from planner.units import QuantityError

_BOUND = re.compile(r"(?P<relation><=|>=|≤|≥|<|>|=)?\s*(?P<number>[0-9]{1,7})")
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Pin:
    """The values that a degree may take."""

    minimum: int
    maximum: int
    values: tuple[int, ...] | None = None
    """The only values that are allowed, ascending; None: all from minimum to maximum."""

    def allows(self, value: int) -> bool:
        """Whether the degree may have this value."""
        return self.minimum <= value <= self.maximum and (self.values is None or value in self.values)

    def __str__(self) -> str:
        if self.values is not None:
            return str(self.values[0]) if len(self.values) == 1 else str(list(self.values))
        return f"{self.minimum} to {self.maximum}"


def pin_writer(lowest: int) -> Callable[[Pin], int | str | list[int]]:
    """How a pin on a degree that begins at `lowest` is stated in a file."""

    def write(pin: Pin) -> int | str | list[int]:
        """A value, a list of values, or a bound."""
        if pin.values is not None:
            return pin.values[0] if len(pin.values) == 1 else list(pin.values)
        return f">={pin.minimum}" if pin.minimum > lowest else f"<={pin.maximum}"

    return write


def pin_parser(lowest: int, highest: int) -> Callable[[object], Pin]:
    """A parser of pins on a degree that goes from `lowest` to `highest`; it raises QuantityError."""

    def parse(value: object) -> Pin:
        """The pin from an integer, a list of integers, or a bound such as `<=8`."""
        bound = _BOUND.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 20 else None
        if bound:
            pin = _bounded(bound["relation"] or "=", int(bound["number"]), lowest, highest)
        else:
            pin = _listed(value if isinstance(value, list) else [value])
        if pin.minimum < lowest or pin.maximum > highest or pin.minimum > pin.maximum:
            allowed = f"at least {lowest}" if highest == _LARGEST else f"{lowest} to {highest}"
            raise QuantityError(f"{str(value)[:60]!r} leaves no value that is allowed", f"the values are {allowed}")
        return pin

    return parse


def _bounded(relation: str, number: int, lowest: int, highest: int) -> Pin:
    """The pin that a relation to one number states."""
    match relation:
        case "<=" | "≤" | "<":
            return Pin(lowest, min(highest, number - (relation == "<")))
        case ">=" | "≥" | ">":
            return Pin(max(lowest, number + (relation == ">")), highest)
    return Pin(number, number, (number,))


def _listed(values: list[object]) -> Pin:
    """The pin that lists its values."""
    numbers = sorted({value for value in values if isinstance(value, int) and not isinstance(value, bool)})
    if not values or len(values) > 1000 or any(value not in numbers or isinstance(value, bool) for value in values):
        shown = str(values[0] if len(values) == 1 else values)[:60]
        raise QuantityError(
            f"{shown!r} is not a value, a bound or a list of values", 'write 16, "<=8", ">=2" or [4, 8]'
        )
    return Pin(numbers[0], numbers[-1], tuple(numbers))


def _schema(lowest: int, highest: int) -> WithJsonSchema:
    """The JSON schema of a pin."""
    value = {"type": "integer", "minimum": lowest, "maximum": highest}
    bound = {"type": "string", "pattern": r"^(<=|>=|<|>|=|≤|≥)?\s*[0-9]{1,7}$"}
    values = {"type": "array", "items": value, "minItems": 1}
    return WithJsonSchema({"anyOf": [value, bound, values], "examples": [min(8, highest), f">={lowest}"]})


DegreePin = Annotated[
    Pin,
    PlainValidator(pin_parser(1, _LARGEST)),
    PlainSerializer(pin_writer(1), when_used="json"),
    _schema(1, _LARGEST),
]
"""A value, a bound or a list of values of a degree from 1."""
ZeroPin = Annotated[
    Pin, PlainValidator(pin_parser(0, 3)), PlainSerializer(pin_writer(0), when_used="json"), _schema(0, 3)
]
"""The same for a ZeRO stage from 0 to 3."""
