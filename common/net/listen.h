/*
 * The listeners of a front (smtpd, imapd, pop3d): accept in turns that leave
 * some to the other processes, and rest when descriptors run out.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <sys/socket.h>

#include <stdint.h>

struct conf_listen;

/* TCP keep-alive of what is accepted.  Translators of addresses forget a
 * connection after 5 minutes, the hastiest of them. */
#define LISTEN_KEEP_IDLE	240	/* seconds of silence */
#define LISTEN_KEEP_INTERVAL	60	/* seconds from probe to probe */
#define LISTEN_KEEP_COUNT	5	/* without an answer: it is gone */

struct listen_ops {
	/* One more connection, not blocking, close on exec; the callee has to
	 * close it. */
	void	(*take)(int fd, const struct sockaddr *,
		    const struct conf_listen *);
	/* What a client is told when there are no descriptors; "" nothing. */
	const char *(*busy)(const struct conf_listen *);
};

/* Listen on fd, that of conf->listen[index]; takes fd.  ops live on. */
void	 listen_add(const struct listen_ops *, uint16_t index, int fd);
/* Close all; maild sends new ones (reload). */
void	 listen_drop(void);
/* Accept no more; the process ends. */
void	 listen_stop(void);
/* Say a last word and close. */
void	 listen_refuse(int fd, const char *text);

#endif
