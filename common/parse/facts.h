/*
 * Reading a facts blob, which is hostile input.
 */
#ifndef PARSE_FACTS_H
#define PARSE_FACTS_H

#include <stddef.h>
#include <stdint.h>

struct slice;

#define FACTS_VERSION	5	/* other version: make the facts again */

/*
 * Offsets in a blob count from the first octet of the message that was fed.
 * A store that puts trace lines in front of it (Return-Path, Received, ...)
 * adds their length to every offset; the top-level header then grows at its
 * start, and ENVELOPE, BODY and BODYSTRUCTURE stay as they are.
 */
enum facts_field {
	FACTS_ENVELOPE,		/* "(...)" of RFC 3501 7.4.2, ready to send */
	FACTS_BODYSTRUCTURE,	/* with extension data */
	FACTS_BODY,		/* without */
	FACTS_SUBJECT,		/* decoded to UTF-8, unfolded */
	FACTS_BASESUBJECT,	/* RFC 5256 2.1, UTF-8, case kept */
	FACTS_FROM,		/* raw values as in the header, unfolded, a */
	FACTS_TO,		/* line for each field; empty if missing */
	FACTS_CC,
	FACTS_BCC,
	FACTS_SENDER,
	FACTS_REPLYTO,
	FACTS_DATE,		/* raw; see facts_date() */
	FACTS_MSGID,		/* "<...>" or empty */
	FACTS_INREPLYTO,	/* first "<...>" or empty */
	FACTS_REFERENCES,	/* "<...> <...>", the last 100 */
	FACTS_PREVIEW,		/* up to 200 octets of UTF-8 text */
	FACTS_NFIELDS
};

enum facts_type { FACTS_TEXT, FACTS_OTHER, FACTS_MESSAGE, FACTS_MULTIPART };

enum facts_cte { CTE_NONE, CTE_BASE64, CTE_QP, CTE_UNKNOWN };

struct facts_part {
	enum facts_type	 type;
	enum facts_cte	 cte;
	int		 charset;	/* charset.c id of a text part */
	uint64_t	 hdr_off;	/* MIME header of the part with its */
	uint64_t	 hdr_len;	/* empty line */
	uint64_t	 body_off;
	uint64_t	 body_len;
	uint64_t	 lines;		/* of the body */
	int		 nparts;	/* children of a multipart */
	/* Only FACTS_MESSAGE: the message inside the body. */
	uint64_t	 msg_hdr_off, msg_hdr_len;
	uint64_t	 msg_body_off, msg_body_len;
};

/* Version of a blob, -1 if it is none. */
int	 facts_version(const char *blob, size_t n);
/* A field; 0, or -1 if the blob is damaged. */
int	 facts_get(const char *blob, size_t n, enum facts_field,
	    struct slice *);
/* Date: as seconds since the epoch, UTC.  1, 0 if none was readable, -1. */
int	 facts_date(const char *blob, size_t n, int64_t *);
/* Header length with the empty line, length and lines of the message. */
int	 facts_size(const char *blob, size_t n, uint64_t *hdrlen,
	    uint64_t *len, uint64_t *lines);
/* DATA_8BIT and DATA_NUL bits of the message, -1 if damaged. */
int	 facts_seen(const char *blob, size_t n);
/*
 * A part by its IMAP path (RFC 3501 6.4.5): npath 0 is the message itself
 * (type FACTS_MESSAGE with hdr/body and msg_ the same), {1} the body of a
 * message that is no multipart, {2,1} the first part in part 2.
 * 1 found, 0 no such part, -1 damaged.
 */
int	 facts_part(const char *blob, size_t n, const uint32_t *path,
	    size_t npath, struct facts_part *);
/* Parts in message order, 0..count-1, for searching.  facts_nparts: the
 * count or -1.  facts_nth: 0 or -1. */
int	 facts_nparts(const char *blob, size_t n);
int	 facts_nth(const char *blob, size_t n, int i, struct facts_part *);

#endif
