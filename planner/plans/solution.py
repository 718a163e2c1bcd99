"""What came out of the search: decisions in whole numbers, and how good they provably are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from planner.market.purchase_options import PurchaseOption
from planner.plans.choices import PhaseModes


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

    columns: PhaseModes
    index: int
    """The layout among the columns."""
    steps: int
    on_demand: int
    spot: int
    reserved: int
    first_day: int | None = None
    """Days after the first one until whose end the phase waits; None: it begins at once."""


@dataclass(frozen=True)
class Stay:
    """Phases one after another that run in one place and are bought together."""

    purchase_option: PurchaseOption
    first: int
    """Index of the phase that it begins with."""
    last: int
    reserved: int
    """Nodes reserved from its first phase to its last."""

    @property
    def phases(self) -> range:
        """Indices of its phases."""
        return range(self.first, self.last + 1)

    def begins_with(self, phase: int) -> bool:
        """Whether a phase starts at a random time among failures: the job's first, or one whose spot nodes are new."""
        is_spot = self.purchase_option.spot_policy.policy != "steady"
        return phase == self.first and (phase == 0 or is_spot)


@dataclass(frozen=True)
class Decision:
    """What was decided; every figure of the plan follows from it by the equations."""

    stays: tuple[Stay, ...]
    """One after another; together they have every phase once."""
    phases: tuple[PhaseDecision, ...]


@dataclass(frozen=True)
class Solution:
    """The end of a search."""

    status: Status
    decision: Decision | None = None
    """What was decided in integers, whose limits are a little wider: the plan may exceed a limit by rounding."""
    bound: float | None = None
    """No plan costs less dollars or takes fewer seconds; None where there is none, or nothing is known."""
    error: float = 0.0
    """Bound of the relative rounding error."""
    loosened: float = 0.0
    """Part of the deadline by which posting its probability by cases may loosen it."""
    seconds: float = 0.0
    """Time that the search took."""
