"""The controls of a request, made from the schema of problem files: what may be moved, its unit, and today's range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import floor, log10
from typing import Any, Final, Literal

import numpy as np

from planner.board.given import UNSTATED, Given, Sets
from planner.catalog.accelerators import load_accelerators
from planner.catalog.offers import load_offers
from planner.errors import InputError, did_you_mean
from planner.explore.lookup import CostCurve
from planner.problem.document import with_overrides
from planner.problem.parallelism import DEGREES
from planner.problem.problem import Problem, json_schema
from planner.problem.yaml_tree import Plain
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

Kind = Literal["quantity", "choice", "several", "pin"]


@dataclass(frozen=True)
class Field:
    """A key of problem files that has a control."""

    key: str
    label: str
    group: str
    kind: Kind
    unit: str = ""
    steps: tuple[str, ...] = ()
    """Values that its slider goes through where nothing in the problem says which; empty: from the plans."""


def _series(first: float, last: float, step: float, text: str) -> tuple[str, ...]:
    """Values at equal distances, written out."""
    return tuple(text.format(value) for value in np.arange(first, last + step / 2, step))


LIMITS, TRAINING, MARKET, MACHINE, LAYOUT = "Limits", "Training", "Market", "Machine", "Layout"
SURE: Final = ("50%", "80%", "90%", "95%", "99%")
FIELDS: Final = (
    Field("limits.deadline", "Deadline", LIMITS, "quantity", "days or hours"),
    Field("limits.budget", "Budget", LIMITS, "quantity", "US dollars"),
    Field("limits.gpus", "GPUs", LIMITS, "quantity", "GPUs at a time"),
    Field("risk.confidence", "Confidence", LIMITS, "quantity", "probability", SURE),
    Field("risk.counts", "Confidence counts", LIMITS, "choice"),
    Field("objective", "Best is", LIMITS, "choice"),
    Field("training.precision", "Precision", TRAINING, "choice"),
    Field("training.method", "Method", TRAINING, "choice"),
    Field("training.optimizer", "Optimizer", TRAINING, "choice"),
    Field("market.accelerators", "Accelerators", MARKET, "several"),
    Field("market.clouds", "Clouds", MARKET, "several"),
    Field("market.purchase", "Ways to buy", MARKET, "several"),
    Field("market.capacity", "Nodes that clouds grant", MARKET, "quantity", "by cloud"),
    Field("market.spot_price", "Spot prices", MARKET, "quantity", "factor", _series(0.5, 3, 0.1, "×{:.1f}")),
    Field("limits.memory_headroom", "Memory headroom", MACHINE, "quantity", "of a GPU", _series(0, 40, 1, "{:.0f}%")),
    Field("limits.memory_confidence", "Sure that memory fits", MACHINE, "quantity", "probability", SURE),
    Field("training.offload", "Kept in host memory", MACHINE, "several"),
    Field("training.fused_loss", "Fused loss", MACHINE, "choice"),
    Field("limits.growth", "Room to grow", MACHINE, "quantity", "model size", _series(1, 3, 0.1, "{:.1f}x")),
    Field("risk.spare_nodes", "Spare nodes", MACHINE, "quantity", "of the nodes", _series(0, 20, 1, "{:.0f}%")),
    *(Field(f"layout.{name}", name.replace("_", " ").capitalize(), LAYOUT, "pin") for name in DEGREES),
    Field("layout.recompute", "Recompute", LAYOUT, "pin"),
)


def fields_of(problem: Problem) -> tuple[Field, ...]:
    """The fields of a problem: those of every problem, the tokens of each of its phases, and its last day by date."""
    phases = problem.training.phases
    tokens = (
        Field(f"training.phases[{index}].tokens", f"Tokens, {phase.name}", TRAINING, "quantity", "tokens")
        for index, phase in enumerate(phases[:MOST_PHASES])
    )
    day = (Field("schedule.deadline", "Last day", LIMITS, "quantity", "a date"),) if problem.schedule else ()
    return (*day, *FIELDS[:6], *tokens, *FIELDS[6:])


MOST_PHASES: Final = 8
"""Phases whose tokens have a control."""


@cache
def _schema() -> dict[str, Any]:
    return json_schema("problem")


def schema_of(key: str) -> Mapping[str, Any]:
    """What the schema says of a key: its description, examples and choices."""
    found: Mapping[str, Any] = _schema()
    for step in key.replace("[", ".").replace("]", "").split("."):
        found = _property(found, step)
    return found


def _property(schema: Mapping[str, Any], step: str) -> Mapping[str, Any]:
    """The schema of a property or of an item, with references followed."""
    whole = _resolved(schema)
    if step.isdecimal():
        return {**whole["items"], **_resolved(whole["items"])}
    return {**_resolved(whole["properties"][step]), **whole["properties"][step]}


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema behind references, and of alternatives the first."""
    while True:
        if "$ref" in schema:
            schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = schema["anyOf"][0]
        else:
            return schema


