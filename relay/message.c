/*
 * A message that queue wants sent: its envelope, its descriptor (read only,
 * at an offset), what became of each recipient.  relay adds nothing to a
 * message but the signature; the trace fields were made by smtpd.  What is
 * made 7-bit for a host is convert.c's.
 *
 * BUGS: a head of more than 256 KiB or 2000 fields goes out unsigned, and one
 * of more than 14 KiB when it is made 7-bit.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/header.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "net/io.h"
#include "relay/relay.h"

#define HEAD_MAX	(256 * 1024)	/* octets looked through for fields */
#define TARGETS_MAX	1024
#define RESULTS_MAX	14336		/* octets of RELAY_MSG_R.results */
#define RESULT_FIXED	32		/* of an item besides mta and text */

static int	 message_targets(struct message *, struct slice);
static char	*head_read(const struct message *, size_t *);
static bool	 text_clean(struct slice, bool *);
static void	 result_log(const struct message *, struct rcpt *,
	    const char *, const char *);
static bool	 rcpt_certain(const struct rcpt *);
static void	 results_put(const struct message *,
	    bool (*)(const struct rcpt *), uint8_t *, size_t *);

struct message *
message_new(struct chan *queue, struct msg *msg)
{
	const struct relay_msg *b = &msg->body->relay_msg;
	struct message *m = xcalloc(1, sizeof(*m));

	m->queue = queue;
	m->ask = msg->id;
	m->since = now_ms();
	m->fd = msg->fd[0];
	msg->fd[0] = -1;
	m->flags = b->flags;
	m->facts = b->facts;
	m->offset = b->offset;
	m->size = b->size;
	m->sid = xstrndup(b->sid.p, b->sid.n);
	m->sender = xstrndup(b->sender.p, b->sender.n);
	m->domain = xstrndup(b->domain.p, b->domain.n);
	m->ticket = xstrndup(b->ticket.p, b->ticket.n);
	m->nticket = b->ticket.n;
	m->trace = xstrndup(b->trace.p, b->trace.n);
	m->ntrace = b->trace.n;
	if (m->offset > INT64_MAX || m->size > INT64_MAX - m->offset ||
	    !text_clean(b->sender, &m->utf8) ||
	    message_targets(m, b->targets) == -1) {
		message_free(m);
		return NULL;
	}
	return m;
}

static int
message_targets(struct message *m, struct slice list)
{
	struct item_rcptto to;
	size_t off = 0, n = 0;
	int r;

	while ((r = item_rcptto_get(list, &off, &to)) == 1)
		n++;
	if (r == -1 || n == 0 || n > TARGETS_MAX)
		return -1;
	m->rcpt = xcalloc(n, sizeof(*m->rcpt));
	for (off = 0; m->nrcpt < n; m->nrcpt++) {
		item_rcptto_get(list, &off, &to);
		if (!text_clean(to.address, &m->utf8) || to.address.n == 0)
			return -1;
		m->rcpt[m->nrcpt].index = to.index;
		m->rcpt[m->nrcpt].address = xstrndup(to.address.p,
		    to.address.n);
	}
	return 0;
}

/* What goes between angle brackets on the wire: queue checked it long ago,
 * smtpd before that, and we once more. */
static bool
text_clean(struct slice s, bool *utf8)
{
	struct address a;

	if (address_parse(s, PATH_NULL | PATH_UTF8, &a, NULL) == -1)
		return false;
	if (a.flags & ADDR_UTF8)
		*utf8 = true;
	return true;
}

void
message_free(struct message *m)
{
	size_t i;

	for (i = 0; i < m->nrcpt; i++)
		free(m->rcpt[i].address);
	free(m->rcpt);
	free(m->sid);
	free(m->sender);
	free(m->domain);
	free(m->ticket);
	free(m->trace);
	free(m->signature);
	convert_free(m);
	close(m->fd);
	free(m);
}

/* ---- the head ---- */

ssize_t
message_fields(struct slice head)
{
	struct slice rest = head;
	struct header_field f;
	ssize_t n = 0;

	if (!header_find(head, "From", 0, &f))
		return -1;
	while (header_next(&rest, &f))
		n = f.raw.p + f.raw.n - head.p;
	return n;
}

ssize_t
message_head(const struct message *m, char *buf, size_t size)
{
	size_t n, len;
	char *head;
	ssize_t ret = 0;

	if ((head = head_read(m, &n)) == NULL)
		return -1;
	len = header_len(head, n);
	if (len < n || m->size <= HEAD_MAX)
		ret = message_fields(slice_of(head, len));
	if (ret > 0 && (size_t)ret <= size)
		memcpy(buf, head, (size_t)ret);
	free(head);
	return ret;
}

static char *
head_read(const struct message *m, size_t *n)
{
	size_t want = m->size < HEAD_MAX ? (size_t)m->size : HEAD_MAX;
	char *p;

	/* Most heads end within the first few thousand octets. */
	*n = want < 8192 ? want : 8192;
	for (;;) {
		p = xcalloc(1, *n + 1);
		if (pread_all(m->fd, p, *n, (off_t)m->offset) == -1) {
			log_warnx("%s unread why=\"%s\"", m->sid,
			    strerror(errno));
			free(p);
			return NULL;
		}
		if (*n == want || header_len(p, *n) < *n)
			return p;
		free(p);
		*n = want;
	}
}

/* ---- results ---- */

size_t
message_rcpt(const struct message *m, size_t i)
{
	while (i < m->nrcpt && (m->rcpt[i].turn == RCPT_LATER ||
	    m->rcpt[i].turn == RCPT_DONE))
		i++;
	return i;
}

static void
rcpt_why(struct rcpt *r, const struct reason *why)
{
	r->why = *why;
	r->told = false;
}

