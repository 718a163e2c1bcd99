"""What a problem wants most, and what decides among plans that are about as good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from planner.problem.quantities import Money, Share
from planner.problem.schema_base import Rule, SchemaModel

Objective = Literal["cost", "time", "tokens"]


class Preference(SchemaModel):
    """What decides among plans that are about as good by the objective."""

    within: Share = 0.0
    """Share by which the objective may be worse than its optimum, such as `1%`."""
    then: Literal["time", "cost"] | None = None
    """What is best among those plans."""
    value_of_day: Money | None = None
    """What a day sooner is worth, such as `$20k`: cost and time are weighed by it; only with objective cost."""


def split_objective(data: object) -> object:
    """`objective: {cost, within: 1%, then: time}` as an objective and a preference."""
    stated = data.get("objective") if isinstance(data, dict) else None
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
    if weighs == ranks:
        yield Rule(("objective",), "a preference needs then or value_of_day, and not both", example)
    elif weighs and objective != "cost":
        yield Rule(("objective",), "value_of_day requires objective cost", "write {cost, value_of_day: $20k}")
    elif ranks and objective in {"tokens", preference.then}:
        yield Rule(("objective",), f"then must be the other one of cost and time, not {preference.then}", example)
