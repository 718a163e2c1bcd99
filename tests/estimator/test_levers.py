"""What saves memory, as run files state it: what each takes off the device, and what it costs in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from planner.catalog.calibration import load_calibration
from planner.catalog.optimizers import load_optimizers
from planner.errors import InputError
from planner.estimator.estimate import Estimate, estimate
from planner.problem.run import Run
from planner.problem.training import Optimizer


def of(training: dict[str, Any] | None = None, model: str = "llama3.1-8b", **layout: object) -> Estimate:
    """A run on eight devices with some keys of its training and layout."""
    written = {
        "schema": "run/1",
        "model": model,
        "training": {"tokens": "1B", "sequence_length": 8192, "global_batch": 64, **(training or {})},
        "cluster": {"accelerator": "H100-80GB-SXM5", "gpus": 8},
        "layout": {"zero": 3, **layout},
    }
    return estimate(Run.model_validate(written), load_calibration())


def part(found: Estimate, name: str) -> float:
    """GiB of one part."""
    return float(getattr(found.memory, name))


@pytest.mark.parametrize(
    ("training", "bytes_each"),
    [
        ({}, 12.0),
        ({"optimizer": "adamw-8bit"}, 6.03),
        ({"optimizer": "muon"}, 8.0),
        ({"optimizer": "adafactor"}, 4.02),
        ({"optimizer": "sgd"}, 8.0),
        ({"moments": "bf16"}, 8.0),
        ({"moments": "int8"}, 6.03),
        ({"weights": "bf16"}, 4.0),
        ({"weights": "bf16", "moments": "fp32"}, 8.0),
        ({"weights": "bf16", "optimizer": "adamw-8bit"}, 2.03),
        ({"optimizer": "paged-adamw-8bit"}, 0.0),
        ({"offload": ["optimizer"]}, 0.0),
    ],
)
def test_optimizer_states(training: dict[str, Any], bytes_each: float) -> None:
    """Bytes per parameter of the copy that is updated and of the states, over what Adam in 32 bit takes."""
    assert part(of(training), "optimizer") == pytest.approx(bytes_each / 12 * part(of(), "optimizer"), rel=1e-6)


def test_pure_16_bit_training_keeps_16_bit_gradients() -> None:
    """PyTorch's gradients have their parameter's format; a stated one counts more."""
    stack = {"software": {"stack": "pytorch-fsdp"}}
    whole, pure = of(stack), of({"weights": "bf16", **stack})
    assert part(pure, "gradients") == pytest.approx(part(whole, "gradients") / 2)
    stated = of({"weights": "bf16", "gradients": "fp32", **stack})
    assert part(stated, "gradients") == pytest.approx(part(whole, "gradients"))


def test_every_optimizer_of_the_catalog_can_be_written() -> None:
    """The schema names what the catalog has."""
    assert set(load_optimizers()) == set(get_args(Optimizer))


def test_offloading_costs_time_and_saves_memory() -> None:
    """Each kind, on its own, is slower and leaner than keeping everything on the device."""
    plain = of()
    for kept in ("optimizer", "parameters", "activations"):
        found = of({"offload": [kept]})
        assert found.memory.expected < plain.memory.expected
        assert found.time["offload"] > 0
        assert found.step_seconds > plain.step_seconds
    assert plain.time["offload"] == 0


def test_a_quantised_base_is_smaller_and_restored_for_every_pass() -> None:
    """QLoRA's layers take 4.127 bit a parameter, tables 16; the step takes longer than LoRA's."""
    whole, quantised = of({"method": "lora"}), of({"method": "qlora"})
    tables = 2 * 128256 * 4096
    layers = 8.03e9 - tables
    expected = (0.516 * layers + 2 * tables) / (2 * layers + 2 * tables)
    assert part(quantised, "weights") / part(whole, "weights") == pytest.approx(expected, rel=0.01)
    assert quantised.step_seconds > whole.step_seconds
    assert part(of({"method": "lora", "base": "nf4"}), "weights") == part(quantised, "weights")


def test_a_fused_loss_never_holds_the_logits() -> None:
    """Fifteen sixteenths of their memory are free, and no step is slower."""
    plain, fused = of(), of({"fused_loss": True})
    logits = 8192 * 128256 * 12 / 2**30
    assert plain.memory.allocated - fused.memory.allocated == pytest.approx(15 / 16 * logits, rel=1e-3)
    assert fused.step_seconds <= plain.step_seconds


def test_packed_documents_attend_to_themselves() -> None:
    """Shorter documents take less time and FLOP, and no other memory; those of the sequence's length change nothing."""
    plain, packed = of(), of({"document_length": 1024})
    assert packed.step_seconds < plain.step_seconds
    assert packed.work.model_flop_per_token < plain.work.model_flop_per_token
    assert packed.memory.expected == plain.memory.expected
    assert of({"document_length": 8192}).step_seconds == plain.step_seconds


