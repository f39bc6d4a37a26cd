/*
 * Message data on the SMTP wire: finding CRLF . CRLF, undoing and doing dot
 * stuffing, noticing stray CR and LF (RFC 5321 4.1.1.4, 4.5.2, 2.3.8).
 * Driven by memchr, a line at a time; nothing is copied.  smtpd receives
 * with it, relay sends with it.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/data.h"

/* What was just before the next octet. */
enum state {
	LINE_START = 0,		/* CRLF, or nothing at all */
	MID,			/* inside a line */
	CR,			/* CR after text */
	DOT,			/* CRLF . */
	DOT_CR			/* CRLF . CR */
};

static size_t	 scan_text(struct data_scan *, const char *, size_t);
static void	 line_check(struct data_scan *, const char *, size_t);

size_t
data_scan(struct data_scan *s, const char *in, size_t n, struct slice *out)
{
	size_t i;

	*out = slice_of(in, 0);
	for (i = 0; i < n && !s->done; ) {
		switch ((enum state)s->state) {
		case LINE_START:
			if (in[i] == '.' && !s->counted) {
				if (i > 0)	/* the run ends before it */
					goto run;
				s->state = DOT;
				i++;
				out->p = in + i;
				break;
			}
			s->state = MID;
			/* FALLTHROUGH */
		case MID:
			i += scan_text(s, in + i, n - i);
			break;
		case CR:
			if (in[i] == '\n') {
				s->state = LINE_START;
				s->line = 0;
				i++;
				break;
			}
			s->seen |= DATA_BARE_CR;
			s->state = MID;
			break;
		case DOT:
			/* The dot is gone; only CR LF makes it the end. */
			if (in[i] != '\r') {
				s->state = MID;
				break;
			}
			s->state = DOT_CR;
			i++;
			out->p = in + i;
			break;
		case DOT_CR:
			if (in[i] == '\n') {
				s->done = 1;
				return i + 1;
			}
			s->seen |= DATA_BARE_CR;
			s->state = MID;
			break;
		}
	}
run:
	out->n = i - (size_t)(out->p - in);
	if (out->n > 0 && !(s->seen & DATA_NUL) &&
	    memchr(out->p, '\0', out->n) != NULL)
		s->seen |= DATA_NUL;
	if (out->n > 0 && !(s->seen & DATA_8BIT) && has_8bit(out->p, out->n))
		s->seen |= DATA_8BIT;
	return i;
}

int
data_counted_end(struct data_scan *s)
{
	if (s->state == CR)
		s->seen |= DATA_BARE_CR;
	if (s->state != LINE_START)
		s->seen |= DATA_NOEOL;
	return s->seen;
}

size_t
data_stuff(struct data_stuff *s, const char *in, size_t n, struct slice *out,
    int *dot)
{
	const char *p = in, *end = in + n, *q;
	int after_cr;

	*out = slice_of(in, n);
	*dot = n > 0 && !s->mid && in[0] == '.';
	if (n == 0)
		return 0;
	s->some = 1;
	while ((q = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p = q + 1;
		if (p < end && *p == '.') {
			out->n = (size_t)(p - in);
			break;
		}
	}
	/* A stray LF counts as a line's end here: one dot too many is
	 * harmless, one too few is another message. */
	after_cr = out->n > 1 ? in[out->n - 2] == '\r' : s->mid && s->cr;
	s->mid = in[out->n - 1] != '\n';
	s->cr = s->mid ? in[out->n - 1] == '\r' : after_cr;
	return out->n;
}

struct slice
data_stuff_end(const struct data_stuff *s)
{
	if (s->some && (s->mid || !s->cr))
		return SLICE_LIT("\r\n.\r\n");
	return SLICE_LIT(".\r\n");
}

/*
 * Octets of the line, CR LF included, if they are all here.  Whole lines are
 * taken in one go as long as no dot follows them.
 */
static size_t
scan_text(struct data_scan *s, const char *in, size_t n)
{
	const char *p = in, *end = in + n, *q;

	for (;;) {
		q = memchr(p, '\r', (size_t)(end - p));
		if (q == NULL) {
			line_check(s, p, (size_t)(end - p));
			return n;
		}
		line_check(s, p, (size_t)(q - p));
		if (q + 1 == end || q[1] != '\n') {
			s->state = CR;
			return (size_t)(q + 1 - in);
		}
		s->line = 0;
		p = q + 2;
		if (p == end || *p == '.') {
			s->state = LINE_START;
			return (size_t)(p - in);
		}
	}
}

/* Octets without CR; there may be a stray LF among them. */
static void
line_check(struct data_scan *s, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (!(s->seen & DATA_BARE_LF) && memchr(p, '\n', n) != NULL)
		s->seen |= DATA_BARE_LF;
	if (n > DATA_LINE_MAX || s->line + n > DATA_LINE_MAX) {
		s->seen |= DATA_LONG;
		s->line = DATA_LINE_MAX;
	} else
		s->line += (uint32_t)n;
}
