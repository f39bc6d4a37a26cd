/*
 * The store on disk when things went wrong: torn and damaged logs, bad
 * checkpoints, deleted files, lost bytes, full disks, killed and competing
 * writers, and files put there by an account that means harm.
 */
#include "store_test.h"

#include <sys/resource.h>

#include <limits.h>

static char top[PATH_MAX];	/* where regress/ is */

/* An account with something of everything in it. */
static void
furnish(struct acct *a)
{
	struct store_copied c;
	struct store_appended ap;
	struct store_view *v;
	struct store *st, *d;

	acct_new(a);
	d = deliverer(a);
	st = session(a);
	deliver_ok(d, 0, 12);
	OK(append_one(st, "Sent", 50, STORE_SEEN, "$Sent", &ap));
	v = view(st, "INBOX", 0);
	set_flags(v, 2, 9, STORE_FLAGS_ADD, STORE_SEEN, "one");
	set_flags(v, 4, 5, STORE_FLAGS_DEL, STORE_SEEN, NULL);
	OK(store_copy(v, SEQ(3, 6), "Archive", false, &c));
	OK(store_copy(v, SEQ(1, 1), "Trash", true, &c));
	set_flags(v, 8, 8, STORE_FLAGS_ADD, STORE_DELETED, "two");
	OK(store_expunge(v, NULL, 0, false, NULL));
	OK(store_mailbox_create(st, "lists/c/openbsd", 0));
	OK(store_mailbox_rename(st, "lists", "groups"));
	OK(store_mailbox_delete(st, "groups/c"));
	OK(store_mailbox_subscribe(st, "groups/c/openbsd", true));
	store_view_close(v);
	OK(store_commit(st));
	deliver_ok(d, 12, 14);
	OK(store_sync(d));
	store_close(st);
	store_close(d);
}

static void
deleted_files_come_back(void **state)
{
	static const char *const files[] = { "index", "facts", "lock" };
	struct acct a;
	struct store *st;
	char *want, *got;
	unsigned int set, i;

	furnish(&a);
	free(dump(&a));			/* claims no \Recent: read only */
	want = dump(&a);
	for (set = 0; set < 16; set++) {
		if ((set & 8) != 0) {
			st = session(&a);
			OK(store_checkpoint(st));
			store_close(st);
		}
		for (i = 0; i < 3; i++)
			if ((set & 1U << i) != 0)
				(void)unlinkat(a.fd, files[i], 0);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
	}
	st = session(&a);
	OK(store_rebuild(st));
	OK(store_check(st, NULL, NULL));
	store_close(st);
	got = dump(&a);
	assert_string_equal(got, want);
	free(got);
	free(want);
	acct_free(&a);
}

static void
checkpoint_in_the_middle(void **state)
{
	struct store_copied c;
	struct store_view *v;
	struct store *st;
	struct acct a;
	char *with, *without;

	furnish(&a);
	st = session(&a);
	OK(store_checkpoint(st));
	v = view(st, "INBOX", 0);
	set_flags(v, 1, 4, STORE_FLAGS_SET, STORE_FLAGGED, "after");
	OK(store_copy(v, SEQ(2, 9), "Junk", true, &c));
	OK(store_mailbox_rename(st, "Archive", "Archives/old"));
	store_view_close(v);
	OK(store_commit(st));
	store_close(st);
	with = dump(&a);
	assert_int_equal(unlinkat(a.fd, "index", 0), 0);
	without = dump(&a);
	assert_string_equal(with, without);
	free(with);
	free(without);
	acct_free(&a);
}

