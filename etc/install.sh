#!/bin/sh
# install.sh BUILD DESTDIR PROGS, called by make install with the paths in
# the environment: programs, manual pages, start-up files, a sample
# configuration (an existing one is kept), and, when DESTDIR is empty, users
# and directories.
#
# A maild that runs is not touched: what is there is replaced by rename, never
# written into, and maild has its programs open.  The file "build" says which
# build lies in LIBEXECDIR; while it is missing no maild starts.
set -eu
build=$1 dest=$2 progs=$3
: "$PREFIX" "$SYSCONFDIR" "$LOCALSTATEDIR" "$RUNDIR" "$LIBEXECDIR" "$MANDIR"
here=$(dirname "$0")/..
unit=$PREFIX/lib/systemd/system
umask 022

# file MODE FILE DEST
file() {
	install -m "$1" "$2" "$dest$3.new"
	mv -f "$dest$3.new" "$dest$3"
}

# put MODE FILE DEST: with the paths filled in
put() {
	sed -e "s#@PREFIX@#$PREFIX#g" -e "s#@SYSCONFDIR@#$SYSCONFDIR#g" \
	    -e "s#@RUNDIR@#$RUNDIR#g" "$here/etc/$2" >"$dest$3.new"
	chmod "$1" "$dest$3.new"
	mv -f "$dest$3.new" "$dest$3"
}

# whatever is wanted of us, only root can do all of it
if [ -z "$dest" ] && [ "$(id -u)" != 0 ]; then
	echo "make install: must be done by root (or with DESTDIR)" >&2
	exit 1
fi

install -d "$dest$PREFIX/sbin" "$dest$LIBEXECDIR" "$dest$MANDIR/man5" \
    "$dest$MANDIR/man7" "$dest$MANDIR/man8" "$dest$PREFIX/share/maild" \
    "$dest$SYSCONFDIR/init.d" "$dest$unit"
rm -f "$dest$LIBEXECDIR/build"
for p in $progs; do
	case $p in
	maild|mailctl)	file 755 "$build/$p" "$PREFIX/sbin/$p" ;;
	*)		file 755 "$build/$p" "$LIBEXECDIR/$p" ;;
	esac
done
file 644 "$build/build" "$LIBEXECDIR/build"
for page in "$here"/maild/*.[578] "$here"/mailctl/*.[578] \
    "$here"/queue/*.[578] "$here"/common/store/*.[578]; do
	file 644 "$page" "$MANDIR/man${page##*.}/${page##*/}"
done

install -d -m 755 "$dest$SYSCONFDIR/maild" "$dest$SYSCONFDIR/maild/tls"
install -d -m 700 "$dest$SYSCONFDIR/maild/dkim"
[ -f "$dest$SYSCONFDIR/maild/maild.yaml" ] ||
    install -m 640 "$here/etc/maild.yaml" "$dest$SYSCONFDIR/maild/maild.yaml"
put 644 maild.rc "$PREFIX/share/maild/maild.rc"
put 755 maild.init "$SYSCONFDIR/init.d/maild"
put 644 maild.service "$unit/maild.service"
for conf in filter jail; do
	file 644 "$here/etc/fail2ban-$conf.conf" \
	    "$PREFIX/share/maild/fail2ban-$conf.conf"
done

if [ -n "$dest" ]; then
	echo "users and directories are made when installed without DESTDIR"
	exit 0
fi
sh "$here/etc/users.sh"
install -d -m 755 "$LOCALSTATEDIR/lib/maild"
install -d -m 555 "$LOCALSTATEDIR/lib/maild/empty"
install -d -m 700 -o _mailq -g _mailq "$LOCALSTATEDIR/spool/maild"
install -d -m 750 -o root -g _mailbox "$LOCALSTATEDIR/lib/maild/store"
install -d -m 700 -o _authd -g _authd "$LOCALSTATEDIR/lib/maild/auth"
for dir in in out; do
	install -d -m 700 -o "_report$dir" -g "_report$dir" \
	    "$LOCALSTATEDIR/lib/maild/reports-$dir"
done
install -d -m 750 -o _maillog -g _maillog "$LOCALSTATEDIR/log/maild"

service() {		# service WORDS-OF-SYSTEMCTL WORD-OF-RC
	if [ -d /run/systemd/system ]; then
		echo "    $1 maild"
	else
		echo "    $SYSCONFDIR/init.d/maild $2"
	fi
}
pid=$(cat "$RUNDIR/maild.pid" 2>/dev/null) || pid=
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then
	echo "maild is installed; the one that runs (process $pid) goes on with"
	echo "the programs it was started with.  To change to the new ones:"
	service "systemctl daemon-reload; maild -n && systemctl restart" restart
else
	echo "maild is installed; edit $SYSCONFDIR/maild/maild.yaml, then start it:"
	service "systemctl enable --now" start
fi
