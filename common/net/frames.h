/*
 * A session's end of the stream to its front (msg/session.h): packets in, a
 * line at a time or counted octets out of them; octets out, collected into
 * packets of 16 KiB.  Blocking; used by imap-session and pop3-session.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "conf/quota.h"

#define FRAMES_SKIP_MAX	(1024 * 1024)	/* octets of a line thrown away */

/* One for a process, in bss: pages are touched as far as they are used. */
struct frames {
	int	 sock;
	bool	 gone;		/* the front or its client left */
	bool	 raised;	/* quota came since it was last looked at */
	struct quota quota;	/* of the account, from now on */
	size_t	 off, len;	/* what is unread of in[] */
	uint64_t got;		/* octets of the client so far */
	size_t	 outn;		/* octets in out[], type octet included */
	char	 in[MSG_MAX + 1];
	char	 out[MSG_MAX];
};

/* A growing piece of text: a command that spans packets or has literals. */
struct fbuf {
	char	*p;
	size_t	 n, size;
};

enum frames_line {
	FRAMES_LINE,
	FRAMES_TOOLONG,	/* longer than max; skipped to its end */
	FRAMES_BARE,	/* a CR, LF or NUL where none may be; skipped */
	FRAMES_GONE	/* the client left, or floods */
};

void	 frames_init(struct frames *, int sock);
/* The SESSION_START packet: its payload in place, good until the next read.
 * 0, or -1 if it is not one or the front is gone. */
int	 frames_start(struct frames *, struct slice *);
/* Behind a START that says so: what the front kept (SESSION_PARK), good until
 * the next read, and its descriptor, -1 none, the caller's.  0, -1 as above. */
int	 frames_parked(struct frames *, struct slice *state, int *fd);
/* Wait until input is there; false: gone.  Output is flushed first. */
bool	 frames_fill(struct frames *);
/* A packet is there: is it input, or the end?  Then frames_ready() is true. */
bool	 frames_look(struct frames *);
/* Is input here already, so that frames_fill would not wait? */
bool	 frames_ready(const struct frames *);
/*
 * The next line up to and with its CRLF.  acc empty and the line whole in
 * the packet: *p points there; else it is appended to acc and *p is the
 * start of acc.  *n is the length from *p.  At most max octets in acc.  *p
 * may be written to and is good until the next call.
 */
enum frames_line frames_line(struct frames *, struct fbuf *acc, size_t max,
	    char **p, size_t *n);
/* Append exactly n octets of input to acc.  0, -1: gone, no memory. */
int	 frames_read(struct frames *, struct fbuf *acc, size_t n);
/* Take the next 1..max octets of input, in place.  n 0: gone. */
struct slice frames_chunk(struct frames *, size_t max);

/* Room for that many octets behind a text, which stays.  0, or -1: out of
 * memory. */
int	 fbuf_room(struct fbuf *, size_t n);
/* Append to a text.  0, or -1: out of memory. */
int	 fbuf_add(struct fbuf *, const char *, size_t n);
void	 fbuf_free(struct fbuf *);

/* Output.  Errors show as gone; nothing more is sent then. */
void	 frames_write(struct frames *, const char *, size_t);
void	 frames_puts(struct frames *, const char *);
void	 frames_num(struct frames *, uint64_t);
void	 frames_printf(struct frames *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* Send what is collected: at the end of an answer; or (more) because no more
 * fits, and then the front says nothing of its own if we die before the end. */
void	 frames_flush(struct frames *);
void	 frames_more(struct frames *);
/* Flush; behind it the front packs, and unpacks what comes (SESSION_COMPRESS).
 */
void	 frames_compress(struct frames *);
/*
 * Flush, then hand this to the front and wait for what it does: true, it has
 * it and this session is over (and f is gone); false, go on: the client said
 * something, or left.  fd: -1 none, stays the caller's.
 */
bool	 frames_park(struct frames *, unsigned int flags, struct slice state,
	    int fd);
/* Flush; the client is to log in anew (SESSION_LEAVE). */
void	 frames_leave(struct frames *);
/* Flush, then tell the front that this is the end. */
void	 frames_bye(struct frames *);

static inline void
frames_putc(struct frames *f, char c)
{
	if (f->outn == sizeof(f->out))
		frames_more(f);
	f->out[f->outn++] = c;
}

#endif
