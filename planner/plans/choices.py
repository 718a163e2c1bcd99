"""What the model chooses from: purchase options, and per phase and site the layouts that can be best, as columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from planner.clock import Clock
from planner.layouts.degrees import degrees_of, searched_devices
from planner.layouts.dominance import undominated as undominated_rows
from planner.layouts.evaluator import layout_of
from planner.layouts.fastest import Asked, best_layouts_on
from planner.layouts.layout_space import LayoutSpace, layout_space
from planner.layouts.rows import Index, LayoutRows
from planner.layouts.tables import BestLayouts, Reach
from planner.layouts.wall_time import RunTime, TimedLayouts, run_times
from planner.layouts.workload import PhaseWork, Workload, workload_of
from planner.market.placements import Machine, placements
from planner.market.purchase_options import (
    PurchaseOption,
    SpotPolicy,
    purchase_options_of,
    undominated,
    worth_their_term,
)
from planner.performance.symbols import Array
from planner.plans.limits import Limit, limits_of
from planner.plans.peak_bound import peak_bound
from planner.problem.objective import Objective
from planner.problem.problem import Problem
from planner.tolerances import SUM_ORDER

MachineKey = tuple[str, int, int, float]
Figures = TypeVar("Figures")


@dataclass(frozen=True)
class Site:
    """Where a layout runs: a machine under a spot policy. Wall times depend on nothing else of a purchase option."""

    machine: MachineKey
    spot_policy: SpotPolicy
    arrives: bool = False
    """Whether a later phase begins there with spot nodes that the phase before did not have."""

    @property
    def has_spot(self) -> bool:
        """Whether spot nodes are bought there."""
        return self.spot_policy.policy != "steady"

    @property
    def ways_to_begin(self) -> tuple[Site, ...]:
        """The site itself, and as one where spot nodes have to be waited for."""
        return (self, replace(self, arrives=True)) if self.has_spot else (self,)


@dataclass(frozen=True)
class PhaseModes:
    """Layouts of one phase on one site, fewest nodes first, none worse than another in all that the model sees."""

    rows: LayoutRows
    nodes: npt.NDArray[np.int64]
    """Compute nodes, excluding spares."""
    bought: npt.NDArray[np.int64]
    """With spares."""
    step_seconds: Array
    time: Mapping[str, Array]
    """What a step is spent on, by part; seconds."""
    run: RunTime
    """How long it takes, by steps."""
    variance_left: Array
    """Share of the estimate's variance that own runs leave."""

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def _known(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, figures: Callable[[], Figures]) -> Figures:
        """Figures of these layouts, computed when they are first asked for under a key that says what they hang on."""
        if key not in self._known:
            self._known[key] = figures()
        found: Figures = self._known[key]
        return found

    def wall_seconds(self, steps: int) -> Array:
        """Expected wall time of so many steps."""
        return self.run.wall.after(steps)

    def joined(self, other: PhaseModes) -> PhaseModes:
        """These and others."""
        names = ("nodes", "bought", "step_seconds", "variance_left")
        nodes, bought, step_seconds, left = (
            np.concatenate((getattr(self, name), getattr(other, name))) for name in names
        )
        time = {part: np.concatenate((values, other.time[part])) for part, values in self.time.items()}
        run = self.run.joined(other.run)
        return PhaseModes(self.rows.joined(other.rows), nodes, bought, step_seconds, time, run, left)

    def take(self, index: npt.NDArray[np.int64]) -> PhaseModes:
        """Some of the layouts."""
        return PhaseModes(
            rows=self.rows.take(index),
            nodes=self.nodes[index],
            bought=self.bought[index],
            step_seconds=self.step_seconds[index],
            time={part: values[index] for part, values in self.time.items()},
            run=self.run.take(index),
            variance_left=self.variance_left[index],
        )


