"""Layouts: which exist, how fast they are, and that the bound and the dominance lose nothing."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from planner.layouts import evaluator as evaluators
from planner.layouts import fastest as best_of_rows
from planner.layouts import layout_space as spaces
from planner.layouts.degrees import context_degrees, degrees_of, divisors, tensor_degrees
from planner.layouts.device_memory import headroom_kept_anyway
from planner.layouts.evaluator import Evaluator, evaluator, layout_of
from planner.layouts.fastest import Asked, best_layouts, best_layouts_on, rows_on
from planner.layouts.layout_space import LayoutSpace, layout_space
from planner.layouts.workload import Workload, workload_of
from planner.market.placements import Machine, machine_of, placements
from planner.performance.evaluate import evaluate
from planner.problem.problem import Problem


def problem_of(model: str, **changes: Any) -> Problem:  # noqa: ANN401  (parts of a problem as plain data)
    """A problem on one own offer of eight nodes."""
    phase = {"tokens": "10B", "sequence_length": 4096, "global_batch": 48} | changes.pop("phase", {})
    offer = {"name": "own", "accelerator": "H100-80GB-SXM5", "nodes": 8, "on_demand": "$2/GPU-h"}
    return Problem.model_validate(
        {
            "schema": "plan/1",
            "model": model,
            "training": {"phases": [phase], **changes.pop("training", {})},
            "market": {"clouds": [], "offers": [offer | changes.pop("offer", {})]},
            **changes,
        }
    )


def space_of(problem: Problem, *, max_devices: int = 64) -> tuple[Workload, Machine, LayoutSpace]:
    """The workload, the only machine and all layouts of the first phase of a problem."""
    workload, machine = workload_of(problem), placements(problem)[0].machine
    degrees = degrees_of(workload, workload.phases[0], machine.domain)
    return workload, machine, layout_space(workload, workload.phases[0], degrees, [machine.memory_bytes], max_devices)


def evaluator_of(workload: Workload, machine: Machine, space: LayoutSpace) -> Evaluator:
    """What evaluates the layouts of the first phase on a machine."""
    return evaluator(workload, workload.phases[0], machine, space.degrees.recompute, space.grid)


MODELS = ["llama3.1-8b", "mixtral-8x7b", "qwen3-30b-a3b"]


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_valid(model: str) -> None:
    """Every row multiplies and divides as it must, and fits."""
    workload, machine, space = space_of(problem_of(model))
    rows, batch = space.rows, workload.phases[0].global_batch
    assert len(rows) > 1000
    assert (batch % (rows.data * rows.micro_batch) == 0).all()
    assert (rows.tensor * rows.context * rows.data % rows.expert == 0).all()
    layers = workload.model.num_hidden_layers
    assert (rows.pipeline <= layers).all()
    chunks = rows.pipeline * rows.virtual_pipeline
    assert ((chunks <= layers) | (workload.stack.counts_embedding & (chunks == layers + 2))).all()
    rounds = batch // (rows.data * rows.micro_batch) % rows.pipeline == 0
    assert ((rows.virtual_pipeline == 1) | rounds).all()
    assert ((rows.zero < 2) | (rows.pipeline == 1)).all()
    assert (rows.devices <= 64).all()
    assert (rows.needed_bytes <= machine.memory_bytes).all()
    assert (np.diff(rows.devices) >= 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_rows_agree_with_single_evaluations(model: str) -> None:
    """Step times and memory of rows, taken from grids, are those of one layout evaluated alone."""
    workload, machine, space = space_of(problem_of(model))
    subject = evaluator_of(workload, machine, space)
    some = rows_on(machine, space.rows, 8).take(np.arange(0, 1000, 37))
    steps = subject.steps(some).total
    for place in range(len(some)):
        alone = layout_of(workload, space.degrees.recompute, some.take(np.asarray([place])))
        found = evaluate(*subject.subject, alone, workload.constants)
        assert steps[place] == pytest.approx(float(found.time.total[0]), rel=1e-12)
        headroom = np.ravel(found.memory.expected)[0] / (1 - workload.headroom)
        needed = max(np.ravel(found.memory.reserved(workload.memory_deviations))[0], headroom)
        assert some.needed_bytes[place] == pytest.approx(needed, rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_bound_never_exceeds_the_step(model: str) -> None:
    """The cheap bound stays below the step time, and scaled by the least overhead of its group too."""
    workload, machine, space = space_of(problem_of(model))
    subject = evaluator_of(workload, machine, space)
    rows = rows_on(machine, space.rows, 8)
    bound, steps = subject.bound_of(workload.phases[0], rows), subject.steps(rows)
    assert (bound <= steps.total * (1 + 1e-12)).all()
    busy = steps.total - steps.overhead
    for devices in np.unique(rows.devices):
        here = rows.devices == devices
        fastest = np.argmin(np.where(here, steps.total, np.inf))
        slower = here & (busy >= busy[fastest])
        scale = steps.total[fastest] / busy[fastest]
        assert (bound[here & ~slower] * scale <= steps.total[here & ~slower] * (1 + 1e-9)).all()


@pytest.mark.parametrize("model", MODELS)
def test_no_layout_takes_fewer_device_seconds(model: str) -> None:
    """The least device-seconds of a step, which no number of devices beats, stay below those of every row."""
    workload, machine, space = space_of(problem_of(model))
    subject = evaluator_of(workload, machine, space)
    some = rows_on(machine, space.rows, 8)
    taken = some.devices * subject.steps(some).total
    assert 0.3 * taken.min() < subject.least_device_seconds() <= taken.min()


@pytest.mark.parametrize("model", MODELS)
def test_best_layouts_lose_nothing(model: str) -> None:
    """For every number of nodes the fastest of all rows is found without evaluating all of them."""
    workload, machine, space = space_of(problem_of(model))
    phase = workload.phases[0]
    rows = rows_on(machine, space.rows, 8)
    steps = evaluator_of(workload, machine, space).steps(rows).total
    nodes = -(-rows.devices // machine.per_node)
    best = best_layouts(workload, phase, machine, space, max_nodes=8)
    assert best.nodes.tolist() == np.unique(nodes).tolist()
    assert best.step_seconds.tolist() == [steps[nodes == n].min() for n in best.nodes]


@pytest.mark.parametrize("share", [0.3, 0.8, 1.0])
def test_layouts_within_a_step_time_lose_nothing(share: float) -> None:
    """Up to a step time the fastest layouts are those that are found without one, as far as they are so fast."""
    workload, machine, space = space_of(problem_of("mixtral-8x7b"))
    phase = workload.phases[0]
    best_of_rows.kept_tables.clear()
    every = best_layouts(workload, phase, machine, space, max_nodes=8)
    longest = float(np.quantile(every.step_seconds, share))
    best_of_rows.kept_tables.clear()
    some = best_layouts(workload, phase, machine, space, max_nodes=8, max_step_seconds=longest)
    assert some.step_seconds.tolist() == every.step_seconds[every.step_seconds <= longest].tolist()
    assert best_layouts(workload, phase, machine, space, max_nodes=8).nodes.tolist() == every.nodes.tolist()


@pytest.mark.parametrize("model", MODELS)
def test_enumerations_are_extended_and_cut_down(model: str) -> None:
    """Layouts on more devices than were enumerated, or on fewer, are those of an enumeration of its own."""

    def rows(max_devices: int) -> dict[str, list[float]]:
        """All columns of the rows on so many devices."""
        found = space_of(problem_of(model), max_devices=max_devices)[2]
        return {name: column.tolist() for name, column in vars(found.rows).items() if name != "devices"}

    def anew(max_devices: int) -> dict[str, list[float]]:
        """The same when nothing is kept from before."""
        spaces.kept_spaces.clear()
        spaces.kept_rows.clear()
        return rows(max_devices)

    expected = {devices: anew(devices) for devices in (16, 40, 64)}
    assert anew(16) == expected[16]
    assert [rows(devices) for devices in (64, 40, 16)] == [expected[devices] for devices in (64, 40, 16)]
    assert len(expected[16]["data"]) < len(expected[40]["data"]) < len(expected[64]["data"])


OTHERS: list[dict[str, Any]] = [{}, {"accelerator": "L4"}, {"gpus_per_node": 4}, {"accelerator": "GB200"}, {"nodes": 3}]


@pytest.mark.parametrize("loses_replicas", [False, True])
def test_machines_do_not_disturb_each_other(*, loses_replicas: bool) -> None:
    """What is found on several machines together is what is found on each alone, to the last bit."""
    problems = [problem_of("qwen3-30b-a3b", offer=dict(one)) for one in OTHERS]
    offers = [placements(one)[0] for one in problems]
    workload = workload_of(problems[0])
    phase, memories = workload.phases[0], [one.machine.memory_bytes for one in offers]
    degrees = degrees_of(workload, phase, max(one.machine.domain for one in offers))
    space = layout_space(workload, phase, degrees, memories, 64)
    asked = [Asked(one.machine, one.nodes, loses_replicas=loses_replicas) for one in offers]
    best_of_rows.kept_tables.clear()
    together = best_layouts_on(workload, phase, space, asked)
    for one, found in zip(asked, together, strict=True):
        best_of_rows.kept_tables.clear()
        (alone,) = best_layouts_on(workload, phase, space, [one])
        assert found.step_seconds.tolist() == alone.step_seconds.tolist()
        assert found.rows.degrees.keys() == alone.rows.degrees.keys()
        for name, column in found.rows.degrees.items():
            assert column.tolist() == alone.rows.degrees[name].tolist()
    assert sum(map(len, together)) > len(together)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"limits": {"memory_headroom": "40%"}},
    {"limits": {"memory_confidence": "99%"}},
    {"limits": {"growth": "1.5x"}},
    {"training": {"offload": ["optimizer"]}},
    {"training": {"optimizer": "adamw-8bit", "fused_loss": True}},
    {"layout": {"virtual_pipeline": 1}},
    {"phase": {"global_batch": 24}},
    {"phase": {"sequence_length": 8192}},
    {"training": {"precision": "fp8"}},
    {"training": {"gradient_compression": "int8"}},
    {"training": {"software": {"stack": "megatron", "release": "2021-04"}}},
    {"training": {"method": "lora", "rank": 8}},
    {"offer": {"network": "25 Gb/s"}},
    {"offer": {"accelerator": "H200-141GB-SXM"}},
]


@pytest.mark.slow
def test_what_is_kept_is_never_mistaken() -> None:
    """Problems that differ in one key, evaluated one after another, are evaluated as if each were the first."""

    def evaluated(changes: dict[str, Any]) -> tuple[list[float], list[float], list[float]]:
        """Memory and bounds of all rows, and step times of the fastest."""
        workload, machine, space = space_of(problem_of("llama3.1-8b", **deepcopy(changes)), max_devices=16)
        bound = evaluator_of(workload, machine, space).bound_of(workload.phases[0], space.rows)
        best = best_layouts(workload, workload.phases[0], machine, space, max_nodes=2)
        return space.rows.needed_bytes.tolist(), bound.tolist(), best.step_seconds.tolist()

    def alone(changes: dict[str, Any]) -> tuple[list[float], list[float], list[float]]:
        """The same when nothing is kept from before."""
        for kept in (spaces.kept_spaces, spaces.kept_rows, evaluators.kept_grids, evaluators.kept_least):
            kept.clear()
        best_of_rows.kept_tables.clear()
        return evaluated(changes)

    expected = [alone(one) for one in VARIANTS]
    assert [evaluated(one) for one in VARIANTS] == expected
    assert [evaluated(one) for one in reversed(VARIANTS)] == expected[::-1]
    assert all(one != other for one, other in pairwise(expected))


def test_small_headrooms_change_nothing() -> None:
    """A headroom below what is set aside anyway leaves the memory that layouts need as it is; one above does not."""
    workload, _, plain = space_of(problem_of("llama3.1-8b", limits={"memory_headroom": 0}))
    kept = headroom_kept_anyway(workload)
    assert 0 < kept < 1
    _, _, less = space_of(problem_of("llama3.1-8b", limits={"memory_headroom": kept * 0.999}))
    _, _, more = space_of(problem_of("llama3.1-8b", limits={"memory_headroom": kept + 0.1}))
    assert less.rows.needed_bytes.tolist() == plain.rows.needed_bytes.tolist()
    assert len(more.rows) < len(plain.rows)


def test_faster_network_is_never_slower() -> None:
    """Step time never grows with the network's bandwidth: what drops dominated placements."""
    workload, machine, space = space_of(problem_of("mixtral-8x7b"))
    times = []
    for gbit_s in (25.0, 100.0, 400.0, 3200.0):
        faster = machine_of(machine.accelerator, machine.per_node, gbit_s)
        rows = rows_on(faster, space.rows, 8)
        times.append(evaluator_of(workload, faster, space).steps(rows).total)
    assert all((slow >= quick * (1 - 1e-12)).all() for slow, quick in pairwise(times))


