/*
 * The store after a crash, a restore, or another release: what has to be
 * looked at first, in pieces; what is told from damage; what is looked at
 * again.
 */
#include "base/hash.h"
#include "base/le.h"
#include "parse/facts.h"
#include "store_test.h"

#define MIB	(1U << 20)

/* A message of so many zeros in a segment of its own, not yet durable. */
static void
add_zeros(const struct acct *a, uint32_t uid, uint32_t segment, uint32_t size)
{
	static const char zeros[MIB];
	struct msgrec m = { .mailbox = INBOX_ID, .m = { .uid = uid,
	    .size = size, .offset = 320, .segment = segment } };
	struct trailer tr;
	struct store *st;
	char name[32];
	uint32_t i;
	int fd;

	for (i = 0; i < size / MIB; i++)
		m.m.crc = crc32c(m.m.crc, zeros, MIB);
	(void)snprintf(name, sizeof(name), "mail.%04u", segment);
	fd = openat(a->fd, name, O_RDWR | O_CREAT, 0666);
	assert_int_equal(ftruncate(fd, 320 + (off_t)size), 0);
	close(fd);
	st = session(a);
	OK(store_begin(st));
	assert_int_equal(msgrec_encode(&st->g, &m), 0);
	tr = st->tr;
	tr.messages++;
	tr.bytes += size;
	tr.inbox_uidnext = uid + 1;
	tr.segment_next = segment + 1;
	OK(store_finish(st, &tr));
	store_close(st);
}

/* Without a mark, as after a restore that left the lock file out. */
static void
big_account(struct acct *a, uint32_t n, uint32_t size)
{
	uint32_t i;

	acct_new(a);
	for (i = 0; i < n; i++)
		add_zeros(a, 1 + i, 10 + i, size);
	assert_int_equal(unlinkat(a->fd, "lock", 0), 0);
}

/* deliver gets through by itself, whatever is to be checked, and at no time
 * does more than a piece. */
static void
checked_in_pieces(void **state)
{
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	struct look was;
	int n = 0;

	big_account(&a, 3, 50 * MIB);
	d = deliverer(&a);
	while ((r = deliver_one(d, 1, NULL, false, NULL)) == STORE_BUSY) {
		assert_true(store_behind(d));
		was = d->look;
		r = store_settle(d);
		assert_true(r == STORE_OK || r == STORE_BUSY);
		if (d->look.pos == was.pos && d->look.rec == was.rec)
			assert_true(d->look.done - was.done <= 16 * MIB);
		assert_true(++n < 20);
	}
	OK(r);
	assert_true(n >= 4);
	assert_false(store_behind(d));
	store_close(d);
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 4);
	store_close(st);
	acct_free(&a);
}

/* A deliver that dies after every piece gets there too. */
static void
progress_is_kept(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	int n = 0;

	big_account(&a, 12, 15 * MIB);
	do {
		d = deliverer(&a);
		r = deliver_one(d, 1, NULL, false, NULL);
		store_close(d);
		assert_true(++n < 16);
	} while (r == STORE_BUSY);
	OK(r);
	assert_true(n > 8);
	acct_free(&a);
}

/* What is lost in the middle of much is found, wherever a piece ends. */
static void
lost_among_much(void **state)
{
	struct store_view_info info;
	struct store_view *v;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	int fd;

	big_account(&a, 4, 30 * MIB);
	fd = openat(a.fd, "mail.0011", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 29 * MIB), 1);
	close(fd);
	assert_int_equal(unlinkat(a.fd, "mail.0013", 0), 0);
	d = deliverer(&a);
	while ((r = deliver_one(d, 1, NULL, false, NULL)) == STORE_BUSY)
		continue;
	OK(r);
	store_close(d);
	st = session(&a);
	v = view(st, "INBOX", 0);
	store_view_info(v, &info);
	assert_int_equal(info.exists, 3);
	assert_int_equal(store_view_msg(v, 2)->uid, 3);
	OK(store_check(st, NULL, NULL));
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

