"""The board's HTTP interface: the page, its moves, its events and its exports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from planner.board.board import Board, Listener
from planner.board.exports import ExistsError, exported, save
from planner.board.security import EVENTS
from planner.board.state import name_of
from planner.errors import InputError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MEDIA: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEARTBEAT: Final = 15.0
"""Seconds after which a silent line is told that the board is still there."""
WAIT: Final = 60.0
"""Seconds that an export waits for its answer."""


@cache
def assets() -> Mapping[str, bytes]:
    """The page's own files, by name."""
    folder = files(__package__).joinpath("assets")
    return {one.name: one.read_bytes() for one in folder.iterdir() if Path(one.name).suffix in MEDIA}


def application(board: Board, cookie: str, folder: Path) -> Starlette:
    """The application of a board; `folder` is where problems are saved."""
    from starlette.applications import Starlette  # noqa: PLC0415  (only the board needs it)
    from starlette.routing import Route  # noqa: PLC0415

    pages = _Pages(board, cookie, folder)
    return Starlette(
        routes=[
            Route("/", pages.index),
            Route("/assets/{name}", pages.asset),
            Route(EVENTS, pages.events),
            Route("/api/answer", pages.answer),
            Route("/api/export/{kind}", pages.export),
            Route("/api/save", pages.save, methods=["POST"]),
            *(Route(f"/api/{name}", pages.moving(move), methods=["POST"]) for name, move in MOVES.items()),
        ]
    )


