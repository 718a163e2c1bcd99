"""The size of a job as hand arithmetic for people, and as the JSON that `plan size --json` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from planner.estimator.size import Size, SizeAnswer
from planner.performance.sizing import STATE_BYTES
from planner.units import (
    GIB,
    SECONDS_PER_DAY,
    format_bytes,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

FORMAT_VERSION: Final = 1


def as_document(size: Size) -> dict[str, Any]:
    """The JSON of `plan size --json`; money as decimal strings."""
    question, work = size.question, size.work
    return {
        "format_version": FORMAT_VERSION,
        "model": question.model.name,
        "accelerator": question.accelerator.name,
        "precision": question.precision.name,
        "sequence_length": question.sequence_length,
        "asked": {"tokens": question.tokens, "wall_seconds": question.seconds, "gpus": question.gpus},
        "parameters": work.parameters,
        "active_parameters": work.active_parameters,
        "flop_per_token": work.flop_per_token,
        "peak_flops_s": work.peak_flops_s,
        "bound": _answer_object(size.bound),
        "typical": _answer_object(size.typical[0]),
        "range": [_answer_object(answer) for answer in size.typical[1:]],
        "memory": {
            "state_bytes_per_parameter": STATE_BYTES,
            "state_gib": size.memory.state_bytes / GIB,
            "limit_gib_per_gpu": question.accelerator.memory_usable_gib,
            "gpus": size.memory.devices,
            "nodes": size.memory.nodes,
        },
        "price": {"usd_per_gpu_hour": str(size.price.usd), "origin": size.price.origin} if size.price else None,
        "published": size.published.model_dump() if size.published else None,
        "own_pace": size.own_pace,
    }


def _answer_object(answer: SizeAnswer) -> dict[str, Any]:
    return {
        "name": answer.name,
        "mfu": answer.utilisation,
        "gpus": answer.gpus,
        "gpus_exact": answer.devices,
        "nodes": answer.nodes,
        "wall_seconds": answer.days * SECONDS_PER_DAY,
        "tokens": answer.tokens,
        "gpu_hours": answer.gpu_hours,
        "cost_usd": None if answer.cost_usd is None else str(answer.cost_usd),
    }


def size_tables(size: Size) -> list[RenderableType]:
    """The answer, the arithmetic that leads to it, and what it rests on."""
    from planner.report.tables import facts  # noqa: PLC0415  (rich is not needed for JSON)

    arithmetic = [*_work(size), *_way(size, size.bound), *_way(size, size.typical[0]), *_memory(size)]
    return [_heading(size), "", _answers(size), "", facts(arithmetic), "", facts(_notes(size))]


def _heading(size: Size) -> str:
    """What is asked."""
    question, work = size.question, size.work
    count = f"{format_count(work.parameters)} parameters"
    active = f", {format_count(work.active_parameters)} active" if question.model.is_moe else ""
    asked = {
        "tokens": question.tokens and f"{format_count(question.tokens)} tokens",
        "days": question.seconds and f"within {format_duration(question.seconds)}",
        "gpus": question.gpus and f"on {question.gpus:,}",
    }
    device = f"{'×' if question.gpus else 'on'} {question.accelerator.name}, {question.precision.name}"
    given = " ".join(text for text in asked.values() if text)
    return f"{question.model.name} ({count}{active})\n{given} {device}"


def _answers(size: Size) -> Table:
    """One line per utilisation, what was asked for beside what follows."""
    from planner.report.estimate import format_cost, format_hours  # noqa: PLC0415  (rich is not needed for JSON)
    from planner.report.tables import text_table  # noqa: PLC0415

    table = text_table("", "MFU", "GPUs", "nodes", "days", "tokens", "GPU-hours", "cost")
    for answer in (size.bound, *size.typical):
        table.add_row(
            answer.name,
            f"{answer.utilisation:.1%}",
            f"{answer.gpus:,}",
            f"{answer.nodes:,}",
            format_number(answer.days),
            format_count(answer.tokens),
            format_hours(answer.gpu_hours),
            "–" if answer.cost_usd is None else format_cost(answer.cost_usd),
        )
    return table


def _work(size: Size) -> Iterator[tuple[str, str]]:
    """The arithmetic of the work, as people write it."""
    work, question = size.work, size.question
    weights = f"6 × {format_count(work.multiplied)} weights"
    attention = f"{format_number(work.attention_flop / 1e9)} of attention over {question.sequence_length:,} tokens"
    yield (
        "work",
        f"{weights} = {_giga(6 * work.multiplied)} + {attention} = {_giga(work.flop_per_token)} GFLOP per token",
    )
    if question.tokens:
        flop = work.flop_per_token * question.tokens
        yield "", f"× {format_count(question.tokens)} tokens = {flop:.3g} FLOP".replace("e+", "e")


def _giga(flop: float) -> str:
    return format_number(flop / 1e9)


def _way(size: Size, answer: SizeAnswer) -> Iterator[tuple[str, str]]:
    """The arithmetic from the rate to what was asked for."""
    question, work = size.question, size.work
    rate = work.peak_flops_s * answer.utilisation
    peak = f"{work.peak_flops_s / 1e12:,.0f} TFLOP/s dense {question.precision.arithmetic} peak"
    yield answer.name, f"{peak} × {answer.utilisation:.1%} = {rate / 1e12:,.0f} TFLOP/s per GPU"
    if question.tokens is None:
        yield (
            "",
            f"× {question.gpus:,} GPUs × {_seconds(question.seconds)} ÷ {_giga(work.flop_per_token)} GFLOP per token",
        )
        yield "", f"= {format_count(answer.tokens)} tokens"
        return
    flop = f"{work.flop_per_token * question.tokens:.3g}".replace("e+", "e")
    hours = f"{answer.gpu_hours:,.0f} GPU-hours"
    yield "", f"{flop} FLOP ÷ {rate / 1e12:,.0f} TFLOP/s = {format_count(answer.device_seconds)} GPU-seconds = {hours}"
    yield from _last_step(size, answer)


def _last_step(size: Size, answer: SizeAnswer) -> Iterator[tuple[str, str]]:
    """The last step of the arithmetic: from device-seconds to devices or to days."""
    question = size.question
    seconds = format_count(answer.device_seconds)
    if question.gpus:
        yield "", f"{seconds} GPU-seconds ÷ {question.gpus:,} GPUs = {format_number(answer.days)} d"
        return
    per_node = question.accelerator.accelerators_per_node
    whole = f"{_devices(answer.devices)} GPUs, in whole nodes of {per_node}: {answer.gpus:,}"
    yield "", f"{seconds} GPU-seconds ÷ {_seconds(question.seconds)} = {whole}"


def _devices(devices: float) -> str:
    """Devices before they are rounded up, so precise that the rounding shows."""
    return f"{devices:,.1f}" if devices >= 1 else format_number(devices)


def _seconds(seconds: float | None) -> str:
    return f"{seconds or 0:,.0f} s"


def _memory(size: Size) -> Iterator[tuple[str, str]]:
    """The arithmetic of the states' memory."""
    question, floor = size.question, size.memory
    states = (
        f"{format_count(size.work.parameters)} parameters × {STATE_BYTES:g} bytes = {format_bytes(floor.state_bytes)}"
    )
    per_node = question.accelerator.accelerators_per_node
    whole = f"{_devices(floor.devices)} GPUs, in whole nodes of {per_node}: {floor.nodes * per_node:,}"
    yield "memory", f"{states}, ÷ {question.accelerator.memory_usable_gib:g} GiB = {whole} at least"
    if question.gpus and question.gpus < floor.devices:
        yield "", f"{question.gpus:,} GPUs do not hold the training states"
    elif question.gpus is None and any(answer.nodes == floor.nodes for answer in (size.bound, *size.typical)):
        yield "", "this, not the time, decides where the table shows that many GPUs"


