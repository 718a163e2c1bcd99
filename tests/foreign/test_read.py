"""Launch files of every framework are read as runs; what they cannot say is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner.catalog.models import model_from
from planner.errors import InputError
from planner.foreign.read import read_launch_file
from planner.foreign.run_file import run_text
from planner.problem.document import parse_document

MEGATRON = """#!/bin/bash
#SBATCH --nodes=128
#SBATCH --gpus-per-node=8
export CUDA_DEVICE_MAX_CONNECTIONS=1
GPT_MODEL_ARGS=(
    --num-layers 96 --hidden-size 12288 --num-attention-heads 96
    --seq-length 2048 --max-position-embeddings 2048 --vocab-size 51200
)
TRAINING_ARGS="--micro-batch-size 1 --global-batch-size 1536 --train-iters 95368 --bf16 --lr 6e-5
  --recompute_granularity selective --use-distributed-optimizer"
torchrun --nproc_per_node 8 --nnodes 128 pretrain_gpt.py ${GPT_MODEL_ARGS[@]} $TRAINING_ARGS \\
   --tensor-model-parallel-size=8 --pipeline-model-parallel-size 8 --num-layers-per-virtual-pipeline-stage 3
"""


def read(text: str, **options: str) -> dict[str, Any]:
    """The run that a text and options describe, as its file states it."""
    written, _ = run_text(
        read_launch_file(text, "launch"), "launch", {"cluster.accelerator": "H100-80GB-SXM5"} | options, ()
    )
    return dict(parse_document(written, "run", Path()).data)


def test_a_megatron_script_is_a_whole_run() -> None:
    """Architecture, batches, layout and devices of a script; a model of the catalog's shape goes by its name."""
    run = read(MEGATRON)
    assert run["cluster"]["gpus"] == 1024
    assert run["training"] == {
        "sequence_length": 2048,
        "global_batch": 1536,
        "tokens": 95368 * 1536 * 2048,
        "precision": "bf16",
    }
    expected = {
        "tensor": 8,
        "pipeline": 8,
        "micro_batch": 1,
        "virtual_pipeline": 4,
        "zero": 1,
        "recompute": "selective",
    }
    assert {key: run["layout"][key] for key in expected} == expected
    assert run["model"] == "gpt3-175b"


def test_a_model_of_another_shape_is_spelt_out() -> None:
    """Fields of a `config.json` describe what no model of the catalog is, biases and norms with them."""
    run = read(MEGATRON.replace("--num-layers 96", "--num-layers 48"))
    assert run["layout"]["virtual_pipeline"] == 2
    model = model_from(run["model"], Path())
    assert (model.num_hidden_layers, model.vocab_size, model.mlp_bias, model.norm) == (48, 51200, True, "layernorm")


@pytest.mark.parametrize(
    ("words", "precision"),
    [
        ("--bf16 --fp8-format hybrid", "fp8"),
        ("--bf16 --fp8-format e4m3 --fp8-recipe blockwise", "fp8-blockwise"),
        ("--bf16 --fp8-format hybrid --fp8-recipe tensorwise", "fp8-cs"),
        ("--fp16", "fp16"),
    ],
)
def test_recipes_are_precisions(words: str, precision: str) -> None:
    """Megatron's number formats have names of their own here."""
    assert read(MEGATRON.replace("--bf16", words))["training"]["precision"] == precision


def test_a_variable_that_is_not_set_is_named() -> None:
    """An argument whose value the script does not say is refused with its name."""
    with pytest.raises(InputError, match=r"--tensor-model-parallel-size is a variable that the script does not set"):
        read(MEGATRON.replace("size=8", "size=$TP"))


