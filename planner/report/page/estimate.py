"""The page of an estimate: what one exact layout takes, how sure that is, and where memory and time go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from planner.report.letters import DEGREE_NAMES
from planner.report.page.parts import Badge, Bar, BarPart, Card, Fact, Page, Table
from planner.report.page.plan_card import TONES
from planner.units import format_count, format_duration, format_money, format_number, format_range, format_share

NARROWEST: Final = 0.004
"""Share of a bar below which a part is left out."""
HEADINGS: Final = ("", "if nothing fails", "80% between", "with failures")
NO_WORDS: Final = "–"


def estimate_page(document: Mapping[str, Any]) -> Page:
    """The whole page of `plan estimate --json`."""
    phase = document["phase"]
    devices = f"{phase['gpus']:,} × {document['accelerator']}"
    wall = document["with_failures"]["wall_seconds"] or document["wall_seconds"]
    return Page(
        title=f"{phase['name']}: {_duration(wall)} on {devices}",
        lead=tuple(_lead(document)),
        cards=(_card(document, devices),),
        noun="layout",
        tables=tuple(one for one in (_summary(document), _published(document)) if one.rows),
        notes=tuple(document["assumptions"]),
    )


def _lead(document: Mapping[str, Any]) -> Iterator[str]:
    """How long, for how much, and how sure."""
    expected, interval = document["with_failures"], document["interval"]
    if expected["cost_usd"] is not None:
        yield f"{format_money(float(expected['cost_usd']))}, hardware failures included."
    ends = format_range(*(_duration(one) for one in interval["wall_seconds"]))
    yield f"{format_share(interval['confidence'])} of runs like it would take {ends} if nothing failed."
    memory = document["phase"]["memory"]
    free = memory["limit"] - memory["total"]
    if memory["fits"] and free >= 0:
        sure = format_share(memory["fit_probability"])
        yield f"It fits in memory: {format_number(free)} GiB are free ({sure} sure)."
    elif memory["fits"]:
        yield f"It probably fits in memory ({format_share(memory['fit_probability'])})."
    else:
        missing = format_number(memory["expected"] - memory["limit"])
        yield f"It does not fit in memory: {missing} GiB more are expected than there are."


def _card(document: Mapping[str, Any], devices: str) -> Card:
    """The layout: its degrees, its memory, and the time of a step."""
    phase = document["phase"]
    fits = Badge("✓ fits in memory", "good") if phase["memory"]["fits"] else Badge("✗ does not fit", "bad")
    remedies = tuple(
        f"--set {one['override']} fits with {format_number(one['memory_gib'])} GiB" for one in document["remedies"]
    )
    return Card(
        title=devices,
        subtitle=f"{phase['nodes']:,} nodes, {phase['precision']}",
        short=devices,
        badges=(fits,),
        facts=(
            Fact("a step", _duration(phase["step_seconds"])),
            Fact("MFU", format_share(phase["mfu"])),
            Fact("tokens/s per GPU", f"{document['tokens_per_second_per_gpu']:,.0f}"),
        ),
        change=remedies,
        tables=(_layout(phase),),
        bars=(_memory(phase["memory"]), _time(phase)),
    )


def _layout(phase: Mapping[str, Any]) -> Table:
    """Every degree of the layout."""
    rows = [(name, f"{phase[key]:,}") for key, name in DEGREE_NAMES.items()]
    rows += [("micro-batches", f"{phase['microbatches']:,} of {phase['micro_batch']}")]
    recompute = phase["recompute"]
    rows += [("recompute", recompute if isinstance(recompute, str) else f"{recompute['full_layers']} layers")]
    rows += [("ZeRO stage", str(phase["zero"])), ("steps", format_count(phase["steps"]))]
    return Table("Layout", ("of the layout", "value"), tuple(rows), frozenset({1}))


def _memory(memory: Mapping[str, Any]) -> Bar:
    """Memory of the fullest device at the peak, against what it has."""
    known = ("weights", "gradients", "optimizer", "activations")
    parts = {name: memory[name] for name in known}
    parts["buffers"] = memory["allocated"] - sum(parts.values())
    parts |= {"reserve": memory["reserve"], "margin": memory["margin"]}
    whole = max(memory["limit"], memory["total"])
    title = f"{format_number(memory['total'])} of {format_number(memory['limit'])} GiB"
    free = memory["limit"] - memory["total"]
    return Bar(
        "memory at the peak",
        f"{title}, {format_number(memory['expected'])} expected",
        _parts(parts, whole, lambda value: f"{format_number(value)} GiB"),
        f"free {format_number(free)} GiB" if free > 0 else "",
    )


def _time(phase: Mapping[str, Any]) -> Bar:
    """Where a step's time goes."""
    return Bar("a step", _duration(phase["step_seconds"]), _parts(phase["time"], phase["step_seconds"], _duration))


def _parts(parts: Mapping[str, float], whole: float, amount: Callable[[float], str]) -> tuple[BarPart, ...]:
    """The parts that are wide enough to be seen."""
    return tuple(
        BarPart(name.replace("_", " "), amount(value), value / whole, tone % TONES)
        for tone, (name, value) in enumerate(parts.items())
        if value >= NARROWEST * whole
    )


def _summary(document: Mapping[str, Any]) -> Table:
    """Time, device-hours and dollars: of the steps alone, their range, and with failures."""
    shown: dict[str, tuple[str, Callable[[Any], str]]] = {
        "wall_seconds": ("wall time", _duration),
        "gpu_hours": ("GPU-hours", lambda hours: format_count(float(hours))),
        "cost_usd": ("cost", lambda usd: format_money(float(usd))),
    }
    interval, expected = document["interval"], document["with_failures"]
    rows = [
        (name, words(document[key]), " – ".join(map(words, interval[key])), _or_none(words, expected[key]))
        for key, (name, words) in shown.items()
        if document[key] is not None
    ]
    step = [_duration(one) for one in interval["step_seconds"]]
    first = ("a step", _duration(document["phase"]["step_seconds"]), " – ".join(step), NO_WORDS)
    return Table("Estimate", HEADINGS, (first, *rows), frozenset({1, 2, 3}))


def _or_none(words: Callable[[Any], str], value: object) -> str:
    return NO_WORDS if value is None else words(value)


def _duration(seconds: float | None) -> str:
    """A duration; a job that never ends has none."""
    return NO_WORDS if seconds is None else format_duration(seconds)


def _published(document: Mapping[str, Any]) -> Table:
    """What others needed for the same model on the same device."""
    rows = tuple(
        (
            one["name"],
            format_count(one["tokens"]),
            f"{one['gpu_hours_per_trillion_tokens']:,.0f}",
            f"{one['estimate_over_published'] - 1:+.1%}",
            f"{one['source']} ({one['date']})",
        )
        for one in document["published"]
    )
    headings = ("published", "tokens", "GPU-hours per trillion tokens", "this estimate", "source")
    return Table("What others needed", headings, rows, frozenset({1, 2, 3}), frozenset({4}))
