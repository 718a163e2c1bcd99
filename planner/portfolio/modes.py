"""The ways to run a training job on the machines of pools: price-free; layouts are evaluated once and kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np

from planner.availability.chance_constraint import deviations_of, promised
from planner.catalog.calibration import Kind
from planner.catalog.records import Accelerator
from planner.clock import Clock
from planner.errors import InputError, Issue
from planner.market.placements import Placement, placements
from planner.market.purchase_options import STEADY, PurchaseOption, purchase_options_of
from planner.performance.own_runs import posterior_of
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, choices_of, site_of
from planner.plans.plan_error import counts_error, kept_of_phase
from planner.portfolio.file import PortfolioFile
from planner.portfolio.instance import JobPhase, Mode, Pool
from planner.problem.document import Document, read_document, with_overrides
from planner.problem.market import Market
from planner.problem.own_offer import OwnOffer
from planner.problem.parallelism import DEGREES
from planner.problem.problem import Problem
from planner.units import SECONDS_PER_HOUR, Price

PLACEHOLDER: Final = Price(Decimal(1), "GPU")
"""What a device-hour costs while layouts are compared, which no price decides."""


@dataclass(frozen=True)
class PoolMachine:
    """What the nodes of a pool are."""

    device: Accelerator | None
    """None: only jobs that state their modes run there."""
    reference: str | None
    """The accelerator as the file names it."""
    per_node: int
    network: float | None
    """Bytes per second and device; None: what is usual for the accelerator."""
    availability: float | None
    """Of spot nodes; None: the nodes stay."""


@dataclass(frozen=True)
class FileModes:
    """What a job's file says of it."""

    phases: tuple[JobPhase, ...]
    why: Mapping[int, str]
    """Why a pool has no mode."""
    log_deviation: float
    """Of the estimate's error, the standard deviation of the logarithm of its times."""


def modes_of_job(
    file: PortfolioFile,
    index: int,
    machines: Sequence[PoolMachine],
    pools: Sequence[Pool],
    allowed: Sequence[int],
    clock: Clock,
) -> FileModes:
    """The undominated modes of every phase of a job's problem file on each allowed pool. Raises InputError."""
    problem = _problem(file, index)
    able = [pool for pool in allowed if machines[pool].device is not None]
    why = {pool: "jobs from files need an accelerator, and the pool names none" for pool in allowed if pool not in able}
    if not able:
        return FileModes(_empty(problem), why, 0.0)
    problem = _on_pools(problem, [(pools[pool], machines[pool]) for pool in able])
    options = _options(problem, able)
    choices = choices_of(problem, among=[one for of_pool in options.values() for one in of_pool], clock=clock)
    why |= {pool: _why(choices, machines[pool]) for pool in able if not _holds(choices, options[pool])}
    phases = tuple(
        JobPhase(
            phase.name,
            tuple(mode for pool in able for one in options[pool] for mode in _modes(choices, number, pool, one)),
        )
        for number, phase in enumerate(choices.phases)
    )
    return FileModes(phases, why, _log_deviation(choices))


def _empty(problem: Problem) -> tuple[JobPhase, ...]:
    return tuple(JobPhase(phase.name, ()) for phase in problem.training.phases)


def _problem(file: PortfolioFile, index: int) -> Problem:
    """The problem in a job's file, with its changes. Raises InputError."""
    entry = file.jobs[index]
    name = PurePosixPath(entry.file or "")
    if name.is_absolute() or ".." in name.parts:
        message = f"{entry.file} is not beside the portfolio"
        raise InputError(Issue(message, file.place("jobs", index, "file"), "name a file in its folder or below"))
    path = file.base_directory / name
    if not path.is_file():
        message = f"no file {entry.file} beside the portfolio"
        raise InputError(Issue(message, file.place("jobs", index, "file"), "put it there, or name another one"))
    document = read_document(path)
    return Problem.of(_changed(document, entry.changes)).with_hard_limits()


def _changed(document: Document, changes: Mapping[str, Any]) -> Document:
    """The document with the values that a portfolio sets."""
    return with_overrides(document, [f"{key}={_written(value)}" for key, value in changes.items()])


