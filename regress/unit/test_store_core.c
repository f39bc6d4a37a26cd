/*
 * The store as deliver and the sessions use it, on a real directory: messages
 * put there and read, and word of them.
 */
#include "base/hash.h"
#include "base/slice.h"
#include "parse/facts.h"
#include "store_test.h"

static void
create_and_list(void **state)
{
	const struct store_mailbox *mb;
	struct store_mailbox found;
	struct acct a;
	struct store *st;
	size_t it = 0;
	int n = 0;

	acct_new(&a);
	OK(store_create(a.fd));
	st = session(&a);
	mb = store_mailbox_next(st, &it);
	assert_non_null(mb);
	assert_string_equal(mb->name, "INBOX");
	assert_true(mb->attr & STORE_MB_SUBSCRIBED);
	for (n = 1; (mb = store_mailbox_next(st, &it)) != NULL; n++)
		assert_true(mb->attr & STORE_MB_SUBSCRIBED);
	assert_int_equal(n, 6);
	assert_true(store_mailbox_find(st, "inbox", &found));
	assert_true(store_mailbox_find(st, "Junk", &found));
	assert_int_equal(found.attr & STORE_MB_SPECIAL, STORE_MB_JUNK);
	assert_false(store_mailbox_find(st, "junk", &found));
	store_close(st);
	acct_free(&a);
}

static void
deliver_and_read(void **state)
{
	struct acct a;
	struct store *d, *st;
	struct store_view *v;
	struct store_view_info info;
	struct iovec f;
	struct slice id;
	char buf[2048], want[1024];
	size_t n;
	const struct store_msg *m;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 20);
	OK(store_sync(d));
	st = session(&a);
	v = view(st, "INBOX", 0);
	store_view_info(v, &info);
	assert_int_equal(info.exists, 20);
	assert_int_equal(info.recent, 20);
	assert_int_equal(info.unseen, 20);
	assert_int_equal(info.first_unseen, 1);
	assert_int_equal(info.uidnext, 21);
	m = store_view_msg(v, 7);
	assert_int_equal(m->uid, 7);
	assert_int_equal(m->prefix, 31);
	OK(store_read(st, m, m->prefix, buf, m->size - m->prefix));
	n = message(want, sizeof(want), 6);
	assert_int_equal(n, m->size - m->prefix);
	assert_memory_equal(buf, want, n);
	OK(store_facts(st, m, &f));
	assert_int_equal(facts_get(f.iov_base, f.iov_len, FACTS_MSGID, &id), 0);
	assert_true(slice_is(id, "<6@example.test>"));
	OK(store_verify(st, m));
	assert_int_equal(store_read(st, m, m->size, buf, 1), STORE_INVALID);
	assert_null(store_view_msg(v, 21));
	assert_null(store_view_msg(v, 0));
	store_view_close(v);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

static void
deliver_batch_sources(void **state)
{
	static char big[3 << 20];
	char small[] = "Subject: s\r\n\r\nx\r\n", pre[] = "A: b\r\n";
	struct iovec p = { pre, 6 }, b = { small, sizeof(small) - 1 };
	struct store_item it[5] = { 0 };
	struct acct a;
	struct store *d, *st;
	struct store_view *v;
	const struct store_msg *m;
	char tmp[] = "/tmp/store_src.XXXXXX";
	int fd, i;

	acct_new(&a);
	memset(big, 'y', sizeof(big));
	memcpy(big, "Subject: big\r\n\r\n", 16);
	fd = mkstemp(tmp);
	assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
	unlink(tmp);
	for (i = 0; i < 5; i++) {
		id_of(it[i].id, i);
		it[i].prefix = &p;
		it[i].nprefix = 1;
		it[i].fd = -1;
	}
	it[0].body = &b, it[0].nbody = 1;
	it[1].fd = fd, it[1].off = 100, it[1].len = 700000;
	it[2].fd = fd, it[2].off = 0, it[2].len = sizeof(big);
	it[3].fd = fd, it[3].off = 5, it[3].len = 600000;
	it[4].fd = fd, it[4].off = 5, it[4].len = sizeof(big); /* too short */
	d = deliverer(&a);
	OK(store_deliver(d, it, 5));
	for (i = 0; i < 4; i++)
		OK(it[i].result);
	assert_int_equal(it[4].result, STORE_IO);
	OK(store_sync(d));
	st = session(&a);
	v = view(st, "INBOX", 0);
	assert_int_equal(store_view_seq(v, 4), 4);
	for (i = 1; i <= 4; i++)
		OK(store_verify(st, store_view_msg(v, (uint32_t)i)));
	m = store_view_msg(v, 3);
	assert_int_equal(m->size, sizeof(big) + 6);
	assert_int_not_equal(m->segment, store_view_msg(v, 1)->segment);
	/* The failed one left no segment behind. */
	assert_int_equal(file_size(&a, "mail.0003"), -1);
	deliver_ok(d, 10, 12);
	store_view_close(v);
	store_close(st);
	store_close(d);
	close(fd);
	free(dump(&a));
	acct_free(&a);
}

