"""Which shapes are measured: in full, quickly, or tiny ones that a processor finishes in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple


class ProductShape(NamedTuple):
    """One matrix product, (m × k)·(k × n); `layout` says which operands lie transposed, in BLAS letters."""

    layout: str
    m: int
    n: int
    k: int

    @property
    def aligned(self) -> bool:
        """Whether every dimension is a multiple of 64."""
        return self.m % 64 == self.n % 64 == self.k % 64 == 0


class ExpertShape(NamedTuple):
    """One linear layer of `experts` local experts, each with the same number of rows."""

    experts: int
    rows: int
    n: int
    k: int


class AttentionShape(NamedTuple):
    """One causal attention core."""

    batch: int
    sequence: int
    heads: int
    kv_heads: int
    head_dim: int
    value_head_dim: int


@dataclass(frozen=True)
class Grid:
    """What a run measures, and how patiently."""

    products: tuple[ProductShape, ...]
    experts: tuple[ExpertShape, ...]
    attentions: tuple[AttentionShape, ...]
    copy_bytes: tuple[int, ...]
    streams: tuple[tuple[int, int], ...]
    """Rows and columns of the elementwise kernels."""
    optimizer_parameters: int
    message_elements: tuple[int, ...]
    """Sizes of the collectives' tensors, in 16-bit elements."""
    batches: int
    """Timed batches; their median counts."""
    batch_seconds: float
    """Length of one batch."""
    sustained: ProductShape
    sustained_seconds: float
    """How long that product runs without a pause."""
    cache_bytes: int
    """Inputs are rotated until they exceed this, so that a cache does not serve repeated calls."""


def forward(tokens: tuple[int, ...], layers: tuple[tuple[int, int], ...]) -> tuple[ProductShape, ...]:
    """Forward products of linear layers (outputs, inputs): x·Wᵀ."""
    return tuple(ProductShape("TN", m, n, k) for m, (n, k) in product(tokens, layers))


def backward(tokens: tuple[int, ...], layers: tuple[tuple[int, int], ...]) -> tuple[ProductShape, ...]:
    """Both gradients, of data dy·W and of weights dyᵀ·x, of linear layers (outputs, inputs)."""
    pairs = [
        (ProductShape("NN", m, inputs, outputs), ProductShape("NT", outputs, inputs, m))
        for m, (outputs, inputs) in product(tokens, layers)
    ]
    return tuple(shape for pair in pairs for shape in pair)


def causal(
    tokens: int, sequences: tuple[int, ...], heads: tuple[tuple[int, int, int, int], ...]
) -> tuple[AttentionShape, ...]:
    """Attention cores over `tokens` positions, cut into sequences (at least one)."""
    return tuple(AttentionShape(max(1, tokens // s), s, *shape) for s, shape in product(sequences, heads))


WHOLE_LAYERS = (
    (2048, 2048), (6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336), (5120, 5120), (7680, 5120), (27648, 5120),
    (10240, 8192), (8192, 8192), (28672, 8192), (8192, 28672), (16384, 16384),
)  # fmt: skip
"""Outputs and inputs of linear layers of 1B to 405B models."""
SHARDED_LAYERS = (
    (512, 4096), (4096, 512), (1536, 4096), (4096, 1792), (1280, 8192), (8192, 1024), (7168, 8192), (8192, 3584),
    (2304, 16384),
)  # fmt: skip
"""The same under tensor parallelism: narrow outputs, short inner dimensions."""
MISALIGNED_LAYERS = ((1800, 14400), (14400, 1800), (3600, 5000), (5000, 5000))
"""Widths that 64 does not divide."""
HEADS = ((32, 8, 64, 64), (32, 8, 128, 128), (32, 32, 128, 128), (16, 16, 192, 192), (16, 16, 192, 128))
"""Query heads, key-value heads, query-key and value head size; the last is multi-head latent attention."""

FULL = Grid(
    products=(
        *forward((512, 1024, 2048, 4096, 8192, 16384), WHOLE_LAYERS + SHARDED_LAYERS),
        *forward((2048, 8192), MISALIGNED_LAYERS),
        *backward((2048, 8192), WHOLE_LAYERS + SHARDED_LAYERS),
    ),
    experts=tuple(
        ExpertShape(experts, rows, n, k)
        for experts, rows, (n, k) in product(
            (8, 32, 64), (16, 64, 256, 1024, 4096), ((2816, 2048), (4096, 7168), (7168, 2048), (14336, 4096))
        )
        if experts * rows <= 65536 and experts * n * k <= 2**31
    ),
    attentions=causal(32768, (1024, 2048, 4096, 8192, 16384, 32768), HEADS),
    copy_bytes=(2**26, 2**28, 2**30, 2**32),
    streams=((8192, 4096), (8192, 8192), (16384, 16384)),
    optimizer_parameters=2**28,
    message_elements=(2**15, 2**19, 2**23, 2**25, 2**27, 2**29),
    batches=7,
    batch_seconds=0.01,
    sustained=ProductShape("TN", 8192, 8192, 8192),
    sustained_seconds=4.0,
    cache_bytes=2**28,
)
QUICK = Grid(
    products=(
        *forward((2048, 8192), ((6144, 4096), (8192, 8192), (8192, 28672), (1280, 8192), (8192, 1024))),
        *forward((8192,), ((3600, 5000),)),
        *backward((8192,), ((6144, 4096), (8192, 8192))),
    ),
    experts=tuple(ExpertShape(16, rows, 4096, 4096) for rows in (64, 256, 1024)),
    attentions=causal(16384, (4096, 16384), ((32, 8, 128, 128), (16, 16, 192, 128))),
    copy_bytes=(2**28, 2**30),
    streams=((8192, 8192),),
    optimizer_parameters=2**26,
    message_elements=(2**15, 2**23, 2**27),
    batches=5,
    batch_seconds=0.005,
    sustained=ProductShape("TN", 8192, 8192, 8192),
    sustained_seconds=2.0,
    cache_bytes=2**28,
)
TINY = Grid(
    products=(
        *forward((64, 128), ((64, 128), (128, 64), (128, 256))),
        *forward((64,), ((120, 80),)),
        *backward((64,), ((128, 64),)),
    ),
    experts=(ExpertShape(2, 16, 64, 32), ExpertShape(4, 32, 64, 32)),
    attentions=causal(64, (32, 64), ((4, 2, 16, 16), (2, 2, 32, 16))),
    copy_bytes=(2**16,),
    streams=((32, 64),),
    optimizer_parameters=2**12,
    message_elements=(2**8, 2**12),
    batches=3,
    batch_seconds=0.0005,
    sustained=ProductShape("TN", 128, 128, 128),
    sustained_seconds=0.002,
    cache_bytes=0,
)


def grid_for(device: str, *, quick: bool) -> Grid:
    """Grid for a device; a processor gets tiny ones whatever was asked, for they only exercise the code."""
    if device == "cpu":
        return TINY
    return QUICK if quick else FULL