/* More than are given up in one group: all, and their delivery ids too. */
static void
many_lost(void **state)
{
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	int k;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	deliver_ok(d, 3, LOST_MAX + 500);
	store_close(d);
	spew(&a, "mail.0001", "gone", 4);
	d = deliverer(&a);
	while ((r = deliver_one(d, 5000, NULL, false, NULL)) == STORE_BUSY)
		continue;
	OK(r);
	for (k = 3; k < LOST_MAX + 500; k += 97) {
		OK(deliver_one(d, k, NULL, true, &r));
		OK(r);
	}
	store_close(d);
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 3 + 1 + (LOST_MAX + 497 + 96) / 97);
	store_close(st);
	acct_free(&a);
}

/* A journal of more octets than deliver reads at once. */
static void
long_journal(void **state)
{
	struct trailer tr;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	int n = 0;

	acct_new(&a);
	st = session(&a);
	while (store_log(st) < 70 * MIB) {
		OK(store_begin(st));
		assert_non_null(group_add(&st->g, REC_FORGET, 0, 4 * MIB));
		tr = st->tr;
		OK(store_finish(st, &tr));
	}
	store_close(st);
	(void)unlinkat(a.fd, "lock", 0);
	d = deliverer(&a);
	while ((r = deliver_one(d, 1, n % 2 ? "Sent" : NULL, true, NULL)) ==
	    STORE_BUSY)
		assert_true(++n < 50);
	OK(r);
	assert_true(n > 5);
	while ((r = deliver_one(d, 2, "Sent", true, NULL)) == STORE_BUSY)
		assert_true(++n < 50);
	OK(r);
	OK(deliver_one(d, 2, "Sent", true, &r));
	assert_int_equal(r, STORE_DUPLICATE);
	store_close(d);
	acct_free(&a);
}

/* An older journal under a mark of later: what is added is synced again. */
static void
mark_of_another_time(void **state)
{
	struct store_appended ap;
	struct mark m;
	struct acct a;
	struct store *st, *d;
	uint8_t *p;
	size_t n;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	p = slurp(&a, "journal", &n);
	deliver_ok(d, 3, 30);
	OK(store_sync(d));
	store_close(d);
	spew(&a, "journal", p, n);
	st = session(&a);
	OK(append_one(st, "INBOX", 9, 0, NULL, &ap));
	assert_true(st->durable < st->want);
	OK(store_commit(st));
	OK(backend_mark_get(&st->b, st->seed, &m));
	assert_int_equal(m.pos, file_size(&a, "journal"));
	store_close(st);
	free(p);
	acct_free(&a);
}

/* Repaired, and the lock file taken away: those who had it open go on. */
static void
damage_is_looked_at_again(void **state)
{
	struct store_appended ap;
	struct acct a;
	struct store_status s, had;
	struct store *st, *d, *other, *reader;
	enum store_result r;
	uint8_t *p;
	size_t n;

	furnish(&a);
	p = slurp(&a, "journal", &n);
	p[n / 2] ^= 1;
	spew(&a, "journal", p, n);
	(void)unlinkat(a.fd, "index", 0);
	st = session(&a);
	assert_int_equal(append_one(st, "Sent", 1, 0, NULL, &ap),
	    STORE_DAMAGED);
	reader = session(&a);
	OK(store_status(reader, "INBOX", &had));
	d = deliverer(&a);
	assert_int_equal(deliver_one(d, 99, NULL, false, &r), STORE_DAMAGED);
	p[n / 2] ^= 1;
	spew(&a, "journal", p, n);
	assert_int_equal(deliver_one(d, 99, NULL, false, &r), STORE_DAMAGED);
	(void)unlinkat(a.fd, "lock", 0);
	OK(store_status(reader, "INBOX", &s));
	assert_true(s.messages > had.messages);
	OK(append_one(st, "Sent", 1, 0, NULL, &ap));
	OK(deliver_one(d, 99, NULL, false, &r));
	OK(r);
	/* And there is one lock for all of them. */
	other = session(&a);
	OK(store_begin(other));
	assert_int_equal(deliver_one(d, 98, NULL, false, &r), STORE_BUSY);
	store_abort(other);
	OK(deliver_one(d, 98, NULL, false, &r));
	store_close(other);
	store_close(reader);
	store_close(d);
	store_close(st);
	free(p);
	acct_free(&a);
}

