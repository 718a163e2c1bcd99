"""`plan schema`: the JSON schema of problem, run and portfolio files, and of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import click


@click.command()
@click.argument("kind", type=click.Choice(["problem", "run", "portfolio", "answer", "track"]), default="problem")
@click.option("--out", type=click.Path(), help="Write to this file instead of standard output.")
def schema(kind: Literal["problem", "run", "portfolio", "answer", "track"], out: str | None) -> None:
    """Print the JSON schema of problem files (KIND problem, the default), run files, portfolio files or answers.

    KIND track: of what `plan track --json` prints. Editors use it for completion and checks: start a file with
    `# yaml-language-server: $schema=…/schema/problem.json`.
    """
    from planner.files import write_whole
    from planner.learning.track_document import track_schema
    from planner.plans.document import answer_schema
    from planner.portfolio.file import portfolio_schema
    from planner.problem.problem import json_schema

    schemas: dict[str, Callable[[], dict[str, Any]]] = {
        "problem": json_schema,
        "run": partial(json_schema, "run"),
        "portfolio": portfolio_schema,
        "answer": answer_schema,
        "track": track_schema,
    }
    text = json.dumps(schemas[kind](), indent=2, ensure_ascii=False) + "\n"
    if out is not None:
        write_whole(out, text)
    else:
        click.echo(text, nl=False)
