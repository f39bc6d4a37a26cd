/*
 * Fuzz entry: an IMAP command, taken apart as the first octets say.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int	 take(struct imap_in *, int);
static int	 partial_check(struct imap_in *);
static void	 set_check(const struct imap_range *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct imap_in c;
	char *copy, out[600];
	uint64_t size;
	size_t i, before;
	struct slice half;
	int flags, rc;

	if (n < 8 || (copy = malloc(n)) == NULL)
		return 0;
	memcpy(copy, in, n);
	imap_literal(slice_of(copy, n), &size, &flags);
	half = slice_of(copy + 8, (n - 8) / 2);
	imap_list_match(half, slice_of(half.p + half.n, n - 8 - half.n), '/');
	if (half.n < 280) {
		imap_put_astring(half, out, sizeof(out));
		imap_put_utf8(half, out, sizeof(out));
	}
	imap_start(&c, copy + 8, n - 8);
	for (i = 0; i < 8 && c.off < c.n; i++) {
		before = c.off;
		rc = take(&c, in[i] % 19);
		if (c.off > c.n || (rc == -1 && (c.off != before ||
		    c.err.why == NULL)))
			abort();
	}
	imap_end(&c);
	free(copy);
	return 0;
}

static int
take(struct imap_in *c, int what)
{
	struct imap_flags f;
	struct imap_section sec;
	struct imap_range v[16];
	struct slice s;
	uint64_t n64;
	uint32_t n;
	int64_t t;
	int k;

	switch (what) {
	case 0: return imap_space(c);
	case 1: return imap_open(c);
	case 2: return imap_close(c);
	case 3: return imap_tag(c, &s);
	case 4: return imap_atom(c, &s);
	case 5: return imap_string(c, &s);
	case 6: return imap_astring(c, &s);
	case 7: return imap_nstring(c, &s);
	case 8: return imap_mailbox(c, &s);
	case 9: return imap_list_mailbox(c, &s);
	case 10: return imap_number(c, &n);
	case 11: return imap_date_time(c, &t, NULL);
	case 12: return imap_date(c, &t);
	case 13: return imap_flags(c, 1, &f);
	case 14: return imap_section(c, &sec);
	case 15: return imap_id(c, &s);
	case 17: return imap_modseq(c, 0, &n64);
	case 18: return partial_check(c);
	}
	if ((k = imap_set(c, v, NITEMS(v))) == -1)
		return -1;
	if (imap_set_count(v, (size_t)k) == 0)
		abort();
	set_check(v, imap_set_resolve(v, (size_t)k, 1000));
	return 0;
}

/* A page of a result is within it. */
static int
partial_check(struct imap_in *c)
{
	struct imap_partial p;
	char text[IMAP_PARTIAL_TEXT];
	size_t n, first, count;

	if (imap_saved(c))
		return 0;
	if (imap_partial(c, &p) == -1)
		return -1;
	if (imap_partial_print(&p, text, sizeof(text)) >= (int)sizeof(text))
		abort();
	for (n = 0; n < 100; n++) {
		count = imap_partial_pick(&p, n, &first);
		if (first > n || count > n - first)
			abort();
	}
	return 0;
}

/* A resolved set is printed as one that is read as the same again. */
static void
set_check(const struct imap_range *v, size_t n)
{
	struct imap_range again[16];
	struct imap_in in;
	char text[NITEMS(again) * 24];
	ssize_t k;
	size_t i;

	if ((k = imap_set_print(v, n, text, sizeof(text))) == -1 ||
	    imap_set_print(v, n, text, 23) != -1)
		abort();
	for (i = 0; i < n; i++)
		if (!imap_set_has(v, n, v[i].lo) ||
		    !imap_set_has(v, n, v[i].hi) ||
		    (i > 0 && v[i].lo <= v[i - 1].hi))
			abort();
	if (imap_set_has(v, n, 0) || n == 0)
		return;
	imap_start(&in, text, (size_t)k);
	if (imap_set(&in, again, NITEMS(again)) != (int)n ||
	    memcmp(v, again, n * sizeof(*v)) != 0)
		abort();
}
