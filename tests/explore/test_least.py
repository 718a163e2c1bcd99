"""What tells purchase options hopeless before anything of them is added up."""

from pathlib import Path

import pytest

from planner.explore.job_modes import Bounds, bounds_of, undominated_job_modes
from planner.explore.least import affordable
from planner.plans.choices import Choices, choices_of
from planner.problem.document import read_document
from planner.problem.problem import Problem

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"


def choices_for(name: str, *sets: str) -> Choices:
    """The choices of one of the problem files."""
    return choices_of(Problem.of(read_document(PROBLEMS / name, sets)))


@pytest.mark.parametrize("together", ["true", "false"])
def test_no_purchase_option_of_a_plan_is_told_hopeless(together: str) -> None:
    """Whatever stays among the ways to run a job is bought with an option that is affordable within the same bounds."""
    choices = choices_for("llama3_70b_continued.yaml", f"market.together={together}")
    modes = undominated_job_modes(choices, bounds_of(choices.problem))
    assert modes
    for mode in modes:
        bounds = Bounds(mode.wall_seconds, mode.cost_usd)
        kept = affordable(choices, bounds.wall_seconds, bounds.left.cents)
        assert all(stay.purchase_option in kept for stay in mode.stays)


def test_nothing_is_affordable_for_a_cent() -> None:
    """A bound below what anything costs leaves no purchase option, and so does one on time."""
    choices = choices_for("own_cluster.yaml")
    assert affordable(choices, float("inf"), float("inf"))
    assert not affordable(choices, float("inf"), 1.0)
    assert not affordable(choices, 1.0, float("inf"))
