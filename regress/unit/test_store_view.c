/*
 * Views of several sessions on the same account: flags, keywords, expunges,
 * copies, \Recent.
 */
#include "store_test.h"

/* Two sessions that have INBOX open, with n messages in it. */
struct two {
	struct acct		 a;
	struct store		*d, *s1, *s2;
	struct store_view	*v1, *v2;
};

static void
two_open(struct two *t, unsigned int n)
{
	acct_new(&t->a);
	t->d = deliverer(&t->a);
	deliver_ok(t->d, 0, n);
	t->s1 = session(&t->a);
	t->s2 = session(&t->a);
	t->v1 = view(t->s1, "INBOX", 0);
	t->v2 = view(t->s2, "INBOX", 0);
}

static void
two_close(struct two *t)
{
	store_view_close(t->v1);
	store_view_close(t->v2);
	store_close(t->s1);
	store_close(t->s2);
	store_close(t->d);
	free(dump(&t->a));
	acct_free(&t->a);
}

static void
flags_and_keywords(void **state)
{
	struct store_flagset none = { STORE_SEEN, NULL, 0 };
	struct store_changed c;
	struct store_delta dl;
	struct two t;
	struct store_view_info info;
	uint64_t before;

	two_open(&t, 10);
	set_flags(t.v1, 2, 5, STORE_FLAGS_ADD, STORE_SEEN, "Work");
	OK(store_commit(t.s1));
	assert_int_equal(store_view_msg(t.v1, 3)->flags, STORE_SEEN);
	assert_int_equal(store_view_keyword_number(t.v1, "wOrK"), 0);
	OK(store_view_refresh(t.v2, 0, &dl));
	assert_int_equal(dl.nchanged, 4);
	assert_int_equal(dl.changed[0], 2);
	assert_true(dl.keywords);
	assert_false(dl.grown);
	assert_int_equal(kw_bits(t.v2, store_view_msg(t.v2, 5)), 1);
	set_flags(t.v2, 3, 3, STORE_FLAGS_DEL, STORE_SEEN, "work");
	set_flags(t.v2, 4, 4, STORE_FLAGS_SET, STORE_FLAGGED, NULL);
	OK(store_view_refresh(t.v1, 0, &dl));
	/* Those it changed itself and was not quiet about, and the others. */
	assert_int_equal(dl.nchanged, 4);
	assert_int_equal(store_view_msg(t.v1, 4)->flags, STORE_FLAGGED);
	assert_int_equal(kw_bits(t.v1, store_view_msg(t.v1, 4)), 0);
	assert_int_equal(store_view_msg(t.v1, 3)->flags, 0);
	store_view_info(t.v1, &info);
	assert_int_equal(info.unseen, 8);
	/* Nothing changes: nothing is written. */
	before = store_log(t.s1);
	set_flags(t.v1, 4, 4, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
	assert_int_equal(store_log(t.s1), before);
	/* UNCHANGEDSINCE */
	OK(store_flags(t.v1, SEQ(1, 10), STORE_FLAGS_ADD, &none,
	    store_view_msg(t.v1, 10)->modseq, true, &c));
	assert_int_equal(c.nmodified, 4);
	assert_int_equal(c.modified[0], 2);
	assert_int_equal(c.modified[3], 5);
	assert_int_equal(c.nchanged, 6);
	OK(store_view_refresh(t.v1, 0, &dl));
	assert_int_equal(dl.nchanged, 0);
	store_view_close(t.v1);
	t.v1 = view(t.s1, "INBOX", STORE_VIEW_READONLY);
	assert_int_equal(store_flags(t.v1, SEQ(1, 1), STORE_FLAGS_ADD, &none,
	    UINT64_MAX, false, &c), STORE_READONLY);
	two_close(&t);
}

#define MESSAGES	12	/* to carry all keywords there can be */

static void
keyword_limit(void **state)
{
	struct store_flagset fs = { 0, NULL, 1 };
	struct store_changed c;
	struct store_view_info info;
	struct store_view *v;
	struct store *st;
	struct acct a;
	char name[16];
	const char *kw = name;
	uint32_t told;
	int i;

	acct_new(&a);
	st = session(&a);
	for (i = 1; i <= MESSAGES; i++)
		OK(append_one(st, "INBOX", i, 0, NULL,
		    &(struct store_appended){ 0 }));
	v = view(st, "INBOX", 0);
	fs.keywords = &kw;
	for (i = 0; i < STORE_KEYWORDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		OK(store_flags(v, SEQ(i % MESSAGES + 1, i % MESSAGES + 1),
		    STORE_FLAGS_ADD, &fs, UINT64_MAX, false, &c));
		assert_int_equal(c.nchanged, 1);
		store_view_info(v, &info);
		assert_int_equal(info.nkeywords, i + 1);
		assert_int_equal(info.keywords_full,
		    i + 1 == STORE_KEYWORDS_MAX);
	}
	(void)snprintf(name, sizeof(name), "more");
	OK(store_flags(v, SEQ(1, 1), STORE_FLAGS_ADD, &fs, UINT64_MAX, false,
	    &c));
	assert_int_equal(c.nchanged, 0);
	assert_int_equal(store_view_keyword_number(v, "more"), -1);
	OK(store_commit(st));
	/* One that is on no message any more makes room for another name. */
	told = info.keywords_told;
	(void)snprintf(name, sizeof(name), "k777");
	OK(store_flags(v, SEQ(1, MESSAGES), STORE_FLAGS_DEL, &fs, UINT64_MAX,
	    false, &c));
	assert_int_equal(c.nchanged, 1);
	store_view_info(v, &info);
	assert_false(info.keywords_full);
	(void)snprintf(name, sizeof(name), "more");
	OK(store_flags(v, SEQ(2, 2), STORE_FLAGS_ADD, &fs, UINT64_MAX, false,
	    &c));
	assert_int_equal(c.nchanged, 1);
	assert_int_equal(store_view_keyword_number(v, "k777"), -1);
	assert_int_equal(store_view_keyword_number(v, "more"), 777);
	assert_true(store_view_keyword_in(v, store_view_msg(v, 2)->kwset,
	    777));
	store_view_info(v, &info);
	assert_true(info.keywords_full);
	assert_int_not_equal(info.keywords_told, told);
	assert_int_equal(info.nkeywords, STORE_KEYWORDS_MAX);
	(void)snprintf(name, sizeof(name), "two words");
	assert_int_equal(store_flags(v, SEQ(1, 1), STORE_FLAGS_ADD, &fs,
	    UINT64_MAX, false, &c), STORE_INVALID);
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

/* A message takes so many keywords and passes over the rest; they go again,
 * however many are named. */
static void
keywords_of_a_message(void **state)
{
	char names[STORE_KEYWORDS_MSG + 20][8];
	const char *kw[NITEMS(names)];
	struct store_flagset fs = { 0, kw, NITEMS(names) };
	struct store_changed c;
	struct store_copied cp;
	struct store_view *v, *w;
	struct store *st;
	struct acct a;
	char *want, *got;
	size_t i, n;

	for (i = 0; i < NITEMS(names); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "k%zu", i);
		kw[i] = names[i];
	}
	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &(struct store_appended){ 0 }));
	OK(append_one(st, "INBOX", 2, 0, "two", &(struct store_appended){ 0 }));
	v = view(st, "INBOX", 0);
	OK(store_flags(v, SEQ(1, 2), STORE_FLAGS_ADD, &fs, UINT64_MAX, false,
	    &c));
	for (i = 1; i <= 2; i++) {
		(void)store_view_keywords(v, store_view_msg(v, i)->kwset, &n);
		assert_int_equal(n, STORE_KEYWORDS_MSG);
	}
	assert_true(kw_bits(v, store_view_msg(v, 2)) & 1);
	OK(store_copy(v, SEQ(1, 2), "Archive", 0, &cp));
	w = view(st, "Archive", 0);
	(void)store_view_keywords(w, store_view_msg(w, 1)->kwset, &n);
	assert_int_equal(n, STORE_KEYWORDS_MSG);
	OK(store_commit(st));
	want = dump(&a);
	OK(store_checkpoint(st));
	got = dump(&a);
	assert_string_equal(got, want);
	OK(store_flags(v, SEQ(1, 2), STORE_FLAGS_DEL, &fs, UINT64_MAX, false,
	    &c));
	assert_int_equal(store_view_msg(v, 1)->kwset, 0);
	assert_int_equal(kw_bits(v, store_view_msg(v, 2)), 1);
	free(want);
	free(got);
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	acct_free(&a);
}