/* ---- what a newer release left ----------------------------------- */

struct kept {				/* files as they were */
	const char	*name;
	uint8_t		*p;
	size_t		 n;
};

static void
keep(const struct acct *a, struct kept *k, const char *name)
{
	k->name = name;
	k->p = file_size(a, name) == -1 ? NULL : slurp(a, name, &k->n);
}

static void
same(const struct acct *a, struct kept *k)
{
	uint8_t *p;
	size_t n;

	if (k->p == NULL)
		return;
	p = slurp(a, k->name, &n);
	assert_int_equal(n, k->n);
	assert_memory_equal(p, k->p, n);
	free(p);
	free(k->p);
}

/* Nobody writes, nobody marks; with the old file all is as before. */
static void
newer(const struct acct *a, bool deliver)
{
	static const char *const names[] = { "journal", "index", "facts.0001",
	    "lock", "mail.0001" };
	struct kept k[NITEMS(names)];
	struct store *st = NULL;
	enum store_result r;
	size_t i;

	for (i = 0; i < NITEMS(names); i++)
		keep(a, &k[i], names[i]);
	assert_int_equal(store_open(&st, a->fd, STORE_SESSION), STORE_NEWER);
	assert_null(st);
	if ((r = store_open(&st, a->fd, STORE_DELIVER)) == STORE_OK)
		r = deliver_one(st, 99, NULL, false, NULL);
	assert_int_equal(r, deliver ? STORE_NEWER : STORE_OK);
	store_close(st);
	for (i = 0; i < NITEMS(names); i++)
		same(a, &k[i]);
}

static void
newer_head(void **state)
{
	static const struct { const char *name; size_t crc; } heads[] = {
		{ "journal", 60 }, { "index", 252 }, { "facts.0001", 60 },
	};
	struct store *st;
	struct acct a;
	uint32_t was;
	uint8_t *p;
	size_t i, n;

	for (i = 0; i < NITEMS(heads); i++) {
		furnish(&a);
		st = session(&a);
		OK(store_checkpoint(st));
		store_close(st);
		p = slurp(&a, heads[i].name, &n);
		was = get32(p + 8);
		put32(p + 8, 9);
		put32(p + heads[i].crc, crc32c(0, p, heads[i].crc));
		spew(&a, heads[i].name, p, n);
		newer(&a, true);
		put32(p + 8, was);
		put32(p + heads[i].crc, crc32c(0, p, heads[i].crc));
		spew(&a, heads[i].name, p, n);
		st = deliverer(&a);
		deliver_ok(st, 99, 100);
		store_close(st);
		free(p);
		acct_free(&a);
	}
}

/* A record, or a feature, of a later day: before the mark and behind it. */
static void
newer_record(void **state)
{
	struct store *st, *d;
	struct trailer tr;
	struct acct a;
	int kind, synced;

	for (kind = 0; kind < 3; kind++)
		for (synced = 0; synced < 2; synced++) {
			furnish(&a);
			st = session(&a);
			OK(store_begin(st));
			assert_non_null(group_add(&st->g, kind == 1 ?
			    REC_RECENT : 99, kind == 2 ? REC_MAY : 0, 8));
			tr = st->tr;
			tr.features |= kind == 1 ? 1U << 31 : 0;
			if (kind == 1)
				put32(st->g.p + st->g.n - 8, 1);
			assert_int_equal(store_finish(st, &tr), kind == 2 ?
			    STORE_OK : STORE_NEWER);
			if (synced) {
				struct mark m = { .pos = (uint64_t)file_size(
				    &a, "journal") };

				backend_mark_set(&st->b, st->seed, &m);
			}
			store_close(st);
			if (kind < 2) {
				newer(&a, true);
			} else {
				d = deliverer(&a);
				deliver_ok(d, 99, 100);
				store_close(d);
			}
			acct_free(&a);
		}
}

