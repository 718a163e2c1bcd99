"""What is asked around an answer: the worth of a little more of each limit, or the smallest relaxations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planner.explore.answer import Answer
from planner.explore.capacity import BetterWithGrant, Grant, better_with_grant, grant_for
from planner.explore.deciding_price import DecidingPrice, deciding_price
from planner.explore.expected_cost import ExpectedCost
from planner.explore.near_optimal import WITHIN, NearOptimal, near_optimal
from planner.explore.relaxations import Relaxation, relaxations
from planner.explore.room import Room
from planner.explore.rule_worth import RuleWorth, rule_worths
from planner.explore.sensitivity import Sensitivity, sensitivities
from planner.explore.spot_break_even import SpotBreakEven, spot_break_even
from planner.plans.solution import Status


@dataclass(frozen=True)
class Surroundings:
    """What was asked around an answer."""

    worth: Sequence[Sensitivity] = ()
    rules: Sequence[RuleWorth] = ()
    """The worth of rules on layouts and nodes."""
    gives: Sequence[Relaxation] = ()
    turning: SpotBreakEven | None = None
    deciding: DecidingPrice | None = None
    """The price on which the plan rests most."""
    left_out: Sequence[str] = ()
    """What there was no time to ask."""
    grant: Grant | None = None
    """What a cloud must grant before the plan can be had."""
    beyond: BetterWithGrant | None = None
    """A better plan on nodes that would have to be granted."""
    near: Sequence[NearOptimal] = ()
    """Plans hardly worse by the objective and much better otherwise."""
    expected: Sequence[ExpectedCost] = ()
    """Under `objective: expected cost` the best plan of each accelerator, the best first."""


NOTHING: Final = Surroundings()
"""Nothing was asked around the answer."""


def surroundings(room: Room, found: Answer, within: float = WITHIN) -> Surroundings:
    """What a little more of each limit is worth and where spot turns, or the smallest relaxations."""
    left_out = room.time_budget.left_out
    if found.status is Status.INFEASIBLE:
        return Surroundings(gives=relaxations(found.problem, room.time_budget), left_out=left_out)
    if found.plan is None:
        return Surroundings()
    worth, plan, turning = sensitivities(room, found.plan), found.plan, None
    if found.problem.objective == "cost" and "spot" in found.problem.market.purchase:
        turning = room.time_budget.ask("market.spot_price", lambda: spot_break_even(found.choices, plan))
    deciding = room.time_budget.ask("market.prices", lambda: deciding_price(found, room.time_budget.clock))
    beyond = room.time_budget.ask("market.capacity", lambda: better_with_grant(found.problem, plan, room))
    grant = grant_for(found.asked, plan) if found.asked else None
    near = near_optimal(room, plan, within)
    rules = rule_worths(room, found.choices, plan) if found.rules is None else found.rules
    return Surroundings(
        worth,
        rules=rules,
        turning=turning,
        deciding=deciding,
        left_out=left_out,
        grant=grant,
        beyond=beyond,
        near=near,
    )
