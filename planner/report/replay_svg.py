"""A replay as one self-contained SVG picture: progress over time, runs as strips, costs of the policies."""

from __future__ import annotations

from typing import Final

from planner.report.page.drawing import svg_text
from planner.report.page.parts import Spec
from planner.report.replay import Replay
from planner.report.replay_charts import PICTURE, replay_charts

CONFIG: Final[Spec] = {
    "background": "white",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"grid": False, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400},
    "title": {"anchor": "start", "frame": "group", "fontSize": 13, "fontWeight": 400},
    "legend": {"orient": "top", "labelFontSize": 12, "symbolType": "square", "columnPadding": 24},
    "text": {"fontSize": 12},
}


def replay_svg(found: Replay) -> str:
    """The whole picture. Raises InputError when the extra `html` is not installed."""
    source = ", ".join(found.traces) or "generated capacity"
    title = {"text": f"{found.runs:,} runs, policy {found.job.policy}, {source}", "fontSize": 16}
    return svg_text({"title": title, **replay_charts(found, PICTURE), "config": CONFIG})
