#!/usr/bin/env bash
#SBATCH --job-name=01-pretrain                            # phase.name
#SBATCH --nodes=8                                         # plan.nodes
#SBATCH --gpus-per-node=8                                 # H100-80GB-SXM5 per node
#SBATCH --ntasks-per-node=1                               # one launcher a node
#SBATCH --time=14-00:00:00                                # --job-time
#SBATCH --exclusive                                       # a node is not shared
#SBATCH --mem=0                                           # all of a node's memory
#SBATCH --requeue                                         # starts again when a node fails
#SBATCH --open-mode=append                                # one log for all restarts
#SBATCH --signal=B:USR1@300                               # in time for a checkpoint before the limit
#SBATCH --array=1-7%1                                     # one after another: 70 d and what a slow run takes on top
#SBATCH --partition=long                                  # --queue
# Llama 3 405B, phase pretrain: for DeepSpeed, 0.19.8 in Slurm, sbatch options of 22.05 and later. Written by plan
# 0.2.0.
# The plan: 8 nodes of 8 H100-80GB-SXM5 at nebius eu-north1 gpu-h100-sxm_8gpu-128vcpu-1600gb (6 spot, 2 on demand),
# 929,833 steps of 6 s, 70 d in all.
# Names and rules of DeepSpeed: deepspeed 0.19.8 (PyPI), deepspeed/runtime/config.py (2026-11-29).
# Names and rules of Slurm: Slurm 22.05 sbatch(1), srun(1) (2022-05).
# What this file does not say:
#   - model, data, learning rate and optimizer stand in the training script: its name goes into TRAIN_SCRIPT
#   - recompute is switched on in the training script, with deepspeed.checkpointing or the model's own
#   - partition, account and the type of GPU are your cluster's: give them to sbatch
#   - 929,833 steps of sequences of 4,096 tokens: arguments of the training script
#   - how nodes are bought (spot): Slurm gives what the cluster has
#   - the policy fallback for nodes that go: the job waits for 8 nodes
# For `plan import`:
#| name: "Llama 3 405B, pretrain"
#| model: llama2-7b
#| training:
#|   tokens: 1950001135616
#|   sequence_length: 4096
#| cluster:
#|   accelerator: H100-80GB-SXM5
#|   gpus: 64
#|   network: "400 Gb/s"
#|   price: "$1.75/GPU-h"
set -euo pipefail
NODES=8
RUN_DIRECTORY="${RUN_DIRECTORY:-$PWD}"  # on a file system that all nodes see
DONE="$RUN_DIRECTORY/01-pretrain.done"
WORKER="$RUN_DIRECTORY/01-pretrain.worker.sh"
if [ -e "$DONE" ]; then
    echo "$DONE is there: the phase has ended"
    exit 0
fi
cat > "$WORKER" <<'END_OF_WORKER'
set -euo pipefail
: "${TRAIN_SCRIPT:?set TRAIN_SCRIPT to a training script that calls deepspeed.initialize}"
NNODES="8"  # plan.nodes
NODE_RANK="$SLURM_PROCID"
MASTER_ADDR="${MASTER_ADDR:?}"
MASTER_PORT="${MASTER_PORT:-29500}"
export NNODES NODE_RANK MASTER_ADDR MASTER_PORT
CHECKPOINT_DIR="${CHECKPOINTS:-checkpoints}/01-pretrain"
mkdir -p "$CHECKPOINT_DIR"
CHECKPOINT_DIR="$(cd "$CHECKPOINT_DIR" && pwd)"
export CHECKPOINT_DIR
CONFIG="$CHECKPOINT_DIR/01-pretrain.$NODE_RANK.deepspeed.json"
cat > "$CONFIG" <<'END_OF_CONFIG'
{
  "train_batch_size": 512,
  "train_micro_batch_size_per_gpu": 1,
  "gradient_accumulation_steps": 8,
  "bf16": {
    "enabled": true
  },
  "zero_optimization": {
    "stage": 3,
    "overlap_comm": true
  }
}
END_OF_CONFIG
exec torchrun --nnodes "$NNODES" --node-rank "$NODE_RANK" --nproc-per-node 8 \
    --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT" "$TRAIN_SCRIPT" --deepspeed --deepspeed_config "$CONFIG" "$@"
END_OF_WORKER
# Starts the worker on nodes that answer; spares replace those that do not, and a failed run starts again.
attempts="${ATTEMPTS:-20}"
step=""
stopped=""
stop() { # the time limit is near: the framework writes a checkpoint, the next job of the chain goes on
    stopped=yes
    [ -z "$step" ] || kill -TERM "$step" 2> /dev/null || true
}
trap stop USR1
while [ "$attempts" -gt 0 ] && [ -z "$stopped" ]; do
    attempts=$((attempts - 1))
    mapfile -t sick < <(sinfo --noheader --Node --nodes="$SLURM_JOB_NODELIST" --format=%N \
        --states=down,drained,draining,fail,failing,maint,no_respond | sort -u)
    mapfile -t healthy < <(scontrol show hostnames "$SLURM_JOB_NODELIST" \
        | grep -vxF -f <(printf '%s\n' "${sick[@]:-none is sick}") || true)
    if [ "${#healthy[@]}" -lt "$NODES" ]; then
        echo "${#healthy[@]} nodes answer, $NODES are needed: asking for others" >&2
        scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
        exit 1
    fi
    chosen=("${healthy[@]:0:NODES}")
    export MASTER_ADDR="${chosen[0]}"
    srun --nodes="$NODES" --ntasks="$NODES" --ntasks-per-node=1 --kill-on-bad-exit=1 \
        --nodelist="$(IFS=,; echo "${chosen[*]}")" bash "$WORKER" "$@" &
    step=$!
    code=0
    wait "$step" || code=$?
    while kill -0 "$step" 2> /dev/null; do wait "$step" || code=$?; done
    if [ "$code" -eq 0 ] && [ -z "$stopped" ]; then
        touch "$DONE"
        exit 0
    fi
done
[ -n "$stopped" ] || exit 1
