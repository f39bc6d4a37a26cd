/*
 * relay: takes messages from queue and hands them to mail hosts over SMTP.
 * It may connect outwards and nothing else: no listener, no file, and of
 * messages only those it holds a descriptor of.  A message passes
 * message.c (taken over, signed), dest.c (waits for a
 * connection), session.c and transaction.c (sent); routes come
 * from lookup.c and route.c.
 */
#include "base/compat.h"

#include <sys/resource.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <tls.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define FILE_MAX	(4 * 1024 * 1024)	/* CA bundle, password */
#define SIGN_MS		10000
#define STOP_MS		5000		/* for messages under way */
#define FD_RESERVE	64		/* descriptors that are not messages' */
#define MESSAGES_MAX	4096
#define HEAD_SHOWN	14336		/* octets of SIGN_DKIM.headers */

static void	 on_message(struct chan *, struct msg *, void *);
static void	 on_queue_gone(struct chan *, void *);
static void	 on_dns_gone(struct chan *, void *);
static void	 on_sign_gone(struct chan *, void *);
static void	 on_stop(evutil_socket_t, short, void *);

static void	 message_refuse(struct message *, const char *, const char *);
static void	 message_sign(struct message *);
static void	 on_signed(struct chan *, struct msg *, void *);
static void	 on_converted(struct message *);
static void	 message_sign7(struct message *);
static void	 on_signed7(struct chan *, struct msg *, void *);

static const struct chan_handler queue_handlers[] = {
	{ RELAY_MSG,	on_message },
};
static const struct chan_ops queue_ops = { on_queue_gone, NULL };
static const struct chan_ops dns_ops = { on_dns_gone, NULL };
static const struct chan_ops sign_ops = { on_sign_gone, NULL };

static struct {
	struct chan	*dns, *sign;
	TAILQ_HEAD(, message) messages;
	size_t		 nmessage, max;
	bool		 stopping;
} rl = { .messages = TAILQ_HEAD_INITIALIZER(rl.messages) };

/* ---- start, reload, stop ---- */

void
relay_file(enum conf_file_kind what, uint16_t index, struct slice name, int fd)
{
	size_t n;
	char *p;

	if ((p = read_fd(fd, FILE_MAX, &n)) == NULL)
		log_warn("read %s", log_text(name.p, name.n));
	close(fd);
	if (p == NULL)
		return;
	if (what == FILE_CA)
		starttls_ca(p, n);
	else if (what == FILE_PASSWORD) {
		while (n > 0 && (p[n - 1] == '\n' || p[n - 1] == '\r'))
			n--;
		auth_password(p, n);
	} else
		free(p);
}

void
relay_load(const struct conf *conf)
{
	struct rlimit r;

	rl.max = MESSAGES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 &&
	    r.rlim_cur < 2 * MESSAGES_MAX + FD_RESERVE)
		rl.max = r.rlim_cur > 2 * FD_RESERVE ?
		    (r.rlim_cur - FD_RESERVE) / 2 : FD_RESERVE / 2;
	session_idle_max(rl.max / 2);
	if (tls_init() == -1)
		fatalx("tls_init");
	starttls_configure();
}

void
relay_reload(const struct conf *conf)
{
	starttls_configure();
}

void
relay_stop(void)
{
	const struct timeval tv = { STOP_MS / 1000, 0 };
	struct reason why;

	rl.stopping = true;
	session_idle_max(0);
	reason_set(&why, DELIVERY_TEMP, "4.3.2", "", "shutting down");
	dest_stop(&why, false);
	if (rl.nmessage == 0 ||
	    event_base_once(proc_base(), -1, EV_TIMEOUT, on_stop, NULL,
	    &tv) == -1)
		proc_exit(0);
}

/* What hosts have not answered by now is queue's to try again; what they
 * have answered is told. */
static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct reason why;

	reason_set(&why, DELIVERY_TEMP, "4.3.2", "", "shutting down");
	dest_stop(&why, true);
	proc_exit(0);
}

static void
set_dns(struct chan *c)
{
	rl.dns = c;
	lookup_channel(c);
}

void
relay_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	struct event_base *base = proc_base();

	if (kind == CHAN_RELAY)
		chan_new(base, fd, kind, SIDE_B, queue_handlers,
		    NITEMS(queue_handlers), &queue_ops, NULL);
	else if (kind == CHAN_DNS)
		set_dns(chan_new(base, fd, kind, SIDE_A, NULL, 0, &dns_ops,
		    NULL));
	else if (kind == CHAN_SIGN)
		rl.sign = chan_new(base, fd, kind, SIDE_A, NULL, 0, &sign_ops,
		    NULL);
	else
		fatalx("relay has no channel of kind %d", kind);
}

/* ---- channels ---- */

/* Ends the process when stopping and it was the last one. */
static void
message_gone(struct message *m)
{
	TAILQ_REMOVE(&rl.messages, m, entry);
	if (m->signing != 0)
		chan_forget(m->signer, m->signing);
	rl.nmessage--;
	if (rl.stopping && rl.nmessage == 0)
		proc_exit(0);
}

