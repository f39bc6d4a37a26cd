/*
 * Writers that compete for a store or are killed, and what a sync of one says
 * about the others.
 */
#include "base/clock.h"
#include "base/slice.h"
#include "parse/facts.h"
#include "store_test.h"

static void
lock_is_busy(void **state)
{
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	uint64_t end, t;

	acct_new(&a);
	st = session(&a);
	d = deliverer(&a);
	OK(backend_begin(&st->b, &end));
	t = now_us();
	assert_int_equal(deliver_one(d, 1, NULL, false, &r), STORE_BUSY);
	assert_int_equal(r, STORE_BUSY);
	assert_true(now_us() - t < 2000000);
	backend_end(&st->b);
	deliver_ok(d, 1, 2);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

#define WRITERS	8
#define EACH	60

static void
writer_child(const struct acct *a, int w)
{
	struct store_changed c;
	struct store_flagset fs = { STORE_SEEN, NULL, 0 };
	struct store_view_info info;
	struct store_delta dl;
	struct store_appended ap;
	struct store_view *v;
	enum store_result r;
	struct store *st;
	int i;

	if (w < 4) {
		while ((r = store_open(&st, a->fd, STORE_DELIVER)) ==
		    STORE_BUSY)
			continue;
		OK(r);
		for (i = 0; i < EACH; i++)
			while (deliver_one(st, w * 1000 + i, w == 3 ? "Junk" :
			    NULL, false, NULL) == STORE_BUSY)
				continue;
		store_close(st);
		return;
	}
	st = session(a);
	v = view(st, "INBOX", 0);
	for (i = 0; i < EACH; i++) {
		OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
		store_view_info(v, &info);
		if (w < 6)
			OK(append_one(st, "Sent", w * 1000 + i, 0, NULL, &ap));
		else if (info.exists > 0)
			OK(store_flags(v, SEQ(1, info.exists),
			    i % 2 ? STORE_FLAGS_ADD : STORE_FLAGS_DEL, &fs,
			    UINT64_MAX, true, &c));
		if (i % 16 == 0)
			OK(store_checkpoint(st));
	}
	fs.sys = STORE_FLAGGED;
	store_view_close(v);
	OK(store_sync(st));
	store_close(st);
}

static void
concurrent_writers(void **state)
{
	struct store_status s;
	struct store *st;
	struct acct a;
	pid_t pid[WRITERS];
	char *with, *without;
	int w, status;

	acct_new(&a);
	for (w = 0; w < WRITERS; w++) {
		if ((pid[w] = fork()) == 0) {
			writer_child(&a, w);
			_exit(0);
		}
		assert_int_not_equal(pid[w], -1);
	}
	for (w = 0; w < WRITERS; w++) {
		assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
		assert_int_equal(status, 0);
	}
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 3 * EACH);
	assert_int_equal(s.uidnext, 3 * EACH + 1);
	OK(store_status(st, "Junk", &s));
	assert_int_equal(s.messages, EACH);
	OK(store_status(st, "Sent", &s));
	assert_int_equal(s.messages, 2 * EACH);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	with = dump(&a);
	(void)unlinkat(a.fd, "index", 0);
	without = dump(&a);
	assert_string_equal(with, without);
	free(with);
	free(without);
	acct_free(&a);
}

/*
 * Writers killed at any moment.  Each is told which message to deliver next,
 * says so when it is durable; what was not acknowledged is asked for again
 * as maybe done.  In the end each is there exactly once.
 */
