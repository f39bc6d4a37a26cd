/*
 * Buffered, non-blocking client and server I/O of the event-driven roles:
 * one socket, with or without TLS, the strict line reader, deadlines.
 */
#ifndef IO_H
#define IO_H

#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct io;
struct tls;
struct tls_config;
struct event_base;

enum io_event {
	IO_READ,	/* new input is there (io_line, io_peek) */
	IO_DRAINED,	/* all output has been taken by the kernel */
	IO_SECURED,	/* the TLS handshake is done */
	IO_CONNECTED,	/* io_connect succeeded */
	IO_EOF,		/* the peer closed its side; output still goes */
	IO_DEADLINE,	/* the deadline passed */
	IO_ERROR	/* io_error() tells; nothing more comes */
};
typedef void (*io_cb)(struct io *, enum io_event, void *arg);

/* Take over a connected socket.  The callback may io_free(). */
struct io *io_new(struct event_base *, int fd, io_cb, void *arg);
/* Start a connection; IO_CONNECTED or IO_ERROR follows.  src may be NULL. */
struct io *io_connect(struct event_base *, const struct sockaddr *,
	    unsigned int len, const struct sockaddr *src, unsigned int srclen,
	    io_cb, void *arg);
void	 io_free(struct io *);		/* closes at once, drops output */
/* Send what is queued (TLS close_notify too), then free; the callback is
 * not called any more.  linger_ms > 0: then end our side and throw away what
 * still comes till the peer ends its own, so that a peer in the middle of
 * sending gets our last words; it bounds the whole wait, and 4 MiB what is
 * thrown away.  0: close as soon as the output is out (at most 5 s). */
void	 io_finish(struct io *, unsigned int linger_ms);
const char *io_error(const struct io *);

/* TLS.  io_accept_tls refuses (-1) when clear-text input is buffered:
 * bytes from before STARTTLS must not count.  Handshake bound: 30 s. */
int	 io_accept_tls(struct io *, struct tls *server);
int	 io_start_tls(struct io *, struct tls_config *, const char *servername);
struct tls *io_tls(struct io *);	/* NULL: clear text */
/* "TLSv1.3/TLS_AES_256_GCM_SHA384", as the log has it, or "none". */
#define IO_TLS_TEXT	64
const char *io_tls_text(struct io *, char out[IO_TLS_TEXT]);
/* The SSL beneath TLS, no longer than the io; NULL: clear text. */
struct ssl_st *io_ssl(struct io *);

/* Output: queued, written at the end of the loop turn (one writev for many
 * replies).  -1 out of memory or gone. */
int	 io_write(struct io *, const void *, size_t);
int	 io_printf(struct io *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* Queue [off, off+n) of fd; pread in blocks as the socket drains.  dup()s
 * nothing: fd must stay open till IO_DRAINED or io_free. */
int	 io_sendfile(struct io *, int fd, off_t off, size_t n);
size_t	 io_queued(const struct io *);
/*
 * Does so much output wait for a client that its next command has to wait
 * too?  For a client that does not read gets no more answers than these: till
 * half of them are gone its socket is not read, then IO_READ is called back.
 * Who still has input buffered asks this before each command.  Never true of
 * a connection made by io_connect(): there we ask, and may have to read an
 * answer to be able to send on; and how much we ask is counted.
 */
#define IO_OUT_MAX	(64 * 1024)
bool	 io_full(struct io *);
/* Hold output back (more comes soon, one write for all), or let it go. */
void	 io_cork(struct io *, bool);

/*
 * DEFLATE both ways from here on (RFC 4978): what was written before goes out
 * as it was.  All that is written in a turn is one flush.  No input may be
 * unread.  0, -1 out of memory.  io_flate_rest(): of one that will be silent
 * for long, what can be made again is given back: some 90 KiB of 100.
 */
int	 io_flate(struct io *);
bool	 io_flated(const struct io *);
void	 io_flate_rest(struct io *);

/* Input. */
enum io_line { IO_LINE, IO_MORE, IO_TOOLONG, IO_LONGER, IO_BARE };
/* The next line without its CRLF; good until the next call on this io.
 * IO_TOOLONG: more than max octets without CRLF (the octets are dropped up
 * to the line's end as they come; max at most 64 KiB); IO_LONGER: 64 KiB more
 * of the same line, so that errors count up; it was answered already;
 * IO_BARE: a bare LF or CR in it (the line is consumed up to the LF). */
enum io_line io_line(struct io *, size_t max, struct slice *);
struct slice io_peek(struct io *);	/* all buffered input, contiguous */
void	 io_drain(struct io *, size_t n);	/* consume n octets of it */
void	 io_pause(struct io *);		/* stop reading the socket */
void	 io_resume(struct io *);
/* Call back with IO_READ again if input is still buffered (fairness: after
 * a bounded number of commands). */
void	 io_again(struct io *);
/* IO_DEADLINE so many ms from now, whatever happens; 0 none.  Coarse: one
 * shared wheel, 100 ms steps. */
void	 io_deadline(struct io *, unsigned int ms);

#endif
