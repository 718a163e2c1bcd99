"""Evaluating grids: one call on broadcast axes is every layout on its own."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog.calibration import load_calibration
from planner.performance.evaluate import Evaluation, constants_of, evaluate
from planner.performance.stacking import stack, take
from planner.performance.symbols import Array, Constants

AXES = {
    "tensor": [1.0, 2.0, 8.0],
    "pipeline": [1.0, 3.0, 8.0],
    "virtual_pipeline": [1.0, 2.0],
    "context": [1.0, 4.0],
    "expert": [1.0, 8.0],
    "data": [1.0, 16.0],
    "micro_batch": [1.0, 2.0],
    "recompute_full": [0.0, 0.5],
    "recompute_selective": [0.0, 0.5],
    "zero": [0.0, 1.0, 3.0],
}


def values(evaluation: Evaluation) -> dict[str, Array]:
    """Every figure of an evaluation by name."""
    bundles = (evaluation.time, evaluation.memory)
    found = {f"{type(one).__name__}.{f.name}": getattr(one, f.name) for one in bundles for f in fields(one)}
    return found | {"total": evaluation.time.total, "reserved": evaluation.memory.reserved(1.0)}


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(st.sampled_from(toy.SYSTEMS), st.lists(st.sampled_from(sorted(AXES)), min_size=2, max_size=4, unique=True))
def test_a_grid_is_its_layouts(names: tuple[str, str, str, str], axes: list[str]) -> None:
    """Degrees on axes of their own, broadcast together, give what each combination gives alone."""
    setting = toy.system(*names)
    degrees: dict[str, toy.Number] = {
        name: np.asarray(AXES[name]).reshape([-1 if i == axis else 1 for i in range(len(axes))])
        for axis, name in enumerate(axes)
    }
    shape = tuple(len(AXES[name]) for name in axes)
    grid = {name: np.broadcast_to(value, shape) for name, value in values(setting.evaluate(**degrees)).items()}
    for index in product(*(range(size) for size in shape)):
        alone = setting.evaluate(**{name: AXES[name][i] for name, i in zip(axes, index, strict=True)})
        for name, value in values(alone).items():
            assert grid[name][index] == pytest.approx(float(value), rel=1e-9, abs=1e-12), name


def test_a_table_is_its_rows() -> None:
    """Different models, devices, stacks and layouts stacked as rows give what each gives alone."""
    settings_ = [toy.system(*names) for names in toy.SYSTEMS]
    layouts = [toy.layout(tensor=1.0 + i, pipeline=2.0, data=8.0, zero=float(i % 4)) for i in range(len(settings_))]
    c = settings_[0].constants
    table = evaluate(
        stack([one.arch for one in settings_]),
        stack([one.device for one in settings_]),
        stack([one.software for one in settings_]),
        stack([one.job for one in settings_]),
        stack(layouts),
        c,
    )
    for row, (one, cut) in enumerate(zip(settings_, layouts, strict=True)):
        alone = evaluate(one.arch, one.device, one.software, one.job, cut, c)
        for name, value in values(alone).items():
            stacked = np.broadcast_to(values(table)[name], len(layouts))
            assert stacked[row] == pytest.approx(float(value), rel=1e-9, abs=1e-12), name


def test_rows_can_be_stacked_and_taken() -> None:
    """Taking rows by number or by mask undoes stacking them."""
    rows = [toy.device(node=float(n)) for n in (1, 2, 4)]
    table = stack(rows)
    assert table.node.tolist() == [1, 2, 4]
    assert take(table, np.asarray([2, 0])).node.tolist() == [4, 1]
    assert take(table, np.asarray([False, True, False])).node.tolist() == [2]


def test_recorded_constants_are_those_of_the_equations() -> None:
    """The calibration holds every constant that the equations take and no other."""
    calibration = load_calibration()
    assert set(calibration.constants) == {f.name for f in fields(Constants)}
    found = constants_of(calibration)
    assert {f.name: getattr(found, f.name) for f in fields(Constants)} == calibration.constants
