"""What the parts of a device's memory mean, in one sentence each."""

from __future__ import annotations

from planner.units import format_share


def memory_legend(confidence: float) -> str:
    """The parts that do not explain themselves; `confidence`: with which the peak must stay under the total."""
    return (
        "Buffers: logits, gathered layers. Reserve: allocator, driver context, communication library. "
        f"Margin: {format_share(confidence)} of real peaks stay under the total."
    )


def headroom_line(headroom: float) -> str:
    """What the headroom asks of the expected peak."""
    return f"Headroom: limits.memory_headroom keeps {format_share(headroom)} free of the expected peak."
