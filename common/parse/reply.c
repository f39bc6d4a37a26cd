/*
 * SMTP replies as a client reads them (RFC 5321 4.2, RFC 3463), line by line
 * and bounded.  What comes out is clean enough for a log line, a bounce and
 * the queue: the remote server's bytes go no further than here.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/smtp.h"

static int	 fail(struct parse_err *, size_t, const char *);
static void	 text_add(struct smtp_reply *, struct slice);
static size_t	 smtp_enhanced(struct slice, int[3]);

void
smtp_reply_start(struct smtp_reply *r)
{
	*r = (struct smtp_reply){ 0 };
}

int
smtp_reply_line(struct smtp_reply *r, struct slice in, struct slice *line,
    struct parse_err *err)
{
	struct slice text;
	int code = 0, i, enh[3];
	size_t n;

	if (r->done)
		return fail(err, 0, "line after the end of a reply");
	if (in.n > SMTP_REPLY_LINE_MAX)
		return fail(err, SMTP_REPLY_LINE_MAX, "reply line too long");
	if (r->lines == SMTP_REPLY_LINES)
		return fail(err, 0, "too many lines in a reply");
	if (slice_find(in, '\0') < in.n || slice_find(in, '\r') < in.n ||
	    slice_find(in, '\n') < in.n)
		return fail(err, 0, "control character in reply");
	for (i = 0; i < 3; i++) {
		if ((size_t)i == in.n || in.p[i] < '0' || in.p[i] > '9')
			return fail(err, (size_t)i, "no reply code");
		code = code * 10 + in.p[i] - '0';
	}
	if (code < 200 || code > 599)
		return fail(err, 0, "reply code out of range");
	if (in.n > 3 && in.p[3] != ' ' && in.p[3] != '-')
		return fail(err, 3, "no blank after the reply code");
	if (r->lines > 0 && code != r->code)
		return fail(err, 0, "reply code changed within a reply");
	r->code = code;
	r->done = in.n == 3 || in.p[3] == ' ';
	text = in.n > 4 ? slice_of(in.p + 4, in.n - 4) : slice_of(in.p, 0);
	if (line != NULL)
		*line = text;
	/* Only a class that agrees with the code counts (RFC 2034 4). */
	if ((n = smtp_enhanced(text, enh)) > 0 && enh[0] == code / 100) {
		if (r->enhanced[0] == 0)
			memcpy(r->enhanced, enh, sizeof(enh));
		text = slice_trim(slice_of(text.p + n, text.n - n));
	}
	r->lines++;
	text_add(r, text);
	return r->done;
}

/* "2.1.5" at the start of s: octets used, 0 if there is none. */
static size_t
smtp_enhanced(struct slice s, int out[3])
{
	size_t i = 0, start;
	int k;

	for (k = 0; k < 3; k++) {
		if (k > 0) {
			if (i == s.n || s.p[i] != '.')
				return 0;
			i++;
		}
		out[k] = 0;
		for (start = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
			if (i - start == 3)
				return 0;
			out[k] = out[k] * 10 + s.p[i] - '0';
		}
		if (i == start)
			return 0;
	}
	if (i < s.n && s.p[i] != ' ')
		return 0;
	return out[0] == 2 || out[0] == 4 || out[0] == 5 ? i : 0;
}

static void
text_add(struct smtp_reply *r, struct slice s)
{
	size_t i;
	int c;

	if (s.n > 0 && r->textn > 0 && r->textn < sizeof(r->text) - 1)
		r->text[r->textn++] = ' ';
	for (i = 0; i < s.n && r->textn < sizeof(r->text) - 1; i++) {
		c = (unsigned char)s.p[i];
		r->text[r->textn++] = c == '\t' ? ' ' :
		    c < 32 || c > 126 ? '?' : (char)c;
	}
	r->text[r->textn] = '\0';
}

static int
fail(struct parse_err *err, size_t off, const char *why)
{
	if (err != NULL)
		*err = (struct parse_err){ off, why };
	return -1;
}
