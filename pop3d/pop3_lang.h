/*
 * LANG (RFC 6856 3), of pop3d before the login and of pop3-session after it:
 * the texts of answers are English whatever is chosen.
 */
#ifndef POP3_LANG_H
#define POP3_LANG_H

#include "base/slice.h"

/* The answer to LANG with that argument ("": the list), lines with CRLF. */
static inline const char *
pop3_lang(struct slice arg)
{
	if (arg.n == 0)
		return "+OK Languages follow\r\nen English\r\n"
		    "i-default English\r\n.\r\n";
	if (slice_is(arg, "*") || slice_caseis(arg, "en"))
		return "+OK en English\r\n";
	if (slice_caseis(arg, "i-default"))
		return "+OK i-default English\r\n";
	return "-ERR No such language\r\n";
}

#endif
