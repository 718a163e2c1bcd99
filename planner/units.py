"""The one place for units, rounding and money: what people write, and what they are shown.

Inside the program a duration is seconds, a size bytes, a bandwidth bytes per second, a count of tokens an integer
and money an exact `Decimal` of US dollars. Every `parse_…` function raises `QuantityError`, which says what to write.

Parsers of our own, because general ones guess: QuantiPhy reads `90 min` as 0.09 inches, `60 m` as 0.06 and `63B` as
63 bytes, and knows no compound (`1d 12h`) and no price per GPU-hour.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from planner.errors import InputError
from planner.tolerances import CENT

GIB = 2**30
SECONDS_PER_MINUTE = 60
SECONDS_PER_HOUR = 60 * SECONDS_PER_MINUTE
HOURS_PER_DAY = 24
SECONDS_PER_DAY = HOURS_PER_DAY * SECONDS_PER_HOUR
SECONDS_PER_WEEK = 7 * SECONDS_PER_DAY
SECONDS_PER_YEAR = 365 * SECONDS_PER_DAY
"""As clouds count the terms of their reservations."""

_LONGEST_TEXT = 100
_NUMBER = (
    r"(?P<sign>[+\-−]?)\s*(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+|[0-9](?:_?[0-9])*|(?=\.[0-9]))"
    r"(?P<rest>(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?)"
)
_SINGLE = re.compile(_NUMBER + r"\s*(?P<unit>.*)", re.DOTALL)
_PIECE = re.compile(_NUMBER + r"\s*(?P<unit>[^\W\d_]+)(?:[\s,]*)")


class QuantityError(InputError, ValueError):
    """A quantity that cannot be read; also a `ValueError`, so that a schema can report it with its place."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.message = message
        self.fix = fix


@dataclass(frozen=True)
class QuantityKind:
    """One kind of quantity: the units it may carry, its bounds, and how to write it."""

    name: str
    example: str
    """How to write it right, shown whenever it is written wrong."""
    units: Mapping[str, Decimal]
    """Factor of each unit; the empty unit is there only when a plain number is unambiguous."""
    maximum: Decimal
    zero_allowed: bool = False
    ignore_case: bool = False
    ambiguous: Mapping[str, str] = field(default_factory=dict)
    """Units that mean several things, each with what to write instead."""

    def read(self, value: object) -> Decimal:
        """The quantity in internal units, exact and within bounds."""
        number, unit = self._split(value)
        return self.bounded(number * self._factor(unit, value), value)

    def bounded(self, amount: Decimal, value: object) -> Decimal:
        """The amount, when it is positive and not absurdly large; `value` is what was written."""
        if amount < 0:
            raise QuantityError(f"{self.name} must not be negative, got {_shown(value)}", f"write {self.example}")
        if amount == 0 and not self.zero_allowed:
            raise QuantityError(f"{self.name} must be more than zero, got {_shown(value)}", f"write {self.example}")
        if amount > self.maximum:
            message = f"{self.name} {_shown(value)} is beyond the largest that is accepted"
            raise QuantityError(message, f"check the unit; write {self.example}")
        return amount

    def _split(self, value: object) -> tuple[Decimal, str]:
        """The number and the unit of what was written."""
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return self._finite(value), ""
        if not isinstance(value, str):
            raise QuantityError(f"{self.name} must be a quantity, got {_shown(value)}", f"write {self.example}")
        match = _SINGLE.fullmatch(value.strip()) if len(value) <= _LONGEST_TEXT else None
        if not match:
            raise QuantityError(f"{_shown(value)} is not a {self.name}", f"write {self.example}")
        return _number(match), match["unit"].strip()

    def _finite(self, value: float | Decimal) -> Decimal:
        """A plain number as it was written, when it is finite."""
        number = exact(value)
        if not number.is_finite():
            raise QuantityError(f"{self.name} must be a finite number", f"write {self.example}")
        return number

    def _factor(self, unit: str, value: object) -> Decimal:
        """What one of this unit is in internal units."""
        known = unit.casefold() if self.ignore_case and unit not in self.units else unit
        if known in self.units:
            return self.units[known]
        if known in self.ambiguous:
            raise QuantityError(f"{self.name} {_shown(value)}: {unit!r} is ambiguous", self.ambiguous[known])
        if not unit:
            raise QuantityError(f"{self.name} {_shown(value)} has no unit", f"write {self.example}")
        raise QuantityError(f"{self.name} {_shown(value)}: unknown unit {_shown(unit)}", f"write {self.example}")


