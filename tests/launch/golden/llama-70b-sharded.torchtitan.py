# Llama 3 405B, phase pretrain: for torchtitan, 0.3.0. Written by plan VERSION.
# The plan: 16 nodes of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (16 on demand), 929,833
# steps of 6 s, 70 d in all.
# Names and rules of torchtitan: torchtitan 0.3.0 (PyPI), torchtitan/config/configs.py, torchtitan/trainer.py,
# torchtitan/models (2026-11-29).
# What this file does not say:
#   - learning rate, data and tokenizer are not part of a plan: the module takes torchtitan's own for the model,
#     override them behind the command
#   - how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that
# For `plan import`:
#| name: "Llama 3 405B, pretrain"
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   gpus: 128
#|   network: "400 Gb/s"
#|   price: "$2.95/GPU-h"
#| model: llama3.1-70b
import os

from torchtitan.components.checkpoint import CheckpointManager
from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss
from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig
from torchtitan.distributed.activation_checkpoint import FullAC
from torchtitan.models.common.config_utils import decoder_vocab_size
from torchtitan.models.llama3 import model_registry
from torchtitan.trainer import Trainer


def planned() -> Trainer.Config:
    """The phase pretrain of a plan."""
    model_spec = model_registry("70B")  # problem.model: llama3.1-70b
    return Trainer.Config(
        loss=ChunkedLossWrapper.Config(
            loss_fn=CrossEntropyLoss.Config(global_vocab_size=decoder_vocab_size(model_spec)),
        ),
        hf_assets_path=os.environ["HF_ASSETS_PATH"],
        model_spec=model_spec,
        training=TrainingConfig(
            local_batch_size=2,  # plan.micro_batch
            global_batch_size=512,  # phase.global_batch
            seq_len=8192,  # phase.sequence_length
            steps=929833,  # plan.steps
        ),
        parallelism=ParallelismConfig(
            data_parallel_shard_degree=32,  # plan.data, shard
            data_parallel_replicate_degree=1,  # plan.data, shard
            fsdp_reshard_after_forward="always",  # plan.zero: 3
            tensor_parallel_degree=4,  # plan.tensor
            context_parallel_degree=1,  # plan.context
            expert_parallel_degree=1,  # plan.expert
            pipeline_parallel_degree=1,  # plan.pipeline
        ),
        activation_checkpoint=FullAC.Config(),  # plan.recompute: full
        checkpoint=CheckpointManager.Config(enable=True, interval=300),  # plan.checkpoint_interval_seconds
        compile=CompileConfig(enable=True, components=["model", "loss"]),
    )
