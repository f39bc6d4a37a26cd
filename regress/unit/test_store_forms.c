/*
 * Journals of the first form, made here octet by octet: they are read, and
 * written to by us in the forms of today, which who knows only the first one
 * calls newer.  And numbers that leap.
 */
#include "store_test.h"
#include "store_old.h"

static void
first_form_is_read(void **state)
{
	struct store_view *v, *w;
	struct store *st;
	struct acct a;

	old_account(&a);
	st = session(&a);
	assert_int_equal(st->head.version, 1);
	v = view(st, "INBOX", 0);
	w = view(st, "Box", 0);
	assert_int_equal(v->exists, 4);
	assert_int_equal(kw_bits(v, store_view_msg(v, 1)), 1);
	assert_int_equal(kw_bits(v, store_view_msg(v, 2)), 3);
	assert_int_equal(kw_bits(v, store_view_msg(v, 3)), 0);
	assert_int_equal(store_view_msg(v, 1)->flags, STORE_FLAGGED |
	    STORE_SEEN);
	assert_int_equal(w->exists, 3);
	assert_int_equal(kw_bits(w, store_view_msg(w, 1)), 1);
	assert_int_equal(kw_bits(w, store_view_msg(w, 2)), 0);
	/* Email ids are the place in the log; a copy keeps its own. */
	assert_int_equal(store_view_msg(v, 2)->email, 2 << 16 | 1);
	assert_int_equal(store_view_msg(w, 1)->email, 2 << 16 | 1);
	assert_int_equal(store_view_msg(w, 3)->email, 3 << 16 | 1);
	assert_int_equal(store_view_msg(v, 2)->saved, 1790000002);
	assert_int_equal(store_view_msg(w, 3)->saved, 1790000006);
	OK(store_verify(st, store_view_msg(w, 3)));
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	acct_free(&a);
}

/* Is there a group that says so? */
static bool
group_says(const struct acct *a, uint32_t type, bool feature)
{
	struct loggroup g;
	struct rec r;
	uint8_t *p;
	const uint8_t *q;
	size_t n, off, want, left;
	ssize_t len = 0;
	bool found = false;

	p = slurp(a, "journal", &n);
	for (off = OLD_HEAD; off < n; off += (size_t)len) {
		len = loggroup_parse(p + off, n - off,
		    log_seed((const uint8_t *)UUID), &g, &want);
		assert_true(len > 0);
		for (q = g.recs, left = g.nrecs; rec_next(&q, &left, &r) == 1;)
			found = found || (r.type == type &&
			    ((g.tr.features & LOG_FORMS) != 0) == feature);
	}
	free(p);
	return found;
}

static void
first_form_goes_on(void **state)
{
	struct store_copied c;
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	char *want, *got;

	old_account(&a);
	d = deliverer(&a);		/* has no mark: looks at all of it */
	deliver_ok(d, 20, 23);
	OK(store_sync(d));
	store_close(d);
	st = session(&a);
	v = view(st, "INBOX", 0);
	set_flags(v, 1, 5, STORE_FLAGS_ADD, STORE_SEEN, "new");
	OK(store_copy(v, SEQ(2, 6), "Box", 0, &c));
	set_flags(v, 2, 2, STORE_FLAGS_DEL, 0, "zero");
	store_view_close(v);
	OK(store_commit(st));
	OK(store_check(st, NULL, NULL));
	OK(store_checkpoint(st));
	store_close(st);
	assert_true(group_says(&a, REC_ADD_1, false));
	assert_true(group_says(&a, REC_MSG, true));
	assert_false(group_says(&a, REC_MSG, false));
	assert_true(group_says(&a, REC_FLAGS, true));
	assert_true(group_says(&a, REC_COPY, true));
	assert_int_equal(file_size(&a, "facts"), -1);
	assert_true(file_size(&a, "facts.0001") > FACTS_HEADER);
	want = dump(&a);
	assert_int_equal(unlinkat(a.fd, "index", 0), 0);
	got = dump(&a);
	assert_string_equal(got, want);
	free(want);
	free(got);
	acct_free(&a);
}

