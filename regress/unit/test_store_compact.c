/*
 * Space comes back: what is seen of the account is the same before, meanwhile
 * and afterwards, whoever dies at whatever call, and whatever fails.
 */
#include "store_test.h"
#include "store_calls.h"

#define WEEK	(7 * 86400)

static const struct store_keep nothing = { 0, 0 };
static const struct store_keep week = { WEEK, 1ULL << 40 };

/* One large message of the letter c. */
static void
append_large(struct store *st, const char *mailbox, char c, size_t size)
{
	static char text[3 << 20];
	struct store_appended ap;
	struct store_append *a;

	memset(text, c, sizeof(text));
	memcpy(text, "Subject: large\r\n\r\n", 18);
	OK(store_append_new(&a, st, mailbox));
	OK(store_append_message(a, NULL, 1780000000, size));
	OK(store_append_write(a, text, size));
	OK(store_append_end(a, NULL, 0));
	OK(store_append_commit(a, &ap));
	store_append_free(a);
}

static void
expunge(struct store *st, const char *mailbox, uint32_t a, uint32_t b)
{
	struct store_view *v = view(st, mailbox, 0);

	OK(store_expunge(v, SEQ(a, b), true, NULL));
	store_view_close(v);
	OK(store_commit(st));
}

/* Compacts until nothing is to do; the number of pieces. */
static int
compact(struct store *st, const struct store_keep *keep, bool all)
{
	bool more = true;
	int n;

	for (n = 0; more; n++) {
		OK(store_compact(st, keep, all, &more));
		assert_true(n < 100);
	}
	return n - 1;
}

/* Octets of all mail.NNNN; how many there are. */
static uint64_t
mail_size(const struct acct *a, int *files)
{
	struct dirent *d;
	uint64_t n = 0;
	DIR *dp = fdopendir(openat(a->fd, ".", O_RDONLY | O_DIRECTORY));

	assert_non_null(dp);
	*files = 0;
	while ((d = readdir(dp)) != NULL)
		if (strncmp(d->d_name, "mail.", 5) == 0) {
			n += (uint64_t)file_size(a, d->d_name);
			(*files)++;
		}
	closedir(dp);
	return n;
}

/* As if a day had gone by. */
static void
age_files(const struct acct *a)
{
	const struct timespec past[2] = { { 1000000, 0 }, { 1000000, 0 } };
	struct dirent *d;
	DIR *dp = fdopendir(openat(a->fd, ".", O_RDONLY | O_DIRECTORY));

	assert_non_null(dp);
	while ((d = readdir(dp)) != NULL)
		assert_int_equal(utimensat(a->fd, d->d_name, past, 0), 0);
	closedir(dp);
}

static void
same_dump(const struct acct *a, const char *want)
{
	char *got = dump(a);

	assert_string_equal(got, want);
	free(got);
}

/* An account with all that can be in the way: copies that share octets,
 * large messages, facts that lie elsewhere, a deleted mailbox. */
static void
furnish_much(struct acct *a)
{
	struct store_copied c;
	struct store_view *v;
	struct store *st, *d;

	acct_new(a);
	d = deliverer(a);
	st = session(a);
	deliver_ok(d, 0, 40);
	OK(store_sync(d));
	append_large(st, "Sent", 'a', 1 << 20);
	append_large(st, "Sent", 'b', 2 << 20);
	append_large(st, "INBOX", 'c', 3 << 20);
	v = view(st, "INBOX", 0);
	OK(store_copy(v, SEQ(3, 8), "Archive", 0, &c));
	OK(store_copy(v, SEQ(9, 10), "Trash", STORE_COPY_MOVE, &c));
	set_flags(v, 1, 20, STORE_FLAGS_ADD, STORE_SEEN, "one");
	store_view_close(v);
	OK(store_mailbox_create(st, "gone/below", 0));
	OK(append_one(st, "gone/below", 60, STORE_SEEN, "two",
	    &(struct store_appended){ 0 }));
	OK(store_commit(st));
	free(dump(a));			/* makes all facts */
	OK(store_refresh(st));
	expunge(st, "INBOX", 5, 36);	/* some live on in Archive, Trash */
	expunge(st, "Sent", 1, 1);
	OK(store_mailbox_delete(st, "gone/below"));
	OK(store_commit(st));
	store_close(st);
	store_close(d);
}

