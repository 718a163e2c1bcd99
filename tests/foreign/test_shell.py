"""Scripts are read as words: what a shell would expand is expanded, what it would run is not."""

from __future__ import annotations

import pytest

from planner.errors import InputError
from planner.foreign.shell import read_script

SCRIPT = r"""#!/bin/bash
# don't run this
TP=8 # it's the tensor degree
PP=$((TP*2))
NODES=${NODES:-4}
ARGS=(
   --tensor $TP    # of (8) devices
   --pipeline "$PP"
   --layers '([0]*3+[1]*58)'
)
OTHER="--seq 4096 \
 --batch $((TP * 16))
"
ARGS+=(--last)
HOST=$(hostname -s | head -1)
export WHERE=`pwd`
torchrun --nnodes=$NODES --master $HOST pretrain.py "${ARGS[@]}" $OTHER \
  --data $DATA && echo done
"""


def test_variables_arrays_sums_and_defaults_are_expanded() -> None:
    """The command holds what a shell would hand to the program, in the same order."""
    command = next(words for words in read_script(SCRIPT, "run.sh").commands if words[0] == "torchrun")
    expected = "--nnodes=4 --master $(…) pretrain.py --tensor 8 --pipeline 16 --layers ([0]*3+[1]*58) --last"
    assert command[1:] == [*expected.split(), "--seq", "4096", "--batch", "128", "--data", "$DATA"]


def test_commands_inside_are_not_run() -> None:
    """What a shell would have to run stays unknown."""
    assert read_script("A=$(rm -rf / && echo 1)\nB=`id`\n", "run.sh").variables == {"A": "$(…)", "B": "$(…)"}


def test_sums_with_brackets_are_calculated() -> None:
    """Brackets inside of a sum are sums of their own; a text of many variables that never ends takes no time."""
    script = read_script("N=4\nTP=2\nB=$(( 16 * N * (1 + 3) / (TP * 2) ))\n", "run.sh")
    assert script.variables["B"] == "64"
    endless = "$((" + f"${'a' * 30}" * 40
    assert str(read_script(f"A={endless}\n", "run.sh").variables["A"]).startswith("$((")


def test_conditions_are_noticed() -> None:
    """Branches are read as if all of them ran, and that is told."""
    script = read_script("if [ $A = 1 ]; then TP=2; else TP=4; fi\ntorchrun --tp $TP x.py\n", "run.sh")
    assert script.has_conditions
    assert script.commands[-1] == ["torchrun", "--tp", "4", "x.py"]


@pytest.mark.parametrize(
    "text",
    [
        "A=x\n" + "A=$A$A\n" * 40,
        "A=(x x x x x x x x)\n" + 'A+=("${A[@]}")\n' * 40,
        "x " * 200_000,
        "echo 'never closed\n",
    ],
    ids=["doubling", "doubling array", "many words", "open quote"],
)
def test_texts_that_grow_or_never_end_are_refused(text: str) -> None:
    """A script that would fill the memory ends with an error that names it."""
    with pytest.raises(InputError, match=r"run\.sh"):
        read_script(text, "run.sh")


@pytest.mark.parametrize("sum_", ["9**9**9", "__import__('os')", "1/0", "(1).__class__", "A+B"])
def test_only_sums_of_whole_numbers_are_calculated(sum_: str) -> None:
    """Anything else inside of `$((…))` stays as it is."""
    assert str(read_script(f"X=$(({sum_}))\n", "run.sh").variables["X"]).startswith("$")
