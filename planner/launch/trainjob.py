"""A phase as a TrainJob of Kubeflow Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, Final

from planner.catalog.launch_targets import Target
from planner.foreign.yaml_text import Sourced, yaml_text
from planner.launch.job import LaunchJob
from planner.launch.options import Options
from planner.launch.worker import Rendezvous, job_name

RENDEZVOUS: Final = Rendezvous("$PET_NNODES", "$PET_NODE_RANK", "$PET_MASTER_ADDR")
"""What the torch runtime tells every node."""
LONGEST_NAME: Final = 50
"""Characters of a job's name: Kubernetes adds to it."""


def refusals(job: LaunchJob, target: Target, _: Options) -> Iterator[str]:
    """What the cluster could not start."""
    if job.accelerator.vendor.casefold() not in target.words["vendor"]:
        yield f"no resource name is known for devices of {job.accelerator.vendor}"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the job does not say."""
    if job.spare_nodes:
        yield f"{job.spare_nodes} spare nodes: a failed pod starts again on another node of the cluster"


def text(
    job: LaunchJob, target: Target, header: list[str], worker: list[str], required: Mapping[str, str], options: Options
) -> str:
    """The job."""
    resource = target.written_for("vendor", job.accelerator.vendor.casefold())[0]
    labels = {"labels": {"kueue.x-k8s.io/queue-name": Sourced(options.queue, "--queue")}} if options.queue else {}
    environment = [
        {"name": name, "value": Sourced(f"SET {name}", f"yours: {meaning}")} for name, meaning in required.items()
    ]
    deadline = ceil(job.wall_seconds * job.slowest_factor)
    data: dict[str, Any] = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": Sourced(f"plan-{job_name(job)}"[:LONGEST_NAME], "phase.name"), **labels},
        "spec": {
            "runtimeRef": {"name": "torch-distributed"},
            "activeDeadlineSeconds": Sourced(deadline, "plan.wall_seconds, and what a slow run takes on top"),
            "trainer": {
                "numNodes": Sourced(job.nodes, "plan.nodes"),
                "numProcPerNode": Sourced(job.gpus_per_node, job.accelerator.name),
                "resourcesPerNode": {"limits": {resource: Sourced(job.gpus_per_node, job.accelerator.name)}},
                **({"env": environment} if environment else {}),
                "command": ["bash", "-c"],
                "args": ["\n".join(worker) + "\n"],
            },
        },
    }
    return "\n".join(header) + "\n" + yaml_text(data)
