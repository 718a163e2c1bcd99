"""Wall time: what failures, checkpoints and preemptions add."""

from __future__ import annotations

import numpy as np
import pytest

from planner.availability import checkpointing as r


def array(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A number as the equations take it."""
    return np.asarray(float(value))


def test_interval_is_young_daly_when_events_are_rare() -> None:
    """√(2·C·M) within one per cent for a checkpoint of a minute and a failure a week."""
    interval = float(r.checkpoint_interval_seconds(array(60), array(1 / 604800)))
    assert interval == pytest.approx((2 * 60 * 604800) ** 0.5, rel=0.01)


def test_interval_wastes_least() -> None:
    """No interval nearby has a smaller expected wall time, for rare and for frequent events."""
    for rate in (1 / 604800, 1 / 3600):

        def wall(interval: float, rate: float = rate) -> float:
            return float(np.exp(600 * rate) * np.expm1((interval + 60) * rate) / (rate * interval))

        best = float(r.checkpoint_interval_seconds(array(60), array(rate)))
        assert wall(best) <= min(wall(best * 0.7), wall(best * 1.4))
        assert float(r.expansion(array(60), array(600), array(rate))) == pytest.approx(wall(best))


def test_expansion_is_the_first_order_sum() -> None:
    """For rare events: 1 + C/τ + τ/(2·M) + R/M."""
    checkpoint, restart, between = 60.0, 600.0, 30 * 86400.0
    interval = (2 * checkpoint * between) ** 0.5
    first_order = 1 + checkpoint / interval + interval / (2 * between) + restart / between
    assert float(r.expansion(array(checkpoint), array(restart), array(1 / between))) == pytest.approx(
        first_order, rel=1e-3
    )


def test_expansion_agrees_with_simulation() -> None:
    """Simulated runs with failures while working, writing and restarting take the expected time on average."""
    draw = np.random.default_rng(1)
    checkpoint, restart, rate, work = 120.0, 600.0, 1 / 7200, 86400.0
    interval = float(r.checkpoint_interval_seconds(array(checkpoint), array(rate)))
    total = 0.0
    for _ in range(400):
        done = 0.0
        while done < work:
            need = min(interval, work - done) + checkpoint
            until = draw.exponential(1 / rate)
            if until >= need:
                done, total = done + min(interval, work - done), total + need
                continue
            total += until
            while (until := draw.exponential(1 / rate)) < restart:
                total += until
            total += restart
    expected = float(r.expansion(array(checkpoint), array(restart), array(rate)))
    assert total / 400 / work == pytest.approx(expected, rel=0.02)


def test_hopeless_jobs_never_end() -> None:
    """Where events come faster than a restart takes, the wall time is beyond all bounds."""
    assert float(r.expansion(array(600), array(86400), array(1 / 60))) == np.inf


def test_gangs_go_between_together_and_alone() -> None:
    """One rate for nodes that go as one, n times the rate for nodes that go alone."""
    day = array(86400 / 86400)
    assert float(r.gang_preemptions_per_second(array(16), day, array(1))) == pytest.approx(1 / 86400)
    assert float(r.gang_preemptions_per_second(array(16), day, array(0))) == pytest.approx(16 / 86400)


def test_checkpoints_are_written_by_all_nodes_up_to_the_storage() -> None:
    """Twice the nodes write twice as fast until the storage is the limit."""
    one, two, many = (float(r.transfer_seconds(array(1e12), array(n), array(1e9), array(1e11))) for n in (1, 2, 1000))
    assert (one, two, many) == (1000.0, 500.0, 10.0)


def test_failures_grow_with_the_nodes() -> None:
    """3.79 failures per 1,000 node-days on 2,048 nodes are 7.8 a day (The Llama 3 Herd of Models, 3.3.4)."""
    assert float(r.failures_per_second(array(2048), array(3.79))) * 86400 == pytest.approx(7.76, rel=0.01)