/* Every bit of the checkpoint is covered; what is bad is made again. */
static void
bits_of_index(void **state)
{
	struct index_at at;
	struct loghead h;
	struct acct a;
	struct state *s;
	struct store *st;
	char *want, *got;
	uint8_t *p, *log;
	size_t i, n, nlog;

	furnish(&a);
	st = session(&a);
	OK(store_checkpoint(st));
	store_close(st);
	want = dump(&a);
	log = slurp(&a, "journal", &nlog);
	assert_int_equal(loghead_decode(log, &h), 0);
	p = slurp(&a, "index", &n);
	for (i = 0; i < n * 8; i++) {
		p[i / 8] ^= (uint8_t)(1U << i % 8);
		s = state_new(true);
		assert_int_equal(index_parse(p, n, h.uuid, s, &at), -1);
		state_free(s);
		if (i % 501 == 0) {
			spew(&a, "index", p, n);
			got = dump(&a);
			assert_string_equal(got, want);
			free(got);
		}
		p[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < n; i += 101) {		/* and cut short */
		spew(&a, "index", p, i);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
	}
	free(log);
	free(p);
	free(want);
	acct_free(&a);
}

static void
bits_of_facts(void **state)
{
	struct acct a;
	char *want, *got;
	uint8_t *p;
	size_t i, n;

	furnish(&a);
	want = dump(&a);
	p = slurp(&a, "facts", &n);
	for (i = 0; i < n; i += 67) {
		p[i] ^= (uint8_t)(1U << i % 8);
		spew(&a, "facts", p, n);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
		p[i] ^= (uint8_t)(1U << i % 8);
	}
	free(p);
	free(want);
	acct_free(&a);
}

/* Whatever part of the last groups a crash left: the rest stands. */
static void
torn_at_every_byte(void **state)
{
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	uint64_t pos[8];
	uint8_t *p, *mail, *lock;
	size_t n, nmail, nlock, cut, k;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	for (k = 0; k < 4; k++) {
		pos[k] = store_log(d);
		deliver_ok(d, 10 + (int)k, 11 + (int)k);
	}
	pos[k] = store_log(d);
	store_close(d);
	p = slurp(&a, "journal", &n);
	mail = slurp(&a, "mail.0001", &nmail);
	lock = slurp(&a, "lock", &nlock);
	assert_int_equal(n, pos[4]);
	for (cut = pos[0]; cut <= n; cut++) {
		spew(&a, "journal", p, cut);
		spew(&a, "mail.0001", mail, nmail);
		spew(&a, "lock", lock, nlock);
		for (k = 0; k < 4 && pos[k + 1] <= cut; k++)
			continue;
		if (cut % 2 == 0) {
			st = session(&a);
			OK(store_status(st, "INBOX", &s));
			assert_int_equal(s.messages, 3 + k);
			store_close(st);
			assert_int_equal(file_size(&a, "journal"), pos[k]);
		}
		d = deliverer(&a);
		OK(deliver_one(d, 99, NULL, false, &r));
		OK(r);
		store_close(d);
		st = session(&a);
		OK(store_status(st, "INBOX", &s));
		assert_int_equal(s.messages, 4 + k);
		assert_int_equal(s.uidnext, 5 + k);
		store_close(st);
	}
	free(p);
	free(mail);
	free(lock);
	acct_free(&a);
}

/* Blocks that never reached the disk, with later ones behind: cut as well. */
static void
torn_with_holes(void **state)
{
	static const char zeros[4096];
	struct store_status s;
	struct acct a;
	struct store *st, *d;
	off_t at;
	int fd;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	at = (off_t)store_log(d);
	deliver_ok(d, 3, 40);
	store_close(d);
	fd = openat(a.fd, "journal", O_RDWR);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
	close(fd);
	st = session(&a);
	OK(store_status(st, "INBOX", &s));
	assert_int_equal(s.messages, 3);
	assert_int_equal(file_size(&a, "journal"), at);
	OK(append_one(st, "INBOX", 5, 0, NULL, &(struct store_appended){ 0 }));
	store_close(st);
	acct_free(&a);
}

static void
damage_in_the_middle(void **state)
{
	struct store_appended ap;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	uint8_t *p;
	size_t n, i, first;

	furnish(&a);
	p = slurp(&a, "journal", &n);
	first = get32(p + LOG_HEADER + 4);
	for (i = LOG_HEADER; i < n; i += 5) {
		p[i] ^= (uint8_t)(1U << i % 8);
		spew(&a, "journal", p, n);
		st = session(&a);
		assert_int_equal(append_one(st, "INBOX", 1, 0, NULL, &ap),
		    i < LOG_HEADER + first ? STORE_NOTFOUND : STORE_DAMAGED);
		assert_int_equal(store_mailbox_create(st, "x", 0),
		    STORE_DAMAGED);
		store_close(st);
		/* It was found under the lock, so deliver knows. */
		d = deliverer(&a);
		assert_int_equal(deliver_one(d, 99, NULL, false, &r),
		    STORE_DAMAGED);
		store_close(d);
		/* Nothing was cut away. */
		assert_int_equal(file_size(&a, "journal"), n);
		p[i] ^= (uint8_t)(1U << i % 8);
		if (i > 1200)
			i += 50;
	}
	spew(&a, "journal", p, n);
	(void)unlinkat(a.fd, "lock", 0);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &ap));
	store_close(st);
	free(p);
	acct_free(&a);
}

