"""The spot price at which the plan would change, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planner.explore.spot_break_even import SpotBreakEven
from planner.plans.plan import Plan
from planner.report.relaxations import in_words
from planner.units import format_number, usd_text


def turning_lines(found: SpotBreakEven | None) -> Iterator[str]:
    """What it takes for the plan to change."""
    if found is None:
        return
    if found.factor >= 1:
        yield (
            f"Nodes without preemptions become cheaper where spot costs more than ${found.usd_per_gpu_hour:.2f}/GPU-h "
            f"(×{found.factor:.3g}): then {in_words(found.without_spot)}."
        )
        if found.preemptions_per_node_day is not None:
            rate = format_number(found.preemptions_per_node_day)
            yield f"They do at today's prices above {rate} preemptions per node and day, the layout unchanged."
        return
    yield (
        f"Spot nodes become cheaper below ${found.usd_per_gpu_hour:.2f}/GPU-h (×{found.factor:.3g}): "
        f"then {_without_cost(found.with_spot)}."
    )


def _without_cost(plan: Plan) -> str:
    """A plan in a few words, at prices that are not today's."""
    policy = plan.purchase_option.spot_policy.policy
    return f"{plan.gpus:,} × {plan.accelerator}, policy {policy} ({plan.placement.title})"


def turning_document(found: SpotBreakEven | None) -> dict[str, Any] | None:
    """The `spot_turning_point` of the JSON document; money is decimal strings."""
    if found is None:
        return None
    return {
        "spot_price_factor": found.factor,
        "usd_per_gpu_hour": usd_text(found.usd_per_gpu_hour),
        "preemptions_per_node_day": found.preemptions_per_node_day,
        "with_spot": _without_cost(found.with_spot),
        "without_spot": in_words(found.without_spot),
    }
