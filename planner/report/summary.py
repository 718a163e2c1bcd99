"""A plan in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from planner.market.slices import sold_as
from planner.report.dates import dated
from planner.units import counted, format_money


class Titled(Protocol):
    """A place with a name."""

    @property
    def title(self) -> str:
        """The place on one line."""


class PhaseInShort(Protocol):
    """What a few words say of a phase."""

    @property
    def accelerator(self) -> str:
        """Name of the device."""

    @property
    def placement(self) -> Titled:
        """Where it runs."""

    @property
    def gpus(self) -> int:
        """Devices that compute."""

    @property
    def nodes(self) -> int:
        """Their nodes."""

    @property
    def spare_nodes(self) -> int:
        """Nodes beside them."""

    @property
    def wall_seconds(self) -> float:
        """Expected wall time."""


class InShort(Protocol):
    """What a few words say of a plan."""

    @property
    def phases(self) -> Sequence[PhaseInShort]:
        """In order."""

    @property
    def wall_seconds(self) -> float:
        """Expected wall time."""

    @property
    def cost_usd(self) -> Decimal:
        """US dollars."""

    @property
    def placement(self) -> Titled:
        """Where most device-hours are spent."""


def _bought_gpus(phase: PhaseInShort) -> int:
    """Devices of its nodes, spares included."""
    return phase.gpus // phase.nodes * (phase.nodes + phase.spare_nodes)


def _main(plan: InShort) -> PhaseInShort:
    """The phase with most device-hours."""
    return max(plan.phases, key=lambda phase: _bought_gpus(phase) * phase.wall_seconds)


def _beside(plan: InShort, main: PhaseInShort) -> Sequence[PhaseInShort]:
    """The phases that run where the main one does, itself among them."""
    where = main.accelerator, main.placement.title
    return [phase for phase in plan.phases if (phase.accelerator, phase.placement.title) == where]


def _up_to(most: int, main: int) -> str:
    """What another phase has in the same place, where that is more."""
    return f" (up to {most:,})" if most > main else ""


def gpus_text(plan: InShort) -> str:
    """Devices of the phase with most device-hours, and of the largest one in the same place where that is more."""
    main = _main(plan)
    gpus = _bought_gpus(main)
    return f"{gpus:,}{_up_to(max(_bought_gpus(phase) for phase in _beside(plan, main)), gpus)}"


def devices_text(plan: InShort) -> str:
    """`2,048 × H800-80GB-SXM`, or `992 (up to 1,984) × …` where another phase takes more of them."""
    return f"{gpus_text(plan)} × {_main(plan).accelerator}"


def nodes_text(plan: InShort, per_node: int) -> str:
    """Nodes of the same phases: `1 node of 8`, `124 nodes of 8 (up to 248)`; slices of chips where they are sold so."""
    main = _main(plan)
    nodes = main.nodes + main.spare_nodes
    if slices := sold_as(main.accelerator, per_node, nodes):
        return f"{counted(slices[0], 'slice')} of {counted(slices[1], 'chip')}"
    most = max(phase.nodes + phase.spare_nodes for phase in _beside(plan, main))
    return f"{counted(nodes, 'node')} of {per_node}{_up_to(most, nodes)}"


def in_words(plan: InShort, start: date | None) -> str:
    """A plan in a few words, with its last day where it has a start."""
    return (
        f"{devices_text(plan)}, {dated(plan.wall_seconds, start)}, {format_money(plan.cost_usd)}"
        f" ({plan.placement.title})"
    )