def _shown(value: object) -> str:
    """What was written, short enough for one line."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = exact(value)
        return str(number.normalize() if number.is_finite() and abs(number) >= 10**15 else number)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:36]}…"


def exact(value: float | Decimal) -> Decimal:
    """A number as it is written, all digits of it and no more."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _number(match: re.Match[str]) -> Decimal:
    """The matched number, exact."""
    digits = match["digits"].replace(",", "").replace("_", "") or "0"
    sign = "-" if match["sign"] in {"-", "−"} else ""
    return Decimal(f"{sign}{digits}{match['rest']}")


def _units(**factors: float | str) -> dict[str, Decimal]:
    """Units with exact factors."""
    return {name: Decimal(factor) for name, factor in factors.items()}


def _spellings(names: str, factor: float) -> dict[str, Decimal]:
    """One unit under several names."""
    return dict.fromkeys(names.split(), Decimal(factor))


_SCALES = {
    "": Decimal(1),
    **_units(k="1e3", K="1e3", M="1e6", B="1e9", b="1e9", bn="1e9", T="1e12", t="1e12"),
    **_units(thousand="1e3", million="1e6", billion="1e9", trillion="1e12"),
}
_SMALL_M = {"m": "write M for million"}

_TOKENS = QuantityKind(
    "token count", "14.8T, 63B, 300M or a plain number", _SCALES, Decimal("1e18"), ambiguous=_SMALL_M
)
_MONEY = QuantityKind(
    "sum of money", "$6M, 6 MUSD or $500k", _SCALES, Decimal("1e13"), zero_allowed=True, ambiguous=_SMALL_M
)
_DURATION = QuantityKind(
    "duration",
    "60d or 1440h",
    {
        **_units(ms="1e-3"),
        **_spellings("s sec secs second seconds", 1),
        **_spellings("min mins minute minutes", SECONDS_PER_MINUTE),
        **_spellings("h hr hrs hour hours", SECONDS_PER_HOUR),
        **_spellings("d day days", SECONDS_PER_DAY),
        **_spellings("w wk wks week weeks", SECONDS_PER_WEEK),
    },
    Decimal("3.2e9"),
    ignore_case=True,
    ambiguous={
        "m": "write min for minutes, or days for months",
        **dict.fromkeys(["mo", "month", "months"], "months differ in length: write days, such as 30d"),
        **dict.fromkeys(["y", "yr", "year", "years"], "years differ in length: write days, such as 365d"),
    },
)


def _rates() -> dict[str, Decimal]:
    """Bytes per second of every spelling: a small b is a bit, a capital B a byte."""
    rates = {}
    for prefix, scale in {"k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12"}.items():
        for bit in ("b/s", "bit/s", "bits/s", "bps"):
            rates[prefix + bit] = Decimal(scale) / 8
        rates[f"{prefix}B/s"] = rates[f"{prefix}Bps"] = Decimal(scale)
    for power, prefix in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1):
        rates[f"{prefix}B/s"] = Decimal(1024**power)
    return rates


_BITS_OR_BYTES = "write Gb/s for bits or GB/s for bytes, per GPU"
_BANDWIDTH = QuantityKind(
    "bandwidth",
    "400 Gb/s (bits) or 50 GB/s (bytes), per GPU",
    _rates(),
    Decimal("1e15"),
    zero_allowed=True,
    ambiguous=dict.fromkeys(
        ["G", "Gb", "GB", "T", "Tb", "TB", "gb/s", "gbps", "mb/s", "mbps", "tb/s", "tbps", "GbE", "Gbe"], _BITS_OR_BYTES
    ),
)
_MEMORY = QuantityKind(
    "memory size",
    "80 GiB (2^30 bytes) or 80 GB (10^9 bytes)",
    {
        **_units(B=1, bytes=1, kB="1e3", KB="1e3", MB="1e6", GB="1e9", TB="1e12"),
        **_units(KiB=2**10, MiB=2**20, GiB=2**30, TiB=2**40),
    },
    Decimal("1e18"),
    ambiguous=dict.fromkeys(["G", "g", "gb", "Gb", "M", "mb", "Mb", "T", "tb", "Tb"], "write GiB or GB"),
)
_SHARE = QuantityKind("share", "10% or 0.1", {"": Decimal(1), "%": Decimal("0.01")}, Decimal(1), zero_allowed=True)
_FACTOR = QuantityKind("factor", "2x or ×1.5", {unit: Decimal(1) for unit in ("", "x", "X", "×")}, Decimal(1000))
_RATE = QuantityKind(
    "rate",
    "0.05 or 0.05/node-day",
    {unit: Decimal(1) for unit in ("", "/node-day", "/node/day", "per node-day", "per node and day")},
    Decimal("1e6"),
    zero_allowed=True,
)


