"""A phase as a SkyPilot task, for `sky jobs launch`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planner.catalog.launch_targets import Target
from planner.catalog.offers import ANY_REGION
from planner.foreign.yaml_text import Sourced, yaml_text
from planner.launch.job import Bought, LaunchJob
from planner.launch.options import Options
from planner.launch.worker import Rendezvous, job_name
from planner.market.places import OWN

RENDEZVOUS: Final = Rendezvous("$SKYPILOT_NUM_NODES", "$SKYPILOT_NODE_RANK", '$(echo "$SKYPILOT_NODE_IPS" | head -n 1)')
"""What SkyPilot tells every node."""
RESTARTS: Final = 20
"""Times that a job that fails by itself starts again."""


def refusals(job: LaunchJob, target: Target, _: Options) -> Iterator[str]:
    """What SkyPilot could not start."""
    cloud = job.placement.cloud
    if cloud == OWN:
        yield f"{job.placement.title} is your own: SkyPilot starts nodes of clouds (use slurm or trainjob)"
    elif cloud not in target.words["cloud"]:
        yield f"the machines of {cloud} have no names of SkyPilot's in the catalog"
    if job.gpus_per_node < job.placement.machine.per_node:
        yield f"the phase takes {job.gpus} of a node's {job.placement.machine.per_node} devices"
    if job.bought and all(one.kind == "reserved" for one in job.bought):
        yield "all nodes are reserved: SkyPilot buys on demand or as spot"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the task does not say."""
    kinds = {one.kind: one.nodes for one in job.bought}
    if len(kinds) > 1:
        mixed = ", ".join(f"{nodes:,} {kind.replace('_', ' ')}" for kind, nodes in kinds.items())
        yield f"nodes of several kinds at a time ({mixed}): a task has one kind, the first that can be had counts"
    if job.spare_nodes:
        yield f"{job.spare_nodes} spare nodes: a failed node is replaced by a new one"
    if job.policy == "elastic":
        yield "the policy elastic: a task has all of its nodes or waits"


def text(job: LaunchJob, target: Target, header: list[str], worker: list[str], required: Mapping[str, str]) -> str:
    """The task."""
    data: dict[str, Any] = {
        "name": Sourced(job_name(job), "phase.name"),
        "num_nodes": Sourced(job.nodes, "plan.nodes"),
        "resources": _resources(job, target),
        "envs": {name: Sourced(None, f"yours: {meaning}; --env {name}=…") for name, meaning in required.items()},
        "run": "\n".join(worker) + "\n",
    }
    if not required:
        del data["envs"]
    return "\n".join(header) + "\n" + yaml_text(data)


def _resources(job: LaunchJob, target: Target) -> dict[str, Any]:
    """Where and how nodes are bought: one way, or several in the plan's order."""
    ways = sorted({one.kind: one for one in job.bought if one.kind != "reserved"}.values(), key=_spot_last)
    if job.policy == "fallback":
        ways.reverse()
    common: dict[str, Any] = {}
    if job.nodes > 1:
        common["network_tier"] = Sourced("best", "the plan's seconds take the fabric of the instance type")
    strategy = target.written_for("policy", job.policy)[0]
    recovery = {"strategy": Sourced(strategy, f"plan.policy: {job.policy}"), "max_restarts_on_errors": RESTARTS}
    common["job_recovery"] = recovery
    places = [_place(job, target, way) for way in ways]
    return {**places[0], **common} if len(places) == 1 else {**common, "ordered": places}


def _spot_last(way: Bought) -> bool:
    return way.kind == "spot"


def _place(job: LaunchJob, target: Target, way: Bought) -> dict[str, Any]:
    """One way to buy."""
    place = job.placement
    where = (target.written_for("cloud", place.cloud)[0], place.region.replace(ANY_REGION, ""), place.zone)
    infra = "/".join(filter(None, where))
    return {
        "infra": Sourced(infra, "plan.placement"),
        "instance_type": Sourced(place.instance_type, "plan.placement"),
        "use_spot": Sourced(
            way.kind == "spot", f"plan.purchases: {way.nodes:,} nodes at ${way.usd_per_gpu_hour}/GPU-h"
        ),
    }
