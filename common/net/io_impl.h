/*
 * Inside of common/io: what io.c (life, events, output), io_input.c (input),
 * io_buf.c (buffers and output queues), io_tls.c (TLS), io_flate.c
 * (compression) and io_wheel.c (deadlines) share.  Nobody else includes this.
 */
#ifndef IO_IMPL_H
#define IO_IMPL_H

#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "net/io.h"

#define IOBUF_SMALL	(16 * 1024 - 64)
#define IOBUF_LARGE	(64 * 1024 - 64)
#define IO_IOV		32		/* buffers of one writev */
#define IO_CIPHER_MAX	(128 * 1024)	/* encrypted and not yet sent */
#define IO_TURN_MAX	(256 * 1024)	/* octets of one io a loop turn */
#define IO_HANDSHAKE_MS	30000
#define IO_DRAIN_MS	5000		/* io_finish(.., 0) waits so long */
#define IO_DISCARD_MAX	(4 * 1024 * 1024) /* octets thrown away behind it */

/* A linear buffer, or (size 0) a range of a file waiting in a queue. */
struct iobuf {
	struct iobuf	*next;
	uint32_t	 r, w;		/* data[r, w) is there */
	uint32_t	 size;
	int		 fd;
	off_t		 off;
	size_t		 left;
	char		 data[];
};

struct ioqueue {
	struct iobuf	*head, *tail;
	size_t		 n;		/* octets, file ranges included */
};

/*
 * What stands between the owner's text and the octets of TLS or the socket.
 * io.c knows it by these calls alone, so that only who wants it links zlib.
 */
struct io_filter {
	/* To the end of out, as far as it comes out yet.  0, -1. */
	int	(*write)(struct io *, const void *, size_t);
	/* All that was written is in out.  0, -1. */
	int	(*flush)(struct io *);
	/* From packed to in, as much as there is room and one turn allows.
	 * 0, or -1: it is not what was agreed on, or out of memory. */
	int	(*unpack)(struct io *);
	void	(*free)(struct io *);
};

enum io_tls_state { IO_CLEAR, IO_HANDSHAKE, IO_TLS };

struct io {
	struct event_base *base;
	int		 fd;
	io_cb		 cb;		/* NULL: finishing */
	void		*arg;
	struct event	 rd, wr;
	struct iobuf	*in;		/* clear text from the peer */
	struct ioqueue	 out;		/* clear text to the peer */
	struct iobuf	*raw;		/* TLS records from the peer */
	struct iobuf	*packed;	/* compressed octets from the peer */
	const struct io_filter *filter;	/* NULL: none */
	void		*flate;		/* the filter's */
	struct ioqueue	 cipher;	/* TLS records (and text before TLS) */
	struct tls	*tls;
	struct ssl_st	*ssl;		/* of tls */
	enum io_tls_state tls_state;
	char		*err;
	uint64_t	 tick;		/* of the wheel, the earlier of: */
	uint64_t	 user_tick;	/* io_deadline, 0 none */
	uint64_t	 hs_tick;	/* the handshake's end, 0 none */
	LIST_ENTRY(io)	 wheel;
	TAILQ_ENTRY(io)	 dirty;
	TAILQ_ENTRY(io)	 again;
	size_t		 seen;		/* input known to hold no LF */
	size_t		 skipped;	/* of a too long line, after the end */
	unsigned int	 busy;		/* callbacks running */
	bool		 rd_on, wr_on;	/* events are added */
	bool		 in_wheel, in_dirty, in_again;
	bool		 paused, eof, failed, dead, corked;
	bool		 connecting, skipping, big, stuck;
	bool		 taken;		/* by io_new: the peer asks */
	bool		 choked;	/* not read: it does not read us */
	bool		 announce;	/* IO_DRAINED is due */
	bool		 unpacking;	/* more is in what was unpacked */
	bool		 raw_eof;	/* the socket ended */
	bool		 closed;	/* close_notify was made */
	bool		 shut;		/* our side of the socket is ended */
	bool		 linger;
};

/* ---- io_buf.c ---- */

/* A buffer with room for at least n octets if n <= IOBUF_LARGE.  NULL: out
 * of memory. */
struct iobuf *iobuf_get(size_t n);
void	 iobuf_put(struct iobuf *);
/* Copy n octets to the end.  0, -1 out of memory. */
int	 ioq_add(struct ioqueue *, const void *, size_t);
int	 ioq_file(struct ioqueue *, int fd, off_t, size_t);
/* Everything of src goes behind what dst has. */
void	 ioq_move(struct ioqueue *dst, struct ioqueue *src);
/* Make sure that the head is octets, not a file range.  0, -1 with errno. */
int	 ioq_load(struct ioqueue *);
int	 ioq_iov(struct ioqueue *, struct iovec *, int max);
void	 ioq_consume(struct ioqueue *, size_t);
void	 ioq_clear(struct ioqueue *);

/* ---- io.c ---- */

/* Call back; returns true when the io is dead now (do not touch it). */
bool	 io_emit(struct io *, enum io_event);
/* Record the error (once) and call back. */
void	 io_fail(struct io *, const char *why);
/* To be looked after at the end of this loop turn. */
void	 io_dirty(struct io *);
void	 io_read_on(struct io *);
void	 io_read_off(struct io *);
/* 0 all written, 1 the socket is full, -1 error with errno. */
int	 io_write_queue(struct io *, struct ioqueue *);
/* Set the wheel to the earlier of the two deadlines. */
void	 io_rewheel(struct io *);

/* ---- io_input.c ---- */

/* Room for input: 0, or -1 when the reader must consume first. */
int	 io_room(struct io *);
/* Give an empty input buffer back. */
void	 io_settle(struct io *);
/*
 * With a filter what is read goes into packed: the reader of the socket calls
 * io_swap() before and behind, and then io_unpack(): 0, -1 (io_fail is the
 * caller's).  It reads only when nothing is left there: not io_packed().
 */
void	 io_swap(struct io *);
bool	 io_packed(const struct io *);
int	 io_unpack(struct io *);
/* The socket is readable: call back with the input, or throw it away. */
void	 io_read_clear(struct io *);
void	 io_read_discard(struct io *);

/* ---- io_tls.c ---- */

/* Input may be there: read the socket, handshake, decrypt, call back. */
void	 io_tls_input(struct io *, bool readable);
/* Encrypt what fits.  0, -1 after an error (io_fail is the caller's). */
int	 io_tls_output(struct io *);
void	 io_tls_close(struct io *);

/* ---- io_wheel.c ---- */

/* The tick so many ms from now. */
uint64_t wheel_tick(unsigned int ms);
/* Wake the io at that tick (0: not at all). */
void	 wheel_set(struct io *, uint64_t tick);
void	 wheel_unset(struct io *);

#endif
