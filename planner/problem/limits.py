"""The limits that a plan must keep to, and how sure it must be: what becomes constraints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, WithJsonSchema, model_validator

from planner.problem.objective import DEADLINE_SCHEMA, Lateness, split_deadline
from planner.problem.quantities import Duration, Factor, Money, Percentile, Share
from planner.problem.schema_base import Rule, SchemaModel
from planner.problem.training import MEMORY_CONFIDENCE

MOST_CONFIDENT = 0.9999
"""Beyond, nothing that is known of spot nodes or memory says anything."""
LARGEST_CLUSTER: Final = 1_048_576
"""Most devices that `limits.gpus` may state."""


class Limits(SchemaModel):
    """What the plan must keep to; each is one constraint that can be relaxed, priced and explained."""

    deadline: Annotated[Duration | None, WithJsonSchema(DEADLINE_SCHEMA)] = None
    """Longest wall time of all phases together, such as `60d`; default: none.
    `{at: 60d, late: $50k/day}` may be missed at that cost, for `objective: expected cost`."""
    lateness: Lateness | None = None
    """The same cost of missing it written apart: `{at: 60d, late: $50k/day}`; default: none."""
    budget: Money | None = None
    """Highest cost, such as `6 MUSD`; default: none."""
    gpus: Annotated[int, Field(ge=1, le=LARGEST_CLUSTER, strict=True, examples=[1024])] | None = None
    """Most devices at a time; default: what the offers have, searched up to 65,536."""
    memory_headroom: Share = 0.1
    """Share of the device memory that stays free of the expected peak; default 10%."""
    memory_confidence: Share = MEMORY_CONFIDENCE
    """Probability with which the real peak must fit the device, from 50%; default 90%."""
    growth: Factor = 1.0
    """The plan must still hold for a model so many times larger, such as `2x`; default 1."""

    @model_validator(mode="before")
    @classmethod
    def _deadline_is_split(cls, data: object) -> object:
        return split_deadline(data)

    def broken_rules(self) -> Iterator[Rule]:
        """The rules on single limits that their types do not state."""
        if self.growth < 1:
            yield Rule(("limits", "growth"), "growth must be at least 1x", "write growth: 2x")
        if self.memory_headroom >= 1:
            yield Rule(("limits", "memory_headroom"), "a headroom of 100% leaves no memory", "write 10%")
        if not 0.5 <= self.memory_confidence <= MOST_CONFIDENT:
            message = f"memory_confidence must be from 50% to {MOST_CONFIDENT:.2%}"
            yield Rule(("limits", "memory_confidence"), message, "write memory_confidence: 90%")
        if self.budget == 0:
            yield Rule(("limits", "budget"), "a budget of nothing buys nothing", "leave budget out or write $500k")


class Risk(SchemaModel):
    """How sure the plan must be."""

    confidence: Share | None = None
    """Probability with which the deadline must be met, such as `95%`, from 50%; default: met by expected values."""
    budget_confidence: Share | None = None
    """Probability with which the budget must hold, such as `90%`, from 50%; default: it holds by expected values."""
    counts: Literal["everything", "luck"] = "everything"
    """What `confidence` and `budget_confidence` count: `everything`, which is failures, spot nodes that go, and the
    estimate's own error, or `luck` without that error; default everything."""
    spare_nodes: Share = 0.0
    """Nodes bought on top to replace failed ones, as a share of those in use; default 0%."""
    spot_price: Percentile | None = None
    """Which percentile of a spot price's history to plan with, such as `p90`; default: the catalog's price."""

    def broken_rules(self) -> Iterator[Rule]:
        """The rules on single keys that their types do not state."""
        for name in ("confidence", "budget_confidence"):
            share = getattr(self, name)
            if share is not None and not 0.5 <= share <= MOST_CONFIDENT:
                message = f"{name} must be from 50% to {MOST_CONFIDENT:.2%}"
                yield Rule(("risk", name), message, f"write {name}: 95%")
