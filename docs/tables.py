"""What `docs/generate.py` fills pages with: the output of commands, and tables from catalogs, sources and commands."""
# ruff: noqa: INP001  (a module beside a script)

from __future__ import annotations

import ast
import atexit
import contextlib
import csv
import json
import math
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from click.testing import CliRunner

from planner.catalog.calibration import Accuracy, load_calibration
from planner.catalog.inline_keys import INLINE_KEYS, REQUIRED
from planner.catalog.offers import load_offers, usable
from planner.catalog.software import load_stacks
from planner.cli import COMMANDS, main
from planner.explore.answer import answer
from planner.market.spot import gang_availability, spot_figures
from planner.performance.predictive import FEW_ROUNDS, LARGE, NORMAL_80
from planner.plans.plan import Plan
from planner.plans.solution import Status
from planner.problem.problem import load_problem
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, format_money, format_number, format_probability
from planner.validation.priors import MEMORY_PRIORS, TIME_PRIORS, Prior
from planner.validation.published import builtin_runs
from planner.verify.check import violations

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"COLUMNS": "96", "NO_COLOR": "1", "FORCE_COLOR": None, "PLAN_DEBUG": None}
ANSWERS = (0, 3)
"""Exit codes of an answer: something found, or the proof that there is nothing."""
KINDS = {
    "all": "step time",
    "dense": "– dense models",
    "moe": "– mixtures of experts",
    "adapters": "– adapters on a frozen base",
    "large": "– on more than 1,000 devices",
    "launch-bound": "launch-bound: tiny models on one node, scored apart",
    "memory": "peak memory",
}
"""How the accuracy table calls what the calibration scored."""

Lines = Iterator[str]


@cache
def desk() -> Path:
    """A folder for commands to run in and write to, with the checkout's problems; it ends with the process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    (folder / "problems").symlink_to(ROOT / "problems")
    return folder


@cache
def plan(command: str) -> str:
    """What a `plan …` command prints on standard output. Raises ValueError when it does not answer."""
    with contextlib.chdir(desk()):
        result = CliRunner().invoke(main, shlex.split(command)[1:], env=ENVIRONMENT, prog_name="plan")
    if result.exit_code not in ANSWERS:
        raise ValueError(f"{command}: exit code {result.exit_code}: {result.stderr}")
    return result.stdout.strip()


def plan_json(command: str) -> dict[str, Any]:
    """The document that a `plan … --json` command prints."""
    document: dict[str, Any] = json.loads(plan(command))
    return document


def console(command: str, keep: str | None) -> Lines:
    """A console block with the command and its output, or the paragraphs of it in which a line matches `keep`."""
    paragraphs = plan(command).split("\n\n")
    kept = [text for text in paragraphs if keep is None or re.search(keep, text, re.MULTILINE)]
    if not kept:
        raise ValueError(f"{command}: no paragraph of the output matches {keep}")
    yield from ("```console", f"$ {command}", "\n\n".join(kept), "```")


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> Lines:
    """A Markdown table; a column whose heading ends in a colon is aligned right."""
    names = list(heading)
    yield f"| {' | '.join(name.rstrip(':') for name in names)} |"
    yield f"|{'|'.join('--:' if name.endswith(':') else '---' for name in names)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '∣') for cell in row)} |"


def percent(share: float, places: int = 0) -> str:
    """A share in per cent."""
    return f"{100 * share:.{places}f} %"


def commands() -> Lines:
    """The subcommands."""
    yield from table(("command", "answers"), ((f"`plan {name}`", text) for name, text in COMMANDS.items()))


def accuracy() -> Lines:
    """Error on sources that the fit had not seen, from the catalog's calibration."""

    def cells(one: Accuracy) -> Iterator[str]:
        yield from (KINDS.get(one.kind, one.kind), f"{one.configs:,}")
        yield from (
            percent(one.median_ape, 1),
            percent(one.mean_ape, 1),
            percent(one.within_10),
            percent(one.within_20),
        )
        yield from (percent(one.fitted_median_ape, 1), f"{one.median_ape / one.fitted_median_ape:.2f}")
        yield percent(one.in_range)

    heading = ("of unseen sources", "configurations:", "median:", "mean:", "within 10 %:", "within 20 %:")
    known = load_calibration()
    more = ("median of the fit:", "ratio:", "in the 80 % range:")
    yield from table((*heading, *more), (cells(one) for one in known.accuracies))
    yield from ("", f"Calibration of {known.date}.")


