/*
 * POP3's capabilities (RFC 2449), of pop3d before the login and of
 * pop3-session after it; SASL with its mechanisms is told by pop3d.
 */
#ifndef POP3_CAPA_H
#define POP3_CAPA_H

#include "parse/capability.h"

static const struct capability pop3_capabilities[] = {
	{ "TOP",		CAP_ALWAYS },
	{ "UIDL",		CAP_ALWAYS },
	{ "PIPELINING",		CAP_ALWAYS },
	{ "RESP-CODES",		CAP_ALWAYS },
	{ "AUTH-RESP-CODE",	CAP_ALWAYS },
	{ "EXPIRE NEVER",	CAP_ALWAYS },
	{ "IMPLEMENTATION maild", CAP_ALWAYS },
	{ "LANG",		CAP_ALWAYS },
	{ "UTF8",		CAP_ALWAYS },
	{ "STLS",		CAP_TLS },
	{ "USER",		CAP_LOGIN },
};

#endif
