"""How far a run that nobody has seen ends from its estimate: one distribution for ranges, probabilities and ties."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from planner.catalog.calibration import Kind, Spread
from planner.catalog.own_runs import RunTraits
from planner.performance.symbols import Array

CONFIDENCE: Final = 0.8
"""Share of runs whose real figure lies inside a printed range."""
NORMAL_80: Final = 1.2816
"""Standard deviations to either side that hold `CONFIDENCE` of a normal distribution."""
UNMEASURED_KERNELS: Final = 0.2
"""What layers without softmax over all keys add, as a deviation of the logarithm: assumed, no published run has them.

Mixtures of experts, of which runs of few sources were calibrated, have as much.
"""
EXPERT_EXCHANGE: Final = 0.25
"""Share of a step that the exchange of experts between nodes takes where no other micro-batch hides it.

As estimated for DeepSeek-V3's published layout, whose own stack hides it (arXiv 2412.19437, section 3.2.1).
"""
LARGE: Final = 1000
"""Devices above which runs end further from their estimate."""
FEW_ROUNDS: Final = 2
"""Micro-batches per replica and step up to which runs of mixtures end further from their estimate."""
POINTS: Final = 101
"""Equally probable factors that stand for the distribution in sums."""


def student_quantile(probability: Array) -> Array:
    """Quantile of Student's t with four degrees of freedom, which has tails as heavy as published runs.

    2·√(cos(⅓·acos √α)/√α − 1) with α = 4·p·(1 − p), signed. Source: Shaw 2006, Journal of Computational Finance 9(4).
    """
    p = np.asarray(probability, dtype=np.float64)
    alpha = np.clip(4 * p * (1 - p), 1e-300, 1.0)
    inner = np.cos(np.arccos(np.sqrt(alpha)) / 3) / np.sqrt(alpha)
    return np.asarray(np.sign(p - 0.5) * 2 * np.sqrt(np.maximum(inner - 1, 0.0)))


STUDENT_80: Final = float(student_quantile(np.asarray((1 + CONFIDENCE) / 2)))
"""Scales to either side that hold `CONFIDENCE` of that distribution."""
_SPREAD: Final = student_quantile((np.arange(POINTS) + 0.5) / POINTS)


@dataclass(frozen=True)
class Predictive:
    """The logarithm of real over estimated time: Student's t with four degrees of freedom."""

    scale: float
    middle: float = 0.0
    """Median of the logarithm: above 0 where real runs tend to be slower than their estimate."""

    @property
    def deviation(self) -> float:
        """Standard deviation of the normal distribution whose 80 % range is as wide."""
        return self.scale * STUDENT_80 / NORMAL_80

    def factor(self, probability: float) -> float:
        """The factor on the estimate that a real run stays under with a probability."""
        return math.exp(self.middle + self.scale * float(student_quantile(np.asarray(probability))))

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Factors between which the real figure lies with a confidence."""
        return self.factor((1 - confidence) / 2), self.factor((1 + confidence) / 2)

    @property
    def factors(self) -> Array:
        """Equally probable factors, ascending, shape (`POINTS`,)."""
        return np.exp(self.middle + self.scale * _SPREAD)


@dataclass(frozen=True)
class Unseen:
    """What decides how well the time of a run is known that nobody has seen."""

    kind: Kind
    devices: float
    release: str = ""
    """Month of its software (`2026-03`); empty where it is not newer than the fit."""
    has_gaps: bool = False
    """Whether parts of its layout are guessed."""
    rounds: float = math.inf
    """Micro-batches per replica and step."""
    device_deviation: float = 0.0
    """Deviation of the logarithm that comes with an accelerator without published runs."""
    software_deviation: float = 0.0
    """The same of a stack that is not stated, see `software_deviation`."""
    has_unmeasured_kernels: bool = False
    """Whether the model has layers of which no published run was ever fitted."""
    is_searched: bool = False
    """Whether its layout is the best of many by the same estimate, which flatters it."""
    traits: RunTraits | None = None
    """What decides how much own runs say about it."""
    variance_left: float = 1.0
    """Share of the variance that own runs leave."""


def predictive(spread: Spread, run: Unseen) -> Predictive:
    """Real over estimated time of an unseen run."""
    scale, middle = scale_and_middle(spread, run, np.asarray(run.variance_left))
    return Predictive(float(scale), float(middle))


def scale_and_middle(spread: Spread, run: Unseen, left: Array) -> tuple[Array, Array]:
    """Scale and median of that logarithm where own runs leave each of some shares of its variance.

    The spread between publishers and what else is not known of a run, added in quadrature: that of many devices,
    guessed parts of the layout, few micro-batches of a mixture, an unseen device, an unstated stack, software newer
    than the fit and unmeasured kernels. Newer software and a search's choice move the median. Of all but the choice,
    own runs leave a share.
    """
    years = years_newer(spread.newest, run.release)
    deviation = np.sqrt(left) * math.hypot(
        spread.of_kind(run.kind),
        spread.large * (run.devices > LARGE),
        spread.gaps * run.has_gaps,
        spread.few_rounds * (run.kind == "moe" and run.rounds <= FEW_ROUNDS),
        spread.drift_deviation * math.sqrt(years),
        run.device_deviation,
        run.software_deviation,
        UNMEASURED_KERNELS * run.has_unmeasured_kernels,
    )
    middle = spread.drift * years * left + spread.choice * run.is_searched
    return np.asarray(deviation * NORMAL_80 / STUDENT_80), np.asarray(middle)


def kind_of(*, moe: bool, adapters: bool) -> Kind:
    """What is trained, as far as errors differ."""
    return "adapters" if adapters else "moe" if moe else "dense"


def software_deviation(generic: float, generic_stack: float, *, moe: bool) -> float:
    """Deviation of log(time) where a stack is not stated: √(g·(1 − g)) times the logarithms of what stacks differ by.

    `generic` is the chance that it is generic, `generic_stack` the factor on its kernels' time then; that it hides the
    exchange of a mixture's experts under compute is independent of that.
    """
    differ = math.hypot(math.log(generic_stack), math.log(1 / (1 - EXPERT_EXCHANGE)) * moe)
    return math.sqrt(generic * (1 - generic)) * differ


def years_newer(newest: str, release: str) -> float:
    """Years between the newest run of a fit and a release (`2026-03` or `2026`); 0 where that is not newer."""
    return max(_months(release) - _months(newest), 0) / 12 if release else 0.0


def _months(moment: str) -> int:
    year, _, month = moment.partition("-")
    return 12 * int(year) + int(month[:2] or 1)
