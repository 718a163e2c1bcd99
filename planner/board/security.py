"""What every request must pass: the right host, the token, no foreign page behind it, and a bounded size and rate."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No code, style or connection but the board's own files, and none inline."""
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
MOST_BYTES: Final = 65_536
"""Largest body of a request."""
BODY_SECONDS: Final = 10.0
"""In which all of a body must have arrived."""
MOST_AT_ONCE: Final = 32
"""Requests that are worked on at a time, pages that follow not counted."""
RATE, BURST = 60.0, 120.0
"""Moves a second in the long run, and how many at once."""


@dataclass
class Rate:
    """A bucket of moves that fills up again."""

    left: float = BURST
    at: float = field(default_factory=time.monotonic)

    def take(self) -> bool:
        """Whether one more is allowed now."""
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self.at) * RATE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Guard:
    """An ASGI application in front of another. A request's role, `write` or `read`, is in its scope as `role`."""

    app: ASGIApp
    tokens: Mapping[str, str]
    """The role behind each token."""
    hosts: frozenset[str]
    """Values of the header Host that are this board."""
    cookie: str
    rate: Rate = field(default_factory=Rate)
    at_work: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        guarded = _with_headers(send)
        refusal = self._refusal(scope)
        if refusal:
            await _drained(receive)
            await _refuse(guarded, *refusal)
        elif scope["path"] == EVENTS:
            await self.app(scope, receive, guarded)
        else:
            await self._bounded(scope, receive, guarded)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Few requests at a time, each with a bounded body."""
        if self.at_work >= MOST_AT_ONCE:
            await _refuse(send, 503, "too many requests at once")
            return
        self.at_work += 1
        try:
            body = await _body(receive)
            if body is None:
                await _refuse(send, 413, "the body is too large or too slow")
            else:
                await self.app(scope, _replayed(body, receive), send)
        finally:
            self.at_work -= 1

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is refused before anything of it is read."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("host", "").lower() not in self.hosts:
            return 400, "this is another host"
        if "origin" in headers and headers["origin"].lower() not in {f"http://{one}" for one in self.hosts}:
            return 403, "the request comes from another page"
        role = self._role(scope, headers)
        if role is None:
            return 403, "the token is missing or wrong: open the address that plan board printed"
        scope["role"] = role
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return 405, "only GET and POST"
        if scope["method"] == "POST":
            return self._refused_move(headers, role)
        return None

    def _refused_move(self, headers: Mapping[str, str], role: str) -> tuple[int, str] | None:
        if role != "write":
            return 403, "this page is read-only"
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return 403, "the request comes from another page"
        if not headers.get("content-type", "").startswith("application/json"):
            return 415, "send application/json"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return 413, "the body is too large"
        return None if self.rate.take() else (429, "too many moves: wait a second")

    def _role(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """The role of the token in the address or, from a page that was opened with it, in the cookie."""
        stated = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        given = stated[0] if stated else _cookie(headers.get("cookie", ""), self.cookie)
        roles = (role for token, role in self.tokens.items() if secrets.compare_digest(token.encode(), given.encode()))
        return next(roles, None)


EVENTS: Final = "/api/events"
"""The path that pages follow."""


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large, too slow or never ends."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                found += message.get("body", b"")
                if len(found) > MOST_BYTES:
                    return None
                if not message.get("more_body"):
                    return bytes(found)
    except TimeoutError:
        return None


async def _drained(receive: Receive) -> None:
    """Takes what little of a body is still coming, so that who sends it can read why it is refused."""
    left = MOST_DRAINED
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAINING_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return


MOST_DRAINED: Final = 2**24
DRAINING_SECONDS: Final = 2.0


def _replayed(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body that was read, then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        """The next message."""
        return waiting.pop() if waiting else await receive()

    return again


def _with_headers(send: Send) -> Send:
    """Adds what every answer carries."""

    async def guarded(message: Message) -> None:
        """Sends a message with the headers."""
        if message["type"] == "http.response.start":
            extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return guarded


async def _refuse(send: Send, status: int, why: str) -> None:
    """A short answer in plain text."""
    body = f"{why}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
