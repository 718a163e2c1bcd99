"""What is decided for a portfolio: when and how each job runs, and what is committed to."""

from __future__ import annotations

from dataclasses import dataclass

from planner.portfolio.instance import JobPhase, Mode, Portfolio


@dataclass(frozen=True)
class PhaseStart:
    """One phase of a job: the mode among those of the phase, and its first day."""

    mode: int
    start: int


@dataclass(frozen=True)
class CommittedNodes:
    """Nodes that are committed to."""

    pool: int
    commitment: int
    """Among those of the pool."""
    nodes: int


@dataclass(frozen=True)
class Schedule:
    """A whole plan; a job without runs is dropped."""

    jobs: tuple[tuple[PhaseStart, ...], ...]
    purchases: tuple[CommittedNodes, ...] = ()

    def is_dropped(self, job: int) -> bool:
        """Whether a job is left out."""
        return not self.jobs[job]

    def span(self, portfolio: Portfolio, job: int) -> tuple[int, int]:
        """A kept job's first day and the day after its last."""
        last, phase = self.jobs[job][-1], portfolio.jobs[job].phases[-1]
        return self.jobs[job][0].start, last.start + phase.modes[last.mode].days


@dataclass(frozen=True)
class PlacedRun:
    """A phase of a kept job with all that it refers to."""

    job: int
    phase: int
    run: PhaseStart
    of: JobPhase
    mode: Mode

    @property
    def end(self) -> int:
        """The day after its last."""
        return self.run.start + self.mode.days


def placed_runs(portfolio: Portfolio, schedule: Schedule) -> list[PlacedRun]:
    """Every phase of every kept job, in the order of jobs."""
    return [
        PlacedRun(number, index, run, phase, phase.modes[run.mode])
        for number, (job, runs) in enumerate(zip(portfolio.jobs, schedule.jobs, strict=True))
        for index, (phase, run) in enumerate(zip(job.phases, runs, strict=False))
    ]