DEEPSPEED = """{
  "train_batch_size": 512, "train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 2,
  "bf16": {"enabled": true}, "zero_optimization": {"stage": 3}
}"""
AXOLOTL = """base_model: meta-llama/Llama-3.1-8B
sequence_len: 8192
micro_batch_size: 2
gradient_accumulation_steps: 4
max_steps: 1000
dp_shard_size: 8
bf16: auto
adapter: lora
lora_r: 32
gradient_checkpointing: true
fsdp_version: 2
fsdp_config: {reshard_after_forward: true}
"""
LLAMA_FACTORY = """model_name_or_path: meta-llama/Llama-3.1-8B
stage: sft
finetuning_type: full
deepspeed: examples/deepspeed/ds_z3_config.json
cutoff_len: 2048
per_device_train_batch_size: 1
gradient_accumulation_steps: 2
max_steps: 500
bf16: true
"""
ACCELERATE = """compute_environment: LOCAL_MACHINE
distributed_type: FSDP
mixed_precision: bf16
num_processes: 16
fsdp_config:
  fsdp_version: 2
  fsdp_reshard_after_forward: true
  fsdp_activation_checkpointing: true
parallelism_config:
  parallelism_config_dp_shard_size: 8
  parallelism_config_tp_size: 2
"""
TORCHTITAN = """torchrun --nnodes 2 --nproc_per_node=8 -m torchtitan.train --module llama3 --config llama3_8b \\
  --training.local_batch_size 2 --training.global_batch_size 64 --training.seq_len 8192 --training.steps 1000 \\
  --parallelism.tensor_parallel_degree 2 --parallelism.data_parallel_shard_degree 8
"""
BRIDGE = """model:
  num_layers: 32
  hidden_size: 4096
  ffn_hidden_size: 14336
  num_attention_heads: 32
  num_query_groups: 8
  vocab_size: 128256
  tensor_model_parallel_size: 2
  pipeline_model_parallel_size: 2
  virtual_pipeline_model_parallel_size: null
  recompute_granularity: selective
train: {train_iters: 1000, global_batch_size: 128, micro_batch_size: 1}
dataset: {sequence_length: 8192}
ddp: {use_distributed_optimizer: true}
mixed_precision: bf16_with_fp8_current_scaling_mixed
"""
MAXTEXT = """base_config: base.yml
model_name: llama3.1-8b
per_device_batch_size: 2
max_target_length: 8192
steps: 100
remat_policy: full
ici_fsdp_parallelism: 8
dcn_data_parallelism: 2
"""


@pytest.mark.parametrize(
    ("text", "options", "training", "layout"),
    [
        (
            DEEPSPEED,
            {"model": "llama3-8b", "cluster.gpus": "64", "training.tokens": "1B", "training.sequence_length": "2048"},
            {"global_batch": 512},
            {"zero": 3, "micro_batch": 4, "data": 64},
        ),
        (
            AXOLOTL,
            {"cluster.gpus": "8"},
            {"global_batch": 64, "tokens": 64 * 1000 * 8192, "method": "lora", "rank": 32},
            {"zero": 3, "recompute": "full"},
        ),
        (
            LLAMA_FACTORY,
            {"cluster.gpus": "8"},
            {"global_batch": 16, "tokens": 16 * 500 * 2048},
            {"zero": 3, "recompute": "full"},
        ),
        (
            ACCELERATE,
            {
                "model": "llama3-8b",
                "training.tokens": "1B",
                "training.sequence_length": "2048",
                "training.global_batch": "64",
            },
            {"precision": "bf16"},
            {"zero": 3, "tensor": 2, "data": 8, "recompute": "full"},
        ),
        (
            TORCHTITAN,
            {},
            {"global_batch": 64, "tokens": 64 * 1000 * 8192},
            {"zero": 3, "tensor": 2, "micro_batch": 2, "recompute": "selective"},
        ),
        (
            BRIDGE,
            {"cluster.gpus": "64"},
            {"global_batch": 128, "precision": "fp8-cs"},
            {"tensor": 2, "pipeline": 2, "zero": 1, "recompute": "selective"},
        ),
        (MAXTEXT, {}, {"global_batch": 32, "tokens": 32 * 100 * 8192}, {"zero": 3, "data": 16, "recompute": "full"}),
    ],
    ids=["deepspeed", "axolotl", "llama-factory", "accelerate", "torchtitan", "bridge", "maxtext"],
)
def test_configurations_are_runs(
    text: str, options: dict[str, str], training: dict[str, Any], layout: dict[str, Any]
) -> None:
    """Batches, degrees and sharding of each framework's file, with the options for what it cannot say."""
    run = read(text, **options)
    assert {key: run["training"][key] for key in training} == training
    assert {key: run["layout"][key] for key in layout} == layout


