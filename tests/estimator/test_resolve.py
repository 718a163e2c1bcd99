"""Names of a run resolved to records, and records to the equations' symbols."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from planner.catalog.calibration import load_calibration
from planner.catalog.software import DEFAULT_STACK
from planner.errors import InputError
from planner.estimator.resolve import Subject, Symbols, recomputed_shares, resolve, symbols_of
from planner.performance.symbols import Job, Layout
from planner.problem.run import Recompute, load_run

RUN = """\
schema: run/1
model: llama3-70b
training: {tokens: 1T, sequence_length: 8192, global_batch: 1024}
cluster: {accelerator: H100-80GB-SXM5, gpus: 512}
layout: {tensor: 8, pipeline: 4, context: 2}
"""


def subject(folder: Path, *sets: str) -> Subject:
    """The run above with some keys changed, resolved."""
    path = folder / "run.yaml"
    path.write_text(RUN)
    return resolve(load_run(path, sets))


def symbols(folder: Path, *sets: str) -> Symbols:
    """The same as symbols."""
    return symbols_of(subject(folder, *sets), load_calibration())


def numbers(bundle: Job | Layout) -> dict[str, float]:
    """The fields of a bundle as plain numbers."""
    return {field.name: float(getattr(bundle, field.name)) for field in fields(bundle)}


def test_names_become_records(tmp_path: Path) -> None:
    """Model, device, precision and the default stack at its default release."""
    found = subject(tmp_path)
    assert (found.model.name, found.accelerator.name, found.precision.name) == ("llama3-70b", "H100-80GB-SXM5", "bf16")
    assert found.stack.name == DEFAULT_STACK
    assert found.software == found.stack.at(found.stack.default_release)


def test_a_stated_stack_and_release_are_used(tmp_path: Path) -> None:
    """An older release does what it did then."""
    old = subject(tmp_path, "training.software.stack=megatron", "training.software.release=2021-04")
    assert old.software.attention == "unfused"


def test_degrees_arrive(tmp_path: Path) -> None:
    """Replicas are what the GPUs leave; states are sharded over data and context."""
    layout = numbers(symbols(tmp_path).layout)
    assert [layout[name] for name in ("tensor", "pipeline", "context", "data", "shard")] == [8, 4, 2, 8, 16]
    assert {layout[name] for name in ("virtual_pipeline", "expert", "expert_tensor", "micro_batch", "zero")} == {1}


STATED = {"low_precision", "cast_bytes", "adapter_rank", "compressed_gradients"}
"""Figures that are zero and still of interest; all other levers are off unless written."""


def test_the_job_arrives(tmp_path: Path) -> None:
    """Full-parameter Adam in 16 bit unless something else is written."""
    job = numbers(symbols(tmp_path).job)
    assert job.pop("base_bytes") == 2
    assert {name: value for name, value in job.items() if value or name in STATED} == {
        "sequence": 8192,
        "global_batch": 1024,
        "low_precision": 0,
        "cast_bytes": 0,
        "trains_base": 1,
        "adapter_rank": 0,
        "state_bytes": 12,
        "compressed_gradients": 0,
    }


def test_adapters_freeze_the_base(tmp_path: Path) -> None:
    """LoRA: a rank, and no gradients or states for the base."""
    job = numbers(symbols(tmp_path, "training.method=lora", "training.rank=32").job)
    assert (job["trains_base"], job["adapter_rank"]) == (0, 32)


def test_low_precision_has_its_own_rate(tmp_path: Path) -> None:
    """In fp8 the linear layers run faster, the rest as before, and quantising moves bytes."""
    wide, narrow = symbols(tmp_path), symbols(tmp_path, "training.precision=fp8")
    assert narrow.device.low_matmul_flops_s > 1.5 * narrow.device.matmul_flops_s == 1.5 * wide.device.matmul_flops_s
    assert narrow.device.peak_flops_s == pytest.approx(2 * wide.device.peak_flops_s, rel=0.01)
    assert narrow.job.cast_bytes > wide.job.cast_bytes == 0


def test_network_is_the_devices_unless_stated(tmp_path: Path) -> None:
    """Bytes per second, from Gb/s either way."""
    assert symbols(tmp_path).device.network_bytes_s == 50e9
    assert symbols(tmp_path, "cluster.network=100 Gb/s").device.network_bytes_s == 12.5e9


def test_compressed_gradients_arrive(tmp_path: Path) -> None:
    """`gradient_compression: int8` is a flag of the job."""
    assert symbols(tmp_path, "training.gradient_compression=int8").job.compressed_gradients == 1


@pytest.mark.parametrize(
    ("recompute", "shares"),
    [
        (Recompute(), (0, 0)),
        (Recompute(kind="selective"), (0, 1)),
        (Recompute(kind="full"), (1, 0)),
        (Recompute(kind="full", full_layers=5), (0.25, 0)),
        (Recompute(kind="full", full_layers=21), (1, 0)),
    ],
)
def test_recompute_is_a_share_of_layers(recompute: Recompute, shares: tuple[float, float]) -> None:
    """Full first, selective second; of 20 layers a stage."""
    assert recomputed_shares(recompute, 20) == shares


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model=lama3-70b", "unknown model 'lama3-70b'"),
        ("cluster.accelerator=H900", "unknown accelerator 'H900'"),
        ("training.software.stack=megatrom", "unknown software stack 'megatrom'"),
        ("layout.expert=2", "has no experts"),
    ],
)
def test_errors_stand_at_their_key(tmp_path: Path, change: str, message: str) -> None:
    """A name that is wrong is reported where it was written, with a fix."""
    with pytest.raises(InputError) as caught:
        subject(tmp_path, change)
    issue = caught.value.issues[0]
    assert message in issue.message
    assert issue.fix
    assert str(issue.place) == f"--set {change}"