void
message_result(struct message *m, size_t i, const struct reason *why)
{
	struct rcpt *r = &m->rcpt[i];

	if (r->turn != RCPT_ASKED)
		return;
	r->turn = RCPT_SAID;
	rcpt_why(r, why);
}

void
message_results(struct message *m, const struct reason *why)
{
	size_t i;

	for (i = 0; i < m->nrcpt; i++)
		message_result(m, i, why);
}

void
message_note(struct message *m, const struct reason *why)
{
	struct rcpt *r;

	for (r = m->rcpt; r < m->rcpt + m->nrcpt; r++)
		if (r->turn == RCPT_ASKED && !r->why.said)
			rcpt_why(r, why);
}

void
message_unsure(struct message *m, const struct reason *why)
{
	struct rcpt *r;

	for (r = m->rcpt; r < m->rcpt + m->nrcpt; r++)
		if (r->turn == RCPT_ASKED) {
			r->turn = RCPT_DONE;
			rcpt_why(r, why);
		}
}

void
message_fail(struct message *m, const struct reason *why)
{
	size_t i;

	message_turn(m);
	message_note(m, why);
	for (i = 0; i < m->nrcpt; i++)
		m->rcpt[i].turn = RCPT_DONE;
}

void
message_soften(struct message *m)
{
	struct rcpt *r;

	for (r = m->rcpt; r < m->rcpt + m->nrcpt; r++)
		if (r->turn != RCPT_DONE && r->why.result == DELIVERY_PERM)
			reason_later(&r->why);
}

static enum rcpt_turn
turn_after(const struct rcpt *r, bool more)
{
	switch (r->turn) {
	case RCPT_SAID:
		return r->why.result == DELIVERY_TEMP ? RCPT_LATER : RCPT_DONE;
	case RCPT_CROWDED:
		return more ? RCPT_ASKED : RCPT_LATER;
	case RCPT_ASKED:
	case RCPT_LATER:
		return RCPT_LATER;
	case RCPT_DONE:
		break;
	}
	return RCPT_DONE;
}

size_t
message_settle(struct message *m, bool more, const char *relay,
    const char *tls)
{
	struct rcpt *r;
	size_t n = 0;

	for (r = m->rcpt; r < m->rcpt + m->nrcpt; r++) {
		r->turn = turn_after(r, more);
		if (r->turn != RCPT_ASKED && r->why.said)
			result_log(m, r, relay, tls);
		n += r->turn != RCPT_DONE;
	}
	return n;
}

void
message_turn(struct message *m)
{
	struct rcpt *r;

	for (r = m->rcpt; r < m->rcpt + m->nrcpt; r++)
		if (r->turn != RCPT_DONE)
			r->turn = RCPT_ASKED;
}

void
message_done(struct message *m, const char *relay, const char *tls)
{
	static uint8_t buf[RESULTS_MAX];
	struct relay_msg_r r;
	size_t i, n = 0;

	for (i = 0; i < m->nrcpt; i++)
		result_log(m, &m->rcpt[i], relay, tls);
	if (m->queue != NULL) {
		results_put(m, NULL, buf, &n);
		r.results = slice_of((const char *)buf, n);
		chan_reply(m->queue, m->ask, RELAY_MSG_R, &r, NULL, 0);
	}
	m->gone(m);
	message_free(m);
}

static bool
rcpt_certain(const struct rcpt *r)
{
	return r->turn == RCPT_DONE && r->why.result != DELIVERY_TEMP;
}

void
message_said(struct message *m)
{
	static uint8_t buf[RESULTS_MAX];
	struct relay_said_ev e = { .ask = m->ask };
	size_t n = 0;

	results_put(m, rcpt_certain, buf, &n);
	e.results = slice_of((const char *)buf, n);
	if (n > 0 && m->queue != NULL)
		chan_send(m->queue, RELAY_SAID_EV, &e, NULL, 0);
}

static void
result_log(const struct message *m, struct rcpt *r, const char *relay,
    const char *tls)
{
	static const char *const word[] = {
		[DELIVERY_OK] = "sent",
		[DELIVERY_TEMP] = "deferred",
		[DELIVERY_PERM] = "failed",
	};

	if (r->told)
		return;
	r->told = true;
	log_info("%s relay to=<%s> relay=%s tls=%s status=%s dsn=%s "
	    "delay=%.3f text=%s", m->sid,
	    log_text(r->address, strlen(r->address)), relay, tls,
	    word[r->why.result], r->why.status,
	    (double)(now_ms() - m->since) / 1000,
	    log_quote(r->why.text, strlen(r->why.text)));
}

/* Texts are cut where many recipients must fit into one answer.  which: of
 * these alone, NULL all. */
static void
results_put(const struct message *m, bool (*which)(const struct rcpt *),
    uint8_t *buf, size_t *n)
{
	size_t i, share = RESULTS_MAX / m->nrcpt, room, mta, text;
	const struct rcpt *r;
	struct item_result item;

	room = share > RESULT_FIXED ? share - RESULT_FIXED : 0;
	for (i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		if (which != NULL && !which(r))
			continue;
		mta = r->why.said ? strlen(r->why.mta) : 0;
		if (mta > room / 2 || mta > 255)
			mta = 0;
		text = strlen(r->why.text);
		if (text > room - mta)
			text = room - mta;
		item.index = r->index;
		item.result = (uint8_t)r->why.result;
		item.status = slice_str(r->why.status);
		item.mta = slice_of(r->why.mta, mta);
		item.text = slice_of(r->why.text, text);
		if (item_result_put(buf, RESULTS_MAX, n, &item) == -1) {
			log_warnx("%s stuck why=\"results do not fit\"",
			    m->sid);
			return;
		}
	}
}
