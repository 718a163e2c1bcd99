"""Small problems whose offers change in time, and their best value by trying every begin and walking every day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from math import ceil, floor, inf
from typing import Any, Final

import numpy as np
from defined_layouts import fastest_defined
from generated_problems import MODEL, problem_of

from planner.layouts.wall_time import (
    TimedLayouts,
    checkpoint_and_restart_seconds,
    interruption_rates,
    run_time,
)
from planner.layouts.workload import Workload, workload_of
from planner.market.placements import placements
from planner.market.purchase_options import PurchaseOption, purchase_options_of
from planner.problem.own_offer import OwnOffer
from planner.problem.problem import Problem

START: Final = date(2027, 1, 4)
DAY: Final = 86_400
HORIZON: Final = 20
"""Days in which offers change."""


def generated_calendar(seed: int) -> Problem:
    """One to three phases over up to three offers with windows, closures, price periods, terms and blocks."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    phases = [
        {
            "name": f"phase {index}",
            "tokens": draw.choice(["3B", "10B", "30B", "60B"]),
            "sequence_length": draw.choice([1024, 2048]),
            "global_batch": draw.choice([8, 12, 16]),
        }
        for index in range(draw.choice([1, 1, 2, 2, 3]))
    ]
    schedule = {"start": str(START)}
    if draw.random() < 0.5:
        schedule["deadline"] = _day(draw.randint(2, HORIZON))
    limits: dict[str, Any] = {"gpus": draw.choice([4, 8])}
    if draw.random() < 0.3:
        limits["budget"] = draw.choice(["$100", "$300", "$1000"])
    return problem_of(
        {
            "schema": "plan/1",
            "model": MODEL | {"num_hidden_layers": draw.choice([4, 6])},
            "training": {"precision": "bf16", "phases": phases},
            "schedule": schedule,
            "market": {
                "clouds": [],
                "together": draw.choice([True, False, False]),
                "purchase": draw.choice([["on_demand"], ["on_demand", "spot"], ["on_demand", "reserved"]]),
                "moving": {"bandwidth": draw.choice(["10 Mb/s", "1 Gb/s"]), "egress": draw.choice([0, "$0.05/GB"])},
                "offers": [_offer(draw, index) for index in range(draw.choice([1, 2, 3]))],
            },
            "limits": limits,
            "layout": {"pipeline": 1, "context": 1},
            "objective": draw.choice(["cost", "cost", "time"]),
        }
    )


def _day(number: int) -> str:
    """So many days after the start."""
    return str(START + timedelta(days=number))


def _offer(draw: random.Random, index: int) -> dict[str, Any]:
    """An own offer that may change in time."""
    device, price = draw.choice([("A100-80GB-SXM4", 1.0), ("H100-80GB-SXM5", 2.0), ("L4", 0.3)])
    price *= draw.choice([0.8, 1.0, 1.3])
    nodes = draw.choice([1, 2, 3, 4])
    offer: dict[str, Any] = {
        "name": f"offer {index}",
        "accelerator": device,
        "gpus_per_node": draw.choice([1, 2]),
        "network": "400 Gb/s",
        "nodes": nodes,
        "on_demand": f"${price:.2f}/GPU-h",
        "spot": f"${price * 0.6:.2f}/GPU-h",
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["90%", "100%"]),
        "reserved": f"${price * 0.8:.2f}/GPU-h",
        "minimum_term": draw.choice(["1d", "4d", None]),
    }
    if draw.random() < 0.4:
        cheaper = f"${price * draw.choice([0.5, 0.9, 1.5]):.2f}/GPU-h"
        offer["on_demand"] = [{"price": offer["on_demand"]}, {"from": _day(draw.randint(1, 10)), "price": cheaper}]
        if draw.random() < 0.5:
            offer["on_demand"].append({"from": _day(draw.randint(11, HORIZON)), "price": f"${price:.2f}/GPU-h"})
    if draw.random() < 0.3:
        offer["from"] = _day(draw.randint(0, 6))
    if draw.random() < 0.3:
        offer["until"] = _day(draw.randint(7, HORIZON))
    if draw.random() < 0.6:
        first = draw.randint(0, 4)
        away = draw.choice([None, 1, nodes])
        offer["closed"] = [{"from": _day(first), "to": _day(first + draw.randint(0, 3)), "nodes": away}]
    if draw.random() < 0.3:
        sizes = sorted({draw.randint(1, nodes), nodes})
        lead = draw.choice([None, "2d", "5d"])
        block = {"sizes": sizes, "days": draw.choice(["1..2", "3", "2..14"]), "price": f"${price * 0.5:.2f}/GPU-h"}
        offer["blocks"] = [block | {"lead": lead}]
    return offer


@dataclass(frozen=True)
class Reached:
    """One way to have run the phases so far."""

    seconds: float
    usd: float
    option: int | None
    has_spot: bool = False