def parse_tokens(value: object) -> int:
    """Tokens from `14.8T`, `63B`, `300 M`, `1e12` or an integer; 1 to 10^18."""
    text = re.sub(r"\s*(tokens?|tok)$", "", value.strip(), flags=re.IGNORECASE) if isinstance(value, str) else value
    tokens = _TOKENS.read(text)
    if tokens != tokens.to_integral_value():
        raise QuantityError(f"token count must be a whole number, got {_shown(value)}", f"write {_TOKENS.example}")
    return int(tokens)


def parse_duration(value: object) -> float:
    """Seconds from `60d`, `12h`, `2 weeks`, `90 min` or a sum such as `1d 12h`; above 0, at most a century."""
    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST_TEXT else ""
    pieces = list(_PIECE.finditer(text))
    if len(pieces) < 2 or "".join(piece.group() for piece in pieces) != text:
        return float(_DURATION.read(value))
    total = sum((_DURATION.read(piece.group().rstrip(", ")) for piece in pieces), Decimal(0))
    return float(_DURATION.bounded(total, value))


_DOLLARS = re.compile(
    r"(?P<sign>[+\-−]?)\s*(?P<before>(?:US)?\$|USD)?\s*(?P<amount>.*?)\s*(?P<after>USD|(?:US)?\$|dollars?)?", re.DOTALL
)

_OTHER_CURRENCY = re.compile(r"[€£¥₹₩₽₿]|\b(?:EUR|GBP|JPY|CNY|RMB|INR|KRW|CHF|CAD|AUD|SEK|SGD)\b")


def parse_money(value: object) -> Decimal:
    """US dollars, exact, from `6 MUSD`, `$500k`, `$1,200.50` or `1.5 million USD`; 0 to 10^13."""
    match = _DOLLARS.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and (other := _OTHER_CURRENCY.search(value)):
        message = f"sum of money {_shown(value)} is in {other[0]}, and only US dollars are known"
        raise QuantityError(message, f"convert it to US dollars: write {_MONEY.example}")
    if not match or not (match["before"] or match["after"]):
        raise QuantityError(
            f"sum of money {_shown(value)} has no currency", f"only US dollars are known: write {_MONEY.example}"
        )
    return _MONEY.read(match["sign"] + match["amount"])


@dataclass(frozen=True)
class Price:
    """What one device or one node costs per hour."""

    usd: Decimal
    per: Literal["GPU", "node"]

    def usd_per_gpu_hour(self, gpus_per_node: int) -> Decimal:
        """The price of one device-hour in US dollars, exact up to Decimal's 28 digits."""
        return self.usd if self.per == "GPU" else self.usd / gpus_per_node

    def __str__(self) -> str:
        usd = round_usd(self.usd) if round_usd(self.usd) == self.usd else self.usd
        return f"${usd:f}/{self.per}-h"


_PRICE_EXAMPLE = "$2.00/GPU-h, 2 USD/GPU-h or $16/node-h"
_PRICE = re.compile(r"(?P<amount>.+?)\s*(?:/|\bper\b)\s*(?P<what>.+)", re.DOTALL)
_DEVICE_HOUR = re.compile(r"(?:gpu|accelerator|device|chip|card)[\s/·-]*(?:h|hr|hour)", re.IGNORECASE)
_NODE_HOUR = re.compile(r"(?:node|instance|server|machine|vm)[\s/·-]*(?:h|hr|hour)", re.IGNORECASE)
_HIGHEST_PRICE = Decimal(10**6)


def parse_price(value: object) -> Price:
    """A price per device-hour or node-hour, from `$2.00/GPU-h`, `2 USD/GPU-h` or `$16/node-h`; 0 to 10^6 dollars."""
    match = _PRICE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    if not match:
        raise QuantityError(f"price {_shown(value)} does not say per what", f"write {_PRICE_EXAMPLE}")
    usd = parse_money(match["amount"])
    if usd > _HIGHEST_PRICE:
        raise QuantityError(f"price {_shown(value)} is beyond the largest that is accepted", "check the unit")
    if _DEVICE_HOUR.fullmatch(match["what"]):
        return Price(usd, "GPU")
    if _NODE_HOUR.fullmatch(match["what"]):
        return Price(usd, "node")
    raise QuantityError(
        f"price {_shown(value)}: per {match['what']!r} is unknown or ambiguous", f"write {_PRICE_EXAMPLE}"
    )


_DAYS = {
    **dict.fromkeys(("d", "day"), Decimal(1)),
    **dict.fromkeys(("w", "week"), Decimal(7)),
    **dict.fromkeys(("h", "hour"), Decimal(1) / 24),
}


