"""Layouts that fit only with more memory of each device, where they may be as good as a plan.

Tables of layouts on all hopeful machines are found together, and only what no lower bound rules out is timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.layouts.dominance import undominated
from planner.layouts.fastest import Asked, best_layouts_on
from planner.layouts.tables import BestLayouts, Reach
from planner.layouts.workload import PhaseWork
from planner.market.money import node_hours_usd
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import (
    LATER,
    Choices,
    PhaseModes,
    Site,
    asked_of,
    by_machine,
    modes_of,
    runs_of,
    seen_by_model,
    site_of,
    variances_left,
    with_spares,
)
from planner.plans.lower_bounds import rounded_off
from planner.plans.peak_bound import peak_bound, prices_of
from planner.tolerances import SUM_ORDER

Tables = Mapping[Site, BestLayouts]
Offers = Sequence[Sequence[PurchaseOption]]
"""Purchase options machine by machine."""


@dataclass(frozen=True)
class Spent:
    """What a job takes, or may take."""

    seconds: float = inf
    usd: float = inf


def with_more_memory(choices: Choices, purchase_options: Iterable[PurchaseOption], most: Spent) -> Choices:
    """The choices with what fits only with `choices.more_memory` beyond, as far as it may be within some bounds.

    `purchase_options`: all of each machine.
    """
    loose = Spent(most.seconds * (1 + SUM_ORDER), most.usd * (1 + SUM_ORDER) + rounded_off(choices))
    offers = [some for some in by_machine(purchase_options).values() if _is_hopeful(choices, some, loose)]
    phases = _phases(choices, offers, loose)
    beyond = (
        {site: table.take(_hopeful(choices, phases, index, site, loose)) for site, table in phase.tables.items()}
        for index, phase in enumerate(phases)
    )
    return replace(choices, beyond=tuple(_timed(choices, index, some) for index, some in enumerate(beyond)))


def _is_hopeful(choices: Choices, purchase_options: Sequence[PurchaseOption], most: Spent) -> bool:
    """Whether a job that stays on a machine may be within bounds at the peak of its devices."""
    steps = [phase.steps for phase in choices.phases]
    least = peak_bound(choices.problem, choices.workload, purchase_options, steps)
    return not choices.together or (least.seconds <= most.seconds and least.usd <= most.usd)


@dataclass(frozen=True)
class _FastestPhase:
    """The fastest layouts of a phase on each site, and what they take at least: the steps alone, at the lowest price.

    Shape (layouts,) each.
    """

    tables: Tables
    seconds: Mapping[Site, Array]
    usd: Mapping[Site, Array]

    def least(self, site: Site) -> Array:
        """Seconds and dollars on any layout of a site; infinite where there is none."""
        known = (figures.get(site, np.empty(0)) for figures in (self.seconds, self.usd))
        return np.asarray([one.min(initial=inf) for one in known])


def _phases(choices: Choices, offers: Offers, most: Spent) -> list[_FastestPhase]:
    """Phase by phase; of a job that stays, on the sites alone where the phases so far may be within bounds."""
    found = list[_FastestPhase]()
    for index in range(len(choices.phases)):
        found.append(_phase(choices, index, offers, most, found))
        if choices.together:
            sums = {site: _sum(found, site) for site in found[-1].tables}
            here = {site for site, (seconds, usd) in sums.items() if seconds <= most.seconds and usd <= most.usd}
            offers = [some for some in ([one for one in some if site_of(one) in here] for some in offers) if some]
    return found


def _sum(phases: Sequence[_FastestPhase], site: Site) -> Array:
    """Seconds and dollars that some phases take together at least."""
    return sum((one.least(site) for one in phases), start=np.zeros(2))


def _phase(choices: Choices, index: int, offers: Offers, most: Spent, before: Sequence[_FastestPhase]) -> _FastestPhase:
    """One phase with more memory, as far as it may be within bounds with the phases before."""
    work, arriving = choices.phases[index], index > 0 and not choices.together
    asked = [_asked(choices, work, some, most, _least_of(choices, some, before)) for some in offers]
    of_machines = best_layouts_on(choices.workload, work, choices.spaces[index], asked)
    tables, usd = dict[Site, BestLayouts](), dict[Site, Array]()
    for some, table in zip(offers, of_machines, strict=True):
        if not len(table):
            continue
        bought, seconds = with_spares(choices.problem, table.nodes), table.step_seconds * work.steps
        for site in dict.fromkeys(map(site_of, some)):
            lowest = min(price for one in some if site_of(one) == site for price in prices_of(one).values())
            for way in site.ways_to_begin if arriving else (site,):
                tables[way], usd[way] = table, node_hours_usd(bought, lowest, seconds)
    return _FastestPhase(tables, {site: table.step_seconds * work.steps for site, table in tables.items()}, usd)


def _least_of(choices: Choices, purchase_options: Sequence[PurchaseOption], before: Sequence[_FastestPhase]) -> Spent:
    """What some phases of a job that stays take at least with one of the options of a machine."""
    if not choices.together or not before:
        return Spent(0.0, 0.0)
    seconds, usd = np.min([_sum(before, site_of(one)) for one in purchase_options], axis=0)
    return Spent(float(seconds), float(usd))


def _asked(
    choices: Choices, work: PhaseWork, purchase_options: Sequence[PurchaseOption], most: Spent, taken: Spent
) -> Asked:
    """What is asked of the layouts of a phase on one machine: steps that neither time nor money rules out."""
    asked = asked_of(choices.problem, work, purchase_options, choices.more_memory)
    of_a_node_second = node_hours_usd(1, min(min(prices_of(one).values()) for one in purchase_options), work.steps)

    def reach(later: float, dearer: float) -> Reach:
        """Within so many times the time and the money."""
        seconds, usd = later * most.seconds - taken.seconds, dearer * most.usd - taken.usd
        node_seconds = max(usd, 0.0) / float(of_a_node_second) if of_a_node_second else inf
        return Reach(min(later * asked.reach.step_seconds, seconds / work.steps), node_seconds)

    return replace(asked, reach=reach(1.0, 1.0), further=reach(LATER, DEARER))


DEARER: Final = 2.0
"""Times a plan's cost up to which layouts are found: that of the next question may be more."""


