"""How good the interval search is at multi-mode project scheduling: ten MMLIB50 instances, gap over the best known.

    python benchmarks/mmlib.py FOLDER BEST.csv [--seed 1] [--count 10] [--seconds 10]

FOLDER holds the published instances (`*.mm`, Van Peteghem and Vanhoucke 2014, "An experimental investigation of
metaheuristics for the multi-mode resource-constrained project scheduling problem on new dataset instances", Eur. J.
Oper. Res. 235(1), 62-72); none is shipped. BEST.csv has a line `name,makespan` for each best known schedule.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.cpsat.model import FEASIBLE, OPTIMAL, IntVar, LinearExpr, Model, SatParameters, SolverRun


@dataclass(frozen=True)
class Mode:
    """One way to do an activity."""

    days: int
    demands: tuple[int, ...]
    """Of renewable resources first, then of those that are used up."""


@dataclass(frozen=True)
class Project:
    """Activities, each with its modes and its successors, and what there is of every resource."""

    successors: tuple[tuple[int, ...], ...]
    modes: tuple[tuple[Mode, ...], ...]
    available: tuple[int, ...]
    renewable: int
    """How many resources are there anew each day; the others are used up."""


def project_of(text: str) -> Project:
    """A project in the PSPLIB format for several modes. Raises ValueError when a section is missing."""
    order = _numbers(_section(text, "PRECEDENCE RELATIONS"))
    rows = _numbers(_section(text, "REQUESTS/DURATIONS"))
    available = _numbers(_section(re.sub(r"RESOURCE ?AVAIL", "RESOURCE AVAIL", text), "RESOURCE AVAILABILITIES"))
    renewable = re.search(r"-\s*renewable\s*:\s*(\d+)", text)
    if not (order and rows and available and renewable):
        raise ValueError("not a project in the PSPLIB format for several modes")
    count, modes = len(available[0]), list[list[Mode]]()
    for row in rows:
        if len(row) == count + 3:  # the first mode of an activity begins with its number
            modes.append([])
        modes[-1].append(Mode(row[-count - 1], tuple(row[-count:])))
    return Project(
        successors=tuple(tuple(one - 1 for one in row[3:]) for row in order),
        modes=tuple(map(tuple, modes)),
        available=tuple(available[0]),
        renewable=int(renewable[1]),
    )


def _section(text: str, title: str) -> str:
    """The lines below a title, up to the next row of asterisks."""
    _, _, below = text.partition(title)
    return below.partition("****")[0]


def _numbers(section: str) -> list[list[int]]:
    """The lines of a section that hold nothing but whole numbers."""
    lines = (line.split() for line in section.splitlines())
    return [[int(word) for word in line] for line in lines if line and all(word.isdigit() for word in line)]


class ProjectModel:
    """The interval model of a project: one interval per activity, whose length and demands are those of its mode."""

    def __init__(self, project: Project) -> None:
        self.project, self.model = project, Model()
        horizon = sum(max(mode.days for mode in modes) for modes in project.modes)
        self.starts = [self.model.new_int_var(0, horizon, "") for _ in project.modes]
        self.ends = [self.model.new_int_var(0, horizon, "") for _ in project.modes]
        self.chosen = [[self.model.new_bool_var("") for _ in modes] for modes in project.modes]
        self.days = [self._of_mode(number, [mode.days for mode in of]) for number, of in enumerate(project.modes)]
        for number, literals in enumerate(self.chosen):
            self.model.add_exactly_one(literals)
            for after in project.successors[number]:
                self.model.add(self.starts[after] >= self.ends[number])
        spans = zip(self.starts, self.days, self.ends, strict=True)
        self.intervals = [self.model.new_interval(*parts, "") for parts in spans]
        for resource in range(len(project.available)):
            self._resource(resource)
        self.model.minimize(self.ends[-1])

    def _of_mode(self, activity: int, values: Sequence[int]) -> IntVar:
        """The value of the mode that is chosen."""
        found = self.model.new_int_var(min(values), max(values), "")
        self.model.add(found == LinearExpr.weighted_sum(self.chosen[activity], list(values)))
        return found

    def _resource(self, number: int) -> None:
        """No more of a resource is taken than there is: on any day, or in all."""
        taken = [
            self._of_mode(activity, [mode.demands[number] for mode in of])
            for activity, of in enumerate(self.project.modes)
        ]
        if number < self.project.renewable:
            self.model.add_cumulative(self.intervals, taken, self.project.available[number])
        else:
            self.model.add(LinearExpr.sum(taken) <= self.project.available[number])


WORKERS: Final = 8
"""Threads, more than there are cores: from so many on the solver searches neighbourhoods of its schedules too."""


def least_makespan(project: Project, seconds: float) -> int | None:
    """The shortest makespan that is found within a time; None when there is none."""
    of, parameters = ProjectModel(project), SatParameters()
    parameters.max_time_in_seconds = seconds
    parameters.num_workers = WORKERS
    search = SolverRun(of.model, parameters)
    return search.value(of.ends[-1]) if search.run() in {OPTIMAL, FEASIBLE} else None


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="published instances")
    parser.add_argument("best", type=Path, help="best known makespans, name,makespan")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--count", type=int, default=10, help="instances that are drawn")
    parser.add_argument("--seconds", type=float, default=10.0, help="time limit for each")
    asked = parser.parse_args()
    best = {row[0]: int(row[1]) for row in csv.reader(asked.best.open()) if len(row) > 1 and row[1].strip().isdigit()}
    files = sorted(path for path in asked.folder.glob("*.mm") if path.stem in best)
    drawn = random.Random(asked.seed).sample(files, min(asked.count, len(files)))  # noqa: S311  (no secret)
    print(f"{'instance':<24}{'found':>8}{'best':>8}{'gap':>8}")
    for path in drawn:
        found = least_makespan(project_of(path.read_text()), asked.seconds)
        gap = "-" if found is None else f"{found / best[path.stem] - 1:.2%}"
        print(f"{path.stem:<24}{found or '-':>8}{best[path.stem]:>8}{gap:>8}", flush=True)


if __name__ == "__main__":
    main()
