"""Answers around the optimum: alternatives, frontier, relaxations, sensitivity, what-if tables, scaling."""
