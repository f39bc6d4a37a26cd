/*
 * report-in: the program.  maild starts it; common/proc confines it and runs
 * the event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "report/in/in.h"

static const struct role role = {
	.id = ROLE_REPORT_IN,
	.start = in_start,
	.channel = in_channel,
	.reload = in_conf,
	.run = in_run,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
