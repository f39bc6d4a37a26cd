#!/bin/sh
# Make the users of maild, one for each role, where they are missing.
# No role has a shell, a home or a password.
set -eu
for u in _smtpd _mailq _mailbox _relay _maildns _imapd _popd _authd _signd \
    _signdkim _maillog _reportin _reportout; do
	getent group "$u" >/dev/null || groupadd --system "$u"
	getent passwd "$u" >/dev/null || useradd --system --gid "$u" \
	    --home-dir /nonexistent --no-create-home \
	    --shell /usr/sbin/nologin --comment "maild $u" "$u"
done
