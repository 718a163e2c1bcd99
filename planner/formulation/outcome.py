"""What came out of the search: decisions in whole numbers, and how good they provably are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from planner.formulation.choices import Columns
from planner.market.tenders import Tender


class Status(Enum):
    """How far the search got."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    """A plan, not proven best: a time limit or an interruption came first."""
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"
    """Neither a plan nor a proof."""


@dataclass(frozen=True)
class PhaseDecision:
    """What was decided for one phase."""

    columns: Columns
    index: int
    """The layout among the columns."""
    steps: int
    on_demand: int
    spot: int
    reserved: int


@dataclass(frozen=True)
class Decision:
    """What was decided; every figure of the plan follows from it by the equations."""

    tender: Tender
    phases: tuple[PhaseDecision, ...]
    reserved: int
    """Nodes reserved from the first phase to the last."""


@dataclass(frozen=True)
class Outcome:
    """The end of a search."""

    status: Status
    decision: Decision | None = None
    bound: float | None = None
    """No plan is better than this: dollars, seconds or tokens; None without one."""
    claimed_seconds: float | None = None
    """Wall time of the plan in the model's fixed-point numbers, never less than the real one."""
    claimed_usd: float | None = None
    error: float = 0.0
    """Bound of the relative rounding error."""
    tightened: float = 0.0
    """Part of the deadline by which posting its probability by cases may tighten it."""
    seconds: float = 0.0
    """Time that the search took."""
    interrupted: bool = False
