"""The spot price at which the plan would change, for people."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plans.document_parts import SpotTurningPart
from planner.units import format_number


def turning_lines(found: SpotTurningPart | None) -> Iterator[str]:
    """What it takes for the plan to change."""
    if found is None:
        return
    price = f"${found.usd_per_gpu_hour:.2f}/GPU-h (×{found.spot_price_factor:.3g})"
    if found.spot_price_factor < 1:
        yield f"Spot nodes become cheaper below {price}: then {found.with_spot}."
        return
    yield f"Nodes without preemptions become cheaper where spot costs more than {price}: then {found.without_spot}."
    if found.preemptions_per_node_day is not None:
        rate = format_number(found.preemptions_per_node_day)
        yield f"They do at today's prices above {rate} preemptions per node and day, the layout unchanged."