def _notes(size: Size) -> Iterator[tuple[str, str]]:
    """What the figures mean and where they are from."""
    how = "was measured at" if size.measured else "is assumed to reach (none was measured on this device)"
    share = f"the share of peak that a large matrix product {how}"
    yield (
        "bound",
        f"A lower bound, no plan beats it: {share}, nothing lost to communication, memory traffic or failures.",
    )
    if size.published:
        one = size.published
        range_ = f"quartiles {format_share(one.lower_quartile)} and {format_share(one.upper_quartile)}"
        reached = f"What teams reached: median MFU of {one.kind}, {one.sources} publications"
        yield "typical", f"{reached}; {range_} are the slow and the fast quarter."
    if size.own_pace != 1:
        yield "", f"Own runs take {size.own_pace:.2f} times their estimates; the typical answers are moved as far."
    for answer in size.typical:
        if answer.utilisation > size.bound.utilisation:
            yield answer.name, "This MFU is above the bound: nobody has reached it."
    if size.price:
        yield "price", f"{format_money(size.price.usd)} per GPU-hour, {size.price.origin}."
    else:
        yield "price", f"Not known: no on-demand offer of {size.question.accelerator.name}; state --price."
    kind = "answers for the best layout, not the typical one: at times half of these GPU-hours, failures included."
    yield "next", f"`plan solve` {kind}"
    yield "", "`plan estimate` answers for one layout: memory, bubbles and communication counted."
