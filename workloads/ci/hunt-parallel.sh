#!/bin/sh
# GNU parallel: hunts in several processes, and joins what they found.
#
#   workloads/ci/hunt-parallel.sh SPEC SHARDS FOLDER [OPTIONS OF bench hunt]
#   workloads/ci/hunt-parallel.sh workloads/smoke.toml 4 results/night --for 8h --seed 7
#
# PARALLEL='--sshloginfile hosts --wd .' in the environment spreads the shards over machines that share the folder and have bench in PATH.
# All shards must have the same seed, so one is chosen here if the options name none; the last --seed counts.
set -eu
spec=$1 shards=$2 folder=$3
shift 3
seed=$(date +%s)
case " $* " in *" --seed "*) ;; *) set -- --seed "$seed" "$@" ;; esac
mkdir -p "$folder"
# A shard that found something ends with 1, as a hunt does; what all found decides at the end.
seq "$shards" | parallel --line-buffer --tag --jobs "$shards" \
    bench hunt "$spec" "$@" --shard "{}/$shards" --out "$folder/{}" || true
exec bench hunt --merge "$folder"/*