def options_of(field: Field, given: Given) -> tuple[str, ...]:
    """The values that a choice or a list may hold, as they are written."""
    match field.key:
        case "market.accelerators":
            stated = given.document.data.get("market")
            own = _texts(stated.get("accelerators") if isinstance(stated, dict) else None)
            return tuple(dict.fromkeys((*own, *(one.name for one in load_accelerators()))))
        case "market.clouds":
            return tuple(sorted({one.cloud for one in load_offers()}))
        case _:
            found = schema_of(field.key)
            found = _resolved(found.get("items", found))
            return ("false", "true") if found.get("type") == "boolean" else tuple(found.get("enum", ()))


def _texts(values: Plain) -> tuple[str, ...]:
    return tuple(str(value) for value in values) if isinstance(values, list) else ()


def check(changes: Mapping[str, str | None], given: Given, problem: Problem) -> None:
    """Refuses a change that no control and no relaxation makes: another key, or a name that is on no list.

    Raises InputError.
    """
    fields = {field.key: field for field in fields_of(problem)}
    for key, text in changes.items():
        if key == PINS and text in {NO_PINS, None}:
            continue
        if key not in fields:
            raise InputError(f"{key[:60]} has no control", fix=did_you_mean(key, fields))
        field = fields[key]
        if text is not None and text != UNSTATED and field.kind in {"several", "choice"}:
            _check_listed(field, text, options_of(field, given), given)


PINS, NO_PINS = "layout", "{}"
"""What a relaxation sets where pins rule out every plan."""


def _check_listed(field: Field, text: str, options: Sequence[str], given: Given) -> None:
    """Refuses values beyond the options, which might be paths of files. Raises InputError."""
    value = text if field.kind == "choice" else _listed(field.key, text, given)
    for one in value if isinstance(value, list) else [value]:
        if one not in options:
            raise InputError(f"{field.label} cannot be {str(one)[:60]!r}", fix=did_you_mean(str(one), options))


def _listed(key: str, text: str, given: Given) -> Plain:
    """The value of a list as YAML reads it. Raises InputError."""
    changed = with_overrides(given.document, [f"{key}={text}"])
    first, second = key.split(".")
    part = changed.data[first]
    return part[second] if isinstance(part, dict) else None


COMPLETED: Final = {
    "US dollars": (re.compile(r"[0-9][0-9.,]*\s*[kMB]?"), "${}"),
    "days or hours": (re.compile(r"[0-9.]+"), "{}d"),
    "probability": (re.compile(r"[0-9]{2}(\.[0-9]+)?|100"), "{}%"),
    "of a GPU": (re.compile(r"[2-9]|[0-9]{2}(\.[0-9]+)?"), "{}%"),
    "of the nodes": (re.compile(r"[2-9]|[0-9]{2}(\.[0-9]+)?"), "{}%"),
}
"""By the unit that a control shows: what people type without it, and how it is written with it."""
GROUPED: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")


def completed(unit: str, text: str | None) -> str | None:
    """What is typed into a control, with the unit that the control shows where it has none."""
    if text is None:
        return None
    plain = text.replace(",", "") if GROUPED.fullmatch(text.strip()) else text.strip()
    pattern, written = COMPLETED.get(unit, (None, ""))
    return written.format(plain) if pattern and pattern.fullmatch(plain) else plain


def controls(given: Given, sets: Sets, problem: Problem, steps: Steps) -> list[dict[str, Any]]:
    """Every control as JSON; `steps`: values that sliders of limits go through, by key."""
    return [_control(field, given, sets, problem, steps) for field in fields_of(problem)]


