"""The rules of the house: arrows between rooms go one way, and heavy libraries stay where they are needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import planner

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "planner"
MODULES = sorted(PACKAGE.rglob("*.py"))

STOREYS = (
    {"errors"},
    {"tolerances"},
    {"units", "files", "clock", "tasks"},
    {"catalog"},
    {"prices"},
    {"problem"},
    {"foreign"},
    {"performance"},
    {"availability"},
    {"market"},
    {"layouts"},
    {"plans"},
    {"portfolio"},
    {"verify", "cpsat", "simulate", "estimator", "validation", "measure", "launch"},
    {"explore"},
    {"learning"},
    {"report"},
    {"session"},
    {"board"},
    {"cli"},
    {"__main__"},
)
"""Rooms from the site up; a room imports rooms of lower storeys only."""
PUBLIC = {"errors", "plans", "problem", "session"}
"""Rooms whose names the package itself passes on."""
SAME_STOREY = {"simulate": {"estimator"}}
"""Arrows inside a storey."""
ONLY_IN = {
    "ortools": {"cpsat"},
    "torch": {"measure"},
    "scipy": {"validation", "measure", "launch"},
    "click": {"cli"},
    "jinja2": {"report"},
    "vl_convert": {"report"},
    "distributed": {"explore"},
    "pyarrow": {"report"},
    "starlette": {"board"},
    "uvicorn": {"board"},
}
"""Libraries and the rooms that may import them."""
EQUATIONS_IMPORT = {
    "__future__",
    "collections",
    "dataclasses",
    "functools",
    "math",
    "numpy",
    "planner",
    "types",
    "typing",
}
"""All that the equations need: nothing that reads, writes or solves."""
READS_OR_WRITES = {"open", "print", "input", "read_text", "write_text", "read_bytes", "write_bytes"}


def room(path: Path) -> str:
    """The room of a module: the name below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def parsed(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[str]:
    """Every module that a module imports, inside functions too; `from planner import x` counts as `planner.x`."""
    for node in parsed(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "planner":
            yield from (f"planner.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def storey(name: str) -> int:
    """How high a room stands; a new room needs its place in STOREYS and in CONTRIBUTING.md."""
    return next(height for height, rooms in enumerate(STOREYS) if name in rooms)


def test_every_room_has_its_storey() -> None:
    """A room that STOREYS does not name has no place yet."""
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert rooms <= set().union(*STOREYS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_go_one_way(path: Path) -> None:
    """A room imports itself, lower storeys, and the arrows inside its own storey that are allowed."""
    here = room(path)
    used = {name.split(".")[1] for name in imports(path) if name.startswith("planner.")} - {here, "__version__"}
    allowed = PUBLIC if here == "__init__" else {name for rooms in STOREYS[: storey(here)] for name in rooms}
    assert used <= allowed | SAME_STOREY.get(here, set())


@pytest.mark.parametrize(("library", "rooms"), ONLY_IN.items())
def test_libraries_stay_in_their_rooms(library: str, rooms: set[str]) -> None:
    """The solver, PyTorch, SciPy and click are imported where they are needed and nowhere else."""
    users = {room(path) for path in MODULES if library in {name.split(".")[0] for name in imports(path)}}
    assert users <= rooms


def test_only_one_builder_reads_answers() -> None:
    """What a search found becomes a document in one place; text, pages, files and the board read the document."""
    builder = PACKAGE / "report" / "document"
    outside = [path for path in MODULES if room(path) in {"report", "board"} and builder not in path.parents]
    assert [path.name for path in outside if set(imports(path)) & SEARCHED and path.name != "plan_pieces.py"] == []


def test_one_place_says_that_a_file_cannot_be_read() -> None:
    """Files that users give are read, bounded and refused in `planner/files.py`."""
    assert [path.name for path in MODULES if "cannot read it" in path.read_text(encoding="utf-8")] == ["files.py"]


SEARCHED = {"planner.explore.answer", "planner.explore.surroundings"}
"""Where answers and what was asked around them are found."""
READERS = ("plan_text", "solve_files", "page/answer", "page/plan_card", "bill", "relaxations", "sensitivity", "diff")


@pytest.mark.parametrize("name", READERS)
def test_readers_need_no_search(name: str) -> None:
    """Whatever prints an answer, and all of the room that it uses, knows neither the search nor its plans."""
    used, left = set[str](), [f"planner.report.{name.replace('/', '.')}"]
    while left:
        module = left.pop()
        found = set(imports(ROOT / f"{module.replace('.', '/')}.py"))
        used |= found
        left += [one for one in found if one.startswith("planner.report.") and one not in used - found]
    assert not {one for one in used if one.startswith("planner.explore")} | used & {"planner.plans.plan"}


EQUATIONS = [path for path in MODULES if room(path) in {"performance", "availability"}]


def test_equations_neither_read_nor_write() -> None:
    """The equations import arithmetic only and call nothing that touches a file or the screen."""
    for path in EQUATIONS:
        assert {name.split(".")[0] for name in imports(path)} <= EQUATIONS_IMPORT, path.name
        calls = [node.func for node in parsed(path) if isinstance(node, ast.Call)]
        names = {
            call.id if isinstance(call, ast.Name) else call.attr
            for call in calls
            if isinstance(call, ast.Name | ast.Attribute)
        }
        assert not names & READS_OR_WRITES, path.name


def test_equations_know_no_names() -> None:
    """No equation branches on the name of a model, a device or a stack: differences are data."""
    for path in EQUATIONS:
        compared = [
            node
            for node in parsed(path)
            if isinstance(node, ast.Compare)
            and any(isinstance(part, ast.Attribute) and part.attr == "name" for part in ast.walk(node))
        ]
        assert not compared, path.name


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["size", "llama3-8b", "--tokens", "1T", "--days", "30", "--on", "H100-80GB-SXM5"],
        ["estimate", str(ROOT / "problems" / "runs" / "gpt3-175b.yaml")],
        ["model", "deepseek-v3"],
        ["catalog", "accelerators"],
        ["catalog", "offers"],
        ["schema", "run"],
    ],
    ids=lambda command: command[0],
)
def test_commands_that_do_not_solve_import_no_solver(command: list[str]) -> None:
    """Neither OR-Tools nor pandas, SciPy or PyTorch is loaded unless a command needs it."""
    program = "import sys\nfrom planner.cli import main\ntry: main()\nfinally: print('', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, text=True, check=False)  # noqa: S603
    told, _, modules = done.stderr.rpartition("\n ")
    assert done.returncode == 0, told
    assert not set(modules.split()) & {"ortools", "pandas", "scipy", "torch"}


def test_the_package_alone_loads_nothing_heavy() -> None:
    """`import planner` loads neither OR-Tools, NumPy nor pydantic; each public name is there when it is asked for."""
    program = "import sys, planner\nprint(*sys.modules)\nfor name in planner.__all__: getattr(planner, name)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"ortools", "numpy", "pydantic", "click"}


def operations(path: Path, *operators: type[ast.operator]) -> Iterator[tuple[set[str], set[str]]]:
    """Every product, quotient or remainder of a module: the names on its left and on its right."""
    for node in parsed(path):
        if isinstance(node, ast.BinOp) and isinstance(node.op, operators):
            yield names_in(node.left), names_in(node.right)


def names_in(node: ast.expr) -> set[str]:
    """Every variable and attribute of an expression."""
    parts = list(ast.walk(node))
    named = {one.id for one in parts if isinstance(one, ast.Name)}
    return named | {one.attr for one in parts if isinstance(one, ast.Attribute)}


def says(words: re.Pattern[str], names: set[str]) -> bool:
    """Whether a word stands in any of some names."""
    return any(words.search(one) for one in names)


PRICE = re.compile(r"(^|_)prices?($|_)|usd_per_(node|gpu)_hour")
TIME = re.compile(r"hour(?!ly)|second|(^|_)(wall|paid|time|elapsed|replaced)($|_)", re.IGNORECASE)


def test_one_place_makes_a_bill_of_prices() -> None:
    """Prices are multiplied by hours in `planner/market/money.py`.

    Aside: `verify`, which checks bills by its own arithmetic, and `cpsat`, whose rows post them in whole units.
    """
    places = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if room(path) not in {"verify", "cpsat"}
        for left, right in operations(path, ast.Mult, ast.MatMult)
        if (says(PRICE, left) and says(TIME, right)) or (says(TIME, left) and says(PRICE, right))
    }
    assert places == {"market/money.py"}


WHOLE = re.compile(r"batch|head|expert|layer|slot|sequence|stage|replica|device|gpus|whole")
DEGREE = re.compile(r"tensor|pipeline|context|expert|micro|data|virtual|chunk|degree|parallel|shard|together")


def test_one_place_says_which_layouts_are_valid() -> None:
    """What a degree must divide stands in `planner/problem/layout_rules.py`, for layouts written and searched.

    Aside: `verify`, which states the rules again; `launch`, which says what a framework refuses beyond them; and
    `validation`, which guesses what a publication leaves out.
    """
    places = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if room(path) not in {"verify", "launch", "validation"}
        for left, right in operations(path, ast.Mod)
        if says(WHOLE, left) and says(DEGREE, right)
    }
    assert places == {"problem/layout_rules.py"}


