"""Two documents of `plan solve --json` side by side: what was added, changed and removed, and the bill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from planner.market.money import apportioned
from planner.plans.plan_part import PlanPart
from planner.report.bill import DOLLAR
from planner.report.variance import variance
from planner.tolerances import CENT
from planner.units import MONEY_WITH_CENTS, format_duration, format_money, format_number

Plain = str | float | bool | None

PLAN_KEYS: Final = ("accelerator", "placement", "policy", "gpus", "nodes", "gpu_hours", "wall_seconds")
PHASE_KEYS: Final = (
    "gpus",
    "spare_nodes",
    "tensor",
    "pipeline",
    "context",
    "expert",
    "data",
    "virtual_pipeline",
    "micro_batch",
    "recompute",
    "zero",
    "expert_tensor",
    "shard",
    "precision",
    "tokens",
    "step_seconds",
    "wall_seconds",
    "mfu",
)


@dataclass(frozen=True)
class Difference:
    """One key that differs; what is not there is None."""

    key: str
    old: Plain
    new: Plain

    @property
    def sign(self) -> str:
        """`+` added, `-` removed, `~` changed."""
        return "+" if self.old is None else "-" if self.new is None else "~"


def differences(old: Mapping[str, Plain], new: Mapping[str, Plain]) -> tuple[Difference, ...]:
    """Every key whose value differs, in the order of the new and then of the old."""
    keys = dict.fromkeys((*new, *old))
    return tuple(Difference(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def flattened(tree: object, path: str = "") -> dict[str, Plain]:
    """Every leaf by its dotted path; items of a list go by their name where they have one."""
    if isinstance(tree, Mapping):
        named = {f"{path}.{key}".lstrip("."): value for key, value in tree.items()}
    elif isinstance(tree, list | tuple):
        names = [one.get("name", index) if isinstance(one, Mapping) else index for index, one in enumerate(tree)]
        named = {f"{path}[{name}]": value for name, value in zip(names, tree, strict=True)}
    else:
        return {path: tree if isinstance(tree, str | float | int | None) else str(tree)}
    return {key: leaf for name, value in named.items() for key, leaf in flattened(value, name).items()}


@dataclass(frozen=True)
class Dated:
    """A plan, and of which day the catalog's prices are."""

    plan: PlanPart
    catalog_date: str


def mode_columns_of(plan: PlanPart) -> dict[str, Plain]:
    """What a plan decides and what follows, by dotted path."""
    phases = {f"phases[{one.name}]": {key: getattr(one, key) for key in PHASE_KEYS} for one in plan.phases}
    place = {"placement": plan.placement.model_dump()}
    return flattened({key: getattr(plan, key) for key in PLAN_KEYS} | place) | flattened(phases)


def bill_of(plan: PlanPart) -> dict[str, Decimal]:
    """Dollars by phase and kind of purchase."""
    bill: dict[str, Decimal] = {}
    for one in plan.purchases:
        line = f"{one.phase}, {one.kind.replace('_', '-')}"
        bill[line] = bill.get(line, Decimal(0)) + one.cost_usd
    return bill


def diff_document(first: Dated, second: Dated) -> dict[str, Any]:
    """The document of `--json`; money is decimal strings."""
    old, new = first.plan, second.plan
    changed = decided(old, new)
    before, after, why = bill_of(old), bill_of(new), variance(old, new)
    return {
        "changes": [{"key": one.key, "change": one.sign, "from": one.old, "to": one.new} for one in changed],
        "bill": [
            {"line": line, "from": str(before.get(line, Decimal(0))), "to": str(after.get(line, Decimal(0)))}
            for line in dict.fromkeys((*after, *before))
        ],
        "cost_usd": {
            "from": str(old.cost_usd),
            "to": str(new.cost_usd),
            "delta": str(new.cost_usd - old.cost_usd),
        },
        "variance": {cause: str(usd) for cause, usd in why.usd.items()},
        "prices": list(why.prices),
        "catalog_dates": {"from": first.catalog_date, "to": second.catalog_date},
    }


