"""What joins devices to their host's memory: the rates of offloading."""

from __future__ import annotations

import tomllib
from functools import cache

from planner.catalog.files import catalog_directory
from planner.catalog.records import Accelerator, Positive, SourcedRecord

USUAL = "default"
"""The architecture under which the link of devices stands of which nothing is known."""


class HostLink(SourcedRecord):
    """One kind of link."""

    name: str
    accelerators: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    gb_s: Positive
    """Per device and direction."""
    memory_gb_s: Positive
    """A device's share of its host's memory bandwidth."""


@cache
def load_host_links() -> tuple[HostLink, ...]:
    """Every kind of link."""
    rows = tomllib.loads((catalog_directory() / "host_links.toml").read_text(encoding="utf-8"))["host_link"]
    return tuple(HostLink.model_validate(row) for row in rows)


def host_link_of(accelerator: Accelerator) -> HostLink:
    """The link of an accelerator: its own, its architecture's, or the usual one."""
    links = load_host_links()
    own = [one for one in links if accelerator.name in one.accelerators]
    alike = [one for one in links if accelerator.architecture in one.architectures]
    usual = [one for one in links if USUAL in one.architectures]
    return (own + alike + usual)[0]