def parse_daily_cost(value: object) -> Decimal:
    """US dollars per day, from `$50k/day`, `$350k/week` or `$2k/h`."""
    match = _PRICE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    if not match or match["what"].strip() not in _DAYS:
        raise QuantityError(f"{_shown(value)} is no cost of a day", "write $50k/day")
    return parse_money(match["amount"]) / _DAYS[match["what"].strip()]


_BYTES = {"GB": Decimal(1), "TB": Decimal(1000), "GiB": Decimal(2**30) / Decimal(10**9)}


def parse_transfer_price(value: object) -> Decimal:
    """US dollars per GB (10^9 bytes) that leave a place, from `$0.09/GB`, `$90/TB` or 0; up to $10 per GB."""
    if value == 0 and not isinstance(value, bool):
        return Decimal(0)
    match = _PRICE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None
    if not match or match["what"].strip() not in _BYTES:
        raise QuantityError(f"{_shown(value)} is no price of a transfer", "write $0.09/GB")
    usd = parse_money(match["amount"]) / _BYTES[match["what"].strip()]
    if usd > 10:
        raise QuantityError(f"{_shown(value)} is beyond the largest price that is accepted", "check the unit")
    return usd


def parse_bandwidth(value: object) -> float:
    """Bytes per second (per device and direction) from `400 Gb/s` (bits) or `50 GB/s` (bytes)."""
    return float(_BANDWIDTH.read(value))


def parse_memory(value: object) -> int:
    """Bytes from `80 GiB` (2^30) or `80 GB` (10^9), rounded to a whole byte."""
    return round(_MEMORY.read(value))


def parse_share(value: object) -> float:
    """A fraction, 0 to 1, from `10%` or `0.1`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 < value <= 100:
        raise QuantityError(f"share {_shown(value)} is more than the whole", f"write {value:g}% or {value / 100:g}")
    return float(_SHARE.read(value))


def parse_factor(value: object) -> float:
    """A factor above 0 and up to 1000, from `2x`, `×1.5` or a plain number."""
    text = value.strip() if isinstance(value, str) else value
    return float(_FACTOR.read(text[1:] if isinstance(text, str) and text[:1] in {"x", "X", "×"} else text))


def parse_rate(value: object) -> float:
    """Events per node and day from `0.05` or `0.05/node-day`."""
    return float(_RATE.read(value))


def parse_date(value: object) -> date:
    """A day from `2027-03-01`."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) and _DATE.fullmatch(value) else "")
    except ValueError:
        raise QuantityError(f"{_shown(value)} is not a day", "write 2027-03-01") from None


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_percentile(value: object) -> float:
    """A quantile strictly between 0 and 1 from `p90`."""
    match = re.fullmatch(r"[pP]([0-9]{1,2}(?:\.[0-9]{1,3})?)", value.strip()) if isinstance(value, str) else None
    if not match or float(match[1]) == 0:
        raise QuantityError(f"{_shown(value)} is not a percentile", "write p50 for the median, p90 or p95")
    return float(Decimal(match[1]) / 100)


def written_duration(seconds: float) -> str:
    """A duration as files state it, exactly: `65d`, `12h` or `90.5s`."""
    for unit, size in (("d", SECONDS_PER_DAY), ("h", SECONDS_PER_HOUR)):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{_plain_number(seconds)}s"


def written_money(usd: Decimal) -> str:
    """US dollars as files state them, exactly: `$6000000`."""
    return f"${usd:f}"


def written_memory(size: int) -> str:
    """Bytes as `parse_memory` reads them back exactly."""
    return f"{size} B"


def written_bandwidth(bytes_s: float) -> str:
    """Bytes per second as files state them, exactly: `50 GB/s`."""
    return f"{_plain_number(Decimal(repr(bytes_s)) / 10**9)} GB/s"


def written_percentile(quantile: float) -> str:
    """A quantile as files state it, exactly: `p90`."""
    return f"p{_plain_number(Decimal(repr(quantile)) * 100)}"


def _plain_number(number: float | Decimal) -> str:
    """All digits of a number without an exponent."""
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    return f"{exact.normalize():f}"


def round_usd(usd: Decimal | float) -> Decimal:
    """Money as it is printed and compared: whole cents, halves to even."""
    return Decimal(usd).quantize(CENT, rounding=ROUND_HALF_EVEN)


def usd_text(usd: Decimal | float) -> str:
    """Money in a JSON document: whole cents as a decimal string."""
    return str(round_usd(usd))


