#!/usr/bin/env bash
# The peak memory of runs of 60 seconds with five faults: takes the spec of a system in its sound variant, replaces its faults, runs it,
# reads the peak resident memory (VmHWM) of all its processes every 0.2 s, and prints a row for each system.
#   workloads/known/memory.sh BENCH OUT [SYSTEM...]     from the root of the repository, as root; results go to OUT/SYSTEM
# The programs must be there as the heads of the specs say.
set -uo pipefail
bench=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
shift 2
systems=("$@")
[ ${#systems[@]} -gt 0 ] || systems=(etcd etcd-3.5.1 redis-sentinel redis-cluster redis-queue nats postgres postgres-standby mariadb
    zookeeper rabbitmq sqlite pysyncobj dqlite openraft)

# The spec and variant of a system, and its five faults: kind, target, and length. Of each it is what the system promises to survive.
choose() {
    helper=none         # the name of the clients' programs, which count neither as bench nor as system
    alone=("kill n1 2s" "pause n1 2s" "stop n1 2s" "slow n1 4s" "power-loss n1 500ms")
    leader=("kill leader 2s" "pause leader 2s" "partition leader 3s" "delay - 4s")
    case $1 in
    etcd) run=(workloads/etcd.toml --set cluster.disk=memory) faults=("${leader[@]}" "power-loss all 500ms") ;;
    etcd-3.5.1) # A kill loses data.
        run=(workloads/known/etcd-3.5.1.toml --set check.linearizable=true)
        faults=("pause leader 2s" "partition leader 3s" "delay - 4s" "flaky - 4s" "slow leader 4s")
        ;;
    redis-sentinel) # A fail-over loses data, so nothing hits the primary.
        run=(workloads/known/redis-sentinel.toml --set 'check.sometimes=[]')
        faults=("kill n2 2s" "pause n2 2s" "partition n2 3s" "delay - 4s" "kill n3 2s")
        ;;
    redis-cluster) # The primary is back before a fail-over.
        run=(workloads/known/redis-cluster.toml --only back-in-time)
        faults=("kill n1 300ms" "pause n1 500ms" "partition n1 500ms" "delay - 4s" "kill n1 300ms")
        ;;
    redis-queue) # A dequeue that gets no answer may have taken an element, so the timeout is longer than the pause.
        run=(workloads/known/redis-queue.toml --only always --set load.timeout=5s) faults=("${alone[@]}")
        ;;
    nats)
        run=(workloads/nats.toml --only always)
        faults=("kill n1 2s" "pause n2 2s" "partition n3 3s" "delay - 4s" "power-loss all 500ms")
        ;;
    postgres) run=(workloads/known/postgres.toml --only fsync-on) faults=("${alone[@]}") ;;
    postgres-standby)
        run=(workloads/known/postgres-standby.toml --only alone --set cluster.disk=memory) faults=("${alone[@]}")
        ;;
    mariadb)
        run=(workloads/known/mariadb.toml --only serializable --set cluster.disk=memory) faults=("${alone[@]}")
        ;;
    zookeeper) # A sync asks no majority, so nothing hits the leader, n3, before all restart.
        helper=python3 run=(workloads/known/zookeeper.toml --only sync)
        faults=("kill n1 2s" "pause n1 2s" "partition n1 3s" "delay - 4s" "restart-all - 500ms")
        ;;
    rabbitmq)
        helper=python3 run=(workloads/known/rabbitmq.toml --only persistent --set load.timeout=5s)
        faults=("kill n1 2s" "pause n1 2s" "stop n1 2s" "slow n1 4s" "kill n1 500ms")
        ;;
    sqlite) run=(workloads/known/sqlite.toml --only wal-full) faults=("${alone[@]}") ;;
    pysyncobj) run=(workloads/known/pysyncobj.toml --only after) faults=("${leader[@]}" "restart-all - 500ms") ;;
    dqlite) # n1 leads at first.
        run=(workloads/known/dqlite.toml)
        faults=("kill n3 2s" "pause n3 2s" "partition n3 3s" "delay - 4s" "kill n1 2s")
        ;;
    openraft) # It keeps all in memory, which a kill loses.
        run=(workloads/known/openraft.toml --only linearizable)
        faults=("pause leader 2s" "partition leader 3s" "delay - 4s" "flaky - 4s" "slow leader 4s")
        ;;
    *) echo "there is no $1" >&2 && return 1 ;;
    esac
}

# The spec without its faults and without what is known of it, and with the five faults.
derive() {
    awk '/^\[\[?[a-z.-]+\]\]?$/ { drop = /^\[\[fault\]\]$/ || /^\[known/ } !drop' "$1"
    at=4
    for fault in "${faults[@]}"; do
        read -r kind target length <<<"$fault"
        printf '\n[[fault]]\nkind = "%s"\nat = "%ss"\nfor = "%s"\n' "$kind" $at "$length"
        [ "$target" = - ] || printf 'target = "%s"\n' "$target"
        [ "$kind" = delay ] && printf 'delay = "20ms"\n'
        [ "$kind" = flaky ] && printf 'loss = "3%%"\n'
        at=$((at + 12))
    done
}

# A process and its descendants: the largest peak of one process of the bench, the largest sum of the peaks of those that live at the
# same time, and that sum of the tested system, in MB. The bench starts itself again within the lab, and is named exe there.
# A process counts from the second time it is seen: before, it may be a fork of another.
peaks() {
    awk -v root="$1" -v helper="$2" '
        /^Name:/ { name = $2 }
        /^Pid:/ { pid = $2 }
        /^PPid:/ { names[pid] = name; parent[pid] = $2; now[pid] = 0 }
        /^VmHWM:/ { now[pid] = $2 }
        /^end/ {
            ours[root] = 1
            do {
                more = 0
                for (pid in now) if (!(pid in ours) && parent[pid] in ours) { ours[pid] = 1; more = 1 }
            } while (more)
            all = system_all = 0
            for (pid in now) if (pid in ours && seen[pid]++) {
                if (names[pid] !~ /^(bench|exe)$/) { if (names[pid] != helper) system_all += now[pid]; continue }
                if (now[pid] > largest) largest = now[pid]
                all += now[pid]
            }
            if (all > most) most = all
            if (system_all > system_most) system_most = system_all
            delete now
        }
        END { printf "%.0f | %.0f | %.0f", largest / 1024, most / 1024, system_most / 1024 }'
}

printf '| system | largest process of bench | all of bench | the system | verdict |\n|---|---|---|---|---|\n'
for system in "${systems[@]}"; do
    choose "$system" || continue
    derive "${run[0]}" >"$out/$system.toml"
    "$bench" run "$out/$system.toml" "${run[@]:1}" --set load.duration=60s --set load.recovery=10s --seed 1 --out "$out/$system" \
        >"$out/$system.log" 2>&1 &
    id=$!
    while kill -0 $id 2>/dev/null; do
        grep -hsE '^(Name|Pid|PPid|VmHWM):' /proc/[0-9]*/status
        echo end
        sleep 0.2
    done >"$out/$system.samples"
    wait $id
    code=$?
    words=([0]=valid [1]=invalid [3]=unknown)
    printf '| %s | %s | %s |\n' "$system" "$(peaks $id "$helper" <"$out/$system.samples")" \
        "${words[$code]:-exit code $code: $(head -1 "$out/$system.log")}"
done
