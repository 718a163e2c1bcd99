"""The estimator's calibration: constants, per-accelerator efficiencies and the error that they were scored with."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from planner.catalog.files import catalog_directory
from planner.catalog.own_runs import OwnPeak, OwnRun
from planner.catalog.records import Accelerator, Positive, Record, SourcedRecord
from planner.errors import InputError, Place
from planner.files import read_whole, text_of

NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
FILE = "calibration.toml"
MAX_BYTES = 2**20
"""Most of a file that is read."""


class Efficiency(Record):
    """How fast an accelerator's matrix products are in training, against its measured share of peak."""

    accelerator: str
    architecture: str
    vendor: str
    factor: Positive
    standard_error: Annotated[float, Field(ge=0)]
    """Standard error of log(factor)."""
    runs: Annotated[int, Field(ge=0)]
    """Published configurations that it was fitted to."""


class Accuracy(Record):
    """Error on published runs whose source the fit had not seen (leave one source out), beside the fit's own."""

    kind: str
    """`all`, `dense`, `moe`, `adapters`, `large`, a set that is scored apart, or `memory`."""
    configs: int
    median_ape: Positive
    mean_ape: Positive
    within_10: float
    within_20: float
    fitted_median_ape: Positive
    """The median error of the same configurations when their source is in the fit."""
    log_deviation: Positive
    """Robust standard deviation of log(predicted/measured)."""
    in_range: Fraction
    """Share of figures inside the printed 80 % range, whose width had not seen their publisher either."""


class Coverage(Record):
    """How many unseen runs end inside the range of a confidence."""

    confidence: Fraction
    coverage: Fraction


Kind = Literal["dense", "moe", "adapters"]
"""What is trained, as far as errors differ: dense models, mixtures of experts, adapters on a frozen base."""


class Spread(Record):
    """How far runs end from their estimate that the fit had not seen: deviations of the logarithm.

    Each is the standard deviation of the normal distribution whose 80 % range is as wide. Those that are added are
    added in quadrature.
    """

    dense: Positive
    moe: Positive
    adapters: Positive
    large: NonNegative
    """Added for more than `LARGE` devices."""
    gaps: NonNegative
    """Added where a run does not state all of its layout."""
    few_rounds: NonNegative = 0.0
    """Added for mixtures of experts with at most `FEW_ROUNDS` micro-batches per replica and step."""
    newest: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
    """Month of the newest run in the fit."""
    drift: float
    """Median change of log(time) per year that software is newer than the fit; below 0 where it gets faster."""
    drift_deviation: NonNegative
    """Added for the first such year; it grows with the root of the years."""
    choice: float
    """Median of log(real/estimated time) of the layout that a search prefers, over that of all that were measured."""

    def of_kind(self, kind: Kind) -> float:
        """The deviation of a kind."""
        return {"dense": self.dense, "moe": self.moe, "adapters": self.adapters}[kind]


class Calibration(SourcedRecord):
    """What `plan calibrate` writes and every estimate reads."""

    constants: dict[str, float]
    """Fields of `planner.performance.symbols.Constants`."""
    standard_errors: dict[str, float]
    """Standard error of the logarithm of each fitted constant; constants taken from the literature have none."""
    efficiencies: tuple[Efficiency, ...]
    accuracies: tuple[Accuracy, ...]
    spread: Spread
    reliability: tuple[Coverage, ...]
    own_runs: tuple[OwnRun, ...] = ()
    """What a team measured of its step times; `plan learn` writes it."""
    own_peaks: tuple[OwnPeak, ...] = ()
    """What it measured of memory."""

    def efficiency(self, accelerator: Accelerator) -> float:
        """The accelerator's fitted factor, or the mean of its architecture's, or of its vendor's, or 1."""
        for matches in (
            [e for e in self.efficiencies if e.accelerator == accelerator.name],
            [e for e in self.efficiencies if e.architecture == accelerator.architecture],
            [e for e in self.efficiencies if e.vendor == accelerator.vendor],
        ):
            if matches:
                return fmean(e.factor for e in matches)
        return 1.0

    def is_fitted(self, accelerator: Accelerator) -> bool:
        """Whether published or own runs of this very accelerator were in the fit."""
        own = any(run.accelerator == accelerator.name for run in self.own_runs)
        return own or any(e.accelerator == accelerator.name for e in self.efficiencies)


def read_calibration(path: Path) -> Calibration:
    """The calibration in a TOML file. Raises InputError when neither `plan calibrate` nor `plan learn` wrote it."""
    fix = "give a file that plan calibrate or plan learn wrote"
    text = text_of(read_whole(path, MAX_BYTES, fix=fix), str(path), fix=fix)
    try:
        record = Calibration.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}", place=Place(str(path)), fix=fix) from None
    except ValueError as error:
        raise InputError(f"not a TOML file: {str(error)[:200]}", place=Place(str(path)), fix=fix) from None
    return record


@cache
def load_calibration() -> Calibration:
    """The catalog's calibration."""
    return read_calibration(catalog_directory() / FILE)


def calibration_from(reference: str | None, base_directory: Path) -> Calibration:
    """The catalog's calibration, or the one that a file names; a relative path starts at `base_directory`."""
    if reference is None:
        return load_calibration()
    path = base_directory / reference
    try:
        state = path.stat()
    except (OSError, ValueError):
        return read_calibration(path)
    return _read_once(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read_once(path: Path, changed: int, size: int) -> Calibration:
    """A calibration file in the state that its time and size stand for."""
    del changed, size
    return read_calibration(path)
