/*
 * Mailboxes of an account: made, renamed, deleted, and their UIDVALIDITY.
 */
#include "store_test.h"

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
	struct store_delta dl;
	struct store_view *v;
	struct store_status s1;

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
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* RENAME takes children along and keeps ids. */
static void
rename_tree(void **state)
{
	struct acct a;
	struct store *st;
	struct store_mailbox mb, mb2;
	struct store_status s1, s2;

	acct_new(&a);
	st = session(&a);
	OK(store_mailbox_create(st, "a", 0));
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
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* Subscriptions outlive mailboxes. */
static void
subscribed(void **state)
{
	struct acct a;
	struct store *st;
	const struct store_mailbox *it;
	size_t iter = 0;
	bool seen = false;

	acct_new(&a);
	st = session(&a);
	OK(store_mailbox_create(st, "a-b", 0));
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
	assert_int_equal(store_view_keyword_number(v, "key"), 0);
	assert_int_equal(kw_bits(v, store_view_msg(v, 2)), 1);
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

/* A name of n octets, in parts of a hundred, that begins with c. */
static const char *
long_name(char c, size_t n)
{
	static char name[STORE_NAME_MAX + 2];
	size_t i;

	for (i = 0; i < n; i++)
		name[i] = i % 100 == 99 && i + 1 < n ? STORE_SEP : c;
	name[n] = '\0';
	return name;
}

static void
names_have_a_length(void **state)
{
	struct acct a;
	struct store *st;
	char name[STORE_NAME_MAX + 1];

	acct_new(&a);
	st = session(&a);
	(void)strlcpy(name, long_name('x', STORE_NAME_MAX), sizeof(name));
	OK(store_mailbox_create(st, name, 0));
	OK(store_mailbox_subscribe(st, name, true));
	assert_int_equal(store_mailbox_create(st, long_name('y',
	    STORE_NAME_MAX + 1), 0), STORE_INVALID);
	assert_int_equal(store_mailbox_subscribe(st, long_name('y',
	    STORE_NAME_MAX + 1), true), STORE_INVALID);
	/* its children would be longer */
	name[99] = '\0';
	assert_int_equal(store_mailbox_rename(st, name, long_name('y', 105)),
	    STORE_LIMIT);
	OK(store_mailbox_rename(st, name, "z"));
	OK(append_one(st, "z", 1, 0, "kk", &(struct store_appended){ 0 }));
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* As many as there may be, in order, over a checkpoint; not one more. */
static void
mailboxes_have_a_number(void **state)
{
	const struct store_mailbox *mb;
	char name[16], before[16] = "";
	struct acct a;
	struct store *st;
	size_t it = 0, n = 0;
	int i;

	acct_new(&a);
	st = session(&a);
	while (store_mailbox_next(st, &it) != NULL)
		n++;
	for (i = 0; n < STORE_MAILBOXES_MAX; i++, n++) {
		(void)snprintf(name, sizeof(name), "m%05d", i);
		OK(store_mailbox_create(st, name, 0));
	}
	assert_int_equal(store_mailbox_create(st, "one", 0), STORE_LIMIT);
	assert_int_equal(store_mailbox_create(st, "m00000/one", 0),
	    STORE_LIMIT);
	OK(store_commit(st));
	store_maintain(st);
	store_close(st);
	assert_true(file_size(&a, "index") > STORE_MAILBOXES_MAX * 50);
	st = session(&a);
	for (it = n = 0; (mb = store_mailbox_next(st, &it)) != NULL; n++) {
		assert_true(n < 2 || strcmp(before, mb->name) < 0);
		(void)strlcpy(before, mb->name, sizeof(before));
	}
	assert_int_equal(n, STORE_MAILBOXES_MAX);
	assert_int_equal(store_mailbox_create(st, "one", 0), STORE_LIMIT);
	OK(store_mailbox_delete(st, "m00007"));
	OK(store_mailbox_create(st, "one", 0));
	store_close(st);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailbox_tree),
		cmocka_unit_test(rename_tree),
		cmocka_unit_test(subscribed),
		cmocka_unit_test(rename_inbox),
		cmocka_unit_test(uidvalidity_never_again),
		cmocka_unit_test(names_have_a_length),
		cmocka_unit_test(mailboxes_have_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
