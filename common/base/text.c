/*
 * Text in the making, for reports of queue and of report-out; see text.h.
 * Pure.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"

#define LINE_7BIT	998	/* RFC 5322 2.1.1 */
#define QP_LINE		72

static void	 put_kept(struct text *, struct slice, const char *);

void
text_add(struct text *t, struct slice s)
{
	if (t->cut || (t->max != 0 && s.n > t->max - t->n)) {
		t->cut = true;
		return;
	}
	if (s.n > t->cap - t->n) {
		t->cap = (t->n + s.n) * 2 + 4096;
		t->p = xreallocarray(t->p, t->cap, 1);
	}
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

void
text_say(struct text *t, const char *fmt, ...)
{
	char line[1600];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		text_add(t, slice_of(line, (size_t)n < sizeof(line) ?
		    (size_t)n : sizeof(line) - 1));
}

static void
put_kept(struct text *t, struct slice s, const char *never)
{
	size_t i, from = 0;
	unsigned char c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c >= 32 && c < 127 && strchr(never, c) == NULL)
			continue;
		text_add(t, slice_of(s.p + from, i - from));
		text_add(t, SLICE_LIT("?"));
		from = i + 1;
	}
	text_add(t, slice_of(s.p + from, s.n - from));
}

void
text_ascii(struct text *t, struct slice s)
{
	put_kept(t, s, "");
}

void
text_word(struct text *t, struct slice s)
{
	if (s.n == 0)
		s = SLICE_LIT("?");
	put_kept(t, s, " ()<>,;\"\\");
}

bool
text_is_plain(struct slice s)
{
	size_t i, line = 0;
	unsigned char c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			i++;
			line = 0;
		} else if ((c < 32 && c != '\t') || c > 126 ||
		    ++line > LINE_7BIT)
			return false;
	}
	return true;
}

void
text_qp(struct text *t, struct slice s)
{
	size_t i, line = 0;
	unsigned char c;
	bool end;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			text_add(t, SLICE_LIT("\r\n"));
			i++;
			line = 0;
			continue;
		}
		if (line >= QP_LINE) {
			text_add(t, SLICE_LIT("=\r\n"));
			line = 0;
		}
		end = i + 1 == s.n || s.p[i + 1] == '\r';
		if (c > 126 || c == '=' || (c < 32 && c != '\t') ||
		    ((c == ' ' || c == '\t') && end)) {
			text_say(t, "=%02X", c);
			line += 3;
		} else {
			text_add(t, slice_of(s.p + i, 1));
			line++;
		}
	}
}

void
text_header(struct text *t, struct slice h)
{
	if (text_is_plain(h)) {
		text_add(t, SLICE_LIT(
		    "Content-Type: text/rfc822-headers\r\n\r\n"));
		text_add(t, h);
	} else {
		text_add(t, SLICE_LIT("Content-Type: text/rfc822-headers; "
		    "charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
		text_qp(t, h);
	}
	if (h.n < 2 || memcmp(h.p + h.n - 2, "\r\n", 2) != 0)
		text_add(t, SLICE_LIT("\r\n"));
}

const char *
text_ascii_in(struct slice s, char *buf, size_t size)
{
	size_t i;

	for (i = 0; i < s.n && i < size - 1; i++)
		buf[i] = s.p[i] >= 32 && s.p[i] <= 126 ? s.p[i] : '?';
	buf[i] = '\0';
	return buf;
}
