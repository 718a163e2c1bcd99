"""How long one matrix product takes, by its real shape."""

from __future__ import annotations

import numpy as np

from planner.performance.symbols import Array

TILES = ((256.0, 128.0, 1.0), (128.0, 256.0, 1.0), (128.0, 128.0, 1.06), (64.0, 128.0, 1.25))
"""Rows and columns of the tiles that libraries choose from, and the time per element of each against the first.

Small tiles reuse operands less. Source: fitted to published kernel measurements on A100 and B200.
"""
BANDWIDTH_SHARE = 0.85
"""Share of the datasheet memory bandwidth that streaming kernels reach (measured: 0.83–0.92 on A100, H100, H200)."""


def _rounded_up(value: Array, unit: Array | float) -> Array:
    return np.ceil(value / unit) * unit


def tile_quantisation(rows: Array, columns: Array, units: Array) -> Array:
    """Time of a product over the time without padding and without a partly filled last wave, ≥ 1.

    A product is cut in tiles, tiles run in waves over `units` multiprocessors, and the library takes the best
    tile. `units` = 0 means that tiles do not quantise. Shapes broadcast. Source: NVIDIA, Matrix Multiplication
    Background User's Guide, sections "Tile Quantization" and "Wave Quantization".
    """
    best = np.asarray(np.inf)
    for tile_rows, tile_columns, penalty in TILES:
        padding = _rounded_up(rows, tile_rows) * _rounded_up(columns, tile_columns) / (rows * columns)
        tiles = np.ceil(rows / tile_rows) * np.ceil(columns / tile_columns)
        waves = tiles / np.maximum(units, 1.0)
        best = np.minimum(best, padding * np.ceil(waves) / waves * penalty)
    return np.where(units > 0, best, 1.0)


def misalignment(size: Array) -> Array:
    """Slow-down of a product whose sharded width is not a multiple of 64 (×1.35) or of 8 (×1.5 more).

    Source: BigScience's published topology tables (widths 14400/8 = 1800); NVIDIA, Deep Learning Performance,
    section "Tensor Core Requirements".
    """
    return np.where(size % 64 == 0, 1.0, 1.35) * np.where(size % 8 == 0, 1.0, 1.5)


def matmul_seconds(
    rows: Array,
    columns: Array,
    inner: Array,
    *,
    flops_s: Array,
    bytes_s: Array,
    units: Array,
    shape_elements: float,
) -> Array:
    """Seconds of one (rows × inner)·(inner × columns) product with 16-bit operands.

    2·M·N·K / rate · (1 + c·(1/M + 1/N + 1/K)) · quantisation · misalignment, and never less than its memory
    traffic. Arguments broadcast; FLOP/s and bytes/s in, seconds out. Zero-sized products take no time.
    """
    rows, columns, inner = (np.maximum(size, 1e-9) for size in (rows, columns, inner))
    shape = 1 + shape_elements * (1 / rows + 1 / columns + 1 / inner)
    compute = 2 * rows * columns * inner / flops_s * shape * tile_quantisation(rows, columns, units)
    traffic = 2 * (rows * inner + inner * columns + rows * columns) / (BANDWIDTH_SHARE * bytes_s)
    return np.maximum(compute * misalignment(columns) * misalignment(inner), traffic)
