/*
 * The client side of resolve: what smtpd, relay, queue and signd use to ask
 * for names over CHAN_DNS.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"

#define DNS_WAIT_MS	25000	/* more than resolve takes at most */
#define NBUCKET		64

struct wait {
	LIST_ENTRY(wait) entry;
	struct chan	*chan;
	uint32_t	 id;
	dns_cb		 cb;		/* NULL: forgotten */
	void		*arg;
};

static LIST_HEAD(, wait) waits[NBUCKET];

static void	 on_answer(struct chan *, struct msg *, void *);

uint32_t
dns_ask(struct chan *c, uint64_t whom, const char *name, enum dns_type type,
    dns_cb cb, void *arg)
{
	struct dns_ask ask = { slice_str(name), (uint16_t)type, whom };
	struct wait *w;

	if (c == NULL || ask.name.n > 255)
		return 0;
	w = xcalloc(1, sizeof(*w));
	w->chan = c;
	w->cb = cb;
	w->arg = arg;
	w->id = chan_ask(c, DNS_ASK, &ask, NULL, 0, DNS_WAIT_MS, on_answer, w);
	if (w->id == 0) {
		free(w);
		return 0;
	}
	LIST_INSERT_HEAD(&waits[w->id % NBUCKET], w, entry);
	return w->id;
}

void
dns_forget(struct chan *c, uint32_t id)
{
	struct wait *w;

	LIST_FOREACH(w, &waits[id % NBUCKET], entry)
		if (w->chan == c && w->id == id)
			w->cb = NULL;
}

void
dns_over(struct chan *c, uint64_t whom)
{
	struct dns_over_ev ev = { whom };

	if (c != NULL)
		chan_send(c, DNS_OVER_EV, &ev, NULL, 0);
}

static void
on_answer(struct chan *c, struct msg *m, void *arg)
{
	struct wait *w = arg;

	LIST_REMOVE(w, entry);
	if (w->cb != NULL)
		w->cb(m != NULL ? &m->body->dns_ask_r : NULL, w->arg);
	free(w);
}

void
dns_reverse(const struct msg_addr *addr, char *out)
{
	static const char hex[] = "0123456789abcdef";
	struct slice tail = SLICE_LIT("in-addr.arpa");
	unsigned int b;
	int i;

	if (addr->family == 6) {
		tail = SLICE_LIT("ip6.arpa");
		for (i = 15; i >= 0; i--) {
			*out++ = hex[addr->b[i] & 15];
			*out++ = '.';
			*out++ = hex[addr->b[i] >> 4];
			*out++ = '.';
		}
	} else {
		for (i = 3; i >= 0; i--) {
			b = addr->b[i];
			if (b >= 100)
				*out++ = (char)('0' + b / 100);
			if (b >= 10)
				*out++ = (char)('0' + b / 10 % 10);
			*out++ = (char)('0' + b % 10);
			*out++ = '.';
		}
	}
	memcpy(out, tail.p, tail.n + 1);
}
