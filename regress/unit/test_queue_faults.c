/*
 * The start of queue while one call fails: every kind of call, the n-th of
 * it for every n, once and from there on.  Whatever that start does, nothing
 * that was acknowledged is lost or comes twice: what it did not deliver the
 * next one does.  A start that did not end goes on by itself when the call
 * works again.
 *
 * The calls are wrapped by the linker (link.mk).
 */
#include "base/hash.h"
#include "base/slice.h"
#include "queue_test.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>

#define LARGE_SIZE	100000
#define IDS_MAX		16

enum call {
	OPENAT, PREAD, PWRITE, FSTAT, FDOPENDIR, READDIR, FSYNC, FDATASYNC,
	RENAMEAT, UNLINKAT, MEMORY, CALLS
};

static const char *const names[CALLS] = {
	"openat", "pread", "pwrite", "fstat", "fdopendir", "readdir",
	"fsync", "fdatasync", "renameat", "unlinkat", "memory"
};

#define SHORT	(-1)			/* pread: 0 octets, as at an end */

/* What is to fail; and, for parent and children, what was delivered. */
static struct shared {
	bool		 armed;
	enum call	 call;
	int		 err;
	unsigned int	 nth, times, seen;
	bool		 began;		/* the directory is there */
	uint64_t	 skew;		/* ms that the clock is ahead */
	struct msg_id	 id[IDS_MAX];	/* that deliver has written down */
	unsigned int	 nid, twice;
	unsigned int	 large;		/* the large one came whole */
} *sh;

static bool
fails(enum call c)
{
	if (!sh->armed || c != sh->call)
		return false;
	sh->seen++;
	if (sh->seen < sh->nth || sh->seen - sh->nth >= sh->times)
		return false;
	errno = sh->err;
	return true;
}

#define WRAP(type, bad, name, call, proto, args)			\
	type __real_##name proto;					\
	type __wrap_##name proto;					\
	type __wrap_##name proto					\
	{								\
		return fails(call) ? (bad) : __real_##name args;	\
	}

WRAP(ssize_t, -1, pwrite, PWRITE, (int fd, const void *p, size_t n, off_t o),
    (fd, p, n, o))
WRAP(int, -1, fstat, FSTAT, (int fd, struct stat *st), (fd, st))
WRAP(DIR *, NULL, fdopendir, FDOPENDIR, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir, READDIR, (DIR *d), (d))
WRAP(int, -1, fsync, FSYNC, (int fd), (fd))
WRAP(int, -1, fdatasync, FDATASYNC, (int fd), (fd))
WRAP(int, -1, renameat, RENAMEAT, (int a, const char *b, int c,
    const char *d), (a, b, c, d))
WRAP(int, -1, unlinkat, UNLINKAT, (int a, const char *b, int c), (a, b, c))
WRAP(void *, NULL, calloc, MEMORY, (size_t a, size_t b), (a, b))
WRAP(void *, NULL, reallocarray, MEMORY, (void *p, size_t a, size_t b),
    (p, a, b))

ssize_t	 __real_pread(int, void *, size_t, off_t);
ssize_t	 __wrap_pread(int, void *, size_t, off_t);

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t o)
{
	if (fails(PREAD))
		return sh->err == SHORT ? 0 : -1;
	return __real_pread(fd, p, n, o);
}

int	 __real_openat(int, const char *, int, mode_t);
int	 __wrap_openat(int, const char *, int, mode_t);

int
__wrap_openat(int fd, const char *name, int flags, mode_t mode)
{
	return fails(OPENAT) ? -1 : __real_openat(fd, name, flags, mode);
}

uint64_t __real_now_ms(void);
uint64_t __wrap_now_ms(void);

uint64_t
__wrap_now_ms(void)
{
	return __real_now_ms() + sh->skew;
}

uint64_t __real_now_sec(void);
uint64_t __wrap_now_sec(void);

uint64_t
__wrap_now_sec(void)
{
	return __real_now_sec() + sh->skew / 1000;
}

bool	 __real_recover_run(void);
bool	 __wrap_recover_run(void);

bool
__wrap_recover_run(void)
{
	sh->began = true;
	return __real_recover_run();
}

