/*
 * The keys that are kept ready (dkim_key.c): each record gets its own, however
 * alike records are and however many there were, and what could not be read is
 * not kept.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "verify/dkim_priv.h"
#include "verify/verify.h"

/* Ed25519 keys are any 32 octets: this one is full of n. */
static struct slice
record(char *text, size_t size, const char *tags, int n)
{
	uint8_t key[32];
	char p[64];
	ssize_t len;

	memset(key, n, sizeof(key));
	len = base64_encode(key, sizeof(key), p, sizeof(p));
	snprintf(text, size, "v=DKIM1; k=ed25519; %s; p=%.*s", tags, (int)len,
	    p);
	return slice_str(text);
}

static const struct dkim_key *
get(struct dkim_keys *keys, const char *tags, int n)
{
	const struct dkim_key *k;
	const char *why;
	char text[4096];

	k = dkim_keys_get(keys, record(text, sizeof(text), tags, n), &why);
	assert_non_null(k);
	assert_int_equal(k->n, 32);
	assert_int_equal(k->data[0], n);
	assert_int_equal(k->data[31], n);
	return k;
}

static void
test_many(void **state)
{
	struct dkim_keys *keys = calloc(1, sizeof(*keys));
	const struct dkim_key *k;
	int round, n;

	assert_non_null(keys);
	for (round = 0; round < 3; round++)
		for (n = 0; n < 3 * KEYS_MAX; n++)
			get(keys, "n=x", n);
	k = get(keys, "n=x", 3 * KEYS_MAX - 1);
	for (n = 2 * KEYS_MAX; n < 3 * KEYS_MAX; n++)	/* all are still there */
		get(keys, "n=x", n);
	assert_ptr_equal(get(keys, "n=x", 3 * KEYS_MAX - 1), k);
	dkim_keys_free(keys);
	free(keys);
}

/* Of one length, with one middle, and different all the same. */
static void
test_alike(void **state)
{
	struct dkim_keys *keys = calloc(1, sizeof(*keys));
	int i;

	assert_non_null(keys);
	for (i = 0; i < 3; i++) {
		assert_true(get(keys, "t=y", 7)->testing);
		assert_false(get(keys, "t=s", 7)->testing);
		assert_true(get(keys, "t=s", 7)->strict);
		assert_false(get(keys, "t=x", 7)->strict);
	}
	dkim_keys_free(keys);
	free(keys);
}

static void
test_broken(void **state)
{
	struct dkim_keys *keys = calloc(1, sizeof(*keys));
	char text[4096], long_tag[3 * KEYS_RECORD / 2];
	const char *why;
	int i;

	assert_non_null(keys);
	for (i = 0; i < 2 * KEYS_MAX; i++) {
		assert_null(dkim_keys_get(keys, record(text, sizeof(text),
		    "v=DKIM1", 1), &why));
		assert_string_equal(why, "tag given twice");
		assert_null(dkim_keys_get(keys, slice_of("", 0), &why));
	}
	get(keys, "n=x", 1);
	/* too long to be kept, good all the same */
	memset(long_tag, 'x', sizeof(long_tag) - 1);
	long_tag[sizeof(long_tag) - 1] = '\0';
	memcpy(long_tag, "n=", 2);
	get(keys, long_tag, 1);
	get(keys, long_tag, 2);
	dkim_keys_free(keys);
	free(keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
