"""Small problems whose phases may each run in another place, and their best value from the definition alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from defined_layouts import fastest_defined
from generated_problems import MODEL, problem_of

from planner.availability.chance_constraint import deviations_of, promised
from planner.layouts.wall_time import RunTime, TimedLayouts, interruption_rates, run_time
from planner.layouts.workload import Workload, workload_of
from planner.market.placements import Machine, placements
from planner.market.purchase_options import PurchaseOption, SpotPolicy, purchase_options_of
from planner.performance.symbols import Array
from planner.plans.choices import with_spares
from planner.plans.plan_error import KnownLayouts, counts_error, kept_with_error
from planner.problem.limits import Risk
from planner.problem.problem import Problem

WALL, LEAST, VARIANCE, KEPT, USD = SUMS = range(5)


def generated_journey(seed: int) -> Problem:
    """Two to four phases over up to six places that differ in device, nodes, prices and spot."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    count = draw.choice([2, 2, 2, 3, 3, 4])
    phases = [
        {
            "name": f"phase {index}",
            "tokens": draw.choice(["300M", "1B", "3B", "10B"]),
            "sequence_length": draw.choice([1024, 2048, 4096]),
            "global_batch": draw.choice([8, 12, 16, 24]),
        }
        for index in range(count)
    ]
    limits: dict[str, Any] = {"gpus": draw.choice([8, 12, 24])}
    if draw.random() < 0.6:
        limits["deadline"] = draw.choice(["12h", "1d", "3d", "10d"])
    if draw.random() < 0.4:
        limits["budget"] = draw.choice(["$60", "$200", "$1000"])
    risk: dict[str, Any] = {"spare_nodes": draw.choice(["0%", "0%", "30%"])}
    if "deadline" in limits and draw.random() < 0.4:
        risk |= {"confidence": draw.choice(["60%", "90%", "99%"]), "counts": draw.choice(["luck", "everything"])}
    return problem_of(
        {
            "schema": "plan/1",
            "model": MODEL | {"num_hidden_layers": draw.choice([4, 6])},
            "training": {"precision": "bf16", "phases": phases},
            "market": {
                "clouds": [],
                "purchase": draw.choice([["on_demand"], ["on_demand", "spot"], ["on_demand", "spot", "reserved"]]),
                "moving": {
                    "bandwidth": draw.choice(["10 Mb/s", "1 Gb/s", "10 Gb/s"]),
                    "egress": draw.choice([0, "$0.05/GB", "$1/GB"]),
                },
                "offers": [_offer(draw, index) for index in range(draw.choice([2, 3, 4, 6]))],
            },
            "limits": limits,
            "layout": {"pipeline": "<=2", "context": 1},
            "risk": risk,
            "objective": draw.choice(["cost", "cost", "time"]),
        }
    )


def _offer(draw: random.Random, index: int) -> dict[str, Any]:
    """An own offer, cheap and slow or dear and fast."""
    device, price = draw.choice([("A100-80GB-SXM4", 1.0), ("H100-80GB-SXM5", 2.0), ("L4", 0.3), ("H200-141GB", 2.5)])
    price *= draw.choice([0.8, 1.0, 1.3])
    return {
        "name": f"offer {index}",
        "accelerator": device,
        "gpus_per_node": draw.choice([1, 2, 4, 8]),
        "network": draw.choice(["100 Gb/s", "400 Gb/s"]),
        "on_demand": f"${price:.2f}/GPU-h",
        "spot": f"${price * draw.choice([0.4, 0.7]):.2f}/GPU-h",
        "reserved": f"${price * draw.choice([0.6, 0.9]):.2f}/GPU-h",
        "nodes": draw.choice([1, 2, 3, 4]),
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["50%", "90%", "100%"]),
        "preemptions_per_node_day": draw.choice([0, 0.5, 4]),
    }


def best_journey(problem: Problem) -> float | None:
    """Dollars or seconds of the best plan, every stay, reservation and layout tried; None when no plan is in limits.

    From the first phase to the last, by the offer of the last stay; what another in the same place beats is dropped.
    """
    workload, options = workload_of(problem), purchase_options_of(placements(problem))
    runs = _Runs(problem, workload)
    ended: list[dict[int, Array]] = []
    for last in range(len(workload.phases)):
        at: dict[int, list[Array]] = {}
        for first in range(last + 1):
            for number, option in enumerate(options):
                before = _arrived(problem, workload, options, first, option, ended)
                for stay in _stays(runs, option, range(first, last + 1)):
                    at.setdefault(number, []).append((before[:, None] + stay[None]).reshape(-1, len(SUMS)))
        ended.append({number: _unbeaten(problem, np.concatenate(some)) for number, some in at.items()})
    whole = np.concatenate([*ended[-1].values(), np.empty((0, len(SUMS)))])
    limits = problem.limits
    fits = (_kept(problem.risk, whole) <= (limits.deadline or inf)) & (whole[:, USD] <= float(limits.budget or inf))
    return min(whole[fits, USD if problem.objective == "cost" else WALL].tolist(), default=None)


def _kept(risk: Risk, sums: Array) -> Array:
    """What the deadline bounds, of sums."""
    if risk.confidence is None:
        return sums[:, WALL]
    if counts_error(risk):
        return sums[:, KEPT]
    return promised(sums[:, LEAST], sums[:, WALL], sums[:, VARIANCE], deviations_of(risk.confidence))


