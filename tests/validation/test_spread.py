"""The spread of unseen runs: by kind, by what is not known, and how often its ranges hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from written_runs import case

from planner.performance.symbols import Array
from planner.validation.spread import (
    SEEN,
    choice_of,
    held,
    publisher,
    reliability_of,
    spread_of,
    unseen_spreads,
    weighted_quantile,
)
from planner.validation.step_time_fit import TimeData, time_data

PUBLISHERS: Final = ("alpha-1", "alpha-2", "beta", "gamma", "delta")
DEVIATION: Final = 0.1


def runs(per_source: int = 40, **changes: str) -> TimeData:
    """Dense runs of four publishers, one with two sources."""
    written = [
        {"id": f"{source}-{number:04d}/step_time", "seq": str(1024 + number), **changes}
        for source in PUBLISHERS
        for number in range(per_source)
    ]
    return time_data([case(one) for one in written])


def errors_of(data: TimeData, deviation: float = DEVIATION) -> Array:
    """Log-normal errors with a deviation."""
    return np.asarray(np.expm1(np.random.default_rng(7).normal(0, deviation, len(data.cases))))


def test_a_publisher_is_the_word_before_a_date() -> None:
    """Releases of one page are one publisher's."""
    names = ("mbridge-26.04.01", "mbridge-25.09", "nemo24.07", "mosaic")
    assert [publisher(one) for one in names] == ["mbridge", "mbridge", "nemo", "mosaic"]


def test_weighted_quantiles() -> None:
    """Half of the weight lies at or below the median, whatever the order."""
    assert weighted_quantile(np.asarray([3.0, 1.0, 2.0]), np.asarray([1.0, 1.0, 1.0]), 0.5) == 2
    assert weighted_quantile(np.asarray([3.0, 1.0, 2.0]), np.asarray([8.0, 1.0, 1.0]), 0.5) == 3


def test_the_spread_is_that_of_the_errors() -> None:
    """It is what holds 80 % of them, times the factor for what was seen; a kind without runs takes that of all."""
    data = runs()
    found = spread_of(data, [errors_of(data)], (0.0, 0.0))
    assert found.dense == pytest.approx(SEEN * DEVIATION, rel=0.15)
    assert found.moe == found.adapters == pytest.approx(found.dense)
    assert found.large == found.gaps == 0


def test_many_devices_and_gaps_add_their_own() -> None:
    """Runs that err more because they are large, or leave part of the layout open, widen only their own ranges."""
    data = runs()
    errors = errors_of(data)
    half = np.arange(errors.size) % 2 == 0
    wide = np.where(half, np.expm1(3 * np.log1p(errors)), errors)
    for change, term in (({"gpus": 2048.0}, "large"), ({"has_gaps": True}, "gaps")):
        cases = [replace(one, **change) if marked else one for one, marked in zip(data.cases, half, strict=True)]
        found = spread_of(replace(data, cases=tuple(cases)), [wide], (0.0, 0.0))
        assert found.dense == pytest.approx(SEEN * DEVIATION, rel=0.2)
        assert getattr(found, term) == pytest.approx(DEVIATION * np.sqrt(8), rel=0.3)


def test_ranges_hold_on_the_publisher_that_was_left_out() -> None:
    """Publishers with the same spread keep each other's promises and a little more, at every confidence."""
    data = runs(100)
    errors = errors_of(data)
    spreads = unseen_spreads(data, [errors], (0.0, 0.0))
    assert 0.8 <= np.mean(held(data, errors, spreads, 0.8)) <= 0.9
    found = reliability_of(data, errors, spreads)
    coverages = [one.coverage for one in found]
    assert coverages == sorted(coverages)


def test_the_width_has_not_seen_its_publisher() -> None:
    """One publisher whose runs err ten times as much does not widen its own range."""
    data = runs()
    errors = errors_of(data)
    wild = np.asarray([publisher(source) == "gamma" for source in data.sources])
    errors = np.where(wild, np.expm1(10 * np.log1p(errors)), errors)
    inside = held(data, errors, unseen_spreads(data, [errors], (0.0, 0.0)), 0.8)
    assert np.mean(inside[wild]) < 0.4


def test_a_choice_is_flattered_by_what_it_is_chosen_for() -> None:
    """Of layouts of one job the one with the least estimate tends to be estimated too fast."""
    data = runs(changes := 40)
    same = [
        replace(one, rows=(replace(one.rows[0], numbers=one.rows[0].numbers | {"seq": float(1024 + i // 4)}),))
        for i, one in enumerate(data.cases)
    ]
    data = replace(data, cases=tuple(same), measured=np.ones(changes * len(PUBLISHERS)))
    assert choice_of(data, errors_of(data)) == pytest.approx(0.1, abs=0.03)
    assert choice_of(data, np.zeros(data.measured.size)) == 0