/* Facts of the first form lie in `facts`, and stay good there. */
static void
first_form_has_facts(void **state)
{
	struct store_view *v;
	struct store *st;
	struct trailer tr;
	struct iovec iov[2], f;
	struct acct a;
	char text[1024], *facts;
	uint8_t e[FACTS_ENTRY], *p;
	size_t n, len;
	struct stat before, after;

	old_account(&a);
	st = session(&a);
	v = view(st, "INBOX", 0);
	n = message(text, sizeof(text), 2);
	facts = mime_facts(text, n, &len);
	facts_entry(st, e, store_view_msg(v, 2), facts, len);
	iov[0] = (struct iovec){ e, sizeof(e) };
	iov[1] = (struct iovec){ facts, len };
	OK(facts_write(st, 0, FACTS_HEADER, iov, 2));
	OK(store_begin(st));
	p = group_add(&st->g, REC_FACTS, 0, 24);
	put32(p, INBOX_ID);
	put32(p + 4, 2);
	put64(p + 8, FACTS_HEADER);
	put32(p + 16, (uint32_t)len);
	tr = st->tr;
	OK(store_finish(st, &tr));
	assert_int_equal(fstatat(a.fd, "facts", &before, 0), 0);
	OK(store_facts(st, store_view_msg(v, 2), &f));
	assert_int_equal(f.iov_len, len);
	assert_memory_equal(f.iov_base, facts, len);
	assert_int_equal(fstatat(a.fd, "facts", &after, 0), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(file_size(&a, "facts.0001"), -1);
	store_view_close(v);
	store_close(st);
	free(facts);
	acct_free(&a);
}

/* Each bit of the head counts. */
static void
bits_of_head(void **state)
{
	struct loghead h = { .generation = 3, .created = 1790000000,
	    .base = 77, .end_seq = 90, .end_pos = 4096 }, got;
	uint8_t p[LOG_HEADER];
	size_t i;

	memcpy(h.uuid, UUID, 16);
	loghead_encode(&h, p);
	OK(loghead_decode(p, sizeof(p), &got));
	assert_memory_equal(got.uuid, h.uuid, 16);
	assert_int_equal(got.generation, 3);
	assert_int_equal(got.base, 77);
	assert_int_equal(got.end_seq, 90);
	assert_int_equal(got.end_pos, 4096);
	assert_int_equal(got.len, LOG_HEADER);
	for (i = 0; i < sizeof(p); i++)
		assert_int_not_equal(loghead_decode(p, i, &got), STORE_OK);
	for (i = 0; i < sizeof(p) * 8; i++) {
		p[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(loghead_decode(p, sizeof(p), &got),
		    STORE_DAMAGED);
		p[i / 8] ^= (uint8_t)(1U << i % 8);
	}
}

/* A mark is of one generation of the log; a failure of another one leaves
 * all of this one in doubt. */
static void
mark_of_another_generation(void **state)
{
	struct mark m = { .pos = 300 };
	struct store *st;
	struct acct a;

	furnish(&a);
	st = session(&a);
	backend_mark_set(&st->b, st->seed, &m);
	OK(backend_mark_get(&st->b, st->seed, &m));
	assert_int_equal(m.pos, 300);
	st->b.generation++;
	OK(backend_mark_get(&st->b, st->seed, &m));
	assert_int_equal(m.pos, 0);
	assert_int_equal(m.flags, 0);
	m.pos = 500;
	backend_mark_set(&st->b, st->seed, &m);
	st->b.generation--;
	backend_mark_fail(&st->b, st->seed, 200);
	st->b.generation++;
	OK(backend_mark_get(&st->b, st->seed, &m));
	assert_int_equal(m.pos, 0);
	assert_int_equal(m.flags, MARK_SYNCFAIL);
	store_close(st);
	acct_free(&a);
}

static enum store_result
leap(struct store *st, uint64_t seq, uint32_t box, uint32_t uidnext)
{
	struct trailer tr;
	uint8_t *p;

	OK(store_begin(st));
	p = group_add(&st->g, REC_JUMP, 0, 24);
	put64(p, seq);
	put32(p + 8, 1);
	put32(p + 16, box);
	put32(p + 20, uidnext);
	tr = st->tr;
	tr.seq = seq;
	if (box == INBOX_ID)
		tr.inbox_uidnext = uidnext;
	return store_finish(st, &tr);
}

static void
numbers_leap(void **state)
{
	struct store_appended ap;
	struct store *st, *d;
	struct store_status s;
	struct acct a;
	char *want, *got;

	furnish(&a);
	st = session(&a);
	d = deliverer(&a);
	OK(store_sync(st));
	OK(leap(st, 1000000, INBOX_ID, 5000));
	OK(store_commit(st));
	deliver_ok(d, 30, 31);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.uidnext, 5001);
	assert_int_equal(s.highestmodseq, 1000001);
	store_close(d);
	want = dump(&a);
	OK(store_checkpoint(st));
	store_close(st);
	got = dump(&a);
	assert_string_equal(got, want);
	free(got);
	free(want);
	/* So does the call that is for it. */
	st = session(&a);
	OK(store_restored(st));
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.uidnext, 1005001);
	OK(append_one(st, "Archive", 3, 0, NULL, &ap));
	assert_true(ap.uids.first > 1000000);
	d = deliverer(&a);
	deliver_ok(d, 31, 32);
	OK(store_status(st, "INBOX", &s));
	assert_true(s.highestmodseq > 1ULL << 32);
	assert_int_equal(s.uidnext, 1005002);
	store_close(d);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	/* Nothing goes back, and nothing leaps without saying so. */
	st = session(&a);
	assert_int_equal(leap(st, 2000000, INBOX_ID, 4000), STORE_DAMAGED);
	store_close(st);
	acct_free(&a);
	furnish(&a);
	st = session(&a);
	OK(store_begin(st));
	assert_non_null(group_add(&st->g, REC_FORGET, 0, 0));
	st->tr.seq += 5;
	(void)store_finish(st, &(struct trailer){ .inbox_uidnext = 14,
	    .segment = 1, .segment_next = 2 });
	store_close(st);
	d = deliverer(&a);
	assert_int_equal(deliver_one(d, 1, NULL, false, NULL), STORE_DAMAGED);
	store_close(d);
	acct_free(&a);
}