@dataclass(frozen=True)
class Choices:
    """Everything that the model is built from."""

    problem: Problem
    workload: Workload
    limits: Mapping[str, Limit]
    objective: Objective
    machines: Mapping[MachineKey, Machine]
    offered: tuple[PurchaseOption, ...]
    """Every purchase option, before dominance."""
    purchase_options: tuple[PurchaseOption, ...]
    """Those that can be best, and on whose site every phase has a layout."""
    spaces: tuple[LayoutSpace, ...]
    """All valid layouts, by phase."""
    columns: tuple[Mapping[Site, PhaseModes], ...]
    """The layouts that can be best, by phase."""
    beyond: tuple[Mapping[Site, PhaseModes], ...] = ()
    """Layouts that a rule of the problem rules out and that would be best without it, by phase: what rules bind on."""
    more_memory: float = 0.0
    """Share of each device's memory on top, within which the spaces have layouts too."""
    undominated: tuple[PurchaseOption, ...] = ()
    """The purchase options that none of the same kind beats, with layouts or not."""
    unsearched: tuple[PurchaseOption, ...] = ()
    """Those whose layouts the time was too short for."""

    @cached_property
    def modelled(self) -> tuple[Mapping[Site, PhaseModes], ...]:
        """The layouts among which the rules of the model choose, by phase: those that can be best, and those beyond."""
        return self.columns if not self.beyond else tuple(map(_joined_sites, self.columns, self.beyond))

    @property
    def phases(self) -> tuple[PhaseWork, ...]:
        """The phases of the job."""
        return self.workload.phases

    @property
    def together(self) -> bool:
        """Whether all phases stay in one place, with one accelerator, bought in one way."""
        return stays_together(self.problem)

    @property
    def is_dated(self) -> bool:
        """Whether it matters on which days something runs: an offer changes in time."""
        return any(one.placement.is_dated for one in self.purchase_options)

    @cached_property
    def most_prices(self) -> int:
        """Most prices that an offer has in turn: as many lines of a bill each way to buy may take."""
        timelines = (one.placement.timeline for one in self.purchase_options)
        return max((len(one.stretches) for one in timelines if one), default=1)

    def modes(self, phase: int, purchase_option: PurchaseOption, *, arrives: bool = False) -> PhaseModes | None:
        """The layouts of a phase with a purchase option; None where there is none. `arrives`: a stay begins with it."""
        found = self.columns[phase].get(site_of(purchase_option, arrives=arrives and phase > 0))
        return found if found is not None and len(found) else None

    def bought_modes(self, phase: int) -> Iterator[tuple[PurchaseOption, PhaseModes]]:
        """Every purchase option with the layouts of a phase, arriving there or not."""
        for purchase_option in self.purchase_options:
            for site in dict.fromkeys(site_of(purchase_option, arrives=arrives) for arrives in (False, True)):
                found = self.columns[phase].get(site)
                if found is not None and len(found):
                    yield purchase_option, found

    def modes_by_site(self, phase: int, *, modelled: bool = False) -> Iterator[tuple[Index, PhaseModes]]:
        """The numbers of the purchase options on every site with its layouts of a phase, arriving there or not.

        `modelled`: with those beyond.
        """
        columns = (self.modelled if modelled else self.columns)[phase]
        for site, numbers in self._sold.items():
            for way in site.ways_to_begin:
                found = columns.get(way)
                if found is not None and len(found):
                    yield numbers, found

    @cached_property
    def _sold(self) -> Mapping[Site, Index]:
        """The numbers of the purchase options on each site."""
        found: dict[Site, list[int]] = {}
        for number, purchase_option in enumerate(self.purchase_options):
            found.setdefault(site_of(purchase_option), []).append(number)
        return {site: np.asarray(numbers) for site, numbers in found.items()}

    @cached_property
    def prices(self) -> Array:
        """US dollars per node-hour of each purchase option on demand, as spot and reserved; infinite where not sold.

        Shape (purchase options, 3).
        """
        return np.asarray([one.prices for one in self.purchase_options]).reshape(-1, 3)

    def most_nodes(self, machine: Machine) -> int:
        """Most nodes of a machine that are offered, within the limit on devices."""
        return most_nodes(self.problem, self._offered[machine.key], machine)

    @cached_property
    def _offered(self) -> Mapping[MachineKey, Sequence[PurchaseOption]]:
        return by_machine(self.offered)

    def sites_of(self, phase: int) -> tuple[Site, ...]:
        """The sites on which a phase has layouts."""
        known = ((site, self.columns[phase].get(site)) for one in self.sites for site in one.ways_to_begin)
        return tuple(site for site, columns in known if columns is not None and len(columns))

    def options_of(self, phase: int) -> tuple[tuple[Site, PhaseModes], ...]:
        """The layouts of a phase among which the rules of the model choose, site by site."""
        sites = (site for one in self.sites for site in one.ways_to_begin)
        known = ((site, self.modelled[phase].get(site)) for site in sites)
        return tuple((site, modes) for site, modes in known if modes is not None and len(modes))

    @property
    def accelerators(self) -> tuple[str, ...]:
        """Names of the accelerators that some plan may use."""
        return tuple(
            dict.fromkeys(
                purchase_option.placement.machine.accelerator.name for purchase_option in self.purchase_options
            )
        )

    def only(self, *accelerators: str) -> Choices:
        """The choices that some accelerators leave."""
        return self.keeping(lambda one: one.placement.machine.accelerator.name in accelerators)

    def keeping(self, keeps: Callable[[PurchaseOption], bool]) -> Choices:
        """The choices with some of the purchase options."""
        kept = [one for one in self.purchase_options if keeps(one)]
        return replace(self, purchase_options=usable(self.problem, kept, self.columns))

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The sites of the purchase options, each once, in their order."""
        return tuple(dict.fromkeys(site_of(purchase_option) for purchase_option in self.purchase_options))


def _joined_sites(columns: Mapping[Site, PhaseModes], beyond: Mapping[Site, PhaseModes]) -> dict[Site, PhaseModes]:
    """The layouts of both on each site."""
    both = {site: one.joined(beyond[site]) if site in beyond else one for site, one in columns.items()}
    return both | {site: one for site, one in beyond.items() if site not in columns}


def site_of(purchase_option: PurchaseOption, *, arrives: bool = False) -> Site:
    """Where a purchase option's layouts run; it matters only to spot nodes whether a later phase arrives there."""
    spot_policy = purchase_option.spot_policy
    return Site(purchase_option.placement.machine.key, spot_policy, arrives and spot_policy.policy != "steady")