@dataclass
class BruteForce:
    """A problem, tried from begin to begin and layout to layout."""

    problem: Problem
    options: tuple[PurchaseOption, ...]
    workload: Workload
    known: dict[tuple[int, int, bool], list[tuple[int, float, float, float, float]]] = field(default_factory=dict)

    def ways(self) -> list[Reached]:
        """Ways through the whole job, among them all that none beats."""
        together = self.problem.market.together or len(self.workload.phases) == 1
        groups = [[one] for one in range(len(self.options))] if together else [list(range(len(self.options)))]
        return [reached for group in groups for reached in self._reached(group)]

    def best(self) -> float | None:
        """Dollars or seconds of the best plan; None when none is within the limits."""
        found = self.ways()
        limits, is_cost = self.problem.limits, self.problem.objective == "cost"
        fits = [
            one.usd if is_cost else one.seconds
            for one in found
            if one.seconds <= (limits.deadline or inf) * (1 + 1e-12) and one.usd <= float(limits.budget or inf) + 1e-9
        ]
        return min(fits, default=None)

    def _reached(self, group: list[int]) -> list[Reached]:
        """All ways through the job with some options that none beats."""
        ended = [[Reached(0.0, 0.0, None)]]
        for last in range(len(self.workload.phases)):
            found = [one for number in group for one in self._ending(number, last, ended)]
            ended.append(_unbeaten(found))
        return ended[-1]

    def _ending(self, number: int, last: int, ended: list[list[Reached]]) -> Iterator[Reached]:
        """The ways whose last phases run with one option."""
        option = self.options[number]
        is_spot = option.spot_policy.policy != "steady"
        moves = not (self.problem.market.together or len(self.workload.phases) == 1)
        if moves or last == 0 or not is_spot:
            for before, begins in self._begins(number, last, ended[last]):
                yield from self._phase(number, last, before, begins, arrives=last > 0 and is_spot)
        if last and is_spot:
            for before in ended[last]:
                if before.option == number and before.has_spot:
                    yield from self._phase(number, last, before, before.seconds, arrives=False)
        reservation = option.reservation
        if reservation and reservation.is_whole and not is_spot:
            for first in range(last + 1):
                for before, begins in self._begins(number, first, ended[first]):
                    yield from self._whole(number, range(first, last + 1), before, begins)

    def _begins(self, number: int, first: int, ended: list[Reached]) -> Iterator[tuple[Reached, float]]:
        """Every begin after every way: at once, and at all midnights of the horizon and a while after."""
        for before in ended:
            seconds, usd = self._moved(number, first, before)
            moved = Reached(before.seconds + seconds, before.usd + usd, before.option, before.has_spot)
            yield moved, moved.seconds
            after = floor(moved.seconds / DAY) + 1
            for day in range(after, max(HORIZON, after) + 2):
                yield moved, float(day * DAY)

    def _moved(self, number: int, first: int, before: Reached) -> tuple[float, float]:
        """Seconds and dollars of the move."""
        if before.option is None:
            return 0.0, 0.0
        origin, target = self.options[before.option].placement, self.options[number].placement
        if origin.key == target.key:
            return 0.0, 0.0
        tokens = sum(phase.tokens for phase in self.workload.phases[first:])
        gigabytes = (float(self.workload.checkpoint_bytes) + 4 * tokens) / 1e9
        moving, restart = self.problem.market.moving, interruption_rates(target.machine.accelerator.name)
        seconds = restart.restart_seconds + gigabytes * 1e9 / moving.bandwidth
        return seconds, round(100 * gigabytes * float(moving.egress or 0)) / 100

    def layouts(self, number: int, phase: int, *, arrives: bool) -> list[tuple[int, float, float, float, float]]:
        """Nodes, wall, spot and replaced seconds, and what a pause takes, of each of a phase's layouts."""
        key = (number, phase, arrives)
        if key not in self.known:
            option, work = self.options[number], self.workload.phases[phase]
            machine, name = option.placement.machine, option.placement.machine.accelerator.name
            found: TimedLayouts = fastest_defined(self.problem, self.workload, work, machine)
            run = run_time(self.workload, name, found, option.spot_policy, begins=phase == 0 or arrives)
            columns = (run.wall, run.spot, run.replaced)
            times = [np.asarray(one.after(work.steps)).tolist() for one in columns]
            pauses = sum(checkpoint_and_restart_seconds(self.workload, interruption_rates(name), found.nodes))
            nodes = found.nodes.tolist()
            most = min(option.placement.nodes, (self.problem.limits.gpus or 0) // machine.per_node)
            rows = zip(nodes, *times, np.broadcast_to(pauses, len(nodes)).tolist(), strict=True)
            self.known[key] = [row for row in rows if row[0] <= most]
        return self.known[key]

    def _phase(self, number: int, phase: int, before: Reached, begins: float, *, arrives: bool) -> Iterator[Reached]:
        """A phase on each layout, each node bought in the cheapest way."""
        option, offer = self.options[number], self._offer(number)
        reservation = option.reservation
        price = float(reservation.usd_per_node_hour) if reservation and not reservation.is_whole else inf
        sells = option.on_demand_price is not None
        for nodes, wall, spot_seconds, replaced, pause in self.layouts(number, phase, arrives=arrives):
            days = list(walked(offer, nodes, begins, wall, pause))
            if not days:
                continue
            ends, running = days[-1][2], sum(last - first for _, first, last in days)
            first = days[0][1]
            usual = sum((last - begin) / 3600 * self._price(number, day) for day, begin, last in days) if sells else inf
            as_reserved = price * (ends - first) / 3600
            pauses = sum(one[2] < following[1] for one, following in pairwise(days))
            spot = float(option.spot_price or inf) * (spot_seconds + pauses * pause) / 3600
            spot += usual * replaced / running if replaced else 0.0
            rest = min(usual, as_reserved)
            many = min(nodes, option.spot_nodes) if spot < rest else 0
            usd = (many * spot if many else 0.0) + ((nodes - many) * rest if nodes > many else 0.0)
            if usd < inf:
                yield Reached(ends, before.usd + usd, number, has_spot=option.spot_policy.policy != "steady")

    def _whole(self, number: int, span: range, before: Reached, begins: float) -> Iterator[Reached]:
        """Phases in a row on each number of nodes that can be paid whole."""
        option, offer = self.options[number], self._offer(number)
        reservation = option.reservation
        assert reservation
        most = min(option.placement.nodes, (self.problem.limits.gpus or 0) // option.placement.machine.per_node)
        for held in reservation.block.sizes if reservation.block else range(1, most + 1):
            first, now = None, begins
            for phase in span:
                runs = [
                    list(walked(offer, nodes, now, wall, pause))
                    for nodes, wall, _, _, pause in self.layouts(number, phase, arrives=False)
                    if nodes <= held <= most
                ]
                earliest = min((days for days in runs if days), key=lambda days: days[-1][2], default=None)
                if earliest is None:
                    break
                first, now = (earliest[0][1] if first is None else first), earliest[-1][2]
            else:
                assert first is not None
                paid = max(now - first, reservation.committed_seconds)
                if block := reservation.block:
                    if floor(first / DAY) * DAY < (block.lead or 0):
                        continue
                    days = ceil(now / DAY) - floor(first / DAY)
                    while not any(count * block.days[0] <= days <= count * block.days[1] for count in range(1, 99)):
                        days += 1
                    paid = float(days * DAY)
                usd = held * float(reservation.usd_per_node_hour) * paid / 3600
                yield Reached(now, before.usd + usd, number)

    def _offer(self, number: int) -> OwnOffer:
        """The offer of an option."""
        name = self.options[number].placement.instance_type
        return next(one for one in self.problem.market.offers if one.name == name)

    def _price(self, number: int, day: int) -> float:
        """Dollars of an on-demand node-hour on a day."""
        offer, per_node = self._offer(number), self.options[number].placement.machine.per_node
        if not offer.periods:
            return float(self.options[number].on_demand_price or inf)
        today = START + timedelta(days=day)
        begun = [one for one in offer.periods if one.first is None or one.first <= today]
        return float((begun or [offer.periods[0]])[-1].price.usd) * per_node


def walked(
    offer: OwnOffer, nodes: int, begins: float, seconds: float, pause: float
) -> Iterator[tuple[int, float, float]]:
    """The days on which a phase runs, each with when; nothing where its nodes are not there long enough."""
    found, left, now = list[tuple[int, float, float]](), seconds, begins
    for day in range(floor(begins / DAY), floor(begins / DAY) + 400):
        now = max(begins, float(day * DAY))
        if there(offer, day) < nodes:
            continue
        if found and found[-1][2] < now:
            left += pause
        last = min(now + left, float((day + 1) * DAY))
        found.append((day, now, last))
        left -= last - now
        if left <= 1e-9:
            yield from found
            return


def there(offer: OwnOffer, day: int) -> int:
    """Nodes of an offer on a day."""
    today = START + timedelta(days=day)
    if (offer.first and today < offer.first) or (offer.until and today > offer.until):
        return 0
    nodes = offer.nodes or 0
    closed = [one for one in offer.closed if one.first <= today <= one.last]
    return nodes - sum(nodes if one.nodes is None else one.nodes for one in closed)


def _unbeaten(found: list[Reached]) -> list[Reached]:
    """The ways that none with the same option beats."""
    kept: list[Reached] = []
    for one in sorted(found, key=lambda one: (one.seconds, one.usd)):
        rivals = (other for other in kept if (other.option, other.has_spot) == (one.option, one.has_spot))
        if all(other.usd > one.usd for other in rivals):
            kept.append(one)
    return kept


def best_by_days(problem: Problem) -> float | None:
    """Dollars or seconds of the best plan, every begin and layout tried; None when no plan is within the limits."""
    return BruteForce(problem, purchase_options_of(placements(problem)), workload_of(problem)).best()
