/*
 * Lines of mail end in CRLF (RFC 5322 2.3); what comes from a client of IMAP
 * or from a file of its may end in LF or CR alone.
 */
#ifndef PARSE_CRLF_H
#define PARSE_CRLF_H

#include <stdbool.h>
#include <stddef.h>

struct crlf {			/* zeroed at the start of a text */
	bool	 cr;		/* a CR came last */
};

/*
 * The next n octets of a text, cut anywhere: each LF without a CR before it
 * and each CR without a LF behind it becomes CRLF.  out has room for 2 * n
 * octets; how many there are.
 */
size_t	 crlf_feed(struct crlf *, const char *p, size_t n, char *out);
/* The text ends: the LF that is due, 0 or 1 octet. */
size_t	 crlf_end(struct crlf *, char *out);

#endif
