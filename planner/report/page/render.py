"""A page as HTML: everything in one file, nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from planner.report.page.drawing import drawn, require_libraries
from planner.report.page.parts import Page

if TYPE_CHECKING:
    from jinja2 import Template


def rendered(page: Page, made: str = "") -> str:
    """The whole file; `made` says at its end by which command it was made, and when.

    Text is escaped, and a policy inside the page forbids every script but its own.
    Raises InputError when the extra `html` is not installed.
    """
    require_libraries()
    script = _asset("page.js")
    return _template().render(
        page=page,
        made=made,
        wide=_drawing(page, wide=True),
        narrow=_drawing(page, wide=False),
        style=_asset("page.css"),
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def _drawing(page: Page, *, wide: bool) -> str:
    return drawn(page.chart, page.cards, page.chosen, wide=wide) if page.chart else ""


@cache
def _asset(name: str) -> str:
    """A file beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    """The page's template, which escapes whatever it is given unless it says otherwise."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  (only pages need it)

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return made.from_string(_asset("page.html"))
