#!/usr/bin/env bash
# Checks exported scripts with shellcheck and with sbatch --test-only against a controller of its own, which has 2,100
# nodes in a cloud that never start. Usage, as root: check_slurm.sh FOLDER FILE…; needs slurmctld, sbatch, munge and
# shellcheck. Prints one JSON line a file.
set -euo pipefail
folder=$(realpath "$1")
shift
mkdir -p "$folder/state" /run/munge
[ -s /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 2> /dev/null; }
chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
chmod 400 /etc/munge/munge.key
runuser -u munge -- munged --force > /dev/null 2>&1 || true
cat > "$folder/slurm.conf" <<CONF
ClusterName=check
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
EnforcePartLimits=ALL
MaxArraySize=10001
GresTypes=gpu
ResumeProgram=/bin/true
SuspendProgram=/bin/true
NodeName=n[1-2100] CPUs=96 RealMemory=1000000 Gres=gpu:8 State=CLOUD
PartitionName=all Nodes=ALL Default=YES MaxTime=14-00:00:00 State=UP
PartitionName=long Nodes=ALL MaxTime=14-00:00:00 State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
slurmctld -c -f "$SLURM_CONF"
trap 'kill "$(cat "$folder/slurmctld.pid")"' EXIT
for _ in $(seq 50); do
    scontrol ping 2> /dev/null | grep -q UP && break
    sleep 0.2
done
for file in "$@"; do
    code=0
    said=$({ shellcheck "$file" && sbatch --test-only "$file"; } 2>&1) || code=$?
    word=accepted
    [ "$code" -eq 0 ] || word=refused
    printf '{"file": "%s", "%s": "%s"}\n' "$(basename "$file")" "$word" "$(printf %s "$said" | tr '\n"\\' '   ' | cut -c1-300)"
done
