"""From measurements to an accelerator record in the catalog's format."""

from __future__ import annotations

import tomli_w

from planner.catalog.records import Accelerator
from planner.clock import today
from planner.measure.samples import DeviceFacts
from planner.measure.summary import Summary, summary_lines

SOURCE = "measured with plan calibrate --measure"
FIGURES = 4
"""Significant digits of what is written."""
SHARED_GIB = 3.0
"""Memory in use outside PyTorch from which other processes are suspected; context and libraries take 0.5 to 2."""


def measured_record(facts: DeviceFacts, summary: Summary, like: Accelerator) -> Accelerator:
    """Turn `like`, the catalog's record of the device, into the measured one.

    Peaks, fabric and names stay; memory, multiprocessors and the shares of the peak are the measured ones. The
    memory bandwidth stays the datasheet's, which the equations derate, and the note states what a copy reached.
    """
    changes = {
        "compute_units": facts.compute_units or like.compute_units,
        "memory_usable_gib": rounded(facts.memory_gib),
        "matmul_share": matmul_shares(summary, like),
        "confidence": "A",
        "source": SOURCE,
        "date": today().isoformat(),
        "note": note(facts, summary, like),
    }
    return Accelerator.model_validate({**like.model_dump(), **changes})


def matmul_shares(summary: Summary, like: Accelerator) -> dict[str, float]:
    """Best rate over the dense peak by precision, at most 1; a precision that was not measured keeps its share."""
    shares: dict[str, float] = {str(precision): share for precision, share in like.matmul_share.items()}
    for precision, peak in like.peak_tflops.items():
        if precision in summary.matmul:
            shares[precision] = min(1.0, rounded(summary.matmul[precision].best / peak))
    return shares


def note(facts: DeviceFacts, summary: Summary, like: Accelerator) -> str:
    """State the machine and what the record has no field for."""
    rates = "; ".join(f"{precision} {rate.best:.4g} TFLOP/s" for precision, rate in summary.matmul.items())
    copy = summary.stream_gb_s.get("copy")
    sentences = [
        f"Measured on {facts.name} with {facts.software}.",
        f"Best large matrix product: {rates}.",
        f"Without rest, over seconds: {summary.sustained_tflops:.4g} TFLOP/s." if summary.sustained_tflops else "",
        f"A copy moves {copy:.4g} GB/s, read and written, {copy / like.memory_bandwidth_gb_s:.3g} of the datasheet's."
        if copy
        else "",
        f"Context and libraries take {facts.outside_gib:.2g} GiB." if facts.outside_gib else "",
        f"Peaks and fabric: catalog record {like.name}.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def doubts(facts: DeviceFacts, summary: Summary, like: Accelerator) -> tuple[str, ...]:
    """Say what suggests that others use the device, or that `like` is another: its memory, a rate above its peak."""
    found = []
    if facts.outside_gib > SHARED_GIB:
        found.append(f"{facts.outside_gib:.3g} GiB are in use outside PyTorch: does another process share the device?")
    nominal_gib = like.memory_nominal_gb * 1e9 / 2**30
    if not 0.8 <= facts.memory_gib / nominal_gib <= 1.1:
        found.append(f"the device has {facts.memory_gib:.4g} GiB, {like.name} {nominal_gib:.4g}: is --like right?")
    for precision, rate in summary.matmul.items():
        peak = next((peak for key, peak in like.peak_tflops.items() if key == precision), None)
        if peak is None:
            found.append(f"{like.name} states no {precision} peak, so the record has no {precision} share")
        elif rate.best > peak:
            found.append(
                f"{precision} reaches {rate.best:.4g} TFLOP/s, above the peak of {like.name}: is --like right?"
            )
    return tuple(found)


def record_text(record: Accelerator, summary: Summary) -> str:
    """TOML with one `[[accelerator]]` table, headed by the summary as comments."""
    comments = "".join(f"# {line}\n" for line in summary_lines(summary))
    fields = record.model_dump(mode="json", exclude_defaults=True)
    return f"{comments}\n{tomli_w.dumps({'accelerator': [fields]})}"


def rounded(value: float) -> float:
    """Keep four significant digits."""
    return float(f"{value:.{FIGURES}g}")
