/*
 * Lines about logins (login.h).  The peer stands before what the client chose,
 * and the name last: nothing in it can be taken for another peer.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/login.h"

void
login_log(const struct login *l, enum auth_result result, const char *tls,
    unsigned int wait_ms)
{
	static const char *const word[] = {
		[AUTH_OK] = "ok", [AUTH_BAD] = "bad", [AUTH_TEMP] = "later"
	};
	char peer[46], more[LOG_QUOTE_MAX + 64] = "";

	if (result == AUTH_OK && l->hidden != NULL && l->hidden[0] != '\0')
		snprintf(more, sizeof(more), " account=%u hidden=%s",
		    l->account, log_quote(l->hidden, strlen(l->hidden)));
	else if (result == AUTH_OK)
		snprintf(more, sizeof(more), " account=%u", l->account);
	else if (wait_ms > 0)
		snprintf(more, sizeof(more), " wait=%ums", wait_ms);
	(result == AUTH_OK ? log_info : log_notice)
	    ("%s login result=%s peer=%s protocol=%s tls=%s%s user=%s%s%s",
	    connid_text(l->conn), word[result], conn_text(l->peer, peer),
	    conf_protocol_name(l->protocol), tls, more,
	    l->user.n > 0 ? "<" : "unknown", log_text(l->user.p, l->user.n),
	    l->user.n > 0 ? ">" : "");
}

void
logout_log(const struct login *l, uint64_t seconds)
{
	char peer[46];

	log_info("%s logout peer=%s protocol=%s account=%u seconds=%llu "
	    "user=<%s>", connid_text(l->conn), conn_text(l->peer, peer),
	    conf_protocol_name(l->protocol), l->account,
	    (unsigned long long)seconds, log_text(l->user.p, l->user.n));
}
