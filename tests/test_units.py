"""Quantities: what people write, what is refused with a fix, and what they are shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner import units
from planner.errors import InputError
from planner.units import Price, QuantityError

PARSERS: list[Callable[[object], object]] = [
    units.parse_tokens,
    units.parse_duration,
    units.parse_money,
    units.parse_price,
    units.parse_bandwidth,
    units.parse_memory,
    units.parse_share,
    units.parse_factor,
    units.parse_rate,
    units.parse_percentile,
]


@pytest.mark.parametrize(
    ("parse", "written", "meant"),
    [
        (units.parse_tokens, "14.8T", 14_800_000_000_000),
        (units.parse_tokens, "63B", 63_000_000_000),
        (units.parse_tokens, "300 M", 300_000_000),
        (units.parse_tokens, "1e12", 10**12),
        (units.parse_tokens, 1e12, 10**12),
        (units.parse_tokens, "1,000,000 tokens", 10**6),
        (units.parse_tokens, 5, 5),
        (units.parse_duration, "60d", 5_184_000.0),
        (units.parse_duration, "12h", 43_200.0),
        (units.parse_duration, "2 weeks", 1_209_600.0),
        (units.parse_duration, "90 min", 5_400.0),
        (units.parse_duration, "1.5 d", 129_600.0),
        (units.parse_duration, "1d 12h", 129_600.0),
        (units.parse_duration, "1 day, 6 hours", 108_000.0),
        (units.parse_duration, "250ms", 0.25),
        (units.parse_money, "6 MUSD", Decimal(6_000_000)),
        (units.parse_money, "$500k", Decimal(500_000)),
        (units.parse_money, "1.5MUSD", Decimal(1_500_000)),
        (units.parse_money, "$2", Decimal(2)),
        (units.parse_money, "250 kUSD", Decimal(250_000)),
        (units.parse_money, "$1,200.10", Decimal("1200.10")),
        (units.parse_money, "1.5 million dollars", Decimal(1_500_000)),
        (units.parse_price, "$2.00/GPU-h", Price(Decimal(2), "GPU")),
        (units.parse_price, "2 USD/GPU-h", Price(Decimal(2), "GPU")),
        (units.parse_price, "$2 per GPU-hour", Price(Decimal(2), "GPU")),
        (units.parse_price, "$16/node-h", Price(Decimal(16), "node")),
        (units.parse_bandwidth, "400 Gb/s", 50e9),
        (units.parse_bandwidth, "400Gbps", 50e9),
        (units.parse_bandwidth, "50 GB/s", 50e9),
        (units.parse_bandwidth, "1 GiB/s", 2**30),
        (units.parse_memory, "80 GiB", 80 * 2**30),
        (units.parse_memory, "80GB", 80 * 10**9),
        (units.parse_share, "10%", 0.1),
        (units.parse_share, 0.1, 0.1),
        (units.parse_factor, "2x", 2.0),
        (units.parse_factor, "×1.5", 1.5),
        (units.parse_factor, 3, 3.0),
        (units.parse_rate, 0.05, 0.05),
        (units.parse_rate, "0.05/node-day", 0.05),
        (units.parse_percentile, "p90", 0.9),
    ],
)
def test_what_people_write_is_understood(parse: Callable[[object], object], written: object, meant: object) -> None:
    """Each spelling means the internal unit's value exactly."""
    assert parse(written) == meant


@pytest.mark.parametrize(
    ("parse", "written", "fix"),
    [
        (units.parse_tokens, "300m", "write M for million"),
        (units.parse_tokens, "1.5", "14.8T"),
        (units.parse_tokens, "-3B", "14.8T"),
        (units.parse_tokens, 0, "14.8T"),
        (units.parse_tokens, "2e18", "check the unit"),
        (units.parse_tokens, True, "14.8T"),
        (units.parse_tokens, None, "14.8T"),
        pytest.param(units.parse_tokens, 10**5000, "check the unit", id="huge integer"),
        (units.parse_tokens, "9" * 5000, "14.8T"),
        (units.parse_tokens, math.nan, "14.8T"),
        (units.parse_duration, 60, "write 60d or 1440h"),
        (units.parse_duration, "60", "write 60d or 1440h"),
        (units.parse_duration, "5m", "write min for minutes"),
        (units.parse_duration, "6 months", "write days"),
        (units.parse_duration, "1y", "write days"),
        (units.parse_duration, "1d 12", "write 60d"),
        (units.parse_duration, "100 000 d", "write 60d"),
        (units.parse_money, 500, "$500k"),
        (units.parse_money, "€5", "US dollars"),
        (units.parse_money, "$6m", "write M for million"),
        (units.parse_money, "-$5", "$6M"),
        (units.parse_price, "$2", "$2.00/GPU-h"),
        (units.parse_price, "$2/h", "$2.00/GPU-h"),
        (units.parse_price, "$10M/GPU-h", "check the unit"),
        (units.parse_bandwidth, "400G", "Gb/s for bits or GB/s for bytes"),
        (units.parse_bandwidth, "400 gbps", "Gb/s for bits or GB/s for bytes"),
        (units.parse_bandwidth, 400, "400 Gb/s"),
        (units.parse_memory, "80 G", "write GiB or GB"),
        (units.parse_memory, "80 Gb", "write GiB or GB"),
        (units.parse_share, 10, "10%"),
        (units.parse_share, "110%", "10%"),
        (units.parse_factor, "0x", "2x"),
        (units.parse_percentile, "90", "p90"),
        (units.parse_percentile, "p0", "p90"),
    ],
)
def test_what_is_missing_unknown_or_ambiguous_is_refused_with_a_fix(
    parse: Callable[[object], object], written: object, fix: str
) -> None:
    """A quantity that could mean two things is refused, and the error says what to write."""
    with pytest.raises(QuantityError) as caught:
        parse(written)
    assert fix in caught.value.fix


