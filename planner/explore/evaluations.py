"""What problems share, evaluated once and kept: layouts of a training, and the choices and plan tables of a setting.

A setting is all of a problem but its limits on time, money and devices. Whoever asks again for a setting that is kept
gets answers for other limits by looking them up. All phases of a job stay in one place here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf
from typing import Final, TypeVar

from planner.clock import Clock, OutOfTimeError
from planner.explore.job_modes import Bounds
from planner.explore.plan_table import PlanTable, merged, plan_tables
from planner.explore.room import Room, with_bounds, within
from planner.explore.shared import Offers, layout_key, narrowed, shared_choices
from planner.explore.time_budget import TimeBudget
from planner.layouts.degrees import searched_devices
from planner.market.calendar import refuse_days
from planner.plans.choices import FEWER, Choices, in_one_place, site_of
from planner.problem.problem import Problem

Kept = TypeVar("Kept")

MOST_SETTINGS: Final = 20
"""Settings that are kept; the one that was asked for longest ago goes first."""
MOST_TRAININGS: Final = 3
"""Trainings whose layouts are kept."""


def setting_key(problem: Problem) -> str:
    """All of a problem but its name and its limits on time, money and devices, as a text."""
    objective = "tokens" if problem.objective == "tokens" else "cost"
    return repr(with_bounds(problem, Bounds()).model_copy(update={"name": "", "objective": objective}))


@dataclass
class Evaluated:
    """A setting: the choices within any limits, and what can be looked up in them."""

    choices: Choices
    most_devices: int
    """Devices up to which layouts were searched."""
    known_tables: Mapping[str, PlanTable] | None = None
    known_table: PlanTable | None = None

    def tables(self, clock: Clock | None = None) -> Mapping[str, PlanTable]:
        """The plan table of every accelerator. Raises OutOfTimeError."""
        if self.known_tables is None:
            self.known_tables = plan_tables(self.choices, clock)
        return self.known_tables

    def table(self, clock: Clock | None = None) -> PlanTable | None:
        """One plan table of all accelerators; None when nothing can be bought. Raises OutOfTimeError."""
        tables = self.tables(clock)
        if self.known_table is None and tables:
            self.known_table = merged(*tables.values())
        return self.known_table

    def choices_for(self, problem: Problem) -> Choices:
        """The choices that a problem's limits leave."""
        return within(replace(self.choices, objective=problem.objective), in_one_place(problem))


@dataclass
class _Training:
    """The layouts that problems of one training share."""

    choices: Choices
    most_devices: int
    tokens: tuple[int, ...]
    """Tokens of each phase for which the layouts were evaluated."""

    def serves(self, problem: Problem, offers: Offers) -> bool:
        """Whether the layouts hold for a problem: enough devices and tokens, and every site."""
        enough = all(
            ceil(known / FEWER) <= phase.tokens
            for known, phase in zip(self.tokens, problem.training.phases, strict=True)
        )
        machines = {one.placement.machine.key for one in self.choices.offered}
        sites = {site_of(one) for one in self.choices.offered}
        return (
            enough
            and devices_of(problem) <= self.most_devices
            and all(site_of(one) in sites for one in offers.purchase_options)
            and all(one.placement.machine.key in machines for one in offers.purchase_options)
            and all(one.placement.nodes <= self._nodes(one.placement.machine.key) for one in offers.purchase_options)
        )

    def _nodes(self, machine: object) -> int:
        """Most nodes of a machine that layouts were searched for."""
        return max(one.placement.nodes for one in self.choices.offered if one.placement.machine.key == machine)


def devices_of(problem: Problem) -> int:
    """Devices up to which layouts are searched: as many as without a limit, or as are stated where that is more."""
    return searched_devices(None, problem.limits.gpus)


@dataclass
class Evaluations:
    """Settings and trainings that were asked for lately; not for use by several threads at once."""

    settings: OrderedDict[str, Evaluated] = field(default_factory=OrderedDict)
    trainings: OrderedDict[str, _Training] = field(default_factory=OrderedDict)

    def known(self, problem: Problem) -> Evaluated | None:
        """The setting of a problem, when it is kept and holds for the problem's devices."""
        found = self.settings.get(setting_key(in_one_place(problem)))
        return found if found and devices_of(problem) <= found.most_devices else None

    def of(self, problem: Problem, clock: Clock | None = None) -> Evaluated:
        """The setting of a problem. Raises InputError, and OutOfTimeError when the clock is over before it is known."""
        refuse_days(problem, "the board")
        problem = in_one_place(problem)
        key, found = setting_key(problem), self.known(problem)
        if found is None:
            training, offers = self._training(problem, clock or Clock())
            unlimited = with_bounds(problem, Bounds())
            found = Evaluated(narrowed(training.choices, unlimited, offers), training.most_devices)
        _kept(self.settings, key, found, MOST_SETTINGS)
        return found

    def _training(self, problem: Problem, clock: Clock) -> tuple[_Training, Offers]:
        """The layouts that serve a problem, evaluated for all offers that were asked for with that training."""
        offers = Offers.of(problem)
        key = f"{layout_key(problem)}{sorted(offers.own_devices)}"
        found = self.trainings.get(key)
        if found is None or not found.serves(problem, offers):
            found = _evaluated(problem, offers, found, clock)
        _kept(self.trainings, key, found, MOST_TRAININGS)
        return found, offers


def _kept(store: OrderedDict[str, Kept], key: str, value: Kept, most: int) -> None:
    """Puts a value at the end of a store and drops the first ones beyond so many."""
    store[key] = value
    store.move_to_end(key)
    while len(store) > most:
        store.popitem(last=False)


def _evaluated(problem: Problem, offers: Offers, known: _Training | None, clock: Clock) -> _Training:
    """Layouts that serve a problem and everything that the known ones serve."""
    tokens = tuple(phase.tokens for phase in problem.training.phases)
    most = devices_of(problem)
    if known is not None:
        tokens = tuple(min(pair) for pair in zip(tokens, known.tokens, strict=True))
        most = max(most, known.most_devices)
    everything = (
        [offers]
        if known is None
        else [offers, Offers(known.choices.offered, known.choices.offered, offers.own_devices)]
    )
    phases = tuple(
        phase.model_copy(update={"tokens": count}) for phase, count in zip(problem.training.phases, tokens, strict=True)
    )
    training = problem.training.model_copy(update={"phases": phases})
    widest = with_bounds(problem.model_copy(update={"training": training}), Bounds(gpus=float(most)))
    try:
        choices = shared_choices([widest], everything, clock)
    except KeyboardInterrupt:
        raise OutOfTimeError from None
    for space in choices.spaces:
        space.let_go()
    return _Training(choices, most, tokens)


@dataclass
class KeptRoom(Room):
    """A room whose layouts, and those of other problems that are asked about, are among evaluations that are kept."""

    evaluations: Evaluations = field(default_factory=Evaluations)

    @classmethod
    def of(cls, problem: Problem, evaluations: Evaluations, time_budget: TimeBudget) -> KeptRoom:
        """The room of a problem. Raises InputError and OutOfTimeError."""
        problem = in_one_place(problem)
        found = evaluations.of(problem, time_budget.clock)
        choices = replace(found.choices, objective=problem.objective)
        return cls(problem, {(inf, float(found.most_devices)): choices}, time_budget, evaluations)

    def changed(self, problem: Problem) -> Room:
        """A room of another problem among the same evaluations. Raises InputError and OutOfTimeError."""
        return KeptRoom.of(problem, self.evaluations, self.time_budget)
