#!/bin/bash
. "$(dirname "$0")/../common.sh"
stop_pid "$RUN/unbound.pid"
stop_pid "$RUN/nsd.pid"
