/*
 * The store as deliver and the sessions use it: every call, on a real
 * directory, with views of several sessions on the same account.
 */
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

static void
flags_and_keywords(void **state)
{
	struct store_flagset none = { STORE_SEEN, NULL, 0 };
	struct store_changed c;
	struct store_delta dl;
	struct acct a;
	struct store *d, *s1, *s2;
	struct store_view *v1, *v2;
	struct store_view_info info;
	uint64_t before;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 10);
	s1 = session(&a);
	s2 = session(&a);
	v1 = view(s1, "INBOX", 0);
	v2 = view(s2, "INBOX", 0);
	set_flags(v1, 2, 5, STORE_FLAGS_ADD, STORE_SEEN, "Work");
	OK(store_commit(s1));
	assert_int_equal(store_view_msg(v1, 3)->flags, STORE_SEEN);
	assert_int_equal(store_view_keyword_bit(v1, "wOrK"), 0);
	OK(store_view_refresh(v2, 0, &dl));
	assert_int_equal(dl.nchanged, 4);
	assert_int_equal(dl.changed[0], 2);
	assert_true(dl.keywords);
	assert_false(dl.grown);
	assert_int_equal(store_view_msg(v2, 5)->keywords, 1);
	set_flags(v2, 3, 3, STORE_FLAGS_DEL, STORE_SEEN, "work");
	set_flags(v2, 4, 4, STORE_FLAGS_SET, STORE_FLAGGED, NULL);
	OK(store_view_refresh(v1, 0, &dl));
	/* Those it changed itself and was not quiet about, and the others. */
	assert_int_equal(dl.nchanged, 4);
	assert_int_equal(store_view_msg(v1, 4)->flags, STORE_FLAGGED);
	assert_int_equal(store_view_msg(v1, 4)->keywords, 0);
	assert_int_equal(store_view_msg(v1, 3)->flags, 0);
	store_view_info(v1, &info);
	assert_int_equal(info.unseen, 8);
	/* Nothing changes: nothing is written. */
	before = store_log(s1);
	set_flags(v1, 4, 4, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
	assert_int_equal(store_log(s1), before);
	/* UNCHANGEDSINCE */
	OK(store_flags(v1, SEQ(1, 10), STORE_FLAGS_ADD, &none,
	    store_view_msg(v1, 10)->modseq, true, &c));
	assert_int_equal(c.nmodified, 4);
	assert_int_equal(c.modified[0], 2);
	assert_int_equal(c.modified[3], 5);
	assert_int_equal(c.nchanged, 6);
	OK(store_view_refresh(v1, 0, &dl));
	assert_int_equal(dl.nchanged, 0);
	store_view_close(v1);
	v1 = view(s1, "INBOX", STORE_VIEW_READONLY);
	assert_int_equal(store_flags(v1, SEQ(1, 1), STORE_FLAGS_ADD, &none,
	    UINT64_MAX, false, &c), STORE_READONLY);
	store_view_close(v1);
	store_view_close(v2);
	store_close(s1);
	store_close(s2);
	store_close(d);
	acct_free(&a);
}

static void
keyword_limit(void **state)
{
	struct store_flagset fs = { 0, NULL, 1 };
	struct store_changed c;
	struct store_view *v;
	struct store *st;
	struct acct a;
	char name[16];
	const char *kw = name;
	int i;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &(struct store_appended){ 0 }));
	v = view(st, "INBOX", 0);
	fs.keywords = &kw;
	for (i = 0; i < STORE_KEYWORDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		OK(store_flags(v, SEQ(1, 1), STORE_FLAGS_ADD, &fs, UINT64_MAX,
		    false, &c));
	}
	(void)snprintf(name, sizeof(name), "more");
	assert_int_equal(store_flags(v, SEQ(1, 1), STORE_FLAGS_ADD, &fs,
	    UINT64_MAX, false, &c), STORE_LIMIT);
	(void)snprintf(name, sizeof(name), "two words");
	assert_int_equal(store_flags(v, SEQ(1, 1), STORE_FLAGS_ADD, &fs,
	    UINT64_MAX, false, &c), STORE_INVALID);
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

