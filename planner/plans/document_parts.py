"""Parts of an answer's document: what was asked, what rules, what would change it, and on what it rests."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.market.places import place_title
from planner.problem.objective import Objective as ObjectiveName


class Part(BaseModel):
    """Base of every part: immutable; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, defer_build=True, allow_inf_nan=False)


Money = Annotated[Decimal, Field(examples=["4539751.06"])]
"""US dollars."""
Quantity = Decimal | float
"""Money where the unit is USD, a number otherwise."""
Amount = Quantity | None
Share = Annotated[float, Field(ge=0, le=1)]


class Objective(Part):
    """What was asked for, what was reached, and what no plan beats."""

    name: ObjectiveName
    value: Amount
    bound: Amount
    gap: float | None
    """Distance of value and bound as a share of the value."""


class PlacementPart(Part):
    """Where nodes are."""

    cloud: str
    region: str
    zone: str
    instance_type: str

    @property
    def title(self) -> str:
        """The place on one line; an own offer is called by its name."""
        return place_title(self.cloud, self.region, self.zone, self.instance_type)


class GrantPart(Part):
    """Nodes that a cloud would have to grant before a plan can be had."""

    cloud: str
    place: str
    kind: str
    """`on-demand` or `spot`."""
    nodes: int
    sold: int
    """Nodes that can be had without a contract."""
    basis: str
    """`published`, `assumed` or `granted`."""
    sets: Annotated[tuple[str, ...], Field(alias="set")]

    @property
    def in_words(self) -> str:
        """What has to be asked for: `needs 124 nodes in us-central1: ask nebius first`."""
        kind = "spot nodes" if self.kind == "spot" else "nodes"
        return f"needs {self.nodes:,} {kind} in {self.place or 'one zone'}: ask {self.cloud} first"


class AssumptionPart(Part):
    """One thing that the figures rest on."""

    name: str
    value: str
    stated: bool
    """Whether the problem says so; otherwise it is a default or a figure of the catalogs."""
    dates: tuple[str, ...] = ()
    """Of the price that it is about; of several the newest, the middle and the oldest."""


class RuledOutPart(Part):
    """An accelerator without any plan, and why, where no accelerator has one."""

    accelerator: str
    reason: str


class PinBlamePart(Part):
    """A pin that leaves a phase without any layout, why, and the nearest values that do not."""

    phase: str
    pin: str
    value: str
    why: str
    nearest: tuple[int, ...]

    @property
    def text(self) -> str:
        """The blame in a sentence."""
        helps = " or ".join(map(str, self.nearest))
        fix = f"; nearest that do not: {helps}" if self.nearest else ""
        return f"layout.{self.pin} {self.value} rules out every layout of {self.phase}: {self.why}{fix}"


class GainPart(Part):
    """What a better plan brings; never negative."""

    gain: Quantity
    unit: Literal["USD", "s", "tokens"]
    """Dollars saved, seconds sooner, or tokens more."""


class NextPointPart(Part):
    """The next plan on the frontier: the least more money that ends the job sooner."""

    more: Money
    gain: float
    unit: Literal["s"]


class WorthPart(GainPart):
    """What a little more of a limit, or of what is spent, brings."""

    more: Quantity


class MoneyForTimePart(WorthPart):
    """What a little more money brings where it buys time."""

    following: Annotated[NextPointPart | None, Field(alias="next")]
    """Null where no amount buys any."""


Worth = MoneyForTimePart | WorthPart


class SensitivityPart(Part):
    """What a little more of a limit brings, stated or not."""

    limit: str
    worth: Worth


class RulePart(Part):
    """What loosening a rule on layouts or nodes would bring."""

    rule: str
    """The user's key, or keys."""
    before: Annotated[str, Field(alias="from")]
    after: Annotated[str, Field(alias="to")]
    worth: GainPart
    more_gib: float | None
    """Memory of each device that the better plan takes on top; null for rules that are not on memory."""
    sets: Annotated[tuple[str, ...], Field(alias="set")]


class LimitPart(Part):
    """A limit, what the plan reaches, what it leaves, and what a little more would bring."""

    name: str
    unit: str
    bound: Quantity
    value: Amount
    slack: Amount
    worth: Worth | None


class RelaxationPart(Part):
    """The smallest change of one limit that allows a plan; `to` is null where no amount helps."""

    limit: str
    unit: str
    before: Annotated[str | float | None, Field(alias="from")]
    after: Annotated[str | float | None, Field(alias="to")]
    delta: str | float | None
    then: str | None
    sets: Annotated[tuple[str, ...], Field(alias="set")]

    @property
    def amounts(self) -> tuple[str | float | None, str | float | None]:
        """Before and after as numbers where they are amounts; texts stay texts."""
        first, second = (self._number(one) for one in (self.before, self.after))
        return first, second

    @property
    def change(self) -> float | None:
        """How much more, or less, of an amount."""
        before, after = self.amounts
        return after - before if isinstance(after, float) and isinstance(before, float) else None

    def _number(self, value: str | float | None) -> str | float | None:
        return float(value) if self.unit == "USD" and value is not None else value


class SpotTurningPart(Part):
    """Where the cheapest plans with and without spot nodes cost the same, within all limits."""

    spot_price_factor: float
    """On all spot prices of today."""
    usd_per_gpu_hour: Money
    preemptions_per_node_day: float | None
    with_spot: str
    without_spot: str


class DecidingPricePart(Part):
    """The price on which the plan rests most, and how far it may rise before another plan is cheaper."""

    place: str
    kind: Literal["on_demand", "spot", "reserved"]
    usd_per_gpu_hour: Money
    share: float
    """Of the bill."""
    date: str | None
    """Of the price; null where the problem states it."""
    days: int | None
    """Since that date."""
    is_old: bool
    """Whether that is more than 90 days."""
    others: int = 0
    """Other regions and zones of the cloud in which the same machine has the same price."""
    rise: float | None
    """Share by which it may rise until `then` costs as much, or without one until the budget is spent; null where
    nothing ends it, or nobody asked."""
    rises_to_usd_per_gpu_hour: Money | None
    then: str | None
    """The cheapest plan that does not pay it, in a few words."""


class SolverPart(Part):
    """What the search covered and how exact it is."""

    search_space: int
    largest_gpus: int
    layouts: int
    options: int
    purchase_options: Annotated[int, Field(alias="purchase options")]
    search_seconds: float
    """Wall time of the search for the proof."""
    bound: Amount
    rounding_error: float
    unsearched: tuple[str, ...]


class CatalogPart(Part):
    """How old the prices are and where they come from."""

    date: str
    sources: tuple[str, ...]


class ModelPart(Part):
    """What is trained."""

    name: str
    parameters: int
    active_parameters: int
    """Used for a token; embedding and head included."""
    architecture: dict[str, Any]
    """The keys of an inline `model: {…}`."""


class SoftwarePart(Part):
    """The training stack that the figures hold for."""

    stack: str
    release: str
    """Year and month."""
    stated: bool
    """Whether the problem names the stack."""
