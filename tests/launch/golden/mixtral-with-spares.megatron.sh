#!/usr/bin/env bash
# Llama 3 405B, phase pretrain: for Megatron-LM, commit d98e8a64 (2026-08-22), arguments of megatron-core 0.19. Written
# by plan VERSION.
# The plan: 16 nodes and 1 spare node of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (16 on
# demand), 929,833 steps of 6 s, 70 d in all.
# Names and rules of Megatron-LM: NVIDIA/Megatron-LM megatron/training/arguments.py, megatron/core/parallel_state.py,
# megatron/core/transformer/transformer_config.py (2026-08-22).
# What this file does not say:
#   - learning rate, its schedule, data and tokenizer are not part of a plan: set LEARNING_RATE, DATA_PATH and
#     TOKENIZER_MODEL, or add arguments behind the script's name
#   - positions are rotary with Megatron's own base unless the model has a learned table: add --rotary-base and
#     --rope-scaling-factor if the model has others
#   - how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that
#   - 1 spare nodes
# For `plan import`:
#| name: "Llama 3 405B, pretrain"
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   network: "400 Gb/s"
#|   price: "$2.95/GPU-h"
set -euo pipefail
: "${MEGATRON_DIR:?set MEGATRON_DIR to a checkout of Megatron-LM}"
: "${DATA_PATH:?set DATA_PATH to the training data}"
: "${TOKENIZER_MODEL:?set TOKENIZER_MODEL to a tokenizer of Hugging Face}"
: "${LEARNING_RATE:?set LEARNING_RATE to the learning rate}"
NNODES="16"  # plan.nodes
NODE_RANK="${NODE_RANK:-0}"
MASTER_ADDR="${MASTER_ADDR:-localhost}"
MASTER_PORT="${MASTER_PORT:-29500}"
export NNODES NODE_RANK MASTER_ADDR MASTER_PORT
CHECKPOINT_DIR="${CHECKPOINTS:-checkpoints}/01-pretrain"
mkdir -p "$CHECKPOINT_DIR"
CHECKPOINT_DIR="$(cd "$CHECKPOINT_DIR" && pwd)"
export CHECKPOINT_DIR
ARGS=(
    --num-layers 56                                               # model.num_hidden_layers
    --hidden-size 6144                                            # model.hidden_size
    --num-attention-heads 48                                      # model.num_attention_heads
    --ffn-hidden-size 16384                                       # model.intermediate_size
    --kv-channels 128                                             # model.head_dim
    --group-query-attention --num-query-groups 8                  # model.num_key_value_heads
    --normalization RMSNorm                                       # model.norm: rmsnorm
    --swiglu                                                      # model.gated_mlp: True
    --untie-embeddings-and-output-weights                         # model.tie_word_embeddings: False
    --disable-bias-linear                                         # model.mlp_bias
    --position-embedding-type rope                                # model.learned_positions
    --max-position-embeddings 65536                               # model.max_position_embeddings
    --vocab-size 32768                                            # model.vocab_size
    --tokenizer-type HuggingFaceTokenizer --tokenizer-model "$TOKENIZER_MODEL"  # yours
    --num-experts 8                                               # model.n_routed_experts
    --moe-router-topk 2                                           # model.num_experts_per_tok
    --moe-ffn-hidden-size 16384                                   # model.moe_intermediate_size
    --moe-grouped-gemm --moe-token-dispatcher-type alltoall       # as the estimate assumes
    --seq-length 8192                                             # phase pretrain.sequence_length
    --global-batch-size 1024                                      # phase pretrain.global_batch
    --micro-batch-size 1                                          # plan.micro_batch
    --train-iters 929833                                          # plan.steps
    --tensor-model-parallel-size 1                                # plan.tensor
    --pipeline-model-parallel-size 1                              # plan.pipeline
    --context-parallel-size 1                                     # plan.context
    --expert-model-parallel-size 8                                # plan.expert
    --expert-tensor-parallel-size 1                               # plan.expert_tensor
    --use-megatron-fsdp --use-distributed-optimizer --data-parallel-sharding-strategy optim_grads --ckpt-format fsdp_dtensor  # plan.zero: 2
    --overlap-grad-reduce                                         # training.software: megatron
    --overlap-param-gather                                        # training.software: megatron
    --bf16                                                        # training.precision: bf16
    --attention-dropout 0 --hidden-dropout 0                      # as the estimate assumes
    --data-path "$DATA_PATH"                                      # yours
    --lr "$LEARNING_RATE"                                         # yours
    --save "$CHECKPOINT_DIR" --load "$CHECKPOINT_DIR"             # yours
    --save-interval 300                                           # plan.checkpoint_interval_seconds
)
cd "$MEGATRON_DIR"
exec torchrun --nnodes "$NNODES" --node-rank "$NODE_RANK" --nproc-per-node 8 \
    --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT" pretrain_gpt.py "${ARGS[@]}" "$@"