def stays_together(problem: Problem) -> bool:
    """Whether all phases stay in one place: there is only one, the user says so, or tokens are maximised."""
    return problem.market.together or problem.objective == "tokens" or len(problem.training.phases) == 1


def choices_of(
    problem: Problem,
    among: Sequence[PurchaseOption] | None = None,
    clock: Clock | None = None,
    *,
    more_memory: float = 0.0,
    spaces: Sequence[LayoutSpace] = (),
) -> Choices:
    """All purchase options and layouts that a problem allows, reduced by exact dominance. Raises InputError.

    A layout that alone misses the deadline is left out; one that fits no memory too. Nothing else is lost. `among`:
    what is on offer instead of the problem's market, each of them kept. `more_memory`: those that fit only with such a
    share of each device's memory on top are among the spaces too, see `with_more_memory`. `spaces`: of the same job,
    taken where they serve these offers too. Machines are evaluated one
    after another, the most promising first; those for which no time is left on the clock are named. Raises
    KeyboardInterrupt when the clock is stopped before the first.
    """
    workload, clock = workload_of(problem), clock or Clock()
    offered = purchase_options_of(placements(problem)) if among is None else tuple(among)
    purchase_options = offered
    if among is None:
        some = worth_their_term(offered, problem.limits.deadline or inf)
        purchase_options = undominated(some, moves=not stays_together(problem))
    offers = by_machine(purchase_options)
    machines = {key: some[0].placement.machine for key, some in offers.items()}
    spaces = tuple(_spaces(problem, workload, list(offers.values()), clock, more_memory, spaces))
    columns: tuple[dict[Site, PhaseModes], ...] = tuple({} for _ in spaces)
    unsearched = sorted(offers.values(), key=lambda some: _promise(problem, workload, some), reverse=True)
    at_a_time = len(unsearched) if clock.until is None else 1  # together is quicker, one by one can be ended in between
    while unsearched and not (clock.is_over and columns[0]):
        _stop_with_nothing(clock)
        now = [unsearched.pop() for _ in range(at_a_time)]
        _evaluate(problem, workload, spaces, now, columns)
    return Choices(
        problem=problem,
        workload=workload,
        limits=limits_of(problem),
        objective=problem.objective,
        machines=machines,
        offered=offered,
        purchase_options=usable(problem, purchase_options, columns),
        spaces=spaces,
        columns=columns,
        more_memory=more_memory,
        undominated=purchase_options,
        unsearched=tuple(one for some in unsearched for one in some),
    )