static void
deliver_duplicate_and_forget(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	uint8_t id[1][STORE_ID_LEN];

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 1, 5);
	OK(deliver_one(d, 3, NULL, true, &r));
	assert_int_equal(r, STORE_DUPLICATE);
	OK(deliver_one(d, 7, NULL, true, &r));
	OK(r);
	store_close(d);
	d = deliverer(&a);
	OK(deliver_one(d, 3, NULL, true, &r));
	assert_int_equal(r, STORE_DUPLICATE);
	id_of(id[0], 3);
	OK(store_forget(d, (const uint8_t (*)[STORE_ID_LEN])id, 1));
	OK(store_flush(d));
	OK(deliver_one(d, 3, NULL, true, &r));
	OK(r);
	store_close(d);
	acct_free(&a);
}

static void
duplicate_known_by_checkpoint(void **state)
{
	struct acct a;
	struct store *d, *st;
	enum store_result r;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 1, 5);
	store_close(d);
	st = session(&a);
	OK(store_checkpoint(st));
	store_close(st);
	d = deliverer(&a);
	OK(deliver_one(d, 2, NULL, true, &r));
	assert_int_equal(r, STORE_DUPLICATE);
	store_close(d);
	acct_free(&a);
}

static void
deliver_named_and_quota(void **state)
{
	struct acct a;
	struct store *d, *st;
	struct store_status s;
	enum store_result r;
	uint64_t bytes, n;

	acct_new(&a);
	d = deliverer(&a);
	OK(deliver_one(d, 1, "Junk", false, &r));
	OK(r);
	OK(deliver_one(d, 2, "No/Such", false, &r));
	OK(r);
	OK(deliver_one(d, 3, "Junk", false, &r));
	OK(r);
	store_usage(d, &bytes, &n);
	assert_int_equal(n, 3);
	store_limit(d, bytes + 10, 0);
	OK(deliver_one(d, 4, NULL, false, &r));
	assert_int_equal(r, STORE_OVERQUOTA);
	store_limit(d, 0, 3);
	OK(deliver_one(d, 4, NULL, false, &r));
	assert_int_equal(r, STORE_OVERQUOTA);
	store_limit(d, 0, 4);
	OK(deliver_one(d, 4, NULL, false, &r));
	OK(r);
	st = session(&a);
	OK(store_status(st, "Junk", &s));
	assert_int_equal(s.messages, 2);
	assert_int_equal(s.uidnext, 3);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 2);
	assert_int_equal(store_status(st, "No/Such", &s), STORE_NOTFOUND);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

/* One more message; the percentage its owner is to be told, 0 none. */
static unsigned int
warned_by(struct store *d, uint8_t *id)
{
	enum store_result r;

	OK(deliver_one(d, ++*id, "Junk", false, &r));
	OK(r);
	return store_warned(d);
}

/* Of ten messages: each percentage once, over another process, and again after
 * it had fallen by more than the slack; not for what is refused. */
static void
deliver_warns_once(void **state)
{
	static const unsigned int at[] = { 90, 0, 50 };
	struct store_range all = { 1, 6 };
	struct store_view *v;
	struct store *d, *st;
	struct acct a;
	enum store_result r;
	uint8_t id = 0;
	int i;

	acct_new(&a);
	d = deliverer(&a);
	store_limit(d, 0, 10);
	for (i = 1; i <= 4; i++)
		assert_int_equal(warned_by(d, &id), 0);
	store_warn(d, at, 3);
	assert_int_equal(warned_by(d, &id), 50);
	assert_int_equal(warned_by(d, &id), 0);
	store_close(d);
	d = deliverer(&a);
	store_warn(d, at, 3);
	store_limit(d, 0, 10);
	assert_int_equal(warned_by(d, &id), 0);
	assert_int_equal(warned_by(d, &id), 0);
	assert_int_equal(warned_by(d, &id), 90);
	assert_int_equal(warned_by(d, &id), 0);
	OK(deliver_one(d, ++id, "Junk", false, &r));
	assert_int_equal(r, STORE_OVERQUOTA);
	assert_int_equal(store_warned(d), 0);
	st = session(&a);
	OK(store_view_open(&v, st, "Junk", 0));
	OK(store_expunge(v, &all, 1, true, NULL));
	OK(store_commit(st));
	store_view_close(v);
	store_close(st);
	assert_int_equal(warned_by(d, &id), 50);	/* it had fallen to 40 */
	assert_int_equal(warned_by(d, &id), 0);
	store_limit(d, 0, 0);
	assert_int_equal(warned_by(d, &id), 0);
	store_limit(d, 0, 8);
	assert_int_equal(warned_by(d, &id), 90);
	store_limit(d, 0, 1000);
	store_warn(d, at, 0);
	assert_int_equal(warned_by(d, &id), 0);
	store_close(d);
	acct_free(&a);
}

