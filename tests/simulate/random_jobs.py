"""Jobs made from a seed: sizes, lengths, spot figures and prices as they occur."""

from __future__ import annotations

import random
from dataclasses import replace

from planner.market.spot import SpotFigures
from planner.simulate.closed_form import expected
from planner.simulate.job import SimulatedJob, SimulatedPhase


def job_of(
    *,
    days: float = 20.0,
    nodes: int = 16,
    replicas: int = 8,
    availability: float = 0.7,
    preemptions: float = 4.0,
    phases: int = 1,
    deadline_days: float | None = None,
) -> SimulatedJob:
    """A job on spot nodes at $8 a node and hour, $24 on demand."""
    part = SimulatedPhase("train", days * 86400 / phases, nodes, nodes, 0, replicas, 60.0, 600.0, 900.0)
    return SimulatedJob(
        policy="wait",
        phases=tuple(replace(part, name=f"phase {index}") for index in range(phases)),
        deadline_seconds=None if deadline_days is None else deadline_days * 86400,
        confidence=None,
        planned_seconds=0.0,
        planned_usd=0.0,
        failures_per_1000_node_days=3.79,
        spot=SpotFigures(availability, preemptions, 0.884, 0.945, traced=True),
        spot_usd=8.0,
        on_demand_usd=24.0,
        reserved_usd=0.0,
        reserved_nodes=0,
        committed_seconds=0.0,
    )


def generated(seed: int) -> SimulatedJob:
    """A job with a deadline 1.1 to 2.2 times what on-demand nodes take."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    nodes = draw.choice([4, 8, 16, 32, 64, 128, 256])
    days, availability = draw.uniform(5, 90), draw.uniform(0.35, 0.97)
    preemptions = draw.choice([0.5, 1, 2, 4, 8, 16]) * draw.uniform(0.7, 1.4)
    parts = [1.0] if draw.random() >= 0.3 else [0.8, 0.2]
    job = job_of(nodes=nodes)
    phases = tuple(
        replace(
            job.phases[0],
            work_seconds=days * 86400 * part,
            replicas=draw.choice([2, 4, 8, 16]),
            checkpoint_seconds=draw.uniform(10, 180),
            restart_seconds=draw.uniform(300, 900),
        )
        for part in parts
    )
    job = replace(
        job,
        phases=phases,
        failures_per_1000_node_days=draw.choice([2.34, 3.79, 6.5]),
        spot=SpotFigures(availability, preemptions, draw.uniform(0.73, 0.95), 0.945, traced=True),
        on_demand_usd=8 * draw.uniform(1.5, 3.5),
    )
    steady = float(expected(job, "steady").moments.seconds)
    return replace(job, deadline_seconds=steady * draw.uniform(1.1, 2.2))


def corner(seed: int) -> SimulatedJob:
    """A short job whose checkpoints and restarts are long beside the time for which its spot nodes stay."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    job = job_of(
        days=10 ** draw.uniform(-1.2, 0.8),
        nodes=draw.choice([4, 16, 64]),
        replicas=draw.choice([2, 4, 8]),
        availability=draw.choice([0.4, 0.6, 0.8, 0.95]),
        preemptions=10 ** draw.uniform(0, 1.5),
    )
    phase = replace(
        job.phases[0],
        checkpoint_seconds=10 ** draw.uniform(1.3, 3.3),
        restart_seconds=10 ** draw.uniform(2.3, 3.5),
    )
    return replace(
        job,
        phases=(phase,),
        failures_per_1000_node_days=draw.choice([2.34, 3.79, 6.5, 50]),
        on_demand_usd=8 * draw.uniform(1.2, 3.5),
    )
