#!/bin/bash
# reset.sh: empty the mailboxes of the first ten users
cd "$(dirname "$0")" || exit 1
exec /usr/bin/python3 peer.py reset