def constants() -> Lines:
    """The fitted constants beside their priors."""
    meanings = dict(_documented_fields("Constants"))
    known = load_calibration()

    def cells(prior: Prior) -> Iterator[str]:
        spread = f"{format_number(prior.value)} ×÷ {math.exp(prior.log_sd):.2f}"
        yield from (f"`{prior.name}`", meanings[prior.name], spread, format_number(known.constants[prior.name]))
        yield from (percent(known.standard_errors[prior.name]), prior.source)

    heading = ("constant", "meaning", "prior:", "fitted:", "error:", "the prior's source")
    yield from table(heading, (cells(prior) for prior in TIME_PRIORS + MEMORY_PRIORS))


def efficiencies() -> Lines:
    """The fitted factor of every accelerator that published runs were fitted for."""
    fitted = load_calibration().efficiencies
    rows = ((one.accelerator, f"{one.factor:.3f}", percent(one.standard_error), f"{one.runs:,}") for one in fitted)
    yield from table(("accelerator", "factor:", "error:", "configurations:"), rows)


def intervals() -> Lines:
    """What the printed range is made of: deviations of the logarithm, and the factor that holds 80 % alone."""
    spread = load_calibration().spread
    parts = (
        ("dense models", spread.dense),
        ("mixtures of experts", spread.moe),
        ("adapters", spread.adapters),
        (f"added above {LARGE:,} devices", spread.large),
        ("added where part of the layout is guessed", spread.gaps),
        (f"added for mixtures with at most {FEW_ROUNDS} micro-batches a step", spread.few_rounds),
        ("added for software a year newer than the fit", spread.drift_deviation),
    )
    yield from table(
        ("", "deviation of log(real/estimated):", "80 % lie within × or ÷:"),
        ((name, f"{one:.3f}", f"{math.exp(NORMAL_80 * one):.2f}") for name, one in parts),
    )
    yield ""
    moved = f"Software a year newer moves the middle by {100 * spread.drift:+.1f} %"
    yield f"Newest run in the fit: {spread.newest}. {moved}, a search's choice by {100 * spread.choice:+.1f} %."


def reliability() -> Lines:
    """Share of unseen runs inside the range of each confidence, as a table and a diagram in characters."""
    found = load_calibration().reliability
    yield from table(
        ("confidence:", "coverage:", "▒ promised, █ held"),
        ((percent(one.confidence), percent(one.coverage), _bars(one.confidence, one.coverage)) for one in found),
    )


def _bars(promised: float, held: float) -> str:
    """Two bars, one over the other, forty characters for 100 %."""
    return f"`{'▒' * round(40 * promised)}`<br>`{'█' * round(40 * held)}`"


def exclusions() -> Lines:
    """Why published configurations take no part in fit and score, and those that are scored apart."""
    found: dict[str, set[str]] = {}
    with builtin_runs().open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            reason = row["excluded"] or (
                f"kept, scored apart: {row['scored_apart']}" if row["scored_apart"] else "kept"
            )
            found.setdefault(reason, set()).add(row["id"].split("/")[0])

    def cells(reason: str, ids: set[str]) -> Iterator[str]:
        sources = sorted({one.rpartition("-")[0] for one in ids})
        yield from (reason, f"{len(ids):,}", f"{len(sources)} sources" if reason == "kept" else ", ".join(sources))

    order = sorted(found.items(), key=lambda item: (not item[0].startswith("kept"), -len(item[1]), item[0]))
    yield from table(("reason", "configurations:", "sources"), (cells(*item) for item in order))


def sources() -> Lines:
    """The publications by the beginning of their rows' ids."""
    found: dict[tuple[str, str], set[str]] = {}
    with builtin_runs().open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            configuration = row["id"].split("/")[0]
            found.setdefault((configuration.rpartition("-")[0], row["source"]), set()).add(configuration)
    rows = ((f"`{prefix}`", name, f"{len(ids):,}") for (prefix, name), ids in sorted(found.items()))
    yield from table(("id begins with", "publication", "configurations:"), rows)


def stacks() -> Lines:
    """The training stacks, and how each counts the FLOPs that it prints."""
    rows = []
    for stack in load_stacks().values():
        counted = ""
        for release in (str(entry["release"]) for entry in stack.since):
            properties = stack.at(release)
            now = "whole" if properties.attention_counted == "full" else "causal half"
            if now != counted:
                rows.append((f"`{stack.name}`", stack.title, f"{release} on", now))
            counted = now
    yield from table(("`training.software.stack`", "stack", "releases", "attention in its TFLOP/s"), rows)


EQUATIONS: Final = ("performance", "availability")
"""The rooms of the equations."""


