"""Evaluated layouts on disk: the same answers, whoever else reads and writes, and nothing that grows without end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from batches import few
from click.testing import CliRunner

from planner.cli import main
from planner.explore.answer import answer
from planner.files import NO_CACHE
from planner.layouts import disk_cache, evaluator
from planner.layouts import fastest as best
from planner.layouts import layout_space as space
from planner.problem.problem import load_problem
from planner.report.document.answer import answer_document

PROBLEM = """\
schema: plan/1
model: mixtral-8x7b
training:
  phases: [{name: all, tokens: 20B, sequence_length: 4096, global_batch: 48}]
market:
  clouds: []
  offers:
    - {name: one, accelerator: H100-80GB-SXM5, nodes: 4, on_demand: $2/GPU-h, spot: $1/GPU-h}
    - {name: two, accelerator: A100-80GB-SXM4, nodes: 8, on_demand: $1/GPU-h}
    - {name: too small, accelerator: L4, nodes: 2, on_demand: $0.5/GPU-h}
limits: {deadline: 60d}
"""
KEY = b"k" * disk_cache.DIGEST


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache folder of this test's own, with nothing kept in memory before and after."""
    monkeypatch.delenv(NO_CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    yield
    forget()


def forget() -> None:
    """As in a new process."""
    for kept in (space.kept_spaces, space.kept_rows, evaluator.kept_grids, best.kept_tables):
        kept.clear()
    disk_cache.version.cache_clear()


def files() -> list[Path]:
    """What is on disk."""
    here = disk_cache.folder()
    return sorted(here.iterdir()) if here and here.exists() else []


def answered(folder: Path, *changes: str) -> dict[str, object]:
    """The document of an answer, without the seconds that it took."""
    path = folder / "problem.yaml"
    path.write_text(PROBLEM, encoding="utf-8")
    document = answer_document(answer(load_problem(path, changes))).data()
    solver = {name: value for name, value in document["solver"].items() if not name.endswith(("seconds", "time"))}
    return document | {"solver": solver}


QUESTIONS = [(), ("limits.deadline=100d",), ("market.spot_price=×0.5",), ("market.purchase=[on_demand]",)]


@pytest.mark.parametrize("changes", few(QUESTIONS))
def test_answers_do_not_depend_on_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
) -> None:
    """Without files, from memory, and from the files of the first question, an answer is the same to the last digit."""
    with monkeypatch.context() as without:
        without.setenv(NO_CACHE, "1")
        expected = answered(tmp_path, *changes)
    forget()
    answered(tmp_path)
    assert answered(tmp_path, *changes) == expected
    forget()
    assert answered(tmp_path, *changes) == expected


@pytest.mark.slow
@pytest.mark.parametrize("changes", QUESTIONS)
def test_a_second_question_enumerates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: tuple[str, ...]
) -> None:
    """Another deadline, price or purchase is answered from the files of the first question, rejected devices too."""
    answered(tmp_path)
    forget()
    monkeypatch.setattr(space, "blocks", None)
    assert answered(tmp_path, *changes)["status"] == "optimal"


def test_other_models_have_other_files(tmp_path: Path) -> None:
    """What is kept of one job is not taken for another."""
    answered(tmp_path)
    before = files()
    forget()
    answered(tmp_path, "training.phases[0].sequence_length=2048")
    assert set(files()) > set(before)


