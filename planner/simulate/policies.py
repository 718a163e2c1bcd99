"""What a policy does next: in which mode each run goes on, at which speed, and for how long at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from planner.simulate.capacity import Capacity, Floats, Runs
from planner.simulate.job import Policy
from planner.tolerances import SUM_ORDER

Modes = npt.NDArray[np.int8]
IDLE: Final = 0
PARTIAL: Final = 1
SPOT: Final = 2
ON_DEMAND: Final = 3
ALMOST: Final = 1 - 1e-6
"""Room for rounding when a goal is said to be reached."""


@dataclass(frozen=True)
class Setting:
    """One phase under one policy, in the figures that the simulation needs."""

    policy: Policy
    work_seconds: float
    startup_seconds: float
    checkpoint_seconds: float
    restart_seconds: float
    interval_seconds: float
    """Work between two checkpoints."""
    failures_per_second: float
    replicas: int
    spot_share: float
    """Share of the nodes that are spot; the others stay when spot nodes go."""
    usd_spot: float
    """Per second, of all spot nodes."""
    usd_on_demand: float
    """Per second, of the nodes that replace them."""
    usd_fixed: float
    """Per second, of the others."""
    done_before: float
    """Share of the job's work that earlier phases did."""
    part: float
    """Share of the job's work that this phase is."""
    deadline: float
    """Seconds since the start; infinite without one."""
    length: float
    """Seconds of the whole job on nodes that are not taken away."""

    def decide(
        self, runs: Runs, seconds: Floats, left: Floats, capacity: Capacity, chaser: UniformProgress
    ) -> tuple[Modes, Floats, Floats]:
        """Mode and speed of some runs, and the longest time until something must be decided anew."""
        share, wait = capacity.share[runs], capacity.until[runs] - seconds
        there = share >= 1
        if self.policy == "steady":
            return np.full(len(runs), ON_DEMAND, np.int8), np.ones(len(runs)), np.full(len(runs), np.inf)
        if self.policy == "progress":
            return chaser.decide(self, runs, seconds, left, there, wait)
        if self.policy == "elastic":
            speed = self._speed(share)
            return np.where(there, SPOT, np.where(speed > 0, PARTIAL, IDLE)).astype(np.int8), speed, wait
        modes = np.where(there, SPOT, ON_DEMAND if self.policy == "fallback" else IDLE).astype(np.int8)
        return modes, np.where(modes == IDLE, 0.0, 1.0), wait

    def _speed(self, share: Floats) -> Floats:
        """Whole replicas that are left, of all; a share of the spot nodes is there, and all other nodes."""
        nodes = share * self.spot_share + 1 - self.spot_share
        return np.where(share > 0, np.floor(nodes * self.replicas + SUM_ORDER) / self.replicas, 0.0)

    def usd_per_second(self, modes: Modes, speed: Floats) -> Floats:
        """What is paid in a mode: replicas that idle are given back."""
        rate = np.asarray([0.0, self.usd_spot, self.usd_spot, self.usd_on_demand])[modes]
        return rate * np.where(modes == PARTIAL, speed, 1.0) + self.usd_fixed


@dataclass
class UniformProgress:
    """Uniform progress: on-demand nodes only when behind a straight line to the deadline.

    Once on demand, a run stays there until it is two change-overs ahead of the line; when the time that is left no
    longer holds the rest of the work on demand and two change-overs, it stays there to the end. On spot nodes it
    stays until they are taken away. Source: Wu et al. 2024 (NSDI, Can't Be Late), sections 4.2 and 4.3.
    """

    on_demand: npt.NDArray[np.bool_]
    """Whether the run bought on-demand nodes and has not got ahead since."""
    margin: float
    """Seconds of two change-overs and of what a preemption may lose."""
    change: float
    """Seconds of a change-over."""

    @classmethod
    def of(cls, setting: Setting, runs: int) -> UniformProgress:
        """At the beginning of a phase."""
        change = setting.restart_seconds + setting.checkpoint_seconds
        loss = setting.interval_seconds if setting.checkpoint_seconds else 0.0
        return cls(np.zeros(runs, dtype=np.bool_), 2 * change + loss, change)

    def decide(
        self, setting: Setting, runs: Runs, seconds: Floats, left: Floats, there: npt.NDArray[np.bool_], wait: Floats
    ) -> tuple[Modes, Floats, Floats]:
        """As `Setting.decide`."""
        line = setting.length / setting.deadline
        later = 1 - setting.done_before - setting.part
        remaining = setting.length * (left / setting.work_seconds * setting.part + later)
        done = setting.length - remaining
        slack = setting.deadline - seconds - remaining - self.margin
        last = slack <= 0
        ahead = done - line * seconds
        self.on_demand[runs] &= ahead < 2 * self.change * line * ALMOST
        behind = (ahead <= 0) & ~there
        bought = last | self.on_demand[runs] | behind
        self.on_demand[runs] = bought
        modes = np.where(bought, ON_DEMAND, np.where(there, SPOT, IDLE)).astype(np.int8)
        lead = (np.maximum(2 * self.change * line - ahead, 0) + self.change) / max(1 - line, 1e-6)
        chase = np.where(last, np.inf, np.maximum(lead, 1.0))
        idle = np.minimum(wait, np.maximum(np.minimum(ahead / line, slack), 1.0))
        limit = np.where(bought, chase, np.where(there, wait, idle))
        return modes, np.where(modes == IDLE, 0.0, 1.0), limit
