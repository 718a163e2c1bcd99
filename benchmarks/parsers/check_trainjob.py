"""Checks exported TrainJobs against Kubeflow's custom resource definition, closed against unknown keys.

Usage: python check_trainjob.py CRD.yaml FILE…, in an environment with jsonschema and PyYAML. Prints one JSON line a
file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import yaml


def closed(schema: Any) -> Any:  # noqa: ANN401  (any part of a schema)
    """The schema with every object that lists its keys refusing others, and numbers or texts where either will do."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if result.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    if "properties" in result and not result.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result


def main() -> None:
    """Checks all files."""
    definition = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    version = next(one for one in definition["spec"]["versions"] if one["served"])
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    validator = jsonschema.Draft202012Validator(closed(schema))
    for name in sys.argv[2:]:
        data = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
        errors = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(data)]
        trainer = data["spec"]["trainer"]
        answer: dict[str, Any] = {
            "accepted": {"nodes": trainer["numNodes"], "gpus": trainer["numNodes"] * trainer["numProcPerNode"]}
        }
        if errors:
            answer = {"refused": "; ".join(errors)[:500]}
        print(json.dumps({"file": Path(name).name, **answer}))


if __name__ == "__main__":
    main()
