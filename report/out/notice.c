/*
 * One failure report on its way: the SPF record it tells of is asked for,
 * the addresses of ruf= are verified, then it is written once for each of
 * them without persons, and once as it is for reports.failure-copy, and goes
 * to queue.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/failure.h"
#include "report/out/out.h"

#define NOTICES_MAX	64	/* reports that wait for the DNS */
#define SENDS_MAX	64	/* messages that wait for queue */
#define SEND_KEEP	3600	/* s that one waits */
#define SPF_MAX		2048	/* octets of a record */
#define KEY_FILE	"redact.key"
#define AGAIN_SECONDS	1	/* till it is tried again */

struct notice {
	struct kept	*k;
	unsigned int	 incidents;
	unsigned int	 open;		/* questions without an answer */
	bool		 copy, ruf;
	size_t		 spfn;
	char		 spf[SPF_MAX];
};

static struct {
	uint8_t		 key[REDACT_KEY];
	bool		 keyed;
	size_t		 n, sends;
} notices;

static void	 spf_ask(struct notice *);
static void	 on_spf(const struct dns_ask_r *, void *);
static void	 notice_write(struct notice *);
static void	 on_dest(enum dest_verdict, const struct dest *, const char *,
		    void *);
static void	 notice_send(struct notice *, const char *to, bool whole);
static void	 on_sent(enum sent, const char *, void *);
static void	 notice_done(struct notice *);

struct kept *
kept_new(const struct report_mail_ev *m, uint64_t arrival)
{
	const struct msg_info *info = &msg_info[REPORT_MAIL_EV];
	uint8_t b[MSG_MAX];
	struct kept *k;
	ssize_t n = info->put(b, sizeof(b), m);

	if (n == -1 || (k = malloc(sizeof(*k) + (size_t)n)) == NULL)
		return NULL;
	k->arrival = arrival;
	memcpy(k->b, b, (size_t)n);
	if (info->get(k->b, (size_t)n, &k->mail) == -1) {
		free(k);
		return NULL;
	}
	return k;
}

/* The key stays, so that the same person is the same hash next year. */
/* 0; 1: there is none; -1: it cannot be read now, and another one would make
 * what was sent before look like something else. */