def test_the_solver_is_asked_where_something_is_solved() -> None:
    """Outside its room the solver's is imported to prove a plan, to schedule a portfolio, and to write its model."""
    users = {
        path.relative_to(PACKAGE).as_posix(): {name for name in imports(path) if name.startswith("planner.cpsat.")}
        for path in MODULES
        if room(path) != "cpsat"
    }
    assert {path: {name.removeprefix("planner.cpsat.") for name in used} for path, used in users.items() if used} == {
        "explore/proof.py": {"search"},
        "explore/portfolio.py": {
            "portfolio_bound",
            "portfolio_branching",
            "portfolio_interval_search",
            "portfolio_intervals",
        },
        "cli/solve.py": {"model_file"},
    }


def test_one_place_lists_the_ways_to_run_a_job() -> None:
    """Whoever wants them asks `undominated_job_modes`; the board's table alone adds up the same sums itself.

    Aside: `verify`, which tries everything again to check an answer.
    """

    def users(*names: str) -> set[str]:
        """The modules outside `verify` that import any of some modules of `explore`."""
        wanted = {f"planner.explore.{name}" for name in names}
        return {path.stem for path in MODULES if room(path) != "verify" and set(imports(path)) & wanted}

    assert users("journeys", "timetable") == {"job_modes"}
    assert users("job_sums") == {"job_modes", "journeys", "timetable", "timed_phase", "plan_table"}


def test_a_name_means_one_thing() -> None:
    """No two classes have the same name."""
    names = Counter(node.name for path in MODULES for node in parsed(path) if isinstance(node, ast.ClassDef))
    assert {name for name, count in names.items() if count > 1} == set()


def sources() -> list[Path]:
    """Everything that people write in this project, without what tools leave behind."""
    kept = [path for path in ROOT.rglob("*") if path.suffix in {".py", ".md", ".toml", ".yaml"} and path.is_file()]
    skipped = {"build", "dist", "site-packages"}
    return [path for path in kept if not any(p in skipped or p.startswith(".") for p in path.relative_to(ROOT).parts)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """Every module begins with a docstring."""
    module = parsed(path)[0]
    assert isinstance(module, ast.Module)
    assert ast.get_docstring(module)


def test_nothing_is_left_to_do() -> None:
    """No file carries a note about unfinished work."""
    unfinished = re.compile(r"\b(?:TO[D]O|FIX[M]E|X{3}|HA[C]K)\b")
    assert [path for path in sources() if unfinished.search(path.read_text(encoding="utf-8"))] == []


def test_package_is_typed() -> None:
    """The installed package tells type checkers that it is typed."""
    assert (Path(planner.__file__).parent / "py.typed").is_file()
