/*
 * A message that queue wants sent: its envelope, its descriptor (read only,
 * at an offset), what became of each recipient.  relay adds nothing to a
 * message but the signature; the trace fields were made by smtpd.
 *
 * BUGS: a head whose signed fields exceed one channel message (14 KiB, say
 * 500 addresses in To:) goes out unsigned, and of one above that size only
 * the fields below count, whatever dkim.headers says.
 */
#include "compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "dns.h"
#include "io.h"
#include "log.h"
#include "util.h"
#include "relay.h"

#define HEAD_MAX	(256 * 1024)	/* octets looked through for fields */
#define TARGETS_MAX	1024
#define RESULTS_MAX	14336		/* octets of RELAY_MSG_R.results */
#define RESULT_FIXED	32		/* of an item besides mta and text */

/* A head too large to be shown whole is shown without what is not signed.
 * The first ones are oversigned: if one of them does not fit, the signature
 * would be wrong.  From: is what signd checks. */
#define FIELDS_NEEDED	12
static const char *const signed_fields[] = {
	"From", "Subject", "Date", "To", "Cc", "Message-ID", "Reply-To",
	"In-Reply-To", "References", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "Sender", "List-Id", "List-Post",
	"List-Unsubscribe", "List-Unsubscribe-Post", "List-Help",
	"List-Subscribe", "List-Owner", "List-Archive", "Content-ID",
	"Content-Description", "Content-Disposition", "Resent-From",
	"Resent-Date", "Resent-To", "Resent-Cc", "Resent-Message-ID",
	"Resent-Sender", "Auto-Submitted"
};

static int	 message_targets(struct message *, struct slice);
static char	*head_read(const struct message *, size_t *);
static ssize_t	 head_select(struct slice, char *, size_t);
static int	 field_index(struct slice);
static bool	 text_clean(struct slice, bool *);
static void	 result_log(const struct message *, const struct rcpt *,
	    const char *, const char *);
static void	 results_put(const struct message *, uint8_t *, size_t *);

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
	size_t i;
	int c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c < 32 || c == 127 || c == '<' || c == '>')
			return false;
		if (c > 127)
			*utf8 = true;
	}
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
	close(m->fd);
	free(m);
}

/* ---- the head ---- */

ssize_t
message_head(const struct message *m, char *buf, size_t size)
{
	struct slice rest;
	struct header_field f;
	size_t n;
	char *head;
	ssize_t ret = -1;

	if ((head = head_read(m, &n)) == NULL)
		return -1;
	n = header_len(head, n);
	rest = slice_of(head, n);
	if (header_find(rest, "From", 0, &f)) {
		/* Without the empty line. */
		while (n > 0 && header_next(&rest, &f))
			n = (size_t)(f.raw.p + f.raw.n - head);
		if (n <= size) {
			memcpy(buf, head, n);
			ret = (ssize_t)n;
		} else
			ret = head_select(slice_of(head, n), buf, size);
	}
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
			log_warn("%s relay read message", m->sid);
			free(p);
			return NULL;
		}
		if (*n == want || header_len(p, *n) < *n)
			return p;
		free(p);
		*n = want;
	}
}

/* The fields worth signing, in order; every field of a name or none, for a
 * verifier counts them from the end. */
static ssize_t
head_select(struct slice head, char *buf, size_t size)
{
	size_t total[NITEMS(signed_fields)] = { 0 }, i, used = 0, n = 0;
	bool take[NITEMS(signed_fields)] = { false };
	struct header_field f;
	struct slice rest;
	int k;

	for (rest = head; header_next(&rest, &f); )
		if ((k = field_index(f.name)) != -1)
			total[k] += f.raw.n;
	for (i = 0; i < NITEMS(signed_fields); i++)
		if (total[i] <= size - used) {
			take[i] = true;
			used += total[i];
		} else if (i < FIELDS_NEEDED)
			return 0;
	for (rest = head; header_next(&rest, &f); )
		if ((k = field_index(f.name)) != -1 && take[k]) {
			memcpy(buf + n, f.raw.p, f.raw.n);
			n += f.raw.n;
		}
	return (ssize_t)n;
}

static int
field_index(struct slice name)
{
	size_t i;

	for (i = 0; i < NITEMS(signed_fields); i++)
		if (slice_caseis(name, signed_fields[i]))
			return (int)i;
	return -1;
}

/* ---- results ---- */

void
message_result(struct message *m, size_t i, const struct reason *why)
{
	struct rcpt *r = &m->rcpt[i];

	if (r->done)
		return;
	r->done = true;
	r->why = *why;
}

void
message_fail(struct message *m, const struct reason *why)
{
	size_t i;

	for (i = 0; i < m->nrcpt; i++)
		message_result(m, i, why);
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
		results_put(m, buf, &n);
		r.results = slice_of((const char *)buf, n);
		chan_reply(m->queue, m->ask, RELAY_MSG_R, &r, NULL, 0);
	}
	relay_message_gone(m);
	message_free(m);
}

static void
result_log(const struct message *m, const struct rcpt *r, const char *relay,
    const char *tls)
{
	static const char *const word[] = {
		[DELIVERY_OK] = "sent",
		[DELIVERY_TEMP] = "deferred",
		[DELIVERY_PERM] = "failed",
	};
	char text[REASON_TEXT], *p;

	/* Printable already; a quote would end it early. */
	(void)strlcpy(text, r->why.text, sizeof(text));
	for (p = text; (p = strchr(p, '"')) != NULL; )
		*p = '\'';
	log_info("%s relay to=<%s> relay=%s tls=%s status=%s dsn=%s "
	    "delay=%.3f text=\"%s\"", m->sid,
	    log_text(r->address, strlen(r->address)), relay, tls,
	    word[r->why.result], r->why.status,
	    (double)(now_ms() - m->since) / 1000, text);
}

/* Texts are cut where many recipients must fit into one answer. */
static void
results_put(const struct message *m, uint8_t *buf, size_t *n)
{
	size_t i, share = RESULTS_MAX / m->nrcpt, room, mta, text;
	const struct rcpt *r;
	struct item_result item;

	room = share > RESULT_FIXED ? share - RESULT_FIXED : 0;
	for (i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		mta = strlen(r->why.mta);
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
			log_warnx("%s relay results do not fit", m->sid);
			return;
		}
	}
}
