"""One estimate as tables with bars, for people."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Final

from rich.bar import Bar
from rich.console import RenderableType
from rich.table import Table

from planner.catalog.known_runs import KnownRun
from planner.estimator.estimate import Estimate
from planner.estimator.resolve import traits_of_subject
from planner.performance.predictive import CONFIDENCE
from planner.problem.training import MEMORY_CONFIDENCE
from planner.report.learned import learned_of
from planner.report.memory import memory_legend
from planner.report.tables import facts, indented, text_table
from planner.units import (
    SECONDS_PER_DAY,
    counted,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_share,
)

SMALLEST_SHARE: Final = 0.0005
"""Parts of a step below this share get no line."""


def estimate_tables(estimate: Estimate) -> list[RenderableType]:
    """The estimate for people: the answer, what it rests on, memory, time, what others needed, what is assumed."""
    return [
        *_heading(estimate),
        "",
        _summary(estimate),
        *learned_of(estimate.calibration, traits_of_subject(estimate.subject)),
        "",
        facts(_facts(estimate)),
        "",
        _memory_table(estimate),
        *_verdict(estimate),
        memory_legend(MEMORY_CONFIDENCE),
        "",
        _time_table(estimate),
        "",
        *_published(estimate.known_runs, estimate),
        "Assumed",
        _list(estimate.assumptions),
    ]


def _heading(estimate: Estimate) -> Iterator[str]:
    """What is trained on what."""
    subject, run = estimate.subject, estimate.subject.run
    size = f"{format_count(estimate.work.parameters)} parameters"
    if subject.model.is_moe:
        size += f", {format_count(estimate.work.active_parameters)} active"
    if not run.training.trains_base:
        kind = "QLoRA" if run.training.method == "qlora" else "LoRA"
        size += f", {kind} of rank {run.training.rank}"
    yield f"{run.name or subject.model.name}: {size}"
    devices = f"{estimate.gpus:,} × {subject.accelerator.name} ({counted(estimate.nodes, 'node')})"
    yield f"on {devices}, {subject.used_precision.name}"


def _summary(estimate: Estimate) -> Table:
    """Time, device-hours and money: of the steps alone, what is likely, and with what failures cost."""
    table = text_table("", "if nothing fails", f"{format_share(CONFIDENCE)} between", "with failures")
    low, high = estimate.interval

    def add(name: str, value: Figure, exact: Shown, rough: Shown, with_failures: Figure | None) -> None:
        """A row with the figure, its range, and the figure with failures."""
        ends = f"{rough(float(value) * low)} – {rough(float(value) * high)}"
        table.add_row(name, exact(value), ends, "" if with_failures is None else exact(with_failures))

    add("step", estimate.step_seconds, _duration, _duration, None)
    add("wall time", estimate.wall_seconds, _duration, _duration, estimate.expected_wall_seconds)
    add("GPU-hours", estimate.gpu_hours, format_hours, _rough_count, estimate.expected_gpu_hours)
    if estimate.cost_usd is not None:
        add("cost", estimate.cost_usd, format_cost, _rough_cost, estimate.expected_cost_usd)
    return table


Figure = float | Decimal
Shown = Callable[[Figure], str]


def _duration(seconds: Figure) -> str:
    return format_duration(float(seconds))


def format_hours(hours: Figure) -> str:
    """Device-hours, four digits and more up to a billion, so that they compare with published ones."""
    if hours >= 1e9:
        return "–" if math.isinf(hours) else format_count(float(hours))
    return f"{hours / 1_000_000:.3f}M" if hours >= 1e6 else f"{hours:,.0f}"


def format_cost(usd: Figure) -> str:
    """Dollars: every one of them up to ten billion."""
    return format_money(usd) if usd < 1e10 else _rough_cost(usd)


def _rough_cost(usd: Figure) -> str:
    """Dollars in three digits."""
    return format_money(usd) if usd < 1e5 else f"${format_count(float(usd))}"


def _rough_count(count: Figure) -> str:
    """A count in three digits."""
    return f"{count:,.0f}" if count < 1e5 else format_count(float(count))


def _facts(estimate: Estimate) -> Iterator[tuple[str, str]]:
    """Layout, work, speed, price and failures, in words."""
    run, failures = estimate.subject.run, estimate.failures
    yield "layout", ", ".join(_layout_words(estimate))
    batch = f"{run.training.global_batch:,} × {run.training.sequence_length:,}"
    length = f"{format_count(estimate.step_tokens)} tokens ({batch})"
    yield "work", f"{format_count(run.training.tokens)} tokens in {estimate.steps:,} steps of {length}"
    yield "speed", f"{estimate.tokens_per_second:,.0f} tokens/s per GPU, {_flops_rate(estimate)} model TFLOP/s per GPU"
    yield "MFU", _utilisation(estimate)
    if estimate.price:
        yield "price", f"{format_money(estimate.price.usd)} per GPU-hour, {estimate.price.origin}"
    else:
        yield "cost", "not known: state cluster.price"
    often = f"one every {format_duration(SECONDS_PER_DAY / failures.per_day)} ({failures.rate_name}'s rate)"
    saved = f"{format_duration(failures.checkpoint_seconds)} to save every {format_duration(failures.interval_seconds)}"
    stops = (
        f"{format_duration(failures.restart_seconds)} to restart, {format_duration(failures.start_up_seconds)} to start"
    )
    yield "failures", f"{often}; {saved}, {stops}"


def _flops_rate(estimate: Estimate) -> str:
    return f"{estimate.work.model_flop_per_token * estimate.tokens_per_second / 1e12:,.0f}"


def _utilisation(estimate: Estimate) -> str:
    """MFU and HFU with what they are shares of."""
    flop = f"{format_number(estimate.work.model_flop_per_token / 1e9)} GFLOP a token, causal attention counted half"
    peak = f"the {estimate.peak_flops_s / 1e12:,.0f} TFLOP/s dense {estimate.subject.used_precision.arithmetic} peak"
    recomputed = f"; {_percent(estimate.hfu)} with recomputation (HFU)" if estimate.hfu > estimate.mfu else ""
    return f"{_percent(estimate.mfu)} of {peak} ({flop}){recomputed}"


def _layout_words(estimate: Estimate) -> Iterator[str]:
    """The degrees that are not 1, then batch, recompute and sharding."""
    run = estimate.subject.run
    layout = run.layout
    degrees = ("tensor", "pipeline", "virtual_pipeline", "context", "expert", "expert_tensor")
    yield from (f"{name.replace('_', ' ')} {getattr(layout, name)}" for name in degrees if getattr(layout, name) > 1)
    yield f"data {run.replicas:,}"
    yield f"{run.microbatches:,} micro-batch{'es' * (run.microbatches != 1)} of {layout.micro_batch:,}"
    some = layout.recompute.full_layers
    yield f"recompute {f'{some} layers a stage' if some else layout.recompute.kind}"
    yield f"ZeRO {layout.zero}{f' over groups of {layout.shard}' if layout.shard else ''}"


def _memory_table(estimate: Estimate) -> Table:
    """Memory of the fullest device by part, against the limit."""
    memory = estimate.memory
    largest = max(memory.limit, memory.total)
    table = _bar_table("memory of the fullest GPU", "GiB", "share")
    for part, size in memory.parts.items():
        table.add_row(f"  {part}", Bar(largest, 0, size), f"{size:.1f}", _percent(size / memory.limit))
    table.add_row("total", Bar(largest, 0, memory.total), f"{memory.total:.1f}", _percent(memory.total / memory.limit))
    table.add_row("limit", Bar(largest, 0, memory.limit), f"{memory.limit:.1f}", _percent(1))
    return table


def _verdict(estimate: Estimate) -> Iterator[str]:
    """Whether it fits, and what to change when it does not."""
    memory = estimate.memory
    if memory.is_sure:
        yield f"It fits: {memory.limit - memory.total:.1f} GiB are free ({memory.fit_probability:.0%} sure)."
        return
    if memory.fits:
        yield f"It probably fits ({memory.fit_probability:.0%}): {memory.expected:.1f} GiB are expected."
    else:
        missing, chance = memory.expected - memory.limit, f"{memory.fit_probability:.0%}"
        told = f"{memory.expected:.1f} GiB are expected, {missing:.1f} more than there are"
        yield f"It does not fit: {told} (chance {chance})."
    for remedy in estimate.remedies:
        slower = f"step time {remedy.step_factor - 1:+.0%}"
        yield f"  --set {shlex.quote(remedy.override)} fits with {remedy.memory_gib:.1f} GiB, {slower}"
    if not estimate.remedies and not memory.fits:
        yield "  No one change of recompute, ZeRO stage, micro-batch, loss, optimizer or offloading mends it:"
        yield "  raise tensor, pipeline or context, or take more nodes."


def _time_table(estimate: Estimate) -> Table:
    """Time of a step by part, all with the decimals that show three digits of the whole."""
    total = estimate.step_seconds
    places = max(0, 2 - math.floor(math.log10(total)))
    table = _bar_table("time of a step", "seconds", "share")
    for part, seconds in estimate.time.items():
        if seconds >= SMALLEST_SHARE * total:
            bar, share = Bar(total, 0, seconds), _percent(seconds / total)
            table.add_row(f"  {part.replace('_', ' ')}", bar, f"{seconds:,.{places}f}", share)
    table.add_row("total", Bar(total, 0, total), f"{total:,.{places}f}", _percent(1))
    return table


def _percent(share: float) -> str:
    """A share with one decimal, so that a column of them lines up."""
    return f"{share:.1%}"


def _published(runs: Iterable[KnownRun], estimate: Estimate) -> Iterator[RenderableType]:
    """What others needed for the same model on the same device."""
    for run in runs:
        length = f"{format_count(run.tokens)} tokens"
        cluster = f" on {run.gpus:,} GPUs" if run.gpus else ""
        yield f"Published: {run.name}, {length}{cluster}"
        yield indented(_comparison(run, estimate))
        yield indented(f"{run.note} Source: {run.source} ({run.date}).".lstrip())
        yield ""


def _comparison(run: KnownRun, estimate: Estimate) -> Table:
    """Device-hours and days side by side where length and size agree; per token always."""
    table = text_table("", "published", "here", "difference")

    def compare(name: str, published: float, here: float, shown: Callable[[Figure], str]) -> None:
        """A row with the published figure beside the one here."""
        table.add_row(name, shown(published), shown(here), f"{here / published - 1:+.1%}")

    same_length = math.isclose(run.tokens, estimate.subject.run.training.tokens, rel_tol=0.01)
    if same_length:
        compare("GPU-hours", run.gpu_hours, estimate.gpu_hours, format_hours)
    if same_length and run.days and run.gpus == estimate.gpus:
        compare("days", run.days, estimate.days, lambda days: f"{days:.1f}")
    per_trillion = (run.gpu_hours_per_trillion_tokens, estimate.gpu_hours_per_trillion_tokens)
    compare("GPU-hours per trillion tokens", *per_trillion, format_hours)
    return table


def _list(lines: Iterable[str]) -> Table:
    """Sentences with a dash in front."""
    return facts(("–", line) for line in lines)


def _bar_table(*headings: str) -> Table:
    """A table over the whole width, the second column a bar that takes what is left."""
    name, *columns = headings
    table = text_table(name, "", *columns)
    table.expand = True
    table.columns[1].ratio = 1
    return table
