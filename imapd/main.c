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
	.deflate = true,
	.still = "* OK Still here\r\n",
	.greet = imap_greet,
	.secured = imap_secured,
	.command = imap_command,
	.answer = {
		[FRONT_NO_TLS] = "BAD STARTTLS: there is no TLS here, or it is on",
		[FRONT_TLS_LATER] = "NO [UNAVAILABLE] No TLS for now",
		[FRONT_TLS_BEGIN] = "OK Begin TLS",
		[FRONT_TLS_FIRST] = "NO [PRIVACYREQUIRED] Only with TLS",
		[FRONT_LOGIN_BAD] = "NO [AUTHENTICATIONFAILED] "
		    "Authentication failed",
		[FRONT_LOGIN_LATER] = "NO [UNAVAILABLE] Authentication is not "
		    "possible now",
		[FRONT_SASL_CANCELLED] = "BAD AUTHENTICATE: cancelled by the client",
		[FRONT_SASL_NONE] = "NO AUTHENTICATE: no such mechanism here",
		[FRONT_SASL_BAD] = "BAD AUTHENTICATE: expected base64 of what "
		    "the mechanism says",
		[FRONT_SASL_OTHER] = "NO [AUTHORIZATIONFAILED] Not for somebody "
		    "else",
	},
	.bye = {
		[FRONT_TIMEOUT] = "* BYE Timeout\r\n",
		[FRONT_BUSY] = "* BYE [UNAVAILABLE] Too many connections\r\n",
		[FRONT_BADNESS] = "* BYE Too many errors\r\n",
		[FRONT_COMMANDS] = "* BYE Too many commands before a login\r\n",
		[FRONT_REVOKED] = "* BYE The account was changed, log in "
		    "again\r\n",
		[FRONT_STOPPING] = "* BYE [UNAVAILABLE] The server is going "
		    "down\r\n",
		[FRONT_LOST] = "* BYE [UNAVAILABLE] Try again\r\n",
	},
};

int
main(int argc, char *argv[])
{
	return front_main(&ops, argc, argv);
}
