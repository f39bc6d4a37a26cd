/*
 * IMAP's capabilities, of imapd before the login and of imap-session after
 * it.
 */
#ifndef IMAP_CAPA_H
#define IMAP_CAPA_H

#include "parse/capability.h"

/* APPENDLIMIT is told with its number, by the session (RFC 7889 2); AUTH= of
 * net/mech.h by the front. */
static const struct capability imap_capabilities[] = {
	{ "IMAP4rev1",		CAP_ALWAYS },
	{ "LITERAL+",		CAP_ALWAYS },
	{ "SASL-IR",		CAP_ALWAYS },
	{ "ID",			CAP_ALWAYS },
	{ "IDLE",		CAP_SESSION },
	{ "UIDPLUS",		CAP_SESSION },
	{ "MOVE",		CAP_SESSION },
	{ "NAMESPACE",		CAP_SESSION },
	{ "UNSELECT",		CAP_SESSION },
	{ "ESEARCH",		CAP_SESSION },
	{ "SEARCHRES",		CAP_SESSION },
	{ "PARTIAL",		CAP_SESSION },
	{ "WITHIN",		CAP_SESSION },
	{ "SEARCH=FUZZY",	CAP_SESSION },
	{ "SORT",		CAP_SESSION },
	{ "SORT=DISPLAY",	CAP_SESSION },
	{ "ESORT",		CAP_SESSION },
	{ "THREAD=ORDEREDSUBJECT", CAP_SESSION },
	{ "THREAD=REFERENCES",	CAP_SESSION },
	{ "THREAD=REFS",	CAP_SESSION },
	{ "CHILDREN",		CAP_SESSION },
	{ "SPECIAL-USE",	CAP_SESSION },
	{ "CREATE-SPECIAL-USE",	CAP_SESSION },
	{ "MULTIAPPEND",	CAP_SESSION },
	{ "LIST-EXTENDED",	CAP_SESSION },
	{ "LIST-STATUS",	CAP_SESSION },
	{ "STATUS=SIZE",	CAP_SESSION },
	{ "COMPRESS=DEFLATE",	CAP_SESSION },
	{ "ENABLE",		CAP_ALWAYS },
	{ "UTF8=ACCEPT",	CAP_SESSION },
	{ "BINARY",		CAP_SESSION },
	{ "PREVIEW",		CAP_SESSION },
	{ "CONDSTORE",		CAP_SESSION },
	{ "QRESYNC",		CAP_SESSION },
	{ "UIDONLY",		CAP_SESSION },
	{ "UIDBATCHES",		CAP_SESSION },
	{ "OBJECTID",		CAP_SESSION },
	{ "SAVEDATE",		CAP_SESSION },
	{ "QUOTA",		CAP_SESSION },
	{ "QUOTA=RES-STORAGE",	CAP_SESSION },
	{ "QUOTA=RES-MESSAGE",	CAP_SESSION },
	{ "STARTTLS",		CAP_TLS },
	{ "LOGINDISABLED",	CAP_NOLOGIN },
};

#endif
