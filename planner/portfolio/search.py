"""Schedules by insertion, and better ones by ruin and recreate: some jobs are taken out and put back more cheaply.

Schrimpf et al. 2000, "Record breaking optimization results using the ruin and recreate principle", J. Comput. Phys.
159(2), 139-171; the order of insertion and the blinks follow Christiaens and Vanden Berghe 2020, Transportation
Science 54(2), 417-433. What a job costs is exact beside all others; a guide adds what scarce nodes are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np

from planner.clock import Clock
from planner.portfolio.bill import bill_of, excess_usd
from planner.portfolio.commitments import best_purchases, committed_nodes, purchases_usd
from planner.portfolio.insertion import Insertion, best_insertion, empty_usage, usage_of
from planner.portfolio.instance import Array, Ints, Portfolio
from planner.portfolio.schedule import CommittedNodes, PhaseStart, Schedule
from planner.portfolio.tables import TIE, JobTable

SEED: Final = 1
"""Of all random choices."""
MOST_RUINED: Final = (6, 1 / 12)
"""Jobs that are taken out at a time: so many, or that part of all jobs."""
COMMIT_EVERY: Final = 20
"""Rounds after which the commitments are chosen anew."""
RESTART_AFTER: Final = 1500
"""Rounds without a better schedule after which the search goes on from the best one."""
PATIENCE: Final = (300, 100)
"""Rounds without a better schedule after which the search ends by itself: so many, and for each job."""
EXCESS: Final = 20.0
"""Dollars that a dollar beyond a budget counts."""

Guide = Sequence[Sequence[Array]]
"""By job and phase, dollars that are added to each mode and end."""


@dataclass(frozen=True)
class Found:
    """A schedule and what it is worth."""

    schedule: Schedule
    value: float
    """What the objective counts, with penalties for what must not be."""
    is_complete: bool
    """Whether all jobs that must be kept are, within all budgets."""

    def beats(self, other: Found, by_usd: float = 1e-9) -> bool:
        """Whether it costs less by so much; one that is complete beats any that is not."""
        return self.is_complete if self.is_complete != other.is_complete else self.value < other.value - by_usd


class Search:
    """The schedule that is being changed, and the best so far."""

    def __init__(self, portfolio: Portfolio, tables: Sequence[JobTable], *, seed: int = SEED) -> None:
        self.portfolio, self.tables = portfolio, tables
        self.random = np.random.default_rng(seed)
        self.prices = np.stack([one.prices for one in portfolio.pools]) * max(portfolio.weights.money, TIE)
        self.usage = empty_usage(portfolio, self.prices)
        self.runs: list[tuple[PhaseStart, ...]] = [()] * len(tables)
        self.purchases = best_purchases(portfolio, self.usage.hours)
        self.usage.commit(committed_nodes(portfolio, self.purchases))
        self.missing_usd = 10 * self._scale()
        self.paid_usd = portfolio.weights.money * sum(float(one.paid_usd) for one in portfolio.pools)
        self.best: Found | None = None
        self.guide: Guide | None = None
        self.due = np.asarray([job.deadline for job in portfolio.jobs], dtype=np.float64)
        self.least = np.asarray([table.least_usd for table in tables])
        self.work = np.asarray([table.least_node_days for table in tables])
        self.spans = np.zeros((len(tables), 2), dtype=np.int64)
        self.out_usd = np.asarray([self._out_usd(table) for table in tables])
        self.job_usd = self.out_usd.copy()
        """What each job costs beyond its hours: lateness, or what is lost without it."""
        self.budget_factor = 1.0
        self.depending = 0.5
        """Part of the value of jobs behind one that counts for it."""

    def _out_usd(self, table: JobTable) -> float:
        """What is lost without a job."""
        weight = max(self.portfolio.weights.dropped, TIE)
        return self.missing_usd if table.value_usd is None else table.value_usd * weight

    def _scale(self) -> float:
        """A sum that no schedule reaches."""
        least = sum(one.least_usd for one in self.tables if one.least_usd < inf)
        values = sum(one.value_usd or 0.0 for one in self.tables)
        late = sum(float(one.late_usd[-1]) for one in self.tables)
        return 1e4 + 10 * least + values + late

    def load(self, schedule: Schedule) -> None:
        """Goes on from a schedule."""
        self.runs, self.purchases = list(schedule.jobs), schedule.purchases
        self.usage = usage_of(self.portfolio, self.tables, schedule, self.prices)
        self.job_usd = self.out_usd.copy()
        for job, runs in enumerate(self.runs):
            if runs:
                self._note_span(job, runs)

    def _note_span(self, job: int, runs: Sequence[PhaseStart]) -> None:
        """Remembers on which days a job runs, and what its lateness costs."""
        end = runs[-1].start + int(self.tables[job].phases[-1].days[runs[-1].mode])
        self.spans[job] = runs[0].start, end
        self.job_usd[job] = self.tables[job].late_usd[end]

    def schedule(self) -> Schedule:
        """The schedule as it is."""
        return Schedule(tuple(self.runs), self.purchases)

    def remove(self, job: int) -> None:
        """Takes a job out."""
        for phase, run in zip(self.tables[job].phases, self.runs[job], strict=False):
            self.usage.take(phase, run, -1)
        self.runs[job] = ()
        self.job_usd[job] = self.out_usd[job]

    def place(self, job: int, insertion: Insertion) -> None:
        """Puts a job in."""
        self.runs[job] = insertion.runs
        for phase, run in zip(self.tables[job].phases, insertion.runs, strict=True):
            self.usage.take(phase, run, 1)
        self._note_span(job, insertion.runs)

    def window(self, job: int) -> tuple[int, int]:
        """The days that kept jobs before and after a job leave it."""
        of = self.portfolio.jobs[job]
        first = max((int(self.spans[one, 1]) for one in of.after if self.runs[one]), default=0)
        following = (int(self.spans[one, 0]) for one in self.portfolio.successors[job] if self.runs[one])
        return first, min(following, default=self.portfolio.days)

    def insert(self, jobs: Sequence[int], guide: Guide | None = None) -> None:
        """Puts jobs in, in order but each after those that it waits for; drops what is cheaper to drop."""
        waiting = list(jobs)
        while waiting:
            job = next(job for job in waiting if not any(one in waiting for one in self.portfolio.jobs[job].after))
            waiting.remove(job)
            waiting += self._insert_one(job, guide)

    def _insert_one(self, job: int, guide: Guide | None) -> list[int]:
        """Puts one job in or drops it; later jobs that were in its way are taken out, and returned."""
        if any(not self.runs[one] for one in self.portfolio.jobs[job].after):
            return []
        found = self._insertion(job, guide)
        out = list[int]()
        if found is None and (out := self._later(job)):
            for one in out:
                self.remove(one)
            found = self._insertion(job, guide)
        if found is not None:
            self.place(job, found)
        return out

    def _later(self, job: int) -> list[int]:
        """Kept jobs that wait for a job, directly or not."""
        found, waiting = list[int](), list(self.portfolio.successors[job])
        while waiting:
            one = waiting.pop()
            if self.runs[one] and one not in found:
                found.append(one)
                waiting += self.portfolio.successors[one]
        return found

    def _insertion(self, job: int, guide: Guide | None) -> Insertion | None:
        """The best place for a job; None when there is none, or when dropping the job is cheaper."""
        table = self.tables[job]
        first, last = self.window(job)
        found = best_insertion(table, self.usage, first, last, guide[job] if guide else None, self.budget_factor)
        if found is None or table.value_usd is None:
            return found
        worth = (
            table.value_usd + sum(self.tables[one].value_usd or 0.0 for one in self._depending(job)) * self.depending
        )
        return found if found.usd <= worth * max(self.portfolio.weights.dropped, TIE) else None

    def _depending(self, job: int) -> Sequence[int]:
        """Optional jobs that would be dropped with a job."""
        return [one for one in self.portfolio.successors[job] if self.tables[one].value_usd is not None]

    def measured(self) -> Found:
        """What the schedule is worth now."""
        value = (
            self.paid_usd
            + self.usage.on_demand_usd()
            + max(self.portfolio.weights.money, TIE) * purchases_usd(self.portfolio, self.purchases)
            + float(self.job_usd.sum())
        )
        excess = self._excess() if self.portfolio.budgets.any else 0.0
        value += EXCESS * excess
        return Found(self.schedule(), value, not self._misses_any() and excess <= 0)

    def _misses_any(self) -> bool:
        """Whether a job that must be kept is not."""
        return any(not runs and self.tables[job].value_usd is None for job, runs in enumerate(self.runs))

    def _excess(self) -> float:
        """Dollars beyond the budgets."""
        return excess_usd(self.portfolio, bill_of(self.portfolio, self.schedule()))

    def recommit(self) -> None:
        """Chooses the commitments anew for what runs."""
        if not any(pool.commitments for pool in self.portfolio.pools) or not self.portfolio.weights.money:
            return
        self.purchases = best_purchases(self.portfolio, self.usage.hours, self.purchases)
        self.usage.commit(committed_nodes(self.portfolio, self.purchases))

    def note(self) -> Found:
        """Measures the schedule, and keeps it when it is the best: one that holds before any that does not."""
        found, best = self.measured(), self.best
        if best is None or found.beats(best):
            self.best = found
        return found

    def order_by_due_date(self) -> list[int]:
        """All jobs that are not placed, those with the earliest deadline first, pinned ones before all."""
        waiting = [job for job, runs in enumerate(self.runs) if not runs]
        return sorted(waiting, key=lambda job: (self.tables[job].pinned is None, self.due[job], job))

    def first_schedule(self) -> Found:
        """Greedy by due date."""
        self.insert(self.order_by_due_date(), self.guide)
        self.recommit()
        return self.note()

    def improve(
        self,
        clock: Clock,
        *,
        enough: Callable[[float], bool] = lambda _: False,
        progress: Callable[[float], None] | None = None,
        patience: int | None = None,
    ) -> None:
        """Ruins and recreates until the clock is over, the best is enough, or nothing better is found for long.

        `patience`: rounds without a better schedule; as many as there are jobs for when it is not given.
        """
        current = self.note()
        patience = PATIENCE[0] + PATIENCE[1] * len(self.tables) if patience is None else patience
        since, rounds = 0, 0
        while not clock.is_over and since < patience and self.best and not enough(self.best.value):
            rounds, since = rounds + 1, since + 1
            before, best = (list(self.runs), self.purchases), self.best.value
            self._round(rounds)
            found = self.note()
            allowed = current.value + abs(self.best.value) / len(self.tables) * THRESHOLD * (
                1 - since % RESTART_AFTER / RESTART_AFTER
            )
            if found.value <= allowed:
                current = found
            else:
                self._back_to(*before)
            if self.best.value < best - 1e-9:
                since = 0
                if progress:
                    progress(self.best.value)
            elif since % RESTART_AFTER == 0:
                self.load(self.best.schedule)
                current = self.best

    def settle(self) -> None:
        """Lets every job of the best schedule begin as early as it costs no more."""
        if self.best is None:
            return
        self.load(self.best.schedule)
        later = EARLY * np.arange(self.portfolio.days + 1.0)
        starts = sorted((int(self.spans[job, 0]), job) for job, runs in enumerate(self.runs) if runs)
        for _, job in starts:
            before = self.runs[job]
            if self.tables[job].pinned is not None:
                continue
            self.remove(job)
            first, last = self.window(job)
            found = best_insertion(
                self.tables[job],
                self.usage,
                first,
                last,
                [np.broadcast_to(later, one.usd.shape) for one in self.tables[job].phases],
            )
            if found is not None:
                self.place(job, found)
            if found is None or self.best.beats(self.note(), CENT):
                if found is not None:
                    self.remove(job)
                self.place(job, Insertion(0.0, before))
        self.best = replace(self.measured(), is_complete=self.best.is_complete)

    def _back_to(self, runs: Sequence[tuple[PhaseStart, ...]], purchases: tuple[CommittedNodes, ...]) -> None:
        """Undoes what changed since."""
        changed = [job for job, known in enumerate(runs) if known is not self.runs[job]]
        for job in changed:
            self.remove(job)
        for job in changed:
            if runs[job]:
                self.place(job, Insertion(0.0, runs[job]))
        if purchases is not self.purchases:
            self.purchases = purchases
            self.usage.commit(committed_nodes(self.portfolio, purchases))

    def _round(self, number: int) -> None:
        """One ruin and recreate."""
        if self.portfolio.budgets.any and self.best is not None:
            self.budget_factor = 1.0 if self.best.is_complete else min(50.0, self.budget_factor * 1.02)
        self.depending = float(self.random.choice(DEPENDING))
        out = self._ruined()
        for job in out:
            self.remove(job)
        guided = self.guide is not None and self.random.random() < GUIDED[len(self.runs) > FEW_TO_GUIDE]
        empty = [job for job, runs in enumerate(self.runs) if not runs]
        again = RETRIED / max(RETRIED, len(empty))
        waiting = [job for job in empty if job in out or self.random.random() < again]
        self.insert(self._ordered(waiting), self.guide if guided else None)
        if number % COMMIT_EVERY == 0:
            self.recommit()

    def _ruined(self) -> list[int]:
        """Jobs to take out: neighbours in pool and time of one, which often is one that costs more than it might."""
        kept = [job for job, runs in enumerate(self.runs) if runs and self.tables[job].pinned is None]
        if not kept:
            return []
        most = max(MOST_RUINED[0], round(MOST_RUINED[1] * len(self.runs)))
        count = int(self.random.integers(1, min(most, len(kept)) + 1))
        seed = self._seed(kept)
        first, last = self._wanted(seed)
        overlap = np.minimum(self.spans[kept, 1], last) - np.maximum(self.spans[kept, 0], first)
        score = overlap / max(1, last - first) + self.random.random(len(kept)) * SHAKE
        chosen = [kept[one] for one in np.argsort(-score)[:count].tolist()]
        out = dict.fromkeys([seed, *chosen] if self.runs[seed] else chosen)
        for job in list(out):
            if self.random.random() < CHAINED:
                out |= dict.fromkeys(self._later(job))
        return list(out)

    def _seed(self, kept: Sequence[int]) -> int:
        """The job around which others are taken out."""
        if self.random.random() < 0.5:
            return int(self.random.choice(kept))
        sample = self.random.choice(len(self.runs), size=min(6, len(self.runs)), replace=False).tolist()
        return int(max(sample, key=self._regret))

    def _regret(self, job: int) -> float:
        """How much more a job costs than if it were alone."""
        runs, table = self.runs[job], self.tables[job]
        if not runs:
            return (table.value_usd or self.missing_usd) - float(self.least[job])
        usd = sum(
            float(phase.usd[run.mode, run.start + int(phase.days[run.mode])])
            for phase, run in zip(table.phases, runs, strict=True)
        )
        return usd + float(table.late_usd[self.spans[job, 1]]) - float(self.least[job])

    def _wanted(self, job: int) -> tuple[int, int]:
        """The days around which a job wants to run."""
        of = self.tables[job]
        end = min(of.latest_end, int(self.due[job]) + 1)
        if self.runs[job] and self.random.random() < 0.5:
            return int(self.spans[job, 0]), int(self.spans[job, 1])
        return of.earliest, max(end, of.earliest + 1)

    def _ordered(self, jobs: Sequence[int]) -> list[int]:
        """The order in which jobs are put back."""
        kind = int(self.random.integers(4))
        keys: Array | Ints
        if kind == 0:
            keys = self.random.random(len(self.runs))
        elif kind == 1:
            keys = self.due
        elif kind == 2:
            keys = -self.work
        else:
            keys = -self.least
        noise = 1 + 0.2 * self.random.standard_normal(len(self.runs)) if kind else np.ones(len(self.runs))
        return sorted(jobs, key=lambda job: float(keys[job] * noise[job]))


EARLY: Final = 1e-6
"""Dollars that each later day costs where all else is equal."""
CENT: Final = 0.01
"""Dollars by which equal schedules may differ."""
DEPENDING: Final = (0.0, 0.5, 0.5, 1.0)
"""Parts of the value of jobs behind one that count for it, from round to round."""
GUIDED: Final = (0.15, 0.5)
"""Share of the rounds that a guide leads, of few jobs and of many."""
FEW_TO_GUIDE: Final = 20
"""Jobs that are few."""
RETRIED: Final = 1.5
"""Dropped jobs that are tried again in a round, about."""
SHAKE: Final = 0.5
"""How random the choice of neighbours is."""
CHAINED: Final = 0.5
"""Probability with which the jobs after one are taken out too."""
THRESHOLD: Final = 0.02
"""Part of the best value per job by which a schedule may be worse and still be gone on from, at first."""
