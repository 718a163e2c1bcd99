"""A board without a server: one file that answers other deadlines, budgets and numbers of GPUs, for a mail."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any, Final

from planner.board.app import assets
from planner.board.controls import controls, steps_along
from planner.board.given import Given
from planner.errors import InputError
from planner.explore.evaluations import Evaluations
from planner.explore.lookup import Lookup, is_looked_up
from planner.report.document.answer import catalog_document
from planner.report.frontier import name_of

LIMITS: Final = ("limits.deadline", "limits.budget", "limits.gpus")
"""Keys that the page can change."""


def static_page(given: Given) -> str:
    """The whole file. Raises InputError for a problem of which no table holds all answers."""
    problem = given.problem({})
    if not is_looked_up(problem):
        message = "a static board looks plans up that stay in one place, on any days, by cost or time alone"
        raise InputError(message, fix="set market.together: true and objective: cost, or leave out --static")
    lookup = Lookup.of(problem, Evaluations().of(problem))
    shown = [
        one for one in controls(given, {}, problem, steps_along(lookup.curve(), lookup.gpus)) if one["key"] in LIMITS
    ]
    kept = ("key", "label", "unit", "value", "steps")
    data = {
        "file": given.name,
        "objective": problem.objective,
        "controls": [{name: one[name] for name in kept} for one in shown],
        **_rows(lookup),
    }
    script, style = (assets()[name].decode() for name in ("static.js", "board.css"))
    filled = {
        "policy": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'",
        "title": escape(name_of(problem)),
        "style": style,
        "made": escape(f"Prices: catalog of {catalog_document()['date']}."),
        "data": json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c"),
        "script": script,
    }
    return _filled(assets()["static.html"].decode(), filled)


def _rows(lookup: Lookup) -> dict[str, Any]:
    """The plans: time that a deadline bounds, expected time, cents, GPUs, and where they stand in two lists."""
    options = lookup.evaluated.choices.purchase_options
    places: dict[str, int] = {}
    rows: list[list[float | int]] = []
    for number, table in enumerate(lookup.tables.values()):
        for row in range(len(table)):
            place = places.setdefault(options[int(table.options[row])].placement.title, len(places))
            times = float(table.kept_seconds[row]), float(table.wall_seconds[row])
            rows.append([*times, int(table.cents[row]), int(table.devices[row]), number, place])
    return {"accelerators": list(lookup.tables), "places": list(places), "rows": rows}


def _filled(template: str, values: dict[str, str]) -> str:
    """A template with every `@name@` replaced, once: what a value holds is left as it is."""
    pieces = template.split("@")
    return "".join(piece if index % 2 == 0 else values[piece] for index, piece in enumerate(pieces))


def _hash(text: str) -> str:
    """What a policy calls an inline text."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
