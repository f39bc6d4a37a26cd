#!/bin/bash
. "$(dirname "$0")/../common.sh"
postfix -c "$RUN/etc" stop >>"$RUN/start.log" 2>&1 || true
stop_pid "$RUN/dkim/pid"
stop_pid "$RUN/dmarc/pid"
