/*
 * IP addresses as text: dotted quad, RFC 4291 section 2.2, the literals of
 * RFC 5321 4.1.3, and RFC 5952 output.  Written here because the C library's
 * parsers take more forms than mail may.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"

static int	 v4_parse(struct slice, uint8_t *);
static int	 v6_parse(struct slice, uint8_t *);
static int	 v6_group(struct slice *, unsigned *);
static void	 v6_longest_run(const uint8_t *, int *, int *);

int
ipaddr_parse(struct slice s, struct ipaddr *ip)
{
	*ip = (struct ipaddr){ 0 };
	ip->family = slice_find(s, ':') < s.n ? 6 : 4;
	return ip->family == 6 ? v6_parse(s, ip->b) : v4_parse(s, ip->b);
}

int
ipaddr_literal(struct slice s, struct ipaddr *ip)
{
	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return -1;
	s.p++;
	s.n -= 2;
	*ip = (struct ipaddr){ .family = 4 };
	if (!slice_casestarts(s, "IPv6:"))
		return v4_parse(s, ip->b);
	ip->family = 6;
	return v6_parse(slice_of(s.p + 5, s.n - 5), ip->b);
}

ssize_t
ipaddr_print(const struct ipaddr *ip, char *out, size_t size)
{
	const uint8_t *b = ip->b;
	int i, run = -1, len = 0, n = 0;

	if (size < IPADDR_TEXT_MAX)
		return -1;
	if (ip->family == 4)
		return snprintf(out, size, "%u.%u.%u.%u", b[0], b[1], b[2],
		    b[3]);
	if (memcmp(b, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0)
		return snprintf(out, size, "::ffff:%u.%u.%u.%u", b[12], b[13],
		    b[14], b[15]);
	v6_longest_run(b, &run, &len);
	for (i = 0; i < 8; i++) {
		if (i == run) {
			n += snprintf(out + n, size - (size_t)n, "::");
			i += len - 1;
			continue;
		}
		n += snprintf(out + n, size - (size_t)n, "%s%x",
		    i > 0 && i != run + len ? ":" : "",
		    (unsigned)b[2 * i] << 8 | b[2 * i + 1]);
	}
	return n;
}

/* Four decimal octets, no leading zeros. */
static int
v4_parse(struct slice s, uint8_t *b)
{
	struct slice part;
	uint64_t v;
	int i;

	for (i = 0; i < 4; i++) {
		part = slice_of(s.p, slice_find(s, '.'));
		if (part.n > 3 || (part.n > 1 && part.p[0] == '0') ||
		    slice_number(part, 255, &v) == -1)
			return -1;
		b[i] = (uint8_t)v;
		if ((part.n == s.n) != (i == 3))
			return -1;
		if (i < 3) {
			s.p += part.n + 1;
			s.n -= part.n + 1;
		}
	}
	return 0;
}

static int
v6_parse(struct slice s, uint8_t *b)
{
	uint8_t tail[16] = { 0 };
	int n = 0, gap = -1;
	unsigned g;

	memset(b, 0, 16);
	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
		gap = 0;
		s.p += 2;
		s.n -= 2;
	}
	while (s.n > 0 && n < 16) {
		if (slice_find(s, ':') == s.n && slice_find(s, '.') < s.n) {
			if (n > 12 || v4_parse(s, tail + n) == -1)
				return -1;
			n += 4;
			s.n = 0;
			break;
		}
		if (v6_group(&s, &g) == -1)
			return -1;
		tail[n++] = (uint8_t)(g >> 8);
		tail[n++] = (uint8_t)g;
		if (s.n == 0)
			break;
		if (s.n == 1)	/* a single colon at the end */
			return -1;
		s.p++;
		s.n--;
		if (s.p[0] == ':') {
			if (gap != -1)
				return -1;
			gap = n;
			s.p++;
			s.n--;
		}
	}
	if (s.n > 0 || (gap == -1 ? n != 16 : n > 14))
		return -1;
	if (gap == -1)
		gap = n;
	memcpy(b, tail, (size_t)gap);
	memcpy(b + 16 - (n - gap), tail + gap, (size_t)(n - gap));
	return 0;
}

/* 1..4 hex digits, then a colon or the end. */
static int
v6_group(struct slice *s, unsigned *g)
{
	size_t i;
	int c;

	*g = 0;
	for (i = 0; i < s->n && s->p[i] != ':'; i++) {
		c = ascii_lower((unsigned char)s->p[i]);
		if (i == 4)
			return -1;
		if (c >= '0' && c <= '9')
			*g = *g << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*g = *g << 4 | (unsigned)(c - 'a' + 10);
		else
			return -1;
	}
	s->p += i;
	s->n -= i;
	return i > 0 ? 0 : -1;
}

/* The first longest run of at least two zero groups (RFC 5952 4.2). */
static void
v6_longest_run(const uint8_t *b, int *run, int *len)
{
	int i, j;

	for (i = 0; i < 8; i = j + 1) {
		for (j = i; j < 8 && b[2 * j] == 0 && b[2 * j + 1] == 0; j++)
			;
		if (j - i >= 2 && j - i > *len) {
			*run = i;
			*len = j - i;
		}
	}
}
