"""A replay as the JSON document of `plan replay --json` and as text with pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from planner.availability.spot_policies import break_even_price, break_even_rate
from planner.performance.symbols import Array
from planner.report.console import print_report
from planner.report.policies import POLICIES
from planner.report.tables import text_table
from planner.simulate.closed_form import QUANTILES, Expectation, expected
from planner.simulate.job import SimulatedJob
from planner.simulate.replay import PolicyOutcome, figures
from planner.simulate.timelines import STATES, progress_over_time, sampled, strips
from planner.units import (
    SECONDS_PER_DAY,
    format_count,
    format_duration,
    format_money,
    format_number,
    format_share,
    usd_text,
)

FORMAT_VERSION: Final = 1
WIDTH: Final = 64
"""Columns of a picture."""
HEIGHT: Final = 10
"""Rows of the picture of progress."""
MARKS: Final = "·▒█▓×"
"""How a strip draws what a run does, in the order of `STATES`."""


@dataclass(frozen=True)
class Replay:
    """What was replayed, and how."""

    job: SimulatedJob
    outcomes: tuple[PolicyOutcome, ...]
    """The plan's own policy first."""
    runs: int
    seed: int
    traces: tuple[str, ...]


def state_names(job: SimulatedJob) -> tuple[str, ...]:
    """What a run does, in the order of `STATES`; nodes that stay are named by how they are bought."""
    buys_on_demand = any(phase.on_demand_nodes for phase in job.phases)
    steady = "on demand" if not job.reserved_nodes else "reserved and on demand" if buys_on_demand else "reserved"
    return tuple(steady if name == "on demand" else name for name in STATES)


def replay_document(found: Replay) -> dict[str, Any]:
    """The whole document; money is decimal strings, times are days."""
    job = found.job
    return {
        "format_version": FORMAT_VERSION,
        **_outcome(found.outcomes[0]),
        "policies": [_outcome(one) for one in found.outcomes],
        "planned": {"days": job.planned_seconds / SECONDS_PER_DAY, "cost_usd": usd_text(job.planned_usd)},
        "deadline_days": None if job.deadline_seconds is None else job.deadline_seconds / SECONDS_PER_DAY,
        "confidence": job.confidence,
        "counts": "luck" if job.error is None else "everything",
        "on_demand_cheaper_above_usd_per_node_hour": _break_even(job),
        "gpus_per_node": job.gpus_per_node,
        "on_demand_cheaper_above_preemptions_per_node_day": _break_even_rate(job),
        "runs": found.runs,
        "seed": found.seed,
        "traces": list(found.traces),
    }


def _outcome(one: PolicyOutcome) -> dict[str, Any]:
    """One policy: what the runs came to, and what the equations expect."""
    seconds, usd = figures(one.seconds), figures(one.usd)
    return {
        "policy": one.policy,
        "probability_in_time": one.probability_in_time,
        "probability_within_budget": one.probability_within_budget,
        "days": {name: value / SECONDS_PER_DAY for name, value in seconds.items()},
        "cost_usd": {name: usd_text(value) for name, value in usd.items()},
        "preemptions": one.preemptions,
        "failures": float(one.state.failures.mean()),
        "waste": {cause: value / SECONDS_PER_DAY for cause, value in one.waste().items()},
        "expected": _expectation(one.expectation),
    }


def _expectation(one: Expectation | None) -> dict[str, Any] | None:
    """The same by closed forms; None of a policy without."""
    if one is None:
        return None
    return {
        "probability_in_time": one.probability_in_time,
        "days": {name: value / SECONDS_PER_DAY for name, value in one.seconds().items()},
        "cost_usd": {name: usd_text(value) for name, value in one.usd().items()},
    }