Steps = Mapping[str, tuple[str, ...]]


def _control(field: Field, given: Given, sets: Sets, problem: Problem, limit_steps: Steps) -> dict[str, Any]:
    schema, value = schema_of(field.key), given.stated(field.key, sets)
    steps = limit_steps.get(field.key) or field.steps
    if field.key.endswith(".tokens"):
        steps = _tokens_around(problem.training.phases[int(field.key.split("[")[1].split("]")[0])].tokens)
    return {
        "key": field.key,
        "label": field.label,
        "group": field.group,
        "kind": field.kind,
        "unit": field.unit,
        "value": _shown(value),
        "usual": _usual(field, schema),
        "chosen": _chosen(field, value, problem) if field.kind == "several" else [],
        "changed": field.key in sets,
        "description": schema.get("description", ""),
        "examples": [str(one) for one in schema.get("examples", ())],
        "options": list(options_of(field, given)) if field.kind in {"choice", "several"} else [],
        "steps": list(steps),
        "isLimit": field.key in {"limits.deadline", "limits.budget", "limits.gpus"},
    }


def _chosen(field: Field, value: Plain, problem: Problem) -> list[str]:
    """The values that a list holds: as the file has them, as the board writes them (`[a, b]`), or by default."""
    if isinstance(value, str):
        return [one.strip() for one in value.strip("[]").split(",") if one.strip()]
    return list(_texts(value) if value is not None else problem.market.purchase if "purchase" in field.key else ())


def _usual(field: Field, schema: Mapping[str, Any]) -> str:
    """What holds where a key is not stated, as its description says."""
    found = re.search(r"default:? (?P<usual>[^;,.]+(?:\.[0-9]+)?)", schema.get("description", ""))
    return found["usual"] if found else "any" if field.kind == "pin" else ""


def _shown(value: Plain) -> str:
    """A value as it is written in a file."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_shown(one)}' for key, one in value.items())}}}"
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else str(value)


def steps_along(curve: CostCurve, gpus: Iterable[float]) -> Steps:
    """Values of the limits, from what no plan keeps to what no plan needs; `gpus`: those of the plans."""
    counts = np.unique(np.asarray(list(gpus))).astype(int)
    if not curve.points or not len(counts):
        return {}
    slowest, fastest = curve.points[0], curve.points[-1]
    return {
        "limits.deadline": tuple(_durations(fastest.seconds * BELOW, slowest.seconds * ABOVE)),
        "limits.budget": tuple(amounts(slowest.cost_usd * BELOW, fastest.cost_usd * ABOVE)),
        "limits.gpus": tuple(f"{counts[one]}" for one in np.unique(np.linspace(0, len(counts) - 1, STEPS).astype(int))),
    }


BELOW, ABOVE = 0.9, 1.1
"""How far a slider goes beyond the least and the most that plans take."""
STEPS: Final = 120
"""Steps of a slider."""


def _along(low: float, high: float) -> Iterator[float]:
    """Values at equal ratios, to three digits."""
    yield from (_rounded(float(value)) for value in np.geomspace(low, high, STEPS))


def _rounded(value: float) -> float:
    return round(value, 2 - floor(log10(value)))


def _durations(low: float, high: float) -> Iterator[str]:
    """Durations in days, or in hours where they are short."""
    unit, name = (SECONDS_PER_DAY, "d") if low >= SECONDS_PER_DAY else (SECONDS_PER_HOUR, "h")
    yield from dict.fromkeys(f"{value:g}{name}" for value in _along(low / unit, high / unit))


def amounts(low: float, high: float) -> Iterator[str]:
    """Amounts of money in thousands or millions of dollars."""
    yield from dict.fromkeys(_money(value) for value in _along(max(low, 1.0), high))


def _money(usd: float) -> str:
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if usd >= unit:
            return f"${usd / unit:g}{name}"
    return f"${usd:g}"


def _tokens_around(tokens: int) -> tuple[str, ...]:
    """Numbers of tokens from a quarter to four times as many."""
    unit, name = next(((unit, name) for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if tokens >= unit), (1, ""))
    values = np.geomspace(tokens / 4, tokens * 4, 81) / unit
    return tuple(dict.fromkeys(f"{_rounded(float(value)):g}{name}" for value in values))
