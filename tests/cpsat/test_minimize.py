"""The thin model minimises what it is told to."""

from __future__ import annotations

import subprocess
import sys

from planner.cpsat.model import OPTIMAL, Model, SatParameters, SolverRun


def test_the_objective_is_part_of_the_model() -> None:
    """The least value is found whatever is hinted, also when another objective was set before."""
    model = Model()
    number = model.new_int_var(1, 5, "number")
    model.hint(number, 4)
    model.minimize(number * -1)
    model.minimize(number * 3)
    search = SolverRun(model, SatParameters())
    assert search.run() == OPTIMAL
    assert search.value(number) == 1
    assert search.response.best_objective_bound == 3


def test_ctrl_c_is_pythons_after_a_search() -> None:
    """A search leaves Ctrl-C as it was: an exception, not the end of the process."""
    program = (
        "import signal\nfrom planner.cpsat.model import Model, SatParameters, SolverRun\n"
        "model = Model()\nmodel.minimize(model.new_int_var(1, 9, 'x'))\nSolverRun(model, SatParameters()).run()\n"
        "try: signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt: print('raised')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "raised\n"), done.stderr
