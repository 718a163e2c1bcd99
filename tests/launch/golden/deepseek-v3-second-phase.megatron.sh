#!/usr/bin/env bash
# Llama 3 405B, phase extend 32k: for Megatron-LM, commit d98e8a64 (2026-08-22), arguments of megatron-core 0.19.
# Written by plan VERSION.
# The plan: 252 nodes of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (252 on demand), 929,833
# steps of 6 s, 70 d in all.
# Names and rules of Megatron-LM: NVIDIA/Megatron-LM megatron/training/arguments.py, megatron/core/parallel_state.py,
# megatron/core/transformer/transformer_config.py (2026-08-22).
# What this file does not say:
#   - learning rate, its schedule, data and tokenizer are not part of a plan: set LEARNING_RATE, DATA_PATH and
#     TOKENIZER_MODEL, or add arguments behind the script's name
#   - positions are rotary with Megatron's own base unless the model has a learned table: add --rotary-base and
#     --rope-scaling-factor if the model has others
#   - multi-token prediction, which the plan leaves out: add --mtp-num-layers to train it
#   - which layers have no experts: the plan only counts them; here they are the first
#   - how nodes are bought and replaced: export for a scheduler (slurm, skypilot, trainjob) says that
# For `plan import`:
#| name: "Llama 3 405B, extend 32k"
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   network: "400 Gb/s"
#|   price: "$2.95/GPU-h"
set -euo pipefail
: "${MEGATRON_DIR:?set MEGATRON_DIR to a checkout of Megatron-LM}"
: "${DATA_PATH:?set DATA_PATH to the training data}"
: "${TOKENIZER_MODEL:?set TOKENIZER_MODEL to a tokenizer of Hugging Face}"
: "${LEARNING_RATE:?set LEARNING_RATE to the learning rate}"
NNODES="252"  # plan.nodes
NODE_RANK="${NODE_RANK:-0}"
MASTER_ADDR="${MASTER_ADDR:-localhost}"
MASTER_PORT="${MASTER_PORT:-29500}"
export NNODES NODE_RANK MASTER_ADDR MASTER_PORT
CHECKPOINT_DIR="${CHECKPOINTS:-checkpoints}/02-extend-32k"
mkdir -p "$CHECKPOINT_DIR"
CHECKPOINT_DIR="$(cd "$CHECKPOINT_DIR" && pwd)"
PREVIOUS_CHECKPOINT="${PREVIOUS_CHECKPOINT:-$CHECKPOINT_DIR/../01-pretrain}"
export CHECKPOINT_DIR
ARGS=(
    --num-layers 61                                               # model.num_hidden_layers
    --hidden-size 7168                                            # model.hidden_size
    --num-attention-heads 128                                     # model.num_attention_heads
    --ffn-hidden-size 18432                                       # model.intermediate_size
    --multi-latent-attention                                      # model.kv_lora_rank
    --q-lora-rank 1536                                            # model.q_lora_rank
    --kv-lora-rank 512                                            # model.kv_lora_rank
    --qk-pos-emb-head-dim 64                                      # model.qk_rope_head_dim
    --v-head-dim 128                                              # model.v_head_dim
    --qk-head-dim 128                                             # model.head_dim
    --normalization RMSNorm                                       # model.norm: rmsnorm
    --swiglu                                                      # model.gated_mlp: True
    --untie-embeddings-and-output-weights                         # model.tie_word_embeddings: False
    --disable-bias-linear                                         # model.mlp_bias
    --position-embedding-type rope                                # model.learned_positions
    --max-position-embeddings 163840                              # model.max_position_embeddings
    --vocab-size 129280                                           # model.vocab_size
    --tokenizer-type HuggingFaceTokenizer --tokenizer-model "$TOKENIZER_MODEL"  # yours
    --num-experts 256                                             # model.n_routed_experts
    --moe-router-topk 8                                           # model.num_experts_per_tok
    --moe-ffn-hidden-size 2048                                    # model.moe_intermediate_size
    --moe-router-num-groups 8                                     # model.n_group
    --moe-router-group-topk 4                                     # model.topk_group
    --moe-shared-expert-intermediate-size 2048                    # model.shared_expert_intermediate_size
    --moe-layer-freq '([0]*3+[1]*58)'                             # model.dense_layers
    --moe-router-score-function sigmoid --moe-router-enable-expert-bias  # model.router_bias: True
    --moe-grouped-gemm --moe-token-dispatcher-type alltoall       # as the estimate assumes
    --seq-length 4096                                             # phase extend 32k.sequence_length
    --global-batch-size 15360                                     # phase extend 32k.global_batch
    --micro-batch-size 1                                          # plan.micro_batch
    --train-iters 929833                                          # plan.steps
    --tensor-model-parallel-size 1                                # plan.tensor
    --pipeline-model-parallel-size 21                             # plan.pipeline
    --context-parallel-size 1                                     # plan.context
    --expert-model-parallel-size 32                               # plan.expert
    --expert-tensor-parallel-size 1                               # experts are whole on their device
    --account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split  # plan.pipeline: 61 layers, embedding and loss are dealt to 21 chunks
    --use-distributed-optimizer                                   # plan.zero: 1
    --overlap-grad-reduce                                         # training.software: megatron
    --overlap-param-gather                                        # training.software: megatron
    --recompute-granularity selective                             # plan.recompute_kind: selective
    --bf16 --fp8-format hybrid --fp8-recipe delayed               # training.precision: fp8
    --attention-dropout 0 --hidden-dropout 0                      # as the estimate assumes
    --data-path "$DATA_PATH"                                      # yours
    --lr "$LEARNING_RATE"                                         # yours
    --save "$CHECKPOINT_DIR" --load "$CHECKPOINT_DIR"             # yours
    --pretrained-checkpoint "$PREVIOUS_CHECKPOINT"                # the phase before
    --save-interval 300                                           # plan.checkpoint_interval_seconds
)
export CUDA_DEVICE_MAX_CONNECTIONS=1
cd "$MEGATRON_DIR"
exec torchrun --nnodes "$NNODES" --node-rank "$NODE_RANK" --nproc-per-node 8 \
    --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT" pretrain_gpt.py "${ARGS[@]}" "$@"
