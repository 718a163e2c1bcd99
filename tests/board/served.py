"""A board in a process of its own, as users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import httpx

ROOT = Path(__file__).resolve().parents[2]
PROBLEMS = ROOT / "problems"
SECONDS = 60.0


def asked(folder: Path) -> str:
    """A problem in a folder: Llama 3 405B as cheaply as can be within 90 days."""
    text = (PROBLEMS / "llama3_405b.yaml").read_text(encoding="utf-8")
    text = text.replace("limits:\n", "limits:\n  deadline: 90d\n").replace("objective: time", "objective: cost")
    (folder / "asked.yaml").write_text(text, encoding="utf-8")
    return "asked.yaml"


@dataclass
class Served:
    """A running board."""

    url: str
    process: subprocess.Popen[str]
    client: httpx.Client

    @property
    def base(self) -> str:
        """The address without path and token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        """The token of the address."""
        return parse_qs(urlsplit(self.url).query)["token"][0]

    def get(self, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401  (whatever httpx takes)
        """GET with the token."""
        return self.client.get(self.base + path, params={"token": self.token}, **more)

    def post(self, path: str, body: Mapping[str, Any], **more: Any) -> httpx.Response:  # noqa: ANN401  (the same)
        """POST of JSON with the token."""
        return self.client.post(self.base + path, params={"token": self.token}, json=body, **more)

    def answer(self) -> dict[str, Any]:
        """The answer of the present state, once it is found."""
        found: dict[str, Any] = self.get("/api/answer").json()
        return found

    def set(self, **changes: str | None) -> dict[str, Any]:
        """Changes limits and waits for the answer."""
        response = self.post("/api/move", {"sets": {f"limits.{key}": value for key, value in changes.items()}})
        assert response.status_code == 200, response.text
        return self.answer()


@contextmanager
def served(*arguments: str, folder: Path) -> Iterator[Served]:
    """A board with these arguments, started in a folder and ended with Ctrl-C."""
    command = [sys.executable, "-m", "planner", "board", "--no-browser", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = line_of(process.stdout)
        with httpx.Client(timeout=SECONDS, trust_env=False) as client:
            yield Served(url, process, client)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


def line_of(stream: IO[str] | None) -> str:
    """The first line that a process prints."""
    assert stream is not None
    return stream.readline().rstrip("\n")
