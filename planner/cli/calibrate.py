"""`plan calibrate`: fit the estimator to published runs, or measure a GPU."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--measure", "measuring", is_flag=True, help="Measure this machine's device with PyTorch instead of fitting."
)
@click.option("--device", default="cuda", show_default=True, help="With --measure: cuda, cuda:N or cpu.")
@click.option(
    "--like", metavar="ACCELERATOR", help="With --measure: the catalog record that gives the nominal figures."
)
@click.option("--quick", is_flag=True, help="With --measure: fewer shapes, under a minute.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Where to write the result (fitting: printed when not given).",
)
@click.option("--date", metavar="YYYY-MM-DD", help="The date that the calibration carries; today unless given.")
def calibrate(measuring: bool, device: str, like: str | None, quick: bool, out: Path | None, date: str | None) -> None:
    """Fit the few global constants and the accelerators' efficiencies to the catalog's published runs.

    Needs no GPU; takes some minutes, most of them to fit again without each source. With --measure, and PyTorch
    installed, it measures this machine's device and writes an accelerator record to name in place of the catalog's.
    """
    from planner.errors import InputError

    def progress(message: str) -> None:
        """Says on stderr what is being measured."""
        click.echo(message, err=True)

    if measuring:
        if out is None:
            raise InputError("--measure writes a record", fix="say where: --out my-gpu.toml")
        from planner.measure.command import run

        run(out, device, like, quick, progress)
        return
    from planner.clock import today
    from planner.files import write_whole
    from planner.report.console import print_report
    from planner.report.validation import calibration_table, efficiency_table, unseen_table
    from planner.validation.calibrate import calibrate_builtin, calibration_toml

    record = calibrate_builtin(date or today().isoformat(), progress)
    if out:
        write_whole(out, calibration_toml(record))
    print_report(calibration_table(record), "", efficiency_table(record), "", unseen_table(record))
