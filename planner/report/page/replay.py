"""The page of a replay: how far runs get over time, what single ones did, and what each policy comes to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planner.report.page.parts import Badge, Card, Chart, Fact, Page, Table
from planner.report.policies import POLICIES
from planner.report.replay import Replay, note_lines
from planner.report.replay_charts import COSTS, NARROW, WIDE, replay_charts
from planner.simulate.replay import PolicyOutcome, figures
from planner.units import format_duration, format_money, format_range, format_share

HEADINGS: Final = ("policy", "in time", "median time", "median cost", "5% of runs end before", "and 5% after")


def replay_page(found: Replay) -> Page:
    """The whole page; the plan's own policy comes first."""
    job = found.job
    planned = f"{format_duration(job.planned_seconds)}, {format_money(job.planned_usd)}"
    return Page(
        title=f"Replay of a plan for {planned}",
        lead=tuple(_lead(found)),
        cards=tuple(_card(found, one) for one in found.outcomes),
        noun="policy",
        chart=Chart("Replay", replay_charts(found, WIDE), replay_charts(found, NARROW), COSTS),
        tables=(_policies(found),),
        notes=tuple(note_lines(found)),
    )


def _lead(found: Replay) -> Iterator[str]:
    """How the plan's own policy fares, and what that rests on."""
    own, job = found.outcomes[0], found.job
    days, usd = figures(own.seconds), figures(own.usd)
    if own.probability_in_time is not None and job.deadline_seconds is not None:
        counted = ", the estimate's own error drawn too" if job.error else ""
        share = format_share(own.probability_in_time)
        yield f"{share} of the runs meet the deadline of {format_duration(job.deadline_seconds)}{counted}."
    yield f"On average they take {format_duration(days['mean'])} and cost {format_money(usd['mean'])}."
    source = ", ".join(found.traces) or "generated capacity"
    yield f"{found.runs:,} runs on {source}, seed {found.seed}; policy {job.policy}: {POLICIES[job.policy]}."


def _card(found: Replay, one: PolicyOutcome) -> Card:
    """One policy: time, cost, and what is lost to what."""
    days, usd = figures(one.seconds), figures(one.usd)
    median = f"{format_money(usd['p50'])}, {format_duration(days['p50'])}"
    badges = (Badge("the plan's own", "good"),) if one is found.outcomes[0] else ()
    return Card(
        title=f"policy {one.policy}",
        subtitle=POLICIES[one.policy],
        short=f"{one.policy}: {median}",
        badges=badges,
        facts=tuple(_facts(one)),
        tables=(_waste(one),),
    )


def _facts(one: PolicyOutcome) -> Iterator[Fact]:
    """What the runs of a policy come to."""
    days, usd = figures(one.seconds), figures(one.usd)
    if one.probability_in_time is not None:
        yield Fact("in time", format_share(one.probability_in_time))
    yield Fact("median time", format_duration(days["p50"]))
    yield Fact("90% of runs", format_range(format_duration(days["p5"]), format_duration(days["p95"])))
    yield Fact("median cost", format_money(usd["p50"]))
    yield Fact("90% of runs", format_range(format_money(usd["p5"]), format_money(usd["p95"])))
    yield Fact("preemptions", f"{one.preemptions:,.1f}")


def _waste(one: PolicyOutcome) -> Table:
    """Mean time lost, by cause."""
    rows = tuple((cause.replace("_", " "), format_duration(value)) for cause, value in one.waste().items() if value)
    return Table("Lost on average", ("cause", "time"), rows or (("nothing", "–"),), frozenset({1}))


def _policies(found: Replay) -> Table:
    """A line per policy."""
    rows = tuple(_row(one) for one in found.outcomes)
    cards = tuple(range(len(rows)))
    return Table("Every policy", HEADINGS, rows, frozenset(range(1, len(HEADINGS))), frozenset(), cards)


def _row(one: PolicyOutcome) -> tuple[str, ...]:
    days, usd = figures(one.seconds), figures(one.usd)
    in_time = "–" if one.probability_in_time is None else format_share(one.probability_in_time)
    ends = (format_duration(days["p5"]), format_duration(days["p95"]))
    return (one.policy, in_time, format_duration(days["p50"]), format_money(usd["p50"]), *ends)
