"""What is evaluated once and kept: values that a cache knows by the numbers they hold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import fields
from typing import Any, Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The values that were asked for last, by what they depend on."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """A value, if it is still kept."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        """Keeps a value, and lets go of the one that was not asked for longest."""
        self._values[key] = value
        while len(self._values) > self.most:
            self._values.popitem(last=False)
        return value

    def drop(self, key: Hashable) -> None:
        """Lets go of a value, if it is still kept."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """Keeps nothing."""
        self._values.clear()


def numbers(*bundles: Any) -> Hashable:  # noqa: ANN401  (any dataclasses of arrays)
    """Every number of some bundles of symbols, in order, with the shapes that they stand in."""
    arrays = (np.asarray(getattr(bundle, field.name)) for bundle in bundles for field in fields(bundle))
    return tuple((one.shape, one.tobytes()) for one in arrays)
