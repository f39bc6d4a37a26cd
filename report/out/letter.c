/*
 * A report as a message: written into a sealed anonymous file, the message
 * first and its facts behind it, with the two hashes signd wants for its
 * ticket.  Octets pass through one block on their way, so a letter costs no
 * memory of ours but that block.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/mman.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/dates.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/letter.h"
#include "report/out/out.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static void	 letter_flush(struct letter *);
static int	 letter_hashes(struct letter *);

struct letter *
letter_new(void)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->fd = memfd_create("report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	l->mime = mime_new();
	l->body = dkim_body_new(DKIM_RELAXED, UINT64_MAX);
	if (l->fd == -1 || l->mime == NULL || l->body == NULL) {
		letter_free(l);
		return NULL;
	}
	return l;
}

void
letter_free(struct letter *l)
{
	if (l == NULL)
		return;
	if (l->fd != -1)
		close(l->fd);
	mime_free(l->mime);
	dkim_body_free(l->body);
	free(l);
}

void
letter_add(struct letter *l, const void *p, size_t n)
{
	const char *in = p;
	size_t k;

	while (n > 0 && !l->bad) {
		k = sizeof(l->buf) - l->n;
		if (k > n)
			k = n;
		memcpy(l->buf + l->n, in, k);
		l->n += k;
		in += k;
		n -= k;
		if (l->n == sizeof(l->buf))
			letter_flush(l);
	}
}

void
letter_say(struct letter *l, const char *fmt, ...)
{
	char line[2001];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		l->bad = true;
	else
		letter_add(l, line, (size_t)n);
}

uint64_t
letter_size(const struct letter *l)
{
	return l->size + l->n;
}

/* The first block has the whole header in it. */
static void
letter_flush(struct letter *l)
{
	size_t skip = 0;

	if (l->size == 0) {
		skip = header_len(l->buf, l->n);
		if (skip > LETTER_HEADER)
			l->bad = true;
	}
	if (l->bad || l->size + l->n > LETTER_SIZE ||
	    write_all(l->fd, l->buf, l->n) == -1 ||
	    mime_feed(l->mime, l->buf, l->n) == -1) {
		l->bad = true;
		return;
	}
	dkim_body_feed(l->body, l->buf + skip, l->n - skip);
	l->size += l->n;
	l->n = 0;
}

int
letter_end(struct letter *l)
{
	const char *facts;
	size_t n;

	letter_flush(l);
	if (l->bad || letter_hashes(l) == -1 ||
	    mime_end(l->mime, &facts, &n) == -1 ||
	    write_all(l->fd, facts, n) == -1 ||
	    fcntl(l->fd, F_ADD_SEALS, SEALS) == -1) {
		l->bad = true;
		return -1;
	}
	l->facts = (uint32_t)n;
	return 0;
}

/* As signd makes them when it is shown the header again (SIGN_TICKET). */
static int
letter_hashes(struct letter *l)
{
	char canon[sizeof(l->from) + 4];
	ssize_t n;

	n = dkim_header_canon(slice_str(l->from), DKIM_RELAXED, canon,
	    sizeof(canon));
	if (n <= 0 || dkim_sha256(canon, (size_t)n, l->fromhash.b) == -1)
		return -1;
	return dkim_body_end(l->body, l->bodyhash.b, NULL);
}

void
letter_head(struct letter *l, const char *to, const char *subject,
    const char *id, uint64_t now)
{
	const struct conf *conf = proc_conf();
	char from[400], rcpt[400], host[300], date[DATE_TEXT_MAX];
	size_t n = date_print((int64_t)now, date, sizeof(date));
	int k;

	text_ascii_in(slice_str(conf->reports.from), from, sizeof(from));
	text_ascii_in(slice_str(to), rcpt, sizeof(rcpt));
	text_ascii_in(slice_str(conf->hostname), host, sizeof(host));
	k = snprintf(l->from, sizeof(l->from), "From: <%s>\r\n", from);
	if (k < 0 || (size_t)k >= sizeof(l->from))
		l->bad = true;
	letter_say(l, "%sTo: <%s>\r\n", l->from, rcpt);
	letter_say(l, "Subject: %s\r\n", subject);
	letter_say(l, "Date: %.*s\r\n", (int)n, date);
	letter_say(l, "Message-ID: <%s@%s>\r\n", id, host);
	letter_say(l, "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n");
}
