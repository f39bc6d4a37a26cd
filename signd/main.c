/*
 * signd: the program, for both instances.  maild starts them, "tls" and
 * "dkim"; common/proc confines them and runs the event loop, which calls what
 * the role names here.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <string.h>

#include "base/build.h"
#include "proc/proc.h"
#include "signd/signd.h"

static const struct role tls_role = {
	.id = ROLE_SIGND_TLS,
	.file = signd_tls_file,
	.load = signd_tls_load,
	.start = signd_tls_start,
	.channel = signd_tls_channel,
};

static const struct role dkim_role = {
	.id = ROLE_SIGND_DKIM,
	.file = signd_dkim_file,
	.secret = signd_dkim_secret,
	.start = signd_dkim_start,
	.channel = signd_dkim_channel,
};

int
main(int argc, char *argv[])
{
	bool dkim = argc == 2 && strcmp(argv[1], "dkim") == 0;

	build_inner("signd", argc, argv);
	if (!dkim && (argc != 2 || strcmp(argv[1], "tls") != 0))
		build_by_hand("signd");
	signd_memory();
	return proc_enter(dkim ? &dkim_role : &tls_role, argc, argv);
}
