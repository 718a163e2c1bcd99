"""What everybody at the board sees: which problem, what is changed in it, what is pinned; and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode

from planner.board.given import Sets
from planner.errors import InputError

MOST_PINS: Final = 8
"""Scenarios that are kept side by side."""
MOST_STEPS: Final = 200
"""Moves that can be undone."""
LONGEST: Final = 16_384
"""Characters of the part of an address that holds a state."""
PROBLEM, PIN, SEPARATOR = "problem", "pin", "\n"


@dataclass(frozen=True)
class Scenario:
    """A problem with changes: what a plan is sought for."""

    problem: int = 0
    """Which of the files."""
    sets: tuple[tuple[str, str], ...] = ()

    @property
    def changes(self) -> Sets:
        """The changed keys."""
        return dict(self.sets)

    def changed(self, changes: Mapping[str, str | None]) -> Scenario:
        """With some keys changed, or for None as the file has them."""
        merged = {**{key: value for key, value in self.sets if key not in changes}, **changes}
        return replace(self, sets=tuple((key, value) for key, value in merged.items() if value is not None))


@dataclass(frozen=True)
class PinnedScenario:
    """A scenario that is kept beside the one that is moved."""

    name: str
    scenario: Scenario


@dataclass(frozen=True)
class State:
    """All of it."""

    scenario: Scenario = Scenario()
    pins: tuple[PinnedScenario, ...] = ()

    def with_pin(self, name: str) -> State:
        """With the scenario pinned under a name. Raises InputError when there are too many."""
        if len(self.pins) >= MOST_PINS:
            raise InputError(f"{MOST_PINS} scenarios are pinned", fix="remove one of them first")
        return replace(self, pins=(*self.pins, PinnedScenario(name, self.scenario)))

    def without_pin(self, index: int) -> State:
        """Without one of the pinned scenarios. Raises InputError."""
        return replace(self, pins=tuple(pin for pin in self.pins if pin is not self._pin(index)))

    def from_pin(self, index: int) -> State:
        """With a pinned scenario as the one that is moved. Raises InputError."""
        return replace(self, scenario=self._pin(index).scenario)

    def _pin(self, index: int) -> PinnedScenario:
        if not 0 <= index < len(self.pins):
            raise InputError("there is no such pinned scenario", fix="reload the page")
        return self.pins[index]

    @property
    def fragment(self) -> str:
        """The state as the part of an address behind `#`."""
        pins = [(PIN, f"{pin.name}{SEPARATOR}{_query(pin.scenario)}") for pin in self.pins]
        return urlencode([*_pairs(self.scenario), *pins])


def _pairs(scenario: Scenario) -> list[tuple[str, str]]:
    named = [(PROBLEM, str(scenario.problem))] if scenario.problem else []
    return [*named, *scenario.sets]


def _query(scenario: Scenario) -> str:
    return urlencode(_pairs(scenario))


def state_of(fragment: str) -> State:
    """The state that an address holds. Raises InputError."""
    if len(fragment) > LONGEST:
        raise InputError("the address is too long", fix="open the board without what stands behind #")
    pairs = _parsed(fragment)
    pins = [value.partition(SEPARATOR) for key, value in pairs if key == PIN]
    if len(pins) > MOST_PINS:
        raise InputError(f"the address holds more than {MOST_PINS} pinned scenarios", fix="leave some out")
    kept = tuple(PinnedScenario(name_of(name), _scenario(_parsed(query))) for name, _, query in pins)
    return State(_scenario([pair for pair in pairs if pair[0] != PIN]), kept)


def _parsed(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise InputError("the address holds too much", fix="open the board without what stands behind #") from None


def _scenario(pairs: list[tuple[str, str]]) -> Scenario:
    number = dict(pairs).get(PROBLEM, "0")
    if not number.isdecimal() or len(number) > 3:
        raise InputError("the address names no problem", fix="open the board without what stands behind #")
    return Scenario(int(number), tuple((key, value) for key, value in pairs if key != PROBLEM))


LONGEST_NAME: Final = 60
"""Characters of a person's or a scenario's name."""


def name_of(text: object) -> str:
    """A name as it is shown: one line, not too long. Raises InputError."""
    shown = " ".join(text.split())[:LONGEST_NAME] if isinstance(text, str) else ""
    if not shown or not shown.isprintable():
        raise InputError("a name is needed", fix="type a few letters")
    return shown


@dataclass
class History:
    """The state with the moves that led to it and those that were undone."""

    present: State = State()
    past: list[State] = field(default_factory=list)
    future: list[State] = field(default_factory=list)
    slide: str = ""
    """The slide that the last move belongs to: all moves of one are taken back together; empty: none."""

    def goes_on(self, slide: str) -> bool:
        """Whether a move of a slide goes on with the last move."""
        return slide != "" and slide == self.slide

    def move(self, state: State, slide: str = "") -> None:
        """A move: what was undone before is gone."""
        if state != self.present:
            if not self.goes_on(slide):
                self.past = [*self.past, self.present][-MOST_STEPS:]
            self.present, self.future, self.slide = state, [], slide

    def undo(self) -> None:
        """Back by one move, if there is one."""
        self.slide = ""
        if self.past:
            self.future.append(self.present)
            self.present = self.past.pop()

    def redo(self) -> None:
        """Forth by one move that was undone, if there is one."""
        if self.future:
            self.past.append(self.present)
            self.present = self.future.pop()
