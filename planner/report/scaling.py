"""Scaling curves for people, as JSON and as comma-separated values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log
from typing import Any, Final

from rich.table import Table

from planner.catalog.capacity import slices_of
from planner.explore.scaling import Curve, Scaling, ScalingPoint
from planner.layouts.wall_time import interruption_rates
from planner.market.placements import Machine
from planner.plans.document import FORMAT_VERSION
from planner.plans.plan import PhasePlan
from planner.problem.parallelism import LETTERS
from planner.problem.run import recompute_as_written
from planner.report.console import wide_console
from planner.report.document.answer import catalog_document
from planner.report.document.plan import phase_document
from planner.report.letters import LETTERS_LINE
from planner.report.tables import text_table
from planner.units import format_duration, format_money, format_share

COLUMNS, ROWS = 64, 12
"""Characters of the picture."""
MARKS: Final = "●◆▲■"
"""What curves are drawn with, in their order; beyond the last they repeat."""
FIGURES: Final = (
    "accelerator",
    "network_gbit_s",
    "gpus",
    "global_batch",
    "tokens_per_second",
    "efficiency",
    "communication",
    "bubble",
    "mfu",
    "wall_seconds",
    "cost_usd",
    "placement",
    "layout",
    "reason",
)
"""Columns of the comma-separated values."""


def scaling_document(found: Scaling) -> dict[str, Any]:
    """The document of `--json`.

    `scaling`: `strong` (the batch stays) or `weak` (it grows with the GPUs). `curves`: one per accelerator and fabric,
    with a point per number of GPUs. Of a point: `tokens_per_second` of a step; `efficiency`, tokens per second and GPU
    over those of the first point with a layout; `communication` and `bubble`, the shares of the step in which GPUs
    wait for data of others, and for work; `wall_seconds` with failures and checkpoints; `cost_usd`, a decimal string,
    and `placement`, null where no on-demand offer has room; `layout`, a phase as in `plan solve --json`. Without a
    layout all of these are null and `reason` says why. `others`: accelerators that are offered and not shown.
    """
    return {
        "format_version": FORMAT_VERSION,
        "name": _title(found),
        "phase": found.phase.name,
        "scaling": found.kind,
        "tokens": found.phase.tokens,
        "sequence_length": found.phase.sequence_length,
        "global_batch": found.phase.global_batch,
        "curves": [_curve_document(curve) for curve in found.curves],
        "others": list(found.others),
        "catalog": catalog_document(),
    }


def _curve_document(curve: Curve) -> dict[str, Any]:
    machine = curve.machine
    return {
        "accelerator": machine.accelerator.name,
        "gpus_per_node": machine.per_node,
        "network_gbit_s": machine.network_gbit_s,
        "points": [_point_document(machine, point) for point in curve.points],
    }


def _point_document(machine: Machine, point: ScalingPoint) -> dict[str, Any]:
    """One number of GPUs."""
    plan, phase = point.plan, point.phase
    startup = interruption_rates(machine.accelerator.name).startup_seconds
    return {
        "gpus": point.gpus,
        "global_batch": point.global_batch,
        "tokens_per_second": point.tokens_per_second,
        "efficiency": point.efficiency,
        "communication": point.communication,
        "bubble": point.bubble,
        "wall_seconds": plan.wall_seconds if plan else None,
        "cost_usd": None if point.cost_usd is None else str(point.cost_usd),
        "placement": plan.placement.title if plan and point.cost_usd is not None else None,
        "layout": phase_document(phase, startup) if phase else None,
        "reason": point.reason or None,
    }


def _title(found: Scaling) -> str:
    return found.problem.name or str(found.problem.model)


def csv_rows(found: Scaling) -> Iterator[Sequence[object]]:
    """A row per number of GPUs under its headings; cells without a value are empty."""
    yield FIGURES
    for curve in found.curves:
        for point in curve.points:
            document = _point_document(curve.machine, point)
            document |= {"accelerator": curve.machine.accelerator.name, "network_gbit_s": curve.machine.network_gbit_s}
            phase = point.phase
            document |= {"mfu": phase and phase.mfu, "layout": phase and layout_in_words(phase)}
            yield ["" if document[name] is None else document[name] for name in FIGURES]


def layout_in_words(phase: PhasePlan) -> str:
    """The degrees beyond one, in short: `t8 p16 d8 b1, recompute full, ZeRO-1`."""
    degrees = [f"{letter}{phase.degrees[name]}" for name, letter in LETTERS.items() if phase.degrees[name] > 1]
    words = [" ".join([*degrees, f"b{phase.degrees['micro_batch']}"])]
    if phase.recompute.kind != "none" or phase.recompute.full_layers:
        written = recompute_as_written(phase.recompute)
        words.append(f"recompute {written if isinstance(written, str) else f'{phase.recompute.full_layers} layers'}")
    words += [f"ZeRO-{phase.degrees['zero']}"] if phase.degrees["zero"] else []
    return ", ".join(words)


def print_scaling(found: Scaling) -> None:
    """Prints the picture, and a table per curve."""
    console = wide_console()
    batch = {
        "strong": f"strong scaling: {found.phase.global_batch:,} sequences a step on any number of GPUs",
        "weak": f"weak scaling: {found.phase.global_batch:,} sequences a step on the fewest GPUs, as many more on more",
    }
    console.print(f"{_title(found)}, {found.phase.name}, {batch[found.kind]}", soft_wrap=True)
    if len({point.gpus for curve in found.curves for point in curve.points if point.plan}) > 1:
        console.print("\nefficiency: tokens per second and GPU, against the fewest GPUs that have a layout")
        for line in picture(found):
            console.print(line, soft_wrap=True)
    for index, curve in enumerate(found.curves):
        console.print()
        console.print(f"{MARKS[index % len(MARKS)]} {in_words(curve)}", soft_wrap=True)
        console.print(_table(curve))
    console.print()
    for line in meanings(found):
        console.print(line, soft_wrap=True)


def in_words(curve: Curve) -> str:
    """A machine on one line."""
    machine = curve.machine
    network = f"{machine.network_gbit_s:,.4g} Gb/s per GPU" if machine.network_gbit_s else "no network between nodes"
    hosts = "hosts" if slices_of(machine.accelerator.name) else "nodes"
    return f"{machine.accelerator.name}, {hosts} of {machine.per_node}, {network}"


def meanings(found: Scaling) -> Iterator[str]:
    """What the figures mean, and what is not shown."""
    yield LETTERS_LINE

    yield "Communication and bubble are shares of a step: waiting for data of other GPUs, and for work."
    yield "Days and cost include failures and checkpoints; the cheapest on-demand offer with room."
    if any(point.plan and point.cost_usd is None for curve in found.curves for point in curve.points):
        yield "Without a cost: no on-demand offer has room."
    if found.others:
        yield f"Not shown: {', '.join(found.others)}; show one with --on."


HEADINGS: Final = ("GPUs", "tokens/s", "efficiency", "communication", "bubble", "MFU", "time", "cost", "layout")


def _table(curve: Curve) -> Table:
    """A line per number of GPUs; those without a layout say why."""
    table = text_table(*HEADINGS, left=("layout",), wrap=("layout",))
    for point in curve.points:
        table.add_row(f"{point.gpus:,}", *scaling_cells(point))
    return table


def scaling_cells(point: ScalingPoint, nothing: str = "") -> Iterator[str]:
    """The cells beside the number of GPUs; `nothing` stands for each figure that a number without a layout lacks."""
    if point.phase is None:
        yield from [nothing] * 7
        yield point.reason
        return
    yield f"{point.tokens_per_second:,.0f}"
    for share in (point.efficiency, point.communication, point.bubble, point.phase.mfu):
        yield format_share(share or 0)
    yield format_duration(point.phase.wall_seconds)
    yield "–" if point.cost_usd is None else format_money(point.cost_usd)
    yield layout_in_words(point.phase)


def picture(found: Scaling) -> Iterator[str]:
    """Efficiency upwards over the number of GPUs in doublings, a mark for each curve."""
    drawn = [
        (point.gpus, point.efficiency, MARKS[index % len(MARKS)])
        for index, curve in enumerate(found.curves)
        for point in curve.points
        if point.efficiency is not None
    ]
    low, high = (log(end) for end in (min(one[0] for one in drawn), max(one[0] for one in drawn)))
    bottom = min(0.9, floor(10 * min(one[1] for one in drawn)) / 10)
    top = max(1.0, ceil(10 * max(one[1] for one in drawn)) / 10)
    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    for gpus, efficiency, mark in reversed(drawn):
        along = round((log(gpus) - low) / max(high - low, 1e-12) * (COLUMNS - 1))
        grid[round((efficiency - bottom) / (top - bottom) * (ROWS - 1))][along] = mark
    labels = {0: format_share(bottom), ROWS - 1: format_share(top)}
    margin = max(map(len, labels.values()))
    for row in reversed(range(ROWS)):
        yield f"{labels.get(row, ''):>{margin}} │{''.join(grid[row]).rstrip()}"
    left, right = (f"{end:,} GPUs" for end in (min(one[0] for one in drawn), max(one[0] for one in drawn)))
    yield f"{'':>{margin}} └{'─' * COLUMNS}"
    yield f"{'':>{margin}}  {left}{right:>{COLUMNS - len(left)}}"
