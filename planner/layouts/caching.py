"""What is evaluated once and kept: values that a cache knows by the numbers they hold."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Keyed(Generic[Value]):
    """A value that a cache takes for another one when their keys are equal."""

    key: Hashable
    value: Value

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self.key == other.key


def numbers(*bundles: Any) -> Hashable:  # noqa: ANN401  (any dataclasses of arrays)
    """Every number of some bundles of symbols, in order, with the shapes that they stand in."""
    arrays = (np.asarray(getattr(bundle, field.name)) for bundle in bundles for field in fields(bundle))
    return tuple((one.shape, one.tobytes()) for one in arrays)
