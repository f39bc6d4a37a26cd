/*
 * Capabilities of IMAP and POP3 (capability.h).
 */
#include "base/compat.h"

#include <string.h>

#include "parse/capability.h"

unsigned int
capability_front(bool starttls, bool login)
{
	return CAP_FRONT | (starttls ? CAP_TLS : 0) |
	    (login ? CAP_LOGIN : CAP_NOLOGIN);
}

const char *
capability_print(const struct capability *c, size_t n, unsigned int when,
    const char *sep, char *text)
{
	size_t i;

	text[0] = '\0';
	for (i = 0; i < n; i++) {
		if (!(c[i].when & when))
			continue;
		if (text[0] != '\0')
			strlcat(text, sep, CAPABILITY_MAX);
		strlcat(text, c[i].name, CAPABILITY_MAX);
	}
	return text;
}
