/*
 * The store on disk when things went wrong: torn and damaged logs, lost
 * bytes, missing files, full disks, and files put there by an account that
 * means harm.
 */
#include "base/le.h"
#include "parse/facts.h"
#include "store_test.h"

#include <sys/resource.h>

/* Whatever part of the last groups a crash left: the rest stands. */
static void
torn_at_every_byte(void **state)
{
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	uint64_t pos[8];
	uint8_t *p, *mail, *lock;
	size_t n, nmail, nlock, cut, k;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	for (k = 0; k < 4; k++) {
		pos[k] = store_log(d);
		deliver_ok(d, 10 + (int)k, 11 + (int)k);
	}
	pos[k] = store_log(d);
	store_close(d);
	p = slurp(&a, "journal", &n);
	mail = slurp(&a, "mail.0001", &nmail);
	lock = slurp(&a, "lock", &nlock);
	assert_int_equal(n, pos[4]);
	for (cut = pos[0]; cut <= n; cut++) {
		spew(&a, "journal", p, cut);
		spew(&a, "mail.0001", mail, nmail);
		spew(&a, "lock", lock, nlock);
		for (k = 0; k < 4 && pos[k + 1] <= cut; k++)
			continue;
		if (cut % 2 == 0) {
			st = session(&a);
			OK(store_status(st, "INBOX", &s));
			assert_int_equal(s.messages, 3 + k);
			store_close(st);
			assert_int_equal(file_size(&a, "journal"), pos[k]);
		}
		d = deliverer(&a);
		OK(deliver_one(d, 99, NULL, false, &r));
		OK(r);
		store_close(d);
		st = session(&a);
		OK(store_status(st, "INBOX", &s));
		assert_int_equal(s.messages, 4 + k);
		assert_int_equal(s.uidnext, 5 + k);
		store_close(st);
	}
	free(p);
	free(mail);
	free(lock);
	acct_free(&a);
}

/* Blocks that never reached the disk, with later ones behind: cut as well. */
static void
torn_with_holes(void **state)
{
	static const char zeros[4096];
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	off_t at;
	int fd;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	at = (off_t)store_log(d);
	deliver_ok(d, 3, 40);
	store_close(d);
	fd = openat(a.fd, "journal", O_RDWR);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
	close(fd);
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 3);
	assert_int_equal(file_size(&a, "journal"), at);
	OK(append_one(st, "INBOX", 5, 0, NULL, &(struct store_appended){ 0 }));
	store_close(st);
	acct_free(&a);
}

static void
damage_in_the_middle(void **state)
{
	struct store_appended ap;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	uint8_t *p;
	size_t n, i, first;

	furnish(&a);
	p = slurp(&a, "journal", &n);
	first = get32(p + LOG_HEADER + 4);
	for (i = LOG_HEADER; i < n; i += 5) {
		p[i] ^= (uint8_t)(1U << i % 8);
		spew(&a, "journal", p, n);
		st = session(&a);
		assert_int_equal(append_one(st, "INBOX", 1, 0, NULL, &ap),
		    i < LOG_HEADER + first ? STORE_NOTFOUND : STORE_DAMAGED);
		assert_int_equal(store_mailbox_create(st, "x", 0),
		    STORE_DAMAGED);
		store_close(st);
		/* It was found under the lock, so deliver knows. */
		d = deliverer(&a);
		assert_int_equal(deliver_one(d, 99, NULL, false, &r),
		    STORE_DAMAGED);
		store_close(d);
		/* Nothing was cut away. */
		assert_int_equal(file_size(&a, "journal"), n);
		p[i] ^= (uint8_t)(1U << i % 8);
		if (i > 1200)
			i += 50;
	}
	spew(&a, "journal", p, n);
	(void)unlinkat(a.fd, "lock", 0);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &ap));
	store_close(st);
	free(p);
	acct_free(&a);
}