PRICE_DIGITS = 12
"""Significant digits of a price that are written where it has more: enough for a bill of a trillion dollars."""


def price_text(usd_per_hour: Decimal) -> str:
    """A price with all the digits that it has, at least cents: `2.00`, `1.1697`; a third of a dollar with twelve."""
    exact = +usd_per_hour
    if len(exact.normalize().as_tuple().digits) > PRICE_DIGITS:
        exact = exact.quantize(Decimal(1).scaleb(exact.adjusted() - PRICE_DIGITS + 1))
    text = f"{exact.normalize():f}"
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents:0<2}"


def figure_in_document(value: float | None, *, is_usd: bool) -> str | float | None:
    """A figure in a JSON document: money as text, any other as a number, None where there is none."""
    return usd_text(value) if is_usd and value is not None else value


MONEY_WITH_CENTS = 100
"""Dollars below which cents are shown."""


def format_money(usd: Decimal | float) -> str:
    """Dollars for people: `$2.00` below a hundred, `$5,576,123` above."""
    cents = round_usd(usd)
    sign, cents = ("−", -cents) if cents < 0 else ("", cents)
    return f"{sign}${cents:,.2f}" if cents < MONEY_WITH_CENTS else f"{sign}${cents:,.0f}"


def format_duration(seconds: float) -> str:
    """A duration for people, three digits: `54.2 d`, `3.1 h`, `12.3 min`, `4.56 s`, `250 ms`."""
    if not math.isfinite(seconds):
        return "never ends"
    size, unit = next((size, unit) for limit, size, unit in _SHOWN_UNITS if seconds < limit)
    return f"{format_number(seconds / size)} {unit}"


_SHOWN_UNITS = (
    (1e-3, 1e-6, "µs"),
    (1, 1e-3, "ms"),
    (2 * SECONDS_PER_MINUTE, 1, "s"),
    (2 * SECONDS_PER_HOUR, SECONDS_PER_MINUTE, "min"),
    (2 * SECONDS_PER_DAY, SECONDS_PER_HOUR, "h"),
    (math.inf, SECONDS_PER_DAY, "d"),
)
"""Up to which duration, in seconds, each unit of so many seconds is shown."""


def format_range(low: str, high: str) -> str:
    """Two figures for people as a range, with their unit once where it is the same: `45.7–75.1 d`, `$2.00–$3.00`."""
    number, _, unit = low.partition(" ")
    return f"{number}–{high}" if unit == high.partition(" ")[2] else f"{low} – {high}"


def format_bytes(size: float) -> str:
    """A memory size for people, binary: `72.4 GiB`."""
    unit, name = next(
        (
            (unit, name)
            for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
            if size >= unit
        ),
        (1, "B"),
    )
    return f"{format_number(size / unit)} {name}"


def format_count(count: float) -> str:
    """A count for people: `2,048` as it is up to 99,999, then `671B`, `14.8T`, and `3.3e24` beyond."""
    if abs(count) < 1e5 and count == int(count):
        return f"{int(count):,}"
    scales = ((1e15, 0.0, ""), (1e12, 1e12, "T"), (1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e3, 1e3, "k"), (0, 1.0, ""))
    size, suffix = next((size, suffix) for limit, size, suffix in scales if abs(count) >= limit)
    return f"{format_number(count / size)}{suffix}" if size else f"{count:.3g}".replace("e+", "e")


def format_combinations(count: int) -> str:
    """How many combinations for people, two digits: `5.3e23`, however many there are."""
    number = float(count) if count < sys.float_info.max else Decimal(count)
    return f"{number:.2g}".replace("e+", "e")


def format_amount(unit: str, value: Decimal | float) -> str:
    """A quantity for people, by the name of its unit: `USD`, `s`, `×` for factors, `GPUs`; any other is a count."""
    match unit:
        case "USD":
            return format_money(value)
        case "s":
            return format_duration(float(value))
        case "×":
            return f"×{value:.4g}"
        case "GPUs":
            return f"{value:,.0f}"
        case _:
            return format_count(float(value))


def format_probability(share: float) -> str:
    """A probability that is never rounded to certainty."""
    if share > 0.995:
        return "over 99%"
    return "under 1%" if share < 0.005 else f"{share:.0%}"


def counted(count: int, noun: str) -> str:
    """How many of something: `1 node`, `2,048 nodes`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def format_share(share: float) -> str:
    """A fraction as per cent: `41.3%`."""
    return f"{format_number(round(100 * share, 1))}%"


def format_number(number: float) -> str:
    """Three significant digits, thousands separated, no trailing zeros: `4,680`, `54.2`, `3.1`, `0.0123`."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    places = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
