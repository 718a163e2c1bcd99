"""How a model is trained: precision, optimizer, method, and what saves memory, for problem and run files alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from planner.problem.schema_base import Rule, SchemaModel
from planner.units import QuantityError

MEMORY_CONFIDENCE: Final = 0.9
"""Probability with which a layout's real peak fits the device unless another one is asked for."""
Precision = Literal["bf16", "fp16", "fp8", "fp8-cs", "fp8-rowwise", "fp8-blockwise", "mxfp8", "fp4", "nvfp4"]
Optimizer = Literal["adamw", "adamw-8bit", "paged-adamw-8bit", "muon", "adafactor", "lion", "sgd"]
Method = Literal["full", "lora", "qlora"]
Format = Literal["fp32", "bf16"]
Moments = Literal["fp32", "bf16", "int8"]
Base = Literal["bf16", "int8", "fp8", "nf4"]
Offloaded = Literal["optimizer", "parameters", "activations"]


def _release(value: object) -> str:
    """A release as year or year and month."""
    text = str(value)
    if not re.fullmatch(r"20[0-9]{2}(-(0[1-9]|1[0-2]))?", text):
        raise QuantityError(f"{text[:40]!r} is not a release", "write year and month, such as 2026-03")
    return text


class SoftwareStack(SchemaModel):
    """The training stack, where it is known."""

    stack: Annotated[str, Field(min_length=1, max_length=200, examples=["megatron"])]
    """Name of the stack, such as `megatron`."""
    release: Annotated[
        str | None, PlainValidator(_release), WithJsonSchema({"type": "string", "examples": ["2026-03"]})
    ] = None
    """Year and month of the release, such as `2026-03`; default: a recent one."""


class Training(SchemaModel):
    """How the model is trained, whatever the phase."""

    precision: Precision = "bf16"
    """Precision of the matrix products; default bf16.

    bf16, fp16, fp8 (or its recipes fp8-cs, fp8-rowwise, fp8-blockwise, mxfp8), fp4 (nvfp4).
    """
    optimizer: Optimizer = "adamw"
    """Optimizer: adamw, adamw-8bit, paged-adamw-8bit, muon, adafactor, lion or sgd; default adamw."""
    weights: Format = "fp32"
    """Precision of the copy that the optimizer updates: fp32, or bf16 (pure bf16, no second copy); default fp32."""
    gradients: Format | None = None
    """Precision of the gradient buffer: fp32 or bf16; default: what the stack does, and bf16 under `weights: bf16`."""
    moments: Moments | None = None
    """Precision of the optimizer's states: fp32, bf16 or int8; default: what the optimizer does, and bf16 instead of
    fp32 under `weights: bf16`."""
    method: Method = "full"
    """`full` trains every parameter, `lora` adapters on a frozen base, `qlora` on a 4-bit one; default full."""
    rank: Annotated[int, Field(ge=1, le=65536, strict=True, examples=[16])] = 16
    """Rank of the adapters under `method: lora` and `qlora`; default 16."""
    base: Base | None = None
    """Precision of the frozen base: bf16, int8, fp8 or nf4; default bf16 under `lora`, nf4 under `qlora`."""
    fused_loss: bool = False
    """Whether the loss is computed in chunks, so that the logits are never whole (Liger, chunked cross-entropy);
    default false."""
    offload: Annotated[tuple[Offloaded, ...], Field(max_length=3, examples=["[optimizer]"])] = ()
    """What is kept in the host's memory: optimizer, parameters (under ZeRO 3), activations; default: nothing."""
    document_length: Annotated[int, Field(ge=1, le=100_000_000, strict=True, examples=[2048])] | None = None
    """Mean tokens of the documents that are packed into a sequence and do not attend to each other; default: no
    packing."""
    multi_token_prediction: bool = False
    """Whether the model's own multi-token-prediction modules are trained with it; default false."""
    software: SoftwareStack | None = None
    """The training stack; default: the catalog's default stack."""
    gradient_compression: Literal["none", "int8"] = "none"
    """Compression of the data-parallel gradient exchange: none or int8; default none."""

    @property
    def trains_base(self) -> bool:
        """Whether every parameter is trained."""
        return self.method == "full"

    @property
    def adapter_rank(self) -> int:
        """Rank of the adapters; 0 without any."""
        return 0 if self.trains_base else self.rank

    @property
    def base_format(self) -> Base:
        """Precision of the frozen base."""
        return self.base or ("nf4" if self.method == "qlora" else "bf16")

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        for key in ("rank", "base"):
            if self.trains_base and key in self.stated():
                yield Rule(("training", key), f"training.{key} requires method: lora", "add method: lora")
        if len(set(self.offload)) < len(self.offload):
            yield Rule(("training", "offload"), "offload names one thing twice", "give each once")
        if self.moments == "int8" and not self.optimizer.startswith("adamw"):
            fix = "use fp32 or bf16, or optimizer: adamw-8bit"
            yield Rule(("training", "moments"), f"{self.optimizer} has no 8-bit states", fix)
