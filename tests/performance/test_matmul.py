"""Matrix products: small ones by hand, tiles and waves by counting, and what a faster device cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.performance.matmul import BANDWIDTH_SHARE, TILES, matmul_seconds, misalignment, tile_quantisation
from planner.performance.symbols import Array

SIZES = st.integers(1, 200).map(lambda n: 64.0 * n)
UNITS = st.sampled_from([0.0, 1.0, 108.0, 132.0, 148.0])


def scalar(value: float) -> Array:
    """A number as an array."""
    return np.asarray(value)


def seconds(
    rows: float,
    columns: float,
    inner: float,
    *,
    flops_s: float = 1e14,
    bytes_s: float = 1e12,
    units: float = 0.0,
    shape_elements: float = 0.0,
) -> float:
    """One product on a device of 100 TFLOP/s and 1 TB/s whose tiles do not quantise, unless told otherwise."""
    return float(
        matmul_seconds(
            scalar(rows),
            scalar(columns),
            scalar(inner),
            flops_s=scalar(flops_s),
            bytes_s=scalar(bytes_s),
            units=scalar(units),
            shape_elements=shape_elements,
        )
    )


def test_large_product_runs_at_the_matrix_rate() -> None:
    """2·4096³ FLOP at 100 TFLOP/s take 1.374 ms."""
    assert seconds(4096, 4096, 4096) == pytest.approx(2 * 4096**3 / 1e14, rel=1e-12)
    assert seconds(4096, 4096, 4096) == pytest.approx(1.374e-3, rel=1e-3)


def test_thin_product_runs_at_memory_speed() -> None:
    """64 rows on a 4096 × 4096 matrix: its 34.6 MB of operands and result take longer than its 2.1 GFLOP."""
    traffic = 2 * (64 * 4096 + 4096 * 4096 + 64 * 4096)
    assert seconds(64, 4096, 4096) == pytest.approx(traffic / (BANDWIDTH_SHARE * 1e12), rel=1e-12)


def test_start_up_grows_with_the_reciprocals_of_all_sizes() -> None:
    """1 + c·(1/M + 1/N + 1/K), the same whichever side is short."""
    factor = 1 + 60 * (1 / 8192 + 1 / 4096 + 1 / 2048)
    assert seconds(8192, 4096, 2048, shape_elements=60) == pytest.approx(2 * 8192 * 4096 * 2048 / 1e14 * factor)
    assert seconds(2048, 8192, 4096, shape_elements=60) == pytest.approx(seconds(8192, 4096, 2048, shape_elements=60))


def test_full_waves_of_full_tiles_cost_nothing() -> None:
    """256 × 128 tiles: 108 of them fill one wave of 108 units, 216 fill two."""
    assert tile_quantisation(scalar(256 * 9), scalar(128 * 12), scalar(108)) == pytest.approx(1)
    assert tile_quantisation(scalar(256 * 18), scalar(128 * 12), scalar(108)) == pytest.approx(1)


def test_a_tile_beyond_a_wave_starts_another() -> None:
    """Five 256-row tiles on four units take two waves with the best of all tiles, counted one by one."""
    rows, columns, units = 5 * 256.0, 128.0, 4.0
    counted = [
        np.ceil(np.ceil(rows / m) * np.ceil(columns / n) / units) * units * m * n * penalty / (rows * columns)
        for m, n, penalty in TILES
    ]
    assert tile_quantisation(scalar(rows), scalar(columns), scalar(units)) == pytest.approx(min(counted))


def test_padding_of_one_row() -> None:
    """A single row still takes a whole tile: as many times its work as the smallest tile has rows, at least."""
    assert tile_quantisation(scalar(1), scalar(128), scalar(1)) >= min(rows for rows, _, _ in TILES)


@given(st.integers(1, 10_000), st.integers(1, 10_000), UNITS)
def test_quantisation_never_helps(rows: int, columns: int, units: float) -> None:
    """The factor is at least 1, and exactly 1 on systolic arrays."""
    factor = tile_quantisation(scalar(rows), scalar(columns), scalar(units))
    assert factor == 1 if units == 0 else factor >= 1


def test_misaligned_widths_are_slower() -> None:
    """Multiples of 64 run at full speed, multiples of 8 slower, odd widths slowest."""
    aligned, eights, odd = misalignment(np.asarray([12288.0, 1800.0, 1801.0]))
    assert aligned == 1
    assert 1 < eights < odd


def test_a_misaligned_product_pays_for_width_and_depth() -> None:
    """Sharding 14400 columns by 8 gives 1800: dearer per FLOP than 1792."""
    assert seconds(4096, 1800, 4096) / 1800 > seconds(4096, 1792, 4096) / 1792
    assert seconds(4096, 4096, 1800) / 1800 > seconds(4096, 4096, 1792) / 1792


@given(SIZES, SIZES, SIZES, UNITS, st.floats(1, 10))
def test_faster_devices_are_never_slower(rows: float, columns: float, inner: float, units: float, by: float) -> None:
    """More FLOP/s or more bytes/s never lengthen a product."""
    base = seconds(rows, columns, inner, units=units, shape_elements=60)
    assert seconds(rows, columns, inner, units=units, shape_elements=60, flops_s=by * 1e14) <= base * (1 + 1e-12)
    assert seconds(rows, columns, inner, units=units, shape_elements=60, bytes_s=by * 1e12) <= base * (1 + 1e-12)


@given(SIZES, SIZES, SIZES)
def test_more_work_is_never_faster(rows: float, columns: float, inner: float) -> None:
    """Where tiles do not quantise, 64 more rows, columns or inner elements never shorten a product."""
    base = seconds(rows, columns, inner, shape_elements=60)
    for larger in ((rows + 64, columns, inner), (rows, columns + 64, inner), (rows, columns, inner + 64)):
        assert seconds(*larger, shape_elements=60) >= base * (1 - 1e-12)


def test_shapes_broadcast() -> None:
    """Rows on one axis and columns on another give a table; each entry is the product alone."""
    rows, columns = np.asarray([[256.0], [1000.0]]), np.asarray([[512.0, 4096.0, 8000.0]])
    table = matmul_seconds(
        rows,
        columns,
        scalar(2048),
        flops_s=scalar(1e14),
        bytes_s=scalar(1e12),
        units=scalar(132),
        shape_elements=60,
    )
    assert table.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alone = seconds(rows[i, 0], columns[0, j], 2048, units=132, shape_elements=60)
            assert table[i, j] == pytest.approx(alone, rel=1e-12)
