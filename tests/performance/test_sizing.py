"""Hand arithmetic: the equations of a napkin give what a hand gives."""

from __future__ import annotations

import numpy as np
import pytest

from planner.performance.sizing import (
    device_seconds,
    devices_for,
    devices_for_states,
    tokens_within,
    training_flop,
    whole_nodes,
)

GPT3_TOKEN = 6 * 175e9


def test_gpt3_by_hand() -> None:
    """6 · 175e9 · 300e9 = 3.15e23 FLOP; at 40 % of 312 TFLOP/s 2.52e9 GPU-seconds; in 34 days 859 GPUs."""
    flop = training_flop(GPT3_TOKEN, 300e9)
    assert flop == pytest.approx(3.15e23)
    seconds = device_seconds(flop, 312e12, 0.4)
    assert seconds == pytest.approx(2.524e9, rel=1e-3)
    assert devices_for(seconds, 34 * 86400) == pytest.approx(859.2, abs=0.1)
    assert whole_nodes(devices_for(seconds, 34 * 86400), 8) == 108


def test_tokens_are_the_inverse() -> None:
    """What the device-seconds of a run train is the run."""
    seconds = device_seconds(training_flop(GPT3_TOKEN, 300e9), 312e12, 0.4)
    assert tokens_within(GPT3_TOKEN, 312e12, 0.4, seconds) == pytest.approx(300e9)


def test_whole_nodes_do_not_round_up_noise() -> None:
    """Sixteen devices and a rounding error are two nodes of eight; a sixteenth more is three."""
    assert list(whole_nodes(np.asarray([15.2, 16.0, 16.000000001, 17.0]), 8)) == [2, 2, 2, 3]


def test_states_of_175_billion_parameters() -> None:
    """18 bytes each are 3.15 TB: 37 devices of 80 GiB."""
    assert devices_for_states(175e9, 80 * 2**30) == pytest.approx(36.7, abs=0.1)
