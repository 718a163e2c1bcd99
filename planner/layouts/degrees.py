"""The values that each degree of parallelism may take for a model and a phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

from planner.catalog.records import ModelArchitecture
from planner.layouts.workload import PhaseWork, Workload
from planner.problem.layout_rules import cuts_layers, cuts_sequence, divides, layer_slots, undivided_by_tensor
from planner.problem.limits import LARGEST_CLUSTER
from planner.problem.pins import Pin
from planner.problem.run import Recompute

UNSTATED_DEVICES: Final = 65_536
"""Largest cluster that is searched where `limits.gpus` states none; the answer says so where offers have more."""
RECOMPUTE: Final = (Recompute(kind="none"), Recompute(kind="selective"), Recompute(kind="full"))
"""The recompute choices that are tried unless some are pinned."""


@dataclass(frozen=True)
class Degrees:
    """Candidate values of each degree, ascending; which combinations are valid is `rows`' matter."""

    tensor: tuple[int, ...]
    pipeline: tuple[int, ...]
    context: tuple[int, ...]
    expert: tuple[int, ...]
    micro_batch: tuple[int, ...]
    data: tuple[int, ...]
    recompute: tuple[Recompute, ...]
    zero: tuple[int, ...]
    expert_tensor: tuple[int, ...]
    shard: tuple[int, ...]
    """Of all data and context degrees; `cuts` says which of them go with a layout."""
    hybrid_zero: tuple[int, ...]
    """ZeRO stages that may be applied to a part of the replicas."""


def degrees_of(workload: Workload, phase: PhaseWork, largest_domain: int) -> Degrees:
    """Every value of each degree that the model, the phase and the user's pins allow."""
    pins, model = workload.pins, workload.model
    return Degrees(
        tensor=_allowed(tensor_degrees(model, largest_domain), pins.tensor),
        pipeline=_allowed(range(1, model.num_hidden_layers + 1), pins.pipeline),
        context=_allowed(context_degrees(phase.sequence_length), pins.context),
        expert=_allowed(divisors(max(model.n_routed_experts, 1)), pins.expert),
        micro_batch=_allowed(divisors(phase.global_batch), pins.micro_batch),
        data=_allowed(divisors(phase.global_batch), pins.data),
        recompute=pins.recompute or RECOMPUTE,
        zero=_allowed((0, 1, 2, 3), pins.zero),
        expert_tensor=_allowed(expert_tensor_degrees(model, largest_domain), pins.expert_tensor),
        shard=_allowed(shard_degrees(phase.global_batch, phase.sequence_length), pins.shard),
        hybrid_zero=workload.hybrid_zero,
    )


def searched_devices(gpus: float | None, stated: int | None = None) -> int:
    """Most devices that are searched within a bound: without one (or with none that is finite), those `stated`."""
    if gpus is None or gpus == inf:
        return max(UNSTATED_DEVICES, stated or 0)
    return int(min(gpus, LARGEST_CLUSTER))


def _allowed(values: Iterable[int], pin: Pin | None) -> tuple[int, ...]:
    return tuple(value for value in values if pin is None or pin.allows(value))


def divisors(number: int) -> tuple[int, ...]:
    """All divisors, ascending."""
    small = [value for value in range(1, int(number**0.5) + 1) if number % value == 0]
    return tuple(sorted({*small, *(number // value for value in small)}))


def tensor_degrees(model: ModelArchitecture, largest_domain: int) -> tuple[int, ...]:
    """Divisors of all heads and MLP widths inside the scale-up fabric; key-value heads are shared out or repeated."""
    return tuple(
        degree
        for degree in divisors(model.num_attention_heads)
        if degree <= largest_domain and not any(undivided_by_tensor(model, degree))
    )


def expert_tensor_degrees(model: ModelArchitecture, largest_domain: int) -> tuple[int, ...]:
    """Divisors of an expert's width that also divide some tensor degree, as each must that of its layout."""
    if not model.is_moe:
        return (1,)
    inside = tensor_degrees(model, largest_domain)
    return tuple(one for one in divisors(model.moe_intermediate_size) if any(divides(one, each) for each in inside))


def shard_degrees(global_batch: int, sequence: int) -> tuple[int, ...]:
    """Every number of replicas times every context degree."""
    return tuple(sorted({data * each for data in divisors(global_batch) for each in context_degrees(sequence)}))


def virtual_degrees(workload: Workload, stages: int) -> tuple[int, ...]:
    """Chunks per device: 1, and with several stages all that cut the layers evenly.

    Embedding and loss count as two more layers where the stack deals them out.
    """
    pin = workload.pins.virtual_pipeline
    dealt = layer_slots(workload.model, counts_embedding=workload.stack.counts_embedding)
    return _allowed((one for one in range(1, max(dealt) // stages + 1) if cuts_layers(dealt, stages, one)), pin)


def context_degrees(sequence: int) -> tuple[int, ...]:
    """Degrees that cut the sequence into pairs of equal chunks."""
    return tuple(value for value in divisors(sequence) if cuts_sequence(sequence, value))
