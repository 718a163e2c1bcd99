"""Plans near the optimum that are much better otherwise, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from planner.explore.near_optimal import SURE, NearOptimal
from planner.plans.plan import Plan
from planner.report.relaxations import in_words, quoted
from planner.units import format_duration, format_money, format_number, usd_text


def near_optimal_lines(found: Sequence[NearOptimal], best: Plan) -> Iterator[str]:
    """A line for each: what it costs or takes more, what that buys, the plan, and the `--set` that makes it."""
    for one in found:
        sets = " ".join(f"--set {quoted(text)}" for text in one.sets)
        yield f"Near the optimum: {_price(one.plan, best)} {_gain(one, best)}: {in_words(one.plan)}; {sets}"


def _price(plan: Plan, best: Plan) -> str:
    """What is given up, in money where it costs more, else in time."""
    more = plan.cost_usd - best.cost_usd
    if more > 0:
        return f"{format_money(more)} more ({format_number(100 * float(more) / float(best.cost_usd))}%)"
    later = plan.wall_seconds - best.wall_seconds
    return f"{format_duration(later)} more" if later > 0 else "for no more"


def _gain(one: NearOptimal, best: Plan) -> str:
    """What that buys."""
    match one.gain:
        case "time":
            return f"ends {format_duration(best.wall_seconds - one.plan.wall_seconds)} sooner"
        case "cost":
            return f"saves {format_money(best.cost_usd - one.plan.cost_usd)}"
        case "gpus":
            return f"needs {best.gpus - one.plan.gpus:,} GPUs less"
        case "certainty":
            return f"keeps the deadline in {SURE:.0%} of runs, the estimate being right"


def near_optimal_documents(found: Sequence[NearOptimal]) -> list[dict[str, Any]]:
    """The `near_optimal` of the JSON document."""
    return [
        {
            "better_in": one.gain,
            "accelerator": one.plan.accelerator,
            "gpus": one.plan.gpus,
            "wall_seconds": one.plan.wall_seconds,
            "cost_usd": usd_text(one.plan.cost_usd),
            "set": list(one.sets),
        }
        for one in found
    ]
