"""The smallest relaxations when no plan exists: of each limit, of all together, and of other keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, floor, inf, log10
from typing import Final

from planner.clock import OutOfTimeError
from planner.errors import InputError
from planner.explore.discrete_relaxations import Toggle, memory_toggles, toggles
from planner.explore.enumeration import best_mode
from planner.explore.job_modes import Bounds, JobMode, cheapest, plan_of_mode, soonest_kept
from planner.explore.lower_bound import least_usd
from planner.explore.memory import is_out_of_memory
from planner.explore.room import Room, with_bounds
from planner.explore.time_budget import TimeBudget
from planner.layouts.degrees import searched_devices
from planner.plans.choices import Choices
from planner.plans.limits import Limit, limits_of, settings
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.tolerances import SUM_ORDER
from planner.units import SECONDS_PER_HOUR


@dataclass(frozen=True)
class Relaxation:
    """One change that alone makes a plan possible, or the finding that none does."""

    limit: str
    """The user's key, or `all limits`."""
    unit: str
    before: float | str
    after: float | str | None
    """None: no amount helps."""
    plan: Plan | None
    """The best plan after the change."""
    sets: tuple[str, ...]
    """`--set` arguments that make the change."""


def relaxations(problem: Problem, time_budget: TimeBudget | None = None) -> tuple[Relaxation, ...]:
    """For a problem without a plan: each limit alone, all limits together, then whatever else would do it.

    Each amount is the smallest: a deadline in whole hours, a budget in steps of at most $1,000 or 0.1 %, devices in
    numbers that some layout has. Every plan is verified. What `time_budget` is too short for is named there.
    """
    room = Room(problem, time_budget=time_budget or TimeBudget())
    with suppress(OutOfTimeError):  # each question finds that out too
        room.choices(WIDER * room.bounds.wall_seconds, WIDER * room.bounds.gpus)
    return tuple(each_relaxation(room))


def each_relaxation(room: Room) -> Iterator[Relaxation]:
    """The same one after another, for the problem of a room."""
    for name, question in _questions(room, limits_of(room.problem)):
        found = room.time_budget.ask(name, question)
        if found:
            yield found


Question = Callable[[], Relaxation | None]


def _questions(room: Room, limits: Mapping[str, Limit]) -> Iterator[tuple[str, Question]]:
    """Everything that may have to give, by the user's key."""
    for limit in limits.values():
        yield limit.name, partial(_RELAXED[limit.quantity], room, limit)
    if len(limits) > 1:
        yield "all limits", partial(_stretched, room, limits)
    for toggle in (*toggles(room.problem), *_memory_toggles(room)):
        yield " and ".join(toggle.keys), partial(_toggled, room, toggle)
    if room.problem.objective != "tokens":
        yield TOKENS, partial(_fewer_tokens, room)


def _memory_toggles(room: Room) -> Iterator[Toggle]:
    """What takes less memory, where that is what is missing."""
    with suppress(OutOfTimeError):  # each question finds that out too
        if is_out_of_memory(room.choices(WIDER * room.bounds.wall_seconds, WIDER * room.bounds.gpus)):
            yield from memory_toggles(room.problem)


WIDER: Final = 2
"""How far the first look goes beyond the limits."""


def _deadline(room: Room, limit: Limit) -> Relaxation:
    """The shortest time within budget and devices."""
    for seconds in (WIDER * limit.bound, WIDER**3 * limit.bound, inf):
        if seconds > WIDER * limit.bound and not _helps_further(room, room.bounds):
            break
        mode = soonest_kept(room.modes(replace(room.bounds, wall_seconds=seconds)), Bounds())
        if mode:
            return _relaxed(room, limit, float(ceil(mode.kept_seconds / limit.unit_seconds) * limit.unit_seconds))
    return _hopeless(limit)


def _budget(room: Room, limit: Limit) -> Relaxation:
    """The least money within deadline and devices."""
    mode = cheapest(room.modes(replace(room.bounds, cost_usd=inf)), Bounds())
    if mode is None:
        return _hopeless(limit)
    unit = money_unit(mode.cost_usd)
    return _relaxed(room, limit, float(ceil(mode.cost_usd / unit) * unit))


