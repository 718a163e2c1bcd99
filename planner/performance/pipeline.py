"""Cutting layers into stages, and what a pipeline schedule costs in time and keeps in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from planner.performance.collectives import NETWORK_SHARE, SCALE_UP_SHARE
from planner.performance.symbols import Architecture, Array, Device, Job, Layout, Software

SEND_EXPOSED = 0.6
"""Share of stage-to-stage sends that no compute hides (fitted to published interleaved runs)."""


def micro_batch_tokens(job: Job, layout: Layout) -> Array:
    """Tokens of a micro-batch that one device holds: b·s/c."""
    return layout.micro_batch * job.sequence / layout.context


def microbatches(job: Job, layout: Layout) -> Array:
    """Micro-batches per replica and step: m = B/(b·DP)."""
    return np.maximum(job.global_batch / (layout.micro_batch * layout.data), 1.0)


def is_multiple(number: Array, divisor: Array) -> npt.NDArray[np.bool_]:
    """Whether a divisor goes into a number; several times faster than the remainder of floats."""
    multiple: npt.NDArray[np.bool_] = np.floor(number / divisor) * divisor == number
    return multiple


def slots(arch: Architecture, software: Software, layout: Layout) -> Array:
    """Layers that are dealt to stages: L, or L + 2 where embedding and loss count as layers and L does not divide."""
    chunks = layout.pipeline * layout.virtual_pipeline
    counted = (software.counts_embedding > 0) & ~is_multiple(arch.layers, chunks) & is_multiple(arch.layers + 2, chunks)
    return arch.layers + np.where(counted, 2.0, 0.0)


def largest_stage_layers(arch: Architecture, software: Software, layout: Layout) -> Array:
    """Layers of the fullest stage: the slots that one device gets, whole layers per chunk."""
    dealt = slots(arch, software, layout)
    per_stage = np.ceil(dealt / layout.pipeline)
    return np.minimum(np.where(layout.pipeline > 1, per_stage, arch.layers), arch.layers)


def last_stage_layers(arch: Architecture, software: Software, layout: Layout) -> Array:
    """Layers beside the logits: a full stage less the slot that the loss takes, or what the other stages left."""
    dealt = slots(arch, software, layout)
    full = largest_stage_layers(arch, software, layout)
    left = arch.layers - (layout.pipeline - 1) * np.floor(arch.layers / layout.pipeline)
    uneven = np.minimum(full, np.maximum(arch.layers - (layout.pipeline - 1) * full, 0.0))
    even = is_multiple(arch.layers, layout.pipeline)
    return np.where(dealt > arch.layers, full - 1, np.where(even, left, np.where(uneven > 0, uneven, full - 1)))


def stage_layers(arch: Architecture, software: Software, layout: Layout) -> tuple[Array, Array]:
    """Layers of the fullest stage, and of the stage with the logits: one and the same without a pipeline."""
    full = largest_stage_layers(arch, software, layout)
    return full, np.where(layout.pipeline > 1, last_stage_layers(arch, software, layout), full)


def slowest_stage_seconds(layer: Array, head: Array, full: Array, last: Array) -> Array:
    """One micro-batch on the slowest stage: the one with most layers, or the last with fewer layers and the logits.

    `layer` and `head` are the seconds of a layer and of the logits, `full` and `last` the layers of these two stages.
    """
    return np.maximum(full * layer, last * layer + head)


def mean_stage_seconds(layer: Array, head: Array, layers: Array, pipeline: Array) -> Array:
    """One micro-batch on an average stage: all layers and the logits over the stages."""
    return (layers * layer + head) / pipeline


def schedule_seconds(
    m: Array, slowest: Array, mean: Array, software: Software, pipeline: Array, virtual: Array
) -> Array:
    """One step's forward and backward passes under (interleaved) 1F1B: m·t_slowest + (p − 1)/v·t_mean.

    `slowest` and `mean` are the seconds of one micro-batch on the slowest and on an average stage. Schedules that fill
    the bubble with weight gradients keep the share `Software.bubble` of it. Sources: Narayanan et al. 2021, section
    2.2; DeepSeek-AI 2024, arXiv 2412.19437, table 2.
    """
    return m * slowest + software.bubble * (pipeline - 1) / virtual * mean


def send_seconds(job: Job, arch: Architecture, device: Device, software: Software, layout: Layout, m: Array) -> Array:
    """Exposed stage-to-stage sends of a step: activations forward, gradients back, once per chunk and micro-batch.

    Megatron-LM scatters the activation over the tensor-parallel group before the send and gathers it after
    (Narayanan et al. 2021, section 4.1); stacks that do not send t whole copies at once.
    """
    share = np.where(software.sends_sharded > 0, layout.tensor, 1.0)
    size = 2 * layout.micro_batch * job.sequence / layout.context * arch.hidden / share
    reach = layout.tensor * layout.context * layout.data * layout.pipeline
    rate = np.where(
        reach <= device.scale_up_domain,
        SCALE_UP_SHARE * device.scale_up_bytes_s,
        NETWORK_SHARE * device.network_bytes_s,
    )
    sends = 2 * (m * layout.virtual_pipeline + layout.pipeline - 1)
    return np.where(layout.pipeline > 1, SEND_EXPOSED * sends * size / rate, 0.0)


def in_flight(software: Software, layout: Layout, m: Array) -> Array:
    """Micro-batches whose activations the first stage holds at the peak, in units of a whole stage.

    1F1B: min(m, p), and more by `pipeline_slack` where a stack frees them late. Interleaved: (1 + (p − 1)/(p·v))·p,
    at most m. Source: Korthikanti et al. 2022, section 4.2.3.
    """
    p, v = layout.pipeline, layout.virtual_pipeline
    interleaved = p * (1 + (p - 1) / (p * v))
    late = np.where(p > 1, 1 + software.pipeline_slack, 1.0)
    return np.asarray(np.minimum(m, np.where(v > 1, interleaved, p) * late))


def in_flight_last(layout: Layout, m: Array) -> Array:
    """The same on the last stage: 1, or about ((v − 1)·p + 1)/v under interleaving."""
    p, v = layout.pipeline, layout.virtual_pipeline
    return np.minimum(m, np.where(v > 1, ((v - 1) * p + 1) / v, 1.0))