/* The mark is not there, but whole groups follow the bad one. */
static void
damage_behind_the_mark(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	uint8_t *p;
	size_t n, at;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	at = store_log(d);
	deliver_ok(d, 3, 9);
	store_close(d);
	p = slurp(&a, "journal", &n);
	p[at + 50] ^= 4;
	spew(&a, "journal", p, n);
	d = deliverer(&a);
	assert_int_equal(deliver_one(d, 99, NULL, false, &r), STORE_DAMAGED);
	assert_int_equal(r, STORE_DAMAGED);
	store_close(d);
	assert_int_equal(file_size(&a, "journal"), n);
	free(p);
	acct_free(&a);
}

/* A power loss took bytes that nobody was promised. */
static void
lost_bytes_are_given_up(void **state)
{
	struct store_view_info info;
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	enum store_result r;
	off_t size;
	int round;

	for (round = 0; round < 2; round++) {
		acct_new(&a);
		d = deliverer(&a);
		deliver_ok(d, 0, 3);
		OK(store_sync(d));
		deliver_ok(d, 3, 5);
		size = file_size(&a, "mail.0001");
		store_close(d);
		{
			int fd = openat(a.fd, "mail.0001", O_RDWR);

			assert_int_equal(ftruncate(fd, size - 50), 0);
			close(fd);
		}
		if (round == 1)
			store_close(session(&a));
		d = deliverer(&a);
		OK(deliver_one(d, 4, NULL, true, &r));
		OK(r);
		OK(deliver_one(d, 2, NULL, true, &r));
		assert_int_equal(r, STORE_DUPLICATE);
		store_close(d);
		st = session(&a);
		v = view(st, "INBOX", 0);
		store_view_info(v, &info);
		assert_int_equal(store_view_seq(v, 5), 0);
		assert_int_equal(info.uidnext, 7);
		OK(store_check(st, NULL, NULL));
		store_view_close(v);
		store_close(st);
		acct_free(&a);
	}
}

/* No new empty account is put over mail that lost its journal. */
static void
journal_missing(void **state)
{
	struct store *st, *d;
	struct acct a;

	acct_new(&a);
	assert_int_equal(unlinkat(a.fd, "journal", 0), 0);
	d = deliverer(&a);		/* there was nothing yet */
	deliver_ok(d, 0, 2);
	store_close(d);
	assert_int_equal(unlinkat(a.fd, "journal", 0), 0);
	assert_int_equal(store_open(&st, a.fd, STORE_SESSION), STORE_DAMAGED);
	assert_int_equal(store_open(&st, a.fd, STORE_DELIVER), STORE_DAMAGED);
	assert_int_equal(store_create(a.fd), STORE_DAMAGED);
	assert_int_equal(file_size(&a, "journal"), -1);
	acct_free(&a);
}

static void
segment_missing(void **state)
{
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	char buf[8];

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	assert_int_equal(unlinkat(a.fd, "mail.0001", 0), 0);
	st = session(&a);
	v = view(st, "INBOX", 0);
	assert_int_equal(store_read(st, store_view_msg(v, 1), 0, buf, 5),
	    STORE_NOTFOUND);
	assert_int_equal(store_verify(st, store_view_msg(v, 1)),
	    STORE_NOTFOUND);
	assert_int_equal(store_check(st, NULL, NULL), STORE_NOTFOUND);
	store_view_close(v);
	deliver_ok(d, 3, 5);		/* goes into a new one */
	OK(store_sync(d));
	v = view(st, "INBOX", 0);
	OK(store_verify(st, store_view_msg(v, 5)));
	store_view_close(v);
	store_close(d);
	store_close(st);
	acct_free(&a);
}

/* FETCH of facts does not even need the messages to be there. */
static void
facts_open_no_mail(void **state)
{
	const struct store_msg *m;
	struct store_view *v;
	struct store *st, *d;
	struct iovec f;
	struct acct a;
	uint32_t i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 1000);
	OK(store_sync(d));
	store_close(d);
	assert_int_equal(unlinkat(a.fd, "mail.0001", 0), 0);
	st = session(&a);
	v = view(st, "INBOX", 0);
	for (i = 1; i <= 1000; i++) {
		m = store_view_msg(v, i);
		OK(store_facts(st, m, &f));
		assert_int_equal(facts_version(f.iov_base, f.iov_len),
		    FACTS_VERSION);
	}
	for (i = 0; i < SEGMENT_CACHE; i++)
		assert_int_equal(st->b.seg[i].number, 0);
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

