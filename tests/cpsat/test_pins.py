"""A pin takes layouts away, so it never improves an answer: whatever value it pins, of any degree."""

from __future__ import annotations

import random
from math import inf

import numpy as np
import pytest
from defined_layouts import every_layout
from generated_problems import generated

from planner.explore.answer import answer
from planner.layouts.workload import workload_of
from planner.market.placements import placements
from planner.problem.pins import Pin
from planner.problem.problem import Problem

DEGREES = {
    "tensor": "tensor",
    "pipeline": "pipeline",
    "context": "context",
    "expert": "expert",
    "data": "data",
    "micro_batch": "micro_batch",
    "virtual_pipeline": "virtual_pipeline",
    "zero": "zero",
}
"""Keys of a layout's degrees in a problem."""
SEEDS, BATCH = 60, 10


def cost_of(problem: Problem) -> tuple[float, float]:
    """What is minimised, infinite without a plan, and the rounding that it is known with."""
    found = answer(problem)
    if found.value is None:
        return inf, 0.0
    return (-found.value if problem.objective == "tokens" else found.value), found.outcome.error


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_pins_never_improve(first: int) -> None:
    """Pinned to one or two degrees of any valid layout, a job is never cheaper, faster or longer than without."""
    for seed in range(first, first + BATCH):
        problem = generated(seed)
        free, error = cost_of(problem)
        for pins in _pins(problem, seed):
            with_pins, more = cost_of(pinned_to(problem, pins))
            slack = (2 * (error + more) + 1e-9) * abs(free) + 0.02 if free < inf else 0.0
            assert with_pins >= free - slack, f"seed {seed}, {pins}"


def pinned_to(problem: Problem, pins: dict[str, int]) -> Problem:
    """The problem with some degrees pinned to one value each."""
    only = {name: Pin(value, value) for name, value in pins.items()}
    return problem.model_copy(update={"layout": problem.layout.model_copy(update=only)})


def _pins(problem: Problem, seed: int) -> list[dict[str, int]]:
    """One or two degrees of valid layouts of the first phase that were drawn by chance."""
    draw = random.Random(seed)  # noqa: S311  (a test's dice)
    workload, machine = workload_of(problem), draw.choice(placements(problem)).machine
    layouts = every_layout(workload, workload.phases[0], machine, problem.limits.gpus or 0)
    found = []
    for _ in range(2 if len(layouts["data"]) else 0):
        place = draw.randrange(len(layouts["data"]))
        some = draw.sample(sorted(DEGREES), draw.choice([1, 2]))
        found.append({DEGREES[name]: int(np.asarray(layouts[name])[place]) for name in some})
    return found
