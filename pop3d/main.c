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
	.answer = {
		[FRONT_NO_TLS] = "-ERR TLS is not possible",
		[FRONT_TLS_LATER] = "-ERR [SYS/TEMP] No TLS for now",
		[FRONT_TLS_BEGIN] = "+OK Begin TLS",
		[FRONT_TLS_FIRST] = "-ERR Only with TLS",
		[FRONT_LOGIN_BAD] = "-ERR [AUTH] Authentication failed",
		[FRONT_LOGIN_LATER] = "-ERR [SYS/TEMP] Authentication is not "
		    "possible now",
		[FRONT_LOGIN_SOON] = "-ERR [LOGIN-DELAY] Too soon after the "
		    "last login",
		[FRONT_SASL_CANCELLED] = "-ERR Cancelled",
		[FRONT_SASL_NONE] = "-ERR No such mechanism here",
		[FRONT_SASL_BAD] = "-ERR Not a response of that mechanism",
		[FRONT_SASL_OTHER] = "-ERR [AUTH] Not for somebody else",
	},
	.bye = {
		[FRONT_TIMEOUT] = "-ERR Timeout\r\n",
		[FRONT_BUSY] = "-ERR [SYS/TEMP] Too many connections\r\n",
		[FRONT_BADNESS] = "-ERR Too many errors\r\n",
		[FRONT_COMMANDS] = "-ERR Too many commands before a login\r\n",
		[FRONT_REVOKED] = "-ERR [AUTH] The account was changed, log "
		    "in again\r\n",
		[FRONT_STOPPING] = "-ERR [SYS/TEMP] The server is going down\r\n",
		[FRONT_LOST] = "-ERR [SYS/TEMP] Try again\r\n",
	},
};

int
main(int argc, char *argv[])
{
	return front_main(&ops, argc, argv);
}
