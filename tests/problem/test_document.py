"""Reading YAML: plain data with places, refusals with places, and --set."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import files
from planner.errors import InputError
from planner.problem.document import MAX_BYTES, parse_document, read_document, with_overrides

TEXT = """\
# a comment
schema: plan/1
training:
  phases:
    - {tokens: 14.8T, batch: 512}
    - tokens: 63B
limits: &few {gpus: 0x10, deadline: 60d}
same: *few
"""


def parsed(text: str) -> dict[str, object]:
    """The plain data of a text."""
    return dict(parse_document(text, "f.yaml", Path()).data)


def test_scalars_follow_the_yaml_1_2_core_schema() -> None:
    """No sexagesimals, dates, octal zeros or yes/no: they are texts or plain numbers."""
    text = "a: [1, 2.5, 1e3, 0x10, 0o17, true, ~, '5', 010, 1_000, 2026-03, 2026-03-01, 10:30, no, -.5]"
    expected = [1, 2.5, 1000.0, 16, 15, True, None, "5", 10, "1_000", "2026-03", "2026-03-01", "10:30", "no", -0.5]
    assert parsed(text) == {"a": expected}


def test_every_key_path_has_its_place() -> None:
    """Values, keys and list items are found by line and column, missing ones at their parent."""
    document = parse_document(TEXT, "f.yaml", Path())
    place = document.place(("training", "phases", 0, "batch"))
    assert (place.line, place.column, place.text) == (5, 30, "    - {tokens: 14.8T, batch: 512}")
    assert str(document.place(("training", "phases", 0, "batch"), key=True)) == "f.yaml:5:23"
    assert str(document.place(("training", "phases", 1))) == "f.yaml:6:7"
    assert str(document.place(("training", "phases", 1, "batch"))) == "f.yaml:6:7"
    assert str(document.place(("same", "gpus"))) == "f.yaml:7:21"


def test_aliases_repeat_their_value() -> None:
    """A modest alias is a copy of what it names."""
    data = parsed(TEXT)
    assert data["same"] == data["limits"] == {"gpus": 16, "deadline": "60d"}


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    """Files from other systems read the same."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [x]\r\n")
    assert read_document(tmp_path / "a.yaml").data == {"a": 1, "b": ["x"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"a: \xff\xfe", ":1:4: not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), ":1:1: not UTF-8 text"),
        (b"a: 1\n" * (MAX_BYTES // 5 + 1), "larger than 1 MiB"),
        (b"a: \x00", ":1:4: character U+0000"),
        (b'a: "\\UFFFFFFFF"', "not valid YAML"),
        (b'a: "\\uD800"', ":1:4: character U+D800"),
        (b"k" * 300 + b": 1", ":1:1: a key is longer than 200 characters"),
        (b"a: " + b"[" * 100_000, ":1:1003: not valid YAML: nested deeper than 50 levels"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty, huge, deep and badly encoded files end in one error with its place and a fix."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_document(path)
    (issue,) = caught.value.issues
    assert f"{path}" in str(issue)
    assert message in str(issue)
    assert issue.fix


@pytest.mark.parametrize("path", ["missing.yaml", ".", "a\0b"])
def test_paths_that_are_no_files_are_refused(path: str) -> None:
    """A missing file, a folder and an impossible name are errors of the input."""
    with pytest.raises(InputError, match="cannot read it"):
        read_document(path)


def test_a_named_pipe_is_read_until_it_is_closed(tmp_path: Path) -> None:
    """What a shell puts in place of `<(command)` is a file like another, also when its text arrives in pieces."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for piece in (b"a:", b" 1\n", b"b: [" + b"2, " * 20_000 + b"3]"):
                file.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    data = read_document(pipe).data
    writer.join()
    assert data["a"] == 1
    assert isinstance(data["b"], list)
    assert len(data["b"]) == 20_001


def test_a_named_pipe_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits without end for a pipe, whether it has no writer or one that stays silent."""
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="a pipe that did not end within"):
        read_document(pipe)
    silent = os.open(pipe, os.O_RDWR)
    try:
        os.write(silent, b"a: 1\n")
        with pytest.raises(InputError, match="a pipe that did not end within"):
            read_document(pipe)
    finally:
        os.close(silent)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input, and its places say so."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    document = read_document("-")
    assert document.data == {"a": 1}
    assert str(document.place(("a",))) == "<stdin>:1:4"


@given(st.one_of(st.binary(), st.text("ab:-[]{}&*!|>'\"%@`#?,~\\ \n\t0x.", max_size=60).map(str.encode)))
def test_no_bytes_raise_anything_but_an_input_error(content: bytes) -> None:
    """Whatever a file holds, the reader either has plain data or says what is wrong."""
    try:
        data = parsed(content.decode())
    except UnicodeDecodeError:
        return
    except InputError as error:
        issues = error.issues
    else:
        issues, _ = (), json.dumps(data, allow_nan=False)
    assert all(issue.fix for issue in issues)


def test_set_replaces_adds_and_empties() -> None:
    """--set reaches mappings and list items in both spellings, makes what is missing, and reads flow YAML."""
    sets = [
        "limits.gpus=2048",
        "limits.budget=1.5MUSD",
        "training.phases[0].tokens=1T",
        "training.phases.1.tokens=2T",
        "layout.tensor=>=2",
        "layout.zero=[1, 2]",
        "market.clouds=[]",
        "limits.deadline=",
        'name="a, b"',
    ]
    document = with_overrides(parse_document(TEXT, "f.yaml", Path()), sets)
    assert document.data["limits"] == {"gpus": 2048, "budget": "1.5MUSD", "deadline": None}
    assert document.data["training"] == {"phases": [{"tokens": "1T", "batch": 512}, {"tokens": "2T"}]}
    assert document.data["layout"] == {"tensor": ">=2", "zero": [1, 2]}
    assert document.data["market"] == {"clouds": []}
    assert document.data["name"] == "a, b"
    assert document.data["same"] == {"gpus": 16, "deadline": "60d"}
    assert str(document.place(("training", "phases", 0, "tokens"))) == "--set training.phases[0].tokens=1T"
    assert str(document.place(("training", "phases", 0, "batch"))) == "f.yaml:5:30"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limits.gpus", "not path=value"),
        ("=5", "not path=value"),
        ("a..b=5", "not path=value"),
        ("a" + ".a" * 60 + "=5", "not path=value"),
        ("schema.x=5", "schema holds no keys"),
        ("training.phases[2].tokens=1", r"has no item 2; write training.phases\[0\] to \[1\]"),
        ("training.phases.first=1", "has no item first"),
        ("limits.gpus=[1,", "not valid YAML"),
        ("limits.gpus=.nan", "not a finite number"),
    ],
)
def test_bad_overrides_are_refused_at_the_option(text: str, message: str) -> None:
    """The place of a bad override is the option as it was written."""
    with pytest.raises(InputError, match=message) as caught:
        with_overrides(parse_document(TEXT, "f.yaml", Path()), [text])
    assert str(caught.value).startswith("--set ")


@given(st.text(max_size=40))
def test_no_override_raises_anything_but_an_input_error(text: str) -> None:
    """Whatever --set is given, it is applied or refused."""
    try:
        with_overrides(parse_document(TEXT, "f.yaml", Path()), [text])
    except InputError as error:
        issues = error.issues
    else:
        issues = ()
    assert all(issue.fix for issue in issues)
