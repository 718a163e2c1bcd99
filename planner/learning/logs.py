"""Step times in the logs that training programs write: the warm-up is cut, the median and its spread are taken."""

from __future__ import annotations

import errno
import json
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from planner.errors import InputError, Place
from planner.files import readable
from planner.performance.symbols import Array
from planner.validation.score import NORMAL_FROM_MAD

LONGEST_LINE: Final = 2**16
"""Bytes of a line that are read; the rest of it is passed over."""
WARM_UP: Final = 0.1
"""Share of the steps at the beginning that is left out: compilation, caches and the first allocations."""
LEAST_WARM_UP: Final = 2
"""Steps that are left out at least, where as many are left."""
FEWEST: Final = 3
"""Steps that a log must hold."""
MOST: Final = 10_000_000
"""Step times of a log that are kept; a longer log is answered from its beginning."""
EXAMPLES: Final = (
    "Megatron-LM: ' iteration 20/ 100 | … | elapsed time per iteration (ms): 18900.1 |', "
    "torchtitan: 'step: 20 … tps: 6,123', Hugging Face Trainer: '20/100 [06:18<25:12, 18.9s/it]' or trainer JSON with "
    'train_steps_per_second, MLPerf: \':::MLLOG {"key": "tracked_stats", "value": {"throughput": …}}\''
)


@dataclass(frozen=True)
class LogScale:
    """What turns a log's rates into seconds per step."""

    tokens_per_step: float
    sequences_per_step: float
    gpus: float


@dataclass(frozen=True)
class StepTimes:
    """What a log says of the steps after its warm-up."""

    program: str
    median_seconds: float
    deviation: float
    """Robust standard deviation of the logarithm of single steps."""
    steps: int
    cut: int
    """Steps at the beginning that were left out."""
    last_step: int | None = None
    """Number of the last step, where the log counts them."""


@dataclass
class _Found:
    """Seconds per step of one program's lines, in their order."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    last_step: int | None = None


Reader = Callable[[str, LogScale], tuple[float, int | None] | None]
"""Seconds of a step and its number from a line; None where it holds none."""

_MEGATRON: Final = re.compile(r"iteration\s+(\d+)\s*/.{0,400}?elapsed time per iteration \(ms\):\s*([\d.eE+]+)")
_TORCHTITAN: Final = re.compile(r"\bstep:\s*(\d+)\b.{0,400}?\b(?:tps|wps):\s*([\d,]+(?:\.\d+)?)")
_PROGRESS: Final = re.compile(r"(\d+)/\d+ \[[^\]]{0,60}?([\d.]+)(s/it|it/s)")
_SUMMARY: Final = re.compile(r"^\s*\"?(train_s\w{3,6}s_per_second)\"?\s*[:=]\s*([\d.eE+-]{1,30}),?\s*$")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]{0,12}m")


def _megatron(line: str, _: LogScale) -> tuple[float, int | None] | None:
    found = _MEGATRON.search(line) if "elapsed time" in line else None
    return (_figure(found[2]) / 1e3, int(found[1])) if found else None


def _torchtitan(line: str, rates: LogScale) -> tuple[float, int | None] | None:
    found = _TORCHTITAN.search(line) if "ps:" in line else None
    if found is None:
        return None
    tokens_per_second = _figure(found[2].replace(",", ""))
    return (rates.tokens_per_step / (tokens_per_second * rates.gpus) if tokens_per_second else 0.0), int(found[1])


def _progress(line: str, _: LogScale) -> tuple[float, int | None] | None:
    found = _PROGRESS.search(line) if "it" in line else None
    if found is None:
        return None
    value = _figure(found[2])
    return (value if found[3] == "s/it" else 1 / value if value else 0.0), int(found[1])


def _json_line(line: str, rates: LogScale) -> tuple[float, int | None] | None:
    """A record of the Hugging Face Trainer, of torchtitan's JSON or of MLPerf's logging; or a line of a summary."""
    if not any(key in line for key in _JSON_KEYS):
        return None
    if summary := _SUMMARY.match(line):
        seconds, rate = _JSON_KEYS.get(summary[1]), _figure(summary[2])
        return (seconds(rate, rates), None) if seconds and rate > 0 else None
    start = line.find("{")
    if start < 0:
        return None
    record = _mapping(line[start:])
    value = record.get("value")
    inner = value if isinstance(value, dict) else {}
    metadata = record.get("metadata")
    step = record.get("step", metadata.get("step") if isinstance(metadata, dict) else None)
    number = step if isinstance(step, int) and not isinstance(step, bool) else None
    for source in (record, inner):
        for key, seconds in _JSON_KEYS.items():
            figure = source.get(key)
            if isinstance(figure, int | float) and not isinstance(figure, bool) and figure > 0:
                return seconds(float(figure), rates), number
    return None


_JSON_KEYS: Final[dict[str, Callable[[float, LogScale], float]]] = {
    "step_time": lambda seconds, _: seconds,
    "time_metrics/end_to_end(s)": lambda seconds, _: seconds,
    "train_step_time": lambda seconds, _: seconds,
    "train_steps_per_second": lambda rate, _: 1 / rate,
    "train_samples_per_second": lambda rate, rates: rates.sequences_per_step / rate,
    "throughput(tps)": lambda rate, rates: rates.tokens_per_step / (rate * rates.gpus),
    "throughput": lambda rate, rates: rates.sequences_per_step / rate,
}
"""Keys of JSON lines that give seconds per step, the most direct first."""


def _mapping(text: str) -> dict[str, object]:
    """The JSON or Python mapping that a line holds; empty where it is none."""
    for candidate in (text, text.replace("'", '"')):
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def _figure(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


READERS: Final[dict[str, Reader]] = {
    "Megatron-LM": _megatron,
    "torchtitan": _torchtitan,
    "JSON": _json_line,
    "progress bar": _progress,
}
"""Programs by what their lines look like; a log is the one's whose lines it has most of."""


