"""Bundles with round figures, so that a test's expected value can be worked out by hand.

Everything that a test does not name costs nothing: no latency, no launches, no traffic, no jitter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from planner.catalog.accelerators import find_accelerator
from planner.catalog.calibration import load_calibration
from planner.catalog.models import find_model
from planner.catalog.precisions import find_precision
from planner.catalog.software import find_stack
from planner.performance.evaluate import Evaluation, constants_of, evaluate
from planner.performance.symbols import Architecture, Array, Constants, Device, Job, Layout, Software

Number = float | npt.NDArray[np.float64] | list[float]


def arrays(numbers: dict[str, Number]) -> dict[str, Array]:
    """Each number as an array of its own shape."""
    return {name: np.asarray(value, dtype=np.float64) for name, value in numbers.items()}


def architecture(**changes: Number) -> Architecture:
    """Eight layers of a plain multi-head transformer: h = a·d = 1024, f = 4·h, V = 32,768, own head."""
    dense: dict[str, Number] = dict.fromkeys(Architecture.__dataclass_fields__, 0.0)
    dense |= {"layers": 8.0, "dense_layers": 8.0, "hidden": 1024.0, "heads": 8.0, "kv_heads": 8.0}
    dense |= {"query_key_head": 128.0, "value_head": 128.0, "dense_ffn": 4096.0, "vocabulary": 32768.0}
    dense |= {"attentions": 1.0, "mlps": 1.0}
    dense |= {"norm_size": 1.0, "norms_per_layer": 2.0, "window": np.inf, "full_attention_share": 1.0}
    return Architecture(**arrays(dense | changes))


def mixture(**changes: Number) -> Architecture:
    """The same with 16 experts of width 1024 in every layer, 4 of them per token."""
    experts: dict[str, Number] = {"dense_layers": 0.0, "dense_ffn": 0.0, "experts": 16.0, "top_k": 4.0}
    return architecture(**experts | {"expert_ffn": 1024.0} | changes)


def device(**changes: Number) -> Device:
    """100 TFLOP/s, 1 TB/s of memory, 8 devices at 100 GB/s, 10 GB/s each beyond; tiles do not quantise."""
    numbers: dict[str, Number] = {"matmul_flops_s": 1e14, "low_matmul_flops_s": 1e14, "peak_flops_s": 1.25e14}
    numbers |= {"attention_share": 1.0, "compute_units": 0.0, "memory_bytes": 8e10, "memory_bytes_s": 1e12}
    numbers |= {"scale_up_bytes_s": 1e11, "scale_up_domain": 8.0, "node": 8.0}
    numbers |= {"network_bytes_s": 1e10, "fused_experts": 0.0}
    numbers |= {"host_bytes_s": 5e10, "host_memory_bytes_s": 5e10}
    return Device(**arrays(numbers | changes))


def software(**changes: Number) -> Software:
    """Fused attention, sequence parallelism and 1F1B; nothing overlaps and nothing costs the host time."""
    numbers: dict[str, Number] = dict.fromkeys(Software.__dataclass_fields__, 0.0)
    numbers |= {"fused_attention": 1.0, "sequence_parallel": 1.0, "bubble": 1.0, "sends_sharded": 1.0}
    numbers |= {"skips_window": 1.0, "communication_buffers": 1.0}
    numbers |= {"selective_kept": 0.5, "selective_attention": 1.0, "weight_bytes": 2.0, "zero3_weight_bytes": 2.0}
    numbers |= {"zero3_gradient_bytes": 4.0, "expert_outputs_kept": 1.0}
    return Software(**arrays(numbers | {"gradient_bytes": 4.0, "gradient_wire_bytes": 2.0} | changes))


def job(**changes: Number) -> Job:
    """64 sequences of 2,048 tokens a step, in 16 bit, with Adam's 12 bytes per parameter."""
    numbers: dict[str, Number] = {"sequence": 2048.0, "global_batch": 64.0, "low_precision": 0.0, "cast_bytes": 0.0}
    numbers |= {"trains_base": 1.0, "adapter_rank": 0.0, "state_bytes": 12.0, "compressed_gradients": 0.0}
    return Job(**arrays(numbers | changes))


