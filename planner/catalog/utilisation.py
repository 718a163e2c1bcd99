"""Which share of peak published training runs reached, by kind of device, number format and model."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field

from planner.catalog.files import toml_records
from planner.catalog.records import Accelerator, Count, Share, SourcedRecord

ANY: Final = "any"
"""The architecture of records over all devices."""

Bits = Literal[16, 8]


class Utilisation(SourcedRecord):
    """MFU of the published runs of one kind: model FLOPs, causal attention counted half, over the dense peak."""

    architecture: str
    """The accelerator's generation, or `any`."""
    bits: Bits
    """Width of the linear layers' arithmetic."""
    moe: bool
    lower_quartile: Share
    median: Share
    upper_quartile: Share
    configurations: Count
    """Published configurations that were counted."""
    sources: Annotated[int, Field(ge=1)]
    """Publications that they come from."""

    @property
    def kind(self) -> str:
        """The runs that were counted, in words."""
        model = "mixture-of-experts" if self.moe else "dense"
        where = "all accelerators" if self.architecture == ANY else self.architecture
        return f"{self.configurations} published {model} {self.bits}-bit configurations on {where}"


@cache
def load_utilisation() -> tuple[Utilisation, ...]:
    """Every record of the catalog."""
    return toml_records(Utilisation, "utilisation.toml")


def typical_utilisation(accelerator: Accelerator, *, low_precision: bool, moe: bool) -> Utilisation:
    """The record of the accelerator's generation, or of all accelerators where too few runs of it are published.

    Below 16 bit all published large runs compute in 8 bit; they stand for 4 bit too.
    """
    bits = 8 if low_precision else 16
    same_kind = [one for one in load_utilisation() if one.bits == bits and one.moe == moe]
    by_architecture = {one.architecture: one for one in same_kind}
    return by_architecture.get(accelerator.architecture, by_architecture[ANY])
