/*
 * Fuzz entry: message data on the wire. Cut in two at any place it is the
 * same; CRLF . CRLF alone ends it; stuffed again and scanned it is the same.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/data.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t	 scan(struct data_scan *, const char *, size_t, char *,
		    size_t *);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct data_scan a = { 0 }, b = { 0 };
	struct data_stuff st = { 0 };
	const char *p = (const char *)in;
	char *one, *two, *wire;
	size_t cut, n1 = 0, n2 = 0, u1, u2, i, k, used;
	struct slice run;
	int dot;

	if (n < 1)
		return 0;
	cut = in[0] % n;
	p++;
	n--;
	cut = cut < n ? cut : n;
	one = malloc(2 * n + 8);
	two = malloc(2 * n + 8);
	wire = malloc(2 * n + 8);
	if (one == NULL || two == NULL || wire == NULL)
		abort();
	u1 = scan(&a, p, n, one, &n1);
	u2 = scan(&b, p, cut, two, &n2);
	if (!b.done)
		u2 += scan(&b, p + cut, n - cut, two, &n2);
	if (u1 != u2 || a.done != b.done || a.seen != b.seen || n1 != n2 ||
	    memcmp(one, two, n1) != 0)
		abort();
	if (a.done && u1 > 3 && memcmp(p + u1 - 5, "\r\n.\r\n", 5) != 0)
		abort();
	for (i = k = 0; i < n1; i += used) {
		used = data_stuff(&st, one + i, n1 - i, &run, &dot);
		if (used == 0 || used != run.n)
			abort();
		if (dot)
			wire[k++] = '.';
		memcpy(wire + k, run.p, run.n);
		k += run.n;
	}
	run = data_stuff_end(&st);
	memcpy(wire + k, run.p, run.n);
	k += run.n;
	b = (struct data_scan){ 0 };
	n2 = 0;
	u2 = scan(&b, wire, k, two, &n2);
	if (!b.done || u2 != k)
		abort();
	if (!(a.seen & DATA_BARE) && (n2 < n1 || memcmp(one, two, n1) != 0))
		abort();
	b = (struct data_scan){ .counted = 1 };
	for (i = 0; i < n; i += used)
		if ((used = data_scan(&b, p + i, n - i, &run)) == 0)
			abort();
	if (b.done || (!(data_counted_end(&b) & DATA_NOEOL) && n > 0 &&
	    p[n - 1] != '\n'))
		abort();
	free(one);
	free(two);
	free(wire);
	return 0;
}

static size_t
scan(struct data_scan *s, const char *p, size_t n, char *out, size_t *outn)
{
	struct slice run;
	size_t i, used;

	for (i = 0; i < n && !s->done; i += used) {
		if ((used = data_scan(s, p + i, n - i, &run)) == 0)
			abort();
		memcpy(out + *outn, run.p, run.n);
		*outn += run.n;
	}
	return i;
}
