/*
 * signkey.c on a directory of its own: what is left alone, what is forgotten
 * and when, and how many keys there may be.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define NOW	1800000000u
#define KEEP	3600
#define DAY	86400

static char dir[64], path[400];

static const char *
in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd != -1);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void
put_state(const char *name, const char *state, uint64_t since)
{
	char line[80];

	snprintf(line, sizeof(line), "%s %llu rsa\n", state,
	    (unsigned long long)since);
	put(name, line);
}

static bool
there(const char *name)
{
	struct stat st;

	return lstat(in_dir(name), &st) == 0;
}

static int
begin(void **arg)
{
	strlcpy(dir, "/tmp/test_signkey.XXXXXX", sizeof(dir));
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
end(void **arg)
{
	struct dirent *e;
	DIR *d = opendir(dir);

	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlink(in_dir(e->d_name));
	closedir(d);
	return rmdir(dir);
}

static struct signkeys
all(void)
{
	struct signkeys l;
	char err[1200];

	assert_int_equal(signkeys_read(dir, NULL, &l, err, sizeof(err)), 0);
	return l;
}

/* ---- tests --------------------------------------------------------------- */

static void
test_sweep_leaves_keys(void **arg)
{
	static const char *const kept[] = { "lan.key.ABCD.key",
	    "lan.key.abcd.txt", "lan.key.ab.state", "a.test.s.key", "a.test.s.state" };
	size_t i;

	for (i = 0; i < NITEMS(kept); i++)
		put(kept[i], "x");
	put("a.test.s.key.aB3dE6gH", "x");
	put("lan.key.abcd.key.12345678", "x");
	signkeys_sweep(dir);
	for (i = 0; i < NITEMS(kept); i++)
		assert_true(there(kept[i]));
	assert_false(there("a.test.s.key.aB3dE6gH"));
	assert_false(there("lan.key.abcd.key.12345678"));
}

/* A key that cannot be looked at is not one that is gone. */
static void
test_state_outlives_doubt(void **arg)
{
	static const char *const state[] = { "waiting", "active" };
	char name[64];
	size_t i;

	for (i = 0; i < NITEMS(state); i++) {
		snprintf(name, sizeof(name), "a.test.%s.state", state[i]);
		put_state(name, state[i], NOW - DAY);
		snprintf(name, sizeof(name), "a.test.%s.key", state[i]);
		/* ELOOP */
		assert_int_equal(symlink(name, in_dir(name)), 0);
	}
	signkeys_settle(dir, NOW, KEEP);
	assert_true(there("a.test.waiting.state"));
	assert_true(there("a.test.active.state"));
	unlink(in_dir("a.test.waiting.key"));
	unlink(in_dir("a.test.active.key"));
	signkeys_settle(dir, NOW, KEEP);
	assert_false(there("a.test.waiting.state"));
	assert_false(there("a.test.active.state"));
}

static void
test_retired_are_forgotten(void **arg)
{
	put_state("a.test.new.state", "retired", NOW - 89 * DAY);
	put("a.test.new.txt", "v=DKIM1; p=x");
	put_state("a.test.old.state", "retired", NOW - 90 * DAY);
	put("a.test.old.txt", "v=DKIM1; p=x");
	put_state("a.test.s.state", "active", NOW - 90 * DAY);
	put("a.test.s.key", "x");
	signkeys_settle(dir, NOW, KEEP);
	assert_true(there("a.test.new.state"));
	assert_true(there("a.test.new.txt"));
	assert_false(there("a.test.old.state"));
	assert_false(there("a.test.old.txt"));
	assert_true(there("a.test.s.state"));
	assert_true(there("a.test.s.key"));
}

/* A state that cannot be written leaves nothing beside it. */
static void
test_failed_write_leaves_nothing(void **arg)
{
	struct signkey k = { .domain = "a.test", .selector = "s",
	    .algorithm = ALG_RSA };

	assert_int_equal(mkdir(in_dir("a.test.s.state"), 0700), 0);
	assert_int_equal(signkey_set(dir, &k, KEY_ACTIVE, NOW), -1);
	assert_false(there("a.test.s.state.new"));
	assert_int_equal(rmdir(in_dir("a.test.s.state")), 0);
	assert_int_equal(signkey_set(dir, &k, KEY_ACTIVE, NOW), 0);
	assert_true(there("a.test.s.state"));
}

/* As many as signd is handed, and not one more. */
static void
test_room(void **arg)
{
	struct signkeys l;
	char name[64];
	int i;

	for (i = 0; i < DKIM_MAX - 2; i++) {
		snprintf(name, sizeof(name), "d%d.test.s.key", i / 2);
		if (i % 2 == 1)
			snprintf(name, sizeof(name), "d%d.test.t.key", i / 2);
		put(name, "x");
	}
	put("d0.test.o.key", "x");
	put_state("d0.test.o.state", "replaced", NOW);
	put_state("d0.test.p.state", "retired", NOW);
	l = all();
	assert_int_equal(l.n, DKIM_MAX);
	assert_true(signkeys_room(&l, 2));
	assert_false(signkeys_room(&l, 3));
	signkeys_free(&l);
	put("d0.test.w.key", "x");
	put_state("d0.test.w.state", "waiting", NOW);
	l = all();
	assert_true(signkeys_room(&l, 1));
	assert_false(signkeys_room(&l, 2));
	signkeys_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sweep_leaves_keys,
		    begin, end),
		cmocka_unit_test_setup_teardown(test_state_outlives_doubt,
		    begin, end),
		cmocka_unit_test_setup_teardown(test_retired_are_forgotten,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    test_failed_write_leaves_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
