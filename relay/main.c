/*
 * relay: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "relay/relay.h"

static const struct role role = {
	.id = ROLE_RELAY,
	.load = relay_load,
	.file = relay_file,
	.channel = relay_channel,
	.reload = relay_reload,
	.stop = relay_stop,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
