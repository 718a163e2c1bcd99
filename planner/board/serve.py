"""Serving a board on this machine, and with a second token on the local network."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner.board.app import application
from planner.board.board import Board
from planner.board.given import GivenFile
from planner.board.security import Guard
from planner.errors import InputError

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 128
IDLE_SECONDS: Final = 15
"""After which a silent connection is closed."""
MISSING: Final = "the board needs the libraries of the extra board, which are not installed"
INSTALL: Final = "pip install 'plan-training[board]', or from a checkout pip install '.[board]'"


@dataclass(frozen=True)
class ServeOptions:
    """How a board is served."""

    port: int = 0
    share: bool = False
    """Whether pages on the local network may follow, with a token of their own."""
    read_only: bool = False
    """Whether the link that is given away (the shared one, else the only one) can change nothing."""


@dataclass(frozen=True)
class Links:
    """The addresses of a board."""

    own: str
    shared: str | None = None


def require_libraries() -> None:
    """Raises InputError when what the board needs is not installed."""
    try:
        import starlette  # noqa: F401, PLC0415
        import uvicorn  # noqa: F401, PLC0415
    except ImportError:
        raise InputError(MISSING, fix=INSTALL) from None


def serve(files: tuple[GivenFile, ...], options: ServeOptions, tell: Callable[[Links], None]) -> None:
    """Serves until Ctrl-C; `tell` is given the addresses once they answer. Raises InputError for a port in use."""
    with _listening(options) as listener:
        asyncio.run(_served(files, options, listener, tell))


def _listening(options: ServeOptions) -> socket.socket:
    """A socket on the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0" if options.share else LOOPBACK, options.port))  # noqa: S104  (asked for by --share)
    except OSError as error:
        listener.close()
        raise InputError(f"cannot use port {options.port}: {error.strerror}", fix="--port 0 takes any") from None
    return listener


async def _served(
    files: tuple[GivenFile, ...], options: ServeOptions, listener: socket.socket, tell: Callable[[Links], None]
) -> None:
    """Runs the server until it is told to end."""
    import uvicorn  # noqa: PLC0415  (only the board needs it)

    port = listener.getsockname()[1]
    own, shared = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    given = "read" if options.read_only else "write"
    roles = {own: "write", shared: given} if options.share else {own: given}
    hosts = [LOOPBACK, "localhost", *([_address()] if options.share else [])]
    board, cookie = Board(files, asyncio.get_running_loop()), f"plan-board-{port}"
    guard = Guard(application(board, cookie, Path.cwd()), roles, frozenset(f"{host}:{port}" for host in hosts), cookie)
    config = uvicorn.Config(
        guard,
        log_level="error",
        access_log=False,
        lifespan="off",
        http="h11",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
        server_header=False,
    )

    class Server(uvicorn.Server):
        """A server that lets its pages go before it waits for them."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Ends the board, then the server."""
            board.close()
            await super().shutdown(sockets)

    server = Server(config)
    links = Links(
        f"http://{LOOPBACK}:{port}/?token={own}",
        f"http://{_address()}:{port}/?token={shared}" if options.share else None,
    )
    listener.listen(MOST_CONNECTIONS)  # whoever asks from now on is answered as soon as the server runs
    asyncio.get_running_loop().call_soon(tell, links)
    board.start()
    try:
        with suppress(KeyboardInterrupt):
            await server.serve([listener])
    finally:
        board.close()


def _address() -> str:
    """This machine's address on the local network, as far as it has one; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found: str = probe.getsockname()[0]
        except OSError:
            return LOOPBACK
        return found
