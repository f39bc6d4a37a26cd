/*
 * queue: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "queue/queue.h"

static const struct role role = {
	.id = ROLE_QUEUE,
	.secret = queue_secret,
	.start = queue_start,
	.channel = queue_channel,
	.stop = queue_stop,
	.run = control_run,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