def read_log(path: Path, rates: LogScale) -> StepTimes:
    """The steps of a log. Raises InputError where it cannot be read or holds too few lines of a known program."""
    found = {program: _Found() for program in READERS}
    first = ""
    for line in _lines(path):
        first = first or line.strip()[:100]
        for program, reader in READERS.items():
            _add(found[program], reader(line, rates))
    program, best = max(found.items(), key=lambda one: len(one[1].seconds))
    if len(best.seconds) < FEWEST and program == "JSON" and best.seconds:
        return _whole(program, best)
    if len(best.seconds) < FEWEST:
        begins = f"; it begins {first!r}" if first.isprintable() and first else ""
        message = f"{len(best.seconds)} lines with a step time were found, {FEWEST} are needed{begins}"
        raise InputError(message, place=Place(str(path)), fix=f"give a log such as {EXAMPLES}")
    return _after_warm_up(program, best)


def _add(found: _Found, step: tuple[float, int | None] | None) -> None:
    """Takes one line's step into account."""
    if step is not None and 0 < step[0] < float("inf") and len(found.seconds) < MOST:
        found.seconds.append(step[0])
        found.last_step = step[1] if step[1] is not None else found.last_step


def _whole(program: str, found: _Found) -> StepTimes:
    """A trainer's summary of the whole run: one figure, its warm-up inside."""
    return StepTimes(program, float(found.seconds[-1]), 0.0, len(found.seconds), 0, found.last_step)


def _after_warm_up(program: str, found: _Found) -> StepTimes:
    seconds: Array = np.asarray(found.seconds)
    cut = min(max(LEAST_WARM_UP, int(WARM_UP * seconds.size)), seconds.size - FEWEST + LEAST_WARM_UP)
    kept = np.log(seconds[min(cut, seconds.size - 1) :])
    middle = float(np.median(kept))
    deviation = NORMAL_FROM_MAD * float(np.median(np.abs(kept - middle)))
    return StepTimes(
        program, float(np.exp(middle)), deviation, int(kept.size), seconds.size - kept.size, found.last_step
    )


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, one at a time, without colours; what is longer than a line should be is cut.

    A progress bar is written over itself: each of its states is a line.
    """
    with readable(Place(str(path)), "give the path of a file"), path.open("rb") as stream:
        while line := stream.readline(LONGEST_LINE):
            if b"\0" in line and not line.strip(b"\0"):
                raise OSError(errno.EINVAL, "it holds nothing but NUL bytes")
            yield from _COLOUR.sub("", line.decode("utf-8", "replace")).split("\r")
