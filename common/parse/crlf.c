/*
 * Ends of lines made CRLF, as pure as the rest of parse/.  Used by
 * imap-session for APPEND; SMTP refuses what has other ends (data.h).
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stddef.h>

#include "parse/crlf.h"

size_t
crlf_feed(struct crlf *s, const char *p, size_t n, char *out)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (s->cr != (p[i] == '\n'))
			out[k++] = s->cr ? '\n' : '\r';
		out[k++] = p[i];
		s->cr = p[i] == '\r';
	}
	return k;
}

size_t
crlf_end(struct crlf *s, char *out)
{
	size_t n = s->cr;

	if (n > 0)
		out[0] = '\n';
	s->cr = false;
	return n;
}
