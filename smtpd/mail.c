/*
 * A mail transaction: its life from MAIL to its end, whichever that is.  The
 * commands that fill it are in envelope.c and data.c; what becomes of a
 * message that is whole, policy.c and commit.c say.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/mime.h"
#include "verify/verify.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define SPARE_MAX	64		/* mails kept for the next */
#define SPARE_BUFFER	(192 * 1024)	/* a larger buffer is not kept */

static struct {
	SLIST_HEAD(, mail) head;
	unsigned int	 n;
} spare;

/* A spare one keeps its buffers, and nothing else of the mail before. */
struct mail *
mail_new(struct session *s)
{
	struct mail fresh = { .fd = -1, .in_header = true }, *m;

	if ((m = SLIST_FIRST(&spare.head)) != NULL) {
		SLIST_REMOVE_HEAD(&spare.head, spare);
		spare.n--;
		fresh.buf = m->buf;
		fresh.cap = m->cap;
		fresh.rcpts = m->rcpts;
		fresh.rcptscap = m->rcptscap;
		fresh.body = m->body;
	} else if ((m = malloc(sizeof(*m))) == NULL)
		return NULL;
	*m = fresh;
	snprintf(m->mid, sizeof(m->mid), "%s.%u", s->sid, ++s->nmail);
	return m;
}

static void
mail_free(struct mail *m)
{
	store_drop(m);
	judge_free(m);
	seven_free(m);
	free(m->from_value);
	if (m->mime != NULL)
		mime_free(m->mime);
	m->mime = NULL;
	if (spare.n == SPARE_MAX || m->cap > SPARE_BUFFER ||
	    m->rcptscap > SPARE_BUFFER) {
		free(m->buf);
		free(m->rcpts);
		dkim_body_free(m->body);
		free(m);
		return;
	}
	SLIST_INSERT_HEAD(&spare.head, m, spare);
	spare.n++;
}

void
session_reset(struct session *s)
{
	rcpt_forget(s);
	if (s->mail != NULL) {
		mail_free(s->mail);
		s->mail = NULL;
	}
}

void
mail_refused(struct session *s)
{
	struct mail *m = s->mail;

	told_refused(s, m->refusal, m->tail);
	session_state(s, SMTP_MAIL);
	replyf(s, m->refusal, "%s", m->tail != NULL ? m->tail : "");
	if (reply_code(m->refusal) >= 500)
		error_count(s);
	session_reset(s);
}
