#!/bin/sh
# Slurm: hunts in an array of jobs, one shard each, in a folder that all hosts share.
#
#   SEED=7 sbatch workloads/ci/hunt-slurm.sh workloads/smoke.toml
#   bench hunt --merge results/slurm/*        when all have ended
#
#SBATCH --job-name=hunt
#SBATCH --array=1-16
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=08:30:00
set -eu
exec bench hunt "$1" --for 8h --seed "${SEED:-1}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --out "results/slurm/$SLURM_ARRAY_TASK_ID"
