/*
 * A new journal: all who have the account open go on, views and all; whoever
 * dies at whatever call, and whatever fails, the account is what it was.
 */
#include "store_test.h"
#include "store_calls.h"
#include "store_old.h"

#include <sys/mman.h>

static void
same_dump(const struct acct *a, const char *want)
{
	char *got = dump(a);

	assert_string_equal(got, want);
	free(got);
}

/* And the same from the log alone. */
static void
same_all(const struct acct *a, const char *want)
{
	same_dump(a, want);
	(void)unlinkat(a->fd, "index", 0);
	same_dump(a, want);
}

/* A deleted mailbox besides, whose name and place others have. */
static void
furnish_more(struct acct *a)
{
	struct store_copied c;
	struct store_view *v;
	struct store *st;

	furnish(a);
	st = session(a);
	OK(store_mailbox_create(st, "was/here", 0));
	OK(append_one(st, "was/here", 70, STORE_SEEN, "kept",
	    &(struct store_appended){ 0 }));
	OK(append_one(st, "was", 71, 0, NULL, &(struct store_appended){ 0 }));
	OK(store_mailbox_delete(st, "was"));	/* stays as a mere name */
	OK(store_mailbox_delete(st, "was/here"));
	OK(store_mailbox_create(st, "was/here", 0));
	OK(append_one(st, "was/here", 72, 0, "other",
	    &(struct store_appended){ 0 }));
	v = view(st, "INBOX", 0);
	OK(store_copy(v, SEQ(2, 3), "was/here", 0, &c));
	store_view_close(v);
	OK(store_commit(st));
	store_close(st);
}

/* How many messages are remembered. */
static unsigned int
remembered(struct store *st)
{
	struct mailbox *m;
	unsigned int n = 0;
	size_t i = 0;
	uint32_t slot;

	while ((m = mailbox_next(st->state, &i)) != NULL)
		for (slot = 0; slot < mailbox_slots(m); slot++)
			n += msg_remembered(st->state, mailbox_msg(m, slot));
	return n;
}

static void
new_journal_says_the_same(void **state)
{
	struct store *st, *d;
	struct store_keep nothing = { 0, 0 };
	struct acct a;
	enum store_result r;
	unsigned int gone;
	char *want;
	off_t was;
	bool more;
	int i;

	furnish_more(&a);
	want = dump(&a);
	was = file_size(&a, "journal");
	st = session(&a);
	gone = remembered(st);
	assert_true(gone >= 4);
	for (i = 2; i < 5; i++) {
		OK(journal_rewrite(st));
		assert_int_equal(st->head.generation, i);
		assert_int_equal(st->pos, file_size(&a, "journal"));
		assert_true(st->pos < (uint64_t)was);
		same_all(&a, want);
		OK(store_check(st, NULL, NULL));
	}
	store_close(st);
	(void)unlinkat(a.fd, "index", 0);
	st = session(&a);
	assert_int_equal(remembered(st), gone);
	/* Delivery ids are known as before; the log goes on. */
	d = deliverer(&a);
	OK(deliver_one(d, 13, NULL, true, &r));
	assert_int_equal(r, STORE_DUPLICATE);
	deliver_ok(d, 100, 103);
	OK(store_sync(d));
	store_close(d);
	for (more = true; more;)
		OK(store_compact(st, &nothing, true, &more));
	free(want);
	want = dump(&a);
	OK(journal_rewrite(st));
	same_all(&a, want);
	store_close(st);
	free(want);
	acct_free(&a);
}

static void
first_form_becomes_the_second(void **state)
{
	struct store *st;
	struct acct a;
	char *want;

	old_account(&a);
	want = dump(&a);
	st = session(&a);
	assert_int_equal(st->head.version, 1);
	OK(journal_rewrite(st));
	assert_int_equal(st->head.version, LOG_VERSION);
	assert_int_equal(st->head.created, 1790000000);
	same_all(&a, want);
	store_close(st);
	free(want);
	acct_free(&a);
}

