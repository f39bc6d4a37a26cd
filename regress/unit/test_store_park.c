/*
 * Views that were parked: beside one that was kept each step is the same,
 * whatever happened between; and what was tampered with is a view of the same
 * mailbox or none.
 */
#include "store_test.h"

#include <sys/socket.h>

#include "base/slice.h"
#include "parse/parked.h"

static uint32_t rnd_state = 1;
static int	slept;		/* times that a view was parked */

static uint32_t
rnd(uint32_t n)
{
	rnd_state = rnd_state * 1103515245 + 12345;
	return rnd_state / 65536 % n;
}

/* Somebody else: new messages, flags, expunges. */
static void
stir(const struct acct *a, struct store *d, int *k)
{
	struct store_view_info info;
	struct store_view *v;
	struct store *st;
	uint32_t n, seq;

	if (rnd(2) == 0) {
		deliver_ok(d, *k, *k + 1);
		(*k)++;
		OK(store_sync(d));
	}
	st = session(a);
	v = view(st, "INBOX", rnd(2) ? STORE_VIEW_READONLY : 0);
	store_view_info(v, &info);
	if (info.exists > 3 && !info.readonly) {
		seq = 1 + rnd(info.exists);
		set_flags(v, seq, seq, STORE_FLAGS_ADD, rnd(3) ? STORE_SEEN :
		    STORE_DELETED, rnd(5) ? NULL : "Key");
		if (rnd(2))
			OK(store_expunge(v, NULL, 0, false, &n));
		OK(store_commit(st));
	}
	store_view_close(v);
	store_close(st);
}

/* The octets are what a front would keep. */
static enum store_result
sleep_wake(const struct acct *a, struct store **st, struct store_view **v)
{
	struct parked k = { .selected = true }, back;
	uint8_t buf[PARKED_MAX];
	enum store_result r;
	ssize_t n;

	if (!store_view_park(*v, &k.view))
		return store_refresh(*st);	/* too much: it stays */
	slept++;
	assert_true((n = parked_put(&k, buf, sizeof(buf))) > 0);
	assert_int_equal(parked_get(slice_of((char *)buf, (size_t)n), &back),
	    0);
	store_view_close(*v);
	store_close(*st);
	*st = session(a);
	if ((r = store_view_wake(v, *st, &back.view)) != STORE_OK)
		*v = NULL;
	return r;
}

static void
same_view(struct store_view *a, struct store_view *b)
{
	struct store_view_info x, y;
	uint32_t seq;

	store_view_info(a, &x);
	store_view_info(b, &y);
	assert_int_equal(x.exists, y.exists);
	assert_int_equal(x.recent, y.recent);
	assert_int_equal(x.uidnext, y.uidnext);
	for (seq = 1; seq <= x.exists; seq++) {
		assert_int_equal(store_view_msg(a, seq)->uid,
		    store_view_msg(b, seq)->uid);
		assert_int_equal(store_view_gone(a, seq),
		    store_view_gone(b, seq));
		assert_int_equal(store_view_recent(a, seq),
		    store_view_recent(b, seq));
	}
}

static void
same_delta(struct store_view *a, struct store_view *b, unsigned int flags)
{
	struct store_delta x, y;
	size_t i, j;

	OK(store_view_refresh(a, flags, &x));
	OK(store_view_refresh(b, flags, &y));
	assert_int_equal(x.nexpunged, y.nexpunged);
	assert_int_equal(x.exists, y.exists);
	assert_int_equal(x.grown, y.grown);
	assert_int_equal(x.keywords, y.keywords);
	for (i = 0; i < x.nexpunged; i++) {
		assert_int_equal(x.expunged[i], y.expunged[i]);
		assert_int_equal(x.expunged_uid[i], y.expunged_uid[i]);
	}
	for (i = j = 0; i < x.nchanged; i++, j++) {
		while (j < y.nchanged && y.changed[j] < x.changed[i])
			j++;
		assert_true(j < y.nchanged && y.changed[j] == x.changed[i]);
	}
}

static void
beside_one_that_was_kept(void **state)
{
	struct store *d, *kept, *st;
	struct store_view *v1, *v2;
	struct acct a;
	int k = 20, i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 20);
	OK(store_sync(d));
	kept = session(&a);
	st = session(&a);
	/* both may not claim \Recent: neither does */
	v1 = view(kept, "INBOX", STORE_VIEW_READONLY);
	v2 = view(st, "INBOX", STORE_VIEW_READONLY);
	for (slept = i = 0; i < 400; i++) {
		if (i % 20 == 0) {	/* \Recent in one piece again */
			store_view_close(v1);
			store_view_close(v2);
			v1 = view(kept, "INBOX", STORE_VIEW_READONLY);
			v2 = view(st, "INBOX", STORE_VIEW_READONLY);
		}
		while (rnd(3) > 0)
			stir(&a, d, &k);
		OK(sleep_wake(&a, &st, &v2));
		OK(store_refresh(kept));
		same_view(v1, v2);
		if (rnd(3) > 0)
			same_delta(v1, v2, rnd(3) > 0 ? STORE_REFRESH_EXPUNGE :
			    0);
		same_view(v1, v2);
	}
	assert_true(slept > 300);
	store_view_close(v1);
	store_view_close(v2);
	store_close(kept);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

