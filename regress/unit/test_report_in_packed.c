/*
 * report-in on packed attachments: gzip and zip, cut and damaged, and bombs.
 */
#include "base/slice.h"
#include "report_in_test.h"

#include <zlib.h>

/* gzip (16) or raw deflate (-15). */
static char *
pack(const char *p, size_t n, int bits, size_t *out)
{
	z_stream z = { 0 };
	size_t size = n + 1000;
	char *buf = xcalloc(1, size);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)buf;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*out = size - z.avail_out;
	deflateEnd(&z);
	return buf;
}

static void
le(char *p, uint32_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (char)(v >> 8 * i);
}

/* An archive of one entry called "a". */
static char *
archive(const char *p, size_t n, size_t *out)
{
	size_t packed, at;
	char *data = pack(p, n, -15, &packed);
	char *z = xcalloc(1, packed + 31 + 47 + 22);
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)p, (uInt)n);

	memcpy(z, "PK\3\4", 4);
	le(z + 8, 8, 2);
	le(z + 14, crc, 4);
	le(z + 18, (uint32_t)packed, 4);
	le(z + 22, (uint32_t)n, 4);
	le(z + 26, 1, 2);
	z[30] = 'a';
	memcpy(z + 31, data, packed);
	at = 31 + packed;
	memcpy(z + at, "PK\1\2", 4);
	le(z + at + 10, 8, 2);
	le(z + at + 16, crc, 4);
	le(z + at + 20, (uint32_t)packed, 4);
	le(z + at + 24, (uint32_t)n, 4);
	le(z + at + 28, 1, 2);
	z[at + 46] = 'a';
	memcpy(z + at + 47, "PK\5\6", 4);
	le(z + at + 47 + 8, 1, 2);
	le(z + at + 47 + 10, 1, 2);
	le(z + at + 47 + 12, 47, 4);
	le(z + at + 47 + 16, (uint32_t)at, 4);
	free(data);
	*out = at + 47 + 22;
	return z;
}

static size_t whole;

static void
packed_cut(char *p, size_t n)
{
	struct in_report r = report();
	const char *why = NULL;
	int rc = in_attachment(slice_of(p, n), &r, &house, &why);

	assert_int_equal(rc, n == whole ? 0 : -1);
	if (rc == -1)
		assert_non_null(why);
	else
		assert_int_equal(r.head.messages, 10);
	rows_free(r.rows);
}

static void
test_gzip_cut(void **state)
{
	char *p = pack(xml, sizeof(xml) - 1, 31, &whole);

	cut_each(p, whole, packed_cut);
	free(p);
}

static void
test_zip_cut(void **state)
{
	char *p = archive(xml, sizeof(xml) - 1, &whole);

	cut_each(p, whole, packed_cut);
	free(p);
}

/* Every octet wrong in several ways: an answer, or the report itself where
 * the octet does not matter. */
static void
test_zip_damaged(void **state)
{
	static const int change[] = { 0x01, 0x80, 0xff };
	const char *why;
	struct in_report r;
	size_t n, i, k;
	char *p = archive(xml, sizeof(xml) - 1, &n), *copy = xcalloc(1, n);
	int rc;

	for (i = 0; i < n; i++)
		for (k = 0; k < NITEMS(change); k++) {
			memcpy(copy, p, n);
			copy[i] ^= (char)change[k];
			r = report();
			why = NULL;
			rc = in_attachment(slice_of(copy, n), &r, &house,
			    &why);
			if (rc == 0)
				assert_int_equal(r.head.messages, 10);
			else
				assert_non_null(why);
			rows_free(r.rows);
		}
	free(copy);
	free(p);
}

static void
zip_refused(size_t at, uint32_t v, size_t len, const char *want)
{
	struct in_report r = report();
	const char *why = NULL;
	size_t n, dir;
	char *p = archive(xml, sizeof(xml) - 1, &n);

	dir = n - 22 - 47;
	le(p + dir + at, v, len);
	assert_int_equal(in_attachment(slice_of(p, n), &r, &house, &why), -1);
	assert_string_equal(why, want);
	rows_free(r.rows);
	free(p);
}