def evaluated_again(choices: Choices, problem: Problem, purchase_options: Iterable[PurchaseOption]) -> Choices:
    """The choices that some machines leave of a problem which differs in `risk.confidence`: no layout is searched.

    `purchase_options`: one of each machine at least.
    """
    columns: tuple[dict[Site, PhaseModes], ...] = tuple({} for _ in choices.spaces)
    wanted = {one.placement.machine.key for one in purchase_options}
    some = [some for key, some in by_machine(choices.purchase_options).items() if key in wanted]
    _evaluate(problem, choices.workload, choices.spaces, some, columns)
    held = usable(problem, choices.purchase_options, columns)
    return replace(choices, problem=problem, purchase_options=held, columns=columns)


def by_machine(purchase_options: Iterable[PurchaseOption]) -> Mapping[MachineKey, list[PurchaseOption]]:
    """Purchase options of one machine together."""
    found: dict[MachineKey, list[PurchaseOption]] = {}
    for purchase_option in purchase_options:
        found.setdefault(purchase_option.placement.machine.key, []).append(purchase_option)
    return found


def in_one_place(problem: Problem) -> Problem:
    """The problem with all phases together."""
    return problem.model_copy(update={"market": problem.market.model_copy(update={"together": True})})


def usable(
    problem: Problem, purchase_options: Iterable[PurchaseOption], columns: Sequence[Mapping[Site, PhaseModes]]
) -> tuple[PurchaseOption, ...]:
    """The purchase options that a plan may use: with a layout for every phase, or for any one where phases may move."""
    has = [(one, [len(of_phase.get(site_of(one), ())) > 0 for of_phase in columns]) for one in purchase_options]
    if stays_together(problem):
        return tuple(one for one, phases in has if all(phases))
    complete = all(any(phases) for phases in zip(*(phases for _, phases in has), strict=True))
    return tuple(one for one, phases in has if any(phases)) if complete else ()


def _spaces(
    problem: Problem,
    workload: Workload,
    offers: Sequence[Sequence[PurchaseOption]],
    clock: Clock,
    more_memory: float,
    known: Sequence[LayoutSpace],
) -> Iterator[LayoutSpace]:
    """All valid layouts of each phase on any of the machines, those too that fit only with a share of memory more.

    `offers`: the purchase options of each machine. `known`: spaces of the phases, which are taken where they serve.
    """
    machines = [some[0].placement.machine for some in offers]
    widest, searched = max(one.domain for one in machines), searched_devices(problem.limits.gpus)
    memories = [(1 + more) * one.memory_bytes for more in dict.fromkeys((0.0, more_memory)) for one in machines]
    had = max(most_nodes(problem, some, one) * one.per_node for some, one in zip(offers, machines, strict=True))
    for index, phase in enumerate(workload.phases):
        _stop_with_nothing(clock)
        degrees = degrees_of(workload, phase, widest)
        if known and known[index].serves(degrees, memories, had):
            yield known[index]
        else:
            yield layout_space(workload, phase, degrees, memories, max(had, 1), searched)


def _stop_with_nothing(clock: Clock) -> None:
    """Raises KeyboardInterrupt when the user wants an end."""
    if clock.is_interrupted:
        raise KeyboardInterrupt


def _promise(problem: Problem, workload: Workload, purchase_options: Sequence[PurchaseOption]) -> tuple[bool, float]:
    """The least that a job may take on a machine, by the objective; last where that is beyond the deadline."""
    least = peak_bound(problem, workload, purchase_options, [phase.steps for phase in workload.phases])
    late = least.seconds > (problem.limits.deadline or inf)
    return late, least.seconds if problem.objective == "time" else least.usd


def asked_of(
    problem: Problem, phase: PhaseWork, purchase_options: Sequence[PurchaseOption], more_memory: float = 0.0
) -> Asked:
    """What is asked of the layouts of one phase on one machine."""
    machine = purchase_options[0].placement.machine
    loses_replicas = any(one.spot_policy.loses_replicas for one in purchase_options)
    most, longest = most_nodes(problem, purchase_options, machine), longest_step(problem, phase)
    return Asked(machine, most, loses_replicas, more_memory, Reach(longest), Reach(LATER * longest))


LATER: Final = 2.0
"""Times the step time that keeps the deadline up to which layouts are found: the next question may have a later one."""


