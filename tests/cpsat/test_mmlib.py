"""The benchmark of multi-mode project scheduling reads the published format and finds a small one's best makespan."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

PROJECT = """\
jobs  (incl. supersource/sink ):  4
RESOURCES
  - renewable                 :  1   R
  - nonrenewable              :  1   N
****************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        2          1           4
   3        1          1           4
   4        1          0
****************************
REQUESTS/DURATIONS
jobnr.  mode  dur  R1  N1
----------------------------
   1      1     0    0    0
   2      1     2    3    9
          2     5    1    1
   3      1     4    2    1
   4      1     0    0    0
****************************
RESOURCE AVAILABILITIES
    R 1    N 1
     3      5
****************************
"""
"""Two activities; the quick mode of the first uses up more than there is, so that both run beside each other."""


@pytest.fixture(scope="module")
def mmlib() -> dict[str, Any]:
    """The benchmark's names."""
    return runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "mmlib.py"))


def test_a_project_is_read_and_solved(mmlib: dict[str, Any]) -> None:
    """Five days: the slow mode beside the other activity."""
    project = mmlib["project_of"](PROJECT)
    assert project.available == (3, 5)
    assert [len(modes) for modes in project.modes] == [1, 2, 1, 1]
    assert project.successors[0] == (1, 2)
    assert mmlib["least_makespan"](project, 10.0) == 5


def test_another_text_is_refused(mmlib: dict[str, Any]) -> None:
    """A file without the sections is no project."""
    with pytest.raises(ValueError, match="PSPLIB"):
        mmlib["project_of"]("nothing")
