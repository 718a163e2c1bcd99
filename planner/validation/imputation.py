"""The layouts that a published run may have had: what its row states, and every choice where it states nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from planner.catalog.records import Accelerator
from planner.catalog.software import StackProperties
from planner.performance.symbols import Architecture, Array, Layout
from planner.validation.published import PublishedRow

PER_DEVICE = {"tokens_per_s_per_gpu", "model_tflops_per_gpu", "mfu", "hw_tflops_per_gpu", "hfu", "pct_peak"}
"""Metrics that hardly depend on how many nodes there are."""
MICRO_BATCHES = (1.0, 2.0, 4.0, 8.0)
"""What an unstated micro-batch may have been."""


EXPERT_DEGREES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""What an unstated expert-parallel degree may have been."""
TENSOR_DEGREES = (1.0, 2.0, 4.0, 8.0)
PIPELINE_DEGREES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""What unstated tensor and pipeline degrees may have been."""
LAYERS_PER_CHUNK = 12.0
"""Stages of at most so many layers are taken to be interleaved layer by layer where a run does not say."""
INTERLEAVED_SINCE = "2022"
"""Year from which stacks that interleave do so unless a run says otherwise."""


class Skipped(Exception):  # noqa: N818  (a verdict on a row, not a fault)
    """The configuration cannot be predicted; the message says why."""


@dataclass(frozen=True)
class Known:
    """What a row says of its layout, and what bounds the rest."""

    row: PublishedRow
    architecture: Architecture
    accelerator: Accelerator
    stack_name: str
    stack: StackProperties
    gpus: float

    @property
    def layers(self) -> float:
        """Layers of the model."""
        return float(self.architecture.layers)

    @property
    def is_moe(self) -> bool:
        """Whether the model has experts."""
        return float(self.architecture.experts) > 0

    @property
    def is_fully_sharded(self) -> bool:
        """Whether parameters are sharded over all replicas, by the row or by what its stack does."""
        stated = self.row.text["zero_or_fsdp"].lower()
        return bool(re.search(r"[fh]sdp|zero-3|fully sharded", stated)) if stated else self.stack.zero_unstated == 3


def devices_of(row: PublishedRow, metrics: Iterable[str], accelerator: Accelerator) -> float:
    """Devices: stated, or a node's where the layout fits one and a figure is per device. Raises Skipped otherwise."""
    stated = row.numbers["n_gpus"]
    if stated is not None:
        return stated
    model = math.prod(row.numbers[degree] or 1.0 for degree in ("tp", "pp", "cp"))
    node = float(accelerator.accelerators_per_node)
    if row.numbers["tp"] is None or model > node or node % model or not set(metrics) <= PER_DEVICE:
        raise Skipped("the number of devices is not stated")
    return node


def possible_layouts(known: Known) -> tuple[Layout, ...]:
    """Every layout that the row allows. Raises Skipped when there is none or its figures contradict each other."""
    _check(known)
    found = tuple(
        layout for tensor, pipeline in _model_degrees(known) for layout in _with_degrees(known, tensor, pipeline)
    )
    if not found:
        raise Skipped("no layout matches the number of devices")
    return found


def _check(known: Known) -> None:
    """Raises Skipped for stated degrees that no layout can have."""
    n = known.row.numbers
    if (n["pp"] or 1.0) > known.layers:
        raise Skipped("more pipeline stages than layers")
    if known.is_moe and float(known.architecture.experts) % (n["ep"] or 1.0) != 0:
        raise Skipped("the experts do not divide into the expert-parallel degree")
    stated = [n[degree] for degree in ("tp", "pp", "cp", "dp")]
    product = math.prod(degree for degree in stated if degree)
    if None not in stated and product != known.gpus:
        raise Skipped("the degrees do not multiply to the number of devices")


def _model_degrees(known: Known) -> Iterator[tuple[float, float]]:
    """Tensor and pipeline degrees: stated, or all that divide the heads, the layers and the devices."""
    n = known.row.numbers
    unstated = (1.0,) if known.is_fully_sharded else None
    context = n["cp"] or 1.0
    for tensor in (n["tp"],) if n["tp"] else unstated or TENSOR_DEGREES:
        for pipeline in (n["pp"],) if n["pp"] else unstated or PIPELINE_DEGREES:
            stated = bool(n["tp"] and n["pp"])
            divides = known.gpus % (tensor * pipeline * context) == 0 and float(known.architecture.heads) % tensor == 0
            if stated or (divides and pipeline <= known.layers and tensor <= known.accelerator.scale_up_domain):
                yield tensor, pipeline


