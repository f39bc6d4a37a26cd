/*
 * report-in: takes the reports that others send about us (DMARC aggregate
 * and failure reports, abuse reports, TLS reports) from queue, reads and
 * keeps them, and tells mailctl what they say.  No network, no way to send
 * anything: what it unpacks and parses comes from anybody.
 *
 * One message is handled in a turn of the event loop.  It takes at most
 * what 64 MiB of XML take, a second or two; commands go on between two.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/header.h"
#include "parse/words.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define WAITING_MAX	64		/* messages that wait for their turn;
					   queue has fewer at once */
#define EXPIRE_SECONDS	3600
#define AGAIN_SECONDS	1	/* till what could not be read is tried again */
#define RAW_MAX		(16U << 20)	/* octets of a message kept raw */
#define MIME_MORE	(1U << 20)	/* of a message around a report */

struct waiting {
	struct waiting	*next;
	struct chan	*chan;		/* NULL: nobody waits */
	uint32_t	 ask;
	int		 fd;
	uint64_t	 offset, size, received;
	char		*sid, *trace;
	uint8_t		*targets;
	size_t		 tracen, targetsn;
};

static void	 on_message(struct chan *, struct msg *, void *);
static void	 on_forget(struct chan *, struct msg *, void *);
static void	 on_gone(struct chan *, void *);
static void	 on_turn(evutil_socket_t, short, void *);
static void	 on_expire(evutil_socket_t, short, void *);
static void	 on_again(evutil_socket_t, short, void *);

static const struct chan_handler handlers[] = {
	{ DELIVER_MSG,		on_message },
	{ DELIVER_FORGET_EV,	on_forget },
};

static struct {
	struct in_house	 house;
	char		*domain[CONF_NLIST];
	struct chan	*queue;
	struct waiting	*first, **last;
	size_t		 n;
	struct event	*turn, *expire, *again;
} in;

/* ---- answers ------------------------------------------------------------- */

static const struct answer_text {
	enum delivery_result result;
	const char	*status, *text;
} answers[] = {
	[STORE_DONE] = { DELIVERY_OK, "2.0.0", "" },
	[STORE_AGAIN] = { DELIVERY_OK, "2.0.0", "was there already" },
	[STORE_FULL] = { DELIVERY_TEMP, "4.3.1", "report store is full" },
	[STORE_BUSY] = { DELIVERY_TEMP, "4.3.2", "too many messages wait" },
	[STORE_FAILED] = { DELIVERY_TEMP, "4.3.0", "storage error" },
	[STORE_LARGE] = { DELIVERY_PERM, "5.3.4", "too large for a report" },
};

static void
answer(struct chan *c, uint32_t ask, struct slice targets, enum store_answer a)
{
	static uint8_t buf[14336];
	struct item_result it = { .result = (uint8_t)answers[a].result,
	    .status = slice_str(answers[a].status), .mta = { "", 0 },
	    .text = slice_str(answers[a].text) };
	struct deliver_msg_r r;
	struct item_target t;
	size_t from = 0, off = 0;

	while (item_target_get(targets, &from, &t) == 1) {
		it.index = t.index;
		if (item_result_put(buf, sizeof(buf), &off, &it) == -1)
			break;		/* queue asks again for the rest */
	}
	r.results = slice_of((char *)buf, off);
	chan_reply(c, ask, DELIVER_MSG_R, &r, NULL, 0);
}

/* ---- one message --------------------------------------------------------- */

/* What stands in the head whether it could be read or not. */
static void
head_fill(struct in_head *h, const struct waiting *w, struct slice msg)
{
	struct slice header = slice_of(msg.p, header_len(msg.p, msg.n));
	struct header_field f;
	char text[4 * IN_TEXT];

	h->received = w->received;
	h->size = w->size;
	sender_domain(header, h->sender);
	h->trust = sender_trust(slice_of(w->trace, w->tracen), h->sender);
	if (header_find(header, "Subject", 0, &f) == 1)
		text_clean(slice_of(text, words_decode(f.value, text,
		    sizeof(text))), h->subject, sizeof(h->subject));
}

static void
log_kept(const struct waiting *w, const struct in_head *h, enum store_answer a)
{
	const char *what = h->kind == IN_RAW ? h->reason : h->form;

	const char *end = a == STORE_DONE ? "kept" : answers[a].text;

	log_info("%s report result=\"%s\" kind=%s%s%s messages=%llu trust=%s "
	    "sender=<%s> domain=%s org=%s", w->sid, end,
	    log_quote(what, strlen(what)),
	    h->mended[0] != '\0' ? " mended=" : "", h->mended[0] != '\0' ?
	    log_quote(h->mended, strlen(h->mended)) : "",
	    (unsigned long long)h->messages, trust_name(h->trust),
	    log_text(h->sender, strlen(h->sender)),
	    log_text(h->domain, strlen(h->domain)),
	    log_text(h->org, strlen(h->org)));
}

static void
raw_make(struct in_report *r, const char *why)
{
	memset(&r->head, 0, sizeof(r->head));
	r->head.kind = IN_RAW;
	strlcpy(r->head.reason, why, sizeof(r->head.reason));
}

static enum store_answer
keep(const struct waiting *w, struct slice msg, const struct msg_id *id)
{
	struct in_report r = { .rows = NULL };
	enum store_answer a;
	const char *why = NULL;

	if (in_read(msg, &r, &in.house, &why) == -1)
		raw_make(&r, why);
	head_fill(&r.head, w, msg);
	a = r.head.kind == IN_RAW && msg.n > RAW_MAX ? STORE_LARGE :
	    store_keep(id, &r, msg);
	log_kept(w, &r.head, a);
	rows_free(r.rows);
	return a;
}