static void
test_zip_refused(void **state)
{
	zip_refused(8, 1, 2, "zip entry is encrypted");
	zip_refused(8, 0x40, 2, "zip entry is encrypted");
	zip_refused(10, 12, 2, "zip entry packed in an unknown way");
	zip_refused(10, 0, 2, "zip entry is damaged");
	zip_refused(16, 1, 4, "packed data is not what the archive says");
	zip_refused(20, UINT32_MAX, 4, "zip64 archive");
	zip_refused(20, UINT32_MAX - 1, 4, "zip entry is damaged");
	zip_refused(24, UINT32_MAX - 1, 4, "unpacks to more than 64 MiB");
	zip_refused(24, 7, 4, "packed data is not what the archive says");
	zip_refused(28, 0xffff, 2, "zip directory is damaged");
	zip_refused(34, 1, 2, "zip archive of several disks");
	zip_refused(42, UINT32_MAX, 4, "zip64 archive");
	zip_refused(42, UINT32_MAX - 1, 4, "zip entry is damaged");
	zip_refused(42, 40, 4, "zip entry is damaged");
	zip_refused(47 + 4, 1, 2, "zip archive of several disks");
	zip_refused(47 + 8, 0, 4, "empty zip archive");
	zip_refused(47 + 8, 0x90009, 4, "too many entries in a zip archive");
	zip_refused(47 + 8, UINT32_MAX, 4, "zip64 archive");
	zip_refused(47 + 12, 46, 4, "zip directory is damaged");
	zip_refused(47 + 16, UINT32_MAX - 1, 4, "zip directory is damaged");
	zip_refused(47 + 20, 1, 2, "zip archive without a directory");
}

static int
count(void *arg, const char *p, size_t n)
{
	*(uint64_t *)arg += n;
	return 0;
}

/* The limit is where it is said to be. */
static void
test_bomb(void **state)
{
	size_t n, size = UNPACK_FREE * 2;
	char *zeros = xcalloc(1, size), *p = pack(zeros, size, 31, &n);
	uint64_t got = 0;
	struct unpack u = { .sink = count, .arg = &got };

	assert_true(size / n > UNPACK_RATIO);
	assert_int_equal(gzip_unpack(&u, slice_of(p, n)), -1);
	assert_string_equal(u.why, "unpacks to a thousand times its size");
	assert_true(got <= UNPACK_FREE + 65536);
	free(p);
	p = pack(zeros, UNPACK_FREE, 31, &n);
	u = (struct unpack){ .sink = count, .arg = &got };
	assert_int_equal(gzip_unpack(&u, slice_of(p, n)), 0);
	assert_int_equal(u.out, UNPACK_FREE);
	free(p);
	free(zeros);
}

/* What was packed well before does not count against a small member. */
static void
test_members(void **state)
{
	size_t n, k, size = UNPACK_FREE * 2, i;
	char *octets = xcalloc(1, size), *p, *q;
	uint64_t got = 0;
	struct unpack u = { .sink = count, .arg = &got };

	for (i = 0; i < size; i++)	/* a fifth of its size when packed */
		octets[i] = (char)(i * i >> 7 & i >> 3);
	p = pack(octets, size, 31, &n);
	q = pack("small", 5, 31, &k);
	p = xreallocarray(p, n + k, 1);
	memcpy(p + n, q, k);
	assert_int_equal(gzip_unpack(&u, slice_of(p, n + k)), 0);
	assert_int_equal(got, size + 5);
	assert_int_equal(u.in, n + k);
	free(q);
	free(p);
	free(octets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_cut),
		cmocka_unit_test(test_zip_cut),
		cmocka_unit_test(test_zip_damaged),
		cmocka_unit_test(test_zip_refused),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests_name("report_in_packed", tests, NULL, NULL);
}
