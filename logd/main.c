/*
 * logd: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "logd/logd.h"

static const struct role role = {
	.id = ROLE_LOGD,
	.load = logd_load,
	.start = logd_start,
	.channel = logd_channel,
	.reload = logd_reload,
	.stop = logd_stop,
	.run = logd_run,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