def damaged(content: bytes) -> dict[str, bytes]:
    """Ways in which a file may be broken."""
    flipped = bytearray(content)
    flipped[-5] ^= 1
    return {"cut": content[: len(content) // 2], "empty": b"", "flipped": bytes(flipped), "other": b"x" * 5000}


@pytest.mark.parametrize("how", few(["flipped", "cut", "empty", "other"]))
def test_damaged_files_are_written_anew(tmp_path: Path, how: str) -> None:
    """A file that is not whole is as if it were not there, and is replaced."""
    expected = answered(tmp_path)
    whole = {path: path.read_bytes() for path in files()}
    for path, content in whole.items():
        path.write_bytes(damaged(content)[how])
    forget()
    assert answered(tmp_path) == expected
    assert {path: path.read_bytes() for path in files()} == whole


class Harmful:
    """What leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Called when it is pickled: what unpickling calls."""
        return Path.touch, (self.path,)


def test_nothing_in_a_file_runs(tmp_path: Path) -> None:
    """A file of pickled objects is not read, though its checksum is right."""
    disk_cache.store(KEY, {"numbers": np.arange(3)})
    stream = BytesIO()
    np.save(stream, np.asarray(["numbers"]))
    np.save(stream, np.asarray([Harmful(tmp_path / "ran")], dtype=object), allow_pickle=True)
    files()[0].write_bytes(sha256(stream.getvalue()).digest() + stream.getvalue())
    assert disk_cache.stored(KEY) is None
    assert not (tmp_path / "ran").exists()


def test_an_edited_equation_or_catalog_is_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other code or another catalog computed is not found."""
    disk_cache.store(KEY, {"numbers": np.arange(3)})
    assert disk_cache.stored(KEY) is not None
    package, catalogs = tmp_path / "planner", tmp_path / "catalogs"
    for one in (package / "layouts", package / "performance", package / "availability", catalogs):
        one.mkdir(parents=True)
    equation = package / "performance" / "step.py"
    equation.write_text("1 + 1\n", encoding="utf-8")
    monkeypatch.setattr(disk_cache, "__file__", str(package / "layouts" / "disk_cache.py"))
    monkeypatch.setattr(disk_cache, "catalog_directory", lambda: catalogs)
    versions = []
    for change in ("", "1 + 2\n", "[[offer]]\n"):
        if change.startswith("1"):
            equation.write_text(change, encoding="utf-8")
        elif change:
            (catalogs / "offers.toml").write_text(change, encoding="utf-8")
        disk_cache.version.cache_clear()
        versions.append(disk_cache.version())
        assert disk_cache.stored(KEY) is None
    assert len(set(versions)) == 3


def test_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit those that were not used for longest go first, and reading is use."""
    monkeypatch.setattr(disk_cache, "MOST_BYTES", 30_000)
    keys = [bytes([number]) * disk_cache.DIGEST for number in range(5)]
    for age, key in enumerate(keys):
        disk_cache.store(key, {"numbers": np.arange(1000)})
        newest = max(files(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(0, age + 1))
        if age == 2:
            assert disk_cache.stored(keys[0]) is not None
    assert sum(path.stat().st_size for path in files()) <= 30_000
    assert [disk_cache.stored(key) is not None for key in keys] == [True, False, False, True, True]


def test_what_cannot_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is a file, one that may not be written, and a full disk change no answer and are no error."""
    expected = answered(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "problem.yaml"))
    forget()
    assert answered(tmp_path) == expected
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    forget()
    assert answered(tmp_path) == expected


def test_a_full_disk_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written to its end is not there at all."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    disk_cache.store(KEY, {"numbers": np.arange(3)})
    assert files() == []


def test_relative_folders_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG specification says; then it is the one in the user's home."""
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setenv("HOME", "/home/someone")
    assert disk_cache.folder() == Path("/home/someone/.cache/plan-training/layouts")


WRITER = """
import sys
import numpy as np
from planner.layouts import disk_cache
for number in range(200):
    disk_cache.store(b"k" * 32, {"numbers": np.full(20_000, number)})
    found = disk_cache.stored(b"k" * 32)
    assert found is not None and len(set(found["numbers"].tolist())) == 1, "a file with two writers in it"
"""


@pytest.mark.slow
def test_processes_do_not_disturb_each_other() -> None:
    """Three that write and read the same file always read a whole one, and leave no other file."""
    command = [sys.executable, "-c", WRITER]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603
    assert [one.communicate(timeout=100)[1] for one in running] == ["", "", ""]
    assert len(files()) == 1


def test_no_cache_leaves_the_disk_alone(tmp_path: Path) -> None:
    """With the option nothing is written, and after the command the cache works again."""
    path = tmp_path / "problem.yaml"
    path.write_text(PROBLEM, encoding="utf-8")
    assert CliRunner().invoke(main, ["solve", str(path), "--no-cache"]).exit_code == 0
    assert files() == []
    forget()
    assert CliRunner().invoke(main, ["solve", str(path)]).exit_code == 0
    assert files() != []
