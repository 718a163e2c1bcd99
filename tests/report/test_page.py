"""Pages hold everything that they promise, need nothing from elsewhere, and show text as text."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from batches import few
from click.testing import CliRunner, Result

from planner.cli import main
from planner.explore.frontier import Frontier, frontier, room_of
from planner.explore.per_accelerator import rivals
from planner.problem.problem import Problem, load_problem
from planner.report.bill import printed_bill
from planner.report.document.plan import plan_figures
from planner.report.page.axes import Ruler, log_ticks
from planner.report.page.frontier import frontier_page
from planner.report.page.heat_map import HeatCell, HeatMap, heat_map_chart, levels
from planner.report.page.parts import Card, Fact, Page, Table
from planner.report.page.render import rendered
from planner.report.summary import devices_text
from planner.units import format_duration, format_money

ROOT = Path(__file__).resolve().parents[2]
DEEPSEEK = str(ROOT / "problems" / "deepseek_v3.yaml")
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&{{7*7}}"
STYLE = (ROOT / "planner" / "report" / "page" / "page.css").read_text(encoding="utf-8")


class Read(HTMLParser):
    """What a browser would see of a page: elements with their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Notes text."""
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def of_class(self, name: str) -> list[dict[str, str]]:
        """The attributes of every element of a class."""
        return [attributes for _, attributes in self.elements if name in attributes.get("class", "").split()]


def page_of(problem: Problem, found: Frontier) -> Read:
    """The page of a frontier."""
    return Read(rendered(frontier_page(found, rivals(found, room_of(problem)))))


@pytest.fixture(scope="module")
def found() -> Frontier:
    """Nine points of the frontier of a problem with one accelerator."""
    return frontier(load_problem(DEEPSEEK), "cost", "time", 9)


@pytest.fixture(scope="module")
def page(found: Frontier) -> Read:
    """Its page."""
    return page_of(found.problem, found)


def test_every_point_has_its_mark_and_its_plan(found: Frontier, page: Read) -> None:
    """Both widths of the chart have a mark per point, and every point a card with its cost, time and bill."""
    count = len(found.points)
    assert len(page.of_class("mark")) == 2 * count
    assert len(page.of_class("card")) == count
    for point, card in zip(found.points, page.of_class("card"), strict=True):
        plan = point.plan
        figures = f"{format_money(plan.cost_usd)}, {format_duration(plan.wall_seconds)}"
        assert card["data-short"] == f"{figures}: {devices_text(plan)}"
        bill = printed_bill(plan_figures(plan, found.problem))
        for lines in bill.phases.values():
            assert {bill.money(line.amount) for line in lines} <= set(page.texts)


def test_marks_are_for_the_keyboard_and_for_ears(found: Frontier, page: Read) -> None:
    """Marks are a group of choices of which one can be reached by tab; each says what it stands for, the knee too."""
    marks = page.of_class("mark")[: len(found.points)]
    assert {mark["role"] for mark in marks} == {"radio"}
    assert [mark["tabindex"] for mark in marks].count("0") == 1
    assert [mark["aria-checked"] for mark in marks].count("true") == 1
    assert ["knee" in mark["aria-label"] for mark in marks] == [point.is_knee for point in found.points]


def test_first_shown_is_the_first_that_keeps_the_request(found: Frontier, page: Read) -> None:
    """The page opens with the cheapest plan that is in time."""
    chosen = int(page.all("main")[0]["data-chosen"])
    kept = [found.keeps_request(point.x, point.y) for point in found.points]
    assert chosen == kept.index(True) > 0


def test_nothing_comes_from_elsewhere(page: Read) -> None:
    """No element refers outside the file, and the policy in it lets no script run but its own."""
    links = [
        attributes[name] for _, attributes in page.elements for name in ("src", "href", "srcset") if name in attributes
    ]
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert not re.search(r"url\(|@import", STYLE)
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    script = next(text for text in page.texts if text.lstrip().startswith('"use strict"'))
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_text_of_the_problem_stays_text() -> None:
    """Names that look like markup are shown as they are: no element and no attribute comes of them."""
    problem = load_problem(DEEPSEEK)
    phases = tuple(
        one.model_copy(update={"name": f"{EVIL}{index}"}) for index, one in enumerate(problem.training.phases)
    )
    offers = tuple(one.model_copy(update={"name": EVIL}) for one in problem.market.offers)
    evil = problem.model_copy(
        update={
            "name": EVIL,
            "training": problem.training.model_copy(update={"phases": phases}),
            "market": problem.market.model_copy(update={"offers": offers}),
        }
    )
    shown = page_of(evil, frontier(evil, "cost", "time", 3))
    is_harmless(shown)
    assert f"{EVIL}: what time costs" in shown.texts
    assert any(text.startswith(EVIL) for text in shown.texts)


def is_harmless(shown: Read) -> None:
    """One script, no picture, no handler."""
    assert len(shown.all("script")) == 1
    assert shown.all("img") == []
    assert [name for _, attributes in shown.elements for name in attributes if name.startswith("on")] == []


def test_text_of_charts_and_tables_stays_text() -> None:
    """Nor does anything else that a page is made of become markup."""
    cells = ((HeatCell(EVIL, 1.0, EVIL), HeatCell("–", None)),)
    chart = heat_map_chart(HeatMap(EVIL, EVIL, EVIL, (EVIL, "b"), EVIL, (EVIL,), cells))
    card = Card(EVIL, EVIL, EVIL, facts=(Fact(EVIL, EVIL),), change=(EVIL,), tables=(Table(EVIL, (EVIL,), ((EVIL,),)),))
    shown = Read(rendered(Page(EVIL, (EVIL,), (card, card), chart=chart, columns=2, notes=(EVIL,))))
    is_harmless(shown)
    assert len(shown.of_class("mark")) == 4
    assert shown.texts.count(EVIL) > 10


def test_the_same_problem_gives_the_same_page(found: Frontier) -> None:
    """Nothing of time or chance is in a page."""
    others = rivals(found, room_of(found.problem))
    assert rendered(frontier_page(found, others)) == rendered(frontier_page(found, others))


@pytest.mark.parametrize("axes", few([("cost", "gpus"), ("time", "gpus"), ("cost", "tokens"), ("time", "tokens")]))
def test_every_pair_of_axes_has_a_page(axes: tuple[str, str], tmp_path: Path) -> None:
    """Whatever is shown against whatever, the page has a title of its own and a mark per point."""
    path = tmp_path / "page.html"
    done = run("frontier", DEEPSEEK, "--x", axes[0], "--y", axes[1], "--points", "4", "--html", str(path), "--json")
    assert done.exit_code == 0
    shown = Read(path.read_text(encoding="utf-8"))
    assert len(shown.of_class("mark")) == 2 * done.stdout.count('"knee":')


@pytest.mark.slow
def test_rivals_have_curves_and_a_table() -> None:
    """Beside a frontier of several accelerators each has its best plan in a table."""
    problem = load_problem(ROOT / "problems" / "startup_7b.yaml")
    found = frontier(problem, "cost", "time", 5)
    others = rivals(found, room_of(problem))
    costs = [one.best.cost_usd for one in others if one.best]
    assert costs == sorted(costs)
    assert len(costs) > 3
    assert "The best plan of each accelerator within all limits" in page_of(problem, found).texts


@pytest.mark.slow
def test_answer_has_a_page(tmp_path: Path) -> None:
    """`plan solve --html` writes the plan's bill, its limits and every runner-up."""
    path = tmp_path / "answer.html"
    done = run("solve", str(ROOT / "problems" / "startup_7b.yaml"), "--html", str(path))
    shown = Read(path.read_text(encoding="utf-8"))
    assert done.exit_code == 0
    assert len(shown.of_class("card")) > 3
    assert {"Limits", "Every accelerator", "✓ proven best", "Bill"} <= set(shown.texts)


