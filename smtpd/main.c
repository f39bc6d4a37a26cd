/*
 * smtpd: the program.  maild starts it, one process a core; common/proc
 * confines it and runs the event loop, which calls what the role names here.
 */
#include "base/compat.h"

#include "proc/proc.h"
#include "net/serve.h"
#include "smtpd/smtpd.h"

static const struct role smtpd_role = {
	.id = ROLE_SMTPD,
	.load = smtpd_load,
	.file = serve_file,
	.secret = serve_secret,
	.start = smtpd_start,
	.channel = smtpd_channel,
	.listener = serve_listener,
	.reload = serve_reload,
	.stop = serve_stop,
};

int
main(int argc, char *argv[])
{
	return proc_enter(&smtpd_role, argc, argv);
}