/* A checkpoint remembers which messages are gone. */
static void
behind_a_checkpoint(void **state)
{
	struct store *d, *kept, *st;
	struct store_view *v1, *v2;
	enum store_result r;
	struct acct a;
	int k = 60, i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 60);
	OK(store_sync(d));
	kept = session(&a);
	st = session(&a);
	v1 = view(kept, "INBOX", STORE_VIEW_READONLY);
	v2 = view(st, "INBOX", STORE_VIEW_READONLY);
	for (i = 0; i < 300; i++) {
		stir(&a, d, &k);
		if (rnd(3) == 0)
			OK(store_checkpoint(kept));
		r = sleep_wake(&a, &st, &v2);
		OK(store_refresh(kept));
		OK(r);
		same_view(v1, v2);
		same_delta(v1, v2, STORE_REFRESH_EXPUNGE);
	}
	store_view_close(v1);
	store_view_close(v2);
	store_close(kept);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

static void
what_is_no_more(void **state)
{
	struct parked_view p, q;
	struct store_appended out;
	struct store *st, *other;
	struct store_view *v;
	struct acct a;

	acct_new(&a);
	st = session(&a);
	OK(store_mailbox_create(st, "one", 0));
	OK(store_mailbox_create(st, "two", 0));
	OK(append_one(st, "one", 1, 0, NULL, &out));
	OK(store_commit(st));
	v = view(st, "one", 0);
	assert_true(store_view_park(v, &p));
	store_view_close(v);
	other = session(&a);
	OK(store_view_wake(&v, other, &p));
	store_view_close(v);
	OK(store_mailbox_rename(other, "one", "three"));
	OK(store_view_wake(&v, other, &p));
	assert_string_equal(store_view_name(v), "three");
	store_view_close(v);
	q = p;
	q.uidvalidity++;
	assert_int_equal(store_view_wake(&v, other, &q), STORE_NOTFOUND);
	q = p;
	q.mailbox = 4711;
	assert_int_equal(store_view_wake(&v, other, &q), STORE_NOTFOUND);
	q = p;
	q.seq += 1000;
	assert_int_equal(store_view_wake(&v, other, &q), STORE_INVALID);
	q = p;
	q.uidnext++;
	assert_int_equal(store_view_wake(&v, other, &q), STORE_INVALID);
	q = p;
	q.exists = UINT32_MAX - 1;
	assert_int_equal(store_view_wake(&v, other, &q), STORE_INVALID);
	OK(store_view_wake(&v, other, &p));
	store_view_close(v);
	/* as many messages of an older copy may be others */
	OK(store_restored(other));
	assert_int_equal(store_view_wake(&v, other, &p), STORE_INVALID);
	OK(store_mailbox_delete(other, "three"));
	assert_int_equal(store_view_wake(&v, other, &p), STORE_NOTFOUND);
	/* of one that is gone already nothing is parked */
	v = view(st, "two", 0);
	OK(store_mailbox_delete(other, "two"));
	OK(store_refresh(st));
	assert_false(store_view_park(v, &p));
	store_view_close(v);
	store_close(st);
	store_close(other);
	acct_free(&a);
}

/* Each bit: the front's word is taken for numbers of messages alone. */
static void
each_bit(void **state)
{
	struct parked k = { .selected = true }, back;
	struct store *st, *d;
	struct store_view *v, *w;
	struct store_delta dl;
	uint8_t buf[PARKED_MAX];
	struct acct a;
	ssize_t n, i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 30);
	OK(store_sync(d));
	st = session(&a);
	v = view(st, "INBOX", 0);
	set_flags(v, 3, 9, STORE_FLAGS_ADD, STORE_DELETED, NULL);
	OK(store_expunge(v, NULL, 0, false, &(uint32_t){ 0 }));
	OK(store_commit(st));
	assert_true(store_view_park(v, &k.view));
	assert_true((n = parked_put(&k, buf, sizeof(buf))) > 0);
	for (i = 0; i < n * 8; i++) {
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		if (parked_get(slice_of((char *)buf, (size_t)n), &back) == 0 &&
		    back.selected &&
		    store_view_wake(&w, st, &back.view) == STORE_OK) {
			OK(store_view_refresh(w, STORE_REFRESH_EXPUNGE, &dl));
			assert_int_equal(dl.exists, 23);
			store_view_close(w);
		}
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	store_view_close(v);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

/* A watch goes from session to session; what is no socket is none. */
static void
watch_is_handed_on(void **state)
{
	struct store *one, *two, *d;
	char name[40], buf[4];
	struct acct a;
	int fd, p[2], i;

	acct_new(&a);
	d = deliverer(&a);
	one = session(&a);
	two = session(&a);
	assert_int_not_equal(store_watch(one), -1);
	(void)strlcpy(name, store_watch_name(one), sizeof(name));
	assert_int_equal(strlen(name), PARKED_WATCH_LEN);
	fd = store_watch_release(one);
	store_close(one);
	deliver_ok(d, 0, 1);
	store_poke(d);
	assert_int_equal(store_watch_adopt(two, fd, name), 0);
	assert_true(store_watch_drain(two));
	store_poke(d);
	assert_true(store_watch_drain(two));
	store_unwatch(two);
	assert_string_equal(store_watch_name(two), "");
	assert_int_equal(pipe(p), 0);
	assert_int_equal(store_watch_adopt(two, p[0], name), -1);
	close(p[0]);
	close(p[1]);
	/* more clients left than are poked at once: who is there hears it */
	for (i = 0; i < 600; i++) {
		assert_int_not_equal(store_watch(two), -1);
		close(store_watch_release(two));
	}
	assert_int_not_equal(fd = store_watch(two), -1);
	for (i = 0; i < 600; i++) {
		one = session(&a);
		assert_int_not_equal(store_watch(one), -1);
		close(store_watch_release(one));
		store_close(one);
	}
	store_poke(d);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 1);
	store_close(two);
	store_close(d);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_one_that_was_kept),
		cmocka_unit_test(behind_a_checkpoint),
		cmocka_unit_test(what_is_no_more),
		cmocka_unit_test(each_bit),
		cmocka_unit_test(watch_is_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