def _break_even(job: SimulatedJob) -> str | None:
    """Spot price per node-hour above which on-demand nodes are cheaper than the plan's policy; None without spot."""
    if job.policy in WITHOUT_BREAK_EVEN or job.spot_usd is None or job.on_demand_usd is None:
        return None
    cost = float(expected(job, job.policy).moments.usd)
    spot_hours = _spot_hours(job, cost)
    other = float(expected(job, "steady").moments.usd)
    fixed = cost - spot_hours * job.spot_usd
    return usd_text(float(break_even_price(np.asarray(other), np.asarray(fixed), np.asarray(spot_hours))))


def _break_even_rate(job: SimulatedJob) -> float | None:
    """Preemptions per node and day, at the same availability, above which on-demand nodes are cheaper; None if none."""
    spot = job.spot
    if job.policy in WITHOUT_BREAK_EVEN or spot is None or job.on_demand_usd is None:
        return None

    def usd_at(rate: Array) -> Array:
        figures = replace(spot, preemptions_per_node_day=float(rate))
        return expected(replace(job, spot=figures), job.policy).moments.usd

    low, high = (np.asarray(rate) for rate in RATES)
    found = float(break_even_rate(usd_at, expected(job, "steady").moments.usd, low, high))
    return found if found < ALMOST * RATES[1] else None


WITHOUT_BREAK_EVEN: Final = ("steady", "progress")
"""Policies without spot nodes, or whose cost has no closed form."""
RATES: Final = (1e-3, 500.0)
"""Preemptions per node and day between which the break-even is looked for."""
ALMOST: Final = 0.999


def _spot_hours(job: SimulatedJob, cost: float) -> float:
    """Node-hours on spot: what a dollar more per hour would add to the cost, which is linear in the price."""
    dearer = replace(job, spot_usd=(job.spot_usd or 0) + 1)
    return float(expected(dearer, job.policy).moments.usd) - cost


def print_replay(found: Replay) -> None:
    """Prints a replay on stdout, with nothing in it read as markup."""
    print_report(*replay_parts(found))


def replay_parts(found: Replay) -> Iterator[RenderableType]:
    """The verdict, the policies side by side, waste by cause, pictures, and what was assumed."""
    own = found.outcomes[0]
    yield _headline(found, own)
    yield ""
    yield _policies(found)
    yield ""
    yield _means(found)
    yield ""
    yield _waste(found)
    yield ""
    yield from _progress(found, own)
    yield ""
    yield from _strips(found.job, own)
    yield ""
    yield from map(Text, note_lines(found))


def _headline(found: Replay, own: PolicyOutcome) -> Text:
    """What was planned, and what happened."""
    job, source = found.job, ", ".join(found.traces) or "generated capacity"
    lines = [
        f"planned: {format_duration(job.planned_seconds)}, {format_money(job.planned_usd)}, policy {job.policy}",
        f"{found.runs:,} runs on {source}, seed {found.seed}",
        f"on average: {format_duration(own.seconds.mean())}, {format_money(own.usd.mean())}",
    ]
    if own.probability_in_time is not None and job.deadline_seconds is not None:
        share = format_share(own.probability_in_time)
        counted = ", the estimate's error drawn too" if job.error else ""
        lines.append(f"in time for {format_duration(job.deadline_seconds)}: {share} of the runs{counted}")
    if own.probability_within_budget is not None and job.budget_usd is not None:
        lines.append(
            f"within {format_money(job.budget_usd)}: {format_share(own.probability_within_budget)} of the runs"
        )
    return Text("\n".join(lines))


def _policies(found: Replay) -> Table:
    """One line per policy: quantiles of days and dollars."""
    table = text_table("policy", "in time", "days p5 – p50 – p95", "cost p5 – p50 – p95")
    for one in found.outcomes:
        seconds, usd, share = figures(one.seconds), figures(one.usd), one.probability_in_time
        table.add_row(
            one.policy,
            "–" if share is None else format_share(share),
            " – ".join(format_number(seconds[name] / SECONDS_PER_DAY) for name in QUANTILES),
            " – ".join(f"${format_count(usd[name])}" for name in QUANTILES),
        )
    return table


