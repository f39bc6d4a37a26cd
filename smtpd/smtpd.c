/*
 * smtpd: takes mail in on 25, 587 and 465.  Event driven, many sessions a
 * process, one process a core.  It parses what comes, asks authd about
 * logins, senders and recipients and signd about signatures, and hands
 * sealed messages to queue.  It opens no path, holds no key and can neither
 * relay nor deliver by itself.
 *
 * This file is what all sessions hear: what becomes of the neighbours, and
 * what smtpd adds to a server (net/serve.h).  One session is in session.c.
 */
#include "base/compat.h"

#include "msg/chan.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/serve.h"
#include "smtpd/smtpd.h"

#define STOP_MS		5000		/* to finish what was promised */

static void	 ask_again(enum chan_kind);
static void	 logins_over(uint32_t, enum reply);
static struct serve_limits most(void);
static const char *refusal(enum serve_refusal);
static void	 begin(int, struct conn *, const struct conf_listen *);
static void	 all_over(void);

static const struct neighbour_ops neighbours = { ask_again, logins_over };

static const struct serve_ops serving = {
	.role = ROLE_SMTPD,
	.tls = PROTO_SMTPS,
	.stop_ms = STOP_MS,
	.limits = most,
	.refusal = refusal,
	.begin = begin,
	.stop = all_over,
};

void
smtpd_load(const struct conf *conf)
{
	neighbour_init(&neighbours);
	serve_load(&serving);
}

/* ---- neighbours ---------------------------------------------------------- */

/* What was asked of its last life is asked again, or given up. */
static void
ask_again(enum chan_kind kind)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&smtpd()->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		if (kind == CHAN_DNS)
			judge_again(s);
		else if (s->mail != NULL && s->mail->lost)
			commit_again(s);
	}
}

/* Sessions that are logged in as account, 0: as anybody, end; they hear what
 * became of a message that queue has by now. */
static void
logins_over(uint32_t account, enum reply last)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&smtpd()->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		if (s->authed && (account == 0 || s->account == account))
			session_over(s, last);
	}
}

/* ---- serving ------------------------------------------------------------- */

static struct serve_limits
most(void)
{
	const struct conf *conf = proc_conf();

	return (struct serve_limits){ conf->smtp.max_connections,
	    conf->smtp.max_per_source };
}

static const char *
refusal(enum serve_refusal why)
{
	static const enum reply replies[] = {
		[SERVE_BUSY] = REPLY_BUSY, [SERVE_MANY] = REPLY_FULL,
		[SERVE_SOURCE] = REPLY_SOURCE,
		[SERVE_PENALTY] = REPLY_PENALTY,
		[SERVE_STOPPING] = REPLY_STOPPING
	};

	return reply_wire(replies[why]);
}

static void
begin(int fd, struct conn *conn, const struct conf_listen *cl)
{
	session_start(fd, conn, cl->protocol, cl->plaintext_auth);
}

/* Sessions whose message is with queue get their answer; the others go. */
static void
all_over(void)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&smtpd()->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		if (s->mail != NULL && s->mail->committing)
			continue;
		session_end(s, REPLY_STOPPING);
		session_run(s);
	}
}
