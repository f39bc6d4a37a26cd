/*
 * The verdict on mail from outside (doc/design.md section 5, "evaluate or
 * ask"): common/verify says what SPF, DKIM, DMARC and ARC make of a message,
 * this file brings it the facts as they come, takes its questions to resolve
 * and the answers back.  Questions go out from DATA on, so that most answers
 * are there when the message is; JUDGE_MS later the client hears 451 at the
 * latest.  What follows from a verdict is in policy.c.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "parse/rr.h"
#include "verify/verify.h"
#include "msg/addr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define JUDGE_MS	30000	/* from the end of data to the verdict */
#define JUDGE_LOST_S	20	/* an answer missing sooner was lost */
#define JUDGE_MAX	4096	/* messages judged at a time */
#define SPARE_MAX	64	/* judges kept for the next message */

/* A question on its way; ask 0: resolve is not there. */
struct question {
	LIST_ENTRY(question) entry;
	struct judge	*judge;
	const char	*name;		/* in the answers */
	enum dns_type	 type;
	uint32_t	 ask;
	struct chan	*chan;
	uint64_t	 since;
};

struct judge {
	SLIST_ENTRY(judge) spare;
	struct session	*session;
	struct verdict	*verdict;
	bool		 waiting;	/* the message is whole */
	void		(*judged)(struct session *); /* follows then */
	LIST_HEAD(, question) questions;
};

static struct {
	SLIST_HEAD(, judge) head;
	unsigned int	 n;
	unsigned int	 busy;
	struct verdict_kit *kit;	/* of all */
} spare;

static bool	 is_judged(const struct session *);
static struct judge *judge_new(struct session *);
static void	 judge_facts(struct session *, struct verdict *);
static bool	 judge_run(struct judge *);
static bool	 judge_ask(struct judge *);
static void	 judge_go_on(struct judge *);
static void	 question_send(struct question *);
static void	 question_end(struct question *, const struct dns_ask_r *);
static void	 on_answer(const struct dns_ask_r *, void *);

/* ---- life ---------------------------------------------------------------- */

int
judge_start(struct session *s)
{
	struct judge *j;

	if (!is_judged(s))
		return 0;
	if ((j = judge_new(s)) == NULL)
		return -1;
	s->mail->judge = j;
	judge_facts(s, j->verdict);
	judge_run(j);
	return 0;
}

/* Mail from outside; not of those who may send to anywhere. */
static bool
is_judged(const struct session *s)
{
	static char v4[] = "127.0.0.0/8", v6[] = "::1";
	static char *const local[] = { v4, v6 };
	const struct conf *conf = proc_conf();

	if (s->proto != PROTO_SMTP || s->authed)
		return false;
	if (!conf->verify.loopback &&
	    addr_in(&s->conn.peer, local, NITEMS(local)))
		return false;
	return !addr_in(&s->conn.peer, conf->networks, conf->nnetworks);
}

static struct judge *
judge_new(struct session *s)
{
	struct judge *j;

	if (spare.busy == JUDGE_MAX)
		return NULL;
	if ((j = SLIST_FIRST(&spare.head)) != NULL) {
		SLIST_REMOVE_HEAD(&spare.head, spare);
		spare.n--;
	} else {
		if ((j = calloc(1, sizeof(*j))) == NULL)
			return NULL;
		if (spare.kit == NULL)
			spare.kit = verdict_kit_new();
		if (spare.kit == NULL ||
		    (j->verdict = verdict_new_kit(spare.kit)) == NULL) {
			free(j);
			return NULL;
		}
		LIST_INIT(&j->questions);
	}
	j->session = s;
	j->waiting = false;
	spare.busy++;
	return j;
}

void
judge_free(struct mail *m)
{
	struct judge *j = m->judge;
	struct question *q;

	if (j == NULL)
		return;
	m->judge = NULL;
	if ((q = LIST_FIRST(&j->questions)) != NULL && q->ask != 0)
		dns_over(q->chan, j->session->id);
	while ((q = LIST_FIRST(&j->questions)) != NULL) {
		LIST_REMOVE(q, entry);
		if (q->ask != 0)
			dns_forget(q->chan, q->ask);
		free(q);
	}
	spare.busy--;
	if (spare.n < SPARE_MAX) {
		SLIST_INSERT_HEAD(&spare.head, j, spare);
		spare.n++;
		return;
	}
	verdict_free(j->verdict);
	free(j);
}

/* ---- facts --------------------------------------------------------------- */

