#!/bin/bash
# up.sh: Postfix that judges its mail as Debian documents it: SPF by
# policyd-spf (a policy service under spawn), DKIM and DMARC by opendkim and
# opendmarc (milters, in that order); Maildirs by virtual(8).  What names a
# resolver by /etc/resolv.conf finds the one of ../dns there: all of it runs
# in a mount namespace of its own.
. "$(dirname "$0")/../common.sh"
BASE=${BASE:-197} SINK=${SINK:-19999}
DNS=$LAB/perf/run/dns
prepare
rm -rf "$RUN/spool" "$RUN/dmarc/history"  # start empty
mkdir -p "$RUN/spool" "$RUN/data" "$RUN/etc" "$RUN/dkim" "$RUN/dmarc"
chown postfix "$RUN/data"
chown opendkim "$RUN/dkim"
chown opendmarc "$RUN/dmarc"
for f in main.cf master.cf; do
    fill "$HERE/../postfix/$f.in" "$RUN/etc/$f"
    fill "$HERE/$f.in" "$RUN/more"
    cat "$RUN/more" >>"$RUN/etc/$f"
done
for f in opendkim.conf opendmarc.conf policyd-spf.conf; do
    fill "$HERE/$f.in" "$RUN/etc/$f"
done
sed -i "/^mynetworks/d; s#@TRANSPORT@#virtual#; s#@SINK@#$SINK#; s#@SASL@#no#; s#@AUTH@#none#" "$RUN/etc/main.cf"
sed 's#:.*##; s#.*#&@bench.test &/Maildir/#' "$RUN/users" >"$RUN/etc/mailboxes"
# who is not checked: nobody that sends here
echo 192.0.2.255 >"$RUN/etc/internal"
postmap -c "$RUN/etc" "hash:$RUN/etc/mailboxes"
cp "${DYNMAPS:-/etc/postfix}/dynamicmaps.cf" /usr/share/postfix/*.cf.dist "$RUN/etc/" 2>/dev/null || true
unshare -m bash -eu >"$RUN/start.log" 2>&1 <<EOF
mount --bind "$DNS/resolv.conf" /etc/resolv.conf
opendkim -x "$RUN/etc/opendkim.conf"
opendmarc -c "$RUN/etc/opendmarc.conf"
postfix -c "$RUN/etc" start
EOF
wait_port "${BASE}25"
cat >"$RUN/env" <<EOF
{"peer": "postfix-milters", "smtp": ${BASE}25, "mail": "$RUN/mail", "run": "$RUN", "format": "maildir",
 "pids": [$(tr -d ' ' <"$RUN/spool/pid/master.pid"), $(cat "$RUN/dkim/pid"), $(cat "$RUN/dmarc/pid")]}
EOF
cat "$RUN/env"
