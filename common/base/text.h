/*
 * Text in the making for the messages that we write ourselves: reports to
 * senders (queue) and about mail (report-out).  Grows as needed, up to a
 * limit; what strangers wrote gets in only as printable ASCII or
 * quoted-printable.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct text {		/* zeroed but for max is empty; the caller frees p */
	char	*p;
	size_t	 n, cap;
	size_t	 max;	/* 0: no limit */
	bool	 cut;	/* something did not fit */
};

void	 text_add(struct text *, struct slice);
/* At most 1600 octets at once. */
void	 text_say(struct text *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* Printable ASCII as it is, other octets as '?'. */
void	 text_ascii(struct text *, struct slice);
/* The same in buf, which is returned; what has no room is cut. */
const char *text_ascii_in(struct slice, char *buf, size_t size);
/* As text_ascii, without blanks and what has a meaning in a structured field
 * or in a MIME parameter: fit for a domain or a token.  "" becomes "?". */
void	 text_word(struct text *, struct slice);
/* Quoted-printable (RFC 2045 6.7) of lines that end in CRLF. */
void	 text_qp(struct text *, struct slice);
/* A part of type text/rfc822-headers: its MIME fields, an empty line and the
 * header, quoted-printable where it needs to be, CRLF. */
void	 text_header(struct text *, struct slice);
/* Short lines of printable ASCII that end in CRLF: no encoding is needed. */
bool	 text_is_plain(struct slice);

#endif