/* Who has it open reads and writes on; pointers stay. */
static void
others_follow(void **state)
{
	const struct store_msg *m;
	struct store_delta dl;
	struct store_view *v;
	struct store *st, *s, *d;
	struct acct a;
	struct iovec f;
	uint32_t before;
	int gen, n = 100;

	furnish_more(&a);
	st = session(&a);
	s = session(&a);
	d = deliverer(&a);
	deliver_ok(d, 90, 91);
	v = view(s, "INBOX", 0);
	m = store_view_msg(v, 3);
	before = v->exists;
	for (gen = 0; gen < 6; gen++) {
		OK(journal_rewrite(st));
		if (gen % 3 == 2)	/* two in one go */
			OK(journal_rewrite(st));
		deliver_ok(d, n, n + 1);
		OK(store_sync(d));
		set_flags(v, 3, 3, gen % 2 == 0 ? STORE_FLAGS_ADD :
		    STORE_FLAGS_DEL, STORE_FLAGGED, NULL);
		OK(store_commit(s));
		OK(store_view_refresh(v, 0, &dl));
		assert_true(dl.grown || dl.nchanged > 0);
		assert_ptr_equal(store_view_msg(v, 3), m);
		assert_int_equal((m->flags & STORE_FLAGGED) != 0,
		    gen % 2 == 0);
		OK(store_peek(s, m, 0, m->size, &f));
		OK(store_refresh(st));
		assert_int_equal(st->tr.seq, s->tr.seq);
		assert_int_equal(st->head.generation, s->head.generation);
		n++;
	}
	store_view_close(v);
	v = view(st, "INBOX", 0);
	assert_int_equal(v->exists, before + 6);
	store_view_close(v);
	store_close(s);
	store_close(d);
	free(dump(&a));
	store_close(st);
	acct_free(&a);
}

/* One that slept through more than a snapshot is told so, and opens anew. */
static void
too_far_behind(void **state)
{
	struct store *st, *s, *d, *d2;
	struct store_delta dl;
	struct store_view *v;
	struct acct a;

	furnish(&a);
	st = session(&a);
	s = session(&a);
	v = view(s, "INBOX", 0);
	d = deliverer(&a);
	deliver_ok(d, 50, 51);
	OK(store_refresh(st));
	d2 = deliverer(&a);
	OK(journal_rewrite(st));
	deliver_ok(d2, 51, 53);
	OK(store_sync(d2));
	OK(store_refresh(st));
	OK(journal_rewrite(st));
	/* Both know a group that is in no log any more. */
	assert_int_equal(store_view_refresh(v, 0, &dl), STORE_GONE);
	/* whoever asks next: the first may have been a claim of \Recent */
	assert_int_equal(store_refresh(s), STORE_GONE);
	assert_int_equal(append_one(s, "INBOX", 59, 0, NULL,
	    &(struct store_appended){ 0 }), STORE_GONE);
	assert_int_equal(deliver_one(d, 60, NULL, false, NULL), STORE_GONE);
	store_close(d);
	d = deliverer(&a);
	deliver_ok(d, 60, 61);
	deliver_ok(d2, 61, 62);
	store_view_close(v);
	store_close(s);
	store_close(d);
	store_close(d2);
	free(dump(&a));
	store_close(st);
	acct_free(&a);
}

