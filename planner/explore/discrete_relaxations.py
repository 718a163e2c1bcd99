"""What else would have to give: changes of keys that are no limits on time, money or devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from planner.layouts.device_memory import headroom_kept_anyway
from planner.layouts.workload import workload_of
from planner.plans.plan import Plan
from planner.problem.problem import Problem
from planner.problem.quantities import ANY_CLOUD, UNLIMITED

CAPACITY: Final = "market.capacity"
ANY_NUMBER: Final = {ANY_CLOUD: UNLIMITED}
"""As many nodes of the catalogs' clouds as are asked for."""


@dataclass(frozen=True)
class Toggle:
    """A change of keys that are no limits."""

    keys: tuple[str, ...]
    before: str
    after: str
    part: str
    update: dict[str, Any]

    def applied(self, problem: Problem) -> Problem:
        """The problem after the change."""
        part = getattr(problem, self.part)
        return problem.model_copy(update={self.part: part.model_copy(update=self.update)})

    def settings(self, problem: Problem, plan: Plan) -> dict[str, str]:
        """What each key is set to for a plan that the change allows: for a filter, what it held and the plan adds."""
        if self.keys == (CAPACITY,):
            grants = (problem.market.capacity or {}) | {plan.placement.cloud: plan.nodes}
            return {CAPACITY: f"{{{', '.join(f'{where}: {nodes}' for where, nodes in grants.items())}}}"}
        added = {"market.accelerators": plan.accelerator, "market.clouds": plan.placement.cloud}
        held = {key: getattr(problem.market, key.removeprefix("market."), None) or () for key in self.keys}
        return {
            key: f"[{', '.join(dict.fromkeys((*held[key], added[key])))}]" if key in added else self.after
            for key in self.keys
        }


def toggles(problem: Problem) -> Iterator[Toggle]:
    """The changes that would allow more, other than of a limit on time, money or devices."""
    market, training, limits = problem.market, problem.training, problem.limits
    bought = f"[{', '.join(market.purchase)}]"
    for kind in ("spot", "reserved"):
        if kind not in market.purchase:
            more = (*market.purchase, kind)
            yield Toggle(("market.purchase",), bought, f"[{', '.join(more)}]", "market", {"purchase": more})
    filters = tuple(name for name in ("accelerators", "clouds") if getattr(market, name) is not None)
    for names in (*((name,) for name in filters), *((filters,) if len(filters) > 1 else ())):
        held = ", ".join(f"[{', '.join(getattr(market, name))}]" for name in names)
        yield Toggle(tuple(f"market.{name}" for name in names), held, "", "market", dict.fromkeys(names))
    if market.clouds != () and market.capacity != ANY_NUMBER:
        yield Toggle((CAPACITY,), "what clouds sell without a contract", "", "market", {"capacity": ANY_NUMBER})
    if training.precision == "bf16":
        yield Toggle(("training.precision",), "bf16", "fp8", "training", {"precision": "fp8"})
    if problem.layout.model_fields_set:
        pinned = dict.fromkeys(type(problem.layout).model_fields)
        yield Toggle(("layout",), "as pinned", "{}", "layout", pinned)
    if limits.memory_headroom > headroom_kept_anyway(workload_of(problem)):
        kept = f"{limits.memory_headroom:.3g}"
        yield Toggle(("limits.memory_headroom",), kept, "0%", "limits", {"memory_headroom": 0.0})


EVEN: Final = 0.5
"""The least confidence in memory that can be asked for: as likely to fit as not."""


def memory_toggles(problem: Problem) -> Iterator[Toggle]:
    """Less certainty, and changes of training that take less of a device's memory, where that is what is missing."""
    training, confidence = problem.training, problem.limits.memory_confidence
    if confidence > EVEN:
        keys, update = ("limits.memory_confidence",), {"memory_confidence": EVEN}
        yield Toggle(keys, f"{confidence:.3g}", f"{EVEN:.0%}", "limits", update)
    if training.optimizer == "adamw":
        yield _training("optimizer", training.optimizer, "adamw-8bit", {"optimizer": "adamw-8bit"})
    if "optimizer" not in training.offload:
        offload = (*training.offload, "optimizer")
        before = f"[{', '.join(training.offload)}]"
        yield _training("offload", before, f"[{', '.join(offload)}]", {"offload": offload})
    if not training.fused_loss:
        yield _training("fused_loss", "false", "true", {"fused_loss": True})
    if training.method == "lora" and training.base is None:
        yield _training("method", "lora", "qlora", {"method": "qlora"})


def _training(key: str, before: str, after: str, update: dict[str, Any]) -> Toggle:
    return Toggle((f"training.{key}",), before, after, "training", update)
