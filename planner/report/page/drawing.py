"""Charts as SVG: drawn by Vega-Lite when a page or picture is made, so that it needs no library itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element, fromstring, register_namespace, tostring

from planner.errors import InputError
from planner.report.page.parts import Card, Chart, Spec

VEGA_LITE: Final = "5.20"
SVG: Final = "http://www.w3.org/2000/svg"
COLOURED: Final = ("fill", "stroke")
MISSING: Final = "pages and pictures need the libraries of the extra html, which are not installed"
INSTALL: Final = "pip install 'plan-training[html]', or from a checkout pip install '.[html]'"

CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--muted)",
        "tickColor": "var(--muted)",
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": 600,
        "titlePadding": 10,
        "labelOverlap": True,
    },
    "legend": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "labelLimit": 420,
        "symbolSize": 90,
        "symbolOpacity": 1,
        "columnPadding": 18,
        "rowPadding": 4,
    },
    "text": {"color": "var(--ink)", "fontSize": 12},
    "title": {"color": "var(--ink)", "anchor": "start", "frame": "group", "fontSize": 13, "fontWeight": 600},
}
"""What all charts share. Colours are the page's own variables, so that they change with its theme."""


def require_libraries() -> None:
    """Raises InputError when what pages and pictures need is not installed."""
    try:
        import jinja2  # noqa: F401, PLC0415
        import vl_convert  # noqa: F401, PLC0415
    except ImportError:
        raise InputError(MISSING, fix=INSTALL) from None


def svg_element(spec: Spec) -> Element:
    """The SVG element that Vega-Lite draws. Raises InputError without the libraries."""
    require_libraries()
    import vl_convert  # noqa: PLC0415  (only pictures need it)

    text = vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE, allowed_base_urls=[])
    register_namespace("", SVG)
    return fromstring(text)  # noqa: S314  (our own drawing, not a file from outside)


def svg_text(spec: Spec) -> str:
    """A picture as a file of its own. Raises InputError without the libraries."""
    return tostring(svg_element(spec), encoding="unicode") + "\n"


def drawn(chart: Chart, cards: tuple[Card, ...], chosen: int, *, wide: bool) -> str:
    """The SVG element of a chart whose marks can be chosen. Raises InputError without the libraries."""
    root = svg_element({**(chart.wide if wide else chart.narrow), "config": CONFIG})
    for name in ("width", "height"):
        root.attrib.pop(name)
    root.set("role", "group")
    root.set("aria-label", chart.title)
    for element in root.iter():
        _themed(element)
    for index, (mark, card) in enumerate(zip(_marks(root, chart.marks), cards, strict=True)):
        _chosen(mark, index, card, is_chosen=index == chosen)
        mark.set("aria-posinset", str(index + 1))
        mark.set("aria-setsize", str(len(cards)))
    return tostring(root, encoding="unicode")


def _themed(element: Element) -> None:
    """Moves colours that are variables into the style, where every browser resolves them."""
    found = {name: element.attrib.get(name, "") for name in COLOURED}
    styles = [f"{name}:{value}" for name, value in found.items() if re.fullmatch(r"var\(--[a-z0-9-]+\)", value)]
    for style in styles:
        element.attrib.pop(style.partition(":")[0])
    if styles:
        element.set("style", ";".join(styles))
    element.attrib.pop("font-family", None)


def _marks(root: Element, layer: str) -> Iterator[Element]:
    """The marks of a layer, in the order of its data; their group is named as what can be chosen."""
    for group in root.iter(f"{{{SVG}}}g"):
        if f"{layer}_marks" in group.attrib.get("class", "").split():
            group.attrib.pop("aria-roledescription", None)
            group.set("role", "radiogroup")
            group.set("aria-label", "plans")
            yield from group


def _chosen(mark: Element, index: int, card: Card, *, is_chosen: bool) -> None:
    """Makes a mark one that can be chosen by pointer and keyboard."""
    mark.attrib.pop("aria-roledescription", None)
    classes = "mark is-chosen" if is_chosen else "mark"
    values = {
        "class": classes,
        "role": "radio",
        "aria-label": ", ".join((card.short, *(badge.text for badge in card.badges))),
        "aria-checked": "true" if is_chosen else "false",
        "tabindex": "0" if is_chosen else "-1",
        "data-card": str(index),
    }
    for name, value in values.items():
        mark.set(name, value)
