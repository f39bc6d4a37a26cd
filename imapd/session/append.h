/*
 * imap-session: a message that is being made, of append.c, append_message.c,
 * catenate.c, url.c and replace.c.
 */
#ifndef APPEND_H
#define APPEND_H

#include <stdint.h>

#include "base/slice.h"
#include "parse/crlf.h"
#include "store/store.h"
#include "imapd/session/imap.h"

struct append {
	char		 box[STORE_NAME_MAX + 1];
	struct store_append *to;	/* NULL: not open yet */
	struct flagset	 fs;		/* of the message */
	int64_t		 date;
	struct mime	*mime;
	struct crlf	 crlf;
	uint64_t	 size;		/* octets so far, as they came */
	enum store_result failed;
	unsigned int	 n;		/* messages that ended */
};

/* ---- append_message.c: open, { start, literal or octets ..., end } ...,
 * commit; in any case refuse after an error, and free ---- */

enum reply append_open(struct session *, struct append *);
/* A message of at least size octets. */
enum reply append_start(struct session *, struct append *, uint64_t size);
enum reply append_literal(struct session *, struct imap_in *,
	    struct append *);
enum reply append_string(struct session *, struct imap_in *, struct fbuf *,
	    size_t max);
enum store_result append_octets(struct append *, struct slice);
enum reply append_end(struct session *, struct append *);
/* Durable; s->code is APPENDUID. */
enum reply append_commit(struct session *, struct append *,
	    struct store_appended *);
enum reply append_refuse(struct session *, enum reply);
void	 append_free(struct append *);

/* ---- url.c ---- */

struct url_octets {
	struct store_view *view;	/* NULL: the one selected */
	struct store_msg m;
	struct body	 body;
	uint64_t	 at, left;
};
/* What the URL names; NOTFOUND, INVALID: nothing of this account. */
enum store_result url_open(struct session *, struct slice url,
	    struct url_octets *);
/* The next octets, none at the end; good until messages are read again. */
enum store_result url_next(struct session *, struct url_octets *,
	    struct slice *);
void	 url_close(struct url_octets *);

/* ---- catenate.c ---- */

/* "(" parts ")" behind CATENATE, as one message (RFC 4469). */
enum reply catenate_parts(struct session *, struct imap_in *,
	    struct append *);

/* ---- append.c ---- */

/* [flags SP] [date SP] data: one message, to its end. */
enum reply append_one(struct session *, struct imap_in *, struct append *);

#endif
