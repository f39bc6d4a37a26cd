/*
 * Message data on the SMTP wire (RFC 5321 4.1.1.4, 4.5.2).
 */
#ifndef PARSE_DATA_H
#define PARSE_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define DATA_LINE_MAX	998	/* RFC 5322 2.1.1, without CRLF */

#define DATA_BARE_CR	0x01	/* seen: CR without LF */
#define DATA_BARE_LF	0x02	/* seen: LF without CR */
#define DATA_NUL	0x04	/* seen: octet 0 */
#define DATA_8BIT	0x08	/* seen: octet above 127 */
#define DATA_LONG	0x10	/* seen: line above DATA_LINE_MAX */
#define DATA_NOEOL	0x20	/* counted data does not end in CR LF */
#define DATA_BARE	(DATA_BARE_CR | DATA_BARE_LF)

/* A zeroed struct is the start of data.  State never looks back, so input may
 * be cut anywhere. */
struct data_scan {
	uint8_t		 state;
	uint8_t		 seen;	/* DATA_ bits, of the whole message so far */
	uint8_t		 done;	/* CRLF . CRLF was consumed */
	uint8_t		 counted;	/* set by the caller: BDAT, literals:
					 * dots mean nothing, no end mark */
	uint32_t	 line;	/* length of the line so far */
};

/*
 * The next run of message data of in[0..n) in *out (may be empty): stuffed
 * dots are left out, nothing is copied.  Returns octets consumed, > 0 when n
 * is; call again with the rest until all is consumed or s->done.  Only
 * CRLF . CRLF ends data; anything that looks like another end sets a DATA_
 * bit instead, and the caller refuses the message.
 */
size_t	 data_scan(struct data_scan *, const char *in, size_t n,
	    struct slice *out);
/* Counted data is complete: the DATA_ bits of all of it. */
int	 data_counted_end(struct data_scan *);

/* A zeroed struct is the start of a message. */
struct data_stuff {
	uint8_t		 mid;	/* in the middle of a line */
	uint8_t		 cr;	/* CR came last, or just before the last LF */
	uint8_t		 some;	/* there was data */
};

/*
 * The next run to send of in[0..n): *out, and *dot set if "." goes before
 * it.  Returns octets consumed (= out->n), > 0 when n is.
 */
size_t	 data_stuff(struct data_stuff *, const char *in, size_t n,
	    struct slice *out, int *dot);
/* What ends the data: ".\r\n", after a message without final CRLF
 * "\r\n.\r\n". */
struct slice data_stuff_end(const struct data_stuff *);

#endif