ARGUMENTS = """--num-layers 80 --hidden-size 8192 --num-attention-heads 64 --group-query-attention --num-query-groups 8
  --ffn-hidden-size 28672 --swiglu --normalization RMSNorm --untie-embeddings-and-output-weights --disable-bias-linear
--vocab-size 128256 --position-embedding-type rope --seq-length 8192 --micro-batch-size 1 --global-batch-size 1024
--train-iters 1000 --tensor-model-parallel-size 4 --rampup-batch-size 16 16 5859375
"""
WITHIN = """#!/bin/bash
#SBATCH --nodes=8
#SBATCH --gpus-per-node=8
TP=${TP:-4}
srun bash -lc "torchrun --nnodes=$SLURM_NNODES --nproc-per-node=8 pretrain_gpt.py --num-layers=96 --hidden-size=12288 \\
  --num-attention-heads=96 --seq-length=2048 --max-position-embeddings=2048 --vocab-size=51200 --micro-batch-size=1 \\
  --global-batch-size=64 --train-iters=10 --tensor-model-parallel-size=$TP"
"""
TOML = """[model]
name = "llama3"
flavor = "70B"
[training]
local_batch_size = 8
global_batch_size = -1
seq_len = 8192
steps = 1000
[parallelism]
data_parallel_shard_degree = -1
tensor_parallel_degree = 8
[activation_checkpoint]
mode = "full"
"""


def test_lines_without_a_mark_between_them_are_one_list() -> None:
    """Arguments that were pasted over several lines belong together; a batch that ramps up is told."""
    reading = read_launch_file(ARGUMENTS, "launch")
    written, assumed = run_text(reading, "launch", {"cluster.accelerator": "H100-80GB-SXM5", "cluster.gpus": "64"}, ())
    run: dict[str, Any] = dict(parse_document(written, "run", Path()).data)
    assert run["model"] == "llama3-70b"
    assert (run["training"]["global_batch"], run["layout"]["tensor"]) == (1024, 4)
    assert any("full batch" in line for line in assumed)


def test_a_command_in_another_shell_is_read() -> None:
    """What `srun bash -c` starts is the run, with the variables of the script around it."""
    run = read(WITHIN)
    assert run["model"] == "gpt3-175b"
    assert (run["cluster"]["gpus"], run["layout"]["tensor"], run["training"]["global_batch"]) == (64, 4, 64)


TASK = """resources:
  accelerators: H200:8
num_nodes: 4
run: |
  torchrun --nnodes $SKYPILOT_NUM_NODES --nproc_per_node $SKYPILOT_NUM_GPUS_PER_NODE pretrain_gpt.py --num-layers 96 \\
    --hidden-size 12288 --num-attention-heads 96 --seq-length 2048 --max-position-embeddings 2048 --vocab-size 51200 \\
    --micro-batch-size 1 --global-batch-size 64 --train-iters 10 --tensor-model-parallel-size 8
"""


def test_a_skypilot_task_says_which_devices_it_asks_for() -> None:
    """Device and number of a task that somebody wrote are those of the run, unless they are stated otherwise."""
    written, _ = run_text(read_launch_file(TASK, "launch"), "launch", {}, ())
    cluster = dict(parse_document(written, "run", Path()).data)["cluster"]
    assert cluster == {"gpus": 32, "accelerator": "H200-141GB-SXM"}
    assert read(TASK)["cluster"]["accelerator"] == "H100-80GB-SXM5"


def test_torchtitans_toml_is_a_run() -> None:
    """The tables of older releases say what overrides say; a batch per replica becomes that of a step."""
    run = read(TOML, **{"cluster.gpus": "64"})
    assert run["model"] == "llama3-70b"
    assert run["training"]["global_batch"] == 8 * 64 // 8
    assert run["training"]["tokens"] == 64 * 8192 * 1000
    assert (run["layout"]["tensor"], run["layout"]["recompute"], run["layout"]["zero"]) == (8, "full", 3)
    assert (
        read(
            "NGPU=16 ./run_train.sh --training.local_batch_size 2 --training.seq_len 8192 --training.steps 10",
            model="llama3-8b",
        )["training"]["global_batch"]
        == 32
    )


