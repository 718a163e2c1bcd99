"""The thin model minimises what it is told to."""

from __future__ import annotations

from planner.cpsat.model import OPTIMAL, Model, SatParameters, Search


def test_the_objective_is_part_of_the_model() -> None:
    """The least value is found whatever is hinted, also when another objective was set before."""
    model = Model()
    number = model.new_int_var(1, 5, "number")
    model.hint(number, 4)
    model.minimize(number * -1)
    model.minimize(number * 3)
    search = Search(model, SatParameters())
    assert search.run() == OPTIMAL
    assert search.value(number) == 1
    assert search.response.best_objective_bound == 3
