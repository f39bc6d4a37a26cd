#!/bin/sh
# uninstall.sh DESTDIR PROGS, called by make uninstall with the paths in the
# environment: removes what install.sh put there but for the configuration.
# Mail, configuration, keys, logs and users stay; what removes them is said.
set -eu
dest=$1 progs=$2
: "$PREFIX" "$SYSCONFDIR" "$LOCALSTATEDIR" "$RUNDIR" "$LIBEXECDIR" "$MANDIR"
here=$(dirname "$0")/..

if [ -z "$dest" ] && [ "$(id -u)" != 0 ]; then
	echo "make uninstall: must be done by root (or with DESTDIR)" >&2
	exit 1
fi
pid=$([ -n "$dest" ] || cat "$RUNDIR/maild.pid" 2>/dev/null) || pid=
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
	echo "maild runs (process $pid); first: service maild stop" >&2
	exit 1
fi

for p in $progs; do
	case $p in
	maild|mailctl)	rm -f "$dest$PREFIX/sbin/$p" ;;
	*)		rm -f "$dest$LIBEXECDIR/$p" ;;
	esac
done
rm -f "$dest$LIBEXECDIR/build"
for page in "$here"/maild/*.[578] "$here"/mailctl/*.[578] \
    "$here"/queue/*.[578] "$here"/common/store/*.[578]; do
	rm -f "$dest$MANDIR/man${page##*.}/${page##*/}"
done
rm -f "$dest$PREFIX/share/maild/maild.rc" \
    "$dest$PREFIX/share/maild"/fail2ban-*.conf \
    "$dest$PREFIX/lib/systemd/system/maild.service" \
    "$dest$SYSCONFDIR/init.d/maild"
rmdir "$dest$LIBEXECDIR" "$dest$PREFIX/share/maild" 2>/dev/null || :

echo "the programs are removed.  These stay, with everybody's mail:"
echo "    $SYSCONFDIR/maild $LOCALSTATEDIR/lib/maild" \
    "$LOCALSTATEDIR/spool/maild $LOCALSTATEDIR/log/maild"
echo "maild-backup(7) tells how to remove them, and the users"
