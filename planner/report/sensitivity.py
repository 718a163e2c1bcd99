"""What a little more of each limit would change, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

from planner.plans.document_parts import GainPart, MoneyForTimePart, RulePart, SensitivityPart
from planner.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    counted,
    format_count,
    format_duration,
    format_money,
)


def worth_lines(found: Sequence[SensitivityPart]) -> Iterator[str]:
    """After a gap, a line for everything that was asked about."""
    if found:
        yield ""
    for one in found:
        line = f"{step_in_words(one)} more: {gain_words(one.worth)}"
        yield _next_point(one.worth, line) if isinstance(one.worth, MoneyForTimePart) else line


def rule_lines(found: Sequence[RulePart]) -> Iterator[str]:
    """A line for every rule on layouts and nodes."""
    for one in found:
        more = "" if one.more_gib is None else f" ({ceil(10 * one.more_gib) / 10:.1f} GiB more a device)"
        yield f"{one.rule} {one.before} → {one.after}{more}: {gain_words(one.worth)}"


def step_in_words(found: SensitivityPart) -> str:
    """How much more is asked for, in words."""
    more = float(found.worth.more)
    match found.limit:
        case "limits.deadline":
            size, noun = next((size, noun) for size, noun in _UNITS if more >= size)
            return counted(round(more / size), noun)
        case "limits.budget":
            return format_money(more)
        case _:
            return counted(round(more), "GPU")


_UNITS: Final = ((SECONDS_PER_DAY, "day"), (SECONDS_PER_HOUR, "hour"), (SECONDS_PER_MINUTE, "minute"), (1, "second"))


def _next_point(worth: MoneyForTimePart, line: str) -> str:
    """A line on money with the next plan on the frontier, the lesser amount first."""
    step = worth.following
    if step is None:
        return f"{line}, nor for any other amount"
    following = f"{format_money(step.more)} more: {format_duration(step.gain)} sooner (the next plan on the frontier)"
    return f"{following}; {line}" if step.more <= worth.more else f"{line}; {following}"


NOTHING_GAINED: Final = ("saves nothing", "no sooner", "no more tokens")
"""What is gained where it is nothing: of dollars, seconds, tokens."""


def gain_words(worth: GainPart) -> str:
    """What is gained, in words."""
    gain = float(worth.gain)
    no_dollars, no_time, no_tokens = NOTHING_GAINED
    match worth.unit:
        case "USD":
            return f"{format_money(worth.gain)} less" if gain >= 1 else no_dollars
        case "s":
            return f"{format_duration(gain)} sooner" if gain >= 1 else no_time
        case "tokens":
            return f"{format_count(gain)} tokens more" if gain >= 1 else no_tokens
