"""What commands say while they work: on a terminal a line that goes again, elsewhere nothing."""

from __future__ import annotations

import io

import pytest

from planner.cli.options import working


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def failing() -> None:
    """Work that fails."""
    with working("checking the catalogs"):
        raise ValueError


def test_a_terminal_is_told_what_is_done_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is wiped at the end, also when the work fails."""
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with working("checking the catalogs"):
        assert stream.getvalue() == "checking the catalogs…"
    assert stream.getvalue().endswith("\r\x1b[K")
    with pytest.raises(ValueError, match=r"^$"):
        failing()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_nothing_is_said_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and pipes hold answers and warnings alone."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with working("checking the catalogs"):
        pass
    assert stream.getvalue() == ""
