"""Plans large training runs: GPUs, layout, purchase, cost and date, with a proof.

The public API, each name imported when it is first used:

    problem = planner.load_problem("problem.yaml", overrides={"limits.budget": "$6M"})
    planner.Session(problem).solve().plan.cost_usd
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from planner.errors import InputError
    from planner.plans.document import PlanDocument
    from planner.problem.problem import Problem
    from planner.problem.run import Run
    from planner.session import Session, estimate, load_problem

__version__ = "0.2.0"
__all__ = ["InputError", "PlanDocument", "Problem", "Run", "Session", "__version__", "estimate", "load_problem"]

_HOME: Final = {
    "InputError": "planner.errors",
    "PlanDocument": "planner.plans.document",
    "Problem": "planner.problem.problem",
    "Run": "planner.problem.run",
    "Session": "planner.session",
    "estimate": "planner.session",
    "load_problem": "planner.session",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> object:
    """A public name, imported now: importing the package alone loads nothing heavy."""
    if name not in _HOME:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
