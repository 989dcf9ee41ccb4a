# Three machines for a test: an sshd in a network namespace each, on a bridge, and then a script beside them.
#   machines.sh FOLDER SCRIPT
# It runs in network, mount and process namespaces of its own, so that nothing outlives it.
set -e
export folder=$1
ip=$(command -v ip)
mount -t tmpfs none /run
mkdir -p /run/sshd "$folder/tmp"
if ! grep -q '^sshd:' /etc/passwd; then
    { cat /etc/passwd; echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin'; } >"$folder/passwd"
    mount --bind "$folder/passwd" /etc/passwd
fi
ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
chmod 600 "$folder/host_key" "$folder/key"
cat >"$folder/sshd_config" <<END
HostKey $folder/host_key
AuthorizedKeysFile $folder/key.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
PidFile none
SetEnv "PATH=$PATH" "LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "XTABLES_LIBDIR=$XTABLES_LIBDIR" "TMPDIR=$folder/tmp"
END
"$ip" link set lo up
"$ip" link add machines type bridge
"$ip" addr add 10.77.0.254/24 dev machines
"$ip" link set machines up
: >"$folder/ssh_config"
for number in 1 2 3; do
    unshare --net sleep 100000 &
    eval "m$number=$!"
    while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
    "$ip" link add "to$number" type veth peer name eth0 netns $!
    "$ip" link set "to$number" master machines up
    nsenter --net --target $! "$ip" addr add "10.77.0.$number/24" dev eth0
    nsenter --net --target $! "$ip" link set eth0 up
    nsenter --net --target $! "$ip" link set lo up
    nsenter --net --target $! "$(command -v sshd)" -D -f "$folder/sshd_config" -E "$folder/sshd$number.log" &
    eval "sshd$number=$!"
    cat >>"$folder/ssh_config" <<END
Host m$number
    HostName 10.77.0.$number
END
done
cat >>"$folder/ssh_config" <<END
Host *
    User root
    IdentityFile $folder/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
# The addresses are in use at once, but a port of sshd may take a moment.
for number in 1 2 3; do
    tries=0
    until ssh -F "$folder/ssh_config" "m$number" true 2>"$folder/ssh.err"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { cat "$folder/ssh.err" "$folder/sshd$number.log"; exit 99; }
        sleep 0.1
    done
done
# What is left on the machines: folders, rules and processes of an agent or a node.
left() {
    for at in "$folder"/tmp/*; do [ -e "$at" ] && echo "folder $at"; done
    for machine in $m1 $m2 $m3; do
        nsenter --net --target "$machine" nft list tables 2>/dev/null | grep bench- | sed 's/^/rules: /'
        nsenter --net --target "$machine" iptables -S 2>/dev/null | grep bench- | sed 's/^/rules: /'
    done
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe") in
            "$folder"/tmp/*) echo "process: $(tr '\0' ' ' 2>/dev/null <"$process/cmdline")" ;;
        esac
    done
    return 0
}
# Starts a run of spec.toml in the background, and waits until all its faults are in force.
begin() {
    "$BENCH" run spec.toml --seed 7 --out "$1" >said 2>&1 &
    running=$!
    until [ "$(grep -c '"event":"start"' "$1/main/history.jsonl" 2>/dev/null || true)" -ge "$2" ]; do
        kill -0 "$running" 2>/dev/null || { cat said; echo "the run ended too early"; return 1; }
        sleep 0.05
    done
}
# Waits until nothing is left, at most ten seconds.
healed() {
    tries=0
    while [ -n "$(left)" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { left; echo "not healed"; return 1; }
        sleep 0.1
    done
    echo healed
}
# The processes on the machine of this process that play a part of the agent.
playing() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/net")" = "$(readlink "/proc/$1/ns/net")" ] || continue
        if grep -qz "^BENCH_LAB=$2\$" "$process/environ" 2>/dev/null; then echo "${process#/proc/}"; fi
    done
}
set +e
cd "$folder" || exit 99
. "$2"
