"""A plan in a few words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Protocol

from planner.report.dates import dated
from planner.units import format_money


class Titled(Protocol):
    """A place with a name."""

    @property
    def title(self) -> str:
        """The place on one line."""


class InShort(Protocol):
    """What a few words say of a plan."""

    @property
    def accelerator(self) -> str:
        """Name of the device."""

    @property
    def gpus(self) -> int:
        """Most devices at a time."""

    @property
    def wall_seconds(self) -> float:
        """Expected wall time."""

    @property
    def cost_usd(self) -> Decimal:
        """US dollars."""

    @property
    def placement(self) -> Titled:
        """Where most device-hours are spent."""


def in_words(plan: InShort, start: date | None) -> str:
    """A plan in a few words, with its last day where it has a start."""
    return (
        f"{plan.gpus:,} × {plan.accelerator}, {dated(plan.wall_seconds, start)}, {format_money(plan.cost_usd)}"
        f" ({plan.placement.title})"
    )