/* An older copy was put back: each number is new, and all flags are told. */
static void
restored_leaps(void **state)
{
	const struct store_msg *m;
	struct store_status before, s;
	struct store_view *v;
	struct store *st;
	struct acct a;
	uint32_t n;
	char *want, *got;

	furnish(&a);
	st = session(&a);
	OK(store_status(st, "INBOX", &before));
	v = view(st, "INBOX", 0);
	OK(store_restored(st));
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.uidnext, before.uidnext + 1000000);
	assert_int_equal(s.uidvalidity, before.uidvalidity);
	assert_true(s.highestmodseq > before.highestmodseq + UINT32_MAX);
	for (n = 1; (m = store_view_msg(v, n)) != NULL; n++)
		assert_int_equal(m->modseq, s.highestmodseq);
	assert_true(n > 1);
	store_view_close(v);
	deliver_ok(st, 40, 41);
	v = view(st, "INBOX", 0);
	m = store_view_msg(v, n);
	assert_non_null(m);
	assert_int_equal(m->uid, s.uidnext);
	assert_true(m->email >> 16 > s.highestmodseq);
	store_view_close(v);
	OK(store_restored(st));		/* once more: again above */
	OK(store_check(st, NULL, NULL));
	want = dump(&a);
	OK(store_checkpoint(st));
	store_close(st);
	got = dump(&a);
	assert_string_equal(got, want);
	free(want);
	free(got);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_form_is_read),
		cmocka_unit_test(first_form_goes_on),
		cmocka_unit_test(first_form_has_facts),
		cmocka_unit_test(bits_of_head),
		cmocka_unit_test(mark_of_another_generation),
		cmocka_unit_test(numbers_leap),
		cmocka_unit_test(restored_leaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
