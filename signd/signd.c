/*
 * signd, the role: answers requests for signatures from keys that never
 * leave it.  As "tls" it signs handshakes of the fronts; as "dkim" it gives
 * tickets to smtpd and queue, signs what relay sends, and asks resolve for
 * the records of keys that wait (next.c).  No network, no files after
 * the start.  Each instance knows only its own requests, each
 * channel only those of its peer.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/cap.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/connid.h"
#include "signd/signd.h"

#define PEERS_MAX	256
#define WRONG_MAX	16	/* wrong texts before a channel is ended */
#define TICKET_MARGIN	(5 * 86400)	/* s a ticket outlives the queue */
#define SIGNATURE_MAX	8192
#define HEAD_MAX	(256 * 1024)	/* octets of a head in a file */
#define LOOK_SECONDS	3600		/* at the dates of certificates */

struct peer {
	enum proc_role	 role;
	uint16_t	 instance;
	struct chan	*chan;
	unsigned int	 wrong;
};

struct secrets {
	uint8_t	sender[32], ticket[32];
};

static void	 on_tls(struct chan *, struct msg *, void *);
static void	 on_ticket(struct chan *, struct msg *, void *);
static void	 on_dkim(struct chan *, struct msg *, void *);

static const struct chan_handler tls_handlers[] = {
	{ SIGN_TLS,	on_tls },
};
static const struct chan_handler ticket_handlers[] = {
	{ SIGN_TICKET,	on_ticket },
};
static const struct chan_handler relay_handlers[] = {
	{ SIGN_DKIM,	on_dkim },
};

static struct {
	struct secrets	*secrets;	/* sodium_malloc, read-only */
	size_t		 npeers;
	size_t		 nunused;	/* keys that are not used */
	char		 unused[300];	/* the first of them, and why */
} st;

/* ---- peers --------------------------------------------------------------- */

static void
on_gone(struct chan *c, void *arg)
{
	st.npeers--;
	free(arg);
}

/* A request that an honest peer does not make; too many end its channel. */
static void
peer_wrong(struct peer *p, const char *what)
{
	log_warnx("%s[%u] asked for a signature refused: %s",
	    proc_name(p->role), p->instance, what);
	if (++p->wrong < WRONG_MAX)
		return;
	log_warnx("%s[%u] cut off", proc_name(p->role), p->instance);
	chan_free(p->chan);
	st.npeers--;
	free(p);
}

static void
peer_new(enum proc_role role, uint16_t instance, int fd,
    const struct chan_handler *h, size_t n)
{
	static const struct chan_ops ops = { on_gone, NULL };
	struct peer *p = xcalloc(1, sizeof(*p));

	if (++st.npeers > PEERS_MAX)
		fatalx("too many peers");
	p->role = role;
	p->instance = instance;
	p->chan = chan_new(proc_base(), fd, CHAN_SIGN, SIDE_B, h, n, &ops, p);
}

/* ---- tls ----------------------------------------------------------------- */

static void
on_tls(struct chan *c, struct msg *m, void *arg)
{
	struct peer *p = arg;
	const struct sign_tls *q = &m->body->sign_tls;
	struct sign_tls_r r = { 0 };
	uint8_t sig[1024];
	struct key *k = key_by_spki(&q->spki);
	bool right = tls_text_ok(q->version, q->text);
	ssize_t n = -1;

	if (right && k != NULL)
		n = tls_sign(k, q, sig, sizeof(sig));
	if (n > 0) {
		r.ok = 1;
		r.sig = slice_of((const char *)sig, (size_t)n);
	}
	chan_reply(c, m->id, SIGN_TLS_R, &r, NULL, 0);
	if (!right)
		peer_wrong(p, "not the text of a TLS server");
	else if (k == NULL)
		log_notice("%s[%u] asked for a key that is not here",
		    proc_name(p->role), p->instance);
	else if (n <= 0)
		log_notice("%s[%u] TLS signature failed key=%s digest=%u "
		    "padding=%u", proc_name(p->role), p->instance, k->name,
		    q->digest, q->padding);
}

/* ---- dkim ---------------------------------------------------------------- */

/* Did authd say so for this connection, which is the asker's own?  queue
 * speaks for the system itself. */
