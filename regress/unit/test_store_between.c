/*
 * Between any two calls of one who uses an account, another does something
 * whole to it: makes it, delivers and syncs, mends a torn tail, writes the
 * checkpoint or takes it away, makes the facts again.  To the first nothing
 * of that is an error, least of all one of the disk.
 */
#include "store_test.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <dlfcn.h>
#include <time.h>

#include "store_calls.h"

static struct {
	const struct acct *a;
	void	(*fn)(const struct acct *);	/* NULL: done */
	int	 left;				/* calls before it */
} other;
static bool	took_facts;
static uint64_t	*doubt;		/* shared with the other; 0: no failure */
static int	to_other = -1;
static time_t	late;		/* s: the other has no patience */

struct task {
	void	(*fn)(const struct acct *);
	char	 path[sizeof(((struct acct *)NULL)->path)];
};

static void
turn(void)
{
	struct task t = { .fn = other.fn };
	char done;

	if (t.fn == NULL || other.left-- > 0)
		return;
	other.fn = NULL;
	(void)strlcpy(t.path, other.a->path, sizeof(t.path));
	assert_int_equal(send(to_other, &t, sizeof(t), MSG_NOSIGNAL),
	    sizeof(t));
	assert_int_equal(recv(to_other, &done, 1, 0), 1);
}

/* The other: a process of its own, for the store has buffers that are the
 * process's; one for all turns, for a fork costs the sanitizers 10 ms. */
static void
other_serves(int fd)
{
	struct acct a = { 0 };
	struct task t;

	late = 1;
	while (recv(fd, &t, sizeof(t), 0) == sizeof(t)) {
		a.fd = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_not_equal(a.fd, -1);
		t.fn(&a);
		close(a.fd);
		assert_int_equal(send(fd, "", 1, MSG_NOSIGNAL), 1);
	}
	_exit(0);
}

static void
other_starts(void)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    fds), 0);
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		close(fds[0]);
		other_serves(fds[1]);
	}
	close(fds[1]);
	to_other = fds[0];
}

static enum call_way
on_call(enum call call, const void *arg)
{
	if (call == CALL_MMAP)
		return CALL_GOES;
	turn();
	if (call == CALL_UNLINKAT)
		took_facts = took_facts || strcmp(arg, "facts.0001") == 0;
	return CALL_GOES;
}

#define REAL(name)							\
	static __typeof__(name) *real;					\
									\
	if (real == NULL)						\
		*(void **)&real = dlsym(RTLD_NEXT, #name)

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	REAL(clock_gettime);
	if (real(id, ts) == -1)
		return -1;
	ts->tv_sec += late;
	return 0;
}

int
nanosleep(const struct timespec *ts, struct timespec *rest)
{
	REAL(nanosleep);
	if (late == 0)
		return real(ts, rest);
	late += 10;
	return 0;
}

/* ---- what the other does, if it gets the lock --------------------- */

static uint64_t
log_end(const struct acct *a)
{
	struct stat sb;

	assert_int_equal(fstatat(a->fd, "journal", &sb, 0), 0);
	return (uint64_t)sb.st_size;
}

static void
delivers(const struct acct *a)
{
	struct store *d;
	enum store_result r;

	r = store_open(&d, a->fd, STORE_DELIVER);
	if (r == STORE_BUSY)
		return;
	OK(r);
	r = deliver_one(d, 50, NULL, false, NULL);
	if (r == STORE_OK)
		OK(store_sync(d));
	else
		assert_int_equal(r, STORE_BUSY);
	store_close(d);
}

static void
checkpoints(const struct acct *a)
{
	struct store *st;

	OK(store_open(&st, a->fd, STORE_SESSION));
	OK(store_checkpoint(st));
	store_close(st);
}

static void
takes_index(const struct acct *a)
{
	(void)unlinkat(a->fd, "index", 0);
}

/* As a session does that asks for the facts of a message. */
static void
reads_facts(const struct acct *a)
{
	const struct store_msg *m;
	struct store_view *v;
	struct store *st;
	struct iovec f;

	OK(store_open(&st, a->fd, STORE_SESSION));
	v = view(st, "INBOX", STORE_VIEW_READONLY);
	if ((m = store_view_msg(v, 1)) != NULL)
		OK(store_facts(st, m, &f));
	store_view_close(v);
	store_close(st);
}

/* Delivers, and its sync fails: *doubt is where that mail begins. */
static void
sync_fails(const struct acct *a)
{
	enum store_result r;
	struct store *d;
	uint64_t end;

	OK(store_open(&d, a->fd, STORE_DELIVER));
	end = log_end(a);
	r = deliver_one(d, 60, NULL, false, NULL);
	if (r == STORE_OK) {
		store_sync_failed(d);
		*doubt = end;
	}
	store_close(d);
}

/* ---- what an account is like before, and how many it has ---------- */

static uint32_t
absent(struct acct *a)
{
	acct_new(a);
	dir_clean(a->fd);
	return 0;
}

/* Nobody ever synced: `lock` is empty. */
static uint32_t
unmarked(struct acct *a)
{
	struct store *d;

	acct_new(a);
	d = deliverer(a);
	deliver_ok(d, 0, 2);
	store_close(d);
	return 2;
}

