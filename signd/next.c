/*
 * Keys that wait: made by mailctl dkim rotate, and not signed with before
 * the world can see them.  signd dkim asks resolve for the record of each,
 * again and again, and tells maild what is there; maild writes it down and
 * starts the generation of signd that signs with the key.  A record counts
 * when it is the only one there and a signature made with the key verifies
 * with it: a verifier does nothing else.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "base/log.h"
#include "base/slice.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "signd/signd.h"

#define WINDOW	16		/* questions under way */
#define NAME_MAX_ (2 * 256 + 12)	/* octets of "s._domainkey.d" */

static void	 on_poll(evutil_socket_t, short, void *);
static void	 on_record(const struct dns_ask_r *, void *);
static void	 round_go_on(void);

static struct {
	struct chan	*dns;
	struct event	*timer;		/* NULL: no key waits */
	struct key	*at;		/* to be asked for next in this round */
	unsigned int	 asked;
	uint64_t	 no;		/* of the last question */
} st;

void
next_start(void)
{
	if (key_waiting(NULL) == NULL)
		return;
	if ((st.timer = evtimer_new(proc_base(), on_poll, NULL)) == NULL)
		fatalx("no event");
}

static void
on_gone(struct chan *c, void *arg)
{
	if (st.dns == c)
		st.dns = NULL;
}

void
next_channel(int fd)
{
	static const struct chan_ops ops = { on_gone, NULL };
	static const struct timeval now = { 0, 0 };

	st.dns = chan_new(proc_base(), fd, CHAN_DNS, SIDE_A, NULL, 0, &ops,
	    NULL);
	if (st.timer != NULL && st.asked == 0)
		event_add(st.timer, &now);
}

/* ---- a round ------------------------------------------------------------- */

static void
on_poll(evutil_socket_t fd, short ev, void *arg)
{
	st.at = key_waiting(NULL);
	round_go_on();
}

/* Ask for as many as may be under way; after the last answer of a round the
 * next one is some time off. */
static void
round_go_on(void)
{
	struct timeval poll = { (time_t)proc_conf()->dkim.poll, 0 };
	char name[NAME_MAX_];
	struct key *k;

	while ((k = st.at) != NULL && st.asked < WINDOW) {
		snprintf(name, sizeof(name), "%s._domainkey.%s", k->selector,
		    k->domain);
		if (dns_ask(st.dns, ++st.no, name, DNS_TXT, on_record,
		    k) == 0) {
			st.at = NULL;	/* resolve is gone: all of it later */
			break;
		}
		st.asked++;
		st.at = key_waiting(k);
	}
	if (st.at == NULL && st.asked == 0)
		event_add(st.timer, &poll);
}

/* ---- an answer ----------------------------------------------------------- */

/* Does the record verify what the key signs? */
static bool
key_proved(struct key *k, struct slice record, const char **why)
{
	uint8_t hash[DKIM_HASH], sig[DKIM_KEYSIG_MAX];
	ssize_t n;

	randombytes_buf(hash, sizeof(hash));
	*why = "the key does not sign";
	return (n = key_sign(k, hash, sig, sizeof(sig))) > 0 &&
	    dkim_key_proves(record, k->type == KEY_ED25519, hash, sig,
	    (size_t)n, why) == 1;
}

static enum dkim_seen
record_look(struct key *k, const struct dns_ask_r *r, const char **why)
{
	struct slice record = { NULL, 0 };
	struct item_rr rr;
	size_t off = 0, n = 0;

	*why = "";
	if (r == NULL || r->status == DNS_TEMP)
		return SEEN_TEMP;
	while (r->status == DNS_OK && item_rr_get(r->rrs, &off, &rr) == 1)
		if (rr.type == DNS_TXT && n++ == 0)
			record = rr.data;
	if (n == 0)
		return SEEN_NONE;
	if (n > 1)		/* RFC 6376 3.6.2.2: results are undefined */
		return SEEN_MANY;
	if (!key_proved(k, record, why))
		return SEEN_OTHER;
	*why = "";
	return SEEN_KEY;
}

/* The record is told each time: maild may have failed to act on it. */
static void
on_record(const struct dns_ask_r *r, void *arg)
{
	static const char *const word[] = {
		[SEEN_NONE] = "none", [SEEN_OTHER] = "other",
		[SEEN_MANY] = "several", [SEEN_TEMP] = "no-answer",
		[SEEN_KEY] = "right",
	};
	struct key *k = arg;
	struct dkim_seen_ev ev = { slice_str(k->name), 0 };
	const char *why;

	ev.seen = (uint8_t)record_look(k, r, &why);
	st.asked--;
	if (ev.seen != k->seen)
		log_notice("dkim waits domain=%s selector=%s record=%s%s%s",
		    k->domain, k->selector, word[ev.seen],
		    *why != '\0' ? ": " : "", why);
	if ((ev.seen != k->seen || ev.seen == SEEN_KEY) && proc_main() != NULL)
		chan_send(proc_main(), DKIM_SEEN_EV, &ev, NULL, 0);
	k->seen = ev.seen;
	round_go_on();
}
