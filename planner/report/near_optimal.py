"""Plans near the optimum that are much better otherwise, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.plans.plan_part import NearOptimalPart, PlanFigures
from planner.report.relaxations import set_arguments
from planner.units import format_duration, format_money, format_number


def near_optimal_lines(found: Sequence[NearOptimalPart], best: PlanFigures) -> Iterator[str]:
    """A line for each: what it costs or takes more, what that buys, the plan, and the `--set` that makes it."""
    for one in found:
        yield f"Near the optimum: {_price(one, best)} {_gain(one, best)}: {one.then}; {set_arguments(one.sets)}"


def _price(plan: NearOptimalPart, best: PlanFigures) -> str:
    """What is given up, in money where it costs more, else in time."""
    more = plan.cost_usd - best.cost_usd
    if more > 0:
        return f"{format_money(more)} more ({format_number(100 * float(more) / float(best.cost_usd))}%)"
    later = plan.wall_seconds - best.wall_seconds
    return f"{format_duration(later)} more" if later > 0 else "for no more"


def _gain(plan: NearOptimalPart, best: PlanFigures) -> str:
    """What that buys."""
    match plan.better_in:
        case "time":
            return f"ends {format_duration(best.wall_seconds - plan.wall_seconds)} sooner"
        case "cost":
            return f"saves {format_money(best.cost_usd - plan.cost_usd)}"
        case "gpus":
            return f"needs {best.gpus - plan.gpus:,} GPUs less"
        case "certainty":
            return f"keeps the deadline in {plan.confidence:.0%} of runs, the estimate being right"