/* Sets of keywords come and go with the messages that have them. */
static void
keyword_sets_are_freed(void **state)
{
	struct store_view *v;
	struct store *st;
	struct acct a;
	char name[8];
	int i;

	acct_new(&a);
	st = session(&a);
	for (i = 1; i <= 3; i++)
		OK(append_one(st, "INBOX", i, 0, "base",
		    &(struct store_appended){ 0 }));
	v = view(st, "INBOX", 0);
	for (i = 0; i < 400; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i % 40);
		set_flags(v, 1, 2, i % 3 == 0 ? STORE_FLAGS_SET :
		    STORE_FLAGS_ADD, 0, name);
		set_flags(v, 2, 3, STORE_FLAGS_ADD, 0, name);
	}
	assert_true(v->m->kw.nsets < 12);
	assert_true(kwset_used(&v->m->kw) <= 3);
	store_view_close(v);
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* A message keeps its email id wherever it is copied or moved; no other one
 * has it.  The time of the copy is its own. */
static void
email_id_stays(void **state)
{
	struct store_copied c;
	struct store_view *v, *w;
	struct store *st;
	struct two t;
	uint64_t id[4];
	int i;

	two_open(&t, 4);
	for (i = 0; i < 4; i++) {
		id[i] = store_view_msg(t.v1, (uint32_t)i + 1)->email;
		assert_true(id[i] != 0 && (i == 0 || id[i] > id[i - 1]));
		assert_true(store_view_msg(t.v1, 1)->saved > 1700000000);
	}
	OK(store_copy(t.v1, SEQ(1, 2), "Archive", 0, &c));
	OK(store_copy(t.v1, SEQ(3, 3), "Archive", STORE_COPY_MOVE, &c));
	OK(store_commit(t.s1));
	OK(store_checkpoint(t.s1));
	st = session(&t.a);
	v = view(st, "Archive", 0);
	w = view(t.s1, "Archive", 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(store_view_msg(v, (uint32_t)i + 1)->email,
		    id[i]);
		assert_int_equal(store_view_msg(v, (uint32_t)i + 1)->saved,
		    store_view_msg(w, (uint32_t)i + 1)->saved);
	}
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	two_close(&t);
}

