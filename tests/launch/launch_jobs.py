"""Phases to write launch files for, with fixed figures; run as a program it writes the golden files anew."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from planner import __version__
from planner.catalog.accelerators import accelerator_from
from planner.catalog.launch_targets import find_target, load_targets
from planner.catalog.models import find_model
from planner.catalog.software import find_stack
from planner.errors import InputError
from planner.launch.export import launch_file
from planner.launch.job import Bought, LaunchJob
from planner.launch.options import Options
from planner.market.placements import Machine, Placement
from planner.problem.run import Recompute
from planner.problem.training import Training

GOLDEN = Path(__file__).parent / "golden"
TWO_WEEKS = Options(job_time=14 * 86400.0, queue="long")


def place(cloud: str = "nebius", accelerator: str = "H100-80GB-SXM5", **changes: Any) -> Placement:  # noqa: ANN401
    """A region with nodes of eight devices."""
    machine = Machine(accelerator_from(accelerator, Path()), per_node=8, domain=8, network_gbit_s=400.0)
    found = Placement(
        cloud=cloud,
        region="eu-north1",
        zone="",
        instance_type="gpu-h100-sxm_8gpu-128vcpu-1600gb",
        machine=machine,
        on_demand=Decimal("23.6"),
        spot=None,
        reservations=(),
        nodes=2048,
        spot_nodes=0,
        basis="granted",
        spot_figures=None,
        source="a price list",
        date="2026-07-30",
    )
    return replace(found, **changes)


def job(model: str = "llama3.1-405b", training: dict[str, Any] | None = None, **changes: Any) -> LaunchJob:  # noqa: ANN401
    """A phase; unless changed, Llama 3.1 405B on 16,384 H100."""
    stack, trained = find_stack("megatron"), Training.model_validate(training or {})
    found = LaunchJob(
        title="Llama 3 405B",
        phase="pretrain",
        number=1,
        previous_phase=None,
        model=find_model(model),
        model_reference=model,
        training=trained,
        stack=stack.name,
        software=stack.at(None),
        accelerator=place().machine.accelerator,
        placement=place(),
        policy="steady",
        bought=(Bought("on_demand", 2048, Decimal("2.95")),),
        nodes=2048,
        spare_nodes=0,
        gpus=16384,
        tensor=8,
        pipeline=16,
        context=1,
        expert=1,
        data=128,
        virtual_pipeline=8,
        micro_batch=1,
        microbatches=16,
        recompute=Recompute(),
        zero=1,
        expert_tensor=1,
        shard=128,
        sequence_length=8192,
        global_batch=2048,
        tokens=15_600_000_000_000,
        steps=929_833,
        step_seconds=6.0,
        wall_seconds=929_833 * 6.5,
        checkpoint_interval_seconds=1800.0,
        slowest_factor=1.25,
    )
    replicas = changes.get("data", found.data) * changes.get("context", found.context)
    return replace(found, **({"shard": replicas} | changes))


def sized(gpus: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Nodes and purchases for so many devices on one stage, and other changes."""
    nodes = gpus // 8
    bought = (Bought("on_demand", nodes, Decimal("2.95")),)
    one_stage = {"tensor": 1, "pipeline": 1, "virtual_pipeline": 1, "data": gpus}
    return {"nodes": nodes, "gpus": gpus, "bought": bought, **one_stage, **changes}


JOBS = {
    "llama-405b": job(),
    "deepseek-v3-second-phase": job(
        "deepseek-v3",
        {"precision": "fp8"},
        phase="extend 32k",
        number=2,
        previous_phase="pretrain",
        recompute=Recompute(kind="selective"),
        **sized(2016, pipeline=21, data=96, expert=32, global_batch=15360, microbatches=160, sequence_length=4096),
    ),
    "gpt3-in-chunks": job(
        "gpt3-175b",
        recompute=Recompute(kind="full", full_layers=12),
        **sized(1024, tensor=8, pipeline=4, virtual_pipeline=12, data=32, micro_batch=3, microbatches=16)
        | {"global_batch": 1536, "sequence_length": 2048},
    ),
    "mixtral-with-spares": job(
        "mixtral-8x22b",
        **sized(128, expert=8, zero=2, spare_nodes=1, global_batch=1024, microbatches=8),
    ),
    "llama-70b-sharded": job(
        "llama3.1-70b",
        **sized(128, tensor=4, data=32, zero=3, micro_batch=2, microbatches=8, global_batch=512)
        | {"recompute": Recompute(kind="full")},
    ),
    "llama-7b-on-spot": job(
        "llama2-7b",
        policy="fallback",
        placement=place(spot=Decimal(10)),
        **sized(64, zero=3, global_batch=512, microbatches=8, sequence_length=4096)
        | {"bought": (Bought("spot", 6, Decimal("1.35")), Bought("on_demand", 2, Decimal("2.95")))},
    ),
    "lora-70b": job(
        "llama3.1-70b",
        {"method": "lora", "rank": 16},
        **sized(8, zero=3, global_batch=64, microbatches=8, sequence_length=4096, tokens=500_000_000, steps=1908),
    ),
}
"""By name; together they use all that targets express."""


@cache
def golden_files() -> dict[str, str]:
    """The text of every file that the jobs are written into, by name; what a target refuses is left out."""
    found = {}
    for name, phase in JOBS.items():
        for target in load_targets().values():
            try:
                text = launch_file(phase, target, None, TWO_WEEKS).text
            except InputError:
                continue
            found[f"{name}{target.suffix}"] = text.replace(f"plan {__version__}", "plan VERSION")
    runs = launch_file(JOBS["llama-7b-on-spot"], find_target("slurm"), find_target("deepspeed"), TWO_WEEKS)
    found["llama-7b-on-spot.deepspeed.slurm.sh"] = runs.text.replace(f"plan {__version__}", "plan VERSION")
    return found


def main() -> None:
    """Writes the golden files; run `benchmarks/exports.py` on them before they are believed."""
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for name, text in golden_files().items():
        (GOLDEN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