def test_pins_hold() -> None:
    """Pinned degrees take no other value, and a pinned number of stages is tried although it is uneven."""
    pins = {"tensor": [2, 4], "pipeline": 3, "micro_batch": "<=2", "zero": 1, "recompute": "full"}
    _, _, space = space_of(problem_of("llama3.1-8b", layout=pins))
    rows = space.rows
    assert set(rows.tensor.tolist()) == {2, 4}
    assert set(rows.pipeline.tolist()) == {3}
    assert rows.micro_batch.max() <= 2
    assert set(rows.zero.tolist()) == {1}
    assert [one.kind for one in space.degrees.recompute] == ["full"]


def test_tensor_degrees_stay_in_the_fabric() -> None:
    """A rack-scale fabric allows degrees beyond a node; a node without a fabric none."""
    model = workload_of(problem_of("llama3.1-70b")).model
    assert tensor_degrees(model, 1) == (1,)
    assert tensor_degrees(model, 8) == (1, 2, 4, 8)
    assert max(tensor_degrees(model, 72)) == 64


def test_machines_know_their_fabric() -> None:
    """A rack's fabric keeps its size, a node's ends with the instance."""
    rack = placements(problem_of("llama3.1-8b", offer={"accelerator": "GB200"}))[0].machine
    part = placements(problem_of("llama3.1-8b", offer={"gpus_per_node": 2}))[0].machine
    assert (rack.domain, rack.per_node) == (72, 4)
    assert (part.domain, part.per_node) == (2, 2)


