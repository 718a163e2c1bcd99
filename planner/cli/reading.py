"""Reading what commands are given, with a warning about figures that can hardly be meant.

Commands call these functions before they import what they work with, so that a file that cannot be read costs little.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from planner.units import format_count

if TYPE_CHECKING:
    from planner.problem.problem import Problem
    from planner.problem.run import Run


def problem_of(path: str, sets: tuple[str, ...]) -> Problem:
    """The problem in a file (`-`: standard input) with its `--set` overrides. Raises InputError with every issue."""
    from planner.problem.document import read_document

    document = read_document(path, sets)  # before the classes below, which take long to import
    from planner.market.names import named_problem

    problem = named_problem(document)
    warn_of_phases(problem)
    return problem


def warn_of_phases(*problems: Problem) -> None:
    """Warns on stderr of phases that do not fill one step, of each once."""
    for phase in dict.fromkeys(phase for problem in problems for phase in problem.training.phases):
        step = phase.sequence_length * phase.global_batch
        _warn(_too_few(phase.name, phase.tokens, step, "step"))
        _warn(_too_large(phase.name, phase.global_batch, step))


def run_of(path: str, sets: tuple[str, ...]) -> Run:
    """The run in a file (`-`: standard input) with its `--set` overrides. Raises InputError with every issue."""
    from planner.problem.document import read_document

    document = read_document(path, sets)  # before the classes below, which take long to import
    from planner.problem.run import Run

    run = Run.of(document)
    step = run.training.sequence_length * run.training.global_batch
    _warn(_too_few("training.tokens", run.training.tokens, step, "step"))
    return run


def warn_of_few_tokens(tokens: int | None, sequence_length: int) -> None:
    """Warns on stderr of `--tokens` that do not fill one sequence."""
    if tokens is not None:
        _warn(_too_few("--tokens", tokens, sequence_length, "sequence"))


LARGEST_STEP = 200_000_000
"""Tokens of a step beyond which a batch in sequences was likely meant in tokens; no published run takes more."""


def _too_large(name: str, sequences: int, step: int) -> Iterator[str]:
    """A warning that a batch was likely meant in tokens."""
    if step > LARGEST_STEP:
        yield (
            f"{name}: a global batch of {sequences:,} sequences is {step:,} tokens a step; "
            f"if tokens were meant, write global_batch: {sequences} tokens"
        )


def _too_few(where: str, tokens: int, least: int, of_what: str) -> Iterator[str]:
    """What is to be said of tokens that are less than the least that is trained on at a time."""
    if tokens < least:
        meant = f"{tokens}T" if 0 < tokens < 1000 else "1T"
        few = f"{format_count(tokens)} tokens are less than one {of_what} of {format_count(least)} tokens"
        yield f"{where}: {few}; is a unit missing, such as {meant}?"


def _warn(messages: Iterator[str]) -> None:
    for message in messages:
        click.echo(f"warning: {message}", err=True)
