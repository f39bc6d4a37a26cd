/*
 * A channel end in an event-driven role: asks, answers, notices, bounded
 * queues.
 */
#ifndef CHAN_H
#define CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg/msg.h"

struct chan;
struct event_base;

/* One row per message type this end accepts (asks and notices; answers go
 * to the callback given to chan_ask).  A message not in the table ends the
 * channel as one that is not permitted. */
struct chan_handler {
	enum msg_type	 type;
	void		(*fn)(struct chan *, struct msg *, void *arg);
};

struct chan_ops {
	/* The peer is gone or was cut off; every open ask has been called
	 * back with NULL already.  The chan is freed after this returns. */
	void	(*gone)(struct chan *, void *arg);
	/* The send queue passed its mark (true) or drained (false): stop or
	 * go on reading the clients that feed it.  May be NULL. */
	void	(*full)(struct chan *, bool full, void *arg);
};

/* Take over the socket fd.  side is ours.  Never returns NULL (fatal when
 * out of memory). */
struct chan *chan_new(struct event_base *, int fd, enum chan_kind,
	    enum chan_side side, const struct chan_handler *, size_t nhandlers,
	    const struct chan_ops *, void *arg);
void	 chan_free(struct chan *);	/* closes; open asks get NULL */
/* Whoever took the ends' descriptors in hears of each that is closed by either
 * side, just before; one listener a process. */
void	 chan_closing(void (*)(int fd));
/* The peer is dead: handle what it still said, then as chan_free(). */
void	 chan_last(struct chan *);

/* Send a notice.  fds are duplicated by the kernel and stay the caller's.
 * Queued when the socket is full; sent at the end of the loop turn together
 * with what else was queued.  Returns 0, -1 when the channel is gone,
 * or its peer leaves thousands of descriptors unread. */
int	 chan_send(struct chan *, enum msg_type, const void *body,
	    const int *fds, int nfd);
/* The same; they are the channel's, whatever becomes of it, and -1 here. */
int	 chan_give(struct chan *, enum msg_type, const void *body, int *fds,
	    int nfd);
/* Ask; cb is called exactly once: with the answer, or with NULL at timeout,
 * loss of the peer or chan_free.  Returns the id (> 0), or 0 when the
 * channel is gone (cb is not called then). */
typedef void (*chan_cb)(struct chan *, struct msg *answer, void *arg);
uint32_t chan_ask(struct chan *, enum msg_type, const void *body,
	    const int *fds, int nfd, unsigned int timeout_ms, chan_cb, void *arg);
/* The answer to the ask with that id will not be called back. */
void	 chan_forget(struct chan *, uint32_t id);
/* Answer the ask with that id. */
int	 chan_reply(struct chan *, uint32_t id, enum msg_type, const void *body,
	    const int *fds, int nfd);
/* What is queued and not yet taken by the kernel is past its mark. */
bool	 chan_full(const struct chan *);
size_t	 chan_queued(const struct chan *);	/* octets of it */
void	*chan_arg(const struct chan *);

#endif
