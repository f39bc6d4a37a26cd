/*
 * The n-th call fails, for every n, while the store opens an account that
 * crashed, recovers it, delivers or appends, and syncs: what cannot be read
 * or written now is neither damage nor an empty account, nobody notes it as
 * such, and the next one to open the account finds all that was promised.
 */
#include "store_test.h"

#include "store_calls.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#endif

#define SHORT	-1		/* instead of an errno: a read gives nothing */

static struct {
	bool	 armed;
	int	 left;			/* calls that go well before */
	int	 e;
	bool	 on;			/* all behind it fail too */
	int	 failed;
} inject;

/* Is it this one's turn? */
static bool
fails(void)
{
	if (!inject.armed || inject.left-- > 0)
		return false;
	if (inject.left < -1 && !inject.on)
		return false;
	inject.failed++;
	errno = inject.e == SHORT ? EIO : inject.e;
	return true;
}

/* Giving the lock back cannot fail, and EACCES is another's lock. */
static enum call_way
on_call(enum call call, const void *arg)
{
	const struct flock *l = arg;

	if (call == CALL_UNLINKAT || (call == CALL_LOCK &&
	    (inject.e == EACCES || l->l_type == F_UNLCK)) || !fails())
		return CALL_GOES;
	return call == CALL_PREAD && inject.e == SHORT ? CALL_EMPTY :
	    CALL_FAILS;
}

#ifndef HAVE_ASAN
void	*__libc_malloc(size_t);
void	*__libc_calloc(size_t, size_t);
void	*__libc_realloc(void *, size_t);

/* That has but one reason. */
static bool
no_memory(void)
{
	if (!fails())
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return no_memory() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t m)
{
	return no_memory() ? NULL : __libc_calloc(n, m);
}

void *
realloc(void *p, size_t n)
{
	return no_memory() ? NULL : __libc_realloc(p, n);
}
#endif

/* ---- accounts that something happened to ------------------------- */

#define FILES	6

static const char *const files[FILES] = { "journal", "lock", "mail.0001",
    "mail.0002", "facts.0001", "index" };

struct saved {
	uint8_t	*p[FILES];
	size_t	 n[FILES];
	char	*want;			/* dump once it is well */
	char	*have;			/* message numbers that are there */
};

#define KNOWN	8			/* messages promised, 0 .. 7 */

static void
furnish_some(struct acct *a, bool index)
{
	struct store *st, *d;

	acct_new(a);
	d = deliverer(a);
	deliver_ok(d, 0, KNOWN - 2);
	OK(store_sync(d));
	st = session(a);
	if (index)
		OK(store_checkpoint(st));
	store_close(st);
	deliver_ok(d, KNOWN - 2, KNOWN);
	OK(store_sync(d));
	store_close(d);
}

static void
chop(const struct acct *a, const char *name, off_t n)
{
	int fd = openat(a->fd, name, O_RDWR);

	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, file_size(a, name) - n), 0);
	close(fd);
}

static void
well(struct acct *a)
{
	furnish_some(a, true);
}

static void
unmarked(struct acct *a)
{
	furnish_some(a, false);
	assert_int_equal(unlinkat(a->fd, "lock", 0), 0);
}

static void
torn(struct acct *a)
{
	struct store *d;

	furnish_some(a, true);
	d = deliverer(a);
	deliver_ok(d, 50, 51);
	store_close(d);
	chop(a, "journal", 13);
}

static void
lost(struct acct *a)
{
	struct store *d;

	furnish_some(a, true);
	d = deliverer(a);
	deliver_ok(d, 50, 53);
	store_close(d);
	chop(a, "mail.0001", 700);
}

static void
unsynced(struct acct *a)
{
	struct store *d;

	furnish_some(a, true);
	d = deliverer(a);
	deliver_ok(d, 50, 52);
	store_sync_failed(d);
	store_close(d);
}

static void
fresh(struct acct *a)
{
	size_t i;

	acct_new(a);
	for (i = 0; i < FILES; i++)
		(void)unlinkat(a->fd, files[i], 0);
}

static void
save(const struct acct *a, struct saved *s)
{
	size_t i;

	for (i = 0; i < FILES; i++)
		s->p[i] = file_size(a, files[i]) == -1 ? NULL :
		    slurp(a, files[i], &s->n[i]);
}

static void
restore(const struct acct *a, const struct saved *s)
{
	size_t i;

	for (i = 0; i < FILES; i++)
		if (s->p[i] != NULL)
			spew(a, files[i], s->p[i], s->n[i]);
		else
			(void)unlinkat(a->fd, files[i], 0);
}

/* ---- what is done meanwhile -------------------------------------- */