/* ---- deliver ---------------------------------------------------------- */

/* A delivery id that is there already is looked up when queue says that it
 * may be; else that is a second copy. */
static void
take(const struct deliver_msg *d, const struct msg_id *id, int fd)
{
	static char buf[LARGE_SIZE];
	unsigned int i;
	bool armed = sh->armed;

	for (i = 0; i < sh->nid; i++)
		if (memcmp(&sh->id[i], id, sizeof(*id)) == 0) {
			sh->twice += d->maybe_done == 0;
			return;
		}
	CHECK(sh->nid < IDS_MAX);
	sh->id[sh->nid++] = *id;
	if (d->size == LARGE_SIZE) {
		sh->armed = false;	/* the reading is ours */
		CHECK(pread_all(fd, buf, sizeof(buf), 0) == 0);
		for (i = 0; i < sizeof(buf); i++)
			CHECK(buf[i] == 'L');
		sh->large++;
		sh->armed = armed;
	}
}

/* All that queue hands out now is delivered. */
static void
deliver_all(void)
{
	static uint8_t buf[MSG_MAX], answer[1024];
	static union msg_body body;
	struct msg m = { .body = &body };
	struct deliver_msg_r a;
	struct item_target t;
	struct item_result it = { .result = DELIVERY_OK,
	    .status = SLICE_LIT("2.0.0"), .mta = { "", 0 },
	    .text = { "", 0 } };
	size_t off = 0, n = 0;
	unsigned int idle = 0;

	while (idle < 6) {		/* ms: its clock is a coarse one */
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (msg_recv(deliver_end, CHAN_DELIVER, SIDE_A, buf, &m,
		    1) != 1) {
			idle++;
			continue;
		}
		idle = 0;
		if (m.type != DELIVER_MSG) {
			msg_close_fds(&m);
			continue;
		}
		for (n = off = 0; item_target_get(body.deliver_msg.targets,
		    &off, &t) == 1;) {
			take(&body.deliver_msg, &t.id, m.fd[0]);
			it.index = t.index;
			CHECK(item_result_put(answer, sizeof(answer), &n,
			    &it) == 0);
		}
		msg_close_fds(&m);
		a.results = slice_of((char *)answer, n);
		CHECK(msg_send(deliver_end, DELIVER_MSG_R, m.id, &a, NULL,
		    0) == 1);
	}
}

/* ---- a spool of several lives ----------------------------------------- */

enum { DONE_ONE = 1, WAITS_ONE, DEFERRED_ONE, HELD_ONE, LARGE_ONE, MANY_ONE };
#define WAITING	(1 + 1 + 3)		/* deliveries that are to come */

static void
send_large(void)
{
	static char block[LARGE_SIZE];
	struct env_rcpt r = { .type = ROUTE_LOCAL, .state = RCPT_WAIT,
	    .account = 5, .address = SLICE_LIT("l@b.test"),
	    .orig = { "", 0 } };
	struct commit c = { .fd = -1, .rcpt = &r, .nrcpt = 1,
	    .size = LARGE_SIZE, .fn = answered };
	int fd = large_new(&c.large);

	memset(block, 'L', sizeof(block));
	CHECK(fd != -1 && write(fd, block, sizeof(block)) == LARGE_SIZE);
	close(fd);
	c.large_crc = crc32c(0, block, sizeof(block));
	c.env = (struct envelope){ .received = now_sec(),
	    .sid = SLICE_LIT("s1"), .sender = { "", 0 }, .folder = { "", 0 },
	    .trace = { "", 0 }, .ticket = { "", 0 } };
	c.env.commit.b[0] = LARGE_ONE;
	commit_add(&c);
}

static struct message *
message_of(uint8_t commit)
{
	struct msg_id id = { { commit } };
	struct ids_place at;

	return ids_find(&id, &at) && at.seg != NULL ?
	    at.seg->slot[at.no].m : NULL;
}

