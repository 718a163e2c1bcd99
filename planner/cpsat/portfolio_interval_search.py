"""The search of the interval model: every schedule that it finds, and its bound."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from math import inf
from typing import Final

from planner.clock import Clock
from planner.cpsat.model import INFEASIBLE, OPTIMAL, SatParameters, SolutionCallback, SolverRun
from planner.cpsat.portfolio_intervals import IntervalModel
from planner.portfolio.schedule import PhaseStart, Schedule

SEED: Final = 1


class _Watcher(SolutionCallback):
    """Hands every schedule on, and stops the search when that is told or the clock is over."""

    def __init__(self, of: IntervalModel, found: Callable[[Schedule], None]) -> None:
        super().__init__()
        self.of, self.found = of, found

    def OnSolutionCallback(self) -> None:  # noqa: N802  (the name that the library calls)
        """Decodes the schedule."""
        jobs = list[tuple[PhaseStart, ...]]()
        for job in self.of.jobs:
            if job.kept is not None and not self.Value(job.kept):
                jobs.append(())
                continue
            jobs.append(
                tuple(
                    PhaseStart(
                        next(
                            mode for literal, mode in zip(task.modes, task.usable, strict=True) if self.Value(literal)
                        ),
                        int(self.Value(task.start)),
                    )
                    for task in job.tasks
                )
            )
        self.found(Schedule(tuple(jobs)))


def search_intervals(
    of: IntervalModel,
    clock: Clock,
    found: Callable[[Schedule], None],
    *,
    work: float,
    on_bound: Callable[[float], bool] = lambda _: False,
) -> float:
    """Searches the model; every schedule that it finds is handed to `found`, without commitments.

    Returns the bound of the objective without what was paid for whole pools, infinite when there is no schedule.

    `work`: deterministic time, near seconds, after which the search ends by itself. `on_bound` is told every better
    bound, and says whether it is enough.
    """
    search = SolverRun(of.model, _parameters(work))
    best = [0.0]

    def told(bound: float) -> None:
        best.append(max(best[-1], bound * of.unit))
        if on_bound(best[-1]):
            search.stop()

    with ThreadPoolExecutor(1) as elsewhere:  # this thread hears Ctrl-C, and looks at the clock
        running = elsewhere.submit(search.run, _Watcher(of, found), told)
        while not wait([running], LOOK_EVERY).done:
            if clock.is_over:
                search.stop()
        status = running.result()
    if status == INFEASIBLE:
        return inf
    if status == OPTIMAL:
        return search.value(of.cost) * of.unit
    return max(best[-1], float(search.response.best_objective_bound) * of.unit)


LOOK_EVERY: Final = 0.05
"""Seconds between two looks at the clock."""


def _parameters(work: float) -> SatParameters:
    """How the search works: on one thread, to the same end each time."""
    parameters = SatParameters()
    parameters.num_workers = 1
    parameters.max_deterministic_time = work
    parameters.random_seed = SEED
    parameters.cp_model_probing_level = 0
    parameters.symmetry_level = 0
    return parameters