/* 100 is promised if it says so. */
static enum store_result
by_deliver(const struct acct *a)
{
	static char facts[64];
	char buf[1024], prefix[] = "Return-Path: <a@example.test>\r\n";
	struct iovec body = { buf, message(buf, sizeof(buf), 100) };
	struct iovec pre = { prefix, sizeof(prefix) - 1 };
	struct store_item it = { .prefix = &pre, .nprefix = 1, .body = &body,
	    .nbody = 1, .fd = -1, .date = 1795000000, .maybe_done = true,
	    .facts = facts, .facts_len = sizeof(facts) };
	enum store_result r;
	struct store *d;

	id_of(it.id, 100);
	if ((r = store_open(&d, a->fd, STORE_DELIVER)) != STORE_OK)
		return r;
	r = store_deliver(d, &it, 1);
	if (r == STORE_OK)
		r = it.result == STORE_DUPLICATE ? STORE_OK : it.result;
	if (r == STORE_OK)
		r = store_sync(d);
	store_close(d);
	return r;
}

static enum store_result
by_session(const struct acct *a)
{
	struct store_appended ap;
	struct store_status s;
	enum store_result r;
	struct store *st;

	if ((r = store_open(&st, a->fd, STORE_SESSION)) != STORE_OK)
		return r;
	r = store_status(st, "INBOX", &s);
	if (r == STORE_OK)
		r = append_one(st, "INBOX", 100, 0, NULL, &ap);
	if (r == STORE_OK)
		r = store_commit(st);
	if (r == STORE_OK)
		(void)store_checkpoint(st);
	store_close(st);
	return r;
}

/* How often message k is in INBOX, whole. */
static int
copies(struct store *st, struct store_view *v, int k)
{
	const struct store_msg *m;
	struct store_view_info info;
	char want[64];
	struct iovec f;
	uint32_t i;
	int n = 0;

	(void)snprintf(want, sizeof(want), "<%d@example.test>", k);
	store_view_info(v, &info);
	for (i = 1; i <= info.exists; i++) {
		m = store_view_msg(v, i);
		OK(store_verify(st, m));
		OK(store_peek(st, m, 0, m->size, &f));
		n += memmem(f.iov_base, f.iov_len, want, strlen(want)) != NULL;
	}
	return n;
}

/* Nothing promised is missing, nothing is twice, nobody cried damage. */
static void
judge(const struct acct *a, bool known, enum store_result said, bool deliver)
{
	struct store_view *v;
	struct store *st, *d;
	struct mark m;
	int k, n;

	assert_true(said != STORE_DAMAGED && said != STORE_NEWER);
	if (deliver && said != STORE_OK) {	/* the queue tries again */
		d = deliverer(a);
		OK(deliver_one(d, 100, NULL, true, NULL));
		OK(store_sync(d));
		store_close(d);
	}
	st = session(a);
	OK(backend_mark_get(&st->b, st->seed, &m));
	assert_int_equal(m.flags & MARK_DAMAGED, 0);
	v = view(st, "INBOX", 0);
	for (k = 0; known && k < KNOWN; k++)
		assert_int_equal(copies(st, v, k), 1);
	n = copies(st, v, 100);
	assert_true(deliver || said == STORE_OK ? n == 1 : n <= 1);
	OK(append_one(st, "INBOX", 101, 0, NULL,
	    &(struct store_appended){ 0 }));
	OK(store_commit(st));
	OK(store_check(st, NULL, NULL));
	store_view_close(v);
	store_close(st);
}

static void
every_call(void (*make)(struct acct *), bool deliver)
{
	static const int errors[] = { EIO, EMFILE, ENOMEM, EACCES, SHORT };
	struct saved s = { 0 };
	enum store_result r;
	struct acct a;
	size_t i;
	int n, on;

	make(&a);
	save(&a, &s);
	for (i = 0; i < NITEMS(errors); i++)
		for (on = 0; on < 2; on++)
			for (n = 0;; n++) {
				restore(&a, &s);
				inject.e = errors[i];
				inject.on = on;
				inject.left = n;
				inject.failed = 0;
				inject.armed = true;
				r = deliver ? by_deliver(&a) : by_session(&a);
				inject.armed = false;
				if (getenv("FAULTS_SAY") != NULL)
					print_message("%s e=%d on=%d n=%d: "
					    "%s %s\n", deliver ? "deliver" :
					    "session", errors[i], on, n,
					    store_strerror(r),
					    store_why(NULL));
				judge(&a, make != fresh, r, deliver);
				if (inject.failed == 0)
					break;
			}
	for (i = 0; i < FILES; i++)
		free(s.p[i]);
	acct_free(&a);
}

#define BOTH(name)							\
static void								\
deliver_##name(void **state)						\
{									\
	every_call(name, true);						\
}									\
static void								\
session_##name(void **state)						\
{									\
	every_call(name, false);					\
}
BOTH(well)
BOTH(unmarked)
BOTH(torn)
BOTH(lost)
BOTH(unsynced)
BOTH(fresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deliver_well),
		cmocka_unit_test(session_well),
		cmocka_unit_test(deliver_unmarked),
		cmocka_unit_test(session_unmarked),
		cmocka_unit_test(deliver_torn),
		cmocka_unit_test(session_torn),
		cmocka_unit_test(deliver_lost),
		cmocka_unit_test(session_lost),
		cmocka_unit_test(deliver_unsynced),
		cmocka_unit_test(session_unsynced),
		cmocka_unit_test(deliver_fresh),
		cmocka_unit_test(session_fresh),
	};

	calls_ask(on_call);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
