"""The accelerator catalog: loading it, and finding a device under any of its spellings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from planner.catalog.files import toml_records
from planner.catalog.records import Accelerator
from planner.errors import InputError, Issue, Place, did_you_mean
from planner.files import read_whole, text_of

MAX_RECORD_BYTES: Final = 1 << 20
"""Largest accelerator file that is read."""

MAX_SPELLING: Final = 200
"""Longest name that is looked up, in characters."""

UPPER_BOUNDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "compute_units": 1e5,
        "memory_nominal_gb": 1e5,
        "memory_usable_gib": 1e5,
        "memory_bandwidth_gb_s": 1e6,
        "scale_up_gb_s": 1e6,
        "pair_gb_s": 1e6,
        "scale_up_domain": 1e6,
        "accelerators_per_node": 1e4,
        "nic_gbit_s": 1e6,
        "tdp_watts": 1e6,
    }
)
"""Largest figure that a user's record may claim, in the field's own unit."""

MAX_PEAK_TFLOPS: Final = 1e6
"""Largest dense peak that a user's record may claim."""


@cache
def load_accelerators() -> tuple[Accelerator, ...]:
    """Every device of the catalog, in its order."""
    return toml_records(Accelerator, "accelerators.toml")


def spelling_key(spelling: str) -> str:
    """What is left of a spelling once case, hyphens, underscores, spaces and parentheses are ignored."""
    return re.sub(r"[\s\-_()]+", "", spelling).casefold()


def find_accelerator(spelling: str, *, usual: bool = False) -> Accelerator:
    """The device that a spelling names.

    `usual` accepts a spelling that several devices share and takes its usual meaning, as files of published
    runs need. Raises InputError when the spelling is ambiguous (with the candidates) or unknown.
    """
    key = spelling_key(spelling[:MAX_SPELLING])
    exact, shared = _index()
    if key in exact:
        return exact[key]
    if key not in shared:
        raise InputError(f"unknown accelerator {spelling[:MAX_SPELLING]!r}", fix=_suggestion(spelling))
    if usual:
        return shared[key]
    names = ", ".join(accelerator.name for accelerator in candidates(spelling))
    raise InputError(
        f"{spelling!r} may be any of {names}", fix=f"write one of them in full; the usual one is {shared[key].name}"
    )


def candidates(spelling: str) -> tuple[Accelerator, ...]:
    """The devices that an ambiguous spelling may mean: those of which one spelling contains all its words."""
    words = [spelling_key(word) for word in re.split(r"[\s\-_()]+", spelling) if word]
    return tuple(
        accelerator
        for accelerator in load_accelerators()
        if any(all(word in key for word in words) for key in _keys(accelerator, shared=True))
    )


def accelerator_from(reference: str, base_directory: Path, *, usual: bool = False) -> Accelerator:
    """The device that a problem or a command names: a spelling, or the path of a `.toml` accelerator record.

    A relative path starts at `base_directory`; `usual`: see `find_accelerator`. Raises InputError with the place; a
    file's content is never repeated.
    """
    if not reference.lower().endswith(".toml"):
        return find_accelerator(reference, usual=usual)
    return read_accelerator(base_directory / reference, shown=reference[:MAX_SPELLING])


def read_accelerator(path: Path, *, shown: str) -> Accelerator:
    """The only record of an accelerator file, in the catalog's own format: one `[[accelerator]]` table."""
    tables = _tables(path, shown)
    records = tables.get("accelerator")
    if set(tables) != {"accelerator"} or not isinstance(records, list) or len(records) != 1:
        raise InputError(
            "an accelerator file holds exactly one [[accelerator]] table and nothing else", place=Place(shown)
        )
    try:
        accelerator = Accelerator.model_validate(records[0])
    except ValidationError as error:
        raise InputError(_field_issues(error, shown)) from None
    issues = [Issue(f"{field} is above {bound:g}", Place(shown)) for field, bound in _exceeded(accelerator)]
    if not {"bf16", "fp16"} & set(accelerator.peak_tflops):
        fix = "add for example bf16 = 312: attention and logits run in 16 bit, whatever the rest does"
        issues.append(Issue("peak_tflops has neither bf16 nor fp16", Place(shown), fix))
    if issues:
        raise InputError(issues)
    return accelerator


def _tables(path: Path, shown: str) -> dict[str, Any]:
    """What a TOML file holds; its size and encoding are checked first."""
    fix = "give an accelerator record"
    text = text_of(read_whole(path, MAX_RECORD_BYTES, name=shown, fix=fix), shown, fix=fix)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("not valid TOML", place=_toml_place(shown, str(error)), fix=fix) from None


def _toml_place(shown: str, message: str) -> Place:
    """Where a TOML parser's message points to."""
    found = re.search(r"line (\d+), column (\d+)", message)
    return Place(shown, int(found[1]), int(found[2])) if found else Place(shown)


def _field_issues(error: ValidationError, shown: str) -> list[Issue]:
    """One issue per field that a record gets wrong, by the fields' names and without their values."""
    known = list(Accelerator.model_fields)
    issues = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        field = str(detail["loc"][0]) if detail["loc"] else "the table"
        if detail["type"] == "extra_forbidden":
            issues.append(Issue("a key that no accelerator record has", Place(shown), did_you_mean(field, known)))
        else:
            issues.append(Issue(f"{field}: {detail['msg']}", Place(shown)))
    return issues


def _exceeded(accelerator: Accelerator) -> Iterator[tuple[str, float]]:
    """The fields of a record that lie above what any device could have, with their bounds."""
    for field, bound in UPPER_BOUNDS.items():
        value = getattr(accelerator, field)
        if value is not None and value > bound:
            yield field, bound
    if max(accelerator.peak_tflops.values(), default=0.0) > MAX_PEAK_TFLOPS:
        yield "peak_tflops", MAX_PEAK_TFLOPS


def _keys(accelerator: Accelerator, *, shared: bool = False) -> Iterator[str]:
    """The keys of a device's spellings, each also with the vendor in front."""
    vendor = spelling_key(accelerator.vendor)
    own = accelerator.ambiguous_aliases if shared else ()
    for spelling in (accelerator.name, *accelerator.aliases, *own):
        key = spelling_key(spelling)
        yield key
        yield vendor + key


@cache
def _index() -> tuple[Mapping[str, Accelerator], Mapping[str, Accelerator]]:
    """Devices by the keys that name exactly one, and by the keys that several share."""
    exact = {key: accelerator for accelerator in load_accelerators() for key in _keys(accelerator)}
    shared = {
        prefix + spelling_key(spelling): accelerator
        for accelerator in load_accelerators()
        for spelling in accelerator.ambiguous_aliases
        for prefix in ("", spelling_key(accelerator.vendor))
    }
    return exact, shared


def _suggestion(spelling: str) -> str:
    """What to write instead of an unknown spelling."""
    known = [
        name
        for accelerator in load_accelerators()
        for name in (accelerator.name, *accelerator.aliases, *accelerator.ambiguous_aliases)
    ]
    return f"{did_you_mean(spelling, known)} (`plan catalog accelerators` lists them)"
