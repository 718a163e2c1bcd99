"""What to commit to for given hours: each term at its best level beside all others, until none changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from planner.market.money import priced
from planner.portfolio.instance import Array, Commitment, Ints, Portfolio
from planner.portfolio.schedule import CommittedNodes
from planner.units import HOURS_PER_DAY

PASSES: Final = 4
"""Times that all terms are looked at."""


def best_purchases(
    portfolio: Portfolio, hours: Array, known: Sequence[CommittedNodes] = ()
) -> tuple[CommittedNodes, ...]:
    """Commitments under which given paid node-hours, of shape (pools, days), cost least, from known ones on."""
    found = list[CommittedNodes]()
    for number, pool in enumerate(portfolio.pools):
        if not pool.commitments:
            continue
        levels = np.asarray([term.least for term in pool.commitments], dtype=np.int64)
        for one in known:
            if one.pool == number:
                levels[one.commitment] = one.nodes
        levels = _best_levels(pool.commitments, hours[number], pool.prices, levels)
        found += [CommittedNodes(number, int(place), int(levels[place])) for place in np.flatnonzero(levels)]
    return tuple(found)


def _best_levels(terms: Sequence[Commitment], hours: Array, prices: Array, levels: Ints) -> Ints:
    """Nodes of each term, by coordinate descent; the cheapest terms first."""
    levels = levels.copy()
    committed = np.zeros(len(hours))
    for term, nodes in zip(terms, levels, strict=True):
        committed[term.start : term.end] += nodes
    cheapest = sorted(range(len(terms)), key=lambda one: (terms[one].usd_per_node_hour, terms[one].start))
    for _ in range(PASSES):
        before = levels.copy()
        for place in cheapest:
            term, span = terms[place], slice(terms[place].start, terms[place].end)
            committed[span] -= levels[place]
            room = room_for(terms, levels, place)
            over = hours[span] - HOURS_PER_DAY * committed[span]
            levels[place] = _best_level(term, over, prices[span], room)
            committed[span] += levels[place]
        if (levels == before).all():
            break
    return levels


def room_for(terms: Sequence[Commitment], levels: Ints, place: int) -> int:
    """Most nodes that a term can have beside the others under its name that overlap it."""
    term = terms[place]
    taken = np.zeros(term.days, dtype=np.int64)
    for other, nodes in zip(terms, levels, strict=True):
        if other is not term and other.name == term.name and nodes:
            taken[max(0, other.start - term.start) : max(0, other.end - term.start)] += nodes
    return min(term.limit, term.most - int(taken.max(initial=0)))


def _best_level(term: Commitment, over: Array, prices: Array, room: int) -> int:
    """The number of nodes that costs least; the cost is convex in it."""
    peak = term.least + int(np.ceil(max(0.0, float(over.max(initial=0.0))) / HOURS_PER_DAY))
    sizes = (0, *term.sizes) if term.is_block else range(min(room, peak) + 1)
    levels = np.asarray([one for one in sizes if term.least <= one <= room] or [term.least])
    usd = float(term.usd_per_node) * levels
    for first in range(0, len(levels), LEVELS_AT_ONCE):
        some = slice(first, first + LEVELS_AT_ONCE)
        usd[some] += uncovered_usd(over[None, :], levels[some, None], prices).sum(axis=1)
    return int(levels[usd.argmin()])


LEVELS_AT_ONCE: Final = 1024
"""Levels that are compared at a time: what limits the memory."""


def uncovered_usd(hours: Array, committed: Array | Ints, usd_per_node_hour: Array) -> Array:
    """Dollars on demand of each day for its node-hours that committed nodes do not cover; the shapes broadcast."""
    return priced(np.maximum(hours - HOURS_PER_DAY * committed, 0.0), usd_per_node_hour)


def purchases_usd(portfolio: Portfolio, purchases: Sequence[CommittedNodes]) -> float:
    """What commitments cost in all."""
    return float(
        sum(portfolio.pools[one.pool].commitments[one.commitment].usd_per_node * one.nodes for one in purchases)
    )


def committed_nodes(portfolio: Portfolio, purchases: Sequence[CommittedNodes]) -> Array:
    """Committed nodes, shape (pools, days)."""
    found = np.zeros((len(portfolio.pools), portfolio.days))
    for one in purchases:
        term = portfolio.pools[one.pool].commitments[one.commitment]
        found[one.pool, term.start : term.end] += one.nodes
    return found