def diff_lines(first: Dated, second: Dated) -> Iterator[str]:
    """The differences for people: decisions first, then the bill with its total, and why that differs."""
    old, new = first.plan, second.plan
    changed = decided(old, new)
    yield from _lines(changed)
    same = "the same nodes and layout, another bill" if bill_of(old) != bill_of(new) else "the same plan"
    yield from ("", "bill") if changed else (same, "")
    lines = list(bill_lines(old, new))
    width = max(len(name) for name, *_ in lines)
    for line, was, now in lines:
        yield _bill_line(line, width, was, now)
    _, was, now = lines[-1]
    yield from _why(causes(old, new), now - was)
    yield f"prices: catalogs of {first.catalog_date} and {second.catalog_date}"


def decided(old: PlanPart, new: PlanPart) -> tuple[Difference, ...]:
    """What the plans decide differently, and what follows."""
    return differences(mode_columns_of(old), mode_columns_of(new))


def bill_lines(old: PlanPart, new: PlanPart) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Each line of either bill with both amounts as they are printed, then the totals, which they add up to."""
    before, after = bill_of(old), bill_of(new)
    lines = list(dict.fromkeys((*after, *before)))
    was, now = (_printed(bill, lines, _unit(old, new)) for bill in (before, after))
    yield from zip(lines, was, now, strict=True)
    yield "total", sum(was, start=Decimal(0)), sum(now, start=Decimal(0))


def _unit(old: PlanPart, new: PlanPart) -> Decimal:
    """A dollar, or a cent where both bills are small."""
    most = max(sum(bill_of(one).values(), start=Decimal(0)) for one in (old, new))
    return CENT if most < MONEY_WITH_CENTS else DOLLAR


def _printed(bill: Mapping[str, Decimal], lines: Sequence[str], unit: Decimal) -> list[Decimal]:
    """The amounts of a bill in whole units, which add up to its total."""
    return apportioned([bill.get(line, Decimal(0)) for line in lines], unit)


@dataclass(frozen=True)
class Causes:
    """Why two bills differ, as it is printed."""

    usd: Mapping[str, Decimal]
    """By cause; they add up to the printed difference."""
    prices: tuple[str, ...]
    """Each unit price that changed, with what it is of."""


def causes(old: PlanPart, new: PlanPart) -> Causes:
    """Why the bill of a new plan is another than that of an old one."""
    found, unit = variance(old, new), _unit(old, new)
    *_, (_, was, now) = bill_lines(old, new)
    return Causes(found.usd if unit == CENT else found.in_dollars(now - was), found.prices)


def _why(found: Causes, total: Decimal) -> Iterator[str]:
    """The causes of a difference, which add up to it."""
    if not total:
        return
    yield from ("", "why the bill differs")
    meaning = {"price": "; ".join(found.prices), "hours": "paid hours", "quantity": "GPUs", "scope": "only in one bill"}
    for cause, usd in found.usd.items():
        if usd:
            yield f"  {cause:8}  {_signed(usd):>14}  {meaning[cause]}".rstrip()
    yield f"  {'total':8}  {_signed(total):>14}"


def _signed(usd: Decimal) -> str:
    return f"{'+' if usd > 0 else ''}{format_money(usd)}"


def asked_document(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What two problem files ask for differently, as the part `asked` of the document."""
    changed = differences(flattened(old), flattened(new))
    return {"asked": [{"key": one.key, "change": one.sign, "from": one.old, "to": one.new} for one in changed]}


def asked_lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """The same for people, with the heading of the plans that follow."""
    changed = differences(flattened(old), flattened(new))
    yield "asked" if changed else "asked: the same"
    yield from _lines(changed)
    yield from ("", "plan")


def _lines(changed: Sequence[Difference]) -> Iterator[str]:
    """A line for each key."""
    width = max((len(one.key) for one in changed), default=0)
    for one in changed:
        values = {"+": shown(one.key, one.new), "-": shown(one.key, one.old)}
        both = f"{shown(one.key, one.old)} → {shown(one.key, one.new)}"
        yield f"{one.sign} {one.key:{width}}  {values.get(one.sign, both)}"


def _bill_line(name: str, width: int, old: Decimal, new: Decimal) -> str:
    sign = " " if old == new else "+" if not old else "-" if not new else "~"
    change = new - old
    more = _signed(change) if change else ""
    return f"{sign} {name:{width}}  {format_money(old):>14} → {format_money(new):>14}  {more:>14}".rstrip()


def shown(key: str, value: Plain) -> str:
    """A value for people."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str | bool):
        return str(value)
    return (
        format_duration(value) if key.endswith("_seconds") else format_number(value) if value % 1 else f"{value:,.0f}"
    )