def layout(**changes: Number) -> Layout:
    """One device, one sequence at a time; sharding, where there is any, goes over all replicas."""
    degrees = ("tensor", "pipeline", "virtual_pipeline", "context", "expert", "expert_tensor", "data", "micro_batch")
    numbers: dict[str, Number] = dict.fromkeys(degrees, 1.0)
    numbers |= {"recompute_full": 0.0, "recompute_selective": 0.0, "zero": 0.0}
    given = arrays(numbers | changes)
    return Layout(**{"shard": given["data"] * given["context"]} | given)


def constants(**changes: float) -> Constants:
    """Nothing beyond the formulas: full rates, everything exposed, nothing fixed, nothing reserved."""
    numbers = dict.fromkeys(Constants.__dataclass_fields__, 0.0)
    ones = ("attention", "elementwise", "tensor_exposed", "expert_exposed", "generic_stack", "host", "moe_traffic")
    return Constants(**numbers | dict.fromkeys((*ones, "activations"), 1.0) | changes)


@dataclass(frozen=True)
class Setting:
    """Everything that `evaluate` takes but the layout."""

    arch: Architecture
    device: Device
    software: Software
    job: Job
    constants: Constants

    def evaluate(self, **degrees: Number) -> Evaluation:
        """Time and memory under a layout."""
        return evaluate(self.arch, self.device, self.software, self.job, layout(**degrees), self.constants)

    def seconds(self, **degrees: Number) -> Array:
        """Seconds of a step under a layout."""
        return self.evaluate(**degrees).time.total

    def on_device(self, **factors: Number) -> Setting:
        """The same on a device of which some figures are so many times as high."""
        changed = {name: getattr(self.device, name) * np.asarray(factor) for name, factor in factors.items()}
        return replace(self, device=replace(self.device, **changed))

    def with_device(self, **changes: Number) -> Setting:
        """The same on a device with other figures."""
        return replace(self, device=replace(self.device, **arrays(changes)))

    def with_job(self, **changes: Number) -> Setting:
        """The same with another job."""
        return replace(self, job=replace(self.job, **arrays(changes)))

    def with_software(self, **changes: Number) -> Setting:
        """The same with other software."""
        return replace(self, software=replace(self.software, **arrays(changes)))


def toy(arch: Architecture | None = None, **changes: float) -> Setting:
    """A setting of this module's round figures; changes are those of constants."""
    return Setting(arch or architecture(), device(), software(), job(), constants(**changes))


SYSTEMS = (
    ("llama3.1-8b", "H100-80GB-SXM5", "bf16", "megatron"),
    ("llama3.1-70b", "GB200", "mxfp8", "megatron"),
    ("gpt3-175b", "A100-80GB-SXM4", "bf16", "megatron-deepspeed"),
    ("mixtral-8x7b", "H100-80GB-SXM5", "fp8", "pytorch-fsdp"),
    ("deepseek-v3", "H800-80GB-SXM", "fp8", "dualpipe"),
    ("gemma2-9b", "TPUv5p", "bf16", "maxtext"),
)
"""Model, accelerator, precision and stack of real systems with every kind of layer."""


def system(model: str, accelerator: str, precision: str, stack: str) -> Setting:
    """A real system with the recorded calibration: 1,024 sequences of 4,096 tokens a step."""
    recipe, properties = find_precision(precision), find_stack(stack).at()
    record = find_accelerator(accelerator)
    low, cast = float(recipe.is_low), recipe.cast_bytes
    return Setting(
        Architecture.of(find_model(model)),
        Device.of(record, recipe, properties),
        Software.of(properties, recipe),
        job(sequence=4096.0, global_batch=1024.0, low_precision=low, cast_bytes=cast),
        constants_of(load_calibration()),
    )
