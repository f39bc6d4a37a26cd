/*
 * authd's database on a machine that fails: every n-th call of the kernel or
 * of malloc fails while the database is opened and while it is changed.
 * What cannot be read now is there afterwards; nothing is made over it, and
 * what is not a whole directory is never taken for one.  What a newer
 * release left is not touched.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define USERS	40		/* some pages of them */
#define NEVER	UINT64_MAX

static const struct keys none;
static char dirname[64], path[96], journal[112];
static struct fault {
	uint64_t	 left;		/* calls that still go well */
	int		 error;		/* of the next; 0: it is short */
	bool		 alloc;		/* count allocations, not calls */
	unsigned int	 hits;
} fault = { .left = NEVER };

/* ---- what SQLite and authd call ------------------------------------------ */

static bool
fails(bool alloc)
{
	if (fault.left == NEVER || fault.alloc != alloc || fault.left-- != 0)
		return false;
	fault.left = NEVER;
	fault.hits++;
	errno = fault.error;
	return true;
}

int
open64(const char *name, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

int	 open(const char *, int, ...) __attribute__((alias("open64")));
ssize_t	 pread(int, void *, size_t, off_t) __attribute__((alias("pread64")));
int	 fstat(int, struct stat *);

int
fstat(int fd, struct stat *st)
{
	return fstat64(fd, (struct stat64 *)st);
}

ssize_t
pread64(int fd, void *buf, size_t n, off64_t off)
{
	if (fails(false)) {
		if (fault.error != 0)
			return -1;
		n /= 2;
	}
	return syscall(SYS_pread64, fd, buf, n, off);
}

ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t off)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return syscall(SYS_pwrite64, fd, buf, n, off);
}

int
fdatasync(int fd)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return 0;		/* the machine does not lose its power */
}

int
ftruncate64(int fd, off64_t n)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_ftruncate, fd, n);
}

int
fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

int
fstat64(int fd, struct stat64 *st)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

static int
by_name(const char *name, struct stat64 *st, int flags)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_newfstatat, AT_FDCWD, name, st, flags);
}

int
stat64(const char *name, struct stat64 *st)
{
	return by_name(name, st, 0);
}

int
lstat64(const char *name, struct stat64 *st)
{
	return by_name(name, st, AT_SYMLINK_NOFOLLOW);
}

int
access(const char *name, int mode)
{
	if (fails(false) && fault.error != 0)
		return -1;
	return (int)syscall(SYS_faccessat, AT_FDCWD, name, mode);
}

static sqlite3_mem_methods system_memory;

static void *
memory_get(int n)
{
	return fails(true) ? NULL : system_memory.xMalloc(n);
}

static void *
memory_more(void *p, int n)
{
	return fails(true) ? NULL : system_memory.xRealloc(p, n);
}

/* ---- a directory --------------------------------------------------------- */

static const char *
user(char buf[64], unsigned int i)
{
	snprintf(buf, 64, "user%u-with-a-rather-long-name@a.test", i);
	return buf;
}

static int
memory(void **state)
{
	sqlite3_mem_methods m;

	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory);
	m = system_memory;
	m.xMalloc = memory_get;
	m.xRealloc = memory_more;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &m);
	return sqlite3_initialize();
}

static int
setup(void **state)
{
	struct dir *d = dir_new();
	char a[64], err[256], hash[200];
	unsigned int i;
	uint32_t id;

	strlcpy(dirname, "/tmp/maild-db.XXXXXX", sizeof(dirname));
	assert_non_null(mkdtemp(dirname));
	snprintf(path, sizeof(path), "%s/directory.db", dirname);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	memset(hash, 'h', sizeof(hash) - 1);
	hash[sizeof(hash) - 1] = '\0';
	for (i = 1; i <= USERS; i++) {
		assert_int_equal(db_account_insert(user(a, i), hash, &none, 5,
		    &id),
		    0);
		assert_int_equal(id, i);
		assert_int_equal(db_account_state(id, true), 0);
	}
	assert_int_equal(db_account_delete(USERS), 0);
	db_close();
	dir_free(d);
	return 0;
}

static int
teardown(void **state)
{
	fault.left = NEVER;
	db_close();
	unlink(path);
	unlink(journal);
	assert_int_equal(rmdir(dirname), 0);
	return 0;
}

/* Opens now, and has all that it ever had. */
static void
whole(void)
{
	struct dir *d = dir_new();
	char err[256];

	if (db_open(path, d, err, sizeof(err)) != DB_OK)
		fail_msg("not opened: %s", err);
	assert_int_equal(dir_accounts(d), USERS - 1);
	assert_true(db_highest() >= USERS);
	db_close();
	dir_free(d);
}