/* The mark is not there, but whole groups follow the bad one. */
static void
damage_behind_the_mark(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	uint8_t *p;
	size_t n, at;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	at = store_log(d);
	deliver_ok(d, 3, 9);
	store_close(d);
	p = slurp(&a, "journal", &n);
	p[at + 50] ^= 4;
	spew(&a, "journal", p, n);
	d = deliverer(&a);
	assert_int_equal(deliver_one(d, 99, NULL, false, &r), STORE_DAMAGED);
	assert_int_equal(r, STORE_DAMAGED);
	store_close(d);
	assert_int_equal(file_size(&a, "journal"), n);
	free(p);
	acct_free(&a);
}

/* A power loss took bytes that nobody was promised. */
static void
lost_bytes_are_given_up(void **state)
{
	struct store_view_info info;
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	enum store_result r;
	off_t size;
	int round;

	for (round = 0; round < 2; round++) {
		acct_new(&a);
		d = deliverer(&a);
		deliver_ok(d, 0, 3);
		OK(store_sync(d));
		deliver_ok(d, 3, 5);
		size = file_size(&a, "mail.0001");
		store_close(d);
		{
			int fd = openat(a.fd, "mail.0001", O_RDWR);

			assert_int_equal(ftruncate(fd, size - 50), 0);
			close(fd);
		}
		if (round == 1)
			store_close(session(&a));
		d = deliverer(&a);
		OK(deliver_one(d, 4, NULL, true, &r));
		OK(r);
		OK(deliver_one(d, 2, NULL, true, &r));
		assert_int_equal(r, STORE_DUPLICATE);
		store_close(d);
		st = session(&a);
		v = view(st, "INBOX", 0);
		store_view_info(v, &info);
		assert_int_equal(store_view_seq(v, 5), 0);
		assert_int_equal(info.uidnext, 7);
		OK(store_check(st, NULL, NULL));
		store_view_close(v);
		store_close(st);
		acct_free(&a);
	}
}

/* No new empty account is put over mail that lost its journal. */
static void
journal_missing(void **state)
{
	struct store *st, *d;
	struct acct a;

	acct_new(&a);
	assert_int_equal(unlinkat(a.fd, "journal", 0), 0);
	d = deliverer(&a);		/* there was nothing yet */
	deliver_ok(d, 0, 2);
	store_close(d);
	assert_int_equal(unlinkat(a.fd, "journal", 0), 0);
	assert_int_equal(store_open(&st, a.fd, STORE_SESSION), STORE_DAMAGED);
	assert_int_equal(store_open(&st, a.fd, STORE_DELIVER), STORE_DAMAGED);
	assert_int_equal(store_create(a.fd), STORE_DAMAGED);
	assert_int_equal(file_size(&a, "journal"), -1);
	acct_free(&a);
}

