/*
 * Messages made to hurt the parser: of each there are facts, within the limits
 * of parts, levels and octets, and soon.
 */
#include "facts_test.h"

#include <stdio.h>
#include <time.h>

#include "parse/charset.h"
#include "parse/data.h"
#include "parse/mime_priv.h"
#include "cut.h"

/* Repeat unit (with %d for a number) after a start, and parse. */
static struct facts
many(const char *start, const char *unit, int count)
{
	size_t cap = strlen(start) + (strlen(unit) + 12) * (size_t)count + 1;
	char *p = malloc(cap);
	size_t n = (size_t)sprintf(p, "%s", start);
	struct facts f;
	clock_t t0 = clock();
	int i;

	for (i = 0; i < count; i++) {
		const char *mark = strstr(unit, "%d");

		if (mark == NULL)
			n += (size_t)sprintf(p + n, "%s", unit);
		else
			n += (size_t)sprintf(p + n, "%.*s%d%s",
			    (int)(mark - unit), unit, i, mark + 2);
	}
	f = facts_of(p, n);
	assert_true(f.n <= FACTS_MAX);
	blob_walk(f.blob, f.n);
	assert_true((double)(clock() - t0) / CLOCKS_PER_SEC < 20);
	free(p);
	return f;
}

/* Row 33: depth and number of parts. */
static void
test_attack_mime_depth(void **state)
{
	struct facts f;

	f = many("", "Content-Type: message/rfc822\r\n\r\n", 30000);
	assert_true(facts_nparts(f.blob, f.n) <= MIME_DEPTH_MAX);
	free(f.blob);
	f = many("Content-Type: multipart/mixed; boundary=x\r\n\r\n",
	    "--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n", 50000);
	assert_true(facts_nparts(f.blob, f.n) <= MIME_PARTS_MAX);
	free(f.blob);
	f = many("Content-Type: multipart/mixed; boundary=x\r\n\r\n",
	    "--x\r\n\r\n", 100000);
	assert_int_equal(facts_nparts(f.blob, f.n), MIME_PARTS_MAX);
	free(f.blob);
}

static void
test_attack_mime_nested(void **state)
{
	char *p = malloc(100000 * 64);
	size_t n = 0;
	struct facts f;
	int i;

	for (i = 0; i < 100000; i++)
		n += (size_t)sprintf(p + n,
		    "Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n",
		    i, i);
	f = facts_of(p, n);
	assert_int_equal(facts_nparts(f.blob, f.n), MIME_DEPTH_MAX);
	blob_walk(f.blob, f.n);
	free(f.blob);
	free(p);
}

/* The part at path starts with head and reaches to the end of the message. */
static void
last_is(const char *msg, const struct facts *f, const uint32_t *path,
    size_t npath, const char *head)
{
	struct facts_part p;

	assert_int_equal(facts_part(f->blob, f->n, path, npath, &p), 1);
	assert_int_equal(p.body_off + p.body_len, strlen(msg));
	assert_memory_equal(msg + p.body_off, head, strlen(head));
}

/*
 * Of the root and count parts 1000 are kept: what would be one more, header
 * and boundary with it, is in the last.
 */
