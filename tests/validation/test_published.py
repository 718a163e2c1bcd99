"""Reading files of published runs: what is read, and what malformed files are answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_runs import CELLS, rows, text

from planner.errors import InputError
from planner.validation import published
from planner.validation.published import PublishedRow, builtin_runs, parse_published, read_published

HEADER = "id,model,gpu,metric,value\n"
ROW = "a-1/step_time,gpt2,H100,step_time,3\n"


def refused(content: str) -> InputError:
    """What a file of that content is answered."""
    with pytest.raises(InputError) as caught:
        parse_published(content, "runs.csv")
    return caught.value


def test_a_row_is_read() -> None:
    """Text as it stands, numbers as numbers, empty cells as unknown, and the line that it came from."""
    (row,) = rows({"network_gbit_s": "400", "heads": "", "excluded": "", "scored_apart": "launch-bound"})
    assert (row.line, row.configuration, row.source, row.metric) == (2, "ours-0001", "ours", "step_time")
    assert (row.value, row.network_gbit_s, row.numbers["tp"], row.numbers["heads"]) == (3, 400, 2, None)
    assert (row.text["gpu"], row.excluded, row.scored_apart) == ("H100-SXM-80GB", "", "launch-bound")


def test_five_columns_are_enough() -> None:
    """Everything else may be missing altogether."""
    (row,) = parse_published(HEADER + ROW, "runs.csv")
    assert set(row.numbers.values()) == {None}
    assert row.text["framework"] == ""


def test_columns_in_any_order_and_unknown_ones() -> None:
    """The header decides; columns that nobody reads are ignored."""
    (row,) = parse_published("value,colour,metric,gpu,model,id\n3,red,step_time,H100,gpt2,a-1/x\n", "runs.csv")
    assert (row.value, row.text["id"]) == (3, "a-1/x")


@pytest.mark.parametrize(
    ("identifier", "stated", "source"),
    [
        ("mosaic-0012/mfu", "llm-foundry", "mosaic"),
        ("nemo24.07-0003/x", "NeMo", "nemo24.07"),
        ("sc21", "the paper", "the paper"),
        ("sc21", "", "sc21"),
        ("run-a/mfu", "a blog", "a blog"),
        ("-12/mfu", "a blog", "a blog"),
    ],
)
def test_the_source_of_a_row(identifier: str, stated: str, source: str) -> None:
    """What stands before a running number in the id, else the source column, else the id itself."""
    (row,) = rows({"id": identifier, "source": stated})
    assert row.source == source


def test_duplicate_ids_are_kept() -> None:
    """The same id twice is two rows of one configuration."""
    found = rows({}, {})
    assert [row.configuration for row in found] == ["ours-0001", "ours-0001"]


def test_quoted_cells_may_hold_anything() -> None:
    """Commas, quotes and line breaks in a quoted cell; the next row's line counts them."""
    first, second = rows({"notes": 'a "quoted", long\nnote'}, {"id": "ours-0002/mfu"})
    assert first.text["notes"] == 'a "quoted", long\nnote'
    assert (first.line, second.line) == (3, 4)


def test_blank_lines_and_spaces_do_not_matter() -> None:
    """Blank lines are skipped and cells are stripped."""
    (row,) = parse_published(HEADER + "\n a-1/step_time , gpt2 , H100 , step_time , 3 \n\n", "runs.csv")
    assert (row.text["id"], row.value) == ("a-1/step_time", 3)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_encodings_of_spreadsheets(tmp_path: Path, newline: str, mark: str) -> None:
    """A byte order mark and the line ends of any system are read."""
    path = tmp_path / "runs.csv"
    path.write_bytes((mark + (HEADER + ROW).replace("\n", newline)).encode())
    (row,) = read_published(path)
    assert row.text["id"] == "a-1/step_time"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "columns are missing: id, model, gpu, metric, value"),
        ("\n\n", "columns are missing"),
        ("id,model\na,b\n", "columns are missing: gpu, metric, value"),
        ("id;model;gpu;metric;value\na;b;c;step_time;3\n", "columns are missing"),
        (HEADER, "no rows"),
        (HEADER + "\n\n", "no rows"),
        (HEADER + "a-1,gpt2,H100,step_time\n", "more or fewer cells"),
        (HEADER + "a-1,gpt2,H100,step_time,3,4\n", "more or fewer cells"),
        (HEADER + ",gpt2,H100,step_time,3\n", "the id is empty"),
        (HEADER + "a-1,gpt2,H100,step_time,\n", "the value is empty"),
        (HEADER + "a-1,gpt2,H100,step_time,fast\n", "value: 'fast' is not a number"),
        (HEADER + 'a-1,gpt2,H100,step_time,"3,5"\n', "value: '3,5' is not a number"),
        (HEADER + "a-1,gpt2,H100,step_time,0\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,-3\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,nan\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,inf\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,-inf\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,1e19\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time,1e999\n", "out of range"),
        (HEADER + "a-1,gpt2,H100,step_time," + "9" * 5000 + "\n", "out of range"),
        (HEADER + 'a-1,"gpt2,H100,step_time,3\n', "malformed CSV"),
        (HEADER + 'a-1,"gpt2"x,H100,step_time,3\n', "malformed CSV"),
        (HEADER + "a-1,gpt2\0,H100,step_time,3\n", "NUL"),
        (HEADER + "a-1," + "g" * 200_000 + ",H100,step_time,3\n", "malformed CSV"),
    ],
)
def test_malformed_files(content: str, message: str) -> None:
    """Each is one short error that names the file and what to do."""
    error = refused(content)
    assert message in str(error)
    assert all(str(issue.place).startswith("runs.csv") and issue.fix for issue in error.issues)
    assert all(len(str(issue)) < 300 for issue in error.issues)


