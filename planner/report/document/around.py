"""What was asked around an answer, as it stands in documents; money is decimal strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.explore.capacity import Grant
from planner.explore.deciding_price import DecidingPrice
from planner.explore.expected_cost import ExpectedCost
from planner.explore.near_optimal import SURE, NearOptimal
from planner.explore.relaxations import Relaxation
from planner.explore.rule_worth import RuleWorth
from planner.explore.sensitivity import NAMES, Sensitivity
from planner.explore.spot_break_even import SpotBreakEven
from planner.explore.surroundings import Surroundings
from planner.plans.document_parts import RelaxationPart, SensitivityPart
from planner.plans.plan import Plan
from planner.report.document.plan import place_document
from planner.report.summary import devices_text, in_words
from planner.units import GIB, exact, figure_in_document, price_text, usd_text


def around_document(around: Surroundings) -> dict[str, Any]:
    """The keys of a document that say what was asked around its plan."""
    return {
        "rules": [_rule(one) for one in around.rules],
        "needs_grant": grant_document(around.grant),
        "near_optimal": [_near_optimal(one) for one in around.near],
        "expected_costs": [_expected_cost(one) for one in around.expected],
        "relaxations": relaxation_parts(around.gives),
        "spot_turning_point": _turning_point(around.turning),
        "deciding_price": _deciding_price(around.deciding),
        "left_out": list(around.left_out),
    }


def grant_document(grant: Grant | None) -> dict[str, Any] | None:
    """What a cloud would have to grant."""
    if grant is None:
        return None
    figures = {"cloud": grant.cloud, "place": grant.place, "kind": grant.kind, "nodes": grant.nodes, "sold": grant.sold}
    return figures | {"basis": grant.basis, "set": [grant.setting]}


def _expected_cost(found: ExpectedCost) -> dict[str, Any]:
    """A plan with what being late costs it by expectation."""
    return {
        "accelerator": found.plan.accelerator,
        "gpus": found.plan.gpus,
        "wall_seconds": found.plan.wall_seconds,
        "cost_usd": usd_text(found.plan.cost_usd),
        "late_probability": found.late_probability,
        "late_seconds": found.late_seconds,
        "late_usd": usd_text(found.late_usd),
        "expected_usd": usd_text(found.usd),
    }


def _near_optimal(near: NearOptimal) -> dict[str, Any]:
    """A plan that is hardly worse and much better otherwise."""
    return {
        "better_in": near.gain,
        "accelerator": near.plan.accelerator,
        "placement": place_document(near.plan.placement),
        "gpus": near.plan.gpus,
        "wall_seconds": near.plan.wall_seconds,
        "cost_usd": usd_text(near.plan.cost_usd),
        "confidence": SURE if near.gain == "certainty" else None,
        "then": in_words(near.plan, near.plan.start),
        "set": list(near.sets),
    }


def relaxation_parts(found: Sequence[Relaxation]) -> tuple[RelaxationPart, ...]:
    """Relaxations as they stand in documents; `to` is null where no amount helps."""
    return tuple(map(relaxation_part, found))


def relaxation_part(one: Relaxation) -> RelaxationPart:
    """One of them."""
    is_number = isinstance(one.after, float) and isinstance(one.before, float)
    change = one.after - one.before if is_number else None  # type: ignore[operator]
    return RelaxationPart.model_validate(
        {
            "limit": one.limit,
            "unit": one.unit,
            "from": _plain(one.unit, one.before),
            "to": _plain(one.unit, one.after),
            "delta": _plain(one.unit, change),
            "then": in_words(one.plan, one.plan.start) if one.plan else None,
            "set": one.sets,
        }
    )


def _plain(unit: str, value: float | str | None) -> float | str | None:
    return usd_text(value) if unit == "USD" and isinstance(value, float) else value


def sensitivity_part(found: Sensitivity) -> SensitivityPart:
    """What a little more of a limit brings; beside money that buys time the least amount that buys any."""
    worth: dict[str, Any] = {
        "more": figure_in_document(found.more, is_usd=found.quantity == "cost_usd"),
        "gain": figure_in_document(found.gain, is_usd=found.unit == "USD"),
        "unit": found.unit,
    }
    if (found.quantity, found.unit) == ("cost_usd", "s"):
        step = found.next_point
        worth["next"] = step and {"more": usd_text(step.more_usd), "gain": step.seconds_sooner, "unit": "s"}
    return SensitivityPart.model_validate({"limit": NAMES[found.quantity], "worth": worth})


def _rule(found: RuleWorth) -> dict[str, Any]:
    """What loosening a rule on layouts or nodes brings."""
    return {
        "rule": found.rule,
        "from": found.before,
        "to": found.after,
        "worth": {"gain": figure_in_document(found.gain, is_usd=found.unit == "USD"), "unit": found.unit},
        "more_gib": None if found.more_bytes is None else found.more_bytes / GIB,
        "set": found.sets,
    }


def _deciding_price(found: DecidingPrice | None) -> dict[str, Any] | None:
    """The price on which a plan rests."""
    if found is None:
        return None
    price, rise = found.usd_per_gpu_hour, found.rise
    return {
        "place": found.place,
        "kind": found.kind,
        "usd_per_gpu_hour": price_text(price),
        "share": found.share,
        "date": found.date or None,
        "days": found.days,
        "is_old": found.is_old,
        "others": found.others,
        "rise": rise,
        "rises_to_usd_per_gpu_hour": None if rise is None else price_text(round(price * (1 + exact(rise)), 6)),
        "then": None if found.rival is None else in_words(found.rival, found.rival.start),
    }


def _turning_point(found: SpotBreakEven | None) -> dict[str, Any] | None:
    """Where spot nodes stop, or begin, to be worth it."""
    if found is None:
        return None
    return {
        "spot_price_factor": found.factor,
        "usd_per_gpu_hour": usd_text(found.usd_per_gpu_hour),
        "preemptions_per_node_day": found.preemptions_per_node_day,
        "with_spot": _without_cost(found.with_spot),
        "without_spot": in_words(found.without_spot, found.without_spot.start),
    }


def _without_cost(plan: Plan) -> str:
    """A plan in a few words, at prices that are not today's."""
    policy = plan.purchase_option.spot_policy.policy
    return f"{devices_text(plan)}, policy {policy} ({plan.placement.title})"
