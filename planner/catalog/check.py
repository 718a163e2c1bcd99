"""The checks of `plan catalog check`: one function per trap that was met in a published table.

Each takes catalog records and returns what is wrong with them; the figures that they look for are in traps.toml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, get_args

from planner.catalog.accelerators import candidates, load_accelerators, spelling_key
from planner.catalog.capacity import load_capacity
from planner.catalog.check_offers import OFFER_CHECKS
from planner.catalog.offers import load_offers, load_spot_history, usable
from planner.catalog.records import Accelerator, Precision
from planner.catalog.reliability import load_reliability
from planner.catalog.traps import load_traps
from planner.errors import Issue, Place

ACCELERATORS: Final = "accelerators.toml"
RELIABILITY: Final = "reliability.toml"
CAPACITY: Final = "capacity.toml"
ANY: Final = ""

AcceleratorCheck = Callable[[Sequence[Accelerator]], list[Issue]]


def figures_of_another_card(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 1: an A100-80GB at 1.55 TB/s is the 40 GB card, an H100 at 2.03 TB/s an A100."""
    return _figure_issues(accelerators, trap=1)


def sparse_or_doubled_peaks(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 2: a peak with sparsity, of another card or of a superchip of two, where the dense one belongs."""
    return _figure_issues(accelerators, trap=2)


def both_directions(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 3: NVLink at 600, 900 or 1,800 GB/s counts both directions; A800 and H800 have 200 per direction."""
    return [
        _wrong(one, f"scale_up_gb_s {one.scale_up_gb_s:g} counts both directions", f"{rule.gb_s:g} per direction")
        for one in accelerators
        for rule in load_traps().direction
        if one.scale_up_fabric.startswith(rule.fabric) and rule.concerns(one) and one.scale_up_gb_s > rule.gb_s
    ]


def precisions_without_units(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 4: the A100 has no FP8, V100 and T4 no BF16; their figures in a bf16 column are FP16."""
    return [
        _wrong(one, f"{one.architecture} has no {precision}", "leave it out")
        for one in accelerators
        for rule in load_traps().absent
        if one.architecture == rule.architecture
        for precision in rule.precisions
        if precision in one.peak_tflops
    ]


def sums_of_links(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 5: xGMI's 448 GB/s is the sum of seven links, a pair of devices gets 64."""
    return [
        _wrong(one, "scale_up_gb_s is a sum of links that no pair reaches", f"pair_gb_s = {rule.gb_s:g}")
        for one in accelerators
        for rule in load_traps().pair
        if rule.concerns(one) and (one.pair_gb_s is None or one.pair_gb_s > rule.gb_s)
    ]


def several_devices_per_package(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 5: MI250X and TPU v7 show two devices per package; the record has to say which view it takes."""
    return [
        _wrong(one, f"frameworks show several devices per package ({rule.mention})", "say in the note which is meant")
        for one in accelerators
        for rule in load_traps().package
        if rule.concerns(one) and rule.mention.casefold() not in one.note.casefold()
    ]


def unmeasured_matmul_shares(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 7: what real matrix products reach differs by device (MI300X 51 %, Gaudi2 97 %), so it is measured."""
    return [
        _wrong(one, f"bf16 matmul_share {found:g}", f"{rule.share:g} was measured")
        for one in accelerators
        for rule in load_traps().share
        for found in [one.matmul_share.get("bf16")]
        if rule.concerns(one) and found is not None and abs(found - rule.share) > 0.02
    ]


def nominal_memory_as_usable(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """Trap 8: nominal and usable memory differ: B200 192 GB nominal, 179 GiB usable."""
    return [
        _wrong(one, f"memory_usable_gib {one.memory_usable_gib:g}", f"at most {rule.usable_gib:g} can be had")
        for one in accelerators
        for rule in load_traps().memory
        if rule.concerns(one) and one.memory_usable_gib > rule.usable_gib
    ] + [
        _wrong(
            one, f"memory_usable_gib {one.memory_usable_gib:g} exceeds the nominal memory", "read the driver's figure"
        )
        for one in accelerators
        if one.memory_usable_gib > 1.01 * one.memory_nominal_gb
    ]


def ambiguous_spellings(accelerators: Sequence[Accelerator]) -> list[Issue]:
    """An exact spelling names one device, and an ambiguous one has several candidates and one usual meaning."""
    keys = [{spelling_key(name) for name in (one.name, *one.aliases)} for one in accelerators]
    shared = [{spelling_key(name) for name in one.ambiguous_aliases} for one in accelerators]
    times = Counter(key for spellings in (*keys, *shared) for key in spellings)
    return [
        _wrong(one, f"{key!r} names several devices", "make it an ambiguous alias of the usual one")
        for one, spellings in zip(accelerators, keys, strict=True)
        for key in sorted(spellings)
        if times[key] > 1
    ] + [
        _wrong(one, f"{name!r} is called ambiguous", "but only one device may be meant")
        for one in accelerators
        for name in one.ambiguous_aliases
        if len(candidates(name)) < 2
    ]


ACCELERATOR_CHECKS: Final[tuple[AcceleratorCheck, ...]] = (
    figures_of_another_card,
    sparse_or_doubled_peaks,
    both_directions,
    precisions_without_units,
    sums_of_links,
    several_devices_per_package,
    unmeasured_matmul_shares,
    nominal_memory_as_usable,
    ambiguous_spellings,
)


def check_reliability() -> list[Issue]:
    """One failure rate is the usual one, and the proxy device has a trace."""
    reliability = load_reliability()
    usual = [rate.name for rate in reliability.failure_rate if rate.usual]
    names = {one.name for one in reliability.spot}
    issues = [] if len(usual) == 1 else [Issue(f"{len(usual)} failure rates are usual", Place(RELIABILITY), "mark one")]
    if reliability.untraced.stand_in not in names:
        issues.append(Issue("the proxy device has no trace", Place(RELIABILITY), "name one of the spot statistics"))
    return issues


def check_capacity() -> list[Issue]:
    """The last record of capacity fits any nodes, and the accelerators that are named are known."""
    known, catalog = {one.name for one in load_accelerators()}, load_capacity()
    last = catalog.capacity[-1]
    fits_any = last.concerns(ANY, ANY, ANY)
    issues = [] if fits_any else [Issue("no capacity fits every offer", Place(CAPACITY), "add one")]
    named = {one.accelerator for one in catalog.capacity} | {one.accelerator for one in catalog.slices}
    return issues + [
        Issue(f"{name} has no record", Place(CAPACITY), "use a name of the accelerator catalog")
        for name in sorted(named - known - {ANY})
    ]


def check_catalogs() -> list[Issue]:
    """Everything that is wrong with the shipped catalogs of hardware and market; loading them validates each record."""
    accelerators, offers = load_accelerators(), usable(load_offers())
    load_spot_history()
    return [
        *(issue for check in ACCELERATOR_CHECKS for issue in check(accelerators)),
        *(issue for check in OFFER_CHECKS for issue in check(offers)),
        *check_reliability(),
        *check_capacity(),
    ]


def _figure_issues(accelerators: Iterable[Accelerator], *, trap: int) -> list[Issue]:
    """The devices that carry one of a trap's wrong figures, to within 1 %."""
    return [
        _wrong(one, f"{rule.field} {found:g}: {rule.why}", f"dense and of this card: {rule.right}")
        for one in accelerators
        for rule in load_traps().figure
        if rule.trap == trap and rule.concerns(one)
        for found in _figures(one, rule.field)
        if any(abs(found - wrong) <= 0.01 * wrong for wrong in rule.wrong)
    ]


def _figures(accelerator: Accelerator, field: str) -> Iterator[float]:
    """A device's figure of that name: the peak of a precision, or a field."""
    if field in get_args(Precision):
        yield from (peak for precision, peak in accelerator.peak_tflops.items() if precision == field)
    else:
        yield getattr(accelerator, field)


def _wrong(accelerator: Accelerator, message: str, fix: str) -> Issue:
    """What is wrong with a device's record."""
    return Issue(f"{accelerator.name}: {message}", Place(ACCELERATORS), fix)
