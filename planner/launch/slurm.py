"""A phase as a Slurm batch script: chains for wall-time limits, spare nodes, restarts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from math import ceil
from typing import Final

from planner.catalog.launch_targets import Target
from planner.launch.job import LaunchJob
from planner.launch.options import Options
from planner.launch.worker import Rendezvous, job_name
from planner.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE, format_duration

RENDEZVOUS: Final = Rendezvous("", "$SLURM_PROCID", "${MASTER_ADDR:?}")
"""One task a node, counted from 0; the batch script says where they meet."""
WARNING_SECONDS: Final = 300
"""Before a time limit, in which a checkpoint can be written."""
END_OF_WORKER: Final = "END_OF_WORKER"
LINE: Final = 56


def refusals(_: LaunchJob, __: Target, options: Options) -> Iterator[str]:
    """What Slurm would refuse, or never start."""
    if options.job_time is not None and options.job_time <= 2 * WARNING_SECONDS:
        yield f"a job of {format_duration(options.job_time)} ends before it has written a checkpoint"


def not_expressed(job: LaunchJob) -> Iterator[str]:
    """What the script does not say."""
    if kinds := sorted({one.kind for one in job.bought} - {"on_demand"}):
        yield f"how nodes are bought ({', '.join(kinds)}): Slurm gives what the cluster has"
    if job.policy in {"fallback", "elastic"}:
        yield f"the policy {job.policy} for nodes that go: the job waits for {job.nodes:,} nodes"


def text(job: LaunchJob, header: list[str], worker: list[str], options: Options) -> str:
    """The script."""
    lines = [
        "#!/usr/bin/env bash",
        *(f"{line}  # {source}" for line, source in _directives(job, options)),
        *header,
        "set -euo pipefail",
        f"NODES={job.nodes}",
        'RUN_DIRECTORY="${RUN_DIRECTORY:-$PWD}"  # on a file system that all nodes see',
        f'DONE="$RUN_DIRECTORY/{job_name(job)}.done"',
        f'WORKER="$RUN_DIRECTORY/{job_name(job)}.worker.sh"',
        'if [ -e "$DONE" ]; then',
        '    echo "$DONE is there: the phase has ended"',
        "    exit 0",
        "fi",
        f"cat > \"$WORKER\" <<'{END_OF_WORKER}'",
        *worker,
        END_OF_WORKER,
        *_START,
    ]
    return "\n".join(lines) + "\n"


def chain(job: LaunchJob, options: Options) -> tuple[float, int]:
    """Seconds of one job, and how many follow each other until the phase has ended even if it is slow."""
    whole = job.wall_seconds * job.slowest_factor
    limit = options.job_time
    if limit is None or whole + WARNING_SECONDS <= limit:
        return whole + WARNING_SECONDS, 1
    return limit, ceil(whole / (limit - 2 * WARNING_SECONDS))


def _directives(job: LaunchJob, options: Options) -> Iterator[tuple[str, str]]:
    """The lines for sbatch, each with its source."""
    seconds, jobs = chain(job, options)
    spares = f" + {job.spare_nodes} spares" if job.spare_nodes else ""
    slowest = f"{format_duration(job.wall_seconds)} and what a slow run takes on top"
    lines = [
        (f"--job-name={job_name(job)}", "phase.name"),
        (f"--nodes={job.nodes + job.spare_nodes}", f"plan.nodes{spares}"),
        (f"--gpus-per-node={job.gpus_per_node}", f"{job.accelerator.name} per node"),
        ("--ntasks-per-node=1", "one launcher a node"),
        (f"--time={slurm_time(seconds)}", f"plan.wall_seconds: {slowest}" if jobs == 1 else "--job-time"),
        ("--exclusive", "a node is not shared"),
        ("--mem=0", "all of a node's memory"),
        ("--requeue", "starts again when a node fails"),
        ("--no-kill", "spare nodes take over") if job.spare_nodes else ("", ""),
        ("--open-mode=append", "one log for all restarts"),
        (f"--signal=B:USR1@{WARNING_SECONDS}", "in time for a checkpoint before the limit"),
        (f"--array=1-{jobs}%1", f"one after another: {slowest}") if jobs > 1 else ("", ""),
        (f"--partition={shlex.quote(options.queue)}", "--queue") if options.queue else ("", ""),
    ]
    for option, source in lines:
        if option:
            yield f"#SBATCH {option}".ljust(LINE), source


def slurm_time(seconds: float) -> str:
    """A time limit as Slurm writes it, rounded up to minutes: days-hours:minutes:seconds."""
    minutes = ceil(seconds / SECONDS_PER_MINUTE)
    days, rest = divmod(minutes, int(SECONDS_PER_DAY // SECONDS_PER_MINUTE))
    hours, minutes = divmod(rest, int(SECONDS_PER_HOUR // SECONDS_PER_MINUTE))
    return f"{days}-{hours:02d}:{minutes:02d}:00"


_START: Final = r"""
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
""".strip().splitlines()
