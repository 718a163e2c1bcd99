"""A problem's layouts beyond its limits: evaluated once, then asked again and again with other bounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from planner.clock import OutOfTimeError
from planner.explore.job_modes import Bounds, JobMode, bounds_of, undominated_job_modes
from planner.explore.time_budget import TimeBudget
from planner.layouts.degrees import searched_devices
from planner.plans.choices import Choices, PhaseModes, Site, choices_of, is_open, usable
from planner.plans.limits import limits_of
from planner.problem.problem import Problem
from planner.units import exact


def with_bounds(problem: Problem, bounds: Bounds) -> Problem:
    """The problem with other limits on time, money and devices."""
    limits = {
        "deadline": None if bounds.wall_seconds == inf else bounds.wall_seconds,
        "budget": None if bounds.cost_usd == inf else exact(bounds.cost_usd),
        "gpus": None if bounds.gpus == inf else int(bounds.gpus),
    }
    return problem.model_copy(update={"limits": problem.limits.model_copy(update=limits)})


def within(choices: Choices, problem: Problem) -> Choices:
    """The choices that tighter limits leave, as if they had been made for that problem."""
    bounds = bounds_of(problem)
    columns, beyond = (
        tuple(
            {site: _tightened(choices, index, site, one, bounds) for site, one in of_phase.items()}
            for index, of_phase in enumerate(some)
        )
        for some in (choices.columns, choices.beyond)
    )
    held = usable(problem, choices.purchase_options, columns)
    limits = limits_of(problem)
    return replace(choices, problem=problem, limits=limits, purchase_options=held, columns=columns, beyond=beyond)


def _tightened(choices: Choices, phase: int, site: Site, columns: PhaseModes, bounds: Bounds) -> PhaseModes:
    """The layouts of a phase on a site that alone keep the limits."""
    work = choices.phases[phase]
    opened = is_open(choices.problem, work.name)
    alone = columns.run.wall.each if opened else columns.step_seconds * work.steps
    most = bounds.gpus / site.machine[1]
    return columns.take(np.flatnonzero((alone <= bounds.wall_seconds) & (columns.nodes <= most)))


@dataclass
class Room:
    """A problem and its layouts within wider limits, each set evaluated when it is first needed."""

    problem: Problem
    known: dict[tuple[float, float], Choices] = field(default_factory=dict)
    """Choices by the time and the devices that they were made for."""
    time_budget: TimeBudget = field(default_factory=TimeBudget)
    """How long may be asked; once that is over OutOfTimeError is raised instead of an answer."""

    @property
    def bounds(self) -> Bounds:
        """The limits as they are stated."""
        return bounds_of(self.problem)

    def changed(self, problem: Problem) -> Room:
        """A room of another problem, for questions within the same time. Raises InputError and OutOfTimeError."""
        return Room(problem, time_budget=self.time_budget)

    def choices(self, wall_seconds: float, gpus: float) -> Choices:
        """The choices within at least so much time and so many devices. Raises OutOfTimeError."""
        known = self._known(wall_seconds, gpus)
        if known is None:
            self.time_budget.check()
            known = self.evaluated(wall_seconds, gpus)
        if known.unsearched:
            raise OutOfTimeError
        return known

    def evaluated(self, wall_seconds: float, gpus: float, more_memory: float = 0.0) -> Choices:
        """The same, or as much of them as can be evaluated before the time is over.

        `more_memory`: see `choices_of`.
        """
        if known := self._known(wall_seconds, gpus):
            return known
        gpus = self._searched(gpus)
        wider = replace(Bounds(), wall_seconds=wall_seconds, gpus=gpus)
        found = choices_of(with_bounds(self.problem, wider), clock=self.time_budget.clock, more_memory=more_memory)
        if not found.unsearched:
            self.known[wall_seconds, gpus] = found
        return found

    def _searched(self, gpus: float) -> int:
        """Most devices that are searched within a bound."""
        return searched_devices(gpus, self.problem.limits.gpus)

    def _known(self, wall_seconds: float, gpus: float) -> Choices | None:
        """What was evaluated for at least so much time and so many devices."""
        for (known_seconds, known_gpus), choices in self.known.items():
            if known_seconds >= wall_seconds and known_gpus >= self._searched(gpus):
                return choices
        return None

    def modes(self, bounds: Bounds) -> tuple[JobMode, ...]:
        """Every undominated mode within some bounds, fastest first."""
        self.time_budget.check()
        found = undominated_job_modes(self.choices(bounds.wall_seconds, bounds.gpus), bounds, self.time_budget.clock)
        self.time_budget.check()
        return found
