# Llama 3 405B, phase extend 32k: for torchtitan, 0.3.0. Written by plan VERSION.
# The plan: 252 nodes of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (252 on demand), 929,833
# steps of 6 s, 70 d in all.
# Names and rules of torchtitan: torchtitan 0.3.0 (PyPI), torchtitan/config/configs.py, torchtitan/trainer.py,
# torchtitan/models (2026-11-29).
# What this file does not say:
#   - learning rate, data and tokenizer are not part of a plan: the module takes torchtitan's own for the model,
#     override them behind the command
#   - ZeRO 1: torchtitan shards weights and gradients too; kept gathered after the forward pass it is nearest
#   - selective recompute: torchtitan's own choice of operations stands for it
#   - CUDA graphs, which torchtitan refuses with a pipeline
#   - how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that
# For `plan import`:
#| name: "Llama 3 405B, extend 32k"
#| training:
#|   precision: fp8
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   gpus: 2016
#|   network: "400 Gb/s"
#|   price: "$2.95/GPU-h"
#| layout:
#|   zero: 1
import os

from torchtitan.components.checkpoint import CheckpointManager
from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss
from torchtitan.components.quantization import Float8LinearConverter
from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig
from torchtitan.distributed.activation_checkpoint import SelectiveAC
from torchtitan.models.common.config_utils import decoder_vocab_size
from torchtitan.models.deepseek_v3 import model_registry
from torchtitan.trainer import Trainer


def planned() -> Trainer.Config:
    """The phase extend 32k of a plan."""
    model_spec = model_registry(  # problem.model: deepseek-v3
        "671B",
        converters=[Float8LinearConverter.Config(recipe_name="tensorwise", filter_fqns=["lm_head"])],
    )
    return Trainer.Config(
        loss=ChunkedLossWrapper.Config(
            loss_fn=CrossEntropyLoss.Config(global_vocab_size=decoder_vocab_size(model_spec)),
        ),
        hf_assets_path=os.environ["HF_ASSETS_PATH"],
        model_spec=model_spec,
        training=TrainingConfig(
            local_batch_size=160,  # plan.micro_batch, microbatches
            global_batch_size=15360,  # phase.global_batch
            seq_len=4096,  # phase.sequence_length
            steps=929833,  # plan.steps
            disable_cuda_graphs=True,  # refused with a pipeline or experts
        ),
        parallelism=ParallelismConfig(
            data_parallel_shard_degree=96,  # plan.data, shard
            data_parallel_replicate_degree=1,  # plan.data, shard
            fsdp_reshard_after_forward="never",  # plan.zero: 1
            tensor_parallel_degree=1,  # plan.tensor
            context_parallel_degree=1,  # plan.context
            expert_parallel_degree=32,  # plan.expert
            pipeline_parallel_degree=21,  # plan.pipeline
            pipeline_parallel_microbatch_size=1,  # plan.micro_batch
            pipeline_parallel_schedule="1F1B",  # plan.virtual_pipeline
            pipeline_parallel_first_stage_less_layers=1,  # the embedding, where it counts as a layer
            pipeline_parallel_last_stage_less_layers=1,  # the loss, where it counts as a layer
            pipeline_parallel_layers_per_stage=3,  # plan.pipeline, virtual_pipeline
        ),
        activation_checkpoint=SelectiveAC.Config(),  # plan.recompute: selective
        checkpoint=CheckpointManager.Config(enable=True, interval=300),  # plan.checkpoint_interval_seconds
        compile=CompileConfig(enable=True, components=["model", "loss"]),
    )
