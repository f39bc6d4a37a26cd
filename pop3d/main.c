/*
 * pop3d: the program.  maild starts it; common/net/front.c confines it, runs
 * the event loop and calls what is named here.
 */
#include "base/compat.h"

#include "conf/conf.h"
#include "proc/proc.h"
#include "net/front.h"
#include "pop3d/pop3d.h"

static const struct front_ops ops = {
	.role = ROLE_POP3D,
	.tls = PROTO_POP3S,
	.greet = pop3_greet,
	.command = pop3_command,
	.refused = pop3_refused,
	.bye = pop3_bye,
};

int
main(int argc, char *argv[])
{
	return front_main(&ops, argc, argv);
}