/* ---- for every n --------------------------------------------------------- */

/* Open while call n fails.  False: there are not so many. */
static bool
open_once(uint64_t n, int error, bool alloc)
{
	struct dir *d = dir_new();
	enum db_result r;
	char err[256];

	fault.left = n;
	fault.error = error;
	fault.alloc = alloc;
	fault.hits = 0;
	r = db_open(path, d, err, sizeof(err));
	fault.left = NEVER;
	if (r == DB_OK) {	/* it did without, or tried again */
		assert_int_equal(dir_accounts(d), USERS - 1);
		assert_int_equal(db_highest(), USERS);
	} else
		assert_true(strlen(err) > 0);
	db_close();
	dir_free(d);
	return fault.hits > 0;
}

static void
test_open_fails_at_every_call(void **state)
{
	static const int errors[] = { EIO, EMFILE, ENOMEM, EACCES, ENOENT,
	    ENOSPC, EINTR, 0 };
	size_t i;
	uint64_t n;

	for (i = 0; i < NITEMS(errors); i++) {
		for (n = 0; open_once(n, errors[i], false); n++)
			whole();
		assert_true(n > 30);
	}
}

static void
test_open_fails_at_every_malloc(void **state)
{
	uint64_t n;

	for (n = 0; open_once(n, ENOMEM, true); n++)
		;
	assert_true(n > 100);
	whole();
}

/* An account is made while call n fails.  0; or -1: then authd reads again
 * what is there, which is all of it or nothing. */
static int
make_once(struct dir **d, uint64_t n, int error, uint32_t *id)
{
	char err[256];
	int made;

	fault = (struct fault){ .left = n, .error = error };
	made = db_account_insert("new@a.test", "h", &none, 5, id);
	if (made == 0)
		made = db_account_state(*id, true);
	else
		*id = 0;	/* nobody has heard of it */
	fault.left = NEVER;
	if (made == 0)
		return 0;
	dir_free(*d);
	*d = dir_new();
	assert_int_equal(db_open(path, *d, err, sizeof(err)), DB_OK);
	return dir_account(*d, slice_str("new@a.test")) != NULL ? 0 : -1;
}

/* After that the next one works, and no number comes twice. */
static void
test_changes_fail_at_every_call(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	struct dir *d = dir_new();
	char err[256];
	uint32_t id, last = USERS;
	bool hit = true;
	uint64_t n;

	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	for (n = 0; hit; n++) {
		id = 0;
		if (make_once(&d, n / 2, errors[n % 2], &id) == 0)
			assert_int_equal(db_account_delete(id), 0);
		hit = fault.hits > 0;
		assert_true(id == 0 || id > last);
		last = id > last ? id : last;
		if (db_account_insert("new@a.test", "h", &none, 5,
		    &id) == -1)
			fail_msg("after failure %u: %s", (unsigned int)n,
			    db_error());
		assert_true(id > last);
		last = id;
		assert_int_equal(db_account_state(id, true), 0);
		assert_int_equal(db_account_delete(id), 0);
		assert_int_equal(db_highest(), last);
	}
	assert_true(n > 40);
	db_close();
	dir_free(d);
	whole();
}

/* The same for aliases: what can be read afterwards is what was, or what was
 * asked for. */
static void
test_aliases_fail_at_every_call(void **state)
{
	static char one[] = "one@b.test", two[] = "two@b.test";
	char *const targets[] = { one, two };
	struct dir *d = dir_new();
	struct alias *al;
	char err[256];
	bool hit = true;
	uint64_t n;
	int r;

	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	for (n = 0; hit; n++) {
		assert_int_equal(db_alias_set("al@a.test", targets, 1), 0);
		fault = (struct fault){ .left = n / 2, .error = EIO };
		r = n % 2 == 0 ? db_alias_set("al@a.test", targets, 2) :
		    db_alias_delete("al@a.test");
		hit = fault.hits > 0;
		fault.left = NEVER;
		dir_free(d);
		d = dir_new();
		assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
		al = dir_alias(d, slice_str("al@a.test"));
		if (n % 2 == 0)
			assert_true(al != NULL && (al->ntargets == 2 ||
			    (r == -1 && al->ntargets == 1)));
		else
			assert_true(al == NULL || (r == -1 &&
			    al->ntargets == 1));
		assert_int_equal(dir_accounts(d), USERS - 1);
	}
	assert_true(n > 20);
	db_close();
	dir_free(d);
}

