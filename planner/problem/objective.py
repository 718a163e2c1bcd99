"""What a problem wants most, and what decides among plans that are about as good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

from planner.problem.quantities import DailyCost, Duration, Money, Share
from planner.problem.schema_base import Rule, SchemaModel

Objective = Literal["cost", "time", "tokens"]
EXPECTED_COST: Final = "expected cost"
"""The objective that weighs a bill against the cost of being late."""
OBJECTIVE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"enum": [*get_args(Objective), EXPECTED_COST]}, {"type": "object"}],
    "examples": ["time", EXPECTED_COST, "{cost, within: 1%, then: time}"],
}
DEADLINE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string"}, {"type": "object"}],
    "examples": ["60d", "{at: 60d, late: $50k/day}"],
}


class Lateness(SchemaModel):
    """A deadline that may be missed at a cost."""

    at: Duration
    """Wall time of all phases together from which on the job is late, such as `60d`."""
    late: DailyCost
    """What each day beyond it costs, such as `$50k/day`."""


class Preference(SchemaModel):
    """What decides among plans that are about as good by the objective."""

    within: Share = 0.0
    """Share by which the objective may be worse than its optimum, such as `1%`."""
    then: Literal["time", "cost"] | None = None
    """What is best among those plans."""
    value_of_day: Money | None = None
    """What a day sooner is worth, such as `$20k`: cost and time are weighed by it; only with objective cost."""
    expected: bool = False
    """Whether the cost of being late counts by expectation: `objective: expected cost`; default no."""


def split_deadline(data: object) -> object:
    """`deadline: {at: 60d, late: $50k/day}` among the limits as a cost of being late."""
    if isinstance(data, dict) and isinstance(data.get("deadline"), dict):
        return {key: value for key, value in data.items() if key != "deadline"} | {"lateness": data["deadline"]}
    return data


def split_objective(data: object) -> object:
    """`objective: {cost, within: 1%, then: time}` or `expected cost` as an objective and a preference."""
    stated = data.get("objective") if isinstance(data, dict) else None
    if isinstance(data, dict) and stated == EXPECTED_COST:
        return data | {"objective": "cost", "preference": {"expected": True}}
    if not isinstance(data, dict) or not isinstance(stated, dict):
        return data
    names = [name for name in get_args(Objective) if name in stated]
    preference = {key: value for key, value in stated.items() if key not in names}
    name = names[0] if len(names) == 1 else stated if names or set(stated) - set(Preference.model_fields) else "cost"
    return data | {"objective": name, "preference": preference}


def preference_rules(objective: Objective, preference: Preference) -> Iterator[Rule]:
    """The rules of a preference that do not hold."""
    example = "write objective: {cost, within: 1%, then: time}"
    weighs, ranks = preference.value_of_day is not None, preference.then is not None
    if weighs + ranks + preference.expected != 1:
        yield Rule(("objective",), "a preference needs one of then, value_of_day and expected", example)
    elif preference.expected and objective != "cost":
        yield Rule(("objective",), "expected requires objective cost", f"write objective: {EXPECTED_COST}")
    elif weighs and objective != "cost":
        yield Rule(("objective",), "value_of_day requires objective cost", "write {cost, value_of_day: $20k}")
    elif ranks and objective in {"tokens", preference.then}:
        yield Rule(("objective",), f"then must be the other one of cost and time, not {preference.then}", example)


def lateness_rules(lateness: Lateness | None, preference: Preference | None) -> Iterator[Rule]:
    """A cost of being late and the objective that weighs it need each other."""
    if (lateness is not None) != (preference is not None and preference.expected):
        message = f"objective {EXPECTED_COST} and limits.deadline with late need each other"
        fix = f"write objective: {EXPECTED_COST} and limits.deadline: {{at: 60d, late: $50k/day}}"
        yield Rule(("objective",), message, fix)