static void
kept_for_its_time(void **state)
{
	struct store_due due;
	struct store *st;
	struct acct a;
	char *want;
	int files, was;

	furnish_much(&a);
	want = dump(&a);
	(void)mail_size(&a, &was);
	st = session(&a);
	assert_int_equal(compact(st, &week, true), 0);
	assert_int_equal(mail_size(&a, &files) > (6 << 20), 1);
	assert_int_equal(files, was);
	OK(store_due(st, &week, &due));
	assert_int_equal(due.gone, 36);	/* 34, two that moved, one deleted */
	assert_true(due.gone_bytes > (1 << 20));
	assert_false(due.segments);
	OK(store_due(st, &nothing, &due));
	assert_int_equal(due.gone_bytes, 0);
	assert_true(due.segments);
	store_close(st);
	same_dump(&a, want);
	/* Of so many octets the last ones stay: not the large one. */
	st = session(&a);
	assert_true(compact(st, &(struct store_keep){ WEEK, 1 << 20 },
	    false) >= 1);
	assert_true(mail_size(&a, &files) < (6 << 20));
	assert_int_equal(files, was - 1);
	store_close(st);
	same_dump(&a, want);
	free(want);
	acct_free(&a);
}

static void
space_comes_back(void **state)
{
	struct store_view *v, *old;
	struct store *st, *other, *late;
	struct acct a;
	struct iovec f;
	char *want;
	int files, i;
	uint64_t before;

	furnish_much(&a);
	want = dump(&a);
	before = mail_size(&a, &files);
	other = session(&a);
	old = view(other, "INBOX", 0);
	late = session(&a);		/* opens no segment before */
	v = view(late, "INBOX", 0);
	OK(store_peek(other, store_view_msg(old, 2), 0, 10, &f));
	st = session(&a);
	assert_true(compact(st, &nothing, false) >= 3);
	assert_true(mail_size(&a, &files) < before - (1 << 20) - 5000);
	assert_int_equal(file_size(&a, "mail.0001"), -1);
	assert_int_equal(file_size(&a, "facts.0001"), -1);
	same_dump(&a, want);
	OK(store_check(st, NULL, NULL));
	/* Who has the account open goes on reading, by what it held. */
	for (i = 1; i <= (int)old->exists; i++) {
		OK(store_verify(late, store_view_msg(v, (uint32_t)i)));
		OK(store_facts(late, store_view_msg(v, (uint32_t)i), &f));
		OK(store_peek(other, store_view_msg(old, (uint32_t)i), 0, 20,
		    &f));
	}
	assert_int_equal(compact(st, &nothing, true), 0);
	OK(store_checkpoint(st));
	store_close(st);
	/* The log alone says the same. */
	assert_int_equal(unlinkat(a.fd, "index", 0), 0);
	same_dump(&a, want);
	store_view_close(old);
	store_view_close(v);
	store_close(other);
	store_close(late);
	free(want);
	acct_free(&a);
}

/* A view that still shows what was expunged reads it while there are octets,
 * and hears that there are none afterwards. */
