"""A phase of a plan as the data of a run file, and the part of it that a launch file must carry in comments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.catalog.models import model_from
from planner.catalog.precisions import find_precision
from planner.foreign.architecture import same_figures
from planner.foreign.block import without
from planner.launch.job import LaunchJob
from planner.launch.text import one_line
from planner.problem.run import RunLayout, recompute_as_written


def run_data(job: LaunchJob) -> dict[str, Any]:
    """The phase as a run file; tokens are those of whole steps, and the replicas follow from the devices."""
    return {
        "name": one_line(f"{job.title}, {job.phase}"),
        "model": job.model_reference,
        "training": _training(job),
        "cluster": {
            "accelerator": job.accelerator.name,
            "gpus": job.gpus,
            **_network(job),
            "price": f"${job.usd_per_gpu_hour.normalize():f}/GPU-h",
        },
        "layout": {
            **{name: getattr(job, name) for name in _DEGREES},
            "recompute": recompute_as_written(job.recompute),
            **({"shard": job.shard} if job.sharding_groups > 1 else {}),
        },
    }


_DEGREES = ("tensor", "pipeline", "context", "expert", "micro_batch", "virtual_pipeline", "zero", "expert_tensor")


def _training(job: LaunchJob) -> dict[str, Any]:
    """How it is trained: all that the problem states, besides what every run says."""
    written = job.training.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"phases"})
    return {
        **{key: value for key, value in written.items() if key in job.training.stated()},
        "precision": find_precision(job.precision).name,
        "tokens": job.steps * job.sequence_length * job.global_batch,
        "sequence_length": job.sequence_length,
        "global_batch": job.global_batch,
    }


def _network(job: LaunchJob) -> dict[str, str]:
    """The scale-out bandwidth, where nodes have any."""
    gbit_s = job.placement.machine.network_gbit_s
    return {"network": f"{gbit_s:.12g} Gb/s"} if gbit_s else {}


_DEFAULTS = {key: field.default for key, field in RunLayout.model_fields.items() if key not in {"data", "zero"}} | {
    "recompute": "none"
}
"""What a run file takes for a degree that it does not state; the ZeRO stage is always stated."""


def carried(wanted: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a run file that a launch file does not say by itself.

    Raises AssertionError when the file says something else than what is wanted.
    """
    left = without(wanted, said)
    layout = {key: value for key, value in left.pop("layout", {}).items() if value != _DEFAULTS.get(key)}
    left |= {"layout": layout} if layout else {}
    if "model" in said and said["model"] != wanted["model"]:
        ours, theirs = (model_from(one["model"], Path()) for one in (wanted, said))
        _agree({"model": same_figures(ours, theirs)}, {"model": True}, "")
        left["model"] = wanted["model"]
    _agree({key: value for key, value in said.items() if key != "model"}, wanted, "")
    return left


def _agree(said: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> None:
    """Whether a file says nothing but what is wanted; a default may be spelt out."""
    for key, value in said.items():
        if isinstance(value, Mapping) and isinstance(wanted.get(key), Mapping):
            _agree(value, wanted[key], f"{where}{key}.")
        elif key in wanted and wanted[key] != value:
            raise AssertionError(f"the launch file says {where}{key} = {value}, the plan {wanted[key]}")
