"""A plan executed event by event, many runs at once, under one policy.

A stretch is the time in which a run does one thing: it idles, or it runs on the nodes of one mode. It ends with a
preemption, a failure, the return of spot nodes, a decision of the policy, or the end of the phase. What was done since
the last checkpoint is lost with a preemption or failure, and saved by a checkpoint before a planned move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.simulate.capacity import Capacity, Floats, Runs
from planner.simulate.policies import IDLE, PARTIAL, SPOT, Modes, Setting, UniformProgress

Flags = npt.NDArray[np.bool_]

CAUSES: Final = ("checkpoint", "lost_work", "restart", "waiting", "reduced")
"""What keeps a run from computing: writing checkpoints, computing again what was lost, starting again, waiting for
spot nodes, and computing with fewer replicas."""
NOTHING: Final = 1e-6
"""Seconds of work that are no longer work."""
ENDLESS: Final = 100.0
"""A run that takes so many times its undisturbed time is given up."""


@dataclass
class RunStates:
    """Where every run stands; shape (runs,) each."""

    seconds: Floats
    usd: Floats
    preemptions: Floats
    failures: Floats
    waste: dict[str, Floats]
    """Seconds by cause."""
    pace: Floats
    """Real over estimated time of the work."""
    strips: list[tuple[Runs, Floats, Floats, Modes, Floats]] = field(default_factory=list)
    """For the runs that are drawn: run, begin, end and mode of every stretch, and its restart and checkpoints."""
    curves: list[tuple[Runs, Floats, Floats]] = field(default_factory=list)
    """For the runs that are counted: run, time and share of the work done."""

    @classmethod
    def of(cls, pace: Floats) -> RunStates:
        """Before the start of runs that take so many times their estimate."""
        runs = len(pace)
        waste = {cause: np.zeros(runs) for cause in CAUSES}
        return cls(np.zeros(runs), np.zeros(runs), np.zeros(runs), np.zeros(runs), waste, pace)


@dataclass(frozen=True)
class Watch:
    """How much of the runs is recorded for pictures, and who is told how far the work is."""

    strips: int = 0
    curves: int = 0
    tell: Callable[[float], None] | None = None


def run_phase(
    setting: Setting, state: RunStates, capacity: Capacity, generator: np.random.Generator, watch: Watch
) -> None:
    """Runs one phase to its end in every run, from where the runs stand."""
    runs = np.arange(len(state.seconds))
    left, debt = setting.work_seconds * state.pace, np.full(len(runs), setting.startup_seconds)
    chaser = UniformProgress.of(setting, len(runs))
    longest = state.seconds.max() + ENDLESS * (setting.work_seconds * state.pace.max() + setting.startup_seconds)
    while len(runs):
        _catch_up(capacity, runs, state.seconds)
        modes, speed, limit = setting.decide(runs, state.seconds[runs], left[runs], capacity, chaser)
        failure = generator.standard_exponential(len(runs)) / setting.failures_per_second
        failure[modes == IDLE] = np.inf
        finish = _time_to_finish(setting, debt[runs], left[runs], speed)
        length = np.minimum(np.minimum(failure, limit), finish)
        begin = state.seconds[runs]
        done, failed = finish <= length, (failure <= length)
        share = capacity.share[runs]
        state.seconds[runs] = begin + length
        _catch_up(capacity, runs[~done], state.seconds)
        fewer = capacity.share[runs] < share
        lost = ~done & (failed | (fewer & ((modes == SPOT) | (modes == PARTIAL))))
        gained, writing, overhead = _account(
            setting, state, runs, modes, speed, length, debt[runs], lost=lost, done=done
        )
        _tally(state, runs, lost, failed & ~done)
        left[runs] = np.where(done, 0.0, np.maximum(left[runs] - gained, 0.0))
        state.seconds[runs] += writing
        state.usd[runs] += setting.usd_per_second(modes, speed) * (length + writing)
        debt[runs] = np.where(modes == IDLE, debt[runs], setting.restart_seconds)
        _record(setting, state, watch, runs, begin, modes, overhead, left)
        runs = runs[(left[runs] > NOTHING) & (state.seconds[runs] < longest)]
        if watch.tell:
            watch.tell(1 - float((left / state.pace).mean()) / setting.work_seconds)


def _catch_up(capacity: Capacity, runs: Runs, seconds: Floats) -> None:
    """Moves the capacity of some runs to where their clocks stand."""
    behind = runs[capacity.until[runs] <= seconds[runs]]
    while len(behind):
        capacity.advance(behind)
        behind = behind[capacity.until[behind] <= seconds[behind]]


def _time_to_finish(setting: Setting, debt: Floats, left: Floats, speed: Floats) -> Floats:
    """Time to the end of the phase if nothing happens: restart, work, and a checkpoint after each interval."""
    running = speed > 0
    needed = left / np.where(running, speed, 1.0)
    finish = debt + needed + setting.checkpoint_seconds * np.ceil(needed / setting.interval_seconds)
    return np.where(running, finish, np.inf)


def _account(
    setting: Setting,
    state: RunStates,
    runs: Runs,
    modes: Modes,
    speed: Floats,
    length: Floats,
    debt: Floats,
    *,
    lost: Flags,
    done: Flags,
) -> tuple[Floats, Floats, Floats]:
    """Splits stretches; the work that stays, the time for a checkpoint before a planned move, and all overhead."""
    interval, span = setting.interval_seconds, setting.interval_seconds + setting.checkpoint_seconds
    idle = modes == IDLE
    usable = np.where(idle, 0.0, np.maximum(length - debt, 0.0))
    written = np.floor(usable / span)
    rest = usable - written * span
    since = np.where(done, np.maximum(rest - setting.checkpoint_seconds, 0.0), np.minimum(rest, interval))
    planned = ~idle & ~lost & ~done & (usable > 0)
    writing = np.where(planned, setting.checkpoint_seconds, 0.0)
    kept = written * interval + np.where(lost, 0.0, since)
    waste = state.waste
    waste["waiting"][runs] += np.where(idle, length, 0.0)
    restart = np.where(idle, 0.0, np.minimum(length, debt))
    checkpoint = usable - written * interval - since + writing
    waste["restart"][runs] += restart
    waste["lost_work"][runs] += np.where(lost, since, 0.0)
    waste["checkpoint"][runs] += checkpoint
    waste["reduced"][runs] += kept * (1 - speed) * ~idle
    return kept * speed, writing, restart + checkpoint


def _tally(state: RunStates, runs: Runs, lost: Flags, failed: Flags) -> None:
    """Counts preemptions and failures."""
    state.failures[runs] += failed
    state.preemptions[runs] += lost & ~failed


def _record(
    setting: Setting,
    state: RunStates,
    watch: Watch,
    runs: Runs,
    begin: Floats,
    modes: Modes,
    overhead: Floats,
    left: Floats,
) -> None:
    """Keeps the stretches and the progress of the first few runs."""
    if count := int(np.searchsorted(runs, watch.strips)):
        drawn = runs[:count]
        state.strips.append((drawn, begin[:count], state.seconds[drawn], modes[:count], overhead[:count]))
    if count := int(np.searchsorted(runs, watch.curves)):
        drawn = runs[:count]
        share = setting.done_before + (1 - left[drawn] / (setting.work_seconds * state.pace[drawn])) * setting.part
        state.curves.append((drawn, state.seconds[drawn], share))
