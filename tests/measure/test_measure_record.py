"""The record and the CSV that a measurement becomes."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from planner.catalog.accelerators import find_accelerator, read_accelerator
from planner.catalog.records import Accelerator
from planner.errors import InputError
from planner.measure.attention import attention_cases
from planner.measure.collectives import collective_case
from planner.measure.command import check_output, write_record
from planner.measure.grids import FULL, QUICK, TINY, AttentionShape, ProductShape, grid_for
from planner.measure.products import product_case
from planner.measure.record import SOURCE
from planner.measure.samples import COLUMNS, DeviceFacts, KernelCase, Measurements, Refusal, Sample

LARGE = ProductShape("TN", 8192, 8192, 8192)
H200 = DeviceFacts("NVIDIA H200", 139.8, 132, 1, 0.6, "PyTorch 2.13.0, CUDA 13.0, driver 580.159.04")


def measured(*samples: Sample, facts: DeviceFacts = H200, refusals: tuple[Refusal, ...] = ()) -> Measurements:
    """Take exactly these samples on a device."""
    return Measurements(facts, samples, refusals)


def product_at(tflops: float, precision: str = "bf16") -> Sample:
    """Time a large product at a rate."""
    case = product_case(LARGE, precision)
    return Sample(case, case.flops / (tflops * 1e12))


@pytest.fixture
def like() -> Accelerator:
    """Find the catalog's H200."""
    return find_accelerator("H200-141GB-SXM")


def test_record_is_read_back_as_the_catalog_reads_it(tmp_path: Path, like: Accelerator) -> None:
    """What is written is one valid accelerator record with the measured shares and the catalog's peaks."""
    output = tmp_path / "mine.toml"
    copy = Sample(KernelCase("copy", "bf16", m=2**29, bytes=4.3e9), 1e-3)
    write_record(output, measured(product_at(791.2), product_at(1385.3, "fp8"), copy), like)
    record = read_accelerator(output, shown="mine.toml")
    assert record.matmul_share["bf16"] == pytest.approx(0.8)
    assert record.matmul_share["fp8"] == pytest.approx(0.7)
    assert record.memory_usable_gib == pytest.approx(139.8)
    assert (record.source, record.confidence) == (SOURCE, "A")
    assert "4300 GB/s" in record.note
    assert "driver 580.159.04" in record.note
    unchanged = ("name", "aliases", "peak_tflops", "memory_bandwidth_gb_s", "scale_up_gb_s", "compute_units")
    assert all(getattr(record, field) == getattr(like, field) for field in unchanged)


def test_file_holds_one_table_under_its_summary(tmp_path: Path, like: Accelerator) -> None:
    """The findings stand above the table as comments."""
    output = tmp_path / "mine.toml"
    write_record(output, measured(product_at(791.2)), like)
    text = output.read_text(encoding="utf-8")
    assert text.startswith("# bf16 matrix product: 791.2 TFLOP/s")
    assert text.count("[[accelerator]]") == 1
    assert list(tomllib.loads(text)) == ["accelerator"]