def _means(found: Replay) -> Table:
    """One line per policy: means beside what the equations expect."""
    table = text_table("mean", "days", "by equations", "cost", "by equations", "preemptions", "failures")
    for one in found.outcomes:
        claimed = one.expectation.moments if one.expectation else None
        table.add_row(
            one.policy,
            format_number(one.seconds.mean() / SECONDS_PER_DAY),
            "–" if claimed is None else format_number(float(claimed.seconds) / SECONDS_PER_DAY),
            format_money(one.usd.mean()),
            "–" if claimed is None else format_money(float(claimed.usd)),
            f"{one.preemptions:,.1f}",
            f"{one.state.failures.mean():,.1f}",
        )
    return table


def _waste(found: Replay) -> Table:
    """Mean time lost, by cause."""
    causes = list(found.outcomes[0].waste())
    table = text_table("lost on average", *(cause.replace("_", " ") for cause in causes))
    for one in found.outcomes:
        table.add_row(one.policy, *(format_duration(value) if value else "–" for value in one.waste().values()))
    return table


def _progress(found: Replay, own: PolicyOutcome) -> Iterator[RenderableType]:
    """Share of the work done over time: the band from the 5th to the 95th percentile, and the median."""
    deadline = found.job.deadline_seconds
    until = max(figures(own.seconds)["p95"] * 1.05, deadline or 0)
    low, median, high = progress_over_time(own, np.linspace(0, until, WIDTH))
    limit = None if deadline is None else round((WIDTH - 1) * deadline / until)
    yield Text("work done over time: median █, 5th to 95th percentile ░" + (", deadline |" if limit else ""))
    for row in reversed(range(HEIGHT)):
        bottom, top = row / HEIGHT, (row + 1) / HEIGHT
        marks = [_mark(low[x], median[x], high[x], bottom, top, at_limit=x == limit) for x in range(WIDTH)]
        label = f"{top:>4.0%}" if row % 2 else "    "
        yield Text(f"{label} {''.join(marks)}".rstrip())
    yield Text(f"     0{format_duration(until):>{WIDTH - 1}}")


def _mark(low: float, median: float, high: float, bottom: float, top: float, *, at_limit: bool) -> str:
    """One character of the picture of progress."""
    if bottom < median <= top:
        return "█"
    if low <= top and high > bottom:
        return "░"
    return "|" if at_limit else " "


def _strips(job: SimulatedJob, own: PolicyOutcome) -> Iterator[RenderableType]:
    """Some runs, each a line of what it did over time."""
    legend = "  ".join(f"{mark} {name}" for mark, name in zip(MARKS, state_names(job), strict=True))
    yield Text(f"single runs: {legend}")
    drawn = strips(own)
    until = max(strip[-1].end for strip in drawn)
    for number, strip in enumerate(drawn, start=1):
        marks = "".join(" " if state is None else MARKS[state] for state in sampled(strip, WIDTH, until))
        yield Text(f"{number:>4} {marks.rstrip()}  {format_duration(strip[-1].end)}")


def note_lines(found: Replay) -> Iterator[str]:
    """The price at which the plan would change, what the policies are, and what was assumed."""
    job = found.job
    if (price := _break_even(job)) is not None and job.spot_usd is not None:
        above, paid = (float(usd) / job.gpus_per_node for usd in (price, job.spot_usd))
        yield f"On-demand nodes become cheaper above ${above:.2f}/GPU-h of spot; the plan pays ${paid:.2f}/GPU-h."
    if (rate := _break_even_rate(job)) is not None and job.spot is not None:
        yield (
            f"At today's prices they do above {format_number(rate)} preemptions per node and day; the plan assumes "
            f"{format_number(job.spot.preemptions_per_node_day)}."
        )
    yield "Policies: " + "; ".join(f"{one.policy}: {POLICIES[one.policy]}" for one in found.outcomes) + "."
    if found.traces:
        yield "A trace's largest number of nodes stands for all spot nodes; after its end it begins again."
    elif job.spot and not job.spot.traced:
        yield "No public trace covers this device: its spot figures are a proxy device's, of another time."