def _written(value: object) -> str:
    """A plain value as it is written in one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _on_pools(problem: Problem, pools: Sequence[tuple[Pool, PoolMachine]]) -> Problem:
    """The problem with the pools as its market, without deadline and budget."""
    offers = tuple(_offer(pool, machine) for pool, machine in pools)
    market = Market(clouds=(), offers=offers, purchase=("on_demand", "spot"))
    limits = problem.limits.model_copy(update={"deadline": None, "budget": None})
    return problem.model_copy(update={"market": market, "limits": limits, "objective": "cost"})


def _offer(pool: Pool, machine: PoolMachine) -> OwnOffer:
    """A pool as an offer."""
    is_spot = machine.availability is not None
    return OwnOffer.model_construct(
        name=pool.name,
        accelerator=machine.reference or "",
        gpus_per_node=machine.per_node,
        network=machine.network,
        on_demand=None if is_spot else PLACEHOLDER,
        spot=PLACEHOLDER if is_spot else None,
        reserved=None,
        nodes=int(pool.nodes.max(initial=1)) or 1,
        spot_nodes=None,
        availability=machine.availability or 1.0,
        preemptions_per_node_day=None,
    )


def _options(problem: Problem, able: Sequence[int]) -> dict[int, list[PurchaseOption]]:
    """How nodes of each pool are taken: they stay, or spot nodes come and go under each policy."""
    by_name: dict[str, Placement] = {one.instance_type: one for one in placements(problem)}
    found: dict[int, list[PurchaseOption]] = {}
    for pool, offer in zip(able, problem.market.offers, strict=True):
        placement = by_name.get(offer.name)
        options = purchase_options_of([placement] if placement else [])
        found[pool] = [one for one in options if (one.spot_policy == STEADY) == (offer.spot is None)]
    return found


def _holds(choices: Choices, options: Sequence[PurchaseOption]) -> bool:
    """Whether every phase has a layout on one of the options."""
    return any(all(len(of.get(site_of(one), ())) for of in choices.columns) for one in options)


def _why(choices: Choices, machine: PoolMachine) -> str:
    """Why a machine holds no layout."""
    device = machine.device
    precision = choices.problem.training.precision
    held = f"{device.memory_usable_gib:.0f} GiB of a {device.name}" if device else "a device"
    return f"no layout fits the memory, {held}, within its nodes, or it does not compute {precision}"


def _modes(choices: Choices, number: int, pool: int, option: PurchaseOption) -> Iterator[Mode]:
    """The modes of a phase on one option."""
    columns = choices.columns[number].get(site_of(option))
    if columns is None:
        return
    steps = choices.phases[number].steps
    wall = columns.run.wall.after(steps)
    kept = np.maximum(_kept(choices, option, columns, steps), wall)
    paid = columns.run.spot.after(steps) if option.spot_price is not None else wall
    spread = np.sqrt(np.maximum(columns.run.variance.after(steps), 0.0))
    for place in range(len(columns)):
        yield Mode(
            pool,
            int(columns.bought[place]),
            float(kept[place]) / SECONDS_PER_HOUR,
            float(paid[place]) / SECONDS_PER_HOUR,
            float(spread[place]) / SECONDS_PER_HOUR,
            float(kept[place] - wall[place]) / SECONDS_PER_HOUR,
            _layout(choices, number, columns, place),
        )


def _kept(choices: Choices, option: PurchaseOption, columns: PhaseModes, steps: int) -> Array:
    """Seconds that a phase keeps with the confidence that its file asks for; as expected where it asks for none."""
    run, risk = columns.run, choices.problem.risk
    if risk.confidence is None:
        return run.wall.after(steps)
    if counts_error(risk):
        return kept_of_phase(choices, option.placement.machine, columns, steps)
    deviations = deviations_of(risk.confidence)
    return promised(run.least.after(steps), run.wall.after(steps), run.variance.after(steps), deviations)


def _layout(choices: Choices, number: int, columns: PhaseModes, place: int) -> dict[str, Any]:
    """A layout in the words of `plan solve`."""
    rows, recompute = columns.rows, choices.spaces[number].degrees.recompute
    found: dict[str, Any] = {name: int(getattr(rows, name)[place]) for name in DEGREES}
    chosen = recompute[int(rows.recompute[place])]
    found["recompute"] = {"full_layers": chosen.full_layers} if chosen.full_layers else chosen.kind
    return found


def _log_deviation(choices: Choices) -> float:
    """How far off the estimate of such a job can be; own runs leave a share of it, the most on any of its machines."""
    workload = choices.workload
    kind: Kind = "adapters" if not workload.trains_base else "moe" if workload.model.is_moe else "dense"
    deviation = workload.calibration.spread.of_kind(kind)
    if not workload.calibration.own_runs:
        return deviation
    runs = [workload.traits(one.accelerator, gpus=one.per_node) for one in choices.machines.values()]
    posterior = posterior_of(workload.calibration.own_runs)
    return deviation * sqrt(max(posterior.variance_left(one) for run in runs for one in posterior.in_own_layouts(run)))