class _Pages:
    """The answers to requests."""

    def __init__(self, board: Board, cookie: str, folder: Path) -> None:
        self.board, self.cookie, self.folder = board, cookie, folder
        self.exporting = asyncio.Lock()

    async def index(self, request: Request) -> Response:
        """The page; it takes the token along as a cookie, for its own files."""
        from starlette.responses import Response  # noqa: PLC0415

        response = Response(assets()["index.html"], media_type="text/html")
        if token := request.query_params.get("token"):
            response.set_cookie(self.cookie, token, httponly=True, samesite="strict")
        return response

    async def asset(self, request: Request) -> Response:
        """One of the page's own files."""
        from starlette.responses import PlainTextResponse, Response  # noqa: PLC0415

        name = request.path_params["name"]
        if name not in assets():
            return PlainTextResponse("there is no such file\n", 404)
        return Response(assets()[name], media_type=MEDIA[Path(name).suffix])

    async def events(self, request: Request) -> Response:
        """What happens at the board, as server-sent events."""
        from starlette.responses import StreamingResponse  # noqa: PLC0415

        try:
            listener = self.board.join(name_of(request.query_params.get("who", "guest")))
        except InputError as error:
            return _problem(error, 503)
        role = {"role": request.scope["role"]}
        return StreamingResponse(self._following(listener, role), media_type="text/event-stream")

    async def _following(self, listener: Listener, role: Mapping[str, str]) -> AsyncIterator[str]:
        """Every event until the page or the board goes."""
        try:
            yield f"event: hello\ndata: {json.dumps(role)}\n\n"
            while True:
                text: str | None = ": still here\n\n"
                with suppress(TimeoutError):
                    text = await asyncio.wait_for(listener.events.get(), HEARTBEAT)
                if text is None:
                    return
                yield text
        finally:
            self.board.leave(listener)

    def moving(self, move: Move) -> Callable[[Request], Awaitable[Response]]:
        """The answer to a move: the version that it led to."""

        async def moved(request: Request) -> Response:
            """Makes the move."""
            from starlette.responses import JSONResponse  # noqa: PLC0415

            try:
                body = await _object(request)
                move(self.board, body, name_of(body.get("who", "guest")))
            except InputError as error:
                return _problem(error, 422)
            return JSONResponse({"version": self.board.version, "fragment": self.board.state.fragment})

        return moved

    async def answer(self, _: Request) -> Response:
        """The newest answer as JSON, once it is found."""
        from starlette.responses import Response  # noqa: PLC0415

        await self._found()
        pieces = [f'"version": {self.board.version}', *(f'"{name}": {self._latest(name)}' for name in ANSWER)]
        return Response(f"{{{', '.join(pieces)}}}", media_type="application/json")

    def _latest(self, name: str) -> str:
        """The last piece of a kind, if it is of the present version."""
        board = self.board
        return board.latest[name] if board.versions.get(name) == board.version and name in board.latest else "null"

    async def _found(self) -> None:
        """Waits until everything about the present state is found, or a minute."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.board.done.wait(), WAIT)

    async def export(self, request: Request) -> Response:
        """The answer as a file, one at a time."""
        from starlette.concurrency import run_in_threadpool  # noqa: PLC0415
        from starlette.responses import Response  # noqa: PLC0415

        await self._found()
        try:
            async with self.exporting:
                file = await run_in_threadpool(exported, request.path_params["kind"], self.board.shown())
        except InputError as error:
            return _problem(error, 422)
        disposition = f'attachment; filename="{file.name}"'
        return Response(file.content, media_type=file.media_type, headers={"content-disposition": disposition})

    async def save(self, request: Request) -> Response:
        """Writes the problem into the folder in which the board was started."""
        from starlette.responses import JSONResponse  # noqa: PLC0415

        scenario = self.board.state.scenario
        try:
            body = await _object(request)
            text = self.board.files[scenario.problem].written(scenario.changes, self.folder)
            name = save(text, body.get("name"), self.folder, replace=body.get("replace") is True)
        except ExistsError as error:
            return _problem(error, 409)
        except InputError as error:
            return _problem(error, 422)
        return JSONResponse({"saved": name, "folder": str(self.folder)})


ANSWER: Final = ("answer", "around", "sections", "pins", "relaxations", "replay", "worth", "state", "failure")
"""Pieces of the newest answer."""


async def _object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises InputError."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InputError("the body is not a JSON object", fix="reload the page")
    return body


def _problem(error: InputError, status: int) -> Response:
    """What is wrong, as JSON."""
    from starlette.responses import JSONResponse  # noqa: PLC0415

    issues = [{"message": one.message, "fix": one.fix or ""} for one in error.issues]
    return JSONResponse({"issues": issues}, status)


Move = Callable[[Board, Mapping[str, Any], str], None]


def _move(board: Board, body: Mapping[str, Any], who: str) -> None:
    changes = body.get("sets")
    if not isinstance(changes, dict) or not 0 < len(changes) <= MOST_CHANGES:
        raise InputError("sets is not an object of changed keys", fix="reload the page")
    for key, value in changes.items():
        if not (isinstance(value, str | None) and len(key) <= LONGEST and len(value or "") <= LONGEST):
            raise InputError("a change is not a short text", fix="write less")
    slide = body.get("slide", "")
    if not isinstance(slide, str) or len(slide) > LONGEST_SLIDE:
        raise InputError("slide is not a short text", fix="reload the page")
    board.move(changes, who, slide)


MOST_CHANGES: Final = 50
LONGEST_SLIDE: Final = 100
LONGEST: Final = 4000
"""Characters of a key or a value."""


def _open(board: Board, body: Mapping[str, Any], who: str) -> None:
    fragment = body.get("fragment")
    if not isinstance(fragment, str):
        raise InputError("fragment is not a text", fix="reload the page")
    board.open(fragment, who)


def _index(body: Mapping[str, Any]) -> int:
    index = body.get("index")
    if not isinstance(index, int) or isinstance(index, bool):
        raise InputError("index is not a number", fix="reload the page")
    return index


MOVES: Final[Mapping[str, Move]] = {
    "move": _move,
    "open": _open,
    "undo": lambda board, _, who: board.undo(who),
    "redo": lambda board, _, who: board.redo(who),
    "choose": lambda board, body, who: board.choose(_index(body), who),
    "pin": lambda board, body, who: board.pin(name_of(body.get("name")), who),
    "unpin": lambda board, body, who: board.unpin(_index(body), who),
    "use": lambda board, body, who: board.use_pin(_index(body), who),
}
"""What a page may do, by the path below `/api/`."""