static void
expunged_under_a_view(void **state)
{
	struct store *st, *s;
	struct store_view *v;
	struct store_delta dl;
	struct acct a;
	struct iovec f;

	acct_new(&a);
	st = session(&a);
	append_large(st, "INBOX", 'a', 1 << 20);
	append_large(st, "INBOX", 'b', 1 << 20);
	OK(store_commit(st));
	s = session(&a);
	v = view(s, "INBOX", 0);
	expunge(st, "INBOX", 1, 1);
	OK(store_peek(s, store_view_msg(v, 1), 0, 10, &f));
	assert_true(compact(st, &nothing, false) >= 1);
	OK(store_view_refresh(v, 0, &dl));
	assert_int_equal(store_peek(s, store_view_msg(v, 1), 0, 10, &f),
	    STORE_NOTFOUND);
	assert_int_equal(store_facts(s, store_view_msg(v, 1), &f),
	    STORE_NOTFOUND);
	OK(store_peek(s, store_view_msg(v, 2), 0, 10, &f));
	OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
	assert_int_equal(dl.nexpunged, 1);
	store_view_close(v);
	store_close(s);
	store_close(st);
	acct_free(&a);
}

/* A message whose octets are not what they were is not moved, nor what lies
 * beside it; the rest goes on. */
static void
damaged_is_left(void **state)
{
	struct store_view *v;
	struct store *st;
	struct acct a;
	uint64_t off;
	bool more;
	int fd;

	furnish_much(&a);
	st = session(&a);
	v = view(st, "INBOX", STORE_VIEW_READONLY);
	off = store_view_msg(v, 2)->offset;
	assert_int_equal(store_view_msg(v, 2)->segment, 1);
	store_view_close(v);
	fd = openat(a.fd, "mail.0001", O_RDWR);
	assert_int_equal(pwrite(fd, "~", 1, (off_t)off + 5), 1);
	close(fd);
	while (file_size(&a, "mail.0002") != -1)
		OK(store_compact(st, &nothing, false, &more));
	do {
		more = false;
	} while (store_compact(st, &nothing, false, &more) == STORE_OK &&
	    more);
	assert_int_equal(store_compact(st, &nothing, false, &more),
	    STORE_DAMAGED);
	assert_int_not_equal(file_size(&a, "mail.0001"), -1);
	store_close(st);
	acct_free(&a);
}

/* Without a mark all octets are looked at: of a message that moved they are
 * not where its first record says.  It is not lost, and its delivery known. */
static void
moved_is_not_lost(void **state)
{
	struct store *st, *d;
	enum store_result r;
	struct acct a;
	char *want;
	int i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 20);
	OK(store_sync(d));
	store_close(d);
	st = session(&a);
	expunge(st, "INBOX", 1, 15);
	want = dump(&a);
	assert_true(compact(st, &nothing, false) >= 2);
	assert_int_equal(file_size(&a, "mail.0001"), -1);
	store_close(st);
	for (i = 0; i < 2; i++) {
		assert_int_equal(unlinkat(a.fd, "lock", 0), 0);
		(void)unlinkat(a.fd, "index", 0);
		d = i == 0 ? deliverer(&a) : session(&a);
		OK(deliver_one(d, 17, NULL, true, &r));
		assert_int_equal(r, STORE_DUPLICATE);
		store_close(d);
		same_dump(&a, want);
	}
	free(want);
	acct_free(&a);
}

/* What was expunged comes back, once, its folder with it; what is elsewhere
 * stays there. */
