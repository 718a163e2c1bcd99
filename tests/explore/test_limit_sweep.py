"""Large sweeps: limits alone are read off a table, and parts of several machines are put together."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from planner.cli import main
from planner.explore.enumeration import best_plan
from planner.explore.limit_sweep import LimitSweep
from planner.explore.sweep_option import varied
from planner.explore.whatif import whatif
from planner.plans.choices import choices_of
from planner.plans.solution import Status
from planner.problem.document import read_document
from planner.report.whatif import row_of

PROBLEMS = Path(__file__).resolve().parents[2] / "problems"
PROBLEM = str(PROBLEMS / "spot_heavy.yaml")
LIMITS = ("--vary", "limits.deadline=6d..60d:12", "--vary", "limits.budget=$300k..$2M:10")
OTHERS = ("--vary", "market.spot_price=×0.5,×1,×2", "--vary", "limits.deadline=10d,20d,40d")


def ran(*words: str) -> Result:
    """A command without its processes."""
    return CliRunner().invoke(main, list(words))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sets"),
    [("spot_heavy.yaml", ()), ("spot_heavy.yaml", ("risk.confidence=95%",)), ("startup_7b.yaml", ("objective=time",))],
)
def test_cells_off_the_table_are_those_of_solving(name: str, sets: tuple[str, ...]) -> None:
    """Of a table of limits, cells drawn at random have the status and value that their own search finds."""
    document = read_document(PROBLEMS / name, sets)
    found = whatif(document, ["limits.deadline=4d..80d:40:log", "limits.gpus=8..64:20"], workers=1)
    assert len(found.flat) == 800
    for cell in Random(7).sample(found.flat, 12):  # noqa: S311  (cells to try)
        plan = best_plan(choices_of(cell.problem))
        assert cell.status is (Status.INFEASIBLE if plan is None else Status.OPTIMAL)
        if plan is not None and cell.plan is not None:
            assert cell.plan.cost_usd == plan.cost_usd
            assert cell.plan.wall_seconds == pytest.approx(plan.wall_seconds)


def test_phases_that_may_move_are_searched_for() -> None:
    """Where phases may run in different places no table of plans in one place is read."""
    document = read_document(PROBLEMS / "deepseek_v3_free_places.yaml")
    assert LimitSweep.of(document, varied(document, ["limits.deadline=60d..120d:60"])) is None


@pytest.mark.slow
@pytest.mark.parametrize("vary", [LIMITS, OTHERS], ids=["limits", "others"])
def test_parts_put_together_equal_the_whole(vary: tuple[str, ...], tmp_path: Path) -> None:
    """Parts, merged in any order, are byte for byte the file of one run, which is what `--csv` prints."""
    whole = tmp_path / "whole.csv"
    assert ran("whatif", PROBLEM, *vary, "--workers", "1", "--out", str(whole)).exit_code == 0
    assert ran("whatif", PROBLEM, *vary, "--workers", "1", "--csv").stdout == whole.read_text(encoding="utf-8")
    parts = [tmp_path / f"{number}.csv" for number in (3, 1, 2)]
    for part in parts:
        words = ("--part", f"{part.stem}/3", "--out", str(part))
        assert ran("whatif", PROBLEM, *vary, "--workers", "1", *words).exit_code == 0
    merged = tmp_path / "merged.csv"
    assert ran("merge", *map(str, parts), "--out", str(merged)).exit_code == 0
    assert merged.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_a_file_is_the_same_however_many_cells_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that are searched for some at a time are byte for byte those that are searched for together."""
    together, some = tmp_path / "together.csv", tmp_path / "some.csv"
    assert ran("whatif", PROBLEM, *OTHERS, "--workers", "1", "--out", str(together)).exit_code == 0
    monkeypatch.setattr("planner.explore.whatif.AT_A_TIME", 4)
    assert ran("whatif", PROBLEM, *OTHERS, "--workers", "1", "--out", str(some)).exit_code == 0
    assert some.read_bytes() == together.read_bytes()


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """A part that is missing, twice there, cut off or of another sweep ends with 2, and nothing is written."""
    for number in (1, 2):
        words = ("--part", f"{number}/2", "--out", str(tmp_path / f"{number}.csv"))
        assert ran("whatif", PROBLEM, *LIMITS, *words).exit_code == 0
    one, two = (str(tmp_path / f"{number}.csv") for number in (1, 2))
    cut, other, none = (tmp_path / name for name in ("cut.csv", "other.csv", "none.csv"))
    text = Path(two).read_text(encoding="utf-8")
    cut.write_text(text[: text.rindex("\n", 0, -1) + 1], encoding="utf-8")
    other.write_text(text.replace("limits.budget", "limits.gpus"), encoding="utf-8")
    none.write_text("a,b\n1,2\n", encoding="utf-8")
    out = tmp_path / "out.csv"
    for parts in ((one,), (one, one), (one, str(cut)), (one, str(other)), (one, str(none)), (one, str(tmp_path / "x"))):
        found = ran("merge", *parts, "--out", str(out))
        assert found.exit_code == 2, parts
        assert not out.exists()


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    """A Parquet file has the rows of the CSV, its figures as numbers."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra sweeps)")
    path = tmp_path / "sweep.parquet"
    assert ran("whatif", PROBLEM, *LIMITS, "--out", str(path)).exit_code == 0
    rows = parquet.read_table(path).to_pylist()
    lines = ran("whatif", PROBLEM, *LIMITS, "--csv").stdout.splitlines()
    assert len(rows) == len(lines) - 1 == 120
    for row, line in zip(rows, lines[1:], strict=True):
        shown = [("" if value is None else value) for value in row.values()]
        assert [str(one) for one in shown[:5]] == line.split(",")[:5]
        assert row["gpus"] is None or isinstance(row["gpus"], int)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_that_dies_loses_nothing() -> None:
    """A sweep on two workers, one of which is killed at a quarter, is byte for byte the serial one."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra sweeps)")
    vary = ("market.spot_price=×0.5..×2:20", "limits.deadline=10d..40d:10")
    document = read_document(PROBLEM)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, scheduler_port=0
    )
    with cluster:
        victim, killed = next(iter(cluster.workers.values())), list[int]()

        def kill(done: int, total: int) -> None:
            """Kills a worker once, at a quarter of the work."""
            if total // 4 <= done and not killed:
                killed.append(victim.pid)
                os.kill(victim.pid, signal.SIGKILL)

        address = cluster.scheduler_address.replace("tcp://", "dask://")
        found = whatif(document, vary, workers=address, progress=kill)
    serial = whatif(document, vary, workers=1)
    assert killed
    assert [row_of(cell) for cell in found.flat] == [row_of(cell) for cell in serial.flat]


def test_no_scheduler_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address at which nothing answers, and what is no address, end with 2 in words."""
    pytest.importorskip("distributed", reason="distributed is not installed (extra sweeps)")
    monkeypatch.setattr("planner.explore.cluster.PATIENCE", 0.5)
    for workers in ("dask://127.0.0.1:1", "dask://", "0", "257", "many"):
        found = ran("whatif", PROBLEM, *OTHERS, "--workers", workers)
        assert found.exit_code == 2, workers


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A part needs a CSV file, a file prints nothing, and a part has a number."""
    out = str(tmp_path / "x.csv")
    for words in (
        ("--part", "1/2"),
        ("--out", out, "--json"),
        ("--out", str(tmp_path / "x.txt")),
        ("--out", str(tmp_path / "x.parquet"), "--part", "1/2"),
        ("--out", out, "--part", "3/2"),
        ("--out", out, "--part", "x"),
        ("--out", str(tmp_path / "no" / "x.csv")),
    ):
        assert ran("whatif", PROBLEM, *LIMITS, *words).exit_code == 2, words
    assert list(tmp_path.iterdir()) == []
