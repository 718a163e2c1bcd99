"""The board's server: what it answers to its own page, and what it refuses to everybody else."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from planner.explore.answer import answer
from planner.problem.problem import load_problem

for library in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(library, reason=f"{library} is not installed (extra board)")
from served import PROBLEMS, Served, asked, served  # noqa: E402

PROBLEM = PROBLEMS / "llama3_405b.yaml"
PATHS = ("/", "/assets/main.js", "/api/events", "/api/answer", "/api/export/md", "/nowhere")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the board is started."""
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Served]:
    """A board with two problems."""
    with served(asked(folder), str(PROBLEMS / "spot_heavy.yaml"), folder=folder) as running:
        yield running


def test_first_line_is_the_address_and_answers(board: Served) -> None:
    """The address leads to the page, without a redirect, and forbids code of others."""
    response = board.client.get(board.url)
    assert board.url.startswith("http://127.0.0.1:")
    assert response.status_code == 200
    assert "text/html" in response.headers["content-type"]
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "<script>" not in response.text
    assert "style=" not in response.text


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_answered_without_the_token(board: Served, path: str) -> None:
    """No path says anything to whoever does not hold the token, or holds a wrong one."""
    fresh = type(board.client)(timeout=30, trust_env=False)
    assert fresh.get(board.base + path).status_code == 403
    assert fresh.get(board.base + path, params={"token": "wrong"}).status_code == 403
    assert fresh.post(board.base + path, json={}).status_code == 403


