#!/bin/bash
# up.sh: start the suite on loopback in the same form as the peers.
# BUILD: where the programs are.  NUSERS: accounts u0... to make at first.
cd "$(dirname "$0")" || exit 1
exec /usr/bin/python3 peer.py up
