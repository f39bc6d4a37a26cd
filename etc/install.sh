#!/bin/sh
# install.sh BUILD DESTDIR PREFIX SYSCONFDIR LOCALSTATEDIR LIBEXECDIR MANDIR PROGS
# Called by make install: programs, manual pages, start-up files, a sample
# configuration (an existing one is kept), users and directories.
set -eu
build=$1 dest=$2 prefix=$3 sysconf=$4 state=$5 libexec=$6 man=$7 progs=$8
here=$(dirname "$0")/..

install -d "$dest$prefix/sbin" "$dest$libexec" "$dest$man/man5" "$dest$man/man8"
for p in $progs; do
	case $p in
	maild|mailctl)	install -m 755 "$build/$p" "$dest$prefix/sbin/$p" ;;
	*)		install -m 755 "$build/$p" "$dest$libexec/$p" ;;
	esac
done
find "$here" -path "$build" -prune -o -name '*.[58]' -type f -print |
while read -r page; do
	install -m 644 "$page" "$dest$man/man${page##*.}/"
done

install -d -m 755 "$dest$sysconf/maild"
install -d -m 700 "$dest$sysconf/maild/tls" "$dest$sysconf/maild/dkim"
[ -f "$dest$sysconf/maild/maild.yaml" ] ||
    install -m 640 "$here/etc/maild.yaml" "$dest$sysconf/maild/maild.yaml"
install -d "$dest$sysconf/init.d" "$dest$prefix/lib/systemd/system"
sed "s#@PREFIX@#$prefix#g" "$here/etc/maild.init" >"$dest$sysconf/init.d/maild"
chmod 755 "$dest$sysconf/init.d/maild"
sed "s#@PREFIX@#$prefix#g" "$here/etc/maild.service" \
    >"$dest$prefix/lib/systemd/system/maild.service"
install -d "$dest$prefix/share/maild"
sed "s#@PREFIX@#$prefix#g" "$here/etc/maild.rc" >"$dest$prefix/share/maild/maild.rc"

if [ -n "$dest" ]; then
	echo "users and directories are made when installed without DESTDIR"
	exit 0
fi
sh "$here/etc/users.sh"
install -d -m 755 "$state/lib/maild"
install -d -m 555 "$state/lib/maild/empty"
install -d -m 700 -o _mailq -g _mailq "$state/spool/maild"
install -d -m 750 -o root -g _mailbox "$state/lib/maild/store"
install -d -m 700 -o _authd -g _authd "$state/lib/maild/auth"
install -d -m 750 -o _maillog -g _maillog "$state/log/maild"
echo "maild is installed; edit $sysconf/maild/maild.yaml, then start it:"
echo "    systemctl enable --now maild      or      $sysconf/init.d/maild start"