def test_long_sequences_may_be_cut() -> None:
    """Context parallelism cuts sequences into pairs of equal chunks, whatever the factors of their length."""
    assert context_degrees(24) == (1, 2, 3, 4, 6, 12)
    assert max(context_degrees(131072)) == 65536
    assert context_degrees(4097) == (1,)


def test_divisors() -> None:
    """All divisors, ascending, of a number that is a square too."""
    assert divisors(1) == (1,)
    assert divisors(36) == (1, 2, 3, 4, 6, 9, 12, 18, 36)


def test_growth_leaves_fewer_layouts() -> None:
    """Room for a model four times larger needs memory."""
    plain, grown = (space_of(problem_of("llama3.1-8b", limits={"growth": g}))[2] for g in ("1x", "4x"))
    assert len(grown.rows) < len(plain.rows)
    assert plain.outline.tightest_bytes < grown.outline.tightest_bytes < np.inf


def test_headroom_leaves_fewer_layouts() -> None:
    """Half of the memory left free needs devices."""
    plain, half = (space_of(problem_of("llama3.1-8b", limits={"memory_headroom": h}))[2] for h in ("10%", "50%"))
    assert len(half.rows) < len(plain.rows)


def test_counts_are_of_all_valid_layouts() -> None:
    """The number of layouts that were considered includes those that do not fit."""
    _, _, space = space_of(problem_of("llama3.1-70b"))
    assert sum(int(one.sum()) for one in space.counts.values()) > len(space.rows)


def test_lora_needs_less_memory() -> None:
    """A frozen base fits one node where full training does not."""
    full = space_of(problem_of("llama3.1-70b"), max_devices=8)[2]
    lora = space_of(problem_of("llama3.1-70b", training={"method": "lora"}), max_devices=8)[2]
    assert len(full.rows) == 0
    assert len(lora.rows) > 0


def test_a_model_that_fits_nowhere_has_no_layouts() -> None:
    """Without any row the tables are empty, and what the closest layout would need is still known."""
    workload, machine, space = space_of(problem_of("llama3.1-405b", offer={"accelerator": "L4"}), max_devices=8)
    assert len(space.rows) == len(space.outline.leanest) == 0
    assert machine.memory_bytes < space.outline.tightest_bytes < np.inf
    assert len(best_layouts(workload, workload.phases[0], machine, space, max_nodes=1)) == 0