/* ---- counters ------------------------------------------------------------ */

/* One life of authd: opens while call n fails, counts one more recipient, and
 * writes.  Exits 0 when it knew of those before, 2 when no call failed. */
static void
count_once(const char *db, uint64_t n, int error, uint64_t before)
{
	struct guard_counts c = { 0 };
	uint64_t now = UINT64_C(1800000000);

	fault = (struct fault){ .left = n, .error = error };
	guard_open(db, now);
	fault.left = NEVER;
	guard_sent(1, 1, NULL, now);
	guard_save(now);
	guard_close();
	if (!guard_counts(1, &c, now) || c.day != before + 1) {
		printf("# failure %u error %d: %u, not %u\n", (unsigned int)n,
		    error, (unsigned int)c.day, (unsigned int)before + 1);
		fflush(stdout);
		_exit(1);
	}
	_exit(fault.hits > 0 ? 0 : 2);
}

/* Counters that cannot be read at a start are not lost. */
static void
test_counters_fail_at_every_call(void **state)
{
	static const int errors[] = { EIO, EMFILE, ENOMEM };
	char db[96];
	uint64_t n, total = 0;
	int status = 0;
	pid_t pid;

	snprintf(db, sizeof(db), "%s/guard.db", dirname);
	for (n = 0; status == 0; n++, total++) {
		if ((pid = fork()) == 0) {
			//close(STDERR_FILENO);
			count_once(db, n / NITEMS(errors),
			    errors[n % NITEMS(errors)], total);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_true(n > 30);
	unlink(db);
}

/* ---- what is not ours to write ------------------------------------------- */

static void
sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* An opening that ends so leaves the file as it is. */
static void
left_alone(enum db_result want)
{
	struct dir *d = dir_new();
	struct stat a, b;
	char err[256];

	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(db_open(path, d, err, sizeof(err)), want);
	assert_int_equal(stat(path, &b), 0);
	assert_memory_equal(&a.st_mtim, &b.st_mtim, sizeof(a.st_mtim));
	assert_int_equal(a.st_size, b.st_size);
	assert_int_equal(db_account_delete(1), -1);
	dir_free(d);
}

static void
test_newer(void **state)
{
	sql("PRAGMA user_version=2");
	left_alone(DB_NEWER);
	sql("PRAGMA user_version=1000000000");
	left_alone(DB_NEWER);
	sql("PRAGMA user_version=1");
	whole();
}

static void
test_not_a_directory(void **state)
{
	static const char text[] = "a text that is long enough to be taken for "
	    "the header of a database, if nobody looks at how it begins ....";
	FILE *f;

	unlink(path);
	unlink(journal);
	assert_non_null(f = fopen(path, "w"));
	fputs(text, f);
	fclose(f);
	left_alone(DB_DAMAGED);
	assert_int_equal(truncate(path, 50), 0);
	left_alone(DB_DAMAGED);
	unlink(path);
	sql("CREATE TABLE other(x)");	/* somebody else's */
	left_alone(DB_DAMAGED);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	left_alone(DB_FAILED);
	rmdir(path);
}

/* Somebody has it open, with a lock. */
static void
test_busy(void **state)
{
	struct dir *d = dir_new();
	char err[256];
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL,
	    NULL), SQLITE_OK);
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_FAILED);
	assert_non_null(strstr(err, "locked"));
	sqlite3_close(db);
	dir_free(d);
	whole();
}

/* No number that the store has is given after an adoption. */
static void
test_adopt(void **state)
{
	struct dir *d = dir_new();
	char err[256];
	uint32_t id;

	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	assert_int_equal(db_adopt(5000), 0);
	assert_int_equal(db_highest(), 5000);
	db_close();
	dir_free(d);
	d = dir_new();
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	assert_int_equal(db_highest(), 5000);
	assert_int_equal(dir_accounts(d), USERS - 1);
	assert_int_equal(db_account_insert("new@a.test", "h", &none, 5,
		    &id), 0);
	assert_int_equal(id, 5001);
	db_close();
	dir_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_open_fails_at_every_call),
		T(test_open_fails_at_every_malloc),
		T(test_changes_fail_at_every_call),
		T(test_aliases_fail_at_every_call),
		T(test_counters_fail_at_every_call),
		T(test_busy),
		T(test_newer),
		T(test_not_a_directory),
		T(test_adopt),
	};

	return cmocka_run_group_tests(tests, memory, NULL);
}
