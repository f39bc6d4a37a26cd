/*
 * What the log is told of clients that log in and out: the same words at every
 * front.  etc/fail2ban reads them; maild(8) lists them.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "conf/conf.h"

struct login {
	uint64_t	 conn;		/* connid.h */
	const struct msg_addr *peer;
	enum conf_protocol protocol;
	struct slice	 user;		/* who it is; of one that failed what
					 * authd lets be told, empty: nothing */
	uint32_t	 account;
	const char	*hidden;	/* capabilities, or NULL */
};

/* How it went; tls as io_tls_text() has it.  wait_ms: authd lets the client
 * wait so long for its answer. */
void	 login_log(const struct login *, enum auth_result, const char *tls,
	    unsigned int wait_ms);
/* The connection ends so long after the login. */
void	 logout_log(const struct login *, uint64_t seconds);

#endif
