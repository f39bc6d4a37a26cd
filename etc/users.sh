#!/bin/sh
# Make the users of maild, one for each role, where they are missing: those
# that the list of processes has.  No role has a shell, a home or a password.
# With -n it only prints their names.
set -eu
list=$(dirname "$0")/../common/msg/roles.h
users=$(sed -n 's/^	P(.*, "\(_[a-z]*\)",.*/\1/p' "$list" | sort -u)
[ -n "$users" ] || { echo "$list: no users" >&2; exit 1; }
[ "${1-}" != -n ] || { echo "$users"; exit 0; }
for u in $users; do
	getent group "$u" >/dev/null || groupadd --system "$u"
	getent passwd "$u" >/dev/null || useradd --system --gid "$u" \
	    --home-dir /nonexistent --no-create-home \
	    --shell /usr/sbin/nologin --comment "maild $u" "$u"
done