static void
expunge_two_sessions(void **state)
{
	struct store_delta dl;
	const struct store_range *van;
	size_t nvan;
	struct two t;
	uint32_t n;
	char buf[16];

	two_open(&t, 10);
	set_flags(t.v1, 2, 3, STORE_FLAGS_ADD, STORE_DELETED, NULL);
	set_flags(t.v1, 7, 7, STORE_FLAGS_ADD, STORE_DELETED, NULL);
	OK(store_expunge(t.v1, NULL, 0, false, &n));
	assert_int_equal(n, 3);
	OK(store_view_refresh(t.v1, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 3);
	assert_int_equal(dl.expunged[0], 7);
	assert_int_equal(dl.expunged[1], 3);
	assert_int_equal(dl.expunged[2], 2);
	assert_int_equal(dl.expunged_uid[2], 2);
	assert_int_equal(dl.exists, 7);
	assert_int_equal(store_view_msg(t.v1, 2)->uid, 4);
	assert_int_equal(store_view_seq(t.v1, 7), 0);
	assert_int_equal(store_view_seq_from(t.v1, 7), 5);
	/* The other keeps its numbers until it may change them. */
	OK(store_view_refresh(t.v2, 0, &dl));
	assert_int_equal(dl.nexpunged, 0);
	assert_int_equal(dl.exists, 10);
	assert_true(store_view_gone(t.v2, 3));
	OK(store_read(t.s2, store_view_msg(t.v2, 3), 0, buf, 5));
	deliver_ok(t.d, 10, 12);
	OK(store_view_refresh(t.v2, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 3);
	assert_true(dl.grown);
	assert_int_equal(dl.exists, 9);
	assert_int_equal(store_view_msg(t.v2, 9)->uid, 12);
	OK(store_view_vanished(t.v2, 0, ALL_UIDS, 1, &van, &nvan));
	assert_int_equal(nvan, 2);
	assert_int_equal(van[0].first, 2);
	assert_int_equal(van[0].last, 3);
	OK(store_expunge(t.v2, SEQ(1, 2), true, &n));
	assert_int_equal(n, 2);
	two_close(&t);
}

/* What VANISHED says of asked[], as text. */
static const char *
vanished(struct store_view *v, uint64_t modseq, const struct store_range *asked,
    size_t nasked)
{
	static char text[200];
	const struct store_range *r;
	size_t i, n, k = 0;

	OK(store_view_vanished(v, modseq, asked, nasked, &r, &n));
	text[0] = '\0';
	for (i = 0; i < n && k < sizeof(text) - 24; i++)
		k += (size_t)snprintf(text + k, sizeof(text) - k, "%s%u:%u",
		    i > 0 ? "," : "", r[i].first, r[i].last);
	return text;
}

/* So many messages more are expunged, behind all that are there and one by
 * one, as others that stay lie between them. */
static void
many_holes(struct two *t, size_t n)
{
	struct store_range *v = calloc(n, sizeof(*v));
	struct store_view_info info;
	struct store_copied c;
	struct store_delta dl;
	uint32_t first;
	size_t i;

	assert_non_null(v);
	OK(store_view_refresh(t->v1, STORE_REFRESH_EXPUNGE, &dl));
	store_view_info(t->v1, &info);
	first = info.exists + 1;
	for (; info.exists < first + 2 * n; store_view_info(t->v1, &info)) {
		OK(store_copy(t->v1, SEQ(1, info.exists), "INBOX", 0, &c));
		OK(store_view_refresh(t->v1, STORE_REFRESH_EXPUNGE, &dl));
	}
	for (i = 0; i < n; i++)
		v[i].first = v[i].last = first + 2 * (uint32_t)i;
	OK(store_expunge(t->v1, v, n, true, NULL));
	free(v);
}

/*
 * Expunges are told since a moment, of the UIDs that are asked for and that
 * the view has no more; and all holes, of a time that is not remembered.
 */
static void
vanished_is_all_that_went(void **state)
{
	static const struct store_range asked[] = { { 2, 3 }, { 5, 8 },
	    { 20, UINT32_MAX } };
	struct store_delta dl;
	struct store_view_info info;
	struct two t;
	uint64_t since;

	two_open(&t, 10);
	OK(store_expunge(t.v1, SEQ(2, 2), true, NULL));
	OK(store_expunge(t.v1, SEQ(10, 10), true, NULL));
	OK(store_view_refresh(t.v1, STORE_REFRESH_EXPUNGE, &dl));
	store_view_info(t.v1, &info);
	since = info.highestmodseq;
	OK(store_expunge(t.v1, SEQ(2, 3), true, NULL));
	OK(store_expunge(t.v1, SEQ(6, 6), true, NULL));
	/* Not told yet: they are in the view, and it knows to where. */
	store_view_info(t.v1, &info);
	assert_int_equal(info.highestmodseq, since);
	assert_string_equal(vanished(t.v1, 0, ALL_UIDS, 1), "2:2,10:10");
	assert_true(store_view_gone(t.v1, 2));
	assert_int_equal(store_view_modseq(t.v1, 2), since);
	assert_int_equal(store_view_modseq(t.v1, 9), 0);
	OK(store_view_refresh(t.v1, 0, &dl));
	store_view_info(t.v1, &info);
	assert_int_equal(info.highestmodseq, since);
	OK(store_view_refresh(t.v1, STORE_REFRESH_EXPUNGE, &dl));
	store_view_info(t.v1, &info);
	assert_int_equal(info.highestmodseq, since + 2);
	assert_string_equal(vanished(t.v1, since, ALL_UIDS, 1), "3:4,7:7");
	assert_string_equal(vanished(t.v1, since, asked, 3), "3:3,7:7");
	assert_string_equal(vanished(t.v1, since + 1, ALL_UIDS, 1), "7:7");
	assert_string_equal(vanished(t.v1, since + 2, ALL_UIDS, 1), "");
	assert_string_equal(vanished(t.v1, since, asked, 0), "");
	assert_string_equal(vanished(t.v1, 0, asked, 3), "2:3,7:7");
	assert_true(store_view_remembers(t.v1, since));
	many_holes(&t, TOMBS_MAX);
	OK(store_view_refresh(t.v1, STORE_REFRESH_EXPUNGE, &dl));
	assert_false(store_view_remembers(t.v1, since));
	assert_string_equal(vanished(t.v1, since, asked, 2), "2:3,7:7");
	two_close(&t);
}

/* Passed over and counted; or nothing is copied at all. */
static void
gone_are_counted(void **state)
{
	struct store_changed ch;
	struct store_copied c;
	struct store_status ss;
	struct two t;
	static const struct store_flagset seen = { STORE_SEEN, NULL, 0 };

	two_open(&t, 5);
	OK(store_expunge(t.v1, SEQ(2, 3), true, NULL));
	OK(store_flags(t.v2, SEQ(1, 4), STORE_FLAGS_ADD, &seen, UINT64_MAX,
	    true, &ch));
	assert_int_equal(ch.ngone, 2);
	assert_int_equal(ch.nchanged, 2);
	OK(store_flags(t.v2, SEQ(2, 3), STORE_FLAGS_ADD, &seen, UINT64_MAX,
	    true, &ch));
	assert_int_equal(ch.ngone, 2);
	assert_int_equal(ch.nchanged, 0);
	OK(store_copy(t.v2, SEQ(1, 3), "Archive",
	    STORE_COPY_MOVE | STORE_COPY_ALL, &c));
	assert_int_equal(c.ngone, 2);
	assert_int_equal(c.n, 0);
	OK(store_status(t.s2, "Archive", &ss));
	assert_int_equal(ss.uidnext, 1);
	OK(store_copy(t.v2, SEQ(1, 3), "Archive", 0, &c));
	assert_int_equal(c.ngone, 2);
	assert_int_equal(c.n, 1);
	OK(store_copy(t.v2, SEQ(4, 5), "Archive", STORE_COPY_ALL, &c));
	assert_int_equal(c.ngone, 0);
	assert_int_equal(c.n, 2);
	two_close(&t);
}

static void
copy_and_move(void **state)
{
	struct store_copied c;
	struct store_delta dl;
	struct store_status ss;
	struct acct a;
	struct store *d, *st;
	struct store_view *v, *w;
	uint64_t bytes, n, bytes2;
	off_t before;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 10);
	before = file_size(&a, "mail.0001");
	st = session(&a);
	v = view(st, "INBOX", 0);
	set_flags(v, 2, 4, STORE_FLAGS_ADD, STORE_SEEN, "Blue");
	store_usage(st, &bytes, &n);
	OK(store_copy(v, SEQ(2, 4), "Archive", 0, &c));
	assert_int_equal(c.n, 3);
	assert_int_equal(c.dst.first, 1);
	assert_int_equal(c.dst.last, 3);
	assert_int_equal(c.nsrc, 1);
	assert_int_equal(c.src[0].first, 2);
	assert_int_equal(c.src[0].last, 4);
	OK(store_status(st, "Archive", &ss));
	assert_int_equal(ss.messages, 3);
	assert_int_equal(ss.unseen, 0);
	assert_int_equal(c.uidvalidity, ss.uidvalidity);
	store_usage(st, &bytes2, &n);
	assert_int_equal(n, 13);
	assert_int_equal(bytes2, bytes + ss.bytes);
	OK(store_copy(v, SEQ(4, 5), "Archive", STORE_COPY_MOVE, &c));
	OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 2);
	store_usage(st, &bytes, &n);
	assert_int_equal(n, 13);
	assert_int_equal(bytes, bytes2);
	assert_int_equal(file_size(&a, "mail.0001"), before);
	w = view(st, "Archive", 0);
	assert_int_equal(kw_bits(w, store_view_msg(w, 4)), 1);
	assert_string_equal(store_view_keyword(w, 0), "Blue");
	assert_int_equal(kw_bits(w, store_view_msg(w, 5)), 0);
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	store_close(d);
	free(dump(&a));
	acct_free(&a);
}

