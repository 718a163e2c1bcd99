"""Small jobs on own offers as documents, so that keys can be set in them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from planner.problem.document import Document, parse_document


def document(seed: int, objective: str | None = None) -> Document:
    """A small job on own offers, every limit stated."""
    draw = Random(seed)  # noqa: S311  (a test's dice)
    phases = [
        {"name": f"phase {index}", "tokens": draw.choice(["2B", "5B", "9B"]), "sequence_length": 2048}
        | {"global_batch": draw.choice([16, 24, 64])}
        for index in range(draw.choice([1, 2]))
    ]
    data: dict[str, Any] = {
        "schema": "plan/1",
        "model": "llama3.2-1b",
        "training": {"phases": phases},
        "market": {
            "together": True,
            "clouds": [],
            "purchase": draw.choice([["on_demand", "spot"], ["on_demand", "spot", "reserved"]]),
            "offers": [_offer(draw, index) for index in range(draw.choice([1, 2, 3]))],
        },
        "limits": {"deadline": draw.choice(["1d", "4d"]), "budget": draw.choice(["$150", "$400", "$2000"]), "gpus": 8},
        "layout": {"context": 1, "recompute": ["none", "full"], "virtual_pipeline": 1, "micro_batch": "<=4"},
        "objective": objective or draw.choice(["cost", "time"]),
    }
    return parse_document(json.dumps(data), "small.yaml", Path())


def _offer(draw: Random, index: int) -> dict[str, Any]:
    return {
        "name": f"offer {index}",
        "accelerator": draw.choice(["A100-80GB-SXM4", "H100-80GB-SXM5", "L4"]),
        "gpus_per_node": draw.choice([1, 2, 4]),
        "network": "400 Gb/s",
        "on_demand": f"${draw.choice([1.0, 1.5, 2.25])}/GPU-h",
        "spot": f"${draw.choice([0.5, 1.2])}/GPU-h",
        "reserved": f"${draw.choice([0.8, 1.1])}/GPU-h",
        "nodes": draw.choice([2, 4, 8]),
        "spot_nodes": draw.choice([1, 2]),
        "availability": draw.choice(["80%", "100%"]),
    }
