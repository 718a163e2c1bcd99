"""The plan in an answer's document: what is bought, the layout of each phase, time, cost and how certain they are."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Annotated, Literal

from pydantic import Field

from planner.market.money import Payment
from planner.market.purchase_options import Policy
from planner.plans.document_parts import Amount, GrantPart, Money, Part, PlacementPart, Share
from planner.plans.phase_part import MovePart, NodePrices, PhasePart, PurchaseLine


class Quantiles(Part):
    """5th, 50th and 95th percentile of a time in seconds."""

    p5: float
    p50: float
    p95: float


class MoneyQuantiles(Part):
    """5th, 50th and 95th percentile of a cost."""

    p5: Money
    p50: Money
    p95: Money


class QuantilesMethod(Part):
    """How quantiles were found."""

    method: str
    """`closed forms` or `replay`."""
    runs: int


class SpotPart(Part):
    """What is known or assumed of the place's spot nodes."""

    availability: Share
    preemptions_per_node_day: float
    together: float
    correlation: float
    traced: bool
    """Whether the figures are recorded or stated, not those of a proxy device."""


class SpotGang(Part):
    """All spot nodes of the largest phase at once, in shares of the time."""

    nodes: int
    availability: Share
    availability_range: tuple[float, float]
    recorded_nodes: int
    extrapolated: bool
    wall_seconds_range: tuple[float, float]


class SpotStress(Part):
    """Expected time and cost at half the availability and twice the preemptions of spot nodes."""

    wall_seconds: float
    cost_usd: Money


class CapacityPart(Part):
    """Most nodes that the place has at a time; null without a limit."""

    nodes: int | None
    spot_nodes: int | None
    basis: str
    """`stated`, `granted`, `assumed` or `unlimited`."""


class IdlePart(Part):
    """Days on which a phase does not run although the one before has ended."""

    phase: str
    is_pause: bool
    """Whether it has begun before: its nodes are away. Otherwise it waits for its nodes or a better day."""
    start: date
    until: date
    """The day on which it runs again."""
    seconds: float


class SchedulePart(Part):
    """The days of a plan, as expected; a day counts from its midnight, the last one until the midnight after it."""

    start: date
    """From which times are counted."""
    begin: date
    """The day on which the first phase begins."""
    end: date
    """The day on which the last one ends."""
    deadline: date | None
    """The last day that the tighter of `schedule.deadline` and `limits.deadline` allows."""
    deadline_by: str | None
    """Which of them that is."""
    other_deadline: date | None
    """What the other one allows, where both are stated."""
    idle: tuple[IdlePart, ...] = ()
    """When phases wait or pause."""


class MonthPart(Part):
    """What is due in a calendar month."""

    month: str
    """Such as `2027-01`."""
    usd: Money


class QuarterPart(Part):
    """What is due in a calendar quarter."""

    quarter: str
    """Such as `2027-Q1`."""
    usd: Money


class CommittedPart(Part):
    """What is paid already and no part of the bill."""

    name: str
    usd: Money


class SpendPart(Part):
    """The bill by when it is due, and what stands beside it."""

    months: tuple[MonthPart, ...]
    """They add up to the bill; none without a `schedule`."""
    quarters: tuple[QuarterPart, ...]
    idle_usd: Money
    """What of the bill is for reserved hours in which no phase uses the nodes."""
    committed: tuple[CommittedPart, ...]
    """What is paid already, whatever is decided."""


class PlanFigures(Part):
    """A plan without the figures that failures and preemptions draw: where, on what, how, and for how much."""

    accelerator: str
    placement: PlacementPart
    policy: Policy
    """What is done when spot nodes go."""
    gpus: int
    nodes: int
    gpus_per_node: int
    network_gbit_s: float
    """Per device between nodes; 0 where they are not connected."""
    gpu_hours: float
    paid_gpu_hours: float
    """On the bill: without those in which spot nodes are away, with all of a term."""
    wall_seconds: float
    cost_usd: Money
    prices: NodePrices
    committed_seconds: float
    purchases: tuple[PurchaseLine, ...]
    phases: tuple[PhasePart, ...]
    moves: tuple[MovePart, ...] = ()
    """What is carried between places, where phases run in several."""
    schedule: SchedulePart | None = None
    """Null where the problem states no `schedule`."""
    spend: SpendPart

    @property
    def start(self) -> date | None:
        """The first day of the schedule, where there is one."""
        return self.schedule.start if self.schedule else None

    @property
    def payments(self) -> tuple[Payment, ...]:
        """Every line of the bill with when it is due."""
        purchases = (Payment(one.cost_usd, one.spans) for one in self.purchases)
        return (*purchases, *(Payment(one.cost_usd, one.spans) for one in self.moves))

    @property
    def tokens(self) -> int:
        """Tokens of the first phase."""
        return self.phases[0].tokens

    @property
    def stays(self) -> tuple[tuple[PhasePart, ...], ...]:
        """The phases by stay, in their order."""
        return tuple(tuple(phases) for _, phases in groupby(self.phases, key=lambda one: one.stay))

    @property
    def is_on_spot(self) -> bool:
        """Whether the job stays in one place and buys spot nodes there."""
        return len(self.stays) == 1 and self.policy != "steady"


