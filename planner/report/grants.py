"""What a cloud would have to grant before a plan can be had, for people."""

from __future__ import annotations

from collections.abc import Iterator

from planner.plans.document_parts import GrantPart
from planner.plans.plan_part import BetterWithGrantPart, PlanFigures
from planner.units import counted, format_duration, format_money


def grant_line(grant: GrantPart) -> str:
    """What is known of a place's nodes, and how to state that more are granted."""
    basis = {"assumed": "assumed to be sold without a contract", "published": "sold without a contract"}
    sold = f"{counted(grant.sold, 'node')} {basis.get(grant.basis, 'granted')}"
    return f"Condition: {sold}, {grant.nodes:,} are needed; once granted: {_sets(grant)}"


def beyond_lines(beyond: BetterWithGrantPart | None, best: PlanFigures) -> Iterator[str]:
    """A better plan on nodes that would have to be granted."""
    if beyond is None:
        return
    saved = best.cost_usd - beyond.cost_usd
    gain = f"{format_money(saved)} less" if saved > 0 else f"{format_money(-saved)} more"
    sooner = best.wall_seconds - beyond.wall_seconds
    change = f"{format_duration(abs(sooner))} {'sooner' if sooner > 0 else 'later'}"
    yield (
        f"With a grant: {beyond.then}: {gain}, {change}; {beyond.grant.in_words}, then {_sets(beyond.grant)}"
    )


def _sets(grant: GrantPart) -> str:
    """The arguments that state the grant."""
    return " ".join(f"--set '{one}'" for one in grant.sets)
