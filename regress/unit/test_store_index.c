/*
 * What the store can make again from its journal: checkpoint, facts and lock,
 * deleted or damaged; and a script that needs none of it.
 */
#include "store_test.h"
#include "store_old.h"

#include <limits.h>

static char top[PATH_MAX];	/* where regress/ is */

static void
deleted_files_come_back(void **state)
{
	static const char *const files[] = { "index", "facts.0001", "lock" };
	struct acct a;
	struct store *st;
	char *want, *got;
	unsigned int set, i;

	furnish(&a);
	free(dump(&a));			/* claims no \Recent: read only */
	want = dump(&a);
	for (set = 0; set < 16; set++) {
		if ((set & 8) != 0) {
			st = session(&a);
			OK(store_checkpoint(st));
			store_close(st);
		}
		for (i = 0; i < 3; i++)
			if ((set & 1U << i) != 0)
				(void)unlinkat(a.fd, files[i], 0);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
	}
	st = session(&a);
	OK(store_rebuild(st, NULL, NULL));
	OK(store_check(st, NULL, NULL));
	store_close(st);
	got = dump(&a);
	assert_string_equal(got, want);
	free(got);
	free(want);
	acct_free(&a);
}

static void
checkpoint_in_the_middle(void **state)
{
	struct store_copied c;
	struct store_view *v;
	struct store *st;
	struct acct a;
	char *with, *without;

	furnish(&a);
	st = session(&a);
	OK(store_checkpoint(st));
	v = view(st, "INBOX", 0);
	set_flags(v, 1, 4, STORE_FLAGS_SET, STORE_FLAGGED, "after");
	OK(store_copy(v, SEQ(2, 9), "Junk", STORE_COPY_MOVE, &c));
	OK(store_mailbox_rename(st, "Archive", "Archives/old"));
	store_view_close(v);
	OK(store_commit(st));
	store_close(st);
	with = dump(&a);
	assert_int_equal(unlinkat(a.fd, "index", 0), 0);
	without = dump(&a);
	assert_string_equal(with, without);
	free(with);
	free(without);
	acct_free(&a);
}