def equations() -> Lines:
    """Every public function of the equations with what its docstring says."""
    for path in (one for room in EQUATIONS for one in sorted((ROOT / "planner" / room).glob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [one for one in tree.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]
        if functions:
            summary, source = _told(tree)
            yield from ("", f"## {path.stem}", "", f"{summary}{f' Source: {source}' if source else ''}", "")
            rows = ((f"`{one.name}`", *_told(one)) for one in functions)
            yield from table(("function", "is", "source"), rows)


def _told(node: ast.FunctionDef | ast.Module) -> tuple[str, str]:
    """A docstring without its source, and the source."""
    text = ast.get_docstring(node) or ""
    source = re.search(r"\bSources?: (.+?)(?=\n\n|\Z)", text, re.DOTALL)
    rest = text.replace(source.group(0), "") if source else text
    return " ".join(rest.split()), " ".join(source.group(1).split()) if source else ""


def _documented_fields(name: str) -> Iterator[tuple[str, str]]:
    """The fields of a record of symbols with their docstrings."""
    tree = ast.parse((ROOT / "planner" / "performance" / "symbols.py").read_text(encoding="utf-8"))
    record = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    for attribute, told in zip(record.body, record.body[1:], strict=False):
        match attribute, told:
            case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                yield field, " ".join(text.split())


def deepseek() -> Lines:
    """DeepSeek-V3's published pre-training beside the program's estimate of it."""
    answer = plan_json("plan estimate problems/runs/deepseek-v3.yaml --json")
    published, interval, gpus = answer["published"][0], answer["interval"], answer["phase"]["gpus"]

    def row(name: str, said: float, here: float, between: Iterable[float], unit: float, places: int) -> Iterator[str]:
        published, estimated, low, high = (f"{value / unit:.{places}f}" for value in (said, here, *between))
        yield from (name, published, estimated, f"{low} to {high}")

    hours = published["gpu_hours"]
    yield from table(
        ("", "published:", "estimated:", "80 % between:"),
        (
            row("million GPU-hours", hours, answer["gpu_hours"], interval["gpu_hours"], 1e6, 3),
            row(
                f"days on {gpus:,} GPUs",
                hours / gpus * SECONDS_PER_HOUR,
                answer["wall_seconds"],
                interval["wall_seconds"],
                SECONDS_PER_DAY,
                1,
            ),
        ),
    )
    difference = published["estimate_over_published"] - 1
    side = "more" if difference > 0 else "fewer"
    yield from ("", f"These are {percent(abs(difference), 1)} {side} GPU-hours than the authors published.")
    memory = answer["phase"]["memory"]
    needed = f"By the estimate the fullest GPU shows {memory['expected']:.1f} of its {memory['limit']:.1f} GiB"
    if memory["fits"]:
        yield f"{needed}, and holds them with a probability of {format_probability(memory['fit_probability'])}."
    else:
        yield f"{needed}. The run was done, so the estimate of memory is too high here: how sparingly"
        yield "this team stored activations is known to the estimator in part only."


def activations() -> Lines:
    """Activations of GPT-3 175B on one layout by micro-batch and recomputation, and what each does to the step."""
    run = "plan estimate problems/runs/gpt3-175b.yaml --json"

    def rows() -> Iterator[tuple[str, ...]]:
        for micro_batch in (1, 2, 4):
            for recompute in ("none", "selective", "full"):
                phase = plan_json(f"{run} --set layout.micro_batch={micro_batch} --set layout.recompute={recompute}")[
                    "phase"
                ]
                figures = (phase["memory"]["activations"], phase["memory"]["total"], phase["step_seconds"])
                yield (str(micro_batch), recompute, *(f"{figure:.1f}" for figure in figures))

    heading = ("sequences in a micro-batch:", "recompute", "activations, GiB:", "all memory, GiB:", "seconds a step:")
    yield from table(heading, rows())


def window() -> Lines:
    """The article's 135 days beside what `plan size` answers for the same size, tokens and devices."""
    answer = plan_json("plan size gpt3-175b --tokens 1.2T --gpus 1024 --on A100-80GB-SXM4 --json")
    answers = (answer["bound"], answer["range"][1], answer["typical"], answer["range"][0])

    def rows() -> Iterator[tuple[str, ...]]:
        for one in answers:
            days, hours = one["wall_seconds"] / SECONDS_PER_DAY, one["gpu_hours"] / 1e6
            yield (one["name"], percent(one["mfu"], 1), format_number(days), format_number(hours))
        yield ("the article", "", "135", format_number(135 * 24 * 1024 / 1e6))

    yield from table(("", "MFU:", "days on 1,024 A100:", "million GPU-hours:"), rows())


def scaling() -> Lines:
    """Throughput per GPU of GPT-3 175B under ZeRO-3 from 128 to 1,024 A100, with the batch growing alike."""
    fixed = "layout.tensor=1 layout.pipeline=1 layout.zero=3"
    sets = " ".join(f"--set {one}" for one in fixed.split())

    def speed(gpus: int) -> float:
        grown = f"--set cluster.gpus={gpus} --set layout.data={gpus} --set training.global_batch={2 * gpus}"
        answer = plan_json(f"plan estimate problems/runs/gpt3-175b.yaml --json {sets} {grown}")
        return float(answer["tokens_per_second_per_gpu"])

    alone = speed(128)
    rows = ((f"{gpus:,}", format_number(speed(gpus)), percent(speed(gpus) / alone)) for gpus in (128, 256, 512, 1024))
    yield from table(("A100:", "tokens/s per GPU:", "of 128 GPUs' rate:"), rows)


def gang() -> Lines:
    """How often all spot nodes of a gang are there, of the catalog's proxy device, by their number."""
    figures = spot_figures("H100-80GB-SXM5", None)
    found = [gang_availability(figures, nodes) for nodes in (1, 4, 16, 64, 256, 1024, 4096)]
    rows = ((f"{one.nodes:,}", percent(one.share), f"{percent(one.low)} to {percent(one.high)}") for one in found)
    yield from table(("nodes:", "all there:", "range:"), rows)


def spot() -> Lines:
    """How far spot prices lie under on-demand prices, over the catalog's usable offers that state both."""
    saved: dict[str, list[float]] = {}
    for offer in usable(load_offers()):
        if offer.spot_usd_per_hour and offer.on_demand_usd_per_hour:
            saved.setdefault(offer.cloud, []).append(float(1 - offer.spot_usd_per_hour / offer.on_demand_usd_per_hour))

    def row(name: str, shares: list[float]) -> tuple[str, ...]:
        tenths = quantiles(shares, n=10, method="inclusive")
        return (name, str(len(shares)), *(percent(tenths[i]) for i in (0, 4, 8)))

    everything = row("all", [share for shares in saved.values() for share in shares])
    rows = [row(cloud, shares) for cloud, shares in sorted(saved.items()) if len(shares) > 1]
    yield from table(
        ("cloud", "offers:", "a tenth saves less than:", "median:", "a tenth saves more than:"), [*rows, everything]
    )


def inline_keys() -> Lines:
    """The keys by which a problem spells out a model."""
    yield from ("| key | means |", "|---|---|")
    for key, meaning in INLINE_KEYS.items():
        yield f"| `{key}` | {meaning}{' (required)' if key in REQUIRED else ''} |"


FREE_PLACES: Final = (
    ("DeepSeek-V3, 72 d", "deepseek_v3_free_places.yaml", "limits.deadline=72d"),
    ("DeepSeek-V3, 70 d", "deepseek_v3_free_places.yaml", "limits.deadline=70d"),
    ("8B with a long context, 17.5 d", "long_context_8b.yaml", "limits.deadline=17.5d"),
    ("8B with a long context, 18.5 d", "long_context_8b.yaml", "limits.deadline=18.5d"),
)
"""Jobs by what they are called, their problems and deadlines."""


def free_places() -> Lines:
    """Real jobs in one place and in free places, each proven and verified."""
    yield "| job and deadline | in one place | in free places | saved |"
    yield "|---|---|---|--:|"
    for name, file, deadline in FREE_PLACES:
        stays, moves = (_proven_plan(file, deadline, f"market.together={together}") for together in ("true", "false"))
        saved = 1 - float(moves.cost_usd / stays.cost_usd)
        yield f"| {name} | {_phases_in_words(stays)} | {_phases_in_words(moves)} | {saved:.1%} |"


def _proven_plan(file: str, *sets: str) -> Plan:
    """The best plan of a problem. Raises RuntimeError when it is not proven or does not hold."""
    found = answer(load_problem(ROOT / "problems" / file, sets))
    if found.plan is None or found.status is not Status.OPTIMAL or violations(found.problem, found.plan):
        raise RuntimeError(f"{file} has no proven plan with {sets}")
    return found.plan


def _phases_in_words(plan: Plan) -> str:
    """What a plan costs, and where each phase runs."""
    options = [(one, one.purchase_option) for one in plan.phases]
    phases = (
        f"{one.name}: {one.bought_gpus:,} × {option.placement.machine.accelerator.name}, {option.placement.cloud}"
        + (" spot" if option.spot_policy.policy != "steady" else "")
        for one, option in options
    )
    return f"{format_money(plan.cost_usd)}; {'; '.join(phases)}"


TABLES: dict[str, Callable[[], Lines]] = {
    one.__name__: one
    for one in (
        commands,
        free_places,
        accuracy,
        constants,
        efficiencies,
        intervals,
        reliability,
        exclusions,
        sources,
        stacks,
        equations,
        deepseek,
        activations,
        window,
        scaling,
        gang,
        spot,
        inline_keys,
    )
}
"""The tables by the name that a page gives them."""
