"""The command lines that start processes on a node."""

from __future__ import annotations

from planner.launch.job import LaunchJob


def torchrun(job: LaunchJob, program: str) -> list[str]:
    """PyTorch's launcher with a program, as shell lines."""
    return [
        f'exec torchrun --nnodes "$NNODES" --node-rank "$NODE_RANK" --nproc-per-node {job.gpus_per_node} \\',
        f'    --master-addr "$MASTER_ADDR" --master-port "$MASTER_PORT" {program}',
    ]