static uint32_t
marked(struct acct *a)
{
	uint32_t n = unmarked(a);
	struct store *st;

	st = session(a);
	OK(store_checkpoint(st));
	store_close(st);
	return n;
}

/* A writer died, and left less than what the next one writes. */
static uint32_t
torn(struct acct *a)
{
	static const char part[] = "mGRPthis is the head of a group";
	uint32_t n = marked(a);
	int fd;

	fd = openat(a->fd, "journal", O_WRONLY | O_APPEND);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, part, sizeof(part)), sizeof(part));
	close(fd);
	return n;
}

static uint32_t
factless(struct acct *a)
{
	uint32_t n = marked(a);

	assert_int_equal(unlinkat(a->fd, "facts.0001", 0), 0);
	return n;
}

/* ---- what is done meanwhile --------------------------------------- */

static void
by_deliver(const struct acct *a)
{
	struct store *d;
	enum store_result r;

	OK(store_open(&d, a->fd, STORE_DELIVER));
	OK(deliver_one(d, 100, NULL, false, &r));
	OK(r);
	OK(store_sync(d));
	store_close(d);
}

static void
by_session(const struct acct *a)
{
	const struct store_msg *m;
	struct store_appended ap;
	struct store_view *v;
	struct store_delta dl;
	struct store *st;
	struct iovec f;

	OK(store_open(&st, a->fd, STORE_SESSION));
	OK(store_view_open(&v, st, "INBOX", 0));
	if ((m = store_view_msg(v, 1)) != NULL)
		OK(store_facts(st, m, &f));
	OK(append_one(st, "INBOX", 100, 0, NULL, &ap));
	OK(store_commit(st));
	OK(store_view_refresh(v, STORE_REFRESH_EXPUNGE, &dl));
	OK(store_checkpoint(st));
	store_view_close(v);
	store_close(st);
}

/* All is there and whole: what was before, ours, perhaps the other's. */
static void
judge(const struct acct *a, uint32_t before, uint32_t most)
{
	struct store_status s;
	struct store *st;

	st = session(a);
	OK(store_status(st, "INBOX", &s));
	assert_in_range(s.messages, before + 1, most);
	assert_int_equal(s.uidnext, s.messages + 1);
	OK(store_check(st, NULL, NULL));
	store_close(st);
}

static void
between_calls(uint32_t (*make)(struct acct *),
    void (*by)(const struct acct *))
{
	static void (*const fns[])(const struct acct *) = { delivers,
	    checkpoints, takes_index, reads_facts };
	struct acct a;
	uint32_t before;
	bool done;
	size_t i;
	int n;

	for (i = 0; i < NITEMS(fns); i++)
		for (n = 0, done = false; !done; n++) {
			before = make(&a);
			took_facts = false;
			other.a = &a;
			other.left = n;
			other.fn = fns[i];
			by(&a);
			done = other.fn != NULL;
			other.fn = NULL;
			assert_false(took_facts);
			judge(&a, before, before + 2);
			acct_free(&a);
		}
}

/*
 * A sync of another that fails between any two calls of one that goes well:
 * the mark says so to the end, and not that the other's mail is durable.
 */
static void
failure_stays(bool before)
{
	struct acct a;
	struct store *d;
	struct mark m;
	int n;

	for (n = 0, *doubt = 1; *doubt != 0; n++) {
		marked(&a);
		if (before)
			sync_fails(&a);
		d = deliverer(&a);
		*doubt = 0;
		other.a = &a;
		other.left = n;
		other.fn = sync_fails;
		if (deliver_one(d, 100, NULL, false, NULL) == STORE_OK)
			(void)store_sync(d);
		if (other.fn == NULL && *doubt == 0)
			*doubt = 1;	/* it found the account busy */
		other.fn = NULL;
		if (*doubt > 1) {
			OK(backend_mark_get(&d->b, d->seed, &m));
			assert_int_equal(m.flags, MARK_SYNCFAIL);
			assert_in_range(m.pos, 0, *doubt);
		}
		store_close(d);
		judge(&a, 1, 6);
		acct_free(&a);
	}
	assert_true(n > 5);
}

static void
failure_between(void **state)
{
	failure_stays(false);
}

/* The same while an earlier one is mended. */
static void
failure_after_failure(void **state)
{
	failure_stays(true);
}

#define BOTH(name)							\
static void								\
deliver_##name(void **state)						\
{									\
	between_calls(name, by_deliver);				\
}									\
static void								\
session_##name(void **state)						\
{									\
	between_calls(name, by_session);				\
}
BOTH(absent)
BOTH(unmarked)
BOTH(marked)
BOTH(torn)
BOTH(factless)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deliver_absent),
		cmocka_unit_test(session_absent),
		cmocka_unit_test(deliver_unmarked),
		cmocka_unit_test(session_unmarked),
		cmocka_unit_test(deliver_marked),
		cmocka_unit_test(session_marked),
		cmocka_unit_test(deliver_torn),
		cmocka_unit_test(session_torn),
		cmocka_unit_test(deliver_factless),
		cmocka_unit_test(session_factless),
		cmocka_unit_test(failure_between),
		cmocka_unit_test(failure_after_failure),
	};

	doubt = mmap(NULL, sizeof(*doubt), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (doubt == MAP_FAILED)
		return 1;
	other_starts();

	calls_ask(on_call);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