/* UIDs that nobody has any more are between them, and no slot is: not one
 * of them is named. */
static void
copy_names_no_holes(void **state)
{
	struct store_copied c;
	struct acct a;
	struct store *d, *st;
	struct store_view *v;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 8);
	st = session(&a);
	v = view(st, "INBOX", 0);
	OK(store_expunge(v, SEQ(3, 4), true, NULL));
	OK(store_commit(st));
	OK(store_checkpoint(st));
	store_view_close(v);
	store_close(st);
	st = session(&a);
	v = view(st, "INBOX", 0);
	OK(store_copy(v, SEQ(2, 5), "Archive", 0, &c));
	assert_int_equal(c.n, 4);
	assert_int_equal(c.nsrc, 2);
	assert_int_equal(c.src[0].first, 2);
	assert_int_equal(c.src[0].last, 2);
	assert_int_equal(c.src[1].first, 5);
	assert_int_equal(c.src[1].last, 7);
	OK(store_copy(v, SEQ(1, 3), "Archive", STORE_COPY_MOVE, &c));
	assert_int_equal(c.nsrc, 2);
	assert_int_equal(c.src[1].last, 5);
	store_view_close(v);
	store_close(st);
	store_close(d);
	free(dump(&a));
	acct_free(&a);
}

static void
copy_into_itself(void **state)
{
	struct store_copied c;
	struct store_delta dl;
	struct acct a;
	struct store *d, *st;
	struct store_view *v, *w;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 10);
	st = session(&a);
	v = view(st, "INBOX", 0);
	OK(store_copy(v, SEQ(1, 5), "Archive", 0, &c));
	w = view(st, "Archive", 0);
	OK(store_copy(w, SEQ(1, 5), "Archive", 0, &c));
	OK(store_view_refresh(w, 0, &dl));
	assert_int_equal(dl.exists, 10);
	/* Nowhere, and what is not there. */
	assert_int_equal(store_copy(w, SEQ(1, 5), "Nowhere", 0, &c),
	    STORE_NOTFOUND);
	assert_int_equal(store_copy(w, SEQ(1, 50), "INBOX", 0, &c),
	    STORE_INVALID);
	/* INBOX gets copies: deliver goes on after them. */
	OK(store_copy(w, SEQ(1, 2), "INBOX", 0, &c));
	assert_int_equal(c.dst.first, 11);
	deliver_ok(d, 20, 21);
	OK(store_view_refresh(v, 0, &dl));
	assert_int_equal(store_view_msg(v, dl.exists)->uid, 13);
	store_view_close(v);
	store_view_close(w);
	store_close(st);
	store_close(d);
	free(dump(&a));
	acct_free(&a);
}