static void
first_life(void)
{
	struct item_result r = { .result = DELIVERY_TEMP,
	    .status = SLICE_LIT("4.2.0"), .mta = { "", 0 },
	    .text = SLICE_LIT("later") };
	struct message *m;

	begin();
	conf->queue.retry_min = conf->queue.retry_max = 100000;
	send_one(DONE_ONE, "a@b.test", 1);
	send_one(WAITS_ONE, "a@b.test", 2);
	send_one(DEFERRED_ONE, "a@b.test", 3);
	commit_run();
	m = message_of(DEFERRED_ONE);
	m->rcpt[0].state = RCPT_SENT;
	result_rcpt(m, 0, &r);
	result_done(message_of(DONE_ONE), 0);
	CHECK(qlog_sync() == 0);
}

static void
second_life(void)
{
	begin();
	send_one(HELD_ONE, "a@b.test", 4);
	send_large();
	commit_run();
	message_of(HELD_ONE)->rcpt[0].state = RCPT_HELD;
	qlog_add(&(struct log_rec){ .type = LOG_HELD,
	    .seg = message_of(HELD_ONE)->seg->id,
	    .no = message_of(HELD_ONE)->no });
	CHECK(qlog_sync() == 0);
}

static void
third_life(void)
{
	begin();
	send_for(MANY_ONE, 0, 3);
	commit_run();
	CHECK(nanswers == 1 && last_result == QUEUE_OK);
}

static void
sh_cmd(const char *fmt)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), fmt, dir, dir, dir, dir);
	assert_int_equal(system(cmd), 0);
}

static int
make_spool(void **state)
{
	/* what fails here is made to; no disk is needed, and it is slow */
	if (access("/dev/shm", W_OK) == 0)
		strlcpy(dir, "/dev/shm/q.XXXXXX", sizeof(dir));
	if (make_dir(state) == -1)
		return -1;
	empty_spool();
	in_child(first_life);
	in_child(second_life);
	in_child(third_life);
	/* what is written of the segments; the zeros behind cost time */
	sh_cmd("truncate -s 16384 %s/seg/* && rm -rf %s.made && "
	    "mv %s %s.made");
	return 0;
}

static int
remove_spool(void **state)
{
	sh_cmd("rm -rf %s.made");
	return remove_dir(state);
}

/* ---- the test --------------------------------------------------------- */

static bool
look_again(struct message *m, void *arg)
{
	schedule_message(m);
	return true;
}

/* A start in which the call fails; then the minute is over, and it works. */
static void
faulty_child(void)
{
	log_setlevel(LOG_L_ERROR + 1);
	sh->armed = true;
	begin();
	deliver_all();
	if (sh->times > 1) {
		recover_tick();
		deliver_all();
	}
	sh->armed = false;
	sh->skew += 61000;
	recover_tick();
	recover_tick();
	CHECK(recover_done());
	each_message(look_again, NULL);
	deliver_all();
	rewrite_now();
	CHECK(qlog_sync() == 0);
	CHECK(sh->nid == WAITING && sh->large == 1);
}

static void
sound_child(void)
{
	begin();
	CHECK(recover_done());
	deliver_all();
	CHECK(sh->nid == WAITING && sh->large == 1 && sh->twice == 0);
	CHECK(message_of(HELD_ONE)->rcpt[0].state == RCPT_HELD);
	CHECK(message_of(DEFERRED_ONE)->rcpt[0].state == RCPT_WAIT);
	CHECK(message_of(DEFERRED_ONE)->rcpt[0].attempts == 1);
	CHECK(message_of(DONE_ONE) == NULL);
	CHECK(qlog_sync() == 0);
}

/* How a start ended: 0 went on, 1 fatal, which maild answers with another. */
static int
start(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);	/* cmocka is the parent's */
		signal(SIGABRT, SIG_DFL);
		/* what fatal() says is not the test's */
		if (fn == faulty_child)
			dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