/* A blob of another format is not written over. */
static void
newer_facts(void **state)
{
	const struct store_msg *m;
	struct store_view *v;
	struct store *st;
	struct iovec f;
	struct kept k;
	struct acct a;
	uint8_t *p, *e;
	size_t n;

	furnish(&a);
	st = session(&a);
	v = view(st, "INBOX", 0);
	m = store_view_msg(v, 1);
	p = slurp(&a, "facts.0001", &n);
	e = p + m->facts_off;
	for (; facts_version((char *)e + FACTS_ENTRY, m->facts_len) <=
	    FACTS_VERSION; e[FACTS_ENTRY + 4]++)
		continue;
	put32(e + 12, crc32c(crc32c(crc32c(st->seed, e, 12), e + 16, 8),
	    e + FACTS_ENTRY, m->facts_len));
	spew(&a, "facts.0001", p, n);
	keep(&a, &k, "facts.0001");
	OK(store_facts(st, m, &f));
	assert_int_equal(facts_version(f.iov_base, f.iov_len), FACTS_VERSION);
	same(&a, &k);
	store_view_close(v);
	store_close(st);
	free(p);
	acct_free(&a);
}

/* What an older release found out is found out again, in the same place if it
 * is as long. */
static void
older_facts(void **state)
{
	const struct store_msg *m;
	struct store_view *v;
	struct store *st;
	struct iovec f;
	struct acct a;
	uint8_t *p, *e, *was, *now;
	size_t n, nnow;

	furnish(&a);
	st = session(&a);
	v = view(st, "INBOX", 0);
	m = store_view_msg(v, 1);
	was = slurp(&a, "facts.0001", &n);
	p = slurp(&a, "facts.0001", &n);
	e = p + m->facts_off;
	put32(e + FACTS_ENTRY + 4, FACTS_VERSION - 1);
	e[FACTS_ENTRY + m->facts_len - 1] ^= 1;
	put32(e + 12, crc32c(crc32c(crc32c(st->seed, e, 12), e + 16, 8),
	    e + FACTS_ENTRY, m->facts_len));
	spew(&a, "facts.0001", p, n);
	OK(store_facts(st, m, &f));
	assert_int_equal(f.iov_len, m->facts_len);
	assert_memory_equal(f.iov_base, was + m->facts_off + FACTS_ENTRY,
	    f.iov_len);
	now = slurp(&a, "facts.0001", &nnow);
	assert_int_equal(nnow, n);
	assert_memory_equal(now, was, n);
	store_view_close(v);
	store_close(st);
	free(was);
	free(now);
	free(p);
	acct_free(&a);
}

/* A copy may have the UID of its source: both keep what was found out. */
static void
facts_of_copies(void **state)
{
	const struct store_msg *x, *y;
	struct store_appended ap;
	struct store_copied c;
	struct store_view *v, *w;
	struct store *st;
	struct iovec f;
	struct acct a;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &ap));
	OK(store_commit(st));
	v = view(st, "INBOX", 0);
	OK(store_copy(v, SEQ(1, 1), "Archive", 0, &c));
	OK(store_commit(st));
	x = store_view_msg(v, 1);
	assert_int_equal(x->facts_len, 0);
	OK(store_facts(st, x, &f));
	store_view_close(v);
	v = view(st, "INBOX", 0);
	w = view(st, "Archive", 0);
	x = store_view_msg(v, 1);
	y = store_view_msg(w, 1);
	assert_int_equal(x->uid, y->uid);
	assert_int_equal(x->facts_len, f.iov_len);
	assert_int_equal(y->facts_len, f.iov_len);
	assert_int_equal(x->facts_off, y->facts_off);
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checked_in_pieces),
		cmocka_unit_test(progress_is_kept),
		cmocka_unit_test(lost_among_much),
		cmocka_unit_test(many_lost),
		cmocka_unit_test(long_journal),
		cmocka_unit_test(mark_of_another_time),
		cmocka_unit_test(damage_is_looked_at_again),
		cmocka_unit_test(newer_head),
		cmocka_unit_test(newer_record),
		cmocka_unit_test(newer_facts),
		cmocka_unit_test(older_facts),
		cmocka_unit_test(facts_of_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
