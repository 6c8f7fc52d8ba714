#!/usr/bin/env bash
# Slurm on this machine alone, as root, for tests/corpus/test_engine.py (Debian: apt-get install slurm-wlm munge):
#
#   tests/corpus/slurm_on_one_node.sh start FOLDER     controller, node, and a munge daemon with a key of its own
#   SLURM_CONF=FOLDER/slurm.conf .venv/bin/python -m pytest tests/corpus/test_engine.py -k slurm
#   tests/corpus/slurm_on_one_node.sh stop FOLDER
set -euo pipefail
command=$1 folder=$(realpath -m "$2") node=$(hostname -s)
case $command in
start)
    mkdir -p "$folder"/{controller,node}
    chmod 755 "$folder"
    cat > "$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=3
MinJobAge=10
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/controller
SlurmdSpoolDir=$folder/node
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=cpu Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
    (umask 077 && head -c 128 /dev/urandom > "$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
    export SLURM_CONF=$folder/slurm.conf
    slurmctld -c
    slurmd -N "$node"
    for _ in $(seq 50); do
        sinfo --noheader --states=idle 2> /dev/null | grep -q . && break
        sleep 0.2
    done
    sinfo
    ;;
stop)
    for daemon in slurmd slurmctld munged; do
        [ ! -f "$folder/$daemon.pid" ] || kill "$(cat "$folder/$daemon.pid")" || true
    done
    ;;
*)
    echo "expected start or stop" >&2
    exit 2
    ;;
esac
