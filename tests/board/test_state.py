"""The board's state: an address holds all of it, and every move can be taken back."""

from __future__ import annotations

import pytest

from planner.board.state import MOST_PINS, History, PinnedScenario, Scenario, State, name_of, state_of
from planner.errors import InputError

SCENARIO = Scenario(1, (("limits.deadline", "60d"), ("market.accelerators", "[H100-80GB-SXM5, B200-SXM]")))


def test_an_address_holds_the_state() -> None:
    """Reading the address of a state gives the state, with odd characters in names and values."""
    state = State(SCENARIO, (PinnedScenario("a & b = ü #1", SCENARIO), PinnedScenario("file", Scenario())))
    assert state_of(state.fragment) == state
    assert state_of("") == State()


@pytest.mark.parametrize(
    "fragment", ["problem=x", "problem=-1", "&".join(f"k{i}=1" for i in range(300)), "a=" + "x" * 20_000]
)
def test_an_address_that_holds_nonsense_is_refused(fragment: str) -> None:
    """What is no state is an input error, however long it is."""
    with pytest.raises(InputError):
        state_of(fragment)


def test_undo_and_redo_go_through_all_moves() -> None:
    """Undo goes back move by move, redo forth, and a new move forgets what was undone."""
    history = History()
    states = [State(Scenario(0, (("limits.gpus", str(count)),))) for count in (8, 16, 32)]
    for state in states:
        history.move(state)
    for state in (states[1], states[0], State(), State()):
        history.undo()
        assert history.present == state
    history.redo()
    assert history.present == states[0]
    history.move(states[2])
    history.redo()
    assert history.present == states[2]


def test_a_slide_is_taken_back_as_one() -> None:
    """Moves of one slide are one step; the next slide, or a move without one, is another."""
    history = History()
    states = [State(Scenario(0, (("limits.gpus", str(count)),))) for count in (8, 16, 32, 64)]
    for state, slide in zip(states, ("a", "a", "b", ""), strict=True):
        history.move(state, slide)
    for state in (states[2], states[1], State()):
        history.undo()
        assert history.present == state


def test_pins_are_kept_used_and_removed() -> None:
    """A pin keeps a scenario under a name; there are not endlessly many."""
    state = State(SCENARIO).with_pin("first")
    moved = State(Scenario(), state.pins)
    assert moved.from_pin(0).scenario == SCENARIO
    assert moved.without_pin(0).pins == ()
    for number in range(1, MOST_PINS):
        state = state.with_pin(str(number))
    with pytest.raises(InputError):
        state.with_pin("one too many")
    with pytest.raises(InputError):
        state.from_pin(99)


def test_a_name_is_one_short_line() -> None:
    """Names are cut to a line; nothing is no name."""
    assert name_of("  Ada \n Lovelace ") == "Ada Lovelace"
    for wrong in ("", "  ", "\x00", None, 3):
        with pytest.raises(InputError):
            name_of(wrong)