static void
append_and_multiappend(void **state)
{
	static char big[2 << 20];
	const char *kw[] = { "$Forwarded", "x" };
	struct store_flagset fs = { STORE_DRAFT, kw, 2 };
	struct store_appended out;
	struct store_append *ap;
	struct store_view *v;
	struct store *st;
	struct acct a;
	int i;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "Drafts", 1, STORE_SEEN, "x", &out));
	assert_int_equal(out.uids.first, 1);
	assert_int_equal(append_one(st, "None", 1, 0, NULL, &out),
	    STORE_NOTFOUND);
	memset(big, 'z', sizeof(big));
	OK(store_append_new(&ap, st, "Drafts"));
	for (i = 0; i < 3; i++) {
		OK(store_append_message(ap, &fs, 5, i == 1 ? sizeof(big) : 10));
		OK(store_append_write(ap, big, i == 1 ? sizeof(big) : 10));
		OK(store_append_end(ap, NULL, 0));
	}
	OK(store_append_commit(ap, &out));
	store_append_free(ap);
	OK(store_commit(st));
	assert_int_equal(out.uids.first, 2);
	assert_int_equal(out.uids.last, 4);
	v = view(st, "Drafts", 0);
	assert_int_equal(store_view_msg(v, 3)->size, sizeof(big));
	assert_int_equal(kw_bits(v, store_view_msg(v, 4)), 3);
	for (i = 1; i <= 4; i++)
		OK(store_verify(st, store_view_msg(v, (uint32_t)i)));
	store_view_close(v);
	/* Given up in the middle: nothing is left. */
	OK(store_append_new(&ap, st, "Drafts"));
	OK(store_append_message(ap, &fs, 5, sizeof(big)));
	OK(store_append_write(ap, big, 100));
	assert_int_equal(file_size(&a, "mail.0003"), SEGMENT_LINE * 2 + 100);
	store_append_free(ap);
	assert_int_equal(file_size(&a, "mail.0003"), -1);
	/* Too little. */
	OK(store_append_new(&ap, st, "Drafts"));
	OK(store_append_message(ap, NULL, 5, 10));
	assert_int_equal(store_append_end(ap, NULL, 0), STORE_INVALID);
	store_append_free(ap);
	store_limit(st, 1, 0);
	OK(store_append_new(&ap, st, "Drafts"));
	assert_int_equal(store_append_message(ap, NULL, 5, 10),
	    STORE_OVERQUOTA);
	store_append_free(ap);
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/*
 * A message that gets larger than it was announced: in the buffer, where
 * others lie before it, and out of it into a segment of its own; counted as
 * it is in the end.
 */
