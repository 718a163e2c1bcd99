"""What own runs say of single layouts: the search loses none by it, and every figure rests on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_layouts import evaluator_of, problem_of, space_of

from planner.catalog.own_runs import LayoutTraits, OwnRun
from planner.layouts.evaluator import layout_of
from planner.layouts.fastest import best_layouts, rows_on
from planner.layouts.layout_space import LayoutSpace, layout_space
from planner.layouts.workload import Workload
from planner.market.placements import Machine
from planner.performance.evaluate import constants_of, evaluate
from planner.performance.own_runs import posterior_of


def learned(model: str) -> tuple[Workload, Machine, LayoutSpace]:
    """A workload whose team found no tensor parallelism slow, and two devices to a layer and recomputation fast."""
    workload, machine, space = space_of(problem_of(model))
    usual = LayoutTraits(
        tensor=1, pipeline=1, context=1, micro_batch=1, sequence=4096, recompute_full=0, recompute_selective=0
    )
    found = [
        (0.4, usual),
        (-0.2, usual.model_copy(update={"tensor": 2.0})),
        (0.1, usual.model_copy(update={"pipeline": 4.0})),
        (-0.25, usual.model_copy(update={"recompute_full": 1.0})),
    ]
    traits = workload.traits(machine.accelerator, gpus=8)
    runs = tuple(
        OwnRun(
            **traits.model_dump() | {"layout": layout},
            name="one",
            log_ratio=ratio,
            weight=1.0,
            communication=0.1,
            host=0.1,
        )
        for ratio, layout in found
    )
    calibration = workload.calibration.model_copy(update={"own_runs": runs})
    workload = replace(workload, calibration=calibration, constants=constants_of(calibration))
    return workload, machine, layout_space(workload, workload.phases[0], space.degrees, [machine.memory_bytes], 64)


MODELS = ["llama3.1-8b", "qwen3-30b-a3b"]


@pytest.mark.parametrize("model", MODELS)
def test_the_fastest_layouts_are_found(model: str) -> None:
    """No bound exceeds a step, and for every number of nodes the fastest of all rows is found, another than before."""
    workload, machine, space = learned(model)
    phase, rows = workload.phases[0], rows_on(machine, space.rows, 8)
    subject = evaluator_of(workload, machine, space)
    steps = subject.steps(rows).total
    assert (subject.bound_of(phase, rows) <= steps * (1 + 1e-12)).all()
    assert subject.least_device_seconds() <= (rows.devices * steps).min()
    nodes = -(-rows.devices // machine.per_node)
    best = best_layouts(workload, phase, machine, space, max_nodes=8)
    assert {int(count): steps[nodes == count].min() for count in np.unique(nodes)} == pytest.approx(
        dict(zip(best.nodes.tolist(), best.step_seconds.tolist(), strict=True))
    )
    plain, *_ = space_of(problem_of(model))
    before = best_layouts(plain, phase, machine, space, max_nodes=8)
    assert any(
        (getattr(before.rows, name) != getattr(best.rows, name)).any() for name in ("tensor", "pipeline", "recompute")
    )


@pytest.mark.parametrize("model", MODELS)
def test_rows_take_what_own_runs_say_of_their_layout(model: str) -> None:
    """Steps of rows are those by the equations times the factor of one layout asked alone."""
    workload, machine, space = learned(model)
    subject, own = evaluator_of(workload, machine, space), workload.layout_pace(machine)
    assert own is not None
    some = rows_on(machine, space.rows, 8).take(np.arange(0, 1000, 37))
    steps = subject.steps(some).total
    for place in range(len(some)):
        alone = layout_of(workload, space.degrees.recompute, some.take(np.asarray([place])))
        factor = own.of(vars(alone) | {"sequence": np.asarray(4096.0)})
        time = evaluate(*subject.subject, alone, workload.constants).time.total
        assert steps[place] == pytest.approx(float((time * factor)[0]), rel=1e-9)


def test_what_is_left_of_the_variance_is_that_of_each_layout() -> None:
    """Many layouts at once are known as well as each alone, the measured ones best."""
    workload, machine, space = learned("llama3.1-8b")
    some = rows_on(machine, space.rows, 8).take(np.arange(0, 1000, 97))
    layout, gpus = layout_of(workload, space.degrees.recompute, some), some.devices.astype(np.float64)
    left = workload.variances_left(machine.accelerator, layout, 4096, gpus)
    posterior = posterior_of(workload.calibration.own_runs)
    for place in range(len(some)):
        degrees = {name: float(getattr(some, name)[place]) for name in ("tensor", "pipeline", "context", "micro_batch")}
        shares = {name: float(getattr(layout, name)[place]) for name in ("recompute_full", "recompute_selective")}
        alone = LayoutTraits(**degrees, **shares, sequence=4096)
        traits = workload.traits(machine.accelerator, gpus=float(gpus[place]), layout=alone)
        assert left[place] == pytest.approx(posterior.variance_left(traits))
    measured = workload.calibration.own_runs[0]
    assert posterior.variance_left(measured) < left.min()