def money_unit(usd: float) -> int:
    """Steps of a proposed budget: a power of ten dollars, at most 0.1 %, and at least one dollar."""
    return int(10 ** max(0, floor(log10(max(usd, 1.0))) - 3))


def _gpus(room: Room, limit: Limit) -> Relaxation:
    """The fewest devices within deadline and budget."""
    for most in _wider_numbers(limit.bound):
        if most > WIDER * limit.bound and not _helps_further(room, room.bounds):
            break
        within = replace(room.bounds, gpus=float(most))
        counts = [one for one in device_counts(room.choices(within.wall_seconds, most)) if limit.bound < one <= most]
        if counts and _is_possible(room, within):
            count = _first(counts, lambda count: _is_possible(room, replace(room.bounds, gpus=float(count))))
            return _relaxed(room, limit, float(count))
    return _hopeless(limit)


def _wider_numbers(devices: float) -> list[int]:
    """Numbers of devices to look among, one after another: a little more, then as many as are searched at all."""
    more = (searched_devices(devices * factor) for factor in (WIDER, WIDER**3))
    return sorted({*more, searched_devices(None, int(devices))})


def _helps_further(room: Room, bounds: Bounds) -> bool:
    """Whether to look beyond the first look; where a budget binds, all questions look at everything, evaluated once."""
    if is_priced_out(room, bounds):
        return False
    if bounds.cost_usd < inf:
        room.choices(inf, inf)
    return True


def is_priced_out(room: Room, bounds: Bounds) -> bool:
    """Whether no plan costs as little as a bound, on however many devices and in whatever time."""
    known = room.choices(room.bounds.wall_seconds, room.bounds.gpus)
    return bounds.cost_usd < inf and bounds.cost_usd < least_usd(known) * (1 - SUM_ORDER)


def device_counts(choices: Choices) -> list[int]:
    """Numbers of devices that some phase may be bought on, fewest first."""
    columns = [(site.machine[1], one) for of_phase in choices.columns for site, one in of_phase.items()]
    return sorted({int(bought) * per_node for per_node, one in columns for bought in one.bought})


_RELAXED: Final[dict[str, Callable[[Room, Limit], Relaxation]]] = {
    "wall_seconds": _deadline,
    "cost_usd": _budget,
    "gpus": _gpus,
}


def _first(counts: list[int], holds: Callable[[int], bool]) -> int:
    """The first count for which something holds that holds for the last and, once it does, for all that follow."""
    low, high = 0, len(counts) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(counts[middle]) else (middle + 1, high)
    return counts[low]


def _relaxed(room: Room, limit: Limit, after: float) -> Relaxation:
    """A limit's change with the best plan that it allows."""
    bounds = replace(room.bounds, **{limit.quantity: after})
    sets = settings(room.problem, limit, after)
    return Relaxation(limit.name, limit.unit, limit.bound, after, best_plan(room, bounds), sets)


def best_plan(room: Room, bounds: Bounds) -> Plan | None:
    """The best plan by the problem's objective within bounds; of an open phase's tokens, the cheapest for a step."""
    choices, mode = room.choices(bounds.wall_seconds, bounds.gpus), _best(room, bounds)
    return plan_of_mode(choices, with_bounds(choices.problem, bounds), mode) if mode else None


def _best(room: Room, bounds: Bounds) -> JobMode | None:
    """The best way to run the job within bounds. Raises OutOfTimeError."""
    room.time_budget.check()
    found = best_mode(room.choices(bounds.wall_seconds, bounds.gpus), bounds, room.time_budget.clock)
    room.time_budget.check()
    return found


def _hopeless(limit: Limit) -> Relaxation:
    return Relaxation(limit.name, limit.unit, limit.bound, None, None, ())


STRETCH_STEPS: Final = 1000
"""Steps of an equal stretch in once the limits."""


