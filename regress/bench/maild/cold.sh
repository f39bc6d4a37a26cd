#!/bin/bash
# cold.sh: restart with every index and facts file dropped and the kernel's
# page cache cleared (what cold.sh of the peers does to theirs)
cd "$(dirname "$0")" || exit 1
exec /usr/bin/python3 peer.py cold