static void
test_limit_parts(void **state)
{
	static const struct {
		int	 count;
		uint32_t last;
		const char *head;
	} t[] = {
		{ 998, 998, "998" }, { 999, 999, "999" },
		{ 1000, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b--\r\nend" },
		{ 1001, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b\r\nA: 1001" },
		{ 3000, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b\r\nA: 1001" },
	};
	struct facts_part p;
	struct facts f;
	char *msg = malloc(100000);
	size_t i, n;
	int k;

	for (i = 0; i < NITEMS(t); i++) {
		n = (size_t)sprintf(msg, "Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n");
		for (k = 1; k <= t[i].count; k++)
			n += (size_t)sprintf(msg + n, "--b\r\nA: %d\r\n\r\n"
			    "%d\r\n", k, k);
		n += (size_t)sprintf(msg + n, "--b--\r\nend\r\n");
		f = facts_of(msg, n);
		if (t[i].count > 999)
			last_is(msg, &f, &t[i].last, 1, t[i].head);
		assert_int_equal(facts_part(f.blob, f.n, &t[i].last, 1, &p),
		    1);
		assert_memory_equal(msg + p.body_off, t[i].head,
		    strlen(t[i].head));
		assert_true(t[i].count > 999 || p.body_len == 3);
		assert_int_equal(facts_part(f.blob, f.n,
		    (uint32_t[]){ t[i].last + 1 }, 1, &p), 0);
		same_cut(msg, n, 3);
		free(f.blob);
	}
	free(msg);
}

/* The last part was closed by its multipart when one too many comes; an
 * empty one keeps its header. */
static void
test_limit_parts_nested(void **state)
{
	static const char *const body[] = { "x\r\n", "\r\n", "" };
	char *msg = malloc(100000), head[100];
	struct facts f;
	size_t i, n;
	int k;

	for (i = 0; i < NITEMS(body); i++) {
		n = (size_t)sprintf(msg, "Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n");
		for (k = 1; k <= 996; k++)
			n += (size_t)sprintf(msg + n, "--b\r\n\r\n\r\n");
		n += (size_t)sprintf(msg + n, "--b\r\nContent-Type: multipart/"
		    "mixed; boundary=c\r\n\r\n--c\r\n\r\ny\r\n--c\r\n"
		    "A: last\r\n\r\n%s--c--\r\n--b\r\n\r\nz\r\n--b--\r\n",
		    body[i]);
		f = facts_of(msg, n);
		assert_int_equal(facts_nparts(f.blob, f.n), MIME_PARTS_MAX);
		snprintf(head, sizeof(head), "%s--c--\r\n--b\r\n\r\nz\r\n",
		    body[i]);
		last_is(msg, &f, (uint32_t[]){ 997, 2 }, 2, head);
		same_cut(msg, n, 7);
		free(f.blob);
	}
	free(msg);
}

/* The headers in msg and a line behind them: the part that is npath times the
 * first one starts with head and reaches to the end, however it is cut. */
static void
deepest_is(char *msg, size_t n, size_t npath, const char *head)
{
	uint32_t path[MIME_DEPTH_MAX];
	struct facts f;
	size_t i;

	n += (size_t)sprintf(msg + n, "\r\nx\r\n");
	f = facts_of(msg, n);
	for (i = 0; i < npath; i++)
		path[i] = 1;
	last_is(msg, &f, path, npath, head);
	same_cut(msg, n, 5);
	free(f.blob);
}

/* Levels: the deepest that is shown has all that is deeper as its text. */
static void
test_limit_levels(void **state)
{
	static const int depth[] = { 1, 62, 63, 64, 65, 200 };
	char *msg = malloc(100000), head[100];
	size_t i, n, npath;
	int k;

	for (i = 0; i < NITEMS(depth); i++) {
		for (n = 0, k = 1; k <= depth[i]; k++)
			n += (size_t)sprintf(msg + n, "Content-Type: multipart/"
			    "mixed; boundary=b%d\r\n\r\n--b%d\r\n", k, k);
		npath = depth[i] < MIME_DEPTH_MAX ? (size_t)depth[i] :
		    MIME_DEPTH_MAX - 1;
		snprintf(head, sizeof(head), depth[i] <= (int)npath ? "x\r\n" :
		    "--b%d\r\n", (int)npath + 1);
		deepest_is(msg, n, npath, head);
		for (n = 0, k = 1; k <= depth[i]; k++)
			n += (size_t)sprintf(msg + n,
			    "Content-Type: message/rfc822\r\n\r\n");
		npath = depth[i] < MIME_DEPTH_MAX ? (size_t)depth[i] + 1 :
		    MIME_DEPTH_MAX;
		deepest_is(msg, n, npath, depth[i] < (int)npath ? "x\r\n" :
		    depth[i] == (int)npath ? "\r\nx\r\n" : "Content-Type: m");
	}
	free(msg);
}

/* Row 34: hundreds of thousands of address headers.  Row 35: huge ones. */
static void
test_attack_headers(void **state)
{
	struct facts f;

	f = many("", "To: a%d@example.org\r\n", 500000);
	free(f.blob);
	f = many("To: x", ",a@b", 500000);
	free(f.blob);
	f = many("To: ", "a,", 1000000);
	free(f.blob);
	f = many("", "X: y\r\n", 1000000);
	free(f.blob);
	f = many("Subject: ", "x ", 4000000);
	free(f.blob);
	f = many("Subject: ", "[a]", 100000);
	free(f.blob);
	f = many("Subject: ", "Re: ", 100000);
	free(f.blob);
	f = many("Subject: ", "=?utf-8?q?a?= ", 100000);
	free(f.blob);
	f = many("References: ", "<%d@x> ", 100000);
	free(f.blob);
}

/* Row 36: RFC 2231 pieces without end. */
static void
test_attack_params(void **state)
{
	struct facts f;

	f = many("Content-Type: text/plain", "; name*%d*=x", 100000);
	free(f.blob);
	f = many("Content-Type: text/plain", "; a%d=x", 100000);
	free(f.blob);
	f = many("Content-Type: text/plain; ", "\"", 100000);
	free(f.blob);
}

/* Facts too long for a blob become those of one text. */
static void
test_facts_flat(void **state)
{
	struct facts f;

	f = many("Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	    "--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "From: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,"
	    "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"
	    "\r\n\r\n\r\n", 499);
	assert_int_equal(facts_nparts(f.blob, f.n), 1);
	field_is(&f, FACTS_ENVELOPE, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL "
	    "NIL)");
	free(f.blob);
}

/* Row 52: a comment that ends in a backslash at the end of the message. */
static void
test_attack_comment_backslash(void **state)
{
	CUT_LIT("From: (a\\", prefix_cut);
	CUT_LIT("To: \"a\\", prefix_cut);
	CUT_LIT("Date: (\\", prefix_cut);
	CUT_LIT("Content-Type: a/b; c=\"\\", prefix_cut);
	CUT_LIT("References: (\\", prefix_cut);
	CUT_LIT("Subject: =?utf-8?q?=", prefix_cut);
}

/* Rows 31, 50: NUL and cut UTF-8 in a header stay text. */
static void
test_attack_nul(void **state)
{
	static const char msg[] = "Subject: a\0b\xc3\r\nTo: \"x\0\" <a\0@b>\r\n"
	    "\r\n\0";
	struct facts f = facts_of(msg, sizeof(msg) - 1);
	struct slice s;

	assert_int_equal(facts_get(f.blob, f.n, FACTS_ENVELOPE, &s), 0);
	assert_int_equal(slice_find(s, '\0'), s.n);
	assert_int_equal(facts_get(f.blob, f.n, FACTS_SUBJECT, &s), 0);
	assert_true(utf8_valid(s.p, s.n));
	assert_int_equal(facts_seen(f.blob, f.n), DATA_8BIT | DATA_NUL);
	free(f.blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attack_mime_depth),
		cmocka_unit_test(test_attack_mime_nested),
		cmocka_unit_test(test_limit_parts),
		cmocka_unit_test(test_limit_parts_nested),
		cmocka_unit_test(test_limit_levels),
		cmocka_unit_test(test_attack_headers),
		cmocka_unit_test(test_attack_params),
		cmocka_unit_test(test_facts_flat),
		cmocka_unit_test(test_attack_comment_backslash),
		cmocka_unit_test(test_attack_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
