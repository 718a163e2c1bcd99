"""What no plan with a purchase option stays below, phase by phase: most of them are told hopeless by that alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from planner.layouts.rows import Index
from planner.market.purchase_options import PurchaseOption
from planner.performance.symbols import Array
from planner.plans.choices import Choices, PhaseModes, Site, is_open, site_of, usable
from planner.plans.node_cost import least_node_usd
from planner.plans.peak_bound import prices_of
from planner.tolerances import PHASE_CENTS, SUM_ORDER


@dataclass(frozen=True)
class Least:
    """Seconds and cents that no layout of a phase with a purchase option beats; shape (purchase options, phases).

    Infinite where a phase has no layout.
    """

    wall: Array
    cents: Array

    @classmethod
    def of(cls, choices: Choices, seconds: float) -> Least:
        """Those of the purchase options in their order, on layouts that alone take at most so many seconds."""
        shape = (len(choices.purchase_options), len(choices.phases))
        wall, cents = np.full(shape, inf), np.full(shape, inf)
        for index in range(len(choices.phases)):
            steps = steps_of(choices, index)
            for numbers, columns in choices.modes_by_site(index):
                walls, bills = _least_of_site(choices.prices[numbers], columns, steps, seconds)
                wall[numbers, index] = np.minimum(wall[numbers, index], walls)
                cents[numbers, index] = np.minimum(cents[numbers, index], bills)
        return cls(wall, cents)

    def of_jobs(self, *, together: bool) -> tuple[Array, Array]:
        """What no job with a purchase option for a phase stays below.

        Of a job that stays all phases take their least with one of them, and shapes are (purchase options, 1); of one
        that may move the others take their least anywhere, and shapes are (purchase options, phases).
        """
        wall, cents = (
            one.sum(axis=1, keepdims=True) if together else one + _of_others(one.min(axis=0))
            for one in (self.wall, self.cents)
        )
        return wall * (1 - SUM_ORDER), cents

    def of_others(self, phase: int, among: Index | None) -> tuple[float, float]:
        """What the other phases take at least: all with one of some purchase options, or each anywhere."""
        wall, cents = (np.delete(one, phase, axis=1) for one in (self.wall, self.cents))
        if among is None:
            return float(wall.min(axis=0).sum()), float(cents.min(axis=0).sum())
        return float(wall[among].sum(axis=1).min()), float(cents[among].sum(axis=1).min())


def _of_others(least: Array) -> Array:
    """For each phase the sum of the other phases; shape (phases,) of both."""
    return np.asarray([np.delete(least, phase).sum() for phase in range(len(least))])


def _least_of_site(prices: Array, columns: PhaseModes, steps: int, seconds: float) -> tuple[float, Array]:
    """Seconds and, for each purchase option on a site, cents that no layout of a phase stays below."""

    def least() -> tuple[float, Array]:
        """Those of the layouts that are quick enough."""
        wall = columns.wall_seconds(steps)
        bills = np.where(wall * (1 - SUM_ORDER) <= seconds, least_cents(prices, columns, steps), inf)
        return float(wall.min()), bills.min(axis=1)

    return columns.once(("least of site", steps, prices.tobytes(), seconds), least)


def affordable(choices: Choices, wall_seconds: float, cents: float) -> tuple[PurchaseOption, ...]:
    """The purchase options that a plan within so much time and money may use, the cheapest first."""
    wall, bill = Least.of(choices, wall_seconds).of_jobs(together=choices.together)
    fits = (wall <= wall_seconds) & (bill <= cents)
    kept = (choices.purchase_options[number] for number in np.flatnonzero(fits.any(axis=1)))
    return tuple(sorted(kept, key=usd_per_device_hour))


def no_worse(choices: Choices, seconds: float, usd: float) -> Choices:
    """The choices without what no plan within so much expected time and money uses; what is beyond a rule stays.

    A layout goes where its phase with it and the other phases at their least come to more.
    """
    least, beyond = Least.of(choices, seconds), {site.machine for of_phase in choices.beyond for site in of_phase}
    numbers: dict[Site, list[int]] = {}
    for number, one in enumerate(choices.purchase_options):
        numbers.setdefault(site_of(one), []).append(number)
    columns: tuple[dict[Site, PhaseModes], ...] = tuple({} for _ in choices.phases)
    for index, of_phase in enumerate(columns):
        for site in choices.sites_of(index):
            modes, some = choices.columns[index][site], np.asarray(numbers[replace(site, arrives=False)])
            rest = least.of_others(index, some if choices.together else None)
            steps = steps_of(choices, index)
            wall = (modes.wall_seconds(steps) + rest[0]) * (1 - SUM_ORDER)
            bill = least_cents(choices.prices[some], modes, steps).min(axis=0) + rest[1]
            fits = (wall <= seconds) & (bill <= 100 * usd * (1 + SUM_ORDER))
            of_phase[site] = modes if site.machine in beyond else modes.take(np.flatnonzero(fits))
    held = usable(choices.problem, choices.purchase_options, columns)
    return replace(choices, columns=columns, purchase_options=held)


def least_cents(prices: Array, columns: PhaseModes, steps: int) -> Array:
    """Cents below which no bill of so many steps stays, reserved nodes included; shape (purchase options, layouts).

    `prices` are those of `Choices.prices`.
    """
    usd = columns.bought * least_node_usd(prices, columns, steps)
    return np.asarray(np.maximum(np.floor(100 * usd) - PHASE_CENTS, 0.0), dtype=np.float64)


def steps_of(choices: Choices, phase: int) -> int:
    """Steps of a phase; one while its tokens are what is maximised."""
    work = choices.phases[phase]
    return 1 if is_open(choices.problem, work.name) else work.steps


def usd_per_device_hour(purchase_option: PurchaseOption) -> float:
    """The lowest price of a purchase option: cheap ones go first, since they show which of the others are of no use."""
    return min(prices_of(purchase_option).values()) / purchase_option.placement.machine.per_node
