"""`plan import`: a launch file of a framework as a run file."""

from __future__ import annotations

import click

FORMATS = ("megatron", "torchtitan", "deepspeed", "accelerate", "axolotl", "llama-factory", "maxtext", "bridge")


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option("--from", "kind", type=click.Choice(FORMATS), help="What the file is for; default: what it looks like.")
@click.option("--on", "accelerator", metavar="ACCELERATOR", help="Device, such as H100-80GB-SXM5.")
@click.option("--gpus", type=click.IntRange(1, 10_000_000), metavar="N", help="Number of devices.")
@click.option("--model", metavar="MODEL", help="A model of the catalog or a config.json, where the file names none.")
@click.option("--tokens", metavar="TOKENS", help="Tokens of the whole run, such as 1T, where the file has no steps.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="PATH=VALUE",
    help="State a key of the run, such as cluster.network=400Gb/s.",
)
@click.option("--out", type=click.Path(), metavar="RUN.YAML", help="Write the run file here instead of stdout.")
def import_(
    file: str,
    kind: str | None,
    accelerator: str | None,
    gpus: int | None,
    model: str | None,
    tokens: str | None,
    sets: tuple[str, ...],
    out: str | None,
) -> None:
    """A launch file as a run file, for `plan estimate`.

    FILE is a launch script or a list of arguments of Megatron-LM, a command line of torchtitan, DeepSpeed's JSON, the
    YAML of axolotl, LLaMA-Factory, Accelerate or MaxText, a recipe of NeMo or Megatron-Bridge, or what `plan export`
    wrote; - for standard input. Nothing in it is run. What was assumed goes to stderr.
    """
    from planner.files import read_given, text_of
    from planner.foreign.read import read_launch_file
    from planner.foreign.run_file import run_text
    from planner.problem.document import MAX_BYTES

    text = text_of(read_given(file, MAX_BYTES, fix="give the part that starts the run, or - for standard input"), file)
    reading = read_launch_file(text, file, kind)
    stated = {"cluster.accelerator": accelerator, "cluster.gpus": gpus, "model": model, "training.tokens": tokens}
    options = {path: str(value) for path, value in stated.items() if value is not None}
    text, assumed = run_text(reading, file, options, sets)
    for line in assumed:
        click.echo(f"assumed: {line}", err=True)
    if out is None:
        return click.echo(text, nl=False)
    from planner.files import write_whole

    return write_whole(out, text)
