"""What each accelerator alone can do, beside a frontier of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.explore.frontier import Frontier, figure_of
from planner.explore.job_modes import cheapest, fastest, plan_of_mode, undominated_job_modes
from planner.explore.room import Room
from planner.layouts.dominance import undominated
from planner.plans.choices import Choices
from planner.plans.plan import Plan


@dataclass(frozen=True)
class Rival:
    """One accelerator: its own frontier where that is quickly found, and its best plan within every limit."""

    accelerator: str
    curve: tuple[tuple[float, float], ...]
    """Points in order of x; empty when an axis is GPUs or tokens."""
    best: Plan | None
    """The fastest when the problem wants that, else the cheapest, verified; None when the limits leave none."""


def rivals(found: Frontier, room: Room) -> tuple[Rival, ...]:
    """Every accelerator that has a plan within what the points keep to, best first. Raises InputError.

    `room` is what `room_of` makes of the frontier's problem.
    """
    choices = room.choices(found.within.wall_seconds, found.within.gpus)
    everyone = [_rival(found, room, choices.only(name)) for name in choices.accelerators]
    return tuple(sorted((one for one in everyone if one.curve or one.best), key=lambda one: _order(room, one)))


def _rival(found: Frontier, room: Room, choices: Choices) -> Rival:
    """What the choices of one accelerator give."""
    bounds = room.bounds
    better = fastest if room.problem.objective == "time" else cheapest
    best = better(undominated_job_modes(choices, bounds), bounds)
    plan = plan_of_mode(choices, room.problem, best) if best else None
    return Rival(choices.accelerators[0], _curve(found, choices), plan)


def _curve(found: Frontier, choices: Choices) -> tuple[tuple[float, float], ...]:
    """The frontier of some choices alone between time and cost; nothing between other axes."""
    x, y = found.axes
    if x not in {"cost", "time"} or y not in {"cost", "time"}:
        return ()
    modes = undominated_job_modes(choices, found.within)
    values = np.asarray([(figure_of(one, x), figure_of(one, y)) for one in modes]).reshape(-1, 2)
    return tuple((float(values[one, 0]), float(values[one, 1])) for one in undominated(values))


def _order(room: Room, rival: Rival) -> tuple[bool, float, str]:
    """Best first, those without a plan last."""
    if rival.best is None:
        return True, 0.0, rival.accelerator
    value = rival.best.wall_seconds if room.problem.objective == "time" else float(rival.best.cost_usd)
    return False, value, rival.accelerator
