"""The commands of docs/portfolio.md run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"^\$ plan (.+)$", (ROOT / "docs" / "portfolio.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command ends well, one after the other in one folder."""
    (tmp_path / "problems").symlink_to(ROOT / "problems")
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        done = CliRunner().invoke(main, shlex.split(command))
        assert done.exit_code == 0, f"{command}: {done.output}"
        assert done.stdout
    assert len(COMMANDS) >= 8
