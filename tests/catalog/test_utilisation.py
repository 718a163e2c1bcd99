"""Typical utilisation: the catalog's quartiles are those of the published runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from planner.catalog.accelerators import find_accelerator
from planner.catalog.utilisation import ANY, load_utilisation, typical_utilisation
from planner.performance.flops import causal_attention
from planner.validation.cases import Case, case_of, group
from planner.validation.imputation import Skipped
from planner.validation.metrics import measured_seconds
from planner.validation.published import builtin_runs, read_published

Kind = tuple[str, int, bool]
FEWEST_DEVICES = 64
FEWEST_CONFIGURATIONS = 3


@dataclass(frozen=True)
class Derived:
    """Weighted quartiles of one kind."""

    lower_quartile: float
    median: float
    upper_quartile: float
    configurations: int
    names: tuple[str, ...]

    @property
    def sources(self) -> int:
        """Publications that were counted."""
        return len(self.names)


def cases() -> list[Case]:
    """The published runs that count: large, of all parameters, not excluded."""
    found = []
    for rows in group(read_published(builtin_runs())):
        try:
            case = case_of(rows)
        except Skipped:
            continue
        if not (any(row.excluded for row in rows) or case.adapter or case.gpus < FEWEST_DEVICES):
            found.append(case)
    return found


def utilisation_of(case: Case) -> float | None:
    """MFU that a published run's step time implies."""
    seconds = measured_seconds(case)
    if seconds is None:
        return None
    flop = causal_attention(case.architecture, case.job.sequence) * case.job.sequence * case.job.global_batch
    return float(flop / (seconds * case.gpus * case.device.peak_flops_s))


def quartiles(found: list[tuple[str, float]]) -> Derived:
    """Quartiles in which a source votes with the square root of its configurations."""
    found = sorted(found, key=lambda one: one[1])
    times = Counter(source for source, _ in found)
    weights = np.asarray([times[source] ** -0.5 for source, _ in found])
    middle = (np.cumsum(weights) - weights / 2) / weights.sum()
    lower, median, upper = np.interp((0.25, 0.5, 0.75), middle, [value for _, value in found])
    return Derived(float(lower), float(median), float(upper), len(found), tuple(sorted(times)))


@cache
def derived() -> dict[Kind, Derived]:
    """The quartiles of every kind with enough configurations, and of all accelerators together."""
    found: dict[Kind, list[tuple[str, float]]] = defaultdict(list)
    for case in cases():
        value = utilisation_of(case)
        if value is not None:
            kind = (8 if case.precision.is_low else 16, bool(case.architecture.experts > 0))
            for architecture in (case.accelerator.architecture, ANY):
                found[architecture, *kind].append((case.rows[0].source, value))
    return {kind: quartiles(values) for kind, values in found.items() if len(values) >= FEWEST_CONFIGURATIONS}


@pytest.mark.slow
def test_the_quartiles_are_those_of_the_published_runs() -> None:
    """Within two points: the same kinds, the same figures."""
    recorded = {(one.architecture, int(one.bits), one.moe): one for one in load_utilisation()}
    assert recorded.keys() == derived().keys()
    for kind, expected in derived().items():
        one = recorded[kind]
        assert one.median == pytest.approx(expected.median, abs=0.02), kind
        assert one.lower_quartile == pytest.approx(expected.lower_quartile, abs=0.02), kind
        assert one.upper_quartile == pytest.approx(expected.upper_quartile, abs=0.02), kind


def test_quartiles_are_in_order() -> None:
    """Lower, median, upper."""
    assert all(one.lower_quartile <= one.median <= one.upper_quartile for one in load_utilisation())


def test_a_device_gets_its_generation() -> None:
    """H800 and H100 are one generation; a generation without published runs gets all of them."""
    known = typical_utilisation(find_accelerator("H800-80GB-SXM"), low_precision=True, moe=True)
    assert (known.architecture, known.bits, known.moe) == ("hopper", 8, True)
    unknown = typical_utilisation(find_accelerator("Gaudi3"), low_precision=False, moe=False)
    assert unknown.architecture == ANY
    assert "all accelerators" in unknown.kind