/* Every bit of the checkpoint is covered; what is bad is made again. */
static void
bits_of_index(void **state)
{
	struct index_at at;
	struct loghead h;
	struct acct a;
	struct state *s;
	struct store *st;
	char *want, *got;
	uint8_t *p, *log;
	size_t i, n, nlog;

	furnish(&a);
	st = session(&a);
	OK(store_checkpoint(st));
	store_close(st);
	want = dump(&a);
	log = slurp(&a, "journal", &nlog);
	OK(loghead_decode(log, nlog, &h));
	p = slurp(&a, "index", &n);
	for (i = 0; i < n * 8; i++) {
		p[i / 8] ^= (uint8_t)(1U << i % 8);
		s = state_new(true);
		assert_int_equal(index_parse(p, n, h.uuid, s, &at), -1);
		state_free(s);
		if (i % 501 == 0) {
			spew(&a, "index", p, n);
			got = dump(&a);
			assert_string_equal(got, want);
			free(got);
		}
		p[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < n; i += 101) {		/* and cut short */
		spew(&a, "index", p, i);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
	}
	free(log);
	free(p);
	free(want);
	acct_free(&a);
}

static void
bits_of_facts(void **state)
{
	struct acct a;
	char *want, *got;
	uint8_t *p;
	size_t i, n;

	furnish(&a);
	want = dump(&a);
	p = slurp(&a, "facts.0001", &n);
	for (i = 0; i < n; i += 67) {
		p[i] ^= (uint8_t)(1U << i % 8);
		spew(&a, "facts.0001", p, n);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
		p[i] ^= (uint8_t)(1U << i % 8);
	}
	free(p);
	free(want);
	acct_free(&a);
}

static void
left_over_names_go(void **state)
{
	static const char *const old[] = { "index.new.1", "journal.new.2" };
	const struct timespec past[2] = { { 1000000, 0 }, { 1000000, 0 } };
	struct acct a;
	struct store *st;
	size_t i;

	acct_new(&a);
	st = session(&a);
	for (i = 0; i < NITEMS(old); i++) {
		spew(&a, old[i], "x", 1);
		assert_int_equal(utimensat(a.fd, old[i], past, 0), 0);
	}
	spew(&a, "index.new.3", "x", 1);
	OK(store_checkpoint(st));
	assert_int_equal(file_size(&a, old[0]), -1);
	assert_int_equal(file_size(&a, old[1]), -1);
	assert_int_equal(file_size(&a, "index.new.3"), 1);
	assert_int_not_equal(file_size(&a, "journal"), -1);
	store_close(st);
	acct_free(&a);
}

/* What the script that needs nothing of ours prints of INBOX is what we have
 * there, and so are the files it makes. */
static void
script_finds(const struct acct *a)
{
	char cmd[PATH_MAX + 256], line[512], want[512], path[128];
	struct store_view_info info;
	const struct store_msg *m;
	struct store_view *v;
	struct store *st;
	struct stat sb;
	uint32_t seq;
	FILE *f;

	assert_true(snprintf(cmd, sizeof(cmd),
	    "python3 %s/regress/store/recover.py %s %s/out", top, a->path,
	    a->path) > 0);
	f = popen(cmd, "r");
	assert_non_null(f);
	st = session(a);
	v = view(st, "INBOX", STORE_VIEW_READONLY);
	store_view_info(v, &info);
	for (seq = 1; seq <= info.exists; seq++) {
		m = store_view_msg(v, seq);
		(void)snprintf(want, sizeof(want),
		    "INBOX %u flags=%x size=%u crc=%08x ok\n", m->uid,
		    m->flags & STORE_FLAGS, m->size, m->crc);
		do {
			assert_non_null(fgets(line, sizeof(line), f));
		} while (strncmp(line, "INBOX ", 6) != 0);
		assert_string_equal(line, want);
	}
	while (fgets(line, sizeof(line), f) != NULL)
		assert_true(strncmp(line, "INBOX ", 6) != 0);
	assert_int_equal(pclose(f), 0);
	for (seq = 1; seq <= info.exists; seq++) {
		m = store_view_msg(v, seq);
		(void)snprintf(path, sizeof(path),
		    "out/cur/%lld.%u.maild:2,%s%s%s", (long long)m->date,
		    m->uid, m->flags & STORE_FLAGGED ? "F" : "",
		    m->flags & STORE_SEEN ? "S" : "",
		    m->flags & STORE_DELETED ? "T" : "");
		assert_int_equal(fstatat(a->fd, path, &sb, 0), 0);
		assert_int_equal(sb.st_size, m->size);
	}
	store_view_close(v);
	store_close(st);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s/out", a->path);
	assert_int_equal(system(cmd), 0);
}

static void
script_recovers(void **state)
{
	struct store *d;
	struct acct a;
	bool more;

	furnish(&a);
	script_finds(&a);
	d = session(&a);		/* and after all has moved */
	for (more = true; more;)
		OK(store_compact(d, &(struct store_keep){ 0, 0 }, true, &more));
	assert_int_equal(file_size(&a, "mail.0001"), -1);
	script_finds(&a);
	OK(journal_rewrite(d));
	store_close(d);
	script_finds(&a);
	acct_free(&a);
	old_account(&a);		/* a journal of the first form */
	script_finds(&a);
	d = deliverer(&a);
	deliver_ok(d, 20, 23);
	OK(store_sync(d));
	store_close(d);
	script_finds(&a);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted_files_come_back),
		cmocka_unit_test(checkpoint_in_the_middle),
		cmocka_unit_test(bits_of_index),
		cmocka_unit_test(bits_of_facts),
		cmocka_unit_test(left_over_names_go),
		cmocka_unit_test(script_recovers),
	};

	if (getcwd(top, sizeof(top)) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