def test_a_refused_quantity_is_bad_input_and_a_value_error() -> None:
    """Commands see an InputError and schemas a ValueError."""
    assert issubclass(QuantityError, InputError)
    assert issubclass(QuantityError, ValueError)


@given(st.sampled_from(PARSERS), st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()))
def test_anything_else_is_a_quantity_error(parse: Callable[[object], object], written: object) -> None:
    """No input makes a parser raise anything but its own error."""
    try:
        parse(written)
    except QuantityError as error:
        refusal = error
    else:
        return
    assert refusal.message
    assert refusal.fix
    assert "\n" not in refusal.message


@given(st.integers(1, 10**18))
def test_plain_tokens_come_back(tokens: int) -> None:
    """An integer of tokens is read as itself, as number and as text."""
    assert units.parse_tokens(tokens) == units.parse_tokens(f"{tokens:,}") == tokens


@given(st.floats(1e-2, 3e9))
def test_shown_durations_are_read_back(seconds: float) -> None:
    """What is shown for a duration means the same within its three digits."""
    assert units.parse_duration(units.format_duration(seconds)) == pytest.approx(seconds, rel=6e-3)


@given(st.integers(1, 10**15 - 10**13))
def test_shown_counts_are_read_back(count: int) -> None:
    """What is shown for a count means the same within its three digits."""
    assert units.parse_tokens(units.format_count(count)) == pytest.approx(count, rel=6e-3)


@given(st.decimals(0, 10**10, places=2))
def test_shown_money_is_read_back(usd: Decimal) -> None:
    """What is shown for money means the same to the dollar, and to the cent below a hundred."""
    assert abs(units.parse_money(units.format_money(usd)) - usd) <= (Decimal("0.5") if usd >= 100 else 0)


@given(st.floats(0, 1))
def test_shown_shares_are_read_back(share: float) -> None:
    """What is shown for a share means the same within a tenth of a per cent."""
    assert units.parse_share(units.format_share(share)) == pytest.approx(share, abs=6e-4)


@given(st.integers(1, 10**16))
def test_shown_sizes_are_read_back(size: int) -> None:
    """What is shown for a memory size means the same within its three digits."""
    assert units.parse_memory(units.format_bytes(size)) == pytest.approx(size, rel=6e-3)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.format_duration(54.2 * 86400), "54.2 d"),
        (units.format_duration(3.1 * 3600), "3.1 h"),
        (units.format_duration(0.25), "250 ms"),
        (units.format_duration(4680 * 86400), "4,680 d"),
        (units.format_duration(math.inf), "never ends"),
        (units.format_money(Decimal("5576123.456")), "$5,576,123"),
        (units.format_money(2), "$2.00"),
        (units.format_money(-300), "−$300"),
        (units.format_bytes(72.43 * 2**30), "72.4 GiB"),
        (units.format_count(14.8e12), "14.8T"),
        (units.format_count(2048), "2,048"),
        (units.format_count(3.3e24), "3.3e24"),
        (units.format_share(0.4131), "41.3%"),
        (units.format_number(0), "0"),
        (str(Price(Decimal(16), "node")), "$16.00/node-h"),
        (str(units.round_usd(Decimal("0.125"))), "0.12"),
        (units.format_amount("USD", 2e6), "$2,000,000"),
        (units.format_amount("s", 7200), "2 h"),
        (units.format_amount("×", 1.5), "×1.5"),
        (units.format_amount("GPUs", 131072), "131,072"),
        (units.format_amount("tokens", 1e12), "1T"),
        (units.counted(1, "node"), "1 node"),
        (units.counted(2048, "node"), "2,048 nodes"),
        (units.format_range("45.7 d", "75.1 d"), "45.7–75.1 d"),
        (units.format_range("47.1 h", "2.01 d"), "47.1 h – 2.01 d"),
        (units.format_range("$2.00", "$120"), "$2.00–$120"),
    ],
)
def test_people_are_shown_three_digits_and_a_unit(shown: str, expected: str) -> None:
    """Figures are short, have their unit, and money is rounded in one way."""
    assert shown == expected


def test_a_node_price_is_shared_by_its_devices() -> None:
    """$16 per node-hour is $2 per device-hour on nodes of eight."""
    assert units.parse_price("$16/node-h").usd_per_gpu_hour(8) == 2
    assert units.parse_price("$2/GPU-h").usd_per_gpu_hour(8) == 2


def test_a_share_of_95_is_likely_meant_in_per_cent() -> None:
    """A plain number beyond one is refused with the per cent that was likely meant."""
    with pytest.raises(QuantityError, match=r"write 95% or 0\.95"):
        units.parse_share(95)