@pytest.mark.slow
def test_answer_without_plan_has_a_page(tmp_path: Path) -> None:
    """When nothing fits, the page shows the smallest relaxations."""
    path = tmp_path / "answer.html"
    done = run("solve", DEEPSEEK, "--set", "limits.deadline=20d", "--html", str(path))
    shown = Read(path.read_text(encoding="utf-8"))
    assert done.exit_code == 3
    assert "Smallest relaxations: each of these alone" in shown.texts
    assert shown.of_class("card") == []


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the extra the command says what to install, before it does anything."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    path = tmp_path / "page.html"
    done = run("frontier", DEEPSEEK, "--html", str(path))
    assert done.exit_code == 2
    assert "pip install 'plan-training[html]'" in done.stderr
    assert "from a checkout pip install '.[html]'" in done.stderr
    assert not path.exists()


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A folder that is not there is the user's mistake and leaves nothing behind; without a plan there is no page."""
    missing = run("frontier", DEEPSEEK, "--points", "2", "--html", str(tmp_path / "no" / "page.html"))
    assert (missing.exit_code, "cannot write it" in missing.stderr) == (2, True)
    none = run("frontier", DEEPSEEK, "--set", "limits.gpus=8", "--html", str(tmp_path / "page.html"))
    assert (none.exit_code, "was not written" in none.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_shades_go_from_least_to_most() -> None:
    """The least value has the first shade, the most the last, and what has none has no shade."""
    cells = tuple(HeatCell("", value) for value in (1.0, None, 2.5, 4.0))
    assert levels(cells) == [0, None, 4, 6]


def test_shades_hardly_differ_where_values_hardly_do() -> None:
    """A few per cent are no step from white to navy."""
    cells = tuple(HeatCell("", value) for value in (100.0, 101.0, 103.5))
    assert levels(cells) == [0, 0, 0]


def test_columns_go_where_every_row_says_the_same() -> None:
    """A row without a value does not count; one row alone keeps all."""
    table = Table(
        "", ("GPUs", "spot", "where"), (("8", "0%", "a"), ("16", "–", "a")), frozenset({0, 1}), frozenset({2})
    )
    found = table.varying("spot", "where")
    assert (found.headings, found.rows, found.figures) == (("GPUs",), (("8",), ("16",)), frozenset({0}))
    assert levels((HeatCell("", 5.0),)) == [0]


def test_ticks_are_round_and_as_many_as_asked() -> None:
    """From dollars to billions a logarithmic axis has about as many ticks as asked, each a round number."""
    for low, high in ((5e6, 3.5e7), (3e4, 2e8), (28.0, 200.0), (1e9, 8e9)):
        ticks = log_ticks(low, high, 6)
        assert 4 <= len(ticks) <= 9
        assert all(low <= tick <= high for tick in ticks)
        assert all(re.fullmatch(r"[1-9][05]?0*", f"{tick:.0f}") for tick in ticks)


def test_axis_of_time_has_a_fitting_unit() -> None:
    """Days, hours or minutes, whichever is readable."""
    titles = [Ruler.of("y", "time", [one / 2, one]).title for one in (1e7, 2e4, 600.0)]
    assert [title.rpartition(" ")[2] for title in titles] == ["days", "hours", "minutes"]


def variables(block: str) -> dict[str, str]:
    """The colours of a theme."""
    return dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_sufficient(theme: int) -> None:
    """Text has a contrast of at least 4.5, marks of at least 3, in the light and in the dark."""
    light, dark = (variables(STYLE.split("@media")[index]) for index in (0, 1))
    colours = light | (dark if theme else {})
    texts = [(name, "paper") for name in ("ink", "muted", "accent", "good", "bad")] + [
        ("muted", "soft"),
        ("ink", "soft"),
    ]
    texts += [(f"on{level}", f"h{level}") for level in range(7)]
    marks = [(f"s{index}", "paper") for index in range(8)]
    assert [pair for pair in texts if contrast(colours[pair[0]], colours[pair[1]]) < 4.5] == []
    assert [pair for pair in marks if contrast(colours[pair[0]], colours[pair[1]]) < 3] == []


def run(*words: str) -> Result:
    """A command's end."""
    return CliRunner().invoke(main, list(words))
