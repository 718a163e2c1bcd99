"""Numbers of devices that are sold: whole nodes, and TPUs in the slices of their provider."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from planner.catalog.capacity import slices_of


def is_sold(accelerator: str, per_node: int, devices: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Whether a job can have exactly so many devices: whole nodes of a slice that is sold, or part of one node.

    More than the largest slice are several slices of that size.
    """
    whole: npt.NDArray[np.bool_] = (devices % per_node == 0) | (devices < per_node)
    slices = slices_of(accelerator)
    if slices is None:
        return whole
    rented = -(-devices // per_node) * per_node
    sold: npt.NDArray[np.bool_] = np.isin(rented, slices.chips) | (rented % max(slices.chips) == 0)
    return whole & sold


def sold_as(accelerator: str, per_node: int, nodes: int) -> tuple[int, int] | None:
    """How many slices of how many chips these hosts are; None where nodes are sold singly or in no whole slices."""
    slices, chips = slices_of(accelerator), nodes * per_node
    if slices is None:
        return None
    if chips in slices.chips:
        return 1, chips
    largest = max(slices.chips)
    return (chips // largest, largest) if chips % largest == 0 else None
