"""What a little more of each limit would change, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Final

from planner.explore.rule_worth import RuleWorth
from planner.explore.sensitivity import Sensitivity
from planner.plans.limits import limits_of
from planner.problem.problem import Problem
from planner.units import (
    GIB,
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    counted,
    figure_in_document,
    format_count,
    format_duration,
    format_money,
    usd_text,
)


def limits_with_worth(
    problem: Problem, limits: list[dict[str, Any]], found: Sequence[Sensitivity]
) -> list[dict[str, Any]]:
    """The `limits` of the JSON document, each with what more of it is worth."""
    by_name = {limits_of(problem)[one.quantity].name: one for one in found if one.quantity in limits_of(problem)}
    return [one | {"worth": _document(by_name[one["name"]]) if one["name"] in by_name else None} for one in limits]


def _document(worth: Sensitivity) -> dict[str, Any]:
    """Money is decimal strings; `next`, beside money that buys time, is null where no amount buys any."""
    document = {
        "more": figure_in_document(worth.more, is_usd=worth.quantity == "cost_usd"),
        "gain": figure_in_document(worth.gain, is_usd=worth.unit == "USD"),
        "unit": worth.unit,
    }
    if not _buys_time(worth):
        return document
    step = worth.next_point
    following = step and {"more": usd_text(step.more_usd), "gain": step.seconds_sooner, "unit": "s"}
    return document | {"next": following}


def _buys_time(worth: Sensitivity) -> bool:
    """Whether it is money for time."""
    return (worth.quantity, worth.unit) == ("cost_usd", "s")


def worth_lines(found: Sequence[Sensitivity]) -> Iterator[str]:
    """After a gap, a line for everything that was asked about."""
    if found:
        yield ""
    for worth in found:
        line = f"{step_in_words(worth)} more: {gain_words(worth)}"
        yield f"{_next_point(worth, line)}" if _buys_time(worth) else line


def rule_lines(found: Sequence[RuleWorth]) -> Iterator[str]:
    """A line for every rule on layouts and nodes."""
    for one in found:
        more = "" if one.more_bytes is None else f" ({_gib(one.more_bytes)} GiB more a device)"
        yield f"{one.rule} {one.before} → {one.after}{more}: {gain_words(one)}"


def _gib(size: float) -> str:
    """GiB rounded up to a tenth."""
    return f"{ceil(10 * size / GIB) / 10:.1f}"


def rule_documents(found: Sequence[RuleWorth]) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [
        {
            "rule": one.rule,
            "from": one.before,
            "to": one.after,
            "gain": figure_in_document(one.gain, is_usd=one.unit == "USD"),
            "unit": one.unit,
            "more_gib": None if one.more_bytes is None else one.more_bytes / GIB,
            "set": list(one.sets),
        }
        for one in found
    ]


def step_in_words(worth: Sensitivity) -> str:
    """How much more is asked for, in words."""
    match worth.quantity:
        case "wall_seconds":
            size, noun = next((size, noun) for size, noun in _UNITS if worth.more >= size)
            return counted(round(worth.more / size), noun)
        case "cost_usd":
            return format_money(worth.more)
        case _:
            return counted(round(worth.more), "GPU")


_UNITS: Final = ((SECONDS_PER_DAY, "day"), (SECONDS_PER_HOUR, "hour"), (SECONDS_PER_MINUTE, "minute"), (1, "second"))


def _next_point(worth: Sensitivity, line: str) -> str:
    """A line on money with the next plan on the frontier, the lesser amount first."""
    step = worth.next_point
    if step is None:
        return f"{line}, nor for any other amount"
    following = (
        f"{format_money(step.more_usd)} more: {format_duration(step.seconds_sooner)} sooner"
        " (the next plan on the frontier)"
    )
    return f"{following}; {line}" if step.more_usd <= worth.more else f"{line}; {following}"


def gain_words(worth: Sensitivity | RuleWorth) -> str:
    """What is gained, in words."""
    match worth.unit:
        case "USD":
            return f"{format_money(worth.gain)} less" if worth.gain >= 1 else "saves nothing"
        case "s":
            return f"{format_duration(worth.gain)} sooner" if worth.gain >= 1 else "no sooner"
        case "tokens":
            return f"{format_count(worth.gain)} tokens more" if worth.gain >= 1 else "no more tokens"
