"""A plan in a few words counts the devices of one place, those of the phase that takes most of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from planner.report.summary import devices_text, in_words, nodes_text


@dataclass(frozen=True)
class Place:
    """A place with a name."""

    title: str


@dataclass(frozen=True)
class Phase:
    """What a few words say of a phase."""

    accelerator: str
    placement: Place
    gpus: int
    nodes: int
    spare_nodes: int
    wall_seconds: float


@dataclass(frozen=True)
class ShortPlan:
    """What a few words say of a plan."""

    phases: tuple[Phase, ...]
    wall_seconds: float = 864_000
    cost_usd: Decimal = Decimal(1_000)

    @property
    def placement(self) -> Place:
        """The first phase's."""
        return self.phases[0].placement


OWN, RENTED = Place("own cluster"), Place("rented")
LONG = Phase("H800-80GB-SXM", OWN, gpus=992, nodes=124, spare_nodes=0, wall_seconds=800_000)
SHORT = Phase("H800-80GB-SXM", OWN, gpus=1_984, nodes=248, spare_nodes=0, wall_seconds=64_000)
ELSEWHERE = Phase("GB200", RENTED, gpus=1_920, nodes=480, spare_nodes=0, wall_seconds=24_000)


def test_devices_are_those_of_the_longest_phase_and_of_a_larger_one_beside_it() -> None:
    """Half a cluster for months is not printed as the whole for months."""
    assert devices_text(ShortPlan((LONG, LONG))) == "992 × H800-80GB-SXM"
    assert in_words(ShortPlan((LONG, SHORT)), None) == "992 (up to 1,984) × H800-80GB-SXM, 10 d, $1,000 (own cluster)"
    assert nodes_text(ShortPlan((LONG, SHORT)), 8) == "124 nodes of 8 (up to 248)"


def test_nodes_of_another_place_are_not_counted_as_the_main_ones() -> None:
    """480 nodes of four rented devices are no 480 nodes of the own cluster."""
    assert nodes_text(ShortPlan((LONG, ELSEWHERE)), 8) == "124 nodes of 8"
    assert devices_text(ShortPlan((LONG, ELSEWHERE))) == "992 × H800-80GB-SXM"


def test_spare_nodes_are_counted() -> None:
    """Spares are bought too."""
    spare = Phase("H800-80GB-SXM", OWN, gpus=64, nodes=8, spare_nodes=1, wall_seconds=1)
    assert devices_text(ShortPlan((spare,))) == "72 × H800-80GB-SXM"
    assert nodes_text(ShortPlan((spare,)), 8) == "9 nodes of 8"