def _arrived(
    problem: Problem,
    workload: Workload,
    options: tuple[PurchaseOption, ...],
    first: int,
    option: PurchaseOption,
    ended: list[dict[int, Array]],
) -> Array:
    """All ways up to a phase, the move to its place included."""
    if not first:
        return np.zeros((1, len(SUMS)))
    tokens = sum(phase.tokens for phase in workload.phases[first:])
    gigabytes = (float(workload.checkpoint_bytes) + 4 * tokens) / 1e9
    ways = [np.empty((0, len(SUMS)))]
    for number, sums in ended[first - 1].items():
        moved = sums.copy()
        if options[number].placement.key != option.placement.key:
            moving = problem.market.moving
            seconds = interruption_rates(option.placement.machine.accelerator.name).restart_seconds
            moved[:, [WALL, LEAST, KEPT]] += seconds + gigabytes * 1e9 / moving.bandwidth
            moved[:, USD] += gigabytes * float(moving.egress or 0)
        ways.append(moved)
    return np.concatenate(ways)


@dataclass
class _Runs:
    """How long each phase takes on every layout, place by place; found once."""

    problem: Problem
    workload: Workload
    layouts: dict[tuple[int, object], TimedLayouts] = field(default_factory=dict)
    known: dict[tuple[int, object, SpotPolicy, bool], RunTime] = field(default_factory=dict)

    def layouts_of(self, index: int, machine: Machine) -> TimedLayouts:
        """The fastest layouts of a phase by the definition."""
        if (index, machine.key) not in self.layouts:
            found = fastest_defined(self.problem, self.workload, self.workload.phases[index], machine)
            self.layouts[index, machine.key] = found
        return self.layouts[index, machine.key]

    def run(self, index: int, option: PurchaseOption, *, begins: bool) -> RunTime:
        """Their times; `begins`: at a random time."""
        machine, policy = option.placement.machine, option.spot_policy
        key = (index, machine.key, policy, begins)
        if key not in self.known:
            layouts = self.layouts_of(index, machine)
            self.known[key] = run_time(self.workload, machine.accelerator.name, layouts, policy, begins=begins)
        return self.known[key]


def _stays(runs: _Runs, option: PurchaseOption, span: range) -> Iterator[Array]:
    """Sums of a stay with each number of reserved nodes, over every layout of its phases."""
    problem = runs.problem
    most = min(option.placement.nodes, (problem.limits.gpus or 0) // option.placement.machine.per_node)
    for reserved in range((most if option.reservation else 0) + 1):
        sums = np.zeros((1, len(SUMS)))
        for index in span:
            begins = index == span.start and (index == 0 or option.spot_policy.policy != "steady")
            phase = _phase(runs, option, index, reserved, begins=begins)
            nodes = runs.layouts_of(index, option.placement.machine).nodes
            phase = phase[with_spares(problem, nodes) <= most]
            sums = _unbeaten(problem, (sums[:, None] + phase[None]).reshape(-1, len(SUMS)))
        if option.reservation and reserved:
            paid = np.maximum(sums[:, WALL], option.reservation.committed_seconds)
            sums[:, USD] += reserved * float(option.reservation.usd_per_node_hour) * paid / 3600
        yield sums


def _phase(runs: _Runs, option: PurchaseOption, index: int, reserved: int, *, begins: bool) -> Array:
    """A phase on each layout, its other nodes bought in the best split between spot and on demand."""
    problem, workload, machine = runs.problem, runs.workload, option.placement.machine
    layouts, run = runs.layouts_of(index, machine), runs.run(index, option, begins=begins)
    steps, confidence = workload.phases[index].steps, problem.risk.confidence
    wall, least, variance, paid, replaced = run.after(steps).T
    kept = wall
    if confidence is not None and counts_error(problem.risk):
        gpus = layouts.nodes.astype(np.float64) * machine.per_node
        known = KnownLayouts(machine.accelerator, gpus, np.ones(len(gpus)))
        kept = kept_with_error(workload, known, run, steps, confidence)
    left = np.maximum(with_spares(problem, layouts.nodes) - reserved, 0)
    usd = np.full(len(left), inf)
    on_demand, spot_price = (float(price or 0) / 3600 for price in (option.on_demand_price, option.spot_price))
    for spot in range(option.spot_nodes + 1):
        cost = (left - spot) * on_demand * wall + spot * (spot_price * paid + on_demand * replaced)
        sold = (left >= spot) & ((left == spot) | (option.on_demand_price is not None))
        usd = np.where(sold, np.minimum(usd, cost), usd)
    return np.column_stack((wall, least, variance, kept, usd))


def _unbeaten(problem: Problem, sums: Array) -> Array:
    """The sums that no other beats in all that may count, one by one."""
    sums = sums[np.isfinite(sums).all(axis=1)]
    seen = sums if problem.risk.confidence is not None else sums[:, [WALL, USD]]
    order = np.lexsort(seen.T[::-1])
    kept: list[int] = []
    for number in order.tolist():
        if not kept or not (seen[kept] <= seen[number]).all(axis=1).any():
            kept.append(number)
    return sums[kept]