/* One file a message, whatever the number of our addresses it came to; the
 * first id it is known by, or the first there is. */
static enum store_answer
handle(const struct waiting *w)
{
	struct slice targets = { (char *)w->targets, w->targetsn };
	uint64_t max = proc_conf()->reports.max_size;
	size_t off = 0, n = (size_t)w->size;
	struct item_target t;
	struct msg_id id = { { 0 } };
	enum store_answer a = STORE_FAILED;
	bool some = false;
	char *p;

	while (item_target_get(targets, &off, &t) == 1) {
		if (store_dir() == -1)
			return STORE_FAILED;
		if (store_known(&t.id))
			return STORE_AGAIN;
		if (!some)
			id = t.id;
		some = true;
	}
	if (!some)
		return STORE_FAILED;
	if (w->size > max + max / 2 + MIME_MORE && w->size > RAW_MAX)
		return STORE_LARGE;
	p = xcalloc(1, n + 1);
	if (w->fd == -1 || w->offset > INT64_MAX ||
	    pread_all(w->fd, p, n, (off_t)w->offset) == -1)
		log_warnx("%s unread why=\"%s\"", w->sid, strerror(errno));
	else
		a = keep(w, slice_of(p, n), &id);
	free(p);
	return a;
}

static void
waiting_free(struct waiting *w)
{
	close(w->fd);
	free(w->sid);
	free(w->trace);
	free(w->targets);
	free(w);
}

/* By a timeout that is over: what else came goes in between. */
static void
turn_plan(void)
{
	static const struct timeval now = { 0, 0 };

	if (in.first != NULL)
		event_add(in.turn, &now);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *w = in.first;
	enum store_answer a;

	if (w == NULL)
		return;
	if ((in.first = w->next) == NULL)
		in.last = &in.first;
	in.n--;
	a = handle(w);
	if (w->chan != NULL)
		answer(w->chan, w->ask, slice_of((char *)w->targets,
		    w->targetsn), a);
	waiting_free(w);
	turn_plan();
}

/* ---- queue --------------------------------------------------------------- */

static void
on_message(struct chan *c, struct msg *m, void *arg)
{
	const struct deliver_msg *q = &m->body->deliver_msg;
	struct waiting *w;

	if (in.n == WAITING_MAX) {
		answer(c, m->id, q->targets, STORE_BUSY);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct waiting){ .chan = c, .ask = m->id, .fd = m->fd[0],
	    .offset = q->offset, .size = q->size, .received = q->received,
	    .sid = xstrndup(q->sid.p, q->sid.n),
	    .trace = xstrndup(q->trace.p, q->trace.n),
	    .tracen = q->trace.n, .targetsn = q->targets.n };
	w->targets = xcalloc(1, q->targets.n + 1);
	memcpy(w->targets, q->targets.p, q->targets.n);
	m->fd[0] = -1;
	*in.last = w;
	in.last = &w->next;
	in.n++;
	turn_plan();
}

/* A file stays under its name until it ends by age. */
static void
on_forget(struct chan *c, struct msg *m, void *arg)
{
}

static void
drop_waiting(struct chan *c)
{
	struct waiting *w;

	for (w = in.first; w != NULL; w = w->next)
		if (w->chan == c)
			w->chan = NULL;
}

static void
on_gone(struct chan *c, void *arg)
{
	drop_waiting(c);
	if (in.queue == c)
		in.queue = NULL;
}

void
in_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance, int fd)
{
	static const struct chan_ops ops = { on_gone, NULL };

	if (kind != CHAN_DELIVER || peer != ROLE_QUEUE)
		fatalx("channel kind %d to %s is not for report-in", kind,
		    proc_name(peer));
	if (in.queue != NULL) {
		drop_waiting(in.queue);
		chan_free(in.queue);
	}
	in.queue = chan_new(proc_base(), fd, kind, SIDE_B, handlers,
	    NITEMS(handlers), &ops, NULL);
}

/* ---- the role ------------------------------------------------------------ */

/* Names as they are compared. */
void
in_conf(const struct conf *conf)
{
	char name[IN_DOMAIN];
	size_t i;

	for (i = 0; i < in.house.ndomains; i++)
		free(in.domain[i]);
	in.house.ndomains = 0;
	for (i = 0; i < conf->ndomains; i++)
		if (domain_ascii(slice_str(conf->domains[i]), name) == 0)
			in.domain[in.house.ndomains++] = xstrdup(name);
	in.house.domains = in.domain;
	in.house.max_packed = conf->reports.max_size;
}

static void
on_expire(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_sec();

	if (now > proc_conf()->reports.keep)
		store_expire(now - proc_conf()->reports.keep);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	if (command_idle())		/* they count places in the store */
		store_again();
}

void
in_start(const struct conf *conf)
{
	static const struct timeval every = { EXPIRE_SECONDS, 0 };
	static const struct timeval soon = { AGAIN_SECONDS, 0 };

	in.last = &in.first;
	in_conf(conf);
	json_object_seed((size_t)random_u64() | 1);
	store_open(command_removed);
	command_init(&in.house);
	in.turn = event_new(proc_base(), -1, 0, on_turn, NULL);
	in.expire = event_new(proc_base(), -1, EV_PERSIST, on_expire, NULL);
	in.again = event_new(proc_base(), -1, EV_PERSIST, on_again, NULL);
	if (in.turn == NULL || in.expire == NULL || in.again == NULL ||
	    event_add(in.expire, &every) == -1 ||
	    event_add(in.again, &soon) == -1)
		fatalx("event_new");
	on_expire(-1, 0, NULL);
}

void
in_run(uint32_t ask, uint32_t uid, struct slice args)
{
	command_run(ask, args);
}
