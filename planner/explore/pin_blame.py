"""Which pins rule out every layout, why, and the nearest values that do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from planner.layouts.degrees import degrees_of, searched_devices
from planner.layouts.layout_space import layout_space
from planner.layouts.workload import PhaseWork
from planner.plans.choices import Choices
from planner.problem.layout_rules import divides, undivided_by_tensor
from planner.problem.pins import Pin

DEGREES: Final = ("tensor", "pipeline", "context", "expert", "data", "micro_batch", "expert_tensor", "shard")
"""Pinned degrees that have values of their own; the others go with them."""
NEAREST: Final = 3
"""Values that are proposed at most."""


@dataclass(frozen=True)
class PinBlame:
    """One pin that leaves a phase without any layout."""

    phase: str
    pin: str
    """Its key in a problem file."""
    value: str
    why: str
    nearest: tuple[int, ...]
    """Values with which a layout is valid, the other pins kept; the nearest first, empty where none is."""


def pin_blames(choices: Choices) -> tuple[PinBlame, ...]:
    """Every pin without which a phase that has no valid layout would have one; nothing where layouts exist."""
    return tuple(
        blame
        for phase, space in zip(choices.phases, choices.spaces, strict=True)
        if space.outline.tightest_bytes == inf
        for blame in _of_phase(choices, phase)
    )


def _of_phase(choices: Choices, phase: PhaseWork) -> Iterator[PinBlame]:
    """The pins without any one of which a layout exists; where there is none, those that rule out all by themselves."""
    pins = {name: getattr(choices.workload.pins, name) for name in DEGREES}
    stated = {name: pin for name, pin in pins.items() if pin is not None}
    values = {name: _values(choices, phase, name, freed=(name,)) for name in stated}
    if not any(values.values()):
        alone = {name: tuple(one for one in stated if one != name) for name in stated}
        values = {
            name: _values(choices, phase, name, freed=tuple(stated))
            for name in stated
            if not _values(choices, phase, name, freed=alone[name])
        }
    for name, valid in values.items():
        if valid:
            yield _blame(choices, phase, name, valid)


def _blame(choices: Choices, phase: PhaseWork, name: str, valid: set[int]) -> PinBlame:
    """One pin with the valid values that are nearest to it."""
    pin: Pin = getattr(choices.workload.pins, name)
    middle = (pin.minimum + min(pin.maximum, max(valid))) / 2
    nearest = tuple(sorted(sorted(valid, key=lambda one: abs(one - middle))[:NEAREST]))
    return PinBlame(phase.name, name, str(pin), _why(choices, phase, name, pin), nearest)


def _values(choices: Choices, phase: PhaseWork, name: str, freed: tuple[str, ...]) -> set[int]:
    """The values of a degree with which layouts are valid when some degrees are not pinned."""
    workload = choices.workload
    without = replace(workload, pins=workload.pins.model_copy(update=dict.fromkeys(freed)))
    domain = max(machine.domain for machine in choices.machines.values())
    memories = [machine.memory_bytes for machine in choices.machines.values()]
    degrees = degrees_of(without, phase, domain)
    space = layout_space(without, phase, degrees, memories, searched_devices(choices.problem.limits.gpus))
    return set(getattr(space.outline.leanest, name).tolist())


def _why(choices: Choices, phase: PhaseWork, name: str, pin: Pin) -> str:
    """What a pinned value does not divide or exceeds; else that the other pins do not go with it."""
    model, value = choices.workload.model, pin.minimum
    domain = max(machine.domain for machine in choices.machines.values())
    if name == "tensor":
        if undivided := next(iter(undivided_by_tensor(model, value)), None):
            return undivided.message
        if value > domain:
            return f"tensor {value} is more than the {domain} devices of a scale-up domain"
    wholes = {
        "context": (phase.sequence_length, "sequence length"),
        "expert": (max(model.n_routed_experts, 1), "experts"),
        "data": (phase.global_batch, "global batch"),
        "micro_batch": (phase.global_batch, "global batch"),
        "expert_tensor": (max(model.moe_intermediate_size, 1), "experts' width"),
    }
    if name in wholes and not divides(value, wholes[name][0]):
        whole, what = wholes[name]
        return f"{value} does not divide the {what} of {whole:,}"
    if name == "pipeline" and value > model.num_hidden_layers:
        return f"{value} stages are more than the {model.num_hidden_layers} layers"
    return "no layout has it together with the other pins"
