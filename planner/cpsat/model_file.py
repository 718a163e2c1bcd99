"""The model of an answer as a file, for anyone to read and to solve elsewhere."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ortools.sat.python import cp_model_helper as compiled

from planner.cpsat.objective import measure_of
from planner.cpsat.search import Built, build
from planner.cpsat.variables import PhaseVariables
from planner.plans.choices import Choices, PhaseModes
from planner.problem.parallelism import LETTERS


def model_file(choices: Choices, *, is_text: bool) -> bytes:
    """The model that proves a plan of the choices, with its objective, as a CpModelProto; its name says what a unit is.

    `is_text`: as text instead of binary.
    """
    built = build(choices)
    built.model.minimize(measure_of(choices.objective)(built.plan))
    _name(built, choices)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("model.txt" if is_text else "model.pb")
        compiled.CpSatHelper.write_model_to_file(built.model.model_proto, str(path))
        return path.read_bytes()


def _name(built: Built, choices: Choices) -> None:
    """Says in the model what a unit is, and of every layout what it is."""
    scale, problem = built.scale, choices.problem
    built.model.model_proto.name = (
        f"{problem.name or 'plan'}: least {'wall' if choices.objective == 'time' else 'cost'}; units: time "
        f"{scale.seconds:.6g} s, cost ${scale.usd:.6g}, price ${scale.usd_per_node_hour:.6g} a node-hour, memory 1 KiB"
    )
    for index, phase in enumerate(built.plan.phases):
        _name_layouts(phase, choices, index)


def _name_layouts(phase: PhaseVariables, choices: Choices, index: int) -> None:
    """What each layout of a phase is called: where it runs, and its degrees."""
    recompute = choices.spaces[index].degrees.recompute
    options = zip(phase.options, phase.figures.sites, phase.figures.indices, strict=True)
    for option, site, row in options:
        accelerator, per_node, _, network = site.machine
        modes: PhaseModes = choices.modelled[index][site]
        degrees = " ".join(f"{letter}{modes.rows.degrees[key][row]}" for key, letter in LETTERS.items())
        batch, zero = (modes.rows.degrees[key][row] for key in ("micro_batch", "zero"))
        again = recompute[int(modes.rows.recompute[row])].kind
        policy = f"{site.spot_policy.policy}{', arriving' if site.arrives else ''}"
        option.with_name(
            f"{phase.figures.name}.layout[{accelerator}, {per_node} a node, {network:g} Gb/s, {policy}: "
            f"{int(modes.bought[row])} nodes, {degrees}, micro-batch {batch}, ZeRO-{zero}, recompute {again}]"
        )