def _evaluate(
    problem: Problem,
    workload: Workload,
    spaces: Sequence[LayoutSpace],
    machines: Sequence[Sequence[PurchaseOption]],
    columns: Sequence[dict[Site, PhaseModes]],
) -> None:
    """Adds the layouts of machines that can be best, phase by phase; of a job that stays while each has one.

    `machines`: the purchase options of each.
    """
    moves = not stays_together(problem)
    offered = [list(some) for some in machines]
    for index, (phase, space, found) in enumerate(zip(workload.phases, spaces, columns, strict=True)):
        tables = best_layouts_on(workload, phase, space, [asked_of(problem, phase, some) for some in offered])
        best = {
            way: table if site.spot_policy.loses_replicas else table.fastest_by_nodes()
            for some, table in zip(offered, tables, strict=True)
            for site in dict.fromkeys(map(site_of, some))
            for way in (site.ways_to_begin if index and moves else (site,))
        }
        on = {some[0].placement.machine.key: some[0].placement.machine for some in offered}
        for site, run in runs_of(workload, best, starts=index == 0):
            modes = modes_of(problem, best[site], run, variances_left(workload, on[site.machine], space, best[site]))
            found[site] = modes.take(undominated_rows(seen_by_model(problem, phase, modes)))
        if not moves:
            offered = [some for some in ([one for one in some if len(found[site_of(one)])] for some in offered) if some]


def longest_step(problem: Problem, phase: PhaseWork) -> float:
    """Seconds that a step of a phase may take, so that it alone keeps the deadline."""
    return (problem.limits.deadline or inf) / (1 if is_open(problem, phase.name) else phase.steps)


def runs_of(workload: Workload, best: Mapping[Site, BestLayouts], *, starts: bool) -> Iterator[tuple[Site, RunTime]]:
    """How long a phase takes on the layouts of each site; `starts`: it is the first one."""
    for begins in (False, True):
        some = {site: layouts for site, layouts in best.items() if (site.arrives or starts) == begins}
        asked = [
            (site.machine[0], TimedLayouts(one.nodes, one.rows.data, one.step_seconds), site.spot_policy)
            for site, one in some.items()
        ]
        yield from zip(some, run_times(workload, asked, begins=begins), strict=True)


def is_open(problem: Problem, phase: str) -> bool:
    """Whether the tokens of a phase are what is maximised."""
    return problem.objective == "tokens" and phase == problem.training.phases[0].name


def most_nodes(problem: Problem, purchase_options: Iterable[PurchaseOption], machine: Machine) -> int:
    """Most nodes of a machine that any purchase option has, within the limit on devices."""
    offered = max(one.placement.nodes for one in purchase_options if one.placement.machine.key == machine.key)
    return min(offered, searched_devices(problem.limits.gpus) // machine.per_node)


def with_spares(problem: Problem, nodes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Nodes to buy so that spares stand by."""
    spares: npt.NDArray[np.int64] = np.ceil(problem.risk.spare_nodes * nodes - SUM_ORDER).astype(np.int64)
    return nodes.astype(np.int64) + spares


def variances_left(workload: Workload, machine: Machine, space: LayoutSpace, best: BestLayouts) -> Array:
    """Share of the estimate's variance that own runs leave of layouts on a machine; shape (layouts,)."""
    layout = layout_of(workload, space.degrees.recompute, best.rows)
    gpus = best.nodes.astype(np.float64) * machine.per_node
    return workload.variances_left(machine.accelerator, layout, space.made_for[1].sequence_length, gpus)


def modes_of(problem: Problem, best: BestLayouts, run: RunTime, variance_left: Array) -> PhaseModes:
    """Layouts on a site with how long they take there, and how well that is known."""
    bought = with_spares(problem, best.nodes)
    return PhaseModes(best.rows, best.nodes, bought, best.step_seconds, best.time, run, variance_left)


def seen_by_model(problem: Problem, phase: PhaseWork, columns: PhaseModes) -> Array:
    """What the model sees of layouts, each the less the better; shape (layouts, figures).

    After a part of the steps and per step, so that none is lost for as many steps or more.
    """
    run = columns.run
    figures = [run.spot, run.replaced, run.wall]
    if problem.risk.confidence is not None:
        figures = [run.least, run.variance, *figures]
    fewest = 1 if is_open(problem, phase.name) else ceil(phase.steps / FEWER)
    # what is known better may be expected to take longer: newer software moves the median by what is not known of it
    left = columns.variance_left
    known = [left, -left] if problem.risk.confidence is not None and np.any(left < 1) else []
    seen = (seen for one in figures for seen in (one.after(fewest), one.each))
    return np.column_stack([columns.nodes, *known, *seen])


FEWER: Final = 4
"""Layouts that can be best with so many times fewer tokens are kept too."""