def test_foreign_hosts_and_pages_are_refused(board: Served) -> None:
    """A name that leads here by DNS, and a page of somebody else, get nothing even with the token."""
    assert board.get("/", headers={"host": "evil.example"}).status_code == 400
    assert board.get("/api/answer", headers={"origin": "http://evil.example"}).status_code == 403
    moved = {"sets": {"limits.gpus": "64"}}
    assert board.post("/api/move", moved, headers={"origin": "http://evil.example"}).status_code == 403
    assert board.post("/api/move", moved, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    plain = board.client.post(f"{board.base}/api/undo", params={"token": board.token}, content=b"{}")
    assert plain.status_code == 415
    assert board.post("/api/undo", {}, headers={"origin": board.base}).status_code == 200


def test_large_slow_and_broken_requests_are_bounded(board: Served) -> None:
    """A body of 10 MB, nonsense and a client that sends a byte at a time end; the board answers on."""
    big = board.client.post(
        f"{board.base}/api/move",
        params={"token": board.token},
        content=b"x" * 10_000_000,
        headers={"content-type": "application/json"},
    )
    assert big.status_code == 413
    for body in (b"", b"[]", b"{", b'{"sets": 3}', b"[" * 50_000, b'{"sets": {"limits.gpus": 3}}'):
        response = board.client.post(
            f"{board.base}/api/move",
            params={"token": board.token},
            content=body,
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 422
    host, port = board.base.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for one in slow:
        one.sendall(b"GET / HT")
    assert board.client.get(board.url).status_code == 200
    for one in slow:
        one.close()


@pytest.mark.slow
def test_a_hundred_requests_at_once_are_answered_or_refused(board: Served) -> None:
    """Each of 100 parallel requests ends with 200 or 503, and the next one is answered."""
    codes: list[int] = []

    def ask() -> None:
        """One request on a connection of its own."""
        with type(board.client)(timeout=60, trust_env=False) as client:
            codes.append(client.get(board.url).status_code)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 100
    assert set(codes) <= {200, 503}
    assert board.client.get(board.url).status_code == 200


@pytest.mark.slow
def test_limits_are_answered_as_plan_solve_answers(board: Served, folder: Path) -> None:
    """For states drawn at random the board has the cost, time and GPUs of `plan solve`, or finds nothing either."""
    draw = random.Random(16)  # noqa: S311  (states to try)
    for _ in range(6):
        changes = {
            "deadline": draw.choice(("70d", "90d", "55d", "null")),
            "budget": draw.choice(("null", "$90M", "$60M")),
            "gpus": draw.choice(("16384", "12000", "null")),
        }
        figures = board.set(**changes)["answer"]["figures"]
        plan = answer(
            load_problem(folder / "asked.yaml", [f"limits.{key}={value}" for key, value in changes.items()])
        ).plan
        expected = plan and {"cost_usd": str(plan.cost_usd), "wall_seconds": plan.wall_seconds, "gpus": plan.gpus}
        assert figures == expected, changes


@pytest.mark.slow
def test_many_moves_in_a_second_end_in_the_last(board: Served) -> None:
    """Of 23 moves in a row all are taken, and the answer is the last one's."""
    board.set(deadline="80d", budget="null", gpus="16384")
    for number in range(23):
        response = board.post("/api/move", {"sets": {"limits.deadline": f"{90 + number}d"}})
        assert response.status_code == 200
    found = board.answer()
    assert found["state"]["sets"]["limits.deadline"] == "112d"
    assert found["answer"]["limits"]["rows"][0][1] == "112 d"


def test_what_is_wrong_changes_nothing(board: Served) -> None:
    """A value that cannot be read, a key without control, and a state that is no problem are refused in words."""
    before = board.answer()["version"]
    for sets in ({"limits.deadline": "soon"}, {"model": "/etc/passwd"}, {"risk.confidence": "10%"}):
        response = board.post("/api/move", {"sets": sets})
        assert response.status_code == 422
        assert response.json()["issues"][0]["message"]
    assert board.answer()["version"] == before


@pytest.mark.slow
def test_undo_redo_and_addresses(board: Served) -> None:
    """Moves are taken back and made again, and an address puts the board into its state."""
    board.set(deadline="71d")
    first = board.answer()["state"]["fragment"]
    board.set(deadline="72d")
    board.post("/api/undo", {})
    assert board.answer()["state"]["fragment"] == first
    board.post("/api/redo", {})
    assert board.answer()["state"]["sets"]["limits.deadline"] == "72d"
    assert board.post("/api/open", {"fragment": first}).json()["fragment"] == first
    assert board.post("/api/open", {"fragment": "problem=7"}).status_code == 422
    assert board.post("/api/open", {"fragment": "model=%2Fetc%2Fpasswd"}).status_code == 422


@pytest.mark.slow
def test_nothing_fits_and_relaxations_help(board: Served) -> None:
    """Where nothing fits, every relaxation that is offered leads to a plan."""
    found = board.set(deadline="20d", budget="$20M", gpus="16384")
    assert found["answer"]["status"] == "infeasible"
    offered = [one["sets"] for one in found["relaxations"] if one["sets"]]
    assert offered
    for sets in offered:
        board.post("/api/move", {"sets": sets})
        assert board.answer()["answer"]["status"] == "optimal", sets
        board.post("/api/undo", {})


def test_scenarios_are_pinned_side_by_side(board: Served) -> None:
    """Pinned scenarios keep their figures and say how they differ from the first."""
    board.set(deadline="200d", budget="null", gpus="8192")
    board.post("/api/pin", {"name": "slow"})
    board.set(deadline="80d", gpus="16384")
    board.post("/api/pin", {"name": "fast"})
    pins = board.answer()["pins"]
    assert [one["name"] for one in pins] == ["slow", "fast"]
    assert pins[1]["against"]["cost"].startswith(("+$", "−$"))
    board.post("/api/use", {"index": 0})
    assert board.answer()["answer"]["figures"]["cost_usd"] == str(pins[0]["cost_usd"])
    board.post("/api/unpin", {"index": 1})
    board.post("/api/unpin", {"index": 0})
    assert board.answer()["pins"] == []


def test_another_problem_is_turned_to(board: Served) -> None:
    """A board holds several problems."""
    board.post("/api/choose", {"index": 1})
    assert board.answer()["answer"]["name"] == "spot-heavy 13B"
    board.post("/api/choose", {"index": 0})
    assert board.post("/api/choose", {"index": 5}).status_code == 422


@pytest.mark.parametrize("kind", ["html", "xlsx", "md", "json", "yaml"])
def test_exports_hold_the_answer(board: Served, kind: str) -> None:
    """Every export is a download with the figure of the answer in it."""
    cost = board.set(deadline="75d", budget="null")["answer"]["figures"]["cost_usd"]
    response = board.get(f"/api/export/{kind}")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == f'attachment; filename="plan.{kind}"'
    shown = f"${float(cost):,.0f}"
    match kind:
        case "xlsx":
            openpyxl = pytest.importorskip("openpyxl")
            book = openpyxl.load_workbook(BytesIO(response.content))
            bill = [row[6].value for row in book["Bill"].iter_rows(min_row=2)]
            assert sum(bill) == pytest.approx(float(cost))
        case "json":
            assert json.loads(response.text)["plan"]["cost_usd"] == cost
        case "yaml":
            assert "deadline: 75d" in response.text
        case _:
            assert shown in response.text.replace("\\", "")
    assert board.get("/api/export/exe").status_code == 422


def test_save_writes_into_its_folder_alone(board: Served, folder: Path) -> None:
    """Save writes a file beside which the board was started, replaces none unasked, and leads nowhere else."""
    board.set(deadline="77d")
    assert board.post("/api/save", {"name": "agreed.yaml"}).status_code == 200
    assert repr(load_problem(folder / "agreed.yaml").limits) == repr(
        load_problem(folder / "asked.yaml", ["limits.deadline=77d"]).limits
    )
    assert board.post("/api/save", {"name": "agreed.yaml"}).status_code == 409
    assert board.post("/api/save", {"name": "agreed.yaml", "replace": True}).status_code == 200
    (folder / "link.yaml").symlink_to(folder.parent / "elsewhere.yaml")
    for name in ("../out.yaml", "/etc/out.yaml", "out.txt", ".yaml", "link.yaml", "a/b.yaml", "", 3, "x\x00.yaml"):
        assert board.post("/api/save", {"name": name, "replace": True}).status_code == 422, name
    assert not (folder.parent / "elsewhere.yaml").exists()


@pytest.mark.slow
def test_a_killed_page_is_forgotten(board: Served) -> None:
    """A page that follows and disappears is gone from the people; the board answers on."""
    host, port = board.base.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)))
    line.sendall(f"GET /api/events?who=Ghost&token={board.token} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    assert b"hello" in _read_until(line, b"hello")
    assert "Ghost" in _people(board)
    line.close()
    for _ in range(100):
        board.set(deadline=f"{60 + _ % 7}d")
        if "Ghost" not in _people(board):
            break
        time.sleep(0.05)
    assert "Ghost" not in _people(board)


def _people(board: Served) -> list[str]:
    board.post("/api/undo", {})
    board.post("/api/redo", {})
    found: list[str] = board.answer()["state"]["people"]
    return found


def _read_until(line: socket.socket, text: bytes) -> bytes:
    line.settimeout(30)
    found = b""
    while text not in found:
        found += line.recv(65_536)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--read-only"], ["--read-only", "--port", "0"]])
def test_read_only_changes_nothing(arguments: list[str], tmp_path: Path) -> None:
    """A read-only page is answered and can neither move nor save."""
    with served(str(PROBLEM), *arguments, folder=tmp_path) as board:
        assert board.answer()["answer"]["status"] == "optimal"
        for path, body in (
            ("/api/move", {"sets": {"limits.gpus": "64"}}),
            ("/api/undo", {}),
            ("/api/save", {"name": "a.yaml"}),
        ):
            assert board.post(path, body).status_code == 403
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_markup_in_a_problem_stays_text(tmp_path: Path) -> None:
    """A name with markup arrives as it is, as JSON, and the page that exports it escapes it."""
    name = "<img src=x onerror=alert(1)> | `x`"
    text = PROBLEM.read_text(encoding="utf-8").replace("name: Llama 3.1 405B", f'name: "{name}"')
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    with served("p.yaml", folder=tmp_path) as board:
        found: dict[str, Any] = board.answer()["answer"]
        exported = board.get("/api/export/html").text
        assert ("<img src=x" in found["name"]) == (name in text)
        assert "<img src=x" not in exported
