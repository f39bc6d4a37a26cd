/*
 * What the store tests share: an account in a scratch directory, messages
 * to put there, and a text of all that can be seen of it, for comparing.
 */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include "base/compat.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/le.h"
#include "parse/mime.h"
#include "store/store.h"
#include "store/store_priv.h"

struct acct {
	char	 path[64];
	int	 fd;
};

struct text {
	char	*p;
	size_t	 n, cap;
};

#define SEQ(a, b)	(struct store_range[]){ { (a), (b) } }, 1
#define ALL_UIDS	(struct store_range[]){ { 1, UINT32_MAX } }
#define OK(e)		assert_int_equal((e), STORE_OK)
#define UNUSED		__attribute__((unused))

/* In memory where there is such a place: thousands of syncs are waited for. */
static void UNUSED
acct_new(struct acct *a)
{
	(void)snprintf(a->path, sizeof(a->path), "%s/store_test.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(a->path));
	a->fd = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(a->fd, -1);
	OK(store_create(a->fd));
}

static void
dir_clean(int dir)
{
	struct dirent *d;
	DIR *dp;

	if ((dp = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY))) == NULL)
		return;
	while ((d = readdir(dp)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0)
			(void)unlinkat(dir, d->d_name, 0);
	closedir(dp);
}

static void UNUSED
acct_free(struct acct *a)
{
	int n;

	if ((n = openat(a->fd, "notify", O_RDONLY | O_DIRECTORY)) != -1) {
		dir_clean(n);
		close(n);
		(void)unlinkat(a->fd, "notify", AT_REMOVEDIR);
	}
	dir_clean(a->fd);
	close(a->fd);
	(void)rmdir(a->path);
}

static UNUSED struct store *
session(const struct acct *a)
{
	struct store *st;

	OK(store_open(&st, a->fd, STORE_SESSION));
	return st;
}

static UNUSED struct store *
deliverer(const struct acct *a)
{
	struct store *st;

	OK(store_open(&st, a->fd, STORE_DELIVER));
	return st;
}

static UNUSED struct store_view *
view(struct store *st, const char *name, unsigned int flags)
{
	struct store_view *v;

	OK(store_view_open(&v, st, name, flags));
	return v;
}

/* Message k: small, its own subject; returns its length. */
static size_t UNUSED
message(char *buf, size_t size, int k)
{
	int n;

	n = snprintf(buf, size, "From: a@example.test\r\nTo: b@example.test\r\n"
	    "Subject: number %d\r\nMessage-ID: <%d@example.test>\r\n"
	    "Date: Sat, 21 Nov 2026 18:20:57 +0000\r\n\r\nBody %d %0*d\r\n",
	    k, k, k, k % 300 + 1, 0);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void UNUSED
id_of(uint8_t id[STORE_ID_LEN], int k)
{
	memset(id, 0, STORE_ID_LEN);
	put32(id, (uint32_t)k * 2654435761U);
	put32(id + 8, (uint32_t)k);
}

/* Delivers message k and returns the call's result, the item's in *item. */
static enum store_result UNUSED
deliver_one(struct store *st, int k, const char *mailbox, bool maybe,
    enum store_result *item)
{
	char buf[1024], prefix[] = "Return-Path: <a@example.test>\r\n";
	struct iovec body = { buf, message(buf, sizeof(buf), k) };
	struct iovec pre = { prefix, sizeof(prefix) - 1 };
	struct store_item it = { .prefix = &pre, .nprefix = 1, .body = &body,
	    .nbody = 1, .fd = -1, .date = 1795000000 + k, .mailbox = mailbox,
	    .maybe_done = maybe };
	enum store_result r;
	size_t n;
	char *facts;

	id_of(it.id, k);
	facts = mime_facts(buf, body.iov_len, &n);
	assert_non_null(facts);
	it.facts = facts;
	it.facts_len = n;
	r = store_deliver(st, &it, 1);
	free(facts);
	if (item != NULL)
		*item = it.result;
	return r;
}

static void UNUSED
deliver_ok(struct store *st, int from, int to)
{
	enum store_result r;
	int k;

	for (k = from; k < to; k++) {
		OK(deliver_one(st, k, NULL, false, &r));
		OK(r);
	}
}

/* Appends message k with flags and perhaps one keyword. */
static enum store_result UNUSED
append_one(struct store *st, const char *mailbox, int k, uint32_t sys,
    const char *kw, struct store_appended *out)
{
	struct store_flagset fs = { sys, &kw, kw != NULL };
	struct store_append *a;
	enum store_result r;
	char buf[1024];
	size_t n = message(buf, sizeof(buf), k);

	if ((r = store_append_new(&a, st, mailbox)) != STORE_OK)
		return r;
	r = store_append_message(a, &fs, 1700000000 + k, n);
	if (r == STORE_OK)
		r = store_append_write(a, buf, n / 2);
	if (r == STORE_OK)
		r = store_append_write(a, buf + n / 2, n - n / 2);
	if (r == STORE_OK)
		r = store_append_end(a, NULL, 0);
	if (r == STORE_OK)
		r = store_append_commit(a, out);
	store_append_free(a);
	return r;
}

static void UNUSED
set_flags(struct store_view *v, uint32_t a, uint32_t b, enum store_flagop op,
    uint32_t sys, const char *kw)
{
	struct store_flagset fs = { sys, &kw, kw != NULL };
	struct store_changed c;

	OK(store_flags(v, SEQ(a, b), op, &fs, UINT64_MAX, false, &c));
}

static void __attribute__((format(printf, 2, 3)))
say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->cap - t->n < 1024) {
		t->cap = t->cap * 2 + 65536;
		t->p = realloc(t->p, t->cap);
		assert_non_null(t->p);
	}
	va_start(ap, fmt);
	n = vsnprintf(t->p + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < t->cap - t->n);
	t->n += (size_t)n;
}

