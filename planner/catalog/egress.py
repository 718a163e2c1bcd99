"""What clouds ask for data that leave them."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field

from planner.catalog.files import catalog_directory
from planner.catalog.records import Record, SourcedRecord

USUAL: Final = "usual"
"""The cloud whose price is taken for those that are not listed."""


class Egress(SourcedRecord):
    """The price of what leaves one cloud for the internet."""

    cloud: str
    usd_per_gb: Annotated[float, Field(ge=0, le=10)]
    """Per 10^9 bytes."""
    confidence: Literal["A", "B", "C"]
    """A: vendor page read; B: one secondary source; C: from memory."""


class EgressCatalog(Record):
    """The whole file."""

    egress: Annotated[tuple[Egress, ...], Field(min_length=1)]


@cache
def load_egress() -> EgressCatalog:
    """The catalog of egress prices."""
    return EgressCatalog.model_validate(tomllib.loads((catalog_directory() / "egress.toml").read_text("utf-8")))


def egress_of(cloud: str) -> Egress:
    """What a cloud asks, or the usual price."""
    known = {one.cloud: one for one in load_egress().egress}
    return known.get(cloud, known[USUAL])