def test_csv_holds_every_sample(tmp_path: Path, like: Accelerator) -> None:
    """The raw measurements lie beside the record: a row each, fields that do not apply empty."""
    attention = attention_cases(AttentionShape(2, 4096, 32, 8, 128, 128), "bf16", "flash")[0]
    write_record(tmp_path / "mine.toml", measured(product_at(800.0), Sample(attention, 1e-3)), like)
    rows = list(csv.DictReader((tmp_path / "mine.csv").read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [row["op"] for row in rows] == ["matmul_tn", "attention_forward"]
    assert (rows[0]["m"], rows[0]["causal"], rows[1]["causal"]) == ("8192", "", "1")
    assert float(rows[0]["tflops"]) == pytest.approx(800)
    assert float(rows[1]["tflops"]) == pytest.approx(2 * 2 * 32 * 4096**2 / 2 * 256 / 1e-3 / 1e12)


def test_rate_above_the_peak_is_doubted(tmp_path: Path, like: Accelerator) -> None:
    """A share is at most 1, and the user is told that the base record may be wrong."""
    lines = write_record(tmp_path / "mine.toml", measured(product_at(1200.0)), like)
    assert any("above the peak" in line for line in lines)
    assert read_accelerator(tmp_path / "mine.toml", shown="").matmul_share["bf16"] == 1


def test_other_memory_is_doubted(tmp_path: Path, like: Accelerator) -> None:
    """A device with half the memory is hardly the one that --like names."""
    facts = DeviceFacts("NVIDIA H100 80GB HBM3", 79.2, 132, 1, 0.6, "PyTorch 2.13.0")
    lines = write_record(tmp_path / "mine.toml", measured(product_at(700.0), facts=facts), like)
    assert any("79.2 GiB" in line and "--like" in line for line in lines)


def test_shared_device_is_doubted(tmp_path: Path, like: Accelerator) -> None:
    """Memory that neither PyTorch nor its context takes belongs to somebody else, who takes time as well."""
    shared = replace(H200, outside_gib=20.0)
    assert any(
        "20 GiB" in line for line in write_record(tmp_path / "a.toml", measured(product_at(790.0), facts=shared), like)
    )
    assert not any("GiB" in line for line in write_record(tmp_path / "b.toml", measured(product_at(790.0)), like))


def test_precision_without_a_peak_is_left_out(tmp_path: Path) -> None:
    """A share needs a peak; an A100 states none for fp8."""
    like = find_accelerator("A100-80GB-SXM4")
    facts = DeviceFacts("NVIDIA A100-SXM4-80GB", 79.1, 108, 1, 0.6, "PyTorch 2.13.0")
    lines = write_record(
        tmp_path / "mine.toml", measured(product_at(270.0), product_at(400.0, "fp8"), facts=facts), like
    )
    assert "fp8" not in read_accelerator(tmp_path / "mine.toml", shown="").matmul_share
    assert any("no fp8 peak" in line for line in lines)


def test_without_a_product_nothing_is_written(tmp_path: Path, like: Accelerator) -> None:
    """A device that runs no matrix product gets no record, and the reason is told."""
    refusals = (Refusal("matmul_tn bf16", "CUDA error: no kernel image"),)
    with pytest.raises(InputError, match="no kernel image"):
        write_record(tmp_path / "mine.toml", measured(refusals=refusals), like)
    assert list(tmp_path.iterdir()) == []


def test_refusals_are_counted(tmp_path: Path, like: Accelerator) -> None:
    """The same refusal is told once, with how often it came."""
    refusals = (Refusal("attention_forward bf16 cudnn", "No available kernel."),) * 3
    lines = write_record(tmp_path / "mine.toml", measured(product_at(800.0), refusals=refusals), like)
    assert [line for line in lines if "cudnn" in line and "3 of them" in line]


@pytest.mark.parametrize(("name", "problem"), [("mine.csv", ".toml"), ("no/mine.toml", "folder"), ("a.toml", "folder")])
def test_unusable_output_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    """Another suffix, a missing folder and a folder itself are refused before anything is measured."""
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(InputError, match=problem):
        check_output(tmp_path / name)


def test_text_in_a_record_is_quoted(tmp_path: Path, like: Accelerator) -> None:
    """Quotes, line breaks, backslashes and control characters of a catalog's record are still TOML."""
    odd = like.model_copy(update={"vendor": 'a "quoted" \\ µ\nand a line\x7f', "aliases": ('x"y',)})
    write_record(tmp_path / "mine.toml", measured(product_at(791.2)), odd)
    back = read_accelerator(tmp_path / "mine.toml", shown="mine.toml")
    assert (back.vendor, back.aliases) == (odd.vendor, odd.aliases)


def test_grids_hold_what_they_promise() -> None:
    """At least 150 products with narrow, short, small and misaligned ones; no shape twice; quick is a tenth."""
    products = FULL.products
    assert len(set(products)) == len(products) >= 150
    assert {shape.layout for shape in products} == {"TN", "NN", "NT"}
    assert min(shape.m for shape in products if shape.layout == "TN") == 512
    assert min(shape.k for shape in products) <= 512
    assert any(not shape.aligned for shape in products)
    assert {shape.head_dim for shape in FULL.attentions} == {64, 128, 192}
    assert {shape.sequence for shape in FULL.attentions} >= {1024, 32768}
    assert len(QUICK.products) * 10 < len(products)
    assert grid_for("cpu", quick=False) is TINY
    assert grid_for("cuda:0", quick=False) is FULL
    assert grid_for("cuda:0", quick=True) is QUICK


def test_operations_and_bytes_are_counted() -> None:
    """2·m·n·k; causal attention half; backward 2.5 times forward where the head sizes agree; busbw factors."""
    assert product_case(LARGE, "bf16").flops == 2 * 8192**3
    assert product_case(LARGE, "bf16").bytes == 3 * 2 * 8192**2
    assert product_case(LARGE, "fp8").bytes == (1 + 1 + 2) * 8192**2
    forward, backward = attention_cases(AttentionShape(1, 1024, 16, 16, 128, 128), "bf16", "flash")
    assert forward.flops == 16 * 1024**2 / 2 * 2 * 256
    assert backward.flops == 2.5 * forward.flops
    assert collective_case("all_reduce", 800, 8, "nccl").bytes == 2 * 2 * 800 * 7 / 8
    assert collective_case("send_recv", 800, 8, "nccl").bytes == 2 * 800