static void
on_message(struct chan *c, struct msg *msg, void *arg)
{
	const struct relay_msg_r none = { { NULL, 0 } };
	struct message *m;

	if ((m = message_new(c, msg)) == NULL) {
		/* Of queue's own making; it keeps the message. */
		log_warnx("relay: damaged message from queue");
		chan_reply(c, msg->id, RELAY_MSG_R, &none, NULL, 0);
		return;
	}
	m->gone = message_gone;
	m->converted = on_converted;
	TAILQ_INSERT_TAIL(&rl.messages, m, entry);
	rl.nmessage++;
	if (rl.stopping)
		message_refuse(m, "4.3.2", "shutting down");
	else if (rl.nmessage > rl.max)
		message_refuse(m, "4.3.2", "too many messages at once");
	else if (m->nticket > 0)
		message_sign(m);
	else
		dest_add(m);
}

static void
message_refuse(struct message *m, const char *status, const char *text)
{
	struct reason why;

	reason_set(&why, DELIVERY_TEMP, status, "", "%s", text);
	message_fail(m, &why);
	message_done(m, "none", "none");
}

/* Show ticket and head to signd dkim; a head that does not fit is read there
 * out of the message, which is nobody's to write any more. */
static void
message_sign(struct message *m)
{
	static char head[HEAD_SHOWN];
	struct sign_dkim ask = { .offset = 0 };
	ssize_t n;

	if ((n = message_head(m, head, sizeof(head))) == -1) {
		message_refuse(m, "4.3.0", "header cannot be signed");
		return;
	}
	if (n == 0) {
		log_warnx("%s unsigned why=\"its header is too large\"",
		    m->sid);
		dest_add(m);
		return;
	}
	ask.ticket = slice_of(m->ticket, m->nticket);
	if ((size_t)n <= sizeof(head))
		ask.headers = slice_of(head, (size_t)n);
	else {
		ask.offset = m->offset;
		ask.size = (uint32_t)n;
	}
	m->signer = rl.sign;
	m->signing = chan_ask(rl.sign, SIGN_DKIM, &ask, &m->fd,
	    ask.size > 0, SIGN_MS, on_signed, m);
	if (m->signing == 0)
		message_refuse(m, "4.3.0", "no signer");
}

static void
on_signed(struct chan *c, struct msg *answer, void *arg)
{
	const struct sign_dkim_r *r;
	struct message *m = arg;

	m->signing = 0;
	if (answer == NULL) {
		message_refuse(m, "4.3.0", "no answer of the signer");
		return;
	}
	r = &answer->body->sign_dkim_r;
	if (r->signature.n == 0) {
		/* The key is gone, or the ticket is not for this message: it
		 * goes out, but not as vouched for by us. */
		log_warnx("%s unsigned why=\"signd said %u\"", m->sid,
		    r->result);
	} else {
		m->signature = xstrndup(r->signature.p, r->signature.n);
		m->nsignature = r->signature.n;
	}
	dest_add(m);
}

/* It can be sent made 7-bit, but for the signature of that form. */
static void
on_converted(struct message *m)
{
	struct slice none = slice_of("", 0);

	if (convert_state(m) == CONVERT_BUSY && m->nticket > 0) {
		message_sign7(m);
		return;
	}
	if (convert_state(m) == CONVERT_BUSY)
		convert_end(m, CONVERT_READY, none);
	transaction_converted(m->session);
}

static void
message_sign7(struct message *m)
{
	struct slice head = convert_head(m);
	struct sign_dkim ask = { .form = SIGN_7BIT,
	    .ticket = slice_of(m->ticket, m->nticket) };
	ssize_t n = message_fields(head);

	if (n < 0 || (size_t)n > HEAD_SHOWN) {
		log_warnx("%s unsigned why=\"its header, made 7-bit, is %s\"",
		    m->sid, n < 0 ? "without From" : "too large");
		convert_end(m, CONVERT_READY, slice_of("", 0));
		transaction_converted(m->session);
		return;
	}
	ask.headers = slice_of(head.p, (size_t)n);
	m->signer = rl.sign;
	m->signing = chan_ask(rl.sign, SIGN_DKIM, &ask, NULL, 0, SIGN_MS,
	    on_signed7, m);
	if (m->signing == 0) {
		convert_end(m, CONVERT_LATER, slice_of("", 0));
		transaction_converted(m->session);
	}
}

static void
on_signed7(struct chan *c, struct msg *answer, void *arg)
{
	const struct sign_dkim_r *r;
	struct message *m = arg;

	m->signing = 0;
	if (answer == NULL)
		convert_end(m, CONVERT_LATER, slice_of("", 0));
	else {
		r = &answer->body->sign_dkim_r;
		if (r->signature.n == 0)
			log_warnx("%s unsigned why=\"signd said %u\"", m->sid,
			    r->result);
		convert_end(m, CONVERT_READY, r->signature);
	}
	transaction_converted(m->session);
}

/* Queue sends them again, for relaying is at least once: messages whose end
 * was sent are finished, though nobody will hear of it, no other is. */
static void
on_queue_gone(struct chan *c, void *arg)
{
	struct message *m, *next;

	dest_drop(c);
	for (m = TAILQ_FIRST(&rl.messages); m != NULL; m = next) {
		next = TAILQ_NEXT(m, entry);
		if (m->queue != c)
			continue;
		m->queue = NULL;
		if (m->signing != 0 && m->session == NULL) {
			message_gone(m);
			message_free(m);
		}
	}
}

static void
on_dns_gone(struct chan *c, void *arg)
{
	if (rl.dns == c)
		set_dns(NULL);
}

static void
on_sign_gone(struct chan *c, void *arg)
{
	if (rl.sign == c)
		rl.sign = NULL;
}