static void
killed_writers(void **state)
{
	struct acct a;
	struct store *st;
	struct store_view *v;
	struct store_view_info info;
	enum store_result r;
	struct slice id;
	struct iovec f;
	char *seen, num[32];
	int p[2], k = 0, kills = 0, got, total = 200;
	uint32_t seq;
	pid_t pid;

	acct_new(&a);
	srandom(7);
	while (k < total) {
		assert_int_equal(pipe(p), 0);
		if ((pid = fork()) == 0) {
			st = deliverer(&a);
			for (; k < total; k++) {
				if (deliver_one(st, k, NULL, true, &r) !=
				    STORE_OK || (r != STORE_OK &&
				    r != STORE_DUPLICATE) ||
				    store_sync(st) != STORE_OK ||
				    write(p[1], &k, sizeof(k)) != sizeof(k))
					_exit(1);
			}
			_exit(0);
		}
		close(p[1]);
		usleep((useconds_t)(random() % 6000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(p[0], &got, sizeof(got)) == sizeof(got))
			k = got + 1;
		close(p[0]);
		assert_true(++kills < 5000);
	}
	st = session(&a);
	v = view(st, "INBOX", 0);
	store_view_info(v, &info);
	assert_int_equal(info.exists, total);
	seen = calloc((size_t)total, 1);
	for (seq = 1; seq <= info.exists; seq++) {
		OK(store_verify(st, store_view_msg(v, seq)));
		OK(store_facts(st, store_view_msg(v, seq), &f));
		assert_int_equal(facts_get(f.iov_base, f.iov_len, FACTS_MSGID,
		    &id), 0);
		assert_int_equal(slice_cpy(id, num, sizeof(num)), 0);
		k = atoi(num + 1);
		assert_true(k >= 0 && k < total && !seen[k]);
		seen[k] = 1;
	}
	free(seen);
	store_view_close(v);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	acct_free(&a);
}

/* Claiming \Recent alone makes nobody wait for the disk. */
static void
recent_needs_no_sync(void **state)
{
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	uint64_t durable;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	store_close(d);
	st = session(&a);
	durable = st->durable;
	v = view(st, "INBOX", 0);
	assert_true(store_log(st) > durable);
	OK(store_sync(st));
	assert_int_equal(st->durable, durable);
	OK(append_one(st, "Sent", 1, 0, NULL, &(struct store_appended){ 0 }));
	OK(store_sync(st));
	assert_int_equal(st->durable, store_log(st));
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

static void
failed_sync_is_written_again(void **state)
{
	struct acct a;
	struct store *st, *d;
	struct mark m;
	char *want, *got;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	deliver_ok(d, 3, 6);
	backend_mark_get(&d->b, d->seed, &m);
	assert_int_not_equal(m.pos, store_log(d));
	want = dump(&a);
	deliver_ok(d, 6, 7);
	backend_mark_get(&d->b, d->seed, &m);
	m.flags |= MARK_SYNCFAIL;
	backend_mark_set(&d->b, d->seed, &m);
	store_close(d);
	st = session(&a);
	OK(store_sync(st));
	backend_mark_get(&st->b, st->seed, &m);
	assert_int_equal(m.flags, 0);
	assert_int_equal(m.pos, store_log(st));
	OK(store_check(st, NULL, NULL));
	store_close(st);
	got = dump(&a);
	assert_string_not_equal(got, want);
	free(got);
	free(want);
	acct_free(&a);
}

/* A sync of ours that went well says nothing about one that failed. */
static void
failed_sync_of_another(void **state)
{
	struct acct a;
	struct store *d, *st;
	struct store_appended out;
	struct mark m;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 2);
	OK(store_synced(d));
	st = session(&a);
	OK(append_one(st, "INBOX", 2, 0, NULL, &out));
	store_sync_failed(st);
	assert_true(store_failed(st));
	assert_int_equal(store_sync(st), STORE_IO);
	store_close(st);
	deliver_ok(d, 3, 4);
	assert_int_equal(store_synced(d), STORE_IO);
	assert_true(store_failed(d));
	backend_mark_get(&d->b, d->seed, &m);
	assert_int_equal(m.flags, MARK_SYNCFAIL);
	store_close(d);
	d = deliverer(&a);
	deliver_ok(d, 4, 5);
	OK(store_synced(d));
	backend_mark_get(&d->b, d->seed, &m);
	assert_int_equal(m.flags, 0);
	assert_int_equal(m.pos, store_log(d));
	store_close(d);
	acct_free(&a);
}

/* Who finds that another synced must not say more than that one did. */
static void
mark_says_what_was_synced(void **state)
{
	struct acct a;
	struct store *d, *st, *other;
	struct store_view *v;
	struct mark m;
	uint64_t synced;

	acct_new(&a);
	st = session(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 2);
	OK(store_synced(d));
	synced = store_log(d);
	other = session(&a);
	v = view(other, "INBOX", 0);	/* a claim that nobody syncs */
	assert_true(store_log(other) > synced);
	OK(store_refresh(st));
	assert_int_equal(store_log(st), store_log(other));
	backend_mark_get(&st->b, st->seed, &m);
	assert_int_equal(m.pos, synced);
	deliver_ok(d, 2, 3);
	OK(store_refresh(st));
	backend_mark_get(&st->b, st->seed, &m);
	assert_int_equal(m.pos, store_log(d));
	store_view_close(v);
	store_close(other);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

/* Answered NO: no copy stays, and others' messages do. */
static void
taken_back(void **state)
{
	struct acct a;
	struct store *st, *d;
	struct store_appended out;
	struct store_status s;
	uint64_t bytes, messages;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &out));
	OK(store_commit(st));
	OK(append_one(st, "INBOX", 2, 0, NULL, &out));
	store_take_back(st, "INBOX", out.uids);	/* not after a good one */
	d = deliverer(&a);
	deliver_ok(d, 3, 4);
	store_sync_failed(st);
	store_take_back(st, "INBOX", out.uids);
	assert_int_equal(store_commit(st), STORE_IO);
	store_close(st);
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 2);
	assert_int_equal(s.uidnext, 4);
	store_usage(st, &bytes, &messages);
	assert_int_equal(messages, 2);
	assert_int_equal(bytes, s.bytes);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	store_close(d);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_is_busy),
		cmocka_unit_test(concurrent_writers),
		cmocka_unit_test(killed_writers),
		cmocka_unit_test(recent_needs_no_sync),
		cmocka_unit_test(failed_sync_is_written_again),
		cmocka_unit_test(failed_sync_of_another),
		cmocka_unit_test(mark_says_what_was_synced),
		cmocka_unit_test(taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
