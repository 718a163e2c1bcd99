"""Checks exported tasks with SkyPilot, offline, against a catalog made of the offers that the tasks name.

Usage: python check_skypilot.py FILE…, in an environment with skypilot, with HOME set to an empty folder. Prints one
JSON line a file.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

COLUMNS = (
    "InstanceType",
    "AcceleratorName",
    "AcceleratorCount",
    "vCPUs",
    "MemoryGiB",
    "GpuInfo",
    "Price",
    "SpotPrice",
    "Region",
    "AvailabilityZone",
)


def write_catalog(tasks: list[dict[str, Any]]) -> None:
    """A hand-edited catalog, which SkyPilot never refreshes, with every place that the tasks name."""
    rows: dict[str, set[tuple[str, ...]]] = {}
    for task in tasks:
        resources = task["resources"]
        for place in resources.get("ordered", [resources]):
            cloud, region, zones = [*place["infra"].split("/"), "", ""][:3]
            region = region or "us-ashburn-1"  # a task may leave it to SkyPilot
            zones = zones or f"{region}-a"
            row = (place["instance_type"], "H100", "8.0", "128.0", "1600.0", "", "20.0", "10.0", region, zones)
            rows.setdefault(cloud, set()).add(row)
    for cloud, lines in rows.items():
        folder = Path.home() / ".sky" / "catalogs" / "v8" / cloud
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "vms.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(sorted(lines))


def checked(data: dict[str, Any]) -> dict[str, Any]:
    """What SkyPilot makes of a task. Raises what it raises."""
    import sky

    values = {name: "given" for name, value in (data.get("envs") or {}).items() if value is None}
    task = sky.Task.from_yaml_config(data, env_overrides=list(values.items()))
    resources = list(task.resources)
    for one in resources:
        one.validate() if hasattr(one, "validate") else None
    return {
        "nodes": task.num_nodes,
        "places": [f"{one.cloud}/{one.region}" for one in resources],
        "spot": [one.use_spot for one in resources],
        "recovery": [one.job_recovery for one in resources],
        "instance_types": [one.instance_type for one in resources],
    }


def main() -> None:
    """Checks all files."""
    os.environ |= {"SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    out = os.dup(1)
    os.dup2(2, 1)
    tasks = [yaml.safe_load(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    write_catalog(tasks)
    for name, task in zip(sys.argv[1:], tasks, strict=True):
        try:
            answer: dict[str, Any] = {"accepted": checked(task)}
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a foreign parser raises)
            answer = {"refused": f"{type(error).__name__}: {error}"[:500]}
        os.write(out, (json.dumps({"file": Path(name).name, **answer}, default=str) + "\n").encode())


if __name__ == "__main__":
    main()
