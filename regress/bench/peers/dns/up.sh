#!/bin/bash
# up.sh: a DNS server with the zone of signed.py, and in front of it the local
# caching resolver that a mail server has, at 127.77.0.53 port 53, where
# resolv.conf can name it.  Makes the pool of messages too.
. "$(dirname "$0")/../common.sh"
BASE=${BASE:-194} AT=127.77.0.53
mkdir -p "$RUN"
chmod 755 "$RUN"
/usr/bin/python3 "$HERE/../../signed.py" "$RUN" "${MESSAGES:-200}" "${SIZE:-1024}"
cat >"$RUN/nsd.conf" <<EOF
server:
    ip-address: 127.0.0.1@${BASE}53
    do-ip6: no
    username: ""
    zonesdir: ""
    zonelistfile: "$RUN/zone.list"
    xfrdfile: "$RUN/xfrd.state"
    pidfile: "$RUN/nsd.pid"
    server-count: 1
    verbosity: 0
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: client.example
    zonefile: "$RUN/zone"
EOF
# What is not of the zone does not exist; nothing is asked of the world.
cat >"$RUN/unbound.conf" <<EOF
server:
    interface: $AT
    access-control: 127.0.0.0/8 allow
    do-ip6: no
    do-not-query-localhost: no
    module-config: "iterator"
    directory: "$RUN"
    chroot: ""
    username: ""
    pidfile: "$RUN/unbound.pid"
    use-syslog: no
    logfile: "$RUN/unbound.log"
    local-zone: "." static
    local-zone: "client.example." transparent
remote-control:
    control-enable: no
stub-zone:
    name: client.example
    stub-addr: 127.0.0.1@${BASE}53
EOF
nsd -c "$RUN/nsd.conf"
wait_port "${BASE}53"
unbound -c "$RUN/unbound.conf"
for i in $(seq 100); do
    (exec 3<>"/dev/tcp/$AT/53") 2>/dev/null && break
    sleep 0.05
done
echo "nameserver $AT" >"$RUN/resolv.conf"
