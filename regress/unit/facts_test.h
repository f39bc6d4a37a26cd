/*
 * What the tests of the message parser share: the facts of a message, the same
 * ones however it is cut, and a walk over a blob that may be damaged.
 */
#ifndef FACTS_TEST_H
#define FACTS_TEST_H

#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/facts.h"
#include "parse/mime.h"
#include "parts_walk.h"

struct facts {
	char	*blob;
	size_t	 n;
};

static struct facts
facts_of(const char *p, size_t n)
{
	struct facts f;

	f.blob = mime_facts(p, n, &f.n);
	assert_non_null(f.blob);
	assert_int_equal(facts_version(f.blob, f.n), FACTS_VERSION);
	/* what is shown can be fetched, of every message here */
	assert_string_equal(parts_walk(f.blob, f.n) == NULL ? "" :
	    parts_walk(f.blob, f.n), "");
	return f;
}

static void
field_is(const struct facts *f, enum facts_field field, const char *want)
{
	struct slice s;
	char *got;

	assert_int_equal(facts_get(f->blob, f->n, field, &s), 0);
	got = strndup(s.p, s.n);
	assert_string_equal(got, want);
	free(got);
}

/* Feed in steps; the blob must be the one of the whole. */
static void
same_cut(const char *p, size_t n, size_t step)
{
	struct facts f = facts_of(p, n);
	struct mime *m = mime_new();
	const char *blob;
	size_t i, k, bn;
	char *copy;

	for (i = 0; i < n; i += k) {
		k = n - i < step ? n - i : step;
		copy = malloc(k);
		memcpy(copy, p + i, k);
		assert_int_equal(mime_feed(m, copy, k), 0);
		free(copy);
	}
	assert_int_equal(mime_end(m, &blob, &bn), 0);
	assert_int_equal(bn, f.n);
	assert_memory_equal(blob, f.blob, bn);
	/* and again with the same parser */
	mime_reset(m);
	assert_int_equal(mime_feed(m, p, n), 0);
	assert_int_equal(mime_end(m, &blob, &bn), 0);
	assert_int_equal(bn, f.n);
	assert_memory_equal(blob, f.blob, bn);
	mime_free(m);
	free(f.blob);
}

static void
prefix_cut(char *p, size_t n)
{
	same_cut(p, n, 1);
	same_cut(p, n, 7);
}

/* The blob read in every way; for damaged ones only no crash counts. */
static void
blob_walk(char *blob, size_t n)
{
	struct facts_part p;
	struct slice s;
	uint64_t a, b, c;
	uint32_t path[3];
	int64_t t;
	int i;

	facts_version(blob, n);
	facts_date(blob, n, &t);
	facts_seen(blob, n);
	for (i = 0; i < FACTS_NFIELDS; i++)
		if (facts_get(blob, n, (enum facts_field)i, &s) == 0)
			assert_true(s.p >= blob && s.p + s.n <= blob + n);
	if (facts_size(blob, n, &a, &b, &c) == 0)
		assert_true(a <= b);
	for (i = -1; i <= facts_nparts(blob, n); i++)
		if (facts_nth(blob, n, i, &p) == 0 && facts_size(blob, n, &a,
		    &b, &c) == 0)
			assert_true(p.body_off + p.body_len <= b);
	for (i = 0; i < 64; i++) {
		path[0] = (uint32_t)i & 3;
		path[1] = (uint32_t)i >> 2 & 3;
		path[2] = (uint32_t)i >> 4;
		facts_part(blob, n, path, (size_t)i % 4, &p);
	}
}

#endif