class PlanPart(PlanFigures):
    """A plan, and how certain its time and cost are."""

    probability_in_time: Share | None
    """With all that `counts` says."""
    probability_in_time_luck_only: Share | None = None
    """With failures and preemptions alone, the estimate being right."""
    probability_in_time_with_estimate_error: Share | None
    probability_in_time_with_spot_uncertainty: Share | None = None
    """With the estimate's error and how far the figures of spot nodes are known."""
    wall_seconds_quantiles: Quantiles
    cost_usd_quantiles: MoneyQuantiles
    quantiles_by: QuantilesMethod
    deadline_seconds: float | None
    confidence: float | None
    kept_seconds: float | None = None
    """Wall time that is kept with `confidence`; null without one."""
    probability_within_budget: Share | None = None
    """With all that `counts` says; null without a budget."""
    probability_within_budget_luck_only: Share | None = None
    """With failures and preemptions alone, the estimate being right."""
    budget_usd: Money | None = None
    budget_confidence: float | None = None
    promised_usd: Money | None = None
    """Cost that is kept with `budget_confidence`; null without one."""
    counts: str = "luck"
    """What probabilities count: `everything`, the estimate's own error too, or `luck`."""
    failures_per_1000_node_days: float
    spot: SpotPart | None
    spot_gang: SpotGang | None
    spot_stress: SpotStress | None = None
    capacity: CapacityPart


class LearnedPart(Part):
    """What own runs say of the plan."""

    own_runs: int
    step_factor: float
    """Seconds of a step over what they would be without own runs."""
    deviation_factor: float
    """Width of the prediction interval over what it would be without them."""


class EstimatePart(Part):
    """The prediction interval of a plan's wall time."""

    confidence: float
    log_deviation: float
    log_scale: float | None = None
    """Scale of Student's t with four degrees of freedom that log(real/estimated time) follows."""
    log_median: float | None = None
    """Its median."""
    wall_seconds: tuple[float, float]
    published_runs_on_device: bool
    learned: LearnedPart | None = None
    """What own runs changed; null without a calibration that `plan learn` wrote."""


class BetterWithGrantPart(Part):
    """A better plan, on nodes that would have to be granted."""

    accelerator: str
    placement: PlacementPart
    policy: str
    gpus: int
    nodes: int
    gpu_hours: float
    paid_gpu_hours: float
    wall_seconds: float
    cost_usd: Money
    then: str
    """The plan in a few words: devices, time, cost and place."""
    grant: GrantPart


class ExpectedCostPart(Part):
    """Under `objective: expected cost` the best plan of an accelerator, with what being late costs by expectation."""

    accelerator: str
    gpus: int
    wall_seconds: float
    cost_usd: Money
    """Its bill."""
    late_probability: Share
    late_seconds: float
    """By expectation, over all outcomes."""
    late_usd: Money
    expected_usd: Money
    """Both together."""


class NearOptimalPart(Part):
    """A plan hardly worse by the objective and much better in one other respect."""

    better_in: Literal["time", "cost", "gpus", "certainty"]
    accelerator: str
    placement: PlacementPart
    gpus: int
    wall_seconds: float
    cost_usd: Money
    confidence: Share | None = None
    """With which it keeps the deadline, where that is what is better."""
    then: str
    """The plan in a few words: devices, time, cost and place."""
    sets: Annotated[tuple[str, ...], Field(alias="set")]
    """The `--set` that makes it the answer."""


class AlternativePart(Part):
    """The best plan of another accelerator, or why it has none."""

    accelerator: str
    reason: str
    difference: Amount
    within_error: bool
    estimate: EstimatePart | None
    plan: PlanPart | None