/* Whether the n-th call was made at all. */
static bool
one(enum call c, int err, unsigned int n, bool sticky)
{
	bool reached, may_end;
	int how, sound;

	memset(sh, 0, sizeof(*sh));
	sh->call = c;
	sh->err = err;
	sh->nth = n;
	sh->times = sticky ? UINT_MAX : 1;
	sh_cmd("rm -rf %s && cp -a %s.made %s");
	how = start(faulty_child);
	reached = sh->seen >= n;
	/* Before there is a spool at all, or without memory, it may end. */
	may_end = c == MEMORY || !sh->began;
	sh->armed = false;
	sh->skew = 61000;
	sound = start(sound_child);
	if (sound != 0 || how > 1 || (how == 1 && !may_end))
		fail_msg("%s: %s %u%s: start %d, the next one %d, %u of %u "
		    "delivered, %u twice", names[c], err == SHORT ? "short" :
		    strerror(err), n, sticky ? " and on" : "", how, sound,
		    sh->nid, WAITING, sh->twice);
	return reached;
}

static void
every(enum call c, int err)
{
	unsigned int n;

	for (n = 1; one(c, err, n, false); n++)
		CHECK(n < 1000);
	for (n = 1; one(c, err, n, true); n++)
		CHECK(n < 1000);
	printf("# %s: %s, %u calls\n", names[c], err == SHORT ? "short" :
	    strerror(err), n - 1);
}

/* ---- what others did while a segment could not be read ----------------- */

/* smtpd was told that a message is not known, and brought it again. */
static void
again_child(void)
{
	unsigned int i;

	sh->call = PREAD;
	sh->err = EIO;
	sh->nth = 4;			/* three headers, then the images */
	sh->times = 3;
	sh->armed = true;
	begin();
	sh->armed = false;
	CHECK(recover_done());
	CHECK(message_of(WAITS_ONE) == NULL && message_of(HELD_ONE) == NULL);
	send_one(WAITS_ONE, "a@b.test", 2);
	send_one(HELD_ONE, "a@b.test", 4);
	deliver_all();
	CHECK(nanswers == 2 && last_result == QUEUE_OK && sh->nid == 2);
	for (i = 0; i < 3; i++) {
		sh->skew += 61000;
		recover_tick();
		deliver_all();
	}
	CHECK(sh->nid == 2 + WAITING - 1 && sh->large == 1);
	CHECK(message_of(WAITS_ONE) == NULL);
	CHECK(message_of(DEFERRED_ONE) != NULL);
	CHECK(qlog_sync() == 0);
}

static void
again_sound_child(void)
{
	begin();
	deliver_all();
	CHECK(sh->nid == 2 + WAITING - 1 && sh->twice == 0);
	CHECK(message_of(DEFERRED_ONE)->rcpt[0].attempts == 1);
}

static void
test_brought_again(void **state)
{
	memset(sh, 0, sizeof(*sh));
	sh_cmd("rm -rf %s && cp -a %s.made %s");
	assert_int_equal(start(again_child), 0);
	assert_int_equal(start(again_sound_child), 0);
}

#define TEST(name, call, err)						\
	static void							\
	test_##name(void **state)					\
	{								\
		every(call, err);					\
	}
TEST(open_eio, OPENAT, EIO)
TEST(open_emfile, OPENAT, EMFILE)
TEST(read_eio, PREAD, EIO)
TEST(read_short, PREAD, SHORT)
TEST(write_enospc, PWRITE, ENOSPC)
TEST(stat_eio, FSTAT, EIO)
TEST(opendir_enomem, FDOPENDIR, ENOMEM)
TEST(readdir_eio, READDIR, EIO)
TEST(fsync_eio, FSYNC, EIO)
TEST(fdatasync_eio, FDATASYNC, EIO)
TEST(rename_eio, RENAMEAT, EIO)
TEST(unlink_eio, UNLINKAT, EIO)
TEST(memory, MEMORY, ENOMEM)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_brought_again),
		cmocka_unit_test(test_open_eio),
		cmocka_unit_test(test_open_emfile),
		cmocka_unit_test(test_read_eio),
		cmocka_unit_test(test_read_short),
		cmocka_unit_test(test_write_enospc),
		cmocka_unit_test(test_stat_eio),
		cmocka_unit_test(test_opendir_enomem),
		cmocka_unit_test(test_readdir_eio),
		cmocka_unit_test(test_fsync_eio),
		cmocka_unit_test(test_fdatasync_eio),
		cmocka_unit_test(test_rename_eio),
		cmocka_unit_test(test_unlink_eio),
		cmocka_unit_test(test_memory),
	};

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
