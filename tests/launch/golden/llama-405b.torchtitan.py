# Llama 3 405B, phase pretrain: for torchtitan, 0.3.0. Written by plan VERSION.
# The plan: 2,048 nodes of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (2,048 on demand),
# 929,833 steps of 6 s, 70 d in all.
# Names and rules of torchtitan: torchtitan 0.3.0 (PyPI), torchtitan/config/configs.py, torchtitan/trainer.py,
# torchtitan/models (2026-11-29).
# What this file does not say:
#   - learning rate, data and tokenizer are not part of a plan: the module takes torchtitan's own for the model,
#     override them behind the command
#   - ZeRO 1: torchtitan shards weights and gradients too; kept gathered after the forward pass it is nearest
#   - CUDA graphs, which torchtitan refuses with a pipeline
#   - how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that
# For `plan import`:
#| name: "Llama 3 405B, pretrain"
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   gpus: 16384
#|   network: "400 Gb/s"
#|   price: "$2.95/GPU-h"
#| layout:
#|   zero: 1
import os

from torchtitan.components.checkpoint import CheckpointManager
from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss
from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig
from torchtitan.models.common.config_utils import decoder_vocab_size
from torchtitan.models.llama3 import model_registry
from torchtitan.trainer import Trainer


def planned() -> Trainer.Config:
    """The phase pretrain of a plan."""
    model_spec = model_registry("405B")  # problem.model: llama3.1-405b
    return Trainer.Config(
        loss=ChunkedLossWrapper.Config(
            loss_fn=CrossEntropyLoss.Config(global_vocab_size=decoder_vocab_size(model_spec)),
        ),
        hf_assets_path=os.environ["HF_ASSETS_PATH"],
        model_spec=model_spec,
        training=TrainingConfig(
            local_batch_size=16,  # plan.micro_batch, microbatches
            global_batch_size=2048,  # phase.global_batch
            seq_len=8192,  # phase.sequence_length
            steps=929833,  # plan.steps
            disable_cuda_graphs=True,  # refused with a pipeline or experts
        ),
        parallelism=ParallelismConfig(
            data_parallel_shard_degree=128,  # plan.data, shard
            data_parallel_replicate_degree=1,  # plan.data, shard
            fsdp_reshard_after_forward="never",  # plan.zero: 1
            tensor_parallel_degree=8,  # plan.tensor
            context_parallel_degree=1,  # plan.context
            expert_parallel_degree=1,  # plan.expert
            pipeline_parallel_degree=16,  # plan.pipeline
            pipeline_parallel_microbatch_size=1,  # plan.micro_batch
            pipeline_parallel_schedule="Interleaved1F1B",  # plan.virtual_pipeline
            pipeline_parallel_first_stage_less_layers=1,  # the embedding, where it counts as a layer
            pipeline_parallel_last_stage_less_layers=1,  # the loss, where it counts as a layer
            pipeline_parallel_layers_per_stage=1,  # plan.pipeline, virtual_pipeline
        ),
        activation_checkpoint=None,  # plan.recompute: none
        checkpoint=CheckpointManager.Config(enable=True, interval=300),  # plan.checkpoint_interval_seconds
        compile=CompileConfig(enable=True, components=["model", "loss"]),
    )
