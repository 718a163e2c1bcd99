"""What users can buy themselves: devices with their own price, quota and days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from planner.problem.calendar import (
    BlockOffer,
    Closure,
    PriceOrPeriods,
    PricePeriod,
    closure_rules,
    period_rules,
)
from planner.problem.quantities import (
    UNLIMITED,
    AcceleratorReference,
    Bandwidth,
    Count,
    Day,
    Duration,
    Name,
    Price,
    Rate,
    Share,
)
from planner.problem.schema_base import Rule, SchemaModel


class OwnOffer(SchemaModel):
    """Devices that the user can have, with their own price and quota."""

    name: Name
    """What the offer is called."""
    accelerator: AcceleratorReference
    """A name in the accelerator catalog, or the path of an accelerator record."""
    gpus_per_node: Annotated[int, Field(ge=1, le=10_000, strict=True, examples=[8])] | None = None
    """Devices per node; default: what is usual for the accelerator."""
    network: Bandwidth | None = None
    """Scale-out bandwidth per device, such as `400 Gb/s`; default: what is usual for the accelerator."""
    on_demand: PriceOrPeriods | None = None
    """Price, such as `$2.00/GPU-h` or `$16/node-h`, or prices by period:
    `[{price: $5.50/GPU-h}, {from: 2027-07-01, price: $4.75/GPU-h}]`; default: not sold this way."""
    spot: Price | None = None
    """Price of devices that may be taken away; default: not sold this way."""
    reserved: Price | None = None
    """Price of devices reserved for the job; default: not sold this way."""
    minimum_term: Duration | None = None
    """Shortest time for which reserved devices are paid, such as `90d`; default: the job's."""
    nodes: Count | None = None
    """Most nodes that can be had; default: as many as are asked for."""
    spot_nodes: Count | None = None
    """Most spot nodes that can be had; default: `nodes`."""
    availability: Share = 1.0
    """Share of the time in which one spot node can be had; default 100%. All nodes of a gang are there less often."""
    first: Annotated[Day | None, Field(alias="from")] = None
    """The first day on which its nodes are there, such as `2027-03-01`; default: from the start on."""
    until: Day | None = None
    """The last day on which they are there; default: no end."""
    closed: Annotated[tuple[Closure, ...], Field(max_length=1000)] = ()
    """Days on which nodes are away, such as `[{from: 2027-02-08, to: 2027-02-10, nodes: 24}]`: what runs on more than
    are left pauses; default: none."""
    blocks: Annotated[tuple[BlockOffer, ...], Field(max_length=20)] = ()
    """Capacity blocks that can be bought, paid by whole days, such as
    `[{sizes: [1, 2, 4, 8], days: 1..14, lead: 8 weeks, price: $4.10/GPU-h}]`; default: none."""
    preemptions_per_node_day: Rate | None = None
    """How often a spot node is taken away per day that it is there; default: what is typical in the catalogs.
    Nodes that are not always there go once a day where this says 0."""

    @property
    def periods(self) -> tuple[PricePeriod, ...]:
        """On-demand prices by period; none where there is one price."""
        return self.on_demand if isinstance(self.on_demand, tuple) else ()

    @property
    def has_calendar(self) -> bool:
        """Whether its nodes or its on-demand price change in time."""
        return bool(self.first or self.until or self.closed or self.periods)

    @property
    def is_dated(self) -> bool:
        """Whether it matters on which days it is used."""
        return self.has_calendar or bool(self.blocks)

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if not (self.on_demand or self.spot or self.reserved or self.blocks):
            yield Rule((), f"offer {self.name} has no price", "add for example on_demand: $2.00/GPU-h")
        stated = self.stated() & {"spot_nodes", "availability", "preemptions_per_node_day"}
        if not self.spot:
            for key in sorted(stated):
                yield Rule((key,), f"{key} requires a spot price", "add spot: $1.00/GPU-h")
        if self.minimum_term is not None and not self.reserved:
            yield Rule(("minimum_term",), "minimum_term requires a reserved price", "add reserved: $1.80/GPU-h")
        yield from closure_rules(self.closed, self.nodes or UNLIMITED)
        yield from period_rules(self.periods)
        if self.first and self.until and self.until < self.first:
            yield Rule(("until",), f"offer {self.name} ends before it begins", "write a later day")
        for index, block in enumerate(self.blocks):
            if min(block.sizes) > (self.nodes or UNLIMITED):
                message = f"no size of {block.name} is within the offer's {self.nodes:,} nodes"
                yield Rule(("blocks", index, "sizes"), message, "write smaller sizes")
        if self.availability == 0:
            yield Rule(("availability",), "availability must be more than zero", "leave out the spot price instead")