def _hopeful(
    choices: Choices, phases: Sequence[_FastestPhase], index: int, site: Site, most: Spent
) -> npt.NDArray[np.int64]:
    """Layouts that need more memory than there is, and may be within bounds with the other phases of the job."""
    phase, others = phases[index], [one for one in phases if choices.together and one is not phases[index]]
    seconds, usd = _sum(others, site)
    in_time, in_budget = phase.seconds[site] + seconds <= most.seconds, phase.usd[site] + usd <= most.usd
    needed = phase.tables[site].rows.needed_bytes
    return np.flatnonzero(in_time & in_budget & (needed > choices.machines[site.machine].memory_bytes))


def _timed(choices: Choices, index: int, tables: Tables) -> dict[Site, PhaseModes]:
    """The layouts of a phase on each site that neither one that fits nor another one of them beats."""
    some = {site: table for site, table in tables.items() if len(table)}
    work, found = choices.phases[index], dict[Site, PhaseModes]()
    for site, run in runs_of(choices.workload, some, starts=index == 0):
        machine, table = choices.machines[site.machine], some[site]
        left = variances_left(choices.workload, machine, choices.spaces[index], table)
        modes = modes_of(choices.problem, table, run, left)
        fitting = choices.columns[index].get(site)
        held = 0 if fitting is None else len(fitting)
        kept = undominated(seen_by_model(choices.problem, work, fitting.joined(modes) if fitting else modes))
        found[site] = modes.take(kept[kept >= held] - held)
    return found
