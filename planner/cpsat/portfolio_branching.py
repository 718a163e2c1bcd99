"""Branch and price: a portfolio of few jobs in parts, each with a bound of its own, the one with the least bound first.

What cannot be committed to in a part cannot cover hours there, so that a job on more nodes pays the rest on demand:
dividing the nodes of commitments is what moves the bound most. Jobs are divided too: kept or dropped, by pool, nodes or
day. Barnhart et al. 1998, "Branch-and-price: column generation for solving huge integer programs", Oper. Res.
46(3), 316-329.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import floor, inf
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.cpsat.portfolio_bound import Begin, PortfolioBound, relaxed
from planner.cpsat.portfolio_divisions import divided, overfilled
from planner.cpsat.portfolio_rows import Branch, Rows, is_possible, whole
from planner.portfolio.instance import Portfolio
from planner.portfolio.tables import JobTable

MOST_PARTS: Final = 2000
"""Parts after which the search ends by itself."""
TIGHTENED: Final = 3
"""Times that a part is made smaller by reduced costs before it is divided."""
DAYS_AT_ONCE: Final = 4
"""Days that are counted by themselves after a relaxation that overfills them."""
MOST_DAYS: Final = 400
"""Days that are counted by themselves at most."""
OVERFILLED: Final = 0.01
"""Nodes by which a day may be overfilled."""
ENOUGH: Final = 1e-4
"""Relative distance of master and bound at which a part's bound is good enough."""


@dataclass(order=True)
class _Part:
    """A part that is still to be divided."""

    bound: float
    number: int
    branch: Branch = field(compare=False)
    begin: Begin = field(compare=False)


@dataclass
class Branching:
    """The search over parts."""

    portfolio: Portfolio
    tables: Sequence[JobTable]
    clock: Clock
    cutoff: Callable[[], float]
    """The value from which on a bound is of no more interest."""
    found: Callable[[PortfolioBound], None]
    """Looks for a schedule near the relaxation of a part."""
    told: Callable[[float], None]
    """Is told the bound of the whole as it rises."""
    missing_usd: float
    made: int = 1
    days: tuple[tuple[int, int], ...] = ()
    """Pools and days on which a relaxation took more nodes than there are, and which are counted since."""
    undivided: float = inf
    """The least bound of the parts that cannot be divided; no search goes beyond it."""

    def search(self, root: PortfolioBound) -> float:
        """The bound of the whole, at least that of the root."""
        parts = [_Part(root.bound, 0, whole(self.portfolio), Begin(root.nearly_used, root.prices))]
        bound = root.bound
        while parts and parts[0].bound < self._end() and not self.clock.is_over and self.made < MOST_PARTS:
            for child in self._children(heapq.heappop(parts)):
                heapq.heappush(parts, child)
            least = min(self._end(), parts[0].bound if parts else inf)
            if least > bound and not self.clock.is_over:
                bound = least
                self.told(bound)
        return bound

    def _end(self) -> float:
        """The bound at which the search ends."""
        return min(self.cutoff(), self.undivided)

    def _children(self, part: _Part) -> Iterator[_Part]:
        """The parts of a part that can hold a better schedule."""
        branch, found = self._narrowed(part)
        bound = max(part.bound, found.bound)
        if bound >= self.cutoff():
            return
        self.found(found)
        begin = Begin(found.nearly_used, found.prices)
        children = divided(Rows(self.portfolio, self.tables, branch), found)
        if not children and self._counts_more(found):
            children = (branch,)
        if not children:
            self.undivided = min(self.undivided, bound)
        for child in children:
            if is_possible(self.portfolio, child):
                self.made += 1
                yield _Part(bound, self.made, child, begin)

    def _narrowed(self, part: _Part) -> tuple[Branch, PortfolioBound]:
        """A part without what only dearer schedules have, and its relaxation."""
        branch, begin = part.branch, part.begin
        for _ in range(TIGHTENED):
            found = self._relaxed(branch, begin)
            begin = Begin(found.nearly_used, found.prices)
            if found.bound >= self.cutoff() or self.clock.is_over:
                break
            narrower = self._tightened(branch, found)
            if narrower == branch:
                break
            branch = narrower
        return branch, found

    def _counts_more(self, found: PortfolioBound) -> bool:
        """Counts the fullest days that are overfilled by themselves, from now on; False when there are none."""
        over = overfilled(self.portfolio, self.tables, found)
        new = [place for place in np.argsort(-over, axis=None)[:DAYS_AT_ONCE].tolist() if over.flat[place] > OVERFILLED]
        days = [divmod(place, self.portfolio.days) for place in new]
        self.days += tuple(day for day in days if day not in self.days)
        return bool(days) and len(self.days) < MOST_DAYS

    def _relaxed(self, branch: Branch, begin: Begin) -> PortfolioBound:
        """The relaxation of a part."""
        return relaxed(
            self.portfolio,
            self.tables,
            self.clock,
            begin=begin,
            missing_usd=self.missing_usd,
            branch=branch,
            days=self.days,
            cutoff=self.cutoff(),
            enough=ENOUGH,
        )

    def _tightened(self, branch: Branch, found: PortfolioBound) -> Branch:
        """The part without levels whose reduced costs lift the bound above the cutoff."""
        left, levels = self.cutoff() - found.bound, []
        for (least, most), usd in zip(branch.levels, found.term_usd, strict=True):
            steps = most - least if abs(usd) * (most - least) <= left else max(0, floor(left / abs(usd)))
            levels.append((least, least + steps) if usd > 0 else (most - steps, most))
        return replace(branch, levels=tuple(levels))