static void
full_disk(void **state)
{
	struct store_appended ap;
	struct rlimit rl, old;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	char *want, *got;
	off_t log, mail;
	rlim_t room;

	acct_new(&a);
	d = deliverer(&a);
	st = session(&a);
	deliver_ok(d, 0, 5);
	OK(store_sync(d));
	want = dump(&a);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	log = file_size(&a, "journal");
	mail = file_size(&a, "mail.0001");
	/* No room for the message, for part of it, for the log. */
	for (room = 0; room < 3; room++) {
		rl = old;
		rl.rlim_cur = room == 2 ? (rlim_t)log + 100 :
		    (rlim_t)mail + room * 100;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
		assert_int_equal(deliver_one(d, 9, NULL, false, &r),
		    STORE_NOSPACE);
		assert_int_equal(append_one(st, "Sent", 9, 0, NULL, &ap),
		    STORE_NOSPACE);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(file_size(&a, "journal"), log);
		assert_int_equal(file_size(&a, "mail.0001"), mail);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
		if (room == 1)	/* let the log be the longer one */
			for (; log <= mail; log = file_size(&a, "journal")) {
				struct store_view *v = view(st, "INBOX",
				    STORE_VIEW_READONLY);

				store_view_close(v);
				OK(store_mailbox_subscribe(st, "x", true));
				OK(store_mailbox_subscribe(st, "x", false));
			}
		free(want);
		OK(store_sync(st));
		want = dump(&a);
	}
	deliver_ok(d, 9, 10);
	free(want);
	store_close(d);
	store_close(st);
	acct_free(&a);
}

/* ---- an account that means harm ---------------------------------- */

static void
links_and_pipes(void **state)
{
	static const char *const names[] = { "journal", "lock", "mail.0001",
	    "facts.0001" };
	struct acct a;
	struct store *d;
	enum store_result r, rd;
	size_t i, kind;
	char aside[32];

	for (i = 0; i < NITEMS(names); i++)
		for (kind = 0; kind < 4; kind++) {
			acct_new(&a);
			d = deliverer(&a);
			deliver_ok(d, 0, 2);
			store_close(d);
			(void)snprintf(aside, sizeof(aside), "../%s.aside",
			    strrchr(a.path, '/') + 1);
			assert_int_equal(renameat(a.fd, names[i], a.fd,
			    aside), 0);
			if (kind == 0)
				assert_int_equal(symlinkat(aside, a.fd,
				    names[i]), 0);
			else if (kind == 1)
				assert_int_equal(mkfifoat(a.fd, names[i],
				    0666), 0);
			else if (kind == 2)
				assert_int_equal(mkdirat(a.fd, names[i],
				    0777), 0);
			else
				assert_int_equal(symlinkat("/etc/passwd", a.fd,
				    names[i]), 0);
			r = store_open(&d, a.fd, STORE_DELIVER);
			if (r == STORE_OK) {
				rd = deliver_one(d, 5, NULL, false, NULL);
				/* facts are only a convenience */
				assert_true(i == 3 ? rd == STORE_OK :
				    rd != STORE_OK);
				store_close(d);
			} else
				assert_true(i < 2);
			(void)unlinkat(a.fd, aside, 0);
			(void)unlinkat(a.fd, names[i], AT_REMOVEDIR);
			acct_free(&a);
		}
}

static void
sparse_journal(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	int fd;

	acct_new(&a);
	fd = openat(a.fd, "journal", O_RDWR);
	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	close(fd);
	d = deliverer(&a);		/* a hole: the tail of a crash */
	OK(deliver_one(d, 1, NULL, false, &r));
	OK(r);
	store_close(d);
	assert_true(file_size(&a, "journal") < 4096);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(torn_at_every_byte),
		cmocka_unit_test(torn_with_holes),
		cmocka_unit_test(damage_in_the_middle),
		cmocka_unit_test(damage_behind_the_mark),
		cmocka_unit_test(lost_bytes_are_given_up),
		cmocka_unit_test(journal_missing),
		cmocka_unit_test(segment_missing),
		cmocka_unit_test(facts_open_no_mail),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(links_and_pipes),
		cmocka_unit_test(sparse_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
