/*
 * authd-hash: the program.  maild starts several; common/proc confines each and
 * runs the event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "authd/hash/pwhash.h"

static const struct role role = {
	.id = ROLE_HASH,
	.load = pwhash_load,
	.file = pwhash_file,
	.reload = pwhash_reload,
	.channel = pwhash_channel,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&role, argc, argv);
}