static void
undelete(void **state)
{
	struct store_appended ap;
	struct store_copied c;
	struct store_status s;
	struct store_view *v;
	struct store *st;
	struct acct a;
	uint64_t n, email, modseq;
	int64_t now;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, STORE_SEEN | STORE_DELETED, "kw", &ap));
	OK(append_one(st, "INBOX", 2, 0, NULL, &ap));
	OK(append_one(st, "INBOX", 3, 0, NULL, &ap));
	OK(store_mailbox_create(st, "a/b", 0));
	OK(append_one(st, "a/b", 4, 0, "other", &ap));
	v = view(st, "INBOX", 0);
	email = store_view_msg(v, 1)->email;
	now = store_view_msg(v, 1)->saved;
	OK(store_copy(v, SEQ(2, 2), "Trash", STORE_COPY_MOVE, &c));
	OK(store_copy(v, SEQ(3, 3), "Trash", STORE_COPY_MOVE, &c));
	store_view_close(v);
	expunge(st, "Trash", 2, 2);
	expunge(st, "INBOX", 1, 1);
	OK(store_mailbox_delete(st, "a/b"));
	OK(store_mailbox_delete(st, "a"));
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 0);
	modseq = s.highestmodseq;
	OK(store_undelete(st, now - 100, now - 50, &n));
	assert_int_equal(n, 0);
	OK(store_undelete(st, now - 1, now + 1000, &n));
	assert_int_equal(n, 3);
	OK(store_undelete(st, now - 1, now + 1000, &n));
	assert_int_equal(n, 0);
	v = view(st, "INBOX", 0);
	assert_int_equal(v->exists, 2);		/* 1, and 3 where it was */
	assert_int_equal(store_view_msg(v, 1)->uid, 4);
	assert_int_equal(store_view_msg(v, 1)->email, email);
	assert_int_equal(store_view_msg(v, 1)->flags, STORE_SEEN);
	assert_true(store_view_msg(v, 1)->modseq > modseq);
	assert_int_equal(kw_bits(v, store_view_msg(v, 1)), 1);
	store_view_close(v);
	v = view(st, "a/b", 0);
	assert_int_equal(v->exists, 1);
	assert_string_equal(store_view_keyword(v, 0), "other");
	store_view_close(v);
	OK(store_status(st, "Trash", &s));
	assert_int_equal(s.messages, 1);
	OK(store_check(st, NULL, NULL));
	(void)compact(st, &nothing, true);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* ---- somebody dies, something fails ------------------------------ */

static struct {
	bool	 armed;
	bool	 dies;
	int	 left;			/* calls that go well first */
	int	 e;
	int	 hits;
} fault;

static enum call_way
on_call(enum call call, const void *arg)
{
	if (!fault.armed || call == CALL_LOCK || call == CALL_FCNTL ||
	    fault.left-- > 0)
		return CALL_GOES;
	if (fault.dies)
		_exit(9);
	fault.hits++;
	if (call == CALL_UNLINKAT || call == CALL_FTRUNCATE || fault.hits > 1)
		return CALL_GOES;
	errno = fault.e;
	return CALL_FAILS;
}

static void
copy_files(const struct acct *from, const struct acct *to)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s/* && cp -a %s/. %s",
	    to->path, from->path, to->path);
	assert_int_equal(system(cmd), 0);
}

/* All pieces, in a process that dies at call n; false: it came to its end. */
static bool
dies_at(const struct acct *a, int n)
{
	struct store *st;
	bool more = true;
	pid_t pid;
	int status;

	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		if (store_open(&st, a->fd, STORE_SESSION) != STORE_OK)
			_exit(1);
		fault.dies = fault.armed = true;
		fault.left = n;
		while (more)
			if (store_compact(st, &nothing, false, &more) !=
			    STORE_OK)
				_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
	return WEXITSTATUS(status) == 9;
}

static void
killed_at_each_call(void **state)
{
	struct acct a, b;
	struct store *st;
	char *want;
	bool died;
	int n, files, step = getenv("COMPACT_ALL") != NULL ? 1 : 3;

	furnish_much(&a);
	want = dump(&a);
	acct_new(&b);
	for (n = 0, died = true; died; n += step) {
		copy_files(&a, &b);
		died = dies_at(&b, n);
		same_dump(&b, want);
		age_files(&b);
		st = session(&b);
		(void)compact(st, &nothing, false);
		store_close(st);
		same_dump(&b, want);
		assert_int_equal(unlinkat(b.fd, "index", 0) == 0 ||
		    errno == ENOENT, 1);
		same_dump(&b, want);
		assert_true(mail_size(&b, &files) < (6 << 20));
	}
	assert_true(n > 60);
	free(want);
	acct_free(&a);
	acct_free(&b);
}

