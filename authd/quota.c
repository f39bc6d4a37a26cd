/*
 * mailctl account quota: what an account may hold.  The table in the
 * database is the one truth; queue and the sessions that are open hear of a
 * change before the operator does.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "conf/quota.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/run.h"

#define WORD_MAX	64

/* A word as the configuration would take it for that key; 0 is no limit. */
static bool
limit_parse(uint32_t ask, struct slice word, const char *name, uint64_t *out)
{
	const struct conf_key *k = conf_find(name);
	union { uint64_t size; unsigned int number; } v = { 0 };
	char text[WORD_MAX];

	if (k == NULL || slice_cpy(word, text, sizeof(text)) == -1 ||
	    conf_parse(k, text, &v) == -1) {
		proc_done(ask, EX_DATAERR, "%s is no %s; would be right: %s, "
		    "default, or none", log_text(word.p, word.n), name,
		    k == NULL ? "" : conf_want(k));
		return false;
	}
	*out = k->type == CT_SIZE ? v.size : v.number;
	if (*out == 0)
		*out = QUOTA_NONE;
	return true;
}

/* What the words behind the address say. */
static bool
quota_parse(uint32_t ask, const struct args *args, struct quota *q)
{
	*q = (struct quota){ QUOTA_DEFAULT, QUOTA_DEFAULT };
	if (args->n == 4 && slice_is(args->v[3], "default"))
		return true;
	if (args->n == 4 && slice_is(args->v[3], "none")) {
		*q = (struct quota){ QUOTA_NONE, QUOTA_NONE };
		return true;
	}
	return limit_parse(ask, args->v[3], "quota", &q->octets) &&
	    (args->n == 4 ||
	    limit_parse(ask, args->v[4], "quota-messages", &q->messages));
}

/* Everybody who has to know. */
static void
quota_tell(const struct account *a)
{
	struct grant_quota_ev ev = { a->id, a->quota.octets,
	    a->quota.messages };

	front_quota_all(a);
	if (proc_main() != NULL)
		chan_send(proc_main(), GRANT_QUOTA_EV, &ev, NULL, 0);
}

void
account_quota_run(uint32_t ask, const struct args *args)
{
	struct account *a = args_account(ask, args->v[2]);
	struct quota q;

	if (a == NULL || (args->n > 3 && !quota_parse(ask, args, &q)))
		return;
	if (args->n > 3) {
		if (db_account_quota(a->id, &q) == -1) {
			args_failed(ask);
			return;
		}
		a->quota = q;
		quota_tell(a);
		q = account_quota(a);
		log_info("account quota address=%s id=%u octets=%llu "
		    "messages=%llu", a->address, a->id,
		    (unsigned long long)q.octets,
		    (unsigned long long)q.messages);
	}
	list_account_row(ask, a, NULL);
	proc_done(ask, EX_OK, "%s", "");
}
