/*
 * What smtpd, imapd and pop3d do alike as servers: certificates and the TLS
 * made of them, the memory of sources, listeners, whom to take and whom to
 * refuse, the end.  Their struct role names the functions of the first part
 * as they are; the protocol is a table of words and calls.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"

enum serve_refusal {		/* why a connection is not taken */
	SERVE_BUSY,		/* no descriptors */
	SERVE_MANY,		/* the process has enough */
	SERVE_SOURCE,		/* its source has */
	SERVE_PENALTY,		/* its source misbehaved lately */
	SERVE_STOPPING
};

struct serve_limits {
	unsigned int	 connections;	/* of this process */
	unsigned int	 per_source;
};

struct serve_ops {
	enum proc_role	 role;
	enum conf_protocol tls;		/* the protocol that starts with TLS */
	unsigned int	 stop_ms;	/* the end takes no longer */
	struct serve_limits (*limits)(void);
	/* The line that one who is not taken is told; nobody before TLS. */
	const char *(*refusal)(enum serve_refusal);
	/* A connection, and its source as it is counted: both are the
	 * protocol's, which ends with conn_close() or serve_close(). */
	void	(*begin)(int fd, struct conn *, const struct conf_listen *);
	/* The process ends: so do connections, as far as nothing is promised
	 * to them. */
	void	(*stop)(void);
};

/* ---- the role's functions, as struct role has them ---- */

/* A chain, kept until load or reload, or the memory of sources. */
void	 serve_file(enum conf_file_kind, uint16_t index, struct slice name,
	    int fd);
/* What tickets of TLS sessions are sealed with. */
void	 serve_secret(enum conf_secret_kind, const uint8_t[32]);
void	 serve_listener(uint16_t index, int fd);
/* Closes the listeners, of which maild sends new ones; connections stay. */
void	 serve_reload(const struct conf *);
/* No connection is taken any more; the process ends when the last one was
 * given to serve_close(), at once if there is none, or after stop_ms. */
void	 serve_stop(void);

/* ---- for the protocol ---- */

/* From load(): before anything else here but serve_file, serve_secret. */
void	 serve_load(const struct serve_ops *);
/* conn_close(); the process ends with the last one once it is to. */
void	 serve_close(struct conn *);
bool	 serve_stopping(void);
/* Is there a certificate?  It may be that signd is not: tlskey_ready(). */
bool	 serve_has_tls(void);
/* Begin TLS.  0, or -1: no certificate, or as io_accept_tls() says. */
int	 serve_accept_tls(struct io *);
/* The same where people log in, by a certificate of their own if they like. */
int	 serve_accept_login(struct io *);

#endif
