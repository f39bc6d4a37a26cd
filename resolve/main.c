/*
 * resolve: the program.  maild starts it; common/proc confines it and runs the
 * event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "resolve/resolve.h"

static const struct role role = {
	.id = ROLE_RESOLVE,
	.start = resolve_start,
	.reload = resolve_start,
	.channel = resolve_channel,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
