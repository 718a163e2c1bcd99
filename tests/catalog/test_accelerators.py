"""The accelerator catalog: every spelling in use resolves, and a record of one's own can be given."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.catalog.accelerators import accelerator_from, candidates, find_accelerator, load_accelerators
from planner.errors import InputError

EXACT = {
    "H100-SXM-80GB": "H100-80GB-SXM5",
    "H100-MEGA": "H100-80GB-SXM5",
    "H100-SXM-96GB-HBM2e-500W": "H100-96GB-SXM-500W",
    "h800-80gb": "H800-80GB-SXM",
    "A800-80GB": "A800-80GB-SXM",
    "A100-SXM-40GB": "A100-40GB-SXM4",
    "A100-SXM-80GB": "A100-80GB-SXM4",
    "NVIDIA A100-SXM4-80GB": "A100-80GB-SXM4",
    "H200": "H200-141GB-SXM",
    "H200-NVL": "H200-141GB-NVL",
    "B200": "B200-SXM",
    "GB200": "GB200",
    "GB300": "GB300",
    "MI300X": "MI300X",
    "MI350X": "MI350X",
    "MI355X": "MI355X",
    "Gaudi2": "Gaudi2",
    "L40S": "L40S",
    "L4": "L4",
    "V100-SXM3-32GB": "V100-32GB-SXM3",
    "Trainium1 (NeuronCore-v2)": "Trainium1-NeuronCore",
    "TPU-v3": "TPUv3",
    "TPU-v4": "TPUv4",
    "TPU-v5e": "TPUv5e",
    "tpu-v5litepod": "TPUv5e",
    "tpu-v5p": "TPUv5p",
    "TPU-v6e(Trillium)": "TPUv6e",
    "TPU-v7x(Ironwood)": "TPUv7x",
    "RTX 4090": "RTX4090",
    "RTXPRO6000": "RTX-PRO-6000-Blackwell",
    "A6000": "RTX-A6000",
}
SHARED = {
    "A100": "A100-80GB-SXM4",
    "A100-SXM": "A100-80GB-SXM4",
    "A100-80GB": "A100-80GB-SXM4",
    "H100": "H100-80GB-SXM5",
    "nvidia-h100": "H100-80GB-SXM5",
    "V100": "V100-32GB-SXM2",
    "GH200": "GH200-96GB",
}


@pytest.mark.parametrize(("spelling", "name"), EXACT.items())
def test_a_spelling_of_one_device_resolves(spelling: str, name: str) -> None:
    """A spelling that means one device is found with and without taking usual meanings."""
    assert find_accelerator(spelling).name == name
    assert find_accelerator(spelling, usual=True).name == name


@pytest.mark.parametrize(("spelling", "name"), SHARED.items())
def test_a_shared_spelling_is_refused_or_taken_as_usual(spelling: str, name: str) -> None:
    """A spelling of several devices is refused with its candidates, and has one usual meaning."""
    assert find_accelerator(spelling, usual=True).name == name
    with pytest.raises(InputError, match="may be any of") as caught:
        find_accelerator(spelling)
    for candidate in candidates(spelling):
        assert candidate.name in str(caught.value)
    assert name in str(caught.value)


def test_case_and_separators_do_not_matter() -> None:
    """Hyphens, underscores, spaces, parentheses and case are ignored."""
    assert find_accelerator("h100_sxm (80gb)").name == "H100-80GB-SXM5"


def test_an_unknown_spelling_gets_a_suggestion() -> None:
    """The nearest known spelling is named."""
    with pytest.raises(InputError, match=r"unknown accelerator 'MI300Y'.*did you mean MI300X\?"):
        find_accelerator("MI300Y")


def test_every_own_name_resolves_to_itself() -> None:
    """No record's name is hidden by another's alias."""
    for accelerator in load_accelerators():
        assert find_accelerator(accelerator.name) is accelerator


def test_matmul_shares_are_measured_over_peak() -> None:
    """The share is the measured figure over the dense peak, per precision, and absent when unmeasured."""
    h100 = find_accelerator("H100-80GB-SXM5")
    assert h100.matmul_share["bf16"] == pytest.approx(794.5 / 989, abs=1e-4)
    assert h100.matmul_share["fp8"] == pytest.approx(1402.6 / 1979, abs=1e-4)
    assert find_accelerator("H200").matmul_share["fp8"] == pytest.approx(1453 / 1979, abs=1e-4)
    assert find_accelerator("H800").matmul_share == {}


RECORD = """
[[accelerator]]
name = "mine"
vendor = "NVIDIA"
architecture = "hopper"
memory_nominal_gb = 80
memory_usable_gib = 79
memory_bandwidth_gb_s = 3000
peak_tflops = {bf16 = 900}
scale_up_fabric = "NVLink4"
scale_up_gb_s = 400
scale_up_domain = 8
accelerators_per_node = 8
nic_gbit_s = 200
confidence = "A"
source = "measured here"
date = "2026-09"
"""


def test_a_file_holds_a_record_of_ones_own(tmp_path: Path) -> None:
    """A `.toml` path is read from the folder of the file that names it; anything else is a spelling."""
    (tmp_path / "mine.toml").write_text(RECORD, "utf-8")
    assert accelerator_from("mine.toml", tmp_path).memory_bandwidth_gb_s == 3000
    assert accelerator_from("H200", tmp_path).name == "H200-141GB-SXM"


BAD_FILES = {
    "cannot read it": None,
    "not UTF-8 text": b"\xff\xfe\x00secret",
    "not valid TOML": b"secret secret",
    "larger than 1 MiB": b"#" * (1 << 21),
    "exactly one": b"secret = 1\n",
    "nic_gbit_s": RECORD.replace("nic_gbit_s = 200", "nic_gbit_s = -200").encode(),
    "neither bf16 nor fp16": RECORD.replace("bf16 = 900", "fp8 = 900").encode(),
    "peak_tflops is above": RECORD.replace("bf16 = 900", "bf16 = 9e9").encode(),
    "scale_up_domain is above": RECORD.replace("scale_up_domain = 8", "scale_up_domain = 80000000").encode(),
    "did you mean nic_gbit_s": RECORD.replace("nic_gbit_s", "nic_gbits").encode(),
    "memory_bandwidth_gb_s": RECORD.replace("3000", "inf").encode(),
}


@pytest.mark.parametrize(("message", "content"), BAD_FILES.items())
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, message: str, content: bytes | None) -> None:
    """Each fault is named with the file, and nothing of what the file holds is repeated."""
    if content is not None:
        (tmp_path / "bad.toml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        accelerator_from("bad.toml", tmp_path)
    text = str(caught.value)
    assert message in text
    assert "bad.toml" in text
    assert "secret" not in text


def test_a_syntax_error_is_placed(tmp_path: Path) -> None:
    """A file that is not TOML is refused with line and column."""
    (tmp_path / "bad.toml").write_text("[[accelerator]]\nname == 3\n", "utf-8")
    with pytest.raises(InputError, match=r"bad\.toml:2:7"):
        accelerator_from("bad.toml", tmp_path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """Nesting that would exhaust the parser's stack is an input error."""
    (tmp_path / "bad.toml").write_text("a = " + "[" * 100_000, "utf-8")
    with pytest.raises(InputError, match="not valid TOML"):
        accelerator_from("bad.toml", tmp_path)