static void
segment_missing(void **state)
{
	struct store_view *v;
	struct store *st, *d;
	struct acct a;
	char buf[8];

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 3);
	OK(store_sync(d));
	assert_int_equal(unlinkat(a.fd, "mail.0001", 0), 0);
	st = session(&a);
	v = view(st, "INBOX", 0);
	assert_int_equal(store_read(st, store_view_msg(v, 1), 0, buf, 5),
	    STORE_NOTFOUND);
	assert_int_equal(store_verify(st, store_view_msg(v, 1)),
	    STORE_NOTFOUND);
	assert_int_equal(store_check(st, NULL, NULL), STORE_NOTFOUND);
	store_view_close(v);
	deliver_ok(d, 3, 5);		/* goes into a new one */
	OK(store_sync(d));
	v = view(st, "INBOX", 0);
	OK(store_verify(st, store_view_msg(v, 5)));
	store_view_close(v);
	store_close(d);
	store_close(st);
	acct_free(&a);
}

/* FETCH of facts does not even need the messages to be there. */
static void
facts_open_no_mail(void **state)
{
	const struct store_msg *m;
	struct store_view *v;
	struct store *st, *d;
	struct iovec f;
	struct acct a;
	uint32_t i;

	acct_new(&a);
	d = deliverer(&a);
	deliver_ok(d, 0, 1000);
	OK(store_sync(d));
	store_close(d);
	assert_int_equal(unlinkat(a.fd, "mail.0001", 0), 0);
	st = session(&a);
	v = view(st, "INBOX", 0);
	for (i = 1; i <= 1000; i++) {
		m = store_view_msg(v, i);
		OK(store_facts(st, m, &f));
		assert_int_equal(facts_version(f.iov_base, f.iov_len),
		    FACTS_VERSION);
	}
	for (i = 0; i < SEGMENT_CACHE; i++)
		assert_int_equal(st->b.seg[i].number, 0);
	store_view_close(v);
	store_close(st);
	acct_free(&a);
}

static void
full_disk(void **state)
{
	struct store_appended ap;
	struct rlimit rl, old;
	struct acct a;
	struct store *st, *d;
	enum store_result r;
	char *want, *got;
	off_t log, mail;
	rlim_t room;

	acct_new(&a);
	d = deliverer(&a);
	st = session(&a);
	deliver_ok(d, 0, 5);
	OK(store_sync(d));
	want = dump(&a);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	log = file_size(&a, "journal");
	mail = file_size(&a, "mail.0001");
	/* No room for the message, for part of it, for the log. */
	for (room = 0; room < 3; room++) {
		rl = old;
		rl.rlim_cur = room == 2 ? (rlim_t)log + 100 :
		    (rlim_t)mail + room * 100;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
		assert_int_equal(deliver_one(d, 9, NULL, false, &r),
		    STORE_NOSPACE);
		assert_int_equal(append_one(st, "Sent", 9, 0, NULL, &ap),
		    STORE_NOSPACE);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(file_size(&a, "journal"), log);
		assert_int_equal(file_size(&a, "mail.0001"), mail);
		got = dump(&a);
		assert_string_equal(got, want);
		free(got);
		if (room == 1)	/* let the log be the longer one */
			for (; log <= mail; log = file_size(&a, "journal")) {
				struct store_view *v = view(st, "INBOX",
				    STORE_VIEW_READONLY);

				store_view_close(v);
				OK(store_mailbox_subscribe(st, "x", true));
				OK(store_mailbox_subscribe(st, "x", false));
			}
		free(want);
		OK(store_sync(st));
		want = dump(&a);
	}
	deliver_ok(d, 9, 10);
	free(want);
	store_close(d);
	store_close(st);
	acct_free(&a);
}

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
	t = store_now_us();
	assert_int_equal(deliver_one(d, 1, NULL, false, &r), STORE_BUSY);
	assert_int_equal(r, STORE_BUSY);
	assert_true(store_now_us() - t < 2000000);
	backend_end(&st->b);
	deliver_ok(d, 1, 2);
	store_close(st);
	store_close(d);
	acct_free(&a);
}