/* A backup that links files: the old journal has a name, but not its own. */
static void
linked_elsewhere(void **state)
{
	struct store *st, *s;
	struct acct a;
	off_t was;

	furnish(&a);
	assert_int_equal(linkat(a.fd, "journal", a.fd, "journal.backup", 0), 0);
	was = file_size(&a, "journal.backup");
	st = session(&a);
	s = session(&a);
	OK(journal_rewrite(st));
	OK(append_one(s, "INBOX", 77, 0, NULL, &(struct store_appended){ 0 }));
	OK(store_commit(s));
	assert_int_equal(s->head.generation, 2);
	assert_int_equal(file_size(&a, "journal.backup"), was);
	store_close(s);
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* The one who made it died before the mark: nobody looks at all octets. */
static void
named_and_not_marked(void **state)
{
	uint8_t *lock;
	struct store *st, *d;
	struct acct a;
	size_t n;
	char *want;

	furnish(&a);
	want = dump(&a);
	st = session(&a);
	OK(store_sync(st));
	lock = slurp(&a, "lock", &n);
	OK(journal_rewrite(st));
	store_close(st);
	spew(&a, "lock", lock, n);
	d = deliverer(&a);
	assert_int_equal(d->durable, d->head.end_pos);
	assert_int_equal(d->pos, d->head.end_pos);
	assert_true(d->dirty_dir);	/* nor is its name durable */
	deliver_ok(d, 50, 51);
	OK(store_sync(d));
	store_close(d);
	d = deliverer(&a);
	assert_false(d->dirty_dir);
	store_close(d);
	(void)unlinkat(a.fd, "lock", 0);	/* a restore: all is looked at */
	d = deliverer(&a);
	assert_int_equal(d->look.pos, LOG_HEADER);
	deliver_ok(d, 51, 52);
	store_close(d);
	free(lock);
	free(want);
	acct_free(&a);
}

/* All that one may subscribe to is more than a group has room for. */
static void
subscriptions_of_several_groups(void **state)
{
	char name[STORE_NAME_MAX + 1], number[16];
	struct store *st;
	struct acct a;
	int i;

	acct_new(&a);
	st = session(&a);
	memset(name, 'x', STORE_NAME_MAX);
	name[STORE_NAME_MAX] = '\0';
	for (i = 0; st->state->nsubs < STORE_SUBS_MAX; i++) {
		(void)snprintf(number, sizeof(number), "%010d", i);
		memcpy(name, number, 10);
		OK(store_mailbox_subscribe(st, name, true));
	}
	assert_true(st->pos > LOG_GROUP_MAX);
	OK(journal_rewrite(st));
	assert_false(journal_long(st));	/* else again, for ever */
	assert_in_range(journal_need(st), st->pos / 10 * 9, st->pos / 9 * 10);
	store_close(st);
	(void)unlinkat(a.fd, "index", 0);
	st = session(&a);
	assert_int_equal(st->head.generation, 2);
	assert_int_equal(st->state->nsubs, STORE_SUBS_MAX);
	assert_true(subs_has(st->state, name));
	store_close(st);
	acct_free(&a);
}

/* Damage in a snapshot is damage, wherever; nobody goes down. */
static void
bits_of_snapshot(void **state)
{
	struct store *st, *d;
	enum store_result r;
	struct acct a;
	uint8_t *p;
	size_t i, n;

	furnish_more(&a);
	st = session(&a);
	OK(journal_rewrite(st));
	store_close(st);
	(void)unlinkat(a.fd, "index", 0);
	p = slurp(&a, "journal", &n);
	for (i = 0; i < n; i += 13) {
		p[i] ^= (uint8_t)(1U << i % 8);
		spew(&a, "journal", p, n);
		if (store_open(&st, a.fd, STORE_SESSION) == STORE_OK) {
			assert_int_not_equal(append_one(st, "INBOX", 1, 0,
			    NULL, &(struct store_appended){ 0 }), STORE_OK);
			store_close(st);
		}
		(void)unlinkat(a.fd, "lock", 0);
		r = store_open(&d, a.fd, STORE_DELIVER);
		if (r == STORE_OK) {
			r = deliver_one(d, 99, NULL, true, NULL);
			store_close(d);
		}
		assert_int_not_equal(r, STORE_OK);
		assert_int_equal(file_size(&a, "journal"), n);
		(void)unlinkat(a.fd, "lock", 0);
		p[i] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < n - 8; i += 29) {	/* cut short */
		spew(&a, "journal", p, i);
		if (store_open(&st, a.fd, STORE_SESSION) == STORE_OK) {
			assert_int_not_equal(append_one(st, "INBOX", 1, 0,
			    NULL, &(struct store_appended){ 0 }), STORE_OK);
			store_close(st);
		}
		(void)unlinkat(a.fd, "lock", 0);
	}
	free(p);
	acct_free(&a);
}

/* ---- somebody dies, something fails ------------------------------ */

static struct {
	bool	 armed, dies;
	int	 left, e, hits;
} fault;

static struct {				/* is the lock held, and for what */
	bool	 held;
	int	 taken, syncs, reads;
} lock;

static void
lock_look(enum call call, const struct flock *l)
{
	if (call == CALL_LOCK) {
		lock.held = l->l_type != F_UNLCK;
		lock.taken += lock.held;
	}
	lock.syncs += lock.held && (call == CALL_FDATASYNC ||
	    call == CALL_FSYNC);
	lock.reads += lock.held && call == CALL_PREAD;
}

static struct {				/* who writes before each sync of ours */
	struct store *st;
	bool	 busy;
	int	 n;
} always;

static void
always_write(enum call call)
{
	if (always.st == NULL || always.busy || lock.held ||
	    call != CALL_FDATASYNC)
		return;
	always.busy = true;
	OK(append_one(always.st, "INBOX", 1000 + always.n++, 0, NULL,
	    &(struct store_appended){ 0 }));
	always.busy = false;
}

static enum call_way
on_call(enum call call, const void *arg)
{
	lock_look(call, arg);
	always_write(call);
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

static bool
dies_at(const struct acct *a, int n)
{
	struct store *st;
	pid_t pid;
	int status;

	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		if (store_open(&st, a->fd, STORE_SESSION) != STORE_OK)
			_exit(1);
		fault.dies = fault.armed = true;
		fault.left = n;
		_exit(journal_rewrite(st) == STORE_OK ? 0 : 2);
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
	struct store *st, *d;
	enum store_result r;
	char *want;
	bool died;
	int n;

	furnish_more(&a);
	want = dump(&a);
	acct_new(&b);
	for (n = 0, died = true; died; n++) {
		copy_files(&a, &b);
		d = deliverer(&b);	/* has the old one open */
		died = dies_at(&b, n);
		same_dump(&b, want);
		OK(deliver_one(d, 13, NULL, true, &r));
		assert_int_equal(r, STORE_DUPLICATE);
		store_close(d);
		st = session(&b);
		OK(journal_rewrite(st));
		store_close(st);
		same_all(&b, want);
	}
	assert_true(n > 15);
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
	size_t i;
	int n;

	furnish_more(&a);
	want = dump(&a);
	acct_new(&b);
	for (i = 0; i < NITEMS(errors); i++)
		for (n = 0;; n++) {
			copy_files(&a, &b);
			st = session(&b);
			fault.hits = 0;
			fault.dies = false;
			fault.e = errors[i];
			fault.left = n;
			fault.armed = true;
			(void)journal_rewrite(st);
			fault.armed = false;
			store_close(st);
			same_dump(&b, want);
			st = session(&b);
			OK(journal_rewrite(st));
			OK(store_check(st, NULL, NULL));
			store_close(st);
			same_all(&b, want);
			if (fault.hits == 0)
				break;
		}
	free(want);
	acct_free(&a);
	acct_free(&b);
}

/* Nobody waits for a sync of ours, nor while we read or copy. */
static void
no_sync_under_the_lock(void **state)
{
	struct store_keep nothing = { 0, 0 };
	struct store *st;
	struct acct a;
	bool more = true;

	furnish_more(&a);
	st = session(&a);
	memset(&lock, 0, sizeof(lock));
	OK(journal_rewrite(st));
	assert_int_equal(lock.taken, 1);
	assert_true(lock.reads <= 2);	/* of the mark */
	while (more)
		OK(store_compact(st, &nothing, true, &more));
	assert_true(lock.taken > 2);
	assert_int_equal(lock.syncs, 0);
	store_close(st);
	acct_free(&a);
}

/* Somebody writes all the time: in the end it is done under the lock. */
static void
one_who_never_rests(void **state)
{
	struct store_view *v;
	struct store *st;
	struct acct a;

	acct_new(&a);
	st = session(&a);
	always.st = session(&a);
	always.n = 0;
	memset(&lock, 0, sizeof(lock));
	OK(journal_rewrite(st));
	assert_true(always.n >= 50);
	store_close(always.st);
	always.st = NULL;
	assert_int_equal(st->head.generation, 2);
	OK(store_refresh(st));
	v = view(st, "INBOX", 0);
	assert_int_equal(v->exists, always.n);
	store_view_close(v);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	free(dump(&a));
	acct_free(&a);
}

/* ---- all at once ------------------------------------------------- */

#define EACH	150			/* changes of each writer */

/* Who was away for too long opens anew. */
static void
writer_session(const struct acct *a, int k)
{
	struct store_appended out;
	struct store_view *v = NULL;
	struct store_delta dl;
	struct store *st = NULL;
	enum store_result r;
	bool done = false;
	int i;

	for (i = 0; i < EACH;) {
		r = st != NULL ? STORE_OK :
		    store_open(&st, a->fd, STORE_SESSION);
		if (r == STORE_OK && v == NULL)
			r = store_view_open(&v, st, "Archive", 0);
		if (r == STORE_OK && !done) {
			r = append_one(st, "Archive", k * 1000 + i, 0, NULL,
			    &out);
			if (r == STORE_OK)
				r = store_commit(st);
			done = r == STORE_OK;
		}
		if (r == STORE_OK)
			r = store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl);
		if (r == STORE_OK) {
			i++;
			done = false;
		} else if (r == STORE_GONE) {
			store_view_close(v);
			store_close(st);
			v = NULL;
			st = NULL;
		} else {
			fprintf(stderr, "session %d: %s: %s\n", i,
			    store_strerror(r), store_why(st));
			_exit(2);
		}
	}
	_exit(0);
}

static void
writer_deliver(const struct acct *a, int k)
{
	struct store *d = NULL;
	enum store_result r, item;
	int i, tries = 0;

	for (i = 0; i < EACH;) {
		r = d != NULL ? STORE_OK :
		    store_open(&d, a->fd, STORE_DELIVER);
		if (r == STORE_OK)
			r = deliver_one(d, k * 1000 + i, NULL, tries > 0,
			    &item);
		if (r == STORE_OK)
			r = store_sync(d);
		if (r == STORE_OK) {
			i++;
			tries = 0;
			continue;
		}
		if ((r != STORE_BUSY && r != STORE_GONE) || tries++ > 5000) {
			fprintf(stderr, "deliver %d: %s: %s\n", i,
			    store_strerror(r), store_why(d));
			_exit(2);
		}
		if (r == STORE_GONE) {
			store_close(d);
			d = NULL;
		}
		usleep(300);
	}
	_exit(0);
}

static void
writers_meanwhile(void **state)
{
	struct store_keep nothing = { 0, 0 };
	struct store_view *v;
	struct store *st;
	struct acct a;
	pid_t pid[4];
	bool more;
	int i, left = 4, status, made = 0;
	enum store_result r;

	acct_new(&a);
	for (i = 0; i < 4; i++) {
		assert_int_not_equal(pid[i] = fork(), -1);
		if (pid[i] == 0 && i < 2)
			writer_session(&a, i + 1);
		else if (pid[i] == 0)
			writer_deliver(&a, i + 1);
	}
	st = session(&a);
	while (left > 0 || made < 4) {
		r = journal_rewrite(st);
		assert_true(r == STORE_OK || r == STORE_BUSY);
		made += r == STORE_OK;
		r = store_compact(st, &nothing, true, &more);
		assert_true(r == STORE_OK || r == STORE_BUSY);
		while (left > 0 && (pid[0] = waitpid(-1, &status,
		    WNOHANG)) > 0) {
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 0);
			left--;
		}
	}
	OK(store_refresh(st));
	v = view(st, "Archive", 0);
	assert_int_equal(v->exists, 2 * EACH);
	store_view_close(v);
	v = view(st, "INBOX", 0);
	assert_int_equal(v->exists, 2 * EACH);
	store_view_close(v);
	OK(store_check(st, NULL, NULL));
	store_close(st);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_journal_says_the_same),
		cmocka_unit_test(first_form_becomes_the_second),
		cmocka_unit_test(others_follow),
		cmocka_unit_test(too_far_behind),
		cmocka_unit_test(linked_elsewhere),
		cmocka_unit_test(named_and_not_marked),
		cmocka_unit_test(subscriptions_of_several_groups),
		cmocka_unit_test(bits_of_snapshot),
		cmocka_unit_test(killed_at_each_call),
		cmocka_unit_test(failing_calls),
		cmocka_unit_test(no_sync_under_the_lock),
		cmocka_unit_test(one_who_never_rests),
		cmocka_unit_test(writers_meanwhile),
	};

	calls_ask(on_call);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
