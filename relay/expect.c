/*
 * What a session waits for next, and for how long; what its host said, as a
 * reason.  relay; called by all that speak to a host.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "parse/smtp.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define CONNECT_MS	30000

void
session_expect(struct session *s, enum session_state state)
{
	const struct conf *conf = proc_conf();
	uint64_t ms = (uint64_t)conf->relay.timeout * 1000, left;

	s->state = state;
	switch (state) {
	case CONNECT_EXPECTED:
		if (ms > CONNECT_MS)
			ms = CONNECT_MS;
		break;
	case MESSAGE_EXPECTED:
		ms = (uint64_t)conf->relay.idle * 1000;
		break;
	case DRAIN_EXPECTED:	/* at least 1 KiB a second */
		ms += s->size;
		break;
	case END_EXPECTED:	/* RFC 5321 4.5.3.2.6; while queue waits */
		left = RELAY_MS(s->m->size) - (now_ms() - s->m->since);
		ms = ms > left / 2 ? left : ms * 2;
		break;
	case GREETING_EXPECTED:
	case EHLO_EXPECTED:
	case HELO_EXPECTED:
	case STARTTLS_EXPECTED:
	case SECURED_EXPECTED:
	case AUTH_EXPECTED:
	case USER_EXPECTED:
	case PASS_EXPECTED:
	case MAIL_EXPECTED:
	case RCPT_EXPECTED:
	case DATA_EXPECTED:
	case RSET_EXPECTED:
	case CONVERT_EXPECTED:
	case STATE_MAX:
		break;
	}
	smtp_reply_start(&s->reply);
	io_deadline(s->io, ms > INT32_MAX ? INT32_MAX : (unsigned int)ms);
}

const char *
session_host(const struct session *s)
{
	return s->route->host[s->route->addr[s->addr].host].name;
}

void
session_reason(const struct session *s, struct reason *why)
{
	const struct smtp_reply *r = &s->reply;
	char status[STATUS_TEXT], code[STATUS_TEXT + 1] = "";
	enum delivery_result result = DELIVERY_OK;

	strlcpy(status, "2.0.0", sizeof(status));
	if (r->code >= 500) {
		result = DELIVERY_PERM;
		status[0] = '5';
	} else if (r->code >= 300) {
		result = DELIVERY_TEMP;
		status[0] = '4';
	}
	if (r->enhanced[0] != 0) {
		(void)snprintf(status, sizeof(status), "%d.%d.%d",
		    r->enhanced[0], r->enhanced[1], r->enhanced[2]);
		(void)snprintf(code, sizeof(code), "%s ", status);
	}
	reason_set(why, result, status, session_host(s), "%d %s%s", r->code,
	    code, r->text);
	why->said = true;
}
