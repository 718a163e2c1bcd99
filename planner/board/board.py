"""The board: the files, the state that everybody sees, who is there, and what was found."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planner.board.checks import check_changes, labels_of, with_units
from planner.board.given import UNSTATED, GivenFile
from planner.board.solver import Solver
from planner.board.state import History, Scenario, State, state_of
from planner.board.work import Request, Shown
from planner.errors import InputError

MOST_PEOPLE: Final = 24
"""Pages that may follow at a time."""
BACKLOG: Final = 256
"""Events that a slow page may be behind by; it is disconnected then, and comes back by itself."""
LOG: Final = 30
"""Moves that are told who made them."""


@dataclass(eq=False)
class Listener:
    """A page that follows."""

    name: str
    events: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG))

    def send(self, event: str) -> bool:
        """Queues an event; False when the page is too far behind."""
        try:
            self.events.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    def end(self) -> None:
        """Lets the page go."""
        while not self.events.empty():
            self.events.get_nowait()
        self.events.put_nowait(None)


@dataclass
class Board:
    """Everything, for use in the server's event loop alone."""

    files: tuple[GivenFile, ...]
    loop: asyncio.AbstractEventLoop
    history: History = field(default_factory=History)
    version: int = 0
    log: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=LOG))
    listeners: list[Listener] = field(default_factory=list)
    latest: dict[str, str] = field(default_factory=dict)
    """The last piece of each kind as JSON, of the present version or, until there is one, of an older."""
    versions: dict[str, int] = field(default_factory=dict)
    """The version of each of them."""
    relaxations: list[str] = field(default_factory=list)
    solver: Solver = field(init=False)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while everything about the present version is found."""

    def __post_init__(self) -> None:
        self.solver = Solver(self.files, self._found)

    def start(self) -> None:
        """Begins to solve the first file as it stands."""
        self.solver.start()
        self._ask()

    def close(self) -> None:
        """Ends the solver and lets every page go."""
        self.solver.close()
        for listener in self.listeners:
            listener.end()

    @property
    def state(self) -> State:
        """What everybody sees."""
        return self.history.present

    def move(self, changes: Mapping[str, str | None], who: str, slide: str = "") -> None:
        """Changes keys of the request. Raises InputError, and nothing has changed then.

        `slide`: what a person's moves of one stroke share, so that they count as one.
        """
        scenario, given = self.state.scenario, self.files[self.state.scenario.problem]
        changes = with_units(changes, given, scenario.changes)
        check_changes(changes, given, scenario.changes)
        moved = _shortest(given, scenario.changed(changes), changes)
        labels = labels_of(given, scenario.changes)
        slide = f"{who} {slide}" if slide else ""
        before = self.history.past[-1].scenario if self.history.goes_on(slide) else scenario
        told = [f"{labels.get(key, key)}: {_told(given, before, key)} → {_told(given, moved, key)}" for key in changes]
        self._moved(State(moved, self.state.pins), who, "; ".join(told), slide)

    def choose(self, number: int, who: str) -> None:
        """Turns to another file, as it stands. Raises InputError."""
        if not 0 <= number < len(self.files):
            raise InputError("there is no such problem", fix="reload the page")
        self._moved(State(Scenario(number), self.state.pins), who, f"turned to {self.files[number].name}")

    def open(self, fragment: str, who: str) -> None:
        """Takes over the state of an address. Raises InputError."""
        state = state_of(fragment)
        for scenario in (state.scenario, *(pin.scenario for pin in state.pins)):
            if scenario.problem >= len(self.files):
                raise InputError("the address names a problem that this board does not hold", fix="open its files")
            given = self.files[scenario.problem]
            check_changes(scenario.changes, given, {})
            given.parsed(scenario.changes)
        self._moved(state, who, "opened an address")

    def undo(self, who: str) -> None:
        """Takes the last move back."""
        self._stepped(self.history.undo, who, "undid a move")

    def redo(self, who: str) -> None:
        """Makes the last move that was undone again."""
        self._stepped(self.history.redo, who, "redid a move")

    def pin(self, name: str, who: str) -> None:
        """Keeps the scenario beside the one that is moved. Raises InputError."""
        self._moved(self.state.with_pin(name), who, f"pinned {name}")

    def unpin(self, index: int, who: str) -> None:
        """Removes a pinned scenario. Raises InputError."""
        self._moved(self.state.without_pin(index), who, "removed a pinned scenario")

    def use_pin(self, index: int, who: str) -> None:
        """Goes on from a pinned scenario. Raises InputError."""
        self._moved(self.state.from_pin(index), who, f"went on from {self.state.pins[index].name}")

    def _stepped(self, step: Any, who: str, what: str) -> None:  # noqa: ANN401  (undo or redo)
        before = self.state
        step()
        if self.state != before:
            self._tell(who, what)

    def _moved(self, state: State, who: str, what: str, slide: str = "") -> None:
        if state != self.state:
            if self.history.goes_on(slide):
                self.log.pop()
            self.history.move(state, slide)
            self._tell(who, what)

    def _tell(self, who: str, what: str) -> None:
        """A move was made: everybody hears of it, and its plan is asked for."""
        self.log.append({"who": who, "what": what})
        self._ask()

    def _ask(self) -> None:
        self.version += 1
        self.done.clear()
        self.latest = {name: piece for name, piece in self.latest.items() if name in STALE}
        self.relaxations = []
        self._publish("state", json.dumps(self.state_document()))
        self.solver.submit(Request(self.version, self.state))

    def shown(self) -> Shown:
        """What was found for the present state. Raises InputError while that is not known."""
        shown = self.solver.shown
        if shown is None or shown.version != self.version:
            raise InputError("the answer is not there yet", fix="wait until the figures are no longer pale")
        return shown

    def state_document(self) -> dict[str, Any]:
        """The state as everybody sees it."""
        scenario, given = self.state.scenario, self.files[self.state.scenario.problem]
        return {
            "version": self.version,
            "fragment": self.state.fragment,
            "problem": scenario.problem,
            "kind": given.command_name,
            "sets": scenario.changes,
            "files": [one.name for one in self.files],
            "pins": [pin.name for pin in self.state.pins],
            "canUndo": bool(self.history.past),
            "canRedo": bool(self.history.future),
            "command": given.command(scenario.changes),
            "log": list(self.log),
            "people": [one.name for one in self.listeners],
        }

    def join(self, name: str) -> Listener:
        """A page begins to follow, with everything that is known. Raises InputError when there are too many."""
        if len(self.listeners) >= MOST_PEOPLE:
            raise InputError(f"{MOST_PEOPLE} pages follow already", fix="close one of them")
        listener = Listener(name)
        self.listeners.append(listener)
        for kind, piece in {"state": json.dumps(self.state_document()), **self.latest}.items():
            listener.send(event(kind, self._version_of(kind), piece))
        self._tell_people()
        return listener

    def _version_of(self, kind: str) -> int:
        """The version that the last piece of a kind is of: an older one is shown as such."""
        return self.version if kind == "state" else self.versions.get(kind, 0)

    def leave(self, listener: Listener) -> None:
        """A page is gone."""
        if listener in self.listeners:
            self.listeners.remove(listener)
            self._tell_people()

    def _tell_people(self) -> None:
        self._send(event("people", self.version, json.dumps([one.name for one in self.listeners])))

    def _found(self, version: int, name: str, piece: Any) -> None:  # noqa: ANN401  (any JSON)
        """Called by the solving thread with a piece of an answer."""
        self.loop.call_soon_threadsafe(self._take, version, name, json.dumps(piece, ensure_ascii=False))

    def _take(self, version: int, name: str, piece: str) -> None:
        if version != self.version:
            return
        if name == "relaxation":
            self.relaxations.append(piece)
            name, piece = "relaxations", f"[{','.join(self.relaxations)}]"
        if name in {"done", "failure"}:
            self.done.set()
        self._publish(name, piece)

    def _publish(self, name: str, piece: str) -> None:
        self.latest[name], self.versions[name] = piece, self.version
        self._send(event(name, self.version, piece))

    def _send(self, text: str) -> None:
        """Sends an event to every page; one that is too far behind is let go."""
        for listener in [one for one in self.listeners if not one.send(text)]:
            self.listeners.remove(listener)
            listener.end()


STALE: Final = {"answer", "around", "controls", "sections", "pins"}
"""Pieces that are still shown, as old ones, while newer ones are sought."""


def event(name: str, version: int, piece: str) -> str:
    """A server-sent event; the piece is JSON."""
    return f'event: {name}\ndata: {{"version": {version}, "piece": {piece}}}\n\n'


def _told(given: GivenFile, scenario: Scenario, key: str) -> str:
    """The value of a key in a few words."""
    value = given.stated(key, scenario.changes)
    return "as usual" if value is None else given.in_short(key, value)


def _shortest(given: GivenFile, scenario: Scenario, changes: Mapping[str, str | None]) -> Scenario:
    """The scenario without changes that make no difference to the file. Raises InputError."""
    asked = repr(given.parsed(scenario.changes))
    for key in changes:
        if key in scenario.changes:
            without = scenario.changed({key: None})
            same = scenario.changes[key] != UNSTATED or given.stated(key, {}) is None
            if same and _is_valid(given, without) and repr(given.parsed(without.changes)) == asked:
                scenario = without
    return scenario


def _is_valid(given: GivenFile, scenario: Scenario) -> bool:
    """Whether a scenario asks anything at all."""
    try:
        given.parsed(scenario.changes)
    except InputError:
        return False
    return True