def _with_degrees(known: Known, tensor: float, pipeline: float) -> Iterator[Layout]:
    """The layouts with these degrees, over unstated micro-batches, expert degrees and recompute."""
    n = known.row.numbers
    context = n["cp"] or 1.0
    data = n["dp"] or max(known.gpus / (tensor * pipeline * context), 1.0)
    zero, shard = _zero(known, data * context)
    expert_tensor = re.search(r"ETP=(\d+)", known.row.text["notes"]) if known.is_moe else None
    for expert in _expert_degrees(known, zero, data * context) if known.is_moe else (1.0,):
        for size in _micro_batches(known.row, data):
            for virtual, (full, selective) in product(_virtual(known, pipeline), _recompute(known)):
                yield Layout(
                    tensor=_scalar(tensor),
                    pipeline=_scalar(pipeline),
                    virtual_pipeline=_scalar(virtual),
                    context=_scalar(context),
                    expert=_scalar(expert),
                    expert_tensor=_scalar(float(expert_tensor.group(1)) if expert_tensor else 1.0),
                    data=_scalar(data),
                    micro_batch=_scalar(size),
                    recompute_full=_scalar(full),
                    recompute_selective=_scalar(selective),
                    zero=_scalar(zero),
                    shard=_scalar(shard),
                )


def _scalar(value: float) -> Array:
    return np.asarray(value, dtype=np.float64)


def _micro_batches(row: PublishedRow, data: float) -> tuple[float, ...]:
    stated, batch = row.numbers["micro_batch"], row.numbers["global_batch"]
    if stated:
        return (stated,)
    return tuple(b for b in MICRO_BATCHES if batch is None or (batch / data) % b == 0) or (1.0,)


def _zero(known: Known, replicas: float) -> tuple[float, float]:
    """ZeRO stage and size of the sharding group from what publishers write, or from what the stack does."""
    text = known.row.text["zero_or_fsdp"].lower()
    size = re.search(r"(?:fsdp-|\()(\d+)", text) if re.search(r"per slice|way|in node", text) else None
    group = min(float(size.group(1)), replicas) if size else replicas
    if known.is_fully_sharded and "shard_grad_op" not in text:
        return 3.0, group
    if "shard_grad_op" in text or "zero-2" in text:
        return 2.0, group
    if "zero" in text or "dist" in text:
        return (0.0 if "zero-0" in text else 1.0), group
    return (0.0 if text else float(known.stack.zero_unstated)), group


def _recompute(known: Known) -> tuple[tuple[float, float], ...]:
    """Shares of layers under full and selective recompute.

    When the source does not say: what the stack does unless told otherwise, or more where that does not fit.
    """
    stated = known.row.text["recompute"]
    if stated == "full":
        blocks = re.search(r"recompute of (\d+) layer", known.row.text["notes"])
        return ((min(float(blocks.group(1)) / known.layers, 1.0) if blocks else 1.0, 0.0),)
    more = {"none": (0.0, 0.0), "selective": (0.0, 1.0), "full": (1.0, 0.0)}
    if stated in more:
        return (more[stated],)
    return tuple(more.values())[list(more).index(known.stack.recompute_unstated) :]


def _virtual(known: Known, pipeline: float) -> tuple[float, ...]:
    """Model chunks per device: stated, or one layer each where the stack interleaves and stages are small.

    Layers that do not divide are dealt with embedding and loss among them, or unevenly, or not interleaved.
    """
    stated = known.row.numbers["vpp"]
    if stated is not None:
        return (stated if pipeline > 1 else 1.0,)
    if pipeline <= 1 or not known.stack.interleaves or known.row.text["date"] < INTERLEAVED_SINCE:
        return (1.0,)
    chunks = math.ceil(known.layers / pipeline)
    if chunks > LAYERS_PER_CHUNK:
        return (1.0,)
    return (float(chunks),) if known.layers % pipeline == 0 else (1.0, float(chunks))


def _expert_degrees(known: Known, zero: float, replicas: float) -> tuple[float, ...]:
    """The stated expert-parallel degree; unstated, sharded GPU stacks may have used any that divides."""
    stated = known.row.numbers["ep"]
    if stated is not None or zero < 3 or known.stack.host_microseconds == 0:
        return (stated or 1.0,)
    experts = float(known.architecture.experts)
    return tuple(e for e in EXPERT_DEGREES if e <= replicas and experts % e == 0)
