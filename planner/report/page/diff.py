"""The page of a difference: from one bill to the other, cause by cause, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from planner.plans.plan_part import PlanFigures, PlanPart
from planner.report.diff import Causes, Dated, Difference, bill_lines, causes, decided, shown
from planner.report.page.axes import LABELS
from planner.report.page.parts import Card, Chart, Page, Spec, Table
from planner.report.page.plan_card import plan_card
from planner.report.summary import devices_text
from planner.units import format_money

TOTALS: Final = "totals"
"""Name of the layer that has the two bills."""
MEANING: Final = {
    "price": "price: unit prices",
    "hours": "hours: paid hours",
    "quantity": "quantity: GPUs",
    "scope": "scope: only in one bill",
}
"""What each cause is."""


def diff_page(first: Dated, second: Dated, asked: tuple[Difference, ...] = ()) -> Page:
    """The whole page of two plans; `asked`: what their problems ask for differently."""
    old, new = first.plan, second.plan
    why = causes(old, new)
    costs = [float(one.cost_usd) for one in (old, new)]
    title = " → ".join(f"{devices_text(one)}, {format_money(one.cost_usd)}" for one in (old, new))
    tables = (_bill(old, new), _changes("What is asked for", asked), _changes("What changes", decided(old, new)))
    return Page(
        title=title,
        lead=tuple(_lead(costs, why)),
        cards=(_card("before", old), _card("after", new)),
        noun="plan",
        chart=Chart("From one bill to the other", _chart(costs, why, 560), _chart(costs, why, 250), TOTALS),
        tables=tuple(one for one in tables if one.rows),
        notes=tuple(_notes(first, second)),
    )


def _lead(costs: list[float], why: Causes) -> Iterator[str]:
    """How much more or less, and what for."""
    change = costs[1] - costs[0]
    if not change:
        yield f"Both cost {format_money(costs[0])}."
        return
    more = "more" if change > 0 else "less"
    yield f"{format_money(costs[0])} before, {format_money(costs[1])} after: {format_money(abs(change))} {more}."
    parts = [f"{cause} {_signed(float(usd))}" for cause, usd in why.usd.items() if usd]
    yield f"Of that {', '.join(parts)}."
    if why.prices:
        yield f"Unit prices: {'; '.join(why.prices)}."


def _signed(usd: float) -> str:
    return f"{'+' if usd > 0 else ''}{format_money(usd)}"


def _card(when: str, plan: PlanFigures) -> Card:
    """One of the plans."""
    card = plan_card(plan)
    return replace(card, title=f"{when}: {card.title}", short=f"{when}: {card.short}")


def _chart(costs: list[float], why: Causes, width: int) -> Spec:
    """The two bills, and between them each cause from where the last one ended."""
    totals = [{"step": name, "from": 0.0, "to": cost} for name, cost in zip(("before", "after"), costs, strict=True)]
    causes, reached = [], costs[0]
    for cause, usd in why.usd.items():
        if usd:
            causes.append({"step": cause, "from": reached, "to": reached + float(usd), "words": _signed(float(usd))})
            reached += float(usd)
    order = ["before", *(one["step"] for one in causes), "after"]
    ends = [*costs, *(float(str(one["to"])) for one in causes)]
    x = {"field": "step", "type": "ordinal", "sort": order, "axis": {"title": None, "labelAngle": 0}}
    lowest, highest = min(0.0, *ends), max(ends)
    scale = {"domain": [lowest * HEADROOM, highest * HEADROOM], "nice": False}
    axis = {"title": "US dollars", "labelExpr": LABELS["cost"], "tickCount": 6}
    low = {"field": "from", "type": "quantitative", "scale": scale, "axis": axis}
    high = {"field": "to", "type": "quantitative", "scale": scale, "axis": axis}
    bars = {"x": x, "y": low, "y2": {"field": "to"}}
    tone = {"condition": {"test": "datum.to > datum.from", "value": "var(--bad)"}, "value": "var(--good)"}
    words = [*({**one, "words": format_money(float(str(one["to"])))} for one in totals), *causes]
    text = {"type": "text", "dy": -8, "aria": False, "fontSize": 11 if width > NARROW else 9}
    return {
        "width": width,
        "height": 320,
        "padding": 4,
        "layer": [
            {
                "name": TOTALS,
                "data": {"values": totals},
                "mark": {"type": "bar", "color": "var(--s0)"},
                "encoding": bars,
            },
            {"data": {"values": causes}, "mark": {"type": "bar", "aria": False}, "encoding": {**bars, "color": tone}},
            {
                "data": {"values": words},
                "transform": [{"calculate": "max(datum.from, datum.to)", "as": "to"}],
                "mark": text,
                "encoding": {"x": x, "y": high, "text": {"field": "words"}},
            },
        ],
    }


HEADROOM: Final = 1.08
"""Height of the axis in highest bars."""
NARROW: Final = 300
"""Width below which the words of a chart are smaller."""


def _bill(old: PlanPart, new: PlanPart) -> Table:
    """Both bills line by line."""
    rows = tuple(
        (name, format_money(was), format_money(now), _signed(float(now - was)) if now != was else "–")
        for name, was, now in bill_lines(old, new)
    )
    return Table("Bill", ("line", "before", "after", "change"), rows, frozenset({1, 2, 3}))


def _changes(title: str, found: tuple[Difference, ...]) -> Table:
    """Every key that differs."""
    rows = tuple((one.key, shown(one.key, one.old), shown(one.key, one.new)) for one in found)
    return Table(title, ("key", "before", "after"), rows, frozenset({1, 2}))


def _notes(first: Dated, second: Dated) -> Iterator[str]:
    """What the causes mean, and of when the prices are."""
    yield "; ".join(MEANING.values()) + ". Price × hours × GPUs: each factor gets its share, and the causes add up."
    yield f"Prices: catalogs of {first.catalog_date} and {second.catalog_date}."