static bool
sender_proved(const struct peer *p, const struct sign_ticket *q, uint64_t now)
{
	struct msg_mac want;

	if (p->role == ROLE_QUEUE)
		return q->account == 0;
	if (q->account == 0 || !connid_of(q->conn, p->role, p->instance) ||
	    q->expires <= now)
		return false;
	cap_sender(&want, st.secrets->sender, q->conn, q->account, q->domain,
	    q->expires);
	return cap_equal(&want, &q->token);
}

static void
on_ticket(struct chan *c, struct msg *m, void *arg)
{
	struct peer *p = arg;
	const struct sign_ticket *q = &m->body->sign_ticket;
	struct sign_ticket_r r = { .result = SIGN_REFUSED };
	uint64_t now = now_sec();
	struct ticket t = { .account = q->account, .issued = now,
	    .expires = now + proc_conf()->queue.expire + TICKET_MARGIN,
	    .bodyhash = q->bodyhash, .fromhash = q->fromhash,
	    .has7 = q->has7 != 0, .bodyhash7 = q->bodyhash7 };
	uint8_t buf[TICKET_MAX];
	bool proved = sender_proved(p, q, now);

	if (proved && !key_has_domain(q->domain))
		r.result = SIGN_NOKEY;
	else if (proved &&
	    slice_cpy(q->domain, t.domain, sizeof(t.domain)) == 0) {
		r.result = SIGN_OK;
		r.ticket = slice_of((const char *)buf,
		    ticket_make(&t, st.secrets->ticket, buf));
	}
	chan_reply(c, m->id, SIGN_TICKET_R, &r, NULL, 0);
	if (!proved && q->expires > now)
		peer_wrong(p, "a ticket without authd's word");
}

/* The head to sign: in the message or, a large one, in a file.  That is
 * copied first: what is checked is what is signed.  0, -1: no such thing. */
static int
head_get(const struct msg *m, struct slice *head)
{
	static char buf[HEAD_MAX];
	const struct sign_dkim *q = &m->body->sign_dkim;
	struct stat sb;

	*head = q->headers;
	if (m->fd[0] == -1)
		return q->size == 0 ? 0 : -1;
	if (q->headers.n > 0 || q->size == 0 || q->size > sizeof(buf) ||
	    q->offset > INT64_MAX - sizeof(buf) ||
	    fstat(m->fd[0], &sb) == -1 || !S_ISREG(sb.st_mode) ||
	    pread_all(m->fd[0], buf, q->size, (off_t)q->offset) == -1)
		return -1;
	*head = slice_of(buf, q->size);
	return 0;
}

/* The body hash is that of the form that is asked for.  0, -1. */
static int
ticket_form(struct ticket *t, unsigned int form)
{
	if (form == SIGN_7BIT && t->has7)
		t->bodyhash = t->bodyhash7;
	else if (form != SIGN_AS_IT_CAME)
		return -1;
	return 0;
}

static void
on_dkim(struct chan *c, struct msg *m, void *arg)
{
	struct peer *p = arg;
	const struct sign_dkim *q = &m->body->sign_dkim;
	const struct conf *conf = proc_conf();
	struct dkim_options o = { .headers = conf->dkim.headers,
	    .expire = conf->dkim.expire, .now = now_sec() };
	struct sign_dkim_r r = { .result = SIGN_REFUSED };
	char sig[SIGNATURE_MAX];
	struct ticket t;
	struct slice head;
	bool right = head_get(m, &head) == 0;
	ssize_t n;

	if (!right)
		;
	else if (ticket_check(q->ticket, st.secrets->ticket, o.now, &t) == -1)
		log_notice("dkim ticket refused");
	else if (ticket_form(&t, q->form) == -1)
		log_notice("dkim refused domain=%s account=%u: no ticket for "
		    "that form", t.domain, t.account);
	else if (!dkim_from_ok(head, &t))
		log_notice("dkim refused domain=%s account=%u: From is not "
		    "that of the ticket", t.domain, t.account);
	else if ((n = dkim_sign(head, &t, &o, sig, sizeof(sig))) > 0) {
		r.result = SIGN_OK;
		r.signature = slice_of(sig, (size_t)n);
	} else if (n == 0)
		r.result = SIGN_NOKEY;
	else
		log_warnx("dkim failed domain=%s", t.domain);
	chan_reply(c, m->id, SIGN_DKIM_R, &r, NULL, 0);
	if (!right)
		peer_wrong(p, "a head that cannot be read");
}