static void
judge_facts(struct session *s, struct verdict *v)
{
	struct address sender;
	struct ipaddr ip = { .family = s->conn.peer.family };
	const struct conf *conf = proc_conf();

	memcpy(ip.b, s->conn.peer.b, sizeof(ip.b));
	verdict_start(v, VERDICT_HELO | (conf->verify.dmarc == DMARC_OFF ?
	    VERDICT_NODMARC : 0), conf->hostname, (int64_t)now_sec_coarse(), 0);
	verdict_client(v, &ip, s->helo);
	if (address_parse(slice_str(s->mail->sender), PATH_NULL | PATH_UTF8,
	    &sender, NULL) == -1)
		sender = (struct address){ 0 };
	verdict_sender(v, slice_of(sender.local, sender.localn),
	    slice_of(sender.domain, sender.domainn));
}

int
judge_header(struct mail *m, struct slice header)
{
	if (m->judge == NULL)
		return 0;
	if (verdict_header(m->judge->verdict, header) == -1)
		return -1;
	judge_run(m->judge);
	return 0;
}

void
judge_body(struct mail *m, const char *p, size_t n)
{
	if (m->judge != NULL)
		verdict_body(m->judge->verdict, p, n);
}

/* ---- questions and answers ----------------------------------------------- */

/* True: the verdict is there.  Else what it wants to know is asked. */
static bool
judge_run(struct judge *j)
{
	while (!verdict_run(j->verdict))
		if (!judge_ask(j))
			return false;
	return true;
}

/* True: some answers were known already, and there is something to run. */
static bool
judge_ask(struct judge *j)
{
	struct answers *a = verdict_answers(j->verdict);
	struct question *q;
	struct dns_ask_r r;
	const char *name;
	enum dns_type type;
	bool again = false;

	while (answers_ask(a, &name, &type)) {
		if (known_get(name, type, &r)) {
			dns_answer(a, name, type, &r);
			again = true;
		} else if (smtpd_without(CHAN_DNS) ||
		    (q = calloc(1, sizeof(*q))) == NULL) {
			answers_put(a, name, type, DNS_TEMP, NULL, 0);
			again = true;
		} else {
			q->judge = j;
			q->name = name;
			q->type = type;
			LIST_INSERT_HEAD(&j->questions, q, entry);
			question_send(q);
		}
	}
	return again;
}

static void
question_send(struct question *q)
{
	q->chan = smtpd()->resolve;
	q->since = now_sec_coarse();
	q->ask = dns_ask(q->chan, q->judge->session->id, q->name,
	    q->type, on_answer, q);
}

/*
 * An answer that resolve took with it when it died is asked for again when
 * there is a new one (judge_again).
 */
static void
on_answer(const struct dns_ask_r *r, void *arg)
{
	struct question *q = arg;
	struct judge *j = q->judge;

	q->ask = 0;
	if (r == NULL && now_sec_coarse() - q->since < JUDGE_LOST_S)
		return;
	if (r != NULL)
		known_put(q->name, q->type, r);
	question_end(q, r);
	judge_go_on(j);
}

/* NULL: there is no answer. */
static void
question_end(struct question *q, const struct dns_ask_r *r)
{
	dns_answer(verdict_answers(q->judge->verdict), q->name,
	    q->type, r);
	LIST_REMOVE(q, entry);
	free(q);
}

static void
judge_go_on(struct judge *j)
{
	struct session *s = j->session;

	if (!judge_run(j) || !j->waiting)
		return;
	j->waiting = false;
	j->judged(s);
	s->run(s);
}

/* ---- the end of the message ---------------------------------------------- */

void
judge_end(struct session *s, void (*judged)(struct session *))
{
	struct judge *j = s->mail->judge;

	if (j == NULL) {
		judged(s);
		return;
	}
	verdict_end(j->verdict);
	if (judge_run(j)) {
		judged(s);
		return;
	}
	j->waiting = true;
	j->judged = judged;
	session_state(s, SMTP_ANSWER);
	io_deadline(s->io, JUDGE_MS);
}

void
judge_late(struct session *s)
{
	struct judge *j = s->mail != NULL ? s->mail->judge : NULL;

	if (j == NULL || !j->waiting)
		return;
	j->waiting = false;
	verdict_timeout(j->verdict);
	verdict_run(j->verdict);
	j->judged(s);
}

void
judge_again(struct session *s)
{
	struct judge *j = s->mail != NULL ? s->mail->judge : NULL;
	bool without = smtpd_without(CHAN_DNS);
	struct question *q, *next;

	if (j == NULL)
		return;
	for (q = LIST_FIRST(&j->questions); q != NULL; q = next) {
		next = LIST_NEXT(q, entry);
		if (q->ask == 0 && without)
			question_end(q, NULL);
		else if (q->ask == 0)
			question_send(q);
	}
	if (without)
		judge_go_on(j);
}

const struct verdict *
judge_verdict(const struct mail *m)
{
	return m->judge != NULL ? m->judge->verdict : NULL;
}
