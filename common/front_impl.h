/*
 * What front.c and front_listen.c share.  Nobody else includes this.
 * Included after front.h.
 */
#ifndef FRONT_IMPL_H
#define FRONT_IMPL_H

/* Connections of one source that have not logged in; those that have are
 * counted by account. */
#define FRONT_PENDING_MAX	200

/* front.c */
bool	 front_room(void);
bool	 front_implicit(enum conf_protocol);
const char *front_bye(enum front_end);
void	 front_new(int fd, const struct conn *, enum conf_protocol,
	    bool plaintext);

/* front_listen.c */
void	 front_listen(uint16_t index, int fd);
void	 front_listen_drop(void);	/* close all */
void	 front_listen_stop(void);
#endif
