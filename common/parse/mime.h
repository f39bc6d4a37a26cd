/*
 * The message parser: octets in, a blob of facts out.
 */
#ifndef PARSE_MIME_H
#define PARSE_MIME_H

#include <stddef.h>

#define MIME_DEPTH_MAX	64	/* multiparts and message/rfc822 nested */
#define MIME_PARTS_MAX	1000	/* parts of a message */
#define MIME_HEADER_MAX	(256 * 1024)	/* octets of one part's header looked
					 * at; the rest is counted only */
#define MIME_PARAMS_MAX	64	/* parameters of one field */
#define FACTS_MAX	(1024 * 1024)	/* octets of a facts blob */

/*
 * Fed with a message as it arrives, makes its facts.  Linear in the message;
 * memory is bounded by the limits above.  Beyond a limit the message is read
 * as if it had no more structure there.  CRLF and LF both end lines.
 */

/* NULL: out of memory. */
struct mime *mime_new(void);
/* Ready for another message, keeping its memory. */
void	 mime_reset(struct mime *);
/* Any number of octets.  0, or -1 out of memory (then only mime_free). */
int	 mime_feed(struct mime *, const char *, size_t);
/*
 * The message ended: *blob is the facts, *n its length, owned by the parser
 * and valid until mime_reset or mime_free.  0, or -1 out of memory.
 * The same octets give the same blob, however they were cut.
 */
int	 mime_end(struct mime *, const char **blob, size_t *n);
void	 mime_free(struct mime *);
/* All of it for a message in memory: malloc'ed blob (caller frees) or NULL. */
char	*mime_facts(const char *msg, size_t msgn, size_t *n);

#endif