def _stretched(room: Room, limits: Mapping[str, Limit]) -> Relaxation | None:
    """The smallest factor on all limits, in steps of 0.1 %; None when none helps that is looked at."""
    for most in (WIDER, WIDER**3, WIDER**10):
        if most > WIDER and not _helps_further(room, _times(limits, most * STRETCH_STEPS)):
            continue
        if _is_possible(room, _times(limits, most * STRETCH_STEPS)):
            steps = _first(
                list(range(STRETCH_STEPS + 1, most * STRETCH_STEPS + 1)),
                lambda one: _is_possible(room, _times(limits, one)),
            )
            bounds = _times(limits, steps)
            pairs = [(limit, getattr(bounds, limit.quantity)) for limit in limits.values()]
            sets = tuple(text for pair in pairs for text in settings(room.problem, *pair))
            return Relaxation("all limits", "×", 1.0, steps / STRETCH_STEPS, best_plan(room, bounds), sets)
    return None


def _times(limits: Mapping[str, Limit], steps: int) -> Bounds:
    """All limits stretched equally, each in the unit that is proposed."""
    unit = limits["wall_seconds"].unit_seconds if "wall_seconds" in limits else SECONDS_PER_HOUR
    rounded: dict[str, Callable[[float], float]] = {
        "wall_seconds": lambda seconds: ceil(seconds / unit) * unit,
        "cost_usd": lambda usd: ceil(usd / money_unit(usd)) * money_unit(usd),
        "gpus": floor,
    }
    return Bounds(**{name: float(rounded[name](one.bound * steps / STRETCH_STEPS)) for name, one in limits.items()})


def _toggled(room: Room, toggle: Toggle) -> Relaxation | None:
    """A toggle, when it allows a plan."""
    try:
        changed = room.changed(toggle.applied(room.problem))
        plan = best_plan(changed, changed.bounds)
    except InputError:  # nothing sold can do what the change asks for
        return None
    if plan is None:
        return None
    sets = toggle.settings(room.problem, plan)
    commands = tuple(f"{key}={value}" for key, value in sets.items())
    return Relaxation(" and ".join(toggle.keys), "", toggle.before, ", ".join(sets.values()), plan, commands)


TOKENS: Final = "training.phases[0].tokens"
TOKEN_STEPS: Final = 1000
"""Steps of a proposed number of tokens in what was asked for."""


def _fewer_tokens(room: Room) -> Relaxation | None:
    """The most tokens of the first phase, in steps of 0.1 %, that all limits allow; None when no number is."""
    near = WIDER * room.bounds.wall_seconds
    if is_priced_out(_with_tokens(room, 1, near), room.bounds):
        return None
    further = (WIDER**3 * room.bounds.wall_seconds, TOKEN_STEPS // WIDER**3)
    for seconds, least in ((near, TOKEN_STEPS // WIDER), further, (inf, 1)):
        fewer = [_with_tokens(room, steps, seconds) for steps in range(TOKEN_STEPS - 1, least - 1, -1)]
        if _is_possible(fewer[-1], room.bounds):
            found = fewer[_first(list(range(len(fewer))), partial(_is_possible_in, fewer, room.bounds))]
            before, after = (one.problem.training.phases[0].tokens for one in (room, found))
            plan = best_plan(found, room.bounds)
            return Relaxation(TOKENS, "tokens", float(before), float(after), plan, (f"{TOKENS}={after}",))
    return None


def _is_possible_in(rooms: Sequence[Room], bounds: Bounds, number: int) -> bool:
    """Whether the room of that number has a plan within bounds."""
    return _is_possible(rooms[number], bounds)


def _is_possible(room: Room, bounds: Bounds) -> bool:
    """Whether there is a plan within bounds."""
    return _best(room, bounds) is not None


def _with_tokens(room: Room, steps: int, wall_seconds: float) -> Room:
    """The room of the problem with a part of the first phase's tokens, on the same layouts."""
    first, *others = room.problem.training.phases
    phases = (first.model_copy(update={"tokens": max(1, first.tokens * steps // TOKEN_STEPS)}), *others)
    training = room.problem.training.model_copy(update={"phases": phases})
    problem = room.problem.model_copy(update={"training": training})
    choices = room.choices(wall_seconds, room.bounds.gpus)
    work = (replace(choices.phases[0], tokens=phases[0].tokens), *choices.phases[1:])
    choices = replace(choices, problem=problem, workload=replace(choices.workload, phases=work))
    return Room(problem, {(wall_seconds, room.bounds.gpus): choices}, room.time_budget)