static int
key_load(void)
{
	int fd = open(KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc;
	struct stat sb;

	if (fd == -1)
		return errno == ENOENT ? 1 : -1;
	if (fstat(fd, &sb) == -1)
		rc = -1;
	else if (sb.st_size < (off_t)sizeof(notices.key)) {
		log_warnx("%s is damaged, made again", KEY_FILE);
		rc = 1;
	} else
		rc = pread_all(fd, notices.key, sizeof(notices.key), 0);
	close(fd);
	return rc;
}

static void
key_make(void)
{
	int fd;

	random_bytes(notices.key, sizeof(notices.key));
	fd = open(KEY_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1 || write_all(fd, notices.key, sizeof(notices.key)) == -1 ||
	    fsync(fd) == -1 || rename(KEY_FILE ".new", KEY_FILE) == -1)
		log_warn("%s", KEY_FILE);
	if (fd != -1)
		close(fd);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	notice_init();
}

void
notice_init(void)
{
	static const struct timeval again = { AGAIN_SECONDS, 0 };
	int rc = key_load(), error = errno;

	if (rc == -1) {
		(void)event_base_once(proc_base(), -1, EV_TIMEOUT, on_again,
		    NULL, &again);
		proc_impaired("redact-key", "%s in directories.reports-out "
		    "cannot be read: %s; till it can no failure reports are "
		    "sent: look at the disk", KEY_FILE, strerror(error));
		return;
	}
	if (rc == 1)
		key_make();
	notices.keyed = true;
	proc_impaired_over("redact-key");
}

void
notice_start(struct kept *k, unsigned int incidents, bool copy, bool ruf)
{
	struct notice *n = NULL;

	if (!notices.keyed) {
		failure_lost("their key cannot be read");
		free(k);
		return;
	}
	if (notices.n == NOTICES_MAX ||
	    (n = calloc(1, sizeof(*n))) == NULL) {
		failure_lost("too many wait for the DNS");
		free(k);
		return;
	}
	notices.n++;
	*n = (struct notice){ .k = k, .incidents = incidents, .copy = copy,
	    .ruf = ruf };
	spf_ask(n);
}

/* ---- the SPF record ----------------------------------------------------------- */

/* REQUIRED for an SPF failure of an aligned identifier (RFC 9991 4). */
static bool
spf_told(const struct report_mail_ev *m, char domain[DOMAIN_TEXT])
{
	char author[DOMAIN_TEXT];

	return m->spf != SPF_PASS && m->spf != SPF_NONE &&
	    domain_ascii(m->spf_domain, domain) == 0 &&
	    domain_ascii(m->author, author) == 0 &&
	    (domain_within(domain, author) || domain_within(author, domain));
}

static void
spf_ask(struct notice *n)
{
	char domain[DOMAIN_TEXT];

	n->open++;
	if (!spf_told(&n->k->mail, domain) ||
	    dns_ask(out_dns(), out_whom(), domain, DNS_TXT, on_spf, n) == 0)
		on_spf(NULL, n);
}

static void
on_spf(const struct dns_ask_r *r, void *arg)
{
	struct notice *n = arg;
	struct item_rr rr;
	size_t off = 0;

	while (r != NULL && r->status == DNS_OK &&
	    item_rr_get(r->rrs, &off, &rr) == 1)
		if (rr.type == DNS_TXT && rr.data.n <= sizeof(n->spf) &&
		    slice_casestarts(rr.data, "v=spf1")) {
			memcpy(n->spf, rr.data.p, rr.data.n);
			n->spfn = rr.data.n;
			break;
		}
	notice_write(n);
	notice_done(n);
}

/* ---- to whom --------------------------------------------------------------------- */

static void
notice_write(struct notice *n)
{
	const struct report_mail_ev *m = &n->k->mail;
	struct dest to[FAILURE_RUF];
	struct dmarc_record r;
	struct slice rest;
	char at[DOMAIN_TEXT];
	const char *why;
	size_t i;

	if (n->copy && proc_conf()->reports.failure_copy != NULL)
		notice_send(n, proc_conf()->reports.failure_copy, true);
	if (!n->ruf || domain_ascii(m->at, at) == -1 ||
	    dmarc_record_parse(m->record, &r, &why) == -1)
		return;
	rest = r.ruf;
	for (i = 0; i < FAILURE_RUF && dest_next(&rest, to, i, &to[i]); i++) {
		if (dest_ask(at, &to[i], "ruf", on_dest, n) != NULL)
			n->open++;
		else
			failure_lost("too many wait for the DNS");
	}
}

static void
on_dest(enum dest_verdict v, const struct dest *to, const char *why,
    void *arg)
{
	struct notice *n = arg;

	if (v == DEST_LATER)
		failure_lost(why);
	else if (v == DEST_NO)
		log_info("%s failure-report result=refused to=<%s> why=%s",
		    log_text(n->k->mail.sid.p, n->k->mail.sid.n),
		    log_text(to->address, strlen(to->address)),
		    log_quote(why, strlen(why)));
	else if (!failure_may(to->address))
		failure_lost("its address gets too many");
	else
		notice_send(n, to->address, false);
	notice_done(n);
}

static void
notice_done(struct notice *n)
{
	if (--n->open > 0)
		return;
	notices.n--;
	free(n->k);
	free(n);
}

/* ---- to queue ---------------------------------------------------------------------- */

static struct letter *
notice_letter(const struct notice *n, const char *to, bool whole,
    const char *id)
{
	struct arf a = { .mail = &n->k->mail,
	    .hostname = proc_conf()->hostname,
	    .arrival = (int64_t)n->k->arrival, .incidents = n->incidents,
	    .spf = { n->spfn > 0 ? n->spf : NULL, n->spfn },
	    .key = whole ? NULL : notices.key };
	struct text subject = { 0 }, t = { 0 };
	struct letter *l = letter_new();

	if (l == NULL)
		return NULL;
	random_bytes(a.unique.b, sizeof(a.unique.b));
	text_add(&subject, SLICE_LIT("DMARC failure report: "));
	text_word(&subject, n->k->mail.author);
	text_add(&subject, slice_of("", 1));
	letter_head(l, to, subject.p, id, now_sec());
	arf_text(&a, &t);
	letter_add(l, t.p, t.n);
	free(subject.p);
	free(t.p);
	if (letter_end(l) == 0)
		return l;
	letter_free(l);
	return NULL;
}

static void
notice_send(struct notice *n, const char *to, bool whole)
{
	struct msg_id commit;
	char id[2 * sizeof(commit.b) + 1], sid[17];
	struct letter *l;

	if (notices.sends == SENDS_MAX) {
		failure_lost("too many wait for queue");
		return;
	}
	random_bytes(commit.b, sizeof(commit.b));
	hex_encode(id, commit.b, sizeof(commit.b));
	strlcpy(sid, id, sizeof(sid));
	if ((l = notice_letter(n, to, whole, id)) == NULL) {
		failure_lost("it could not be written");
		return;
	}
	log_info("%s failure-report of=%s incidents=%u to=<%s> domain=%s", sid,
	    log_text(n->k->mail.sid.p, n->k->mail.sid.n), n->incidents,
	    log_text(to, strlen(to)),
	    log_text(n->k->mail.author.p, n->k->mail.author.n));
	notices.sends++;
	letter_send(l, &commit, sid, to, false, SEND_KEEP, on_sent, NULL);
}

static void
on_sent(enum sent how, const char *why, void *arg)
{
	notices.sends--;
	if (how != SENT_OK)
		failure_lost(why);
}
