"""The quantities of `planner.units` as pydantic types: text with a unit comes in, internal units come out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from math import ceil, floor
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from planner import units
from planner.catalog.inline_keys import INLINE_KEYS, REQUIRED
from planner.units import QuantityError


def _written(*examples: str | float) -> WithJsonSchema:
    """The JSON schema of a quantity that is written as one of these examples."""
    kinds: dict[type, str] = {str: "string", int: "number", float: "number"}
    types = sorted({kinds[type(example)] for example in examples}, reverse=True)
    return WithJsonSchema({"type": types if len(types) > 1 else types[0], "examples": list(examples)})


def _as(write: Callable[[Any], str]) -> PlainSerializer:
    """How a quantity is written into JSON, so that reading it again gives the same value."""
    return PlainSerializer(write, return_type=str, when_used="json")


Tokens = Annotated[int, PlainValidator(units.parse_tokens), _written("14.8T", "63B", 1000000)]
"""Tokens."""
Duration = Annotated[
    float, PlainValidator(units.parse_duration), _as(units.written_duration), _written("60d", "12h", "1d 12h")
]
"""Seconds."""
Money = Annotated[Decimal, PlainValidator(units.parse_money), _as(units.written_money), _written("6 MUSD", "$500k")]
"""US dollars."""
Price = Annotated[
    units.Price,
    PlainValidator(units.parse_price),
    PlainSerializer(str, return_type=str),
    _written("$2.00/GPU-h", "$16/node-h"),
]
"""US dollars per device-hour or node-hour."""
Memory = Annotated[int, PlainValidator(units.parse_memory), _as(units.written_memory), _written("71.2 GiB", "80 GB")]
"""Bytes."""
Bandwidth = Annotated[
    float, PlainValidator(units.parse_bandwidth), _as(units.written_bandwidth), _written("400 Gb/s", "50 GB/s")
]
"""Bytes per second, per device and direction."""
DailyCost = Annotated[
    Decimal,
    PlainValidator(units.parse_daily_cost),
    PlainSerializer(lambda usd: f"${usd:f}/day", return_type=str),
    _written("$50k/day"),
]
"""US dollars per day."""
TransferPrice = Annotated[
    Decimal,
    PlainValidator(units.parse_transfer_price),
    PlainSerializer(lambda usd: f"${usd:f}/GB", return_type=str),
    _written("$0.09/GB"),
]
"""US dollars per GB that leaves a place."""
Share = Annotated[float, PlainValidator(units.parse_share), _written("10%", 0.1)]
"""A fraction from 0 to 1."""
Factor = Annotated[float, PlainValidator(units.parse_factor), _written("2x", "×1.5", 1.5)]
"""A factor above 0."""
Rate = Annotated[float, PlainValidator(units.parse_rate), _written(0.05, "0.05/node-day")]
"""Events per node and day."""
Day = Annotated[date, PlainValidator(units.parse_date), PlainSerializer(str, return_type=str), _written("2027-03-01")]
"""A day of the calendar."""
Percentile = Annotated[
    float, PlainValidator(units.parse_percentile), _as(units.written_percentile), _written("p50", "p90")
]
"""A quantile between 0 and 1."""

Count = Annotated[int, Field(ge=1, le=10_000_000, strict=True, examples=[1024])]
"""A number of devices, nodes or sequences."""
Degree = Annotated[int, Field(ge=1, le=1_000_000, strict=True, examples=[8])]
"""A degree of parallelism."""
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["pretrain"])]
"""A name on one line."""


NEAR: Final = 0.05
"""Share by which a batch in tokens may be rounded, as people round it: 4M tokens are 4,194,304."""


def batch_in_sequences(data: object) -> object:
    """The mapping with a global batch that is stated in tokens, such as `4M tokens`, as sequences.

    Of the numbers of sequences nearby, the one that can be halved most often; the exact one where it is whole. Raises
    QuantityError where fewer tokens than a sequence are stated.
    """
    if not isinstance(data, dict) or not _is_in_tokens(data.get("global_batch")):
        return data
    length = data.get("sequence_length")
    if not isinstance(length, int) or length < 1:
        return data
    return data | {"global_batch": _sequences(units.parse_tokens(data["global_batch"]), length)}


def _is_in_tokens(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower().endswith(("tokens", "tok"))


def _sequences(tokens: int, length: int) -> int:
    """Sequences of a batch of about so many tokens."""
    if tokens % length == 0:
        return tokens // length
    exact = tokens / length
    if exact < 1:
        raise QuantityError(f"a batch of {tokens:,} tokens is less than a sequence of {length:,}", "write 4M tokens")
    around = range(max(1, ceil(exact * (1 - NEAR))), floor(exact * (1 + NEAR)) + 1)
    return max(around or (round(exact),), key=lambda one: (one & -one, -abs(one - exact)))


Batch = Annotated[
    Count,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 10_000_000},
                {"type": "string", "pattern": r"^.*[0-9].*tok(ens)?$"},
            ],
            "examples": [1024, "4M tokens"],
        }
    ),
]
"""Sequences per optimizer step, or tokens where it says so."""


ANY_CLOUD: Final = "any"
"""The key of a grant of nodes that holds wherever no other is stated."""
UNLIMITED: Final = 10_000_000
"""Nodes where there is no limit."""


def _grants(value: object) -> dict[str, int]:
    """Nodes by where they are granted, from a mapping or from `unlimited`."""
    stated = {ANY_CLOUD: value} if value == "unlimited" else value
    if not isinstance(stated, dict) or not 0 < len(stated) <= 1000:
        raise QuantityError("a grant of nodes is a mapping of clouds to nodes", "write {aws: 256} or unlimited")
    return {_granted_where(where): _granted_nodes(nodes) for where, nodes in stated.items()}


def _granted_where(where: object) -> str:
    if isinstance(where, str) and 0 < len(where) <= 400 and where.isprintable():
        return where
    raise QuantityError(f"{str(where)[:60]!r} is no place", "write aws, gcp/H100-80GB-SXM5 or any")


def _granted_nodes(nodes: object) -> int:
    if nodes == "unlimited":
        return UNLIMITED
    if isinstance(nodes, int) and not isinstance(nodes, bool) and 1 <= nodes <= UNLIMITED:
        return nodes
    raise QuantityError(f"{repr(nodes)[:60]} is no number of nodes", "write 256 or unlimited")


def _written_grants(grants: dict[str, int]) -> dict[str, int | str]:
    """Grants as a file states them."""
    return {where: "unlimited" if nodes == UNLIMITED else nodes for where, nodes in grants.items()}


_NODES = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": UNLIMITED}, {"const": "unlimited"}]}
Grants = Annotated[
    dict[str, int],
    PlainValidator(_grants),
    PlainSerializer(_written_grants, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [{"const": "unlimited"}, {"type": "object", "additionalProperties": _NODES, "minProperties": 1}],
            "examples": ["{aws: 256, gcp/H100-80GB-SXM5: 2048}"],
        }
    ),
]
"""Nodes that can be had at a time in one zone, by cloud, `cloud/accelerator` or `any`."""


def _discounts(value: object) -> dict[str, float]:
    """Shares off prices by where they hold."""
    if not isinstance(value, dict) or not 0 < len(value) <= 1000:
        raise QuantityError("discounts are a mapping of clouds to shares", "write {aws: 22%}")
    return {_granted_where(where): _discount(share) for where, share in value.items()}


def _discount(share: object) -> float:
    """A share below one."""
    read = units.parse_share(share)
    if read == 1:
        raise QuantityError("a discount of 100% leaves no price", "write 22%")
    return read


Discounts = Annotated[
    dict[str, float],
    PlainValidator(_discounts),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": ["string", "number"]},
            "minProperties": 1,
            "examples": ["{aws: 22%}"],
        }
    ),
]
"""Shares off prices, by cloud, `cloud/accelerator` or `any`."""


def _reference(value: object) -> str | dict[str, Any]:
    """A name or path of at most 1,000 characters, or an inline mapping."""
    if isinstance(value, dict) and value:
        return value
    if isinstance(value, str) and 0 < len(value) <= 1000 and value.isprintable():
        return value
    raise ValueError("must be a name, a path or a mapping")


_INLINE_MODEL = {
    "type": "object",
    "properties": {key: {"description": meaning} for key, meaning in INLINE_KEYS.items()},
    "required": list(REQUIRED),
}
Reference = Annotated[
    str | dict[str, Any],
    PlainValidator(_reference),
    WithJsonSchema({"anyOf": [{"type": "string"}, _INLINE_MODEL], "examples": ["deepseek-v3", "my/config.json"]}),
]
"""A model: its catalog name, the path of a file, or the architecture inline."""
AcceleratorReference = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["H100-80GB-SXM5"])
]
"""A device: its catalog name, or the path of a record."""
CalibrationFile = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["ours.toml"])
]
"""The path of a calibration."""
