/*
 * From resolve to an evaluation: what CHAN_DNS said, put among the answers
 * that common/verify works with.
 */
#include "base/compat.h"

#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"

void
dns_answer(struct answers *a, const char *name, enum dns_type type,
    const struct dns_ask_r *r)
{
	enum dns_status status = DNS_TEMP;
	struct rr rr[ANSWER_RRS];
	struct item_rr item;
	size_t n = 0, off = 0;

	if (r != NULL && r->status <= DNS_TEMP)
		status = (enum dns_status)r->status;
	if (status == DNS_OK)
		while (n < ANSWER_RRS && item_rr_get(r->rrs, &off, &item) == 1)
			if (item.type == type)
				rr[n++] = (struct rr){ item.pref, item.data };
	answers_put(a, name, type, status, rr, n);
}
