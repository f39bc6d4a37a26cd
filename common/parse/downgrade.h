/*
 * An 8-bit message made 7-bit for a host that takes no other (RFC 6152 3).
 */
#ifndef PARSE_DOWNGRADE_H
#define PARSE_DOWNGRADE_H

#include <stddef.h>
#include <stdint.h>

#define DOWNGRADE_HEADER_MAX (255 * 1024)	/* octets of one header: with what is
						 * added still one that is read */

/* What a look at the whole message found. */
enum downgrade_can {
	DOWNGRADE_NEEDLESS,	/* it is 7-bit but for headers: send it as it is */
	DOWNGRADE_YES,
	DOWNGRADE_NO	/* something in it may not be changed, or cannot be */
};

/* Runs of what comes out, in order: of the header of the message, of its
 * body. */
struct downgrade_out {
	void		(*header)(void *arg, const char *, size_t);
	void		(*body)(void *arg, const char *, size_t);
	void		*arg;
};

/*
 * Parts of text with octets above 127 become quoted-printable, others base64,
 * and their Content-Transfer-Encoding says so; what is decoded is the same.
 * Nothing within a multipart/signed is changed, and no header but for that
 * field and a MIME-Version that is missing with it: octets above 127 in
 * headers stay.  Linear, in bounded memory.  The same message and facts give
 * the same octets, however they were cut.
 *
 * First the whole message goes through downgrade_look(), then as often as it
 * is wanted through downgrade_feed(), with downgrade_rewind() before each
 * other time.
 */

/* For a message with these facts (parse/facts.h), which are copied.  NULL: out
 * of memory, or they are no facts. */
struct downgrade *downgrade_new(const char *facts, size_t n);
void	 downgrade_free(struct downgrade *);
/* 0, or -1: out of memory. */
int	 downgrade_look(struct downgrade *, const char *, size_t);
/* The message has ended; rewinds. */
enum downgrade_can downgrade_looked(struct downgrade *);
void	 downgrade_rewind(struct downgrade *);
/* 0, or -1: out of memory, or more octets than the facts say. */
int	 downgrade_feed(struct downgrade *, const char *, size_t,
	    const struct downgrade_out *);
/* The octets of the message. */
uint64_t downgrade_size(const struct downgrade *);

#endif
