"""A plan with a start tells days beside durations, and its bill by month and quarter, wherever it is written."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Final

import pytest
from click.testing import CliRunner

from planner.cli import main
from planner.plans.document import PlanDocument
from planner.report.solve_files import csv_text, markdown_text, workbook
from planner.report.variance import variance
from planner.session import Session, load_problem

TEXT: Final = """\
schema: plan/1
name: dated
model: llama3.1-8b
training:
  phases:
    - {name: pretrain, tokens: 200B, sequence_length: 8192, global_batch: 512}
    - {name: anneal, tokens: 20B, sequence_length: 8192, global_batch: 512}
schedule: {start: 2027-01-20, deadline: 2027-03-15}
market:
  clouds: []
  committed: {2026 reservation: $310k}
  purchase: [reserved]
  offers: [{name: ours, accelerator: H100-80GB-SXM5, nodes: 8, reserved: $0.95/GPU-h, minimum_term: 60d}]
limits: {deadline: 70d, gpus: 16}
"""
START: Final = date(2027, 1, 20)


@pytest.fixture(scope="module")
def session() -> Session:
    """The problem above, to be asked often."""
    return Session(load_problem(TEXT))


def test_the_tighter_deadline_binds() -> None:
    """55 days until 15 March are tighter than 70 days, and 20 days are tighter than that; each is told by its key."""
    day, days = load_problem(TEXT), load_problem(TEXT, {"limits.deadline": "20d"})
    assert (day.limits.deadline, day.is_bound_by_day) == (55 * 86400, True)
    assert (days.limits.deadline, days.is_bound_by_day) == (20 * 86400, False)


def test_the_document_tells_days_and_spend(session: Session) -> None:
    """Days follow from seconds, months add up to the bill, and what is idle or paid already stands beside it."""
    document = session.solve()
    plan = document.plan
    assert plan
    assert plan.schedule
    assert plan.spend
    end = START + timedelta(seconds=plan.wall_seconds)
    assert (plan.schedule.begin, plan.schedule.end, plan.phases[-1].end) == (START, end, end)
    assert plan.schedule.deadline == date(2027, 3, 15)
    assert plan.schedule.deadline_by == "schedule.deadline"
    assert plan.schedule.other_deadline == date(2027, 3, 30)
    assert sum(one.usd for one in plan.spend.months) == plan.cost_usd
    assert sum(one.usd for one in plan.spend.quarters) == plan.cost_usd
    assert [one.month for one in plan.spend.months] == ["2027-01", "2027-02", "2027-03"]
    hours = sum(phase.wall_seconds for phase in plan.phases) / 3600
    (line,) = plan.purchases
    assert float(plan.spend.idle_usd) == pytest.approx(float(plan.cost_usd) * (1 - hours / line.hours), abs=0.01)
    assert [(one.name, one.usd) for one in plan.spend.committed] == [("2026 reservation", Decimal(310_000))]


def test_an_answer_keeps_both_deadlines(session: Session) -> None:
    """The problem in an answer states what the file stated, so that another day gives another answer."""
    again = PlanDocument.parsed(session.solve().to_json()).asked
    assert again.stated_deadline == 70 * 86400
    later = session.changed({"schedule.deadline": "2027-06-01"}).problem
    assert (later.limits.deadline, later.is_bound_by_day) == (70 * 86400, False)


def test_text_and_markdown_tell_days(session: Session) -> None:
    """Both say when the job runs, what binds, and what is due in each month and quarter."""
    document = session.solve()
    assert document.plan
    markdown = markdown_text(document, document.plan)
    text = CliRunner().invoke(main, ["solve", "-"], input=TEXT).stdout
    for shown in (text, markdown):
        assert "runs 2027-01-20 to 2027-02-21; schedule.deadline allows until 2027-03-15" in shown
        assert "limits.deadline would allow until 2027-03-30; the earlier one binds" in shown
        assert "55 d (2027-03-15)" in shown
        assert "2027-Q1" in shown
        assert "2026 reservation: $310,000" in shown


def test_files_tell_days(session: Session) -> None:
    """The bill as CSV has first and last day of each line; the workbook has months under quarters as formulas."""
    openpyxl = pytest.importorskip("openpyxl")
    document = session.solve()
    plan = document.plan
    assert plan
    (row,) = csv.DictReader(StringIO(csv_text(plan)))
    assert (row["begin"], row["end"]) == ("2027-01-20", "2027-03-20")
    rows = list(openpyxl.load_workbook(BytesIO(workbook(document, plan)))["Spend"].iter_rows(values_only=True))
    assert sum(Decimal(str(one[1])) for one in rows[1:4]) == plan.cost_usd
    assert rows[3][2:4] == ("2027-Q1", "=SUM(B2:B4)")


@pytest.mark.slow
def test_the_smallest_later_day_is_offered() -> None:
    """The later day that is offered allows a plan, and the day before it does not."""
    tight = load_problem(TEXT, {"schedule.deadline": "2027-01-30", "limits.gpus": "8", "limits.deadline": "12d"})
    (relaxed,) = (one for one in Session(tight).answered.around.gives if one.limit == "schedule.deadline")
    sets = dict(one.split("=") for one in relaxed.sets)
    assert set(sets) == {"schedule.deadline", "limits.deadline"}
    overrides = {"limits.gpus": "8", **sets}
    day = date.fromisoformat(sets["schedule.deadline"])
    assert Session(load_problem(TEXT, overrides)).solve().plan
    before = {**overrides, "schedule.deadline": str(day - timedelta(days=1))}
    assert Session(load_problem(TEXT, before)).solve().plan is None


def test_a_bill_with_two_prices_is_compared_as_one() -> None:
    """Where the price falls within a phase each price has its line, and a comparison finds the whole difference."""
    one_price = {"market.purchase": "[on_demand]", "market.offers[0].minimum_term": "null", "objective": "time"}
    periods = "[{price: $2/GPU-h}, {from: 2027-01-30, price: $1/GPU-h}]"
    prices = ("$2/GPU-h", periods)
    old, new = (
        Session(load_problem(TEXT, one_price | {"market.offers[0].on_demand": price})).solve().plan for price in prices
    )
    assert old
    assert new
    lines = [one for one in new.purchases if one.phase == "pretrain"]
    assert [str(one.usd_per_gpu_hour) for one in lines] == ["2.00", "1.00"]
    assert lines[0].hours == pytest.approx(240)
    found = variance(old, new)
    assert sum(found.usd.values()) == new.cost_usd - old.cost_usd
    assert found.usd["price"] == pytest.approx(new.cost_usd - old.cost_usd, abs=Decimal("0.05"))
