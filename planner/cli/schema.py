"""`plan schema`: the JSON schema of problem files, run files and answers."""

from __future__ import annotations

import json
from typing import Literal

import click


@click.command()
@click.argument("kind", type=click.Choice(["problem", "run", "answer"]), default="problem")
@click.option("--out", type=click.Path(), help="Write to this file instead of standard output.")
def schema(kind: Literal["problem", "run", "answer"], out: str | None) -> None:
    """Print the JSON schema of problem files (KIND problem, the default), run files or answers.

    Editors use it for completion and checks: start a file with
    `# yaml-language-server: $schema=…/schema/problem.json`.
    """
    from planner.files import write_whole
    from planner.plans.document import answer_schema
    from planner.problem.problem import json_schema

    schema = answer_schema() if kind == "answer" else json_schema(kind)
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if out is not None:
        write_whole(out, text)
    else:
        click.echo(text, nl=False)