static void
append_grows(void **state)
{
	static char big[2 * STORE_LARGE];
	static const size_t step[] = { 1, 160, 4000, STORE_LARGE / 2 + 7 };
	struct store_appended out;
	struct store_append *ap;
	struct store_view *v;
	struct store *st;
	struct acct a;
	uint64_t bytes, before, n, sum = 0;
	size_t i, k, size;

	acct_new(&a);
	st = session(&a);
	store_usage(st, &before, &n);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	OK(store_append_new(&ap, st, "Drafts"));
	for (i = 0; i < 4 * NITEMS(step); i++) {
		size = i < NITEMS(step) ? 1 : i < 2 * NITEMS(step) ? 17000 :
		    i < 3 * NITEMS(step) ? STORE_LARGE - 1 : STORE_LARGE + 1;
		OK(store_append_message(ap, NULL, 5, size));
		for (k = 0; k < size + 3 * step[i % 4]; k += step[i % 4])
			OK(store_append_write(ap, big + k % 1000,
			    step[i % 4]));
		OK(store_append_end(ap, NULL, 0));
		sum += k;
	}
	OK(store_append_commit(ap, &out));
	store_append_free(ap);
	OK(store_commit(st));
	store_usage(st, &bytes, &n);
	assert_int_equal(bytes - before, sum);
	v = view(st, "Drafts", 0);
	for (i = 1; i <= 4 * NITEMS(step); i++) {
		sum -= store_view_msg(v, (uint32_t)i)->size;
		OK(store_verify(st, store_view_msg(v, (uint32_t)i)));
	}
	assert_int_equal(sum, 0);
	store_view_close(v);
	/* The quota is asked as it grows; nothing of it is left. */
	store_limit(st, bytes + 100, 0);
	OK(store_append_new(&ap, st, "Drafts"));
	OK(store_append_message(ap, NULL, 5, 50));
	OK(store_append_write(ap, big, 100));
	assert_int_equal(store_append_write(ap, big, 1), STORE_OVERQUOTA);
	assert_int_equal(store_append_write(ap, big, 1), STORE_INVALID);
	store_append_free(ap);
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

static bool
readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

static void
watch_and_poke(void **state)
{
	struct store *s1, *s2, *d;
	struct acct a;
	int f1, f2, i, n;

	acct_new(&a);
	assert_int_equal(store_sockets(), 0);
	s1 = session(&a);
	s2 = session(&a);
	d = deliverer(&a);
	f1 = store_watch(s1);
	f2 = store_watch(s2);
	assert_true(f1 != -1 && f2 != -1 && f1 != f2);
	assert_int_equal(store_watch(s1), f1);
	assert_false(readable(f1));
	for (i = 0; i < 1000; i++)	/* more than the socket holds */
		store_poke(d);
	assert_true(readable(f1));
	assert_true(readable(f2));
	assert_true(store_watch_drain(s1));
	assert_false(readable(f1));
	assert_true(store_watch_drain(s2));
	OK(append_one(s1, "INBOX", 1, 0, NULL, &(struct store_appended){ 0 }));
	OK(store_commit(s1));
	assert_false(readable(f1));	/* not ourselves */
	assert_true(readable(f2));
	/* One that died is swept away. */
	close(store_watch_release(s2));
	n = openat(a.fd, "notify", O_RDONLY | O_DIRECTORY);
	store_poke(d);
	store_poke(d);
	store_unwatch(s1);
	assert_int_equal(unlinkat(a.fd, "notify", AT_REMOVEDIR), 0);
	close(n);
	store_poke(d);
	assert_int_not_equal(store_watch(s1), -1);
	store_poke(d);
	assert_true(store_watch_drain(s1));
	store_close(s1);
	store_close(s2);
	store_close(d);
	assert_int_equal(chdir("/tmp"), 0);
	acct_free(&a);
}

static void
sequential_reads(void **state)
{
	struct store *st, *d;
	struct store_view *v;
	struct acct a;
	struct iovec f;
	const struct store_msg *m;
	char buf[2048];
	uint32_t i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 2000);
	st = session(&a);
	v = view(st, "INBOX", 0);
	for (i = 1; i <= 2000; i++) {
		m = store_view_msg(v, i);
		OK(store_peek(st, m, 0, m->size, &f));
		assert_int_equal(crc32c(0, f.iov_base, f.iov_len), m->crc);
		OK(store_facts(st, m, &f));
		assert_int_equal(f.iov_len, m->facts_len);
	}
	for (i = 2000; i >= 1; i -= 7) {
		m = store_view_msg(v, i);
		OK(store_read(st, m, 0, buf, m->size));
		assert_int_equal(crc32c(0, buf, m->size), m->crc);
		OK(store_peek(st, m, 3, m->size - 3, &f));
		assert_memory_equal(f.iov_base, buf + 3, m->size - 3);
		if (i < 8)
			break;
	}
	store_view_close(v);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_and_list),
		cmocka_unit_test(deliver_and_read),
		cmocka_unit_test(deliver_batch_sources),
		cmocka_unit_test(deliver_duplicate_and_forget),
		cmocka_unit_test(duplicate_known_by_checkpoint),
		cmocka_unit_test(deliver_named_and_quota),
		cmocka_unit_test(deliver_warns_once),
		cmocka_unit_test(append_and_multiappend),
		cmocka_unit_test(append_grows),
		cmocka_unit_test(watch_and_poke),
		cmocka_unit_test(sequential_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
