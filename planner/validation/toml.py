"""A calibration record as the TOML that `catalogs/calibration.toml` holds."""

from __future__ import annotations

import json
from collections.abc import Iterable

from planner.catalog.calibration import Calibration
from planner.catalog.records import Record

HEADER = """\
# Written by `plan calibrate`: the estimator's constants, how fast each accelerator's matrix products are in training
# against its measured share of peak, and the error on sources that the fit had not seen.
"""


def calibration_toml(calibration: Calibration) -> str:
    """The record as TOML text; figures keep six significant digits."""
    lines = [
        HEADER.rstrip(),
        "",
        f"source = {json.dumps(calibration.source)}",
        f"date = {json.dumps(calibration.date)}",
    ]
    lines += _table("constants", calibration.constants)
    lines += _table("standard_errors", calibration.standard_errors)
    lines += ["", "[spread]", *(f"{key} = {_value(value)}" for key, value in calibration.spread.model_dump().items())]
    lines += _records("efficiencies", calibration.efficiencies) + _records("accuracies", calibration.accuracies)
    lines += _records("reliability", calibration.reliability)
    return "\n".join(lines) + "\n"


def _table(name: str, values: dict[str, float]) -> list[str]:
    return ["", f"[{name}]", *(f"{key} = {_number(value)}" for key, value in values.items())]


def _records(name: str, records: Iterable[Record]) -> list[str]:
    lines: list[str] = []
    for record in records:
        lines += ["", f"[[{name}]]", *(f"{key} = {_value(value)}" for key, value in record.model_dump().items())]
    return lines


def _value(value: object) -> str:
    return _number(value) if isinstance(value, float) else json.dumps(value)


def _number(value: float) -> str:
    return repr(float(f"{value:.6g}"))