static void
recent_once(void **state)
{
	struct store_view_info i1, i2;
	struct store_status ss;
	struct store_delta dl;
	struct store *s1, *s2, *d;
	struct store_view *v1, *v2;
	struct acct a;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 4);
	s1 = session(&a);
	s2 = session(&a);
	OK(store_status(s1, "INBOX", &ss));
	assert_int_equal(ss.recent, 4);
	v2 = view(s2, "INBOX", STORE_VIEW_READONLY);
	store_view_info(v2, &i2);
	assert_int_equal(i2.recent, 4);
	v1 = view(s1, "INBOX", 0);
	store_view_info(v1, &i1);
	assert_int_equal(i1.recent, 4);
	assert_true(store_view_recent(v1, 2));
	store_view_close(v2);
	v2 = view(s2, "INBOX", 0);
	store_view_info(v2, &i2);
	assert_int_equal(i2.recent, 0);
	assert_false(store_view_recent(v2, 2));
	deliver_ok(d, 4, 6);
	OK(store_view_refresh(v2, 0, &dl));
	assert_int_equal(dl.recent, 2);
	assert_true(dl.grown);
	assert_true(store_view_recent(v2, 5));
	OK(store_view_refresh(v1, 0, &dl));
	assert_int_equal(dl.recent, 4);
	assert_false(store_view_recent(v1, 5));
	OK(store_status(s1, "INBOX", &ss));
	assert_int_equal(ss.recent, 0);
	store_view_close(v1);
	store_view_close(v2);
	store_close(s1);
	store_close(s2);
	store_close(d);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_keywords),
		cmocka_unit_test(keyword_limit),
		cmocka_unit_test(keywords_of_a_message),
		cmocka_unit_test(keyword_sets_are_freed),
		cmocka_unit_test(email_id_stays),
		cmocka_unit_test(expunge_two_sessions),
		cmocka_unit_test(vanished_is_all_that_went),
		cmocka_unit_test(gone_are_counted),
		cmocka_unit_test(copy_and_move),
		cmocka_unit_test(copy_names_no_holes),
		cmocka_unit_test(copy_into_itself),
		cmocka_unit_test(recent_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
