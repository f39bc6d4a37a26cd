/*
 * Words that strangers wrote: made fit for a terminal and for a file of
 * lines.  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/dates.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

/* Characters that a reader cannot see, or that turn the line around. */
static bool
hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
	    c == 0x61c || (c >= 0xfff9 && c <= 0xfffb) ||
	    (c >= 0xe0000 && c <= 0xe007f) ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void
text_clean(struct slice s, char *out, size_t size)
{
	size_t i, k = 0;
	uint32_t c;
	int n;

	s = slice_trim(s);
	for (i = 0; i < s.n && k + 5 <= size; i += (size_t)n) {
		n = utf8_get(s.p + i, s.n - i, &c);
		if (n <= 0) {
			n = 1;
			c = '?';
		}
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			if (k > 0 && out[k - 1] != ' ')
				out[k++] = ' ';
		} else
			k += utf8_put(hidden(c) ? '?' : c, out + k);
	}
	out[k] = '\0';
}

void
line_word(struct line *l, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;

	if (l->n > 0 && l->n < sizeof(l->p))
		l->p[l->n++] = ' ';
	if (*s == '\0' && l->n < sizeof(l->p))
		l->p[l->n++] = '-';
	for (bool first = true; *s != '\0'; s++, first = false) {
		c = (unsigned char)*s;
		if (sizeof(l->p) - l->n < 3)
			return;
		if (c > ' ' && c < 0x7f && c != '%' && !(first && c == '-')) {
			l->p[l->n++] = (char)c;
			continue;
		}
		l->p[l->n++] = '%';
		l->p[l->n++] = hex[c >> 4];
		l->p[l->n++] = hex[c & 15];
	}
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
line_next(struct slice *rest, char *out, size_t size)
{
	struct slice w;
	size_t i, k = 0;
	int hi, lo;
	char c;

	if (rest->n == 0)
		return 0;
	w = slice_of(rest->p, slice_find(*rest, ' '));
	i = w.n + (w.n < rest->n);
	*rest = slice_of(rest->p + i, rest->n - i);
	if (slice_is(w, "-"))
		w.n = 0;
	for (i = 0; i < w.n && k + 1 < size; i++) {
		c = w.p[i];
		if (c == '%' && w.n - i > 2 &&
		    (hi = nibble(w.p[i + 1])) != -1 &&
		    (lo = nibble(w.p[i + 2])) != -1) {
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		out[k++] = c == '\0' ? '?' : c;
	}
	out[utf8_cut(out, k)] = '\0';
	return 1;
}

/* n digits at *i. */
static int
digits(struct slice s, size_t *i, size_t n, int *v)
{
	uint64_t x;

	if (s.n - *i < n || slice_number(slice_of(s.p + *i, n), 9999,
	    &x) == -1)
		return -1;
	*v = (int)x;
	*i += n;
	return 0;
}

static int
is_next(struct slice s, size_t *i, const char *any)
{
	if (*i == s.n || s.p[*i] == '\0' || strchr(any, s.p[*i]) == NULL)
		return -1;
	(*i)++;
	return 0;
}

/* What follows the seconds: fraction, then Z, an offset, or nothing. */
static int
time_zone(struct slice s, size_t i, int64_t *t)
{
	int h, m, sign;

	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
			;
	if (i == s.n || ((s.p[i] == 'Z' || s.p[i] == 'z') && i + 1 == s.n))
		return 0;
	if (s.p[i] != '+' && s.p[i] != '-')
		return -1;
	sign = s.p[i++] == '-' ? 1 : -1;
	if (digits(s, &i, 2, &h) == -1)
		return -1;
	if (i < s.n && s.p[i] == ':')
		i++;
	if (digits(s, &i, 2, &m) == -1 || i != s.n || h > 23 || m > 59)
		return -1;
	*t += sign * (h * 3600 + m * 60);
	return 0;
}

int
text_time(struct slice s, int64_t *t)
{
	int y, mo, d, h = 0, m = 0, sec = 0;
	size_t i = 0;

	s = slice_trim(s);
	if (digits(s, &i, 4, &y) == -1 || is_next(s, &i, "-") == -1 ||
	    digits(s, &i, 2, &mo) == -1 || is_next(s, &i, "-") == -1 ||
	    digits(s, &i, 2, &d) == -1 || y < 1970 || mo < 1 || mo > 12 ||
	    d < 1 || d > 31)
		return -1;
	if (i < s.n && (is_next(s, &i, "Tt ") == -1 ||
	    digits(s, &i, 2, &h) == -1 || is_next(s, &i, ":") == -1 ||
	    digits(s, &i, 2, &m) == -1 || is_next(s, &i, ":") == -1 ||
	    digits(s, &i, 2, &sec) == -1 || h > 24 || m > 59 || sec > 60))
		return -1;
	*t = date_days(y, mo, d) * 86400 + h * 3600 + m * 60 + sec;
	return time_zone(s, i, t);
}
