#!/bin/sh
# A node of a Galera cluster, of which the first makes the cluster, once: galera.sh NUMBER IP CLIENT GROUP IST SST DATA IP:GROUP,…
# GALERA is the folder into which the packages were unpacked.
number=$1 ip=$2 client=$3 group=$4 ist=$5 sst=$6 data=$7 members=$8
export PATH="$GALERA/usr/bin:$GALERA/usr/sbin:$PATH"
export LD_LIBRARY_PATH="$GALERA/usr/lib/x86_64-linux-gnu:$GALERA/lib/x86_64-linux-gnu"
new=
if [ "$number" = 1 ] && [ ! -e "$data/grastate.dat" ]; then new=--wsrep-new-cluster; fi
timeouts="evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.install_timeout=PT4S;evs.keepalive_period=PT0.5S"
addresses="base_host=$ip;base_port=$group;gmcast.listen_addr=tcp://$ip:$group;ist.recv_addr=$ip:$ist"
exec mariadbd --no-defaults --user=root --skip-grant-tables --skip-name-resolve --max-connect-errors=1000000000 \
    --datadir="$data" --socket="/tmp/galera-$ip-$$.sock" --pid-file="$data/pid" --bind-address="$ip" --port="$client" \
    --basedir="$GALERA/usr" --lc-messages-dir="$GALERA/usr/share/mysql" --default-storage-engine=innodb \
    --binlog-format=row --innodb-autoinc-lock-mode=2 --innodb-flush-log-at-trx-commit=1 --innodb-lock-wait-timeout=1 \
    --innodb-log-file-size=8M --innodb-buffer-pool-size=32M --innodb-use-native-aio=0 \
    --wsrep-on=ON --wsrep-provider="$GALERA/usr/lib/galera/libgalera_smm.so" --wsrep-cluster-name=bench \
    --wsrep-cluster-address="gcomm://$members" --wsrep-node-address="$ip" --wsrep-node-name="n$number" \
    --wsrep-sst-method=rsync --wsrep-sst-receive-address="$ip:$sst" \
    --wsrep-provider-options="$addresses;gcache.size=32M;evs.inactive_check_period=PT0.3S;$timeouts" $new