/* ---- the roles ----------------------------------------------------------- */

void
signd_memory(void)
{
	key_memory();
	if (sodium_init() == -1 ||
	    (st.secrets = sodium_malloc(sizeof(*st.secrets))) == NULL)
		fatalx("no memory for secrets");
	memset(st.secrets, 0, sizeof(*st.secrets));
}

/* NULL, or why it is not used. */
static const char *
role_key(enum key_use use, struct slice name, int fd)
{
	const char *why;

	if (key_read(name, fd, use, &why) == 0)
		return NULL;
	log_warnx("key %s is not used: %s", log_text(name.p, name.n), why);
	if (st.nunused++ == 0)
		snprintf(st.unused, sizeof(st.unused), "%s is not used: %s",
		    log_text(name.p, name.n), why);
	return why;
}

/* What such a key would sign leaves without its signature, or another's. */
static void
unused_tell(void)
{
	if (st.nunused > 1)
		proc_impaired("keys", "%zu keys are not used; key %s; put the "
		    "right ones in place, then: mailctl reload", st.nunused,
		    st.unused);
	else if (st.nunused == 1)
		proc_impaired("keys", "key %s; put the right one in place, "
		    "then: mailctl reload", st.unused);
}

void
signd_tls_file(enum conf_file_kind kind, uint16_t index, struct slice name,
    int fd)
{
	const char *why;

	if (kind == FILE_TLS_CHAIN)
		cert_read(index, name, fd);
	else if (kind != FILE_TLS_KEY)
		fatalx("file kind %d is not for signd tls", kind);
	else if ((why = role_key(USE_TLS, name, fd)) != NULL)
		cert_unused(index, name, why);
}

void
signd_dkim_file(enum conf_file_kind kind, uint16_t index, struct slice name,
    int fd)
{
	if (kind != FILE_DKIM_KEY && kind != FILE_DKIM_NEXT)
		fatalx("file kind %d is not for signd dkim", kind);
	(void)role_key(kind == FILE_DKIM_KEY ? USE_DKIM : USE_NEXT, name, fd);
}

void
signd_dkim_secret(enum conf_secret_kind kind, const uint8_t key[32])
{
	if (kind == SECRET_SENDER)
		memcpy(st.secrets->sender, key, 32);
	else if (kind == SECRET_TICKET)
		memcpy(st.secrets->ticket, key, 32);
	else
		fatalx("secret %d is not for signd", kind);
}

void
signd_tls_load(const struct conf *conf)
{
	cert_check(conf->hostname);
}

static void
common_start(void)
{
	sodium_mprotect_readonly(st.secrets);
	log_info("%zu keys", key_count());
	unused_tell();
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	cert_tell();
}

void
signd_tls_start(const struct conf *conf)
{
	static const struct timeval tv = { LOOK_SECONDS, 0 };
	struct event *look = event_new(proc_base(), -1, EV_PERSIST, on_look,
	    NULL);

	common_start();
	cert_tell();
	if (look == NULL || event_add(look, &tv) == -1)
		fatalx("no event");
}

void
signd_dkim_start(const struct conf *conf)
{
	common_start();
	next_start();
}

void
signd_tls_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind != CHAN_SIGN || (peer != ROLE_SMTPD && peer != ROLE_IMAPD &&
	    peer != ROLE_POP3D))
		fatalx("channel kind %d to %s is not for signd tls", kind,
		    proc_name(peer));
	peer_new(peer, instance, fd, tls_handlers, NITEMS(tls_handlers));
}

void
signd_dkim_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind == CHAN_DNS && peer == ROLE_RESOLVE) {
		next_channel(fd);
		return;
	}
	if (kind != CHAN_SIGN)
		fatalx("channel kind %d is not for signd dkim", kind);
	if (peer == ROLE_RELAY)
		peer_new(peer, instance, fd, relay_handlers,
		    NITEMS(relay_handlers));
	else if (peer == ROLE_SMTPD || peer == ROLE_QUEUE)
		peer_new(peer, instance, fd, ticket_handlers,
		    NITEMS(ticket_handlers));
	else
		fatalx("channel to %s is not for signd dkim",
		    proc_name(peer));
}
