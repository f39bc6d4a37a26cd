/*
 * authd: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

static const struct chan_handler handlers[] = {
	{ ACCOUNT_HIGHEST_EV,	base_on_highest },
};

static const struct role role = {
	.id = ROLE_AUTHD,
	.load = authd_load,
	.secret = authd_secret,
	.start = authd_start,
	.channel = authd_channel,
	.reload = authd_reload,
	.stop = authd_stop,
	.run = run_command,
	.handlers = handlers,
	.nhandlers = NITEMS(handlers),
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
