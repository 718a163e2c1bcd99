"""A whole and its parts as a bar of characters, with a legend that adds up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import floor, log10
from typing import Final

from rich.console import Group
from rich.text import Text

from planner.market.money import apportioned

BAR: Final = 40
"""Characters of a bar."""
BLOCKS: Final = "█▓▒░▞▚▘·"
"""What the parts of a bar are drawn with, in their order."""


def bar(parts: Mapping[str, float], whole: float, unit: str) -> Group:
    """Parts of a whole as a bar with its legend, which adds up to the whole; those below one per cent are the rest."""
    shown = {name: value for name, value in parts.items() if value >= 0.01 * whole and name != "free"}
    shown["the rest"] = whole - sum(shown.values()) - parts.get("free", 0.0)
    shown |= {"free": parts["free"]} if "free" in parts else {}
    texts = adding_up(shown, whole)
    marks = {name: "·" if name == "free" else BLOCKS[index % 7] for index, name in enumerate(texts)}
    drawn = "".join(marks[name] * max(1, round(BAR * shown[name] / whole)) for name in texts)
    legend = "  ".join(f"{marks[name]} {name.replace('_', ' ')} {text}{unit}" for name, text in texts.items())
    return Group(Text(drawn), Text(legend))


def adding_up(parts: Mapping[str, float], whole: float) -> dict[str, str]:
    """Parts as they are printed, with three digits of the whole, so that they add up to it; those of nothing go."""
    places = max(0, 2 - floor(log10(whole))) if whole > 0 else 0
    unit = Decimal(1).scaleb(-places)
    amounts = apportioned([Decimal(repr(max(value, 0.0))) for value in parts.values()], unit)
    return {name: f"{amount:,.{places}f}" for name, amount in zip(parts, amounts, strict=True) if amount}
