"""The constraint model: variables, constraints, objective, search; the only room that imports OR-Tools."""
