"""Names that the catalogs do not know are told together, beside whatever else is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import InputError
from planner.market.names import named_problem
from planner.problem.document import parse_document

BAD = """\
schema: plan/1
model: llama9-70b
training:
  precision: bf16
  software: {stack: megatronn}
  phases: [{tokens: 1T, sequence_length: 4096, global_batch: 1024}]
market:
  accelerators: [H100-80GB-SXM5, H900]
  clouds: [awss]
  purchase: on_demand, spot
  offers: [{name: ours, accelerator: B900, nodes: 4, on_demand: $2/GPU-h}]
limits: {budget: €3M, gpus: 64 nodes}
risk: {confidence: 95}
"""


def test_every_error_of_a_file_is_told_at_once() -> None:
    """Model, stack, accelerators, clouds, own offers and quantities: each at its line, in the order of the file."""
    with pytest.raises(InputError) as caught:
        named_problem(parse_document(BAD, "problem.yaml", Path()))
    told = [(issue.place.line if issue.place else None, issue.message) for issue in caught.value.issues]
    assert [line for line, _ in told] == [2, 5, 8, 9, 10, 11, 12, 12, 13]
    messages = " ".join(message for _, message in told)
    for word in ("llama9-70b", "megatronn", "H900", "awss", "on_demand, spot", "B900", "€", "64 nodes", "95"):
        assert word in messages


def test_hints_name_what_was_meant() -> None:
    """A list without brackets, nodes where GPUs are counted, another currency, a share without its sign."""
    with pytest.raises(InputError) as caught:
        named_problem(parse_document(BAD, "problem.yaml", Path()))
    fixes = [issue.fix or "" for issue in caught.value.issues]
    assert fixes[4] == "write purchase: [on_demand, spot]"
    assert fixes[6] == "convert it to US dollars: write $6M, 6 MUSD or $500k"
    assert fixes[7] == "write the GPUs of these nodes together: gpus: 512 where a node has 8"
    assert fixes[8] == "write 95% or 0.95"


def test_clouds_of_a_price_book_may_be_unknown_to_the_catalogs(tmp_path: Path) -> None:
    """With books of own prices a cloud is looked for in them, later."""
    text = BAD.replace("purchase: on_demand, spot", "prices: [ours.csv]")
    with pytest.raises(InputError) as caught:
        named_problem(parse_document(text, "problem.yaml", tmp_path))
    assert not any("awss" in issue.message for issue in caught.value.issues)
