/*
 * The replies of smtpd (reply.h) on their way out.  They leave in the order
 * of the commands: one that comes behind RCPTs which wait for authd gets a
 * slot after theirs.  Behind the last reply of a session there is nothing.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/reply.h"
#include "smtpd/smtpd.h"

#define LINGER_MS	2000		/* so that a last reply is seen */
#define ID_ROOM		(SMTP_MID + 4)	/* " (id)" and CRLF */

static void	 reply_now(struct session *, enum reply);

static const struct {
	unsigned int	 code;
	const char	*wire;		/* with CRLF */
	size_t		 n;		/* its octets */
} replies[] = {
	[REPLY_NONE] = { 0, "\r\n", 2 },
#define ROW(name, code, line)	[name] = { code, line, sizeof(line) - 1 },
#define FULL(name, code, status, text)					\
	ROW(name, code, #code " " status " " text "\r\n")
#define BARE(name, code, text)	ROW(name, code, #code " " text "\r\n")
	REPLIES(FULL, BARE)
#undef BARE
#undef FULL
#undef ROW
};

unsigned int
reply_code(enum reply r)
{
	return replies[r].code;
}

struct slice
reply_line(enum reply r)
{
	return slice_of(replies[r].wire, replies[r].n - 2);
}

const char *
reply_wire(enum reply r)
{
	return replies[r].wire;
}

const char *
reply_print(enum reply r, const char *tail, char *buf, size_t size)
{
	slice_cpy(reply_line(r), buf, size);
	if (tail != NULL)
		strlcat(buf, tail, size);
	return buf;
}

static bool
slot_push(struct session *s, enum reply r)
{
	if (s->nslots == SMTP_PENDING)
		return false;
	s->slot[(s->slot0 + s->nslots++) % SMTP_PENDING] =
	    (struct rcpt_slot){ NULL, r };
	return true;
}

void
reply(struct session *s, enum reply r)
{
	if (s->nslots > 0 && slot_push(s, r))
		return;
	reply_now(s, r);
}

const char *
session_mid(const struct session *s)
{
	return s->mail != NULL ? s->mail->mid : s->sid;
}

/* The end of a line of n octets that has ID_ROOM more; its new length. */
static size_t
line_end(const struct session *s, enum reply r, char *text, size_t n)
{
	const char *id = session_mid(s);
	size_t idn = strlen(id);

	if (replies[r].code >= 400) {
		memcpy(text + n, " (", 2);
		memcpy(text + n + 2, id, idn);
		text[n + 2 + idn] = ')';
		n += idn + 3;
	}
	memcpy(text + n, "\r\n", 2);
	return n + 2;
}

/* Before RCPTs that wait for theirs. */
static void
reply_now(struct session *s, enum reply r)
{
	char text[REPLY_MAX];
	struct slice line = reply_line(r);

	if (replies[r].code < 400) {
		io_write(s->io, replies[r].wire, replies[r].n);
		return;
	}
	memcpy(text, line.p, line.n);
	io_write(s->io, text, line_end(s, r, text, line.n));
}

void
replyf(struct session *s, enum reply r, const char *fmt, ...)
{
	char text[REPLY_MAX];
	struct slice line = reply_line(r);
	size_t room = sizeof(text) - ID_ROOM - line.n;
	va_list ap;
	int n;

	memcpy(text, line.p, line.n);
	va_start(ap, fmt);
	n = vsnprintf(text + line.n, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		n = (int)room - 1;
	io_write(s->io, text, line_end(s, r, text, line.n + (size_t)n));
}

void
reply_error(struct session *s, enum reply r)
{
	reply(s, r);
	error_count(s);
}

void
error_count(struct session *s)
{
	conn_penalty(&s->conn, 1);
	if (++s->errors < proc_conf()->smtp.max_errors || s->nslots > 0)
		return;
	session_end(s, REPLY_ERRORS);
}

/* ---- slots, and the end -------------------------------------------------- */

void
rcpt_flush(struct session *s)
{
	struct rcpt_slot *slot;

	while (s->nslots > 0) {
		slot = &s->slot[s->slot0];
		if (slot->ask != NULL)
			return;
		s->slot0 = (s->slot0 + 1) % SMTP_PENDING;
		s->nslots--;
		reply_now(s, slot->reply);
	}
	io_cork(s->io, false);
	if (s->errors >= proc_conf()->smtp.max_errors)
		session_end(s, REPLY_ERRORS);
}

void
rcpt_forget(struct session *s)
{
	struct rcpt_slot *slot;

	if (s->nslots > 0 && s->io != NULL)
		io_cork(s->io, false);
	for (; s->nslots > 0; s->nslots--) {
		slot = &s->slot[s->slot0];
		s->slot0 = (s->slot0 + 1) % SMTP_PENDING;
		question_forget(&slot->ask);
	}
}

void
session_end(struct session *s, enum reply last)
{
	struct slice why = reply_line(last);

	if (s->state == SMTP_END)
		return;
	rcpt_forget(s);
	if (last != REPLY_NONE)
		reply(s, last);
	if (last != REPLY_NONE && last != REPLY_BYE)
		log_info("%s end why=%s", s->sid, log_quote(why.p, why.n));
	io_finish(s->io, last == REPLY_BYE ? 0 : LINGER_MS);
	s->io = NULL;
	session_state(s, SMTP_END);
}
