/*
 * report-out: the program.  maild starts it; common/proc confines it and runs
 * the event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "report/out/out.h"

static const struct role role = {
	.id = ROLE_REPORT_OUT,
	.start = out_start,
	.channel = out_channel,
	.stop = out_stop,
	.run = pending_run,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