/* The keywords of a message whose numbers are small, a bit each. */
static unsigned int UNUSED
kw_bits(struct store_view *v, const struct store_msg *m)
{
	const uint16_t *kw;
	unsigned int bits = 0;
	size_t i, n;

	kw = store_view_keywords(v, m->kwset, &n);
	for (i = 0; i < n; i++)
		bits |= kw[i] < 32 ? 1U << kw[i] : 0;
	return bits;
}

static void
dump_view(struct text *t, struct store *st, const char *name)
{
	struct store_view_info info;
	const struct store_msg *m;
	struct store_view *v;
	struct iovec f;
	uint32_t seq, crc, off;
	size_t i;

	v = view(st, name, STORE_VIEW_READONLY);
	store_view_info(v, &info);
	say(t, " exists %u unseen %u,%u next %u validity %u modseq %llu\n",
	    info.exists, info.unseen, info.first_unseen, info.uidnext,
	    info.uidvalidity, (unsigned long long)info.highestmodseq);
	for (i = 0; i < info.nkeywords; i++)
		say(t, " keyword %s\n", store_view_keyword(v, i));
	for (seq = 1; seq <= info.exists; seq++) {
		m = store_view_msg(v, seq);
		for (off = crc = 0; off < m->size; off += (uint32_t)f.iov_len) {
			OK(store_peek(st, m, off, m->size - off, &f));
			crc = crc32c(crc, f.iov_base, f.iov_len);
		}
		assert_int_equal(crc, m->crc);
		OK(store_facts(st, m, &f));
		say(t, " %u uid %u flags %x kw %x modseq %llu date %lld "
		    "saved %lld email %llx "
		    "size %u prefix %u crc %x facts %zu %x\n", seq, m->uid,
		    m->flags, kw_bits(v, m),
		    (unsigned long long)m->modseq, (long long)m->date,
		    (long long)m->saved, (unsigned long long)m->email,
		    m->size, m->prefix, m->crc, f.iov_len,
		    crc32c(0, f.iov_base, f.iov_len));
	}
	store_view_close(v);
}

/* All that can be seen of the account by one who opens it now. */
static UNUSED char *
dump(const struct acct *a)
{
	const struct store_mailbox *mb;
	struct text t = { 0 };
	struct store_status s;
	struct store *st;
	uint64_t bytes, messages;
	size_t it = 0;
	char name[STORE_NAME_MAX + 1];

	st = session(a);
	store_usage(st, &bytes, &messages);
	say(&t, "bytes %llu messages %llu\n", (unsigned long long)bytes,
	    (unsigned long long)messages);
	while ((mb = store_mailbox_next(st, &it)) != NULL) {
		(void)strlcpy(name, mb->name, sizeof(name));
		say(&t, "%s id %u attr %x\n", name, mb->id, mb->attr);
		if ((mb->attr & (STORE_MB_NOSELECT |
		    STORE_MB_NONEXISTENT)) != 0)
			continue;
		OK(store_status(st, name, &s));
		say(&t, " status %u %u %u %u %u %llu %llu\n", s.messages,
		    s.recent, s.unseen, s.uidnext, s.uidvalidity,
		    (unsigned long long)s.highestmodseq,
		    (unsigned long long)s.bytes);
		dump_view(&t, st, name);
	}
	store_close(st);
	return t.p;
}

static off_t UNUSED
file_size(const struct acct *a, const char *name)
{
	struct stat sb;

	return fstatat(a->fd, name, &sb, 0) == -1 ? -1 : sb.st_size;
}

/* The whole of a file; freed by the caller. */
static UNUSED uint8_t *
slurp(const struct acct *a, const char *name, size_t *n)
{
	uint8_t *p;
	int fd = openat(a->fd, name, O_RDONLY);
	off_t size = file_size(a, name);

	assert_int_not_equal(fd, -1);
	if (size < 0)
		size = 0;
	*n = (size_t)size;
	p = malloc(*n + 1);
	assert_non_null(p);
	assert_int_equal(pread(fd, p, *n, 0), *n);
	close(fd);
	return p;
}

static void UNUSED
spew(const struct acct *a, const char *name, const void *p, size_t n)
{
	int fd = openat(a->fd, name, O_RDWR | O_CREAT | O_TRUNC, 0666);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

/* An account with something of everything in it. */
static void UNUSED
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
	OK(store_copy(v, SEQ(3, 6), "Archive", 0, &c));
	OK(store_copy(v, SEQ(1, 1), "Trash", STORE_COPY_MOVE, &c));
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

#endif
