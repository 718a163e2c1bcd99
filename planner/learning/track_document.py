"""The JSON document of `plan track --json`, typed; money is a decimal string, every other figure in its name's unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from planner.learning.track import Forecast, PhaseTrack, Track
from planner.plans.document import FORMAT_VERSION
from planner.plans.document_parts import Money, Part, RelaxationPart, Share
from planner.units import usd_text


class TrackedPhase(Part):
    """One phase of the run."""

    name: str
    steps_done: int
    steps: int
    planned_step_seconds: float
    step_seconds: float
    """Of the steps that are left: measured, or as they are expected."""
    measured: bool


class SecondsForecast(Part):
    """Seconds from the beginning, at the end of the run."""

    planned: float
    expected: float
    range: tuple[float, float]
    """In which 80 % of such runs end."""


class MoneyForecast(Part):
    """US dollars in all."""

    planned: Money
    expected: Money
    range: tuple[Money, Money]


class RestPart(Part):
    """The rest of the run, planned anew."""

    sets: Annotated[tuple[str, ...], Field(alias="set")]
    """What makes a problem of it, on top of the plan's."""
    then: str | None
    """Its best plan in a few words; null where there is none."""
    relaxations: tuple[RelaxationPart, ...]
    """Without a plan: the smallest changes that allow one."""


class TrackDocument(Part):
    """Where a run under way stands against its plan."""

    format_version: int
    steps_done: int
    steps: int
    phases: tuple[TrackedPhase, ...]
    elapsed_seconds: float
    planned_elapsed_seconds: float
    """That the plan has for what is done."""
    spent_usd: Money
    planned_spent_usd: Money
    lost_seconds: float
    """Of the time that has passed, what is not steps."""
    failure_factor: float
    """Failures that are expected from now on, over the plan's."""
    end: SecondsForecast
    cost: MoneyForecast
    deadline_seconds: float | None
    probability_in_time: Share | None
    planned_probability_in_time: Share | None
    budget_usd: Money | None
    probability_within_budget: Share | None
    holds: bool
    """Whether deadline and budget still hold as surely as the plan was made for."""
    rest: RestPart | None
    """What would bring it back; null where it holds, or no time or money is left."""


def track_document(track: Track, rest: RestPart | None) -> TrackDocument:
    """The document of a run's standing."""
    plan = track.plan
    return TrackDocument(
        format_version=FORMAT_VERSION,
        steps_done=track.steps_done,
        steps=track.steps,
        phases=tuple(_phase(one) for one in track.phases),
        elapsed_seconds=track.elapsed_seconds,
        planned_elapsed_seconds=track.planned_seconds,
        lost_seconds=track.lost_seconds,
        failure_factor=track.failure_factor,
        end=SecondsForecast(planned=plan.wall_seconds, expected=track.end.expected, range=_range(track.end)),
        deadline_seconds=plan.deadline_seconds,
        probability_in_time=track.probability_in_time,
        planned_probability_in_time=plan.probability_in_time,
        probability_within_budget=track.probability_within_budget,
        holds=track.holds,
        rest=rest,
        **_money(track),
    )


def _money(track: Track) -> dict[str, Any]:
    """All that is dollars."""
    cost, budget = track.cost, track.budget_usd
    return {
        "spent_usd": usd_text(track.spent_usd),
        "planned_spent_usd": usd_text(track.planned_usd),
        "budget_usd": None if budget is None else usd_text(budget),
        "cost": {
            "planned": usd_text(track.plan.cost_usd),
            "expected": usd_text(cost.expected),
            "range": [usd_text(end) for end in _range(cost)],
        },
    }


def _range(found: Forecast) -> tuple[float, float]:
    return found.low, found.high


def _phase(one: PhaseTrack) -> TrackedPhase:
    return TrackedPhase(
        name=one.part.name,
        steps_done=one.done,
        steps=one.part.steps,
        planned_step_seconds=one.part.step_seconds,
        step_seconds=one.step_seconds,
        measured=one.pace is not None,
    )


def rest_part(sets: Sequence[str], then: str | None, relaxations: Sequence[RelaxationPart]) -> RestPart:
    """The rest, planned anew."""
    return RestPart(sets=tuple(sets), then=then, relaxations=tuple(relaxations))


def track_schema() -> dict[str, Any]:
    """The JSON schema of what `plan track --json` prints."""
    schema = TrackDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
