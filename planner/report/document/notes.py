"""How sure a plan's figures are and what they rest on, in sentences: estimate, spot nodes, place, search and prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from planner.catalog.offers import load_offers
from planner.catalog.precisions import substitution, used_precision
from planner.catalog.reliability import spot_statement
from planner.explore.answer import Answer, largest_search
from planner.plans.plan import Plan
from planner.plans.plan_part import PlanPart, SpotGang
from planner.report.dates import dated
from planner.report.document.capacity import capacity_lines
from planner.report.document.estimate_error import estimate_error_lines
from planner.report.policies import POLICIES
from planner.units import (
    format_duration,
    format_money,
    format_number,
    format_probability,
    format_range,
    format_share,
)


def notes(answer: Answer, plan: Plan, part: PlanPart, estimate: dict[str, Any]) -> Iterator[str]:
    """The sentences in the order in which people ask; `part` and `estimate` are what the document says of the plan."""
    workload, device = answer.choices.workload, plan.machine.accelerator
    used = used_precision(workload.precision, device)
    if used is not workload.precision:
        yield f"Precision: {substitution(workload.precision, used, [device.name])}."
    yield from estimate_error_lines(answer, plan, estimate["wall_seconds"])
    idle = sum(one.seconds for one in part.schedule.idle) if part.schedule else 0.0
    overhead = part.wall_seconds - idle - sum(phase.steps * phase.step_seconds for phase in part.phases)
    yield (
        f"Start-up, checkpoints, failures and waiting take {format_duration(overhead)} "
        f"({format_share(overhead / part.wall_seconds)} of the wall time)."
    )
    yield from _risk(part)
    if part.policy != "steady":
        yield _spot(plan)
        yield from _gang(part.spot_gang)
        yield from _stress(part)
    yield from capacity_lines(plan)
    if searched := largest_search(answer):
        yield f"Searched up to {searched:,} GPUs: state limits.gpus to search more of what is offered."
    newest = max(one.date for one in load_offers())
    yield f"Prices: catalog of {newest}; {plan.placement.source} {plan.placement.date}".rstrip() + "."
    if answer.outcome.error:
        yield f"Fixed-point rounding changes the objective by at most {answer.outcome.error:.3%}."


def _risk(part: PlanPart) -> Iterator[str]:
    """Time and cost after failures and preemptions, and the probability of meeting the deadline."""
    seconds, usd = part.wall_seconds_quantiles, part.cost_usd_quantiles
    times = format_range(*(dated(one, part.start) for one in (seconds.p5, seconds.p95)))
    costs = format_range(*map(format_money, (usd.p5, usd.p95)))
    yield f"If the estimate is right, 90% of runs finish in {times} for {costs} after failures and preemptions."
    if part.quantiles_by.runs:
        yield (
            f"These are quantiles of {part.quantiles_by.runs:,} simulated runs, because so few interruptions are "
            "expected that closed forms are not accurate."
        )
    yield from _within_budget(part)
    expected, exact = part.probability_in_time_with_estimate_error, part.probability_in_time_luck_only
    if part.deadline_seconds is None or expected is None or exact is None:
        return
    meeting = f"Probability of meeting the {dated(part.deadline_seconds, part.start)} deadline"
    yield f"{meeting}: {format_probability(expected)} ({format_probability(exact)} if the estimate were exact)."
    known = part.probability_in_time_with_spot_uncertainty
    if part.is_on_spot and known is not None:
        yield f"Counting how well the spot figures are known too: {format_probability(known)}."


def _within_budget(part: PlanPart) -> Iterator[str]:
    """The probability that the budget holds, where it must hold with one."""
    likely, exact = part.probability_within_budget, part.probability_within_budget_luck_only
    if part.budget_confidence is not None and part.budget_usd is not None and likely is not None and exact is not None:
        staying = f"Probability of staying within the budget of {format_money(part.budget_usd)}"
        yield f"{staying}: {format_probability(likely)} ({format_probability(exact)} if the estimate were exact)."


def _spot(plan: Plan) -> str:
    """What is assumed about spot nodes."""
    spot_policy, figures = plan.purchase_option.spot_policy, plan.placement.spot_figures
    known = spot_statement(plan.accelerator) if figures is None or not figures.traced else "Figures stated or recorded."
    return (
        f"Spot nodes are there {format_share(spot_policy.availability)} of the time; while some are away "
        f"{POLICIES[spot_policy.policy]} (policy {spot_policy.policy}); "
        f"{format_number(spot_policy.preemptions_per_node_day)} preemptions per node and day of up-time. {known}"
    )


ALWAYS: Final = 1 - 1e-6
"""Share of the time from which on nodes count as always there."""


def _gang(gang: SpotGang | None) -> Iterator[str]:
    """How often the whole gang is there; nothing of one node, or of nodes that are always there."""
    if gang is None or gang.nodes == 1 or gang.availability_range[0] > ALWAYS:
        return
    share, low, high = (format_share(round(one, 2)) for one in (gang.availability, *gang.availability_range))
    told = f"All {gang.nodes:,} nodes at once are there {share} of the time"
    if not gang.extrapolated:
        yield f"{told}; by the recorded zones {low} to {high}."
        return
    least, most = map(format_duration, gang.wall_seconds_range)
    yield (
        f"{told}, extrapolated: gangs were recorded up to {gang.recorded_nodes} nodes, a beta-binomial law fitted to "
        f"them leaves {low} to {high}. Within that range the plan takes {least} to {most} on average."
    )


def _stress(part: PlanPart) -> Iterator[str]:
    """What the plan takes and costs under stress, and whether that is in time."""
    found, deadline = part.spot_stress, part.deadline_seconds
    if found is None:
        return
    late = "" if deadline is None else ": in time" if found.wall_seconds <= deadline else ": past the deadline"
    figures = f"it takes {dated(found.wall_seconds, part.start)} and costs {format_money(found.cost_usd)}"
    yield f"Stress: at half the availability and twice the preemptions {figures}{late}."
