#!/bin/sh
# install.sh BUILD DESTDIR PROGS, called by make install with the paths in
# the environment: programs, manual pages, start-up files, a sample
# configuration (an existing one is kept), and, when DESTDIR is empty, users
# and directories.
set -eu
build=$1 dest=$2 progs=$3
: "$PREFIX" "$SYSCONFDIR" "$LOCALSTATEDIR" "$RUNDIR" "$LIBEXECDIR" "$MANDIR"
here=$(dirname "$0")/..
unit=$PREFIX/lib/systemd/system
umask 022

# put MODE FILE DEST: with the paths filled in
put() {
	sed -e "s#@PREFIX@#$PREFIX#g" -e "s#@SYSCONFDIR@#$SYSCONFDIR#g" \
	    -e "s#@RUNDIR@#$RUNDIR#g" "$here/etc/$2" >"$dest$3.new"
	chmod "$1" "$dest$3.new"
	mv "$dest$3.new" "$dest$3"
}

# whatever is wanted of us, only root can do all of it
if [ -z "$dest" ] && [ "$(id -u)" != 0 ]; then
	echo "make install: must be done by root (or with DESTDIR)" >&2
	exit 1
fi

install -d "$dest$PREFIX/sbin" "$dest$LIBEXECDIR" "$dest$MANDIR/man5" \
    "$dest$MANDIR/man8" "$dest$PREFIX/share/maild" "$dest$SYSCONFDIR/init.d" \
    "$dest$unit"
for p in $progs; do
	case $p in
	maild|mailctl)	install -m 755 "$build/$p" "$dest$PREFIX/sbin/$p" ;;
	*)		install -m 755 "$build/$p" "$dest$LIBEXECDIR/$p" ;;
	esac
done
for page in "$here"/maild/*.[58] "$here"/mailctl/*.[58] \
    "$here"/common/store/*.[58]; do
	install -m 644 "$page" "$dest$MANDIR/man${page##*.}/"
done

install -d -m 755 "$dest$SYSCONFDIR/maild" "$dest$SYSCONFDIR/maild/tls"
install -d -m 700 "$dest$SYSCONFDIR/maild/dkim"
[ -f "$dest$SYSCONFDIR/maild/maild.yaml" ] ||
    install -m 640 "$here/etc/maild.yaml" "$dest$SYSCONFDIR/maild/maild.yaml"
put 644 maild.rc "$PREFIX/share/maild/maild.rc"
put 755 maild.init "$SYSCONFDIR/init.d/maild"
put 644 maild.service "$unit/maild.service"

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
echo "maild is installed; edit $SYSCONFDIR/maild/maild.yaml, then start it:"
if [ -d /run/systemd/system ]; then
	echo "    systemctl enable --now maild"
else
	echo "    $SYSCONFDIR/init.d/maild start"
fi