@pytest.mark.parametrize("column", [*published.NUMBERS, "network_gbit_s", "value"])
@pytest.mark.parametrize("cell", ["-1", "0", "nan", "1e30", "eight", "8x", "0x10", "--", "٣ x"])
def test_every_number_is_checked(column: str, cell: str) -> None:
    """A column of numbers refuses what is none, not positive or absurd, and names itself and the line."""
    if cell == "0" and column in published.MAY_BE_ZERO:
        return
    error = refused(text({column: cell}))
    assert [str(issue.place) for issue in error.issues] == ["runs.csv:2"]
    assert error.issues[0].message.startswith(f"{column}: ")


def test_every_bad_line_is_told() -> None:
    """Several mistakes in one go, each at its line; no more than fifty."""
    error = refused(text({"tp": "two"}, {}, {"pp": "-1", "value": "slow"}))
    assert [str(issue.place) for issue in error.issues] == ["runs.csv:2", "runs.csv:4", "runs.csv:4"]
    many = refused(text(*({"tp": "two"} for _ in range(200))))
    assert len(many.issues) == 50


def test_long_cells_are_cut() -> None:
    """A hundred thousand characters of notes are read, and not all of them kept."""
    (row,) = rows({"notes": "n" * 100_000})
    assert len(row.text["notes"]) == published.MAX_CELL


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    """The error names the byte."""
    path = tmp_path / "runs.csv"
    path.write_bytes(HEADER.encode() + b"a-1,gpt\xff,H100,step_time,3\n")
    with pytest.raises(InputError, match=r"runs\.csv:2:8: not UTF-8"):
        read_published(path)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit a file is refused, and no more of it read than the limit."""
    path = tmp_path / "runs.csv"
    path.write_text(HEADER + ROW)
    monkeypatch.setattr(published, "MAX_BYTES", len(HEADER + ROW))
    assert len(read_published(path)) == 1
    monkeypatch.setattr(published, "MAX_BYTES", len(HEADER + ROW) - 1)
    with pytest.raises(InputError, match="larger than"):
        read_published(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """No such file, and a folder in place of one."""
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read it"):
            read_published(path)


def test_the_built_in_runs_are_read_whole() -> None:
    """One row per line of the file, ids unique, every excluded row with its reason."""
    found = read_published(builtin_runs())
    assert len(found) > 4000
    assert len({row.text["id"] for row in found}) == len(found)
    assert all(len(row.excluded) != 1 for row in found)


def read_or_refused(content: str) -> list[PublishedRow] | InputError:
    """What comes of a text: its rows or the one kind of error."""
    try:
        return parse_published(content, "runs.csv")
    except InputError as error:
        return error


@given(st.text())
def test_any_text_is_read_or_refused(content: str) -> None:
    """Nothing but rows or an input error, whatever is in the file."""
    assert read_or_refused(content)


@given(st.lists(st.lists(st.text(max_size=20), max_size=7), max_size=5))
def test_any_cells_under_a_good_header_are_read_or_refused(cells: list[list[str]]) -> None:
    """The same below the right header: whatever is read has a value and an id."""
    found = read_or_refused(HEADER + "\n".join(",".join(line) for line in cells))
    if not isinstance(found, InputError):
        assert all(row.value > 0 and row.text["id"] for row in found)


@given(st.sampled_from(sorted(CELLS)), st.text(max_size=30))
def test_any_cell_of_a_good_row_is_read_or_refused(column: str, cell: str) -> None:
    """One cell of an ordinary row replaced by anything."""
    assert read_or_refused(text({column: cell}))


@pytest.mark.parametrize("column", published.MAY_BE_ZERO)
def test_zero_of_what_a_run_may_go_without(column: str) -> None:
    """A dense model's row may say 0 experts: it has none."""
    (row,) = parse_published(f"id,model,gpu,metric,value,{column}\na-1,gpt2,H100,step_time,3,0\n", "runs.csv")
    assert row.numbers[column] is None
