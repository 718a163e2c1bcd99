"""Collectives: volumes and rates by hand, and the limits that every network obeys."""

from __future__ import annotations

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from planner.performance.collectives import (
    EXCHANGE_SHARE,
    NETWORK_HOP_SECONDS,
    NETWORK_SHARE,
    SCALE_UP_SHARE,
    exchange_seconds,
    exposed,
    gather_seconds,
    group_bandwidth,
    ring_seconds,
)
from planner.performance.symbols import Array

LINKS = SCALE_UP_SHARE * 1e11
"""What a collective sustains on the toy device's links."""
CARD = NETWORK_SHARE * 1e10
"""What it sustains on one network card."""
SECONDS = st.floats(0, 1e3)


def scalar(value: float) -> Array:
    """A number as an array."""
    return np.asarray(value)


@pytest.mark.parametrize(
    ("group", "stride", "expected"),
    [
        (8, 1, LINKS),  # a node
        (2, 4, LINKS),  # two ranks four apart are in one node of eight
        (16, 1, min(LINKS, 8 * CARD)),  # two nodes: all eight cards of a node work for the ring
        (16, 2, min(LINKS, 4 * CARD)),  # every other rank: four members per node
        (4, 8, CARD),  # one member per node: its own card alone
        (4, 64, CARD),
        (1, 64, CARD),
    ],
)
def test_bandwidth_of_a_group(group: float, stride: float, expected: float) -> None:
    """The scale-up domain's rate inside it; across, the cards of a domain's members together."""
    assert group_bandwidth(toy.device(), scalar(group), scalar(stride)) == pytest.approx(expected)


def test_a_fast_network_is_bound_by_the_links() -> None:
    """Eight cards of 400 GB/s feed a ring no faster than links of 100 GB/s take it."""
    fast = toy.device(network_bytes_s=4e11)
    assert group_bandwidth(fast, scalar(16), scalar(1)) == pytest.approx(LINKS)


def test_gather_of_a_gigabyte() -> None:
    """8 GB over 8 devices at 100 GB/s: 7 GB arrive in 70 ms, and three doublings of latency."""
    assert gather_seconds(scalar(8e9), scalar(8), scalar(1e11), 1e-5) == pytest.approx(0.07 + 3e-5, rel=1e-12)


@given(st.floats(0, 1e15), st.floats(1e6, 1e13), st.floats(0, 1))
def test_a_group_of_one_has_nothing_to_send(size: float, bandwidth: float, latency: float) -> None:
    """No device but oneself: no time, whatever the size."""
    assert gather_seconds(scalar(size), scalar(1), scalar(bandwidth), latency) == 0
    assert exchange_seconds(scalar(0), scalar(0), scalar(1), toy.device(), latency) == 0


@given(st.floats(1, 1e12), st.integers(1, 12), st.floats(1e6, 1e13))
def test_larger_groups_gather_longer_up_to_the_whole_size(size: float, doublings: int, bandwidth: float) -> None:
    """(g − 1)/g rises towards 1: never less than half of the size, never all of it."""
    groups = np.asarray([2.0**n for n in range(1, doublings + 1)])
    times = gather_seconds(scalar(size), groups, scalar(bandwidth), 0.0)
    assert np.all(np.diff(times) > 0)
    assert times[0] == pytest.approx(size / bandwidth / 2)
    assert times[-1] < size / bandwidth


def test_exchange_waits_for_the_slower_level() -> None:
    """1 GB over a card of 10 GB/s outlasts 5 GB over links of 100 GB/s; ten times as much on the links does not."""
    by_card = exchange_seconds(scalar(1e9), scalar(5e9), scalar(16), toy.device(), 1e-5)
    by_links = exchange_seconds(scalar(1e9), scalar(5e10), scalar(16), toy.device(), 1e-5)
    assert by_card == pytest.approx(1e9 / (EXCHANGE_SHARE * 1e10) + 4e-5)
    assert by_links == pytest.approx(5e10 / LINKS + 4e-5)


@pytest.mark.parametrize(
    ("communication", "compute", "leak", "expected"),
    [
        (3, 2, 0, 1),  # a second does not fit under the compute
        (3, 2, 0.25, 1.5),  # and a quarter of the two hidden ones slows the kernels
        (2, 3, 0, 0),
        (2, 3, 0.25, 0.5),
        (3, 0, 0.25, 3),  # nothing to hide under
        (3, 2, 1, 3),  # hiding that helps nothing
    ],
)
def test_exposed_communication(communication: float, compute: float, leak: float, expected: float) -> None:
    """What does not fit under the compute, and a share of what does."""
    assert exposed(scalar(communication), scalar(compute), leak) == pytest.approx(expected)


@given(SECONDS, SECONDS, st.floats(0, 1), SECONDS)
def test_overlap_is_never_worse_than_none(communication: float, compute: float, leak: float, more: float) -> None:
    """Exposed time lies between the leak and all of it, grows with communication and falls with compute."""
    found = exposed(scalar(communication), scalar(compute), leak)
    slack = 1e-9 * (communication + compute + more)
    assert leak * communication - slack <= found <= communication + slack
    assert exposed(scalar(communication + more), scalar(compute), leak) >= found - slack
    assert exposed(scalar(communication), scalar(compute + more), leak) <= found + slack


@given(
    st.sampled_from([1.0, 2.0, 4.0, 8.0, 64.0, 1024.0]),
    st.sampled_from([1.0, 2.0, 8.0, 64.0]),
    st.floats(1, 100),
    st.sampled_from(["scale_up_bytes_s", "network_bytes_s", "scale_up_domain"]),
)
def test_better_networks_are_never_slower(group: float, stride: float, factor: float, figure: str) -> None:
    """Faster links, faster cards or a wider domain never take bandwidth from a group."""
    better = toy.toy().on_device(**{figure: factor}).device
    base = group_bandwidth(toy.device(), scalar(group), scalar(stride))
    assert group_bandwidth(better, scalar(group), scalar(stride)) >= base * (1 - 1e-12)


def test_a_ring_waits_once_per_domain() -> None:
    """A ring over k domains takes k − 1 steps between them, however many devices each has; inside one it waits not."""
    inside, eight = (float(ring_seconds(toy.device(), scalar(group), scalar(1))) for group in (8, 64))
    assert inside == 0
    assert eight == pytest.approx(7 * NETWORK_HOP_SECONDS)
    spread = float(ring_seconds(toy.device(), scalar(64), scalar(8)))
    assert spread == pytest.approx(63 * NETWORK_HOP_SECONDS)