/* ---- many at once ------------------------------------------------ */

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
	struct store *st;
	int i;

	if (w < 4) {
		st = deliverer(a);
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

/* ---- an account that means harm ---------------------------------- */

static void
links_and_pipes(void **state)
{
	static const char *const names[] = { "journal", "lock", "mail.0001",
	    "facts" };
	struct acct a;
	struct store *d;
	enum store_result r, rd;
	size_t i, kind;
	char aside[32];

	for (i = 0; i < NITEMS(names); i++)
		for (kind = 0; kind < 4; kind++) {
			acct_new(&a);
			d = deliverer(&a);
			deliver_ok(d, 0, 2);
			store_close(d);
			(void)snprintf(aside, sizeof(aside), "../%s.aside",
			    strrchr(a.path, '/') + 1);
			assert_int_equal(renameat(a.fd, names[i], a.fd,
			    aside), 0);
			if (kind == 0)
				assert_int_equal(symlinkat(aside, a.fd,
				    names[i]), 0);
			else if (kind == 1)
				assert_int_equal(mkfifoat(a.fd, names[i],
				    0666), 0);
			else if (kind == 2)
				assert_int_equal(mkdirat(a.fd, names[i],
				    0777), 0);
			else
				assert_int_equal(symlinkat("/etc/passwd", a.fd,
				    names[i]), 0);
			r = store_open(&d, a.fd, STORE_DELIVER);
			if (r == STORE_OK) {
				rd = deliver_one(d, 5, NULL, false, NULL);
				/* facts are only a convenience */
				assert_true(i == 3 ? rd == STORE_OK :
				    rd != STORE_OK);
				store_close(d);
			} else
				assert_true(i < 2);
			(void)unlinkat(a.fd, aside, 0);
			(void)unlinkat(a.fd, names[i], AT_REMOVEDIR);
			acct_free(&a);
		}
}

static void
sparse_journal(void **state)
{
	struct acct a;
	struct store *d;
	enum store_result r;
	int fd;

	acct_new(&a);
	fd = openat(a.fd, "journal", O_RDWR);
	assert_int_equal(ftruncate(fd, 1LL << 40), 0);
	close(fd);
	assert_int_equal(store_open(&d, a.fd, STORE_DELIVER), STORE_OK);
	assert_int_not_equal(deliver_one(d, 1, NULL, false, &r), STORE_OK);
	store_close(d);
	acct_free(&a);
}

/* deliver does not read for ever what an account tells it to check. */
static void
overdue_check_is_deferred(void **state)
{
	struct store_msg m = { .uid = 2, .size = 200 << 20, .offset = 320,
	    .segment = 7 };
	struct trailer tr;
	struct store *st, *d;
	struct acct a;
	enum store_result r;
	int fd;

	acct_new(&a);
	st = session(&a);
	OK(append_one(st, "INBOX", 1, 0, NULL, &(struct store_appended){ 0 }));
	OK(store_sync(st));
	fd = openat(a.fd, "mail.0007", O_RDWR | O_CREAT, 0666);
	assert_int_equal(ftruncate(fd, 201 << 20), 0);
	close(fd);
	OK(store_begin(st));
	assert_int_equal(store_add_record(&st->g, INBOX_ID, &m, NULL), 0);
	tr = st->tr;
	tr.messages++;
	tr.bytes += m.size;
	tr.inbox_uidnext = 3;
	OK(store_finish(st, &tr));
	store_close(st);
	d = deliverer(&a);
	assert_int_equal(deliver_one(d, 1, NULL, false, &r), STORE_BUSY);
	assert_int_equal(r, STORE_BUSY);
	store_close(d);
	st = session(&a);		/* finds it lost */
	OK(store_sync(st));
	store_close(st);
	d = deliverer(&a);
	deliver_ok(d, 1, 2);
	store_close(d);
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

/* The script that needs nothing of ours finds the same. */
static void
script_recovers(void **state)
{
	struct acct a;
	struct store *st;
	struct store_view *v;
	struct store_view_info info;
	char cmd[PATH_MAX + 256], line[512], want[512];
	uint32_t seq;
	FILE *f;

	furnish(&a);
	assert_true(snprintf(cmd, sizeof(cmd),
	    "python3 %s/regress/store/recover.py %s", top, a.path) > 0);
	f = popen(cmd, "r");
	assert_non_null(f);
	st = session(&a);
	v = view(st, "INBOX", STORE_VIEW_READONLY);
	store_view_info(v, &info);
	for (seq = 1; seq <= info.exists; seq++) {
		const struct store_msg *m = store_view_msg(v, seq);

		(void)snprintf(want, sizeof(want),
		    "INBOX %u flags=%x size=%u crc=%08x ok\n", m->uid,
		    m->flags & STORE_FLAGS, m->size, m->crc);
		do {
			assert_non_null(fgets(line, sizeof(line), f));
		} while (strncmp(line, "INBOX ", 6) != 0);
		assert_string_equal(line, want);
	}
	while (fgets(line, sizeof(line), f) != NULL)
		assert_true(strncmp(line, "INBOX ", 6) != 0);
	assert_int_equal(pclose(f), 0);
	store_view_close(v);
	store_close(st);
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

static void
left_over_names_go(void **state)
{
	static const char *const old[] = { "index.new.1", "journal.new.2" };
	const struct timespec past[2] = { { 1000000, 0 }, { 1000000, 0 } };
	struct acct a;
	struct store *st;
	size_t i;

	acct_new(&a);
	st = session(&a);
	for (i = 0; i < NITEMS(old); i++) {
		spew(&a, old[i], "x", 1);
		assert_int_equal(utimensat(a.fd, old[i], past, 0), 0);
	}
	spew(&a, "index.new.3", "x", 1);
	OK(store_checkpoint(st));
	assert_int_equal(file_size(&a, old[0]), -1);
	assert_int_equal(file_size(&a, old[1]), -1);
	assert_int_equal(file_size(&a, "index.new.3"), 1);
	assert_int_not_equal(file_size(&a, "journal"), -1);
	store_close(st);
	acct_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted_files_come_back),
		cmocka_unit_test(checkpoint_in_the_middle),
		cmocka_unit_test(bits_of_index),
		cmocka_unit_test(bits_of_facts),
		cmocka_unit_test(torn_at_every_byte),
		cmocka_unit_test(torn_with_holes),
		cmocka_unit_test(damage_in_the_middle),
		cmocka_unit_test(damage_behind_the_mark),
		cmocka_unit_test(lost_bytes_are_given_up),
		cmocka_unit_test(journal_missing),
		cmocka_unit_test(segment_missing),
		cmocka_unit_test(facts_open_no_mail),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(lock_is_busy),
		cmocka_unit_test(concurrent_writers),
		cmocka_unit_test(killed_writers),
		cmocka_unit_test(links_and_pipes),
		cmocka_unit_test(sparse_journal),
		cmocka_unit_test(overdue_check_is_deferred),
		cmocka_unit_test(recent_needs_no_sync),
		cmocka_unit_test(failed_sync_is_written_again),
		cmocka_unit_test(failed_sync_of_another),
		cmocka_unit_test(mark_says_what_was_synced),
		cmocka_unit_test(taken_back),
		cmocka_unit_test(left_over_names_go),
		cmocka_unit_test(script_recovers),
	};

	if (getcwd(top, sizeof(top)) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