def test_more_predictions_take_time_and_memory() -> None:
    """The model's own modules; a model without any is refused."""
    plain = of(model="deepseek-v3", expert=8, recompute="full")
    more = of({"multi_token_prediction": True}, model="deepseek-v3", expert=8, recompute="full")
    assert plain.step_seconds < more.step_seconds < 1.1 * plain.step_seconds
    assert part(more, "weights") > part(plain, "weights")
    with pytest.raises(InputError, match="has no multi-token-prediction modules"):
        of({"multi_token_prediction": True})


def test_states_over_groups_take_more_memory() -> None:
    """HSDP: two groups of four hold twice the states of one of eight."""
    assert part(of(shard=4), "optimizer") == pytest.approx(2 * part(of(), "optimizer"))


def test_an_expert_cut_by_tensor_parallelism_takes_less() -> None:
    """Half of each expert on a device of two."""
    whole, cut = (of(model="mixtral-8x7b", tensor=2, zero=0, expert=1, expert_tensor=one) for one in (1, 2))
    assert part(cut, "weights") < 0.6 * part(whole, "weights")


@pytest.mark.parametrize(
    ("training", "layout", "message"),
    [
        ({"offload": ["parameters"]}, {"zero": 1}, "offloaded parameters need ZeRO 3"),
        ({"offload": ["optimizer", "optimizer"]}, {}, "names one thing twice"),
        ({"base": "nf4"}, {}, "training.base requires method: lora"),
        ({"moments": "int8", "optimizer": "muon"}, {}, "has no 8-bit states"),
        ({}, {"shard": 3}, "shard 3 does not divide"),
        ({}, {"expert_tensor": 2}, "expert_tensor 2 does not divide"),
    ],
)
def test_levers_that_do_not_go_together(training: dict[str, Any], layout: dict[str, Any], message: str) -> None:
    """Each contradiction has its sentence."""
    with pytest.raises((InputError, ValidationError), match=message):
        of(training, **layout)


def test_hybrids_have_a_wider_range(tmp_path: Path) -> None:
    """Layers of which nobody published a training run: the range says so, and so does the answer."""
    config = tmp_path / "config.json"
    kinds = ", ".join(['"linear_attention"', '"full_attention"'] * 4)
    config.write_text(
        '{"model_type": "olmo_hybrid", "hidden_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 16,'
        '"num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 100352, "linear_num_value_heads": 16,'
        '"linear_num_key_heads": 16, "linear_value_head_dim": 128, "linear_key_head_dim": 64, "hidden_act": "silu",'
        f'"layer_types": [{kinds}]}}'
    )
    hybrid, plain = of(model=str(config)), of()
    assert hybrid.error.deviation > plain.error.deviation
    assert any("No published run has layers of this kind" in one for one in hybrid.assumptions)
    assert hybrid.step_seconds < plain.step_seconds
