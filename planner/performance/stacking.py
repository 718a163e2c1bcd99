"""Stacking bundles: many scalar records as one bundle of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

Bundle = TypeVar("Bundle")


def stack(rows: Sequence[Bundle]) -> Bundle:
    """Many bundles of one kind, each field of shape (), as one with fields of shape (rows,)."""
    kind = cast("Any", type(rows[0]))
    return cast("Bundle", kind(**{f.name: np.asarray([getattr(row, f.name) for row in rows]) for f in fields(kind)}))


def take(bundle: Bundle, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Bundle:
    """The rows of a bundle whose fields have shape (rows,)."""
    kind = cast("Any", type(bundle))
    return cast("Bundle", kind(**{f.name: getattr(bundle, f.name)[index] for f in fields(kind)}))
