/*
 * deliver: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "deliver/deliver.h"

static const struct chan_handler handlers[] = {
	{ ACCOUNT_CLOSE,	deliver_close },
	{ ACCOUNT_OPEN_EV,	deliver_open },
};

static const struct role role = {
	.id = ROLE_DELIVER,
	.start = deliver_start,
	.channel = deliver_channel,
	.stop = deliver_stop,
	.handlers = handlers,
	.nhandlers = NITEMS(handlers),
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