static void
expunge_two_sessions(void **state)
{
	struct store_delta dl;
	struct store_range van[8];
	struct acct a;
	struct store *d, *s1, *s2;
	struct store_view *v1, *v2;
	uint32_t n;
	char buf[16];
	bool complete;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 10);
	s1 = session(&a);
	s2 = session(&a);
	v1 = view(s1, "INBOX", 0);
	v2 = view(s2, "INBOX", 0);
	set_flags(v1, 2, 3, STORE_FLAGS_ADD, STORE_DELETED, NULL);
	set_flags(v1, 7, 7, STORE_FLAGS_ADD, STORE_DELETED, NULL);
	OK(store_expunge(v1, NULL, 0, false, &n));
	assert_int_equal(n, 3);
	OK(store_view_refresh(v1, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 3);
	assert_int_equal(dl.expunged[0], 7);
	assert_int_equal(dl.expunged[1], 3);
	assert_int_equal(dl.expunged[2], 2);
	assert_int_equal(dl.expunged_uid[2], 2);
	assert_int_equal(dl.exists, 7);
	assert_int_equal(store_view_msg(v1, 2)->uid, 4);
	assert_int_equal(store_view_seq(v1, 7), 0);
	assert_int_equal(store_view_seq_from(v1, 7), 5);
	/* The other keeps its numbers until it may change them. */
	OK(store_view_refresh(v2, 0, &dl));
	assert_int_equal(dl.nexpunged, 0);
	assert_int_equal(dl.exists, 10);
	assert_true(store_view_gone(v2, 3));
	OK(store_read(s2, store_view_msg(v2, 3), 0, buf, 5));
	deliver_ok(d, 10, 12);
	OK(store_view_refresh(v2, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 3);
	assert_true(dl.grown);
	assert_int_equal(dl.exists, 9);
	assert_int_equal(store_view_msg(v2, 9)->uid, 12);
	assert_int_equal(store_view_vanished(v2, 0, van, 8, &complete), 2);
	assert_int_equal(van[0].first, 2);
	assert_int_equal(van[0].last, 3);
	OK(store_expunge(v2, SEQ(1, 2), true, &n));
	assert_int_equal(n, 2);
	store_view_close(v1);
	store_view_close(v2);
	store_close(s1);
	store_close(s2);
	store_close(d);
	free(dump(&a));
	acct_free(&a);
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
	OK(store_copy(v, SEQ(2, 4), "Archive", false, &c));
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
	OK(store_copy(v, SEQ(4, 5), "Archive", true, &c));
	OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 2);
	store_usage(st, &bytes, &n);
	assert_int_equal(n, 13);
	assert_int_equal(bytes, bytes2);
	assert_int_equal(file_size(&a, "mail.0001"), before);
	w = view(st, "Archive", 0);
	assert_int_equal(store_view_msg(w, 4)->keywords, 1);
	assert_string_equal(store_view_keyword(w, 0), "Blue");
	assert_int_equal(store_view_msg(w, 5)->keywords, 0);
	/* Into itself, and nowhere. */
	OK(store_copy(w, SEQ(1, 5), "Archive", false, &c));
	OK(store_view_refresh(w, 0, &dl));
	assert_int_equal(dl.exists, 10);
	assert_int_equal(store_copy(w, SEQ(1, 5), "Nowhere", false, &c),
	    STORE_NOTFOUND);
	assert_int_equal(store_copy(w, SEQ(1, 50), "INBOX", false, &c),
	    STORE_INVALID);
	/* INBOX gets copies: deliver goes on after them. */
	OK(store_copy(w, SEQ(1, 2), "INBOX", false, &c));
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
	assert_int_equal(store_view_msg(v, 4)->keywords, 3);
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
	/* Too much, too little. */
	OK(store_append_new(&ap, st, "Drafts"));
	OK(store_append_message(ap, NULL, 5, 10));
	assert_int_equal(store_append_write(ap, big, 11), STORE_INVALID);
	store_append_free(ap);
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

static uint32_t
attr_of(struct store *st, const char *name)
{
	struct store_mailbox mb;

	return store_mailbox_find(st, name, &mb) ? mb.attr | 0x80000000U : 0;
}

static void
mailbox_tree(void **state)
{
	struct acct a;
	struct store *st;
	struct store_mailbox mb, mb2;
	struct store_delta dl;
	struct store_view *v;
	struct store_status s1, s2;
	const struct store_mailbox *it;
	size_t iter = 0;
	bool seen = false;

	acct_new(&a);
	st = session(&a);
	OK(store_mailbox_create(st, "a/b/c", 0));
	assert_true(attr_of(st, "a") & STORE_MB_CHILDREN);
	assert_true(attr_of(st, "a/b/c"));
	assert_int_equal(store_mailbox_create(st, "a/b", 0), STORE_EXISTS);
	assert_int_equal(store_mailbox_create(st, "inbox", 0), STORE_EXISTS);
	assert_int_equal(store_mailbox_create(st, "x//y", 0), STORE_INVALID);
	assert_int_equal(store_mailbox_create(st, "/x", 0), STORE_INVALID);
	assert_int_equal(store_mailbox_create(st, "x\ny", 0), STORE_INVALID);
	OK(store_mailbox_create(st, "a-b", 0));
	OK(append_one(st, "a/b", 1, 0, "kk", &(struct store_appended){ 0 }));
	/* DELETE of a name with children keeps the name. */
	v = view(st, "a/b", 0);
	OK(store_mailbox_delete(st, "a/b"));
	assert_true(attr_of(st, "a/b") & STORE_MB_NOSELECT);
	OK(store_view_refresh(v, 0, &dl));
	assert_true(dl.deleted);
	assert_int_equal(store_expunge(v, NULL, 0, true, NULL), STORE_NOTFOUND);
	store_view_close(v);
	assert_int_equal(store_mailbox_delete(st, "a/b"), STORE_INVALID);
	assert_int_equal(store_view_open(&v, st, "a/b", 0), STORE_NOTFOUND);
	/* CREATE makes it a mailbox again. */
	OK(store_mailbox_create(st, "a/b", 0));
	OK(store_status(st, "a/b", &s1));
	assert_int_equal(s1.messages, 0);
	OK(store_mailbox_delete(st, "a/b"));
	/* The last child takes the mere name with it. */
	OK(store_mailbox_delete(st, "a/b/c"));
	assert_int_equal(attr_of(st, "a/b"), 0);
	assert_true(attr_of(st, "a"));
	assert_false(attr_of(st, "a") & STORE_MB_CHILDREN);
	assert_int_equal(store_mailbox_delete(st, "INBOX"), STORE_INVALID);
	assert_int_equal(store_mailbox_delete(st, "zzz"), STORE_NOTFOUND);
	/* RENAME takes children along and keeps ids. */
	OK(store_mailbox_create(st, "p/q/r", 0));
	OK(append_one(st, "p/q/r", 1, 0, NULL, &(struct store_appended){ 0 }));
	assert_true(store_mailbox_find(st, "p/q/r", &mb));
	OK(store_status(st, "p/q/r", &s1));
	OK(store_mailbox_rename(st, "p", "new/place"));
	assert_true(store_mailbox_find(st, "new/place/q/r", &mb2));
	assert_int_equal(mb.id, mb2.id);
	OK(store_status(st, "new/place/q/r", &s2));
	assert_int_equal(s1.uidvalidity, s2.uidvalidity);
	assert_int_equal(s2.messages, 1);
	assert_int_equal(attr_of(st, "p"), 0);
	assert_int_equal(store_mailbox_rename(st, "new", "new/x"),
	    STORE_INVALID);
	assert_int_equal(store_mailbox_rename(st, "new", "a"), STORE_EXISTS);
	assert_int_equal(store_mailbox_rename(st, "gone", "b"),
	    STORE_NOTFOUND);
	/* Subscriptions outlive mailboxes. */
	OK(store_mailbox_subscribe(st, "a-b", true));
	OK(store_mailbox_subscribe(st, "a-b", true));
	OK(store_mailbox_delete(st, "a-b"));
	while ((it = store_mailbox_next(st, &iter)) != NULL)
		if (strcmp(it->name, "a-b") == 0) {
			seen = true;
			assert_true(it->attr & STORE_MB_NONEXISTENT);
		}
	assert_true(seen);
	OK(store_mailbox_subscribe(st, "a-b", false));
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

static void
rename_inbox(void **state)
{
	struct store_status s;
	struct store_view *v;
	struct store_delta dl;
	struct store *st, *d;
	struct acct a;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 5);
	st = session(&a);
	v = view(st, "INBOX", 0);
	set_flags(v, 1, 2, STORE_FLAGS_ADD, 0, "key");
	OK(store_mailbox_rename(st, "INBOX", "old/mail"));
	OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.exists, 0);
	assert_int_equal(dl.nexpunged, 5);
	OK(store_status(st, "old/mail", &s));
	assert_int_equal(s.messages, 5);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 0);
	assert_int_equal(s.uidnext, 6);
	store_view_close(v);
	v = view(st, "old/mail", 0);
	assert_int_equal(store_view_keyword_bit(v, "key"), 0);
	assert_int_equal(store_view_msg(v, 2)->keywords, 1);
	store_view_close(v);
	deliver_ok(d, 5, 6);
	store_close(st);
	store_close(d);
	free(dump(&a));
	acct_free(&a);
}

static void
uidvalidity_never_again(void **state)
{
	struct store_status s;
	struct store *st;
	struct acct a;
	uint32_t last = 0;
	int i;

	acct_new(&a);
	st = session(&a);
	for (i = 0; i < 20; i++) {
		OK(store_mailbox_create(st, "again", 0));
		OK(store_status(st, "again", &s));
		assert_true(s.uidvalidity > last);
		last = s.uidvalidity;
		OK(store_mailbox_delete(st, "again"));
		if (i % 5 == 0) {
			OK(store_checkpoint(st));
			store_close(st);
			st = session(&a);
		}
	}
	store_close(st);
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
		cmocka_unit_test(flags_and_keywords),
		cmocka_unit_test(keyword_limit),
		cmocka_unit_test(expunge_two_sessions),
		cmocka_unit_test(copy_and_move),
		cmocka_unit_test(append_and_multiappend),
		cmocka_unit_test(mailbox_tree),
		cmocka_unit_test(rename_inbox),
		cmocka_unit_test(uidvalidity_never_again),
		cmocka_unit_test(recent_once),
		cmocka_unit_test(watch_and_poke),
		cmocka_unit_test(sequential_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
