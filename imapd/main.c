/*
 * imapd: the program.  maild starts it; common/net/front.c confines it, runs
 * the event loop and calls what is named here.
 */
#include "base/compat.h"

#include "conf/conf.h"
#include "proc/proc.h"
#include "net/front.h"
#include "imapd/imapd.h"

static const struct front_ops ops = {
	.role = ROLE_IMAPD,
	.tls = PROTO_IMAPS,
	.greet = imap_greet,
	.command = imap_command,
	.refused = imap_refused,
	.bye = imap_bye,
};

int
main(int argc, char *argv[])
{
	return front_main(&ops, argc, argv);
}
