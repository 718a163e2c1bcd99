"""`plan track` for people: where a run stands, when it ends, and what would bring it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from planner.learning.rest import Rest
from planner.learning.track import Track
from planner.learning.track_document import RestPart, rest_part
from planner.report.console import plain_console
from planner.report.document.around import relaxation_parts
from planner.report.relaxations import quoted
from planner.report.summary import in_words
from planner.report.tables import text_table
from planner.units import counted, format_duration, format_money, format_probability, format_range, format_share


def print_track(track: Track, rest: RestPart | None, plan_file: str) -> None:
    """Prints where the run stands and what follows; `plan_file` is what its plan was read from."""
    console = plain_console()
    console.print(Group(*_report(track)))
    for line in _ways_back(track, rest, plan_file):
        console.print(line, soft_wrap=line.startswith("  "))


def _report(track: Track) -> Iterator[RenderableType]:
    """Where the run stands."""
    where = next((one for one in reversed(track.phases) if one.done), track.phases[0])
    yield (
        f"Step {track.steps_done:,} of {track.steps:,} ({where.part.name}) after "
        f"{format_duration(track.elapsed_seconds)}."
    )
    yield ""
    yield _standing(track)
    yield ""
    yield from _steps(track)
    yield from _verdict(track)


def _standing(track: Track) -> Table:
    """Plan against run: until now, and at the end."""
    table = text_table("", "plan", "now", "difference", "80% between")
    end, cost, plan = track.end, track.cost, track.plan
    ends = format_range(format_duration(end.low), format_duration(end.high))
    costs = format_range(format_money(cost.low), format_money(cost.high))
    for name, planned, now, between, form in (
        ("time until here", track.planned_seconds, track.elapsed_seconds, "", format_duration),
        ("spent until here", track.planned_usd, track.spent_usd, "", format_money),
        ("ends after", plan.wall_seconds, end.expected, ends, format_duration),
        ("costs in all", float(plan.cost_usd), cost.expected, costs, format_money),
    ):
        table.add_row(name, form(planned), form(now), f"{now / planned - 1:+.1%}" if planned else "", between)
    return table


def _steps(track: Track) -> Iterator[str]:
    """Each phase that is not over: how long its steps take, and where that is from."""
    for one in track.phases:
        if one.left:
            planned, now = one.part.step_seconds, one.step_seconds
            basis = "measured" if one.pace else "expected by what was measured"
            yield (
                f"{one.part.name}: {counted(one.left, 'step')} left, of {format_duration(now)} each, {basis}; "
                f"planned {format_duration(planned)} ({now / planned - 1:+.1%})."
            )
    if all(one.pace.is_bare for one in track.phases if one.pace):
        lost = max(track.lost_seconds, 0.0)
        yield (
            f"Start-up, checkpoints, failures and waiting took {format_duration(lost)} "
            f"({format_share(lost / track.elapsed_seconds)}) until here; from now on {_failures(track.failure_factor)} "
            "failures as planned are expected."
        )
    else:
        yield "Rows are too far apart to tell steps from what interrupts them: losses are assumed as planned."


def _failures(factor: float) -> str:
    """How many failures are expected, beside those planned."""
    return "as many" if factor == 1 else f"{factor:.2f} times as many"


def _verdict(track: Track) -> Iterator[str]:
    """Whether deadline and budget hold."""
    for name, bound, now, planned in (
        ("deadline", track.plan.deadline_seconds, track.probability_in_time, track.plan.probability_in_time),
        ("budget", track.budget_usd, track.probability_within_budget, None),
    ):
        if bound is not None and now is not None:
            shown = format_duration(bound) if name == "deadline" else format_money(bound)
            before = "" if planned is None else f" (as planned: {format_probability(planned)})"
            yield f"Probability of keeping the {name} of {shown}: {format_probability(now)}{before}."


def rest_document(rest: Rest | None) -> RestPart | None:
    """What would bring the run back."""
    if rest is None:
        return None
    plan = rest.answer.plan
    return rest_part(rest.sets, in_words(plan, plan.start) if plan else None, relaxation_parts(rest.relaxations))


def _ways_back(track: Track, rest: RestPart | None, plan_file: str) -> Iterator[str]:
    """What would bring it back, where it does not hold; lines to copy begin with blanks."""
    if track.holds:
        return
    if track.plan.deadline_seconds is not None:
        sure = 0.5 if track.plan.confidence is None else track.plan.confidence
        yield f"As it runs, it ends within {format_duration(track.kept_seconds(sure))} with {format_share(sure)}."
    if rest is None:
        yield "Nothing brings it back: no time or no money is left."
        return
    yield ""
    if rest.then:
        yield f"Planned anew, the rest keeps what is left: {rest.then}."
    else:
        yield "Planned anew, the rest does not keep what is left. Each alone would allow it:"
        yield from (f"  {_sets(one.sets)}   {one.then}" for one in rest.relaxations if one.sets)
    yield "The rest as a problem of its own:"
    yield f"  plan solve {quoted(plan_file)} {_sets(rest.sets)}"


def _sets(sets: Sequence[str]) -> str:
    return " ".join(f"--set {quoted(text)}" for text in sets)
