#!/bin/bash
# down.sh: end what up.sh started
cd "$(dirname "$0")" || exit 1
exec /usr/bin/python3 peer.py down