static void
failing_calls(void **state)
{
	static const int errors[] = { EIO, ENOSPC, EMFILE };
	struct acct a, b;
	struct store *st;
	char *want;
	bool more;
	size_t i;
	int n, step = getenv("COMPACT_ALL") != NULL ? 1 : 7;

	furnish_much(&a);
	want = dump(&a);
	acct_new(&b);
	for (i = 0; i < NITEMS(errors); i++)
		for (n = (int)i;; n += step) {
			copy_files(&a, &b);
			st = session(&b);
			fault.hits = 0;
			fault.dies = false;
			fault.e = errors[i];
			fault.left = n;
			fault.armed = true;
			do {
				more = false;
			} while (store_compact(st, &nothing, false, &more) ==
			    STORE_OK && more);
			fault.armed = false;
			store_close(st);
			same_dump(&b, want);
			st = session(&b);
			(void)compact(st, &nothing, false);
			OK(store_check(st, NULL, NULL));
			store_close(st);
			same_dump(&b, want);
			if (fault.hits == 0)
				break;
		}
	free(want);
	acct_free(&a);
	acct_free(&b);
}

/* What a crash left goes after a day, and nothing else. */
static void
left_over_segments_go(void **state)
{
	const struct timespec past[2] = { { 1000000, 0 }, { 1000000, 0 } };
	static const char *const names[] = { "mail.0777", "facts.0777",
	    "facts", "mail.777", "mail.0888" };
	struct acct a;
	struct store *st;
	size_t i;

	furnish_much(&a);
	for (i = 0; i < NITEMS(names); i++) {
		spew(&a, names[i], "x", 1);
		if (i < 4)
			assert_int_equal(utimensat(a.fd, names[i], past, 0),
			    0);
	}
	st = session(&a);
	assert_int_equal(utimensat(a.fd, "mail.0001", past, 0), 0);
	assert_int_equal(utimensat(a.fd, "facts.0001", past, 0), 0);
	assert_int_equal(utimensat(a.fd, "mail.0003", past, 0), 0);
	(void)compact(st, &week, false);
	for (i = 0; i < NITEMS(names); i++)
		assert_int_equal(file_size(&a, names[i]) == -1, i < 3);
	assert_true(file_size(&a, "mail.0001") > 0);
	assert_true(file_size(&a, "facts.0001") > 0);
	assert_true(file_size(&a, "mail.0003") > 0);
	store_close(st);
	acct_free(&a);
}

/* Of a segment whose messages all went, facts of large ones stay. */
static void
facts_beside_nothing(void **state)
{
	const struct store_msg *m;
	struct store_view *v;
	struct iovec f;
	struct acct a;
	struct store *st;
	char name[32];

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &(struct store_appended){ 0 }));
	append_large(st, "INBOX", 'a', 1 << 20);
	v = view(st, "INBOX", 0);
	OK(store_facts(st, store_view_msg(v, 2), &f));
	store_view_close(v);
	expunge(st, "INBOX", 1, 1);
	(void)compact(st, &nothing, true);
	v = view(st, "INBOX", 0);
	m = store_view_msg(v, 1);
	assert_true(m->facts_len > 0 && m->facts_segment != m->segment);
	facts_name(name, m->facts_segment);
	assert_true(file_size(&a, name) > 0);
	age_files(&a);
	(void)compact(st, &nothing, true);
	assert_true(file_size(&a, name) > 0);
	OK(facts_read(st, m, &f));
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_for_its_time),
		cmocka_unit_test(space_comes_back),
		cmocka_unit_test(expunged_under_a_view),
		cmocka_unit_test(damaged_is_left),
		cmocka_unit_test(moved_is_not_lost),
		cmocka_unit_test(undelete),
		cmocka_unit_test(killed_at_each_call),
		cmocka_unit_test(failing_calls),
		cmocka_unit_test(left_over_segments_go),
		cmocka_unit_test(facts_beside_nothing),
	};

	calls_ask(on_call);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
