"""A model of integers for CP-SAT: variables, rules, intervals, an objective, and the search.

`ortools.sat.python.cp_model` offers the same and imports pandas, which takes longer than most searches here. This
stands on the compiled part that it stands on too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from ortools.sat.python import cp_model_helper as compiled
from ortools.sat.python.cp_model_helper import (
    BoundedLinearExpression,
    Constraint,
    CpSolverResponse,
    IntervalVar,
    IntVar,
    LinearExpr,
    Literal,
    SatParameters,
    SolutionCallback,
)
from ortools.util.python.sorted_interval_list import Domain

__all__ = [
    "Constraint",
    "Domain",
    "IntVar",
    "IntervalVar",
    "LinearExpr",
    "Literal",
    "Model",
    "SatParameters",
    "SolutionCallback",
    "SolverRun",
]

OPTIMAL: Final = compiled.OPTIMAL
FEASIBLE: Final = compiled.FEASIBLE
INFEASIBLE: Final = compiled.INFEASIBLE
UNKNOWN: Final = compiled.UNKNOWN

Expression = LinearExpr | int
Rule = BoundedLinearExpression | bool
"""What comparing expressions gives: a bool where no variable is left in them."""


class Model(compiled.CpBaseModel):
    """Variables, the rules between them, and what is minimised."""

    if TYPE_CHECKING:  # the library's stubs leave these out

        def _add_bounded_linear_expression(self, rule: BoundedLinearExpression) -> Constraint: ...

        def _add_bool_argument_constraint(
            self, kind: compiled.BoolArgumentConstraint, *literals: Literal
        ) -> Constraint: ...

        def _add_linear_argument_constraint(
            self, kind: compiled.LinearArgumentConstraint, target: LinearExpr, *expressions: LinearExpr
        ) -> Constraint: ...

        def _new_interval_var(self, name: str, *parts: Any) -> IntervalVar: ...  # noqa: ANN401  (numbers or expressions)

        def _add_no_overlap(self, intervals: list[IntervalVar]) -> Constraint: ...

        def _add_cumulative(
            self, intervals: list[IntervalVar], demands: list[Expression], capacity: Expression
        ) -> Constraint: ...

    def __init__(self) -> None:
        super().__init__(compiled.CpModelProto())

    def new_int_var(self, least: int, most: int, name: str) -> IntVar:
        """An integer between two bounds."""
        return IntVar(self.model_proto).with_name(name).with_domain(Domain(least, most))

    def new_bool_var(self, name: str) -> IntVar:
        """A decision: 0 or 1."""
        return self.new_int_var(0, 1, name)

    def add(self, rule: Rule) -> Constraint:
        """A linear rule, such as `x + y <= 3`."""
        if isinstance(rule, BoundedLinearExpression):
            return self._add_bounded_linear_expression(rule)
        return self._of_literals(compiled.bool_and if rule else compiled.bool_or, [])

    def add_in_domain(self, expression: LinearExpr, domain: Domain) -> Constraint:
        """The value of an expression lies in a domain."""
        return self._add_bounded_linear_expression(BoundedLinearExpression(expression, domain))

    def add_exactly_one(self, literals: Iterable[Literal]) -> Constraint:
        """Exactly one of the decisions is taken."""
        return self._of_literals(compiled.exactly_one, literals)

    def add_at_most_one(self, literals: Iterable[Literal]) -> Constraint:
        """At most one of the decisions is taken."""
        return self._of_literals(compiled.at_most_one, literals)

    def _of_literals(self, kind: compiled.BoolArgumentConstraint, literals: Iterable[Literal]) -> Constraint:
        return self._add_bool_argument_constraint(kind, *literals)

    def add_product(self, product: LinearExpr, factors: Iterable[LinearExpr]) -> Constraint:
        """The product of the factors."""
        return self._add_linear_argument_constraint(compiled.prod, product, *factors)

    def add_maximum(self, most: LinearExpr, values: Iterable[LinearExpr]) -> Constraint:
        """The largest of the values."""
        return self._add_linear_argument_constraint(compiled.max, most, *values)

    def new_interval(
        self, start: Expression, size: Expression, end: Expression, name: str, present: Literal | None = None
    ) -> IntervalVar:
        """Start + size = end, where it is present; each is a variable, a number, or a · variable + b."""
        return self._new_interval_var(name, start, size, end, [] if present is None else [present])

    def add_cumulative(
        self, intervals: Iterable[IntervalVar], demands: Iterable[Expression], capacity: Expression
    ) -> Constraint:
        """At any time the demands of the intervals that run then keep to the capacity."""
        return self._add_cumulative(list(intervals), list(demands), capacity)

    def minimize(self, expression: Expression) -> None:
        """Sets what is minimised."""
        flat = compiled.FlatIntExpr(LinearExpr.sum([expression]))
        self.model_proto.clear_objective()
        objective = self.model_proto.objective  # only now: one that was taken before is no longer part of the model
        objective.vars.extend(variable.index for variable in flat.vars)
        objective.coeffs.extend(flat.coeffs)
        objective.offset = flat.offset
        objective.scaling_factor = 1.0

    def hint(self, variable: IntVar, value: int) -> None:
        """Where the search begins."""
        self.model_proto.solution_hint.vars.append(variable.index)
        self.model_proto.solution_hint.values.append(int(value))

    def fault(self) -> str:
        """Why the model is not well formed, such as sums beyond 64 bits; empty when it is."""
        return compiled.CpSatHelper.validate_model(self.model_proto)


class SolverRun:
    """One search of a model, whose values can be read once it is over."""

    def __init__(self, model: Model, parameters: SatParameters) -> None:
        self.model = model
        self._solver = compiled.SolveWrapper()
        parameters.catch_sigint_signal = False  # its handler would replace Python's, and leave none behind
        self._solver.set_parameters(parameters)
        self.response: CpSolverResponse = compiled.CpSolverResponse()

    def run(
        self,
        on_solution: SolutionCallback | None = None,
        on_bound: Callable[[float], None] | None = None,
    ) -> compiled.CpSolverStatus:
        """Searches to the end, or to what the parameters allow, and says how far it came."""
        if on_solution is not None:
            self._solver.add_solution_callback(on_solution)
        if on_bound is not None:
            self._solver.add_best_bound_callback(on_bound)
        solve: Callable[[compiled.CpModelProto], CpSolverResponse] = self._solver.solve
        self.response = solve(self.model.model_proto)
        status: compiled.CpSolverStatus = self.response.status
        return status

    def stop(self) -> None:
        """Ends the search from a callback or another thread; what was found by then stays."""
        self._solver.stop_search()

    def value(self, expression: Expression) -> int:
        """Value of an expression in the plan that was found."""
        return compiled.ResponseHelper.value(self.response, expression)

    def is_true(self, literal: Literal) -> bool:
        """Whether a decision is taken in the plan that was found."""
        return compiled.ResponseHelper.boolean_value(self.response, literal)