def test_what_is_missing_is_named_with_the_option_that_states_it() -> None:
    """A foreign file without device and number is refused, and both are named."""
    with pytest.raises(InputError) as error:
        run_text(read_launch_file(AXOLOTL, "launch"), "launch", {}, ())
    assert "--on H100-80GB-SXM5" in str(error.value)
    assert "--gpus 64" in str(error.value)


def test_copies_of_sharded_states_are_hybrid_sharding() -> None:
    """Replicas that each shard their own copy state the devices of a copy."""
    run = read(AXOLOTL + "dp_replicate_size: 2\n", **{"cluster.gpus": "16"})
    assert (run["layout"]["data"], run["layout"]["shard"]) == (16, 8)


@pytest.mark.parametrize(
    ("change", "training"),
    [
        ("optimizer: paged_adamw_8bit", {"optimizer": "paged-adamw-8bit"}),
        ("load_in_4bit: true", {"method": "qlora"}),
        ("optimizer: adamw_torch_fused", {"method": "lora"}),
    ],
)
def test_what_saves_memory_is_read(change: str, training: dict[str, Any]) -> None:
    """Optimizers in 8 bit and bases in 4 bit change what a run needs."""
    run = read(f"{AXOLOTL}{change}\n", **{"cluster.gpus": "8"})
    assert {key: run["training"][key] for key in training} == training
    assert ("optimizer" in run["training"]) == ("optimizer" in training)


def test_experts_cut_by_tensor_are_read() -> None:
    """Megatron cuts experts like the rest unless told otherwise."""
    experts = MEGATRON.replace("--bf16", "--bf16 --num-experts 8 --expert-model-parallel-size 8")
    assert read(experts)["layout"]["expert_tensor"] == 8


def test_llama_3_is_found_by_its_shape() -> None:
    """A recipe that spells out a model of the catalog is that model."""
    assert read(BRIDGE, **{"cluster.gpus": "64"})["model"] in {"llama3-8b", "llama3.1-8b"}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['id']\n",
        "base_model: !!python/object/new:os.system [id]\nsequence_len: 1\n",
        "base_model: &a [*a]\n",
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{i}: &b{i} [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" for i in range(2000)),
        "{" * 100_000,
        '{"train_batch_size": ' + "9" * 400 + "}",
        "base_model: ../../../../etc/passwd\nsequence_len: 1\nmicro_batch_size: 1\n",
        "model_name_or_path: /etc/passwd\nfinetuning_type: full\n",
        "just words\n",
        "\0\0\0",
        "Trainer.Config(" + "(" * 5000,
        "per_device_batch_size: x\nmax_target_length: []\n",
        "train_batch_size: yes\nzero_optimization: 3\n",
        "per_device_batch_size: .inf\nmodel_name: llama3-8b\n",
    ],
)
def test_hostile_files_are_refused(text: str) -> None:
    """Tags, bombs, paths and nonsense end with an error for the user, and no file that was not given is read."""
    with pytest.raises(InputError):
        read(text)


def test_the_comment_block_says_what_the_file_cannot() -> None:
    """Keys of the block count where the file has none; where both speak, the file does."""
    text = MEGATRON + "#| cluster: {accelerator: A100-80GB-SXM4, gpus: 8, network: 200 Gb/s}\n"
    reading = read_launch_file(text, "launch")
    assert reading.data["cluster"] == {"accelerator": "A100-80GB-SXM4", "gpus": 1024, "network": "200 Gb/s"}


def test_zero_heads_are_refused() -> None:
    """A count of nothing is an error for the user, not of the program."""
    with pytest.raises(InputError):
        read(MEGATRON.replace("--num-attention-heads 96", "--num-attention-heads 0"))


@pytest.mark.parametrize(
    "block",
    [
        '#| layout: {tensor: "many", pipeline: 0}\n#| cluster: {gpus: "all"}',
        "#| cluster: !!python/name:os.system",
        "#| [",
        "#| model: ../../etc/passwd.json",
    ],
)
def test_hostile_blocks_are_refused(block: str) -> None:
    """A block is read as carefully as a file."""
    with pytest.raises(InputError):
        read(DEEPSPEED_LIKE + block + "\n")


DEEPSPEED_LIKE = "torchrun --nproc-per-node 8 pretrain_gpt.py --num-layers 4 --hidden-size 64 --micro-batch-size 1\n"
