/*
 * authd's guard: how many recipients outside an account may write to, over
 * connections, time, restarts and databases that are broken.
 */
#include "base/compat.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define NOON	UINT64_C(1800000000)

static uint32_t account;	/* each test has its own */

static void
limits(unsigned int hour, unsigned int day)
{
	struct conf *conf = conf_new();

	conf->guard.hour = hour;
	conf->guard.day = day;
	conf_free(proc_conf_use(conf));
}

static int
setup(void **state)
{
	limits(10, 25);
	account++;
	return 0;
}

static unsigned int
takes(uint32_t *open, unsigned int n, uint64_t now)
{
	unsigned int i, got = 0;

	for (i = 0; i < n; i++)
		got += guard_take(account, "x", open, now);
	return got;
}

static void
counts(uint64_t hour, uint64_t day, uint64_t pending, uint64_t now)
{
	struct guard_counts c = { 0 };

	assert_int_equal(guard_counts(account, &c, now), day + pending > 0);
	assert_int_equal(c.hour, hour);
	assert_int_equal(c.day, day);
	assert_int_equal(c.pending, pending);
}

static void
test_connections_share_one_limit(void **state)
{
	uint32_t a = 0, b = 0, c = 0, other = 0;

	assert_int_equal(takes(&a, 6, NOON), 6);
	assert_int_equal(takes(&b, 6, NOON), 4);
	assert_int_equal(takes(&c, 6, NOON), 0);
	assert_true(guard_take(account + 1000, "y", &other, NOON));
	counts(0, 0, 10, NOON);
	guard_sent(account, 6, &a, NOON + 1);
	assert_int_equal(a, 0);
	counts(6, 6, 4, NOON + 1);
	assert_int_equal(takes(&c, 6, NOON + 1), 0);
	/* what is not sent is dropped a minute behind its end */
	guard_leave(account, &b, NOON + 10);
	assert_int_equal(b, 0);
	assert_int_equal(takes(&c, 6, NOON + 69), 0);
	assert_int_equal(takes(&c, 6, NOON + 86), 4);
	guard_leave(account, &c, NOON + 90);
	counts(6, 6, 0, NOON + 200);
}

static void
test_notice_behind_the_end(void **state)
{
	uint32_t a = 0;

	assert_int_equal(takes(&a, 5, NOON), 5);
	guard_leave(account, &a, NOON);
	assert_int_equal(takes(&a, 3, NOON), 3);
	guard_sent(account, 5, &a, NOON + 2);
	assert_int_equal(a, 3);
	counts(5, 5, 3, NOON + 2);
	guard_leave(account, &a, NOON + 3);
	guard_sent(account, 3, NULL, NOON + 4);
	counts(8, 8, 0, NOON + 4);
	/* more than was asked for, or long after: counted all the same */
	guard_sent(account, 100, NULL, NOON + 5);
	counts(108, 108, 0, NOON + 5);
	assert_int_equal(takes(&a, 1, NOON + 6), 0);
}

static void
test_hour_and_day(void **state)
{
	uint64_t now = NOON;
	uint32_t a = 0;
	unsigned int hour, n = 0;

	for (hour = 0; hour < 25; hour++, now += 3901) {
		n += takes(&a, 20, now);
		guard_sent(account, a, &a, now);
		if (hour == 0)
			assert_int_equal(n, 10);
		if (hour == 2)
			assert_int_equal(n, 25);
	}
	assert_int_equal(n, 25 + 10);		/* the first are a day ago */
	limits(0, 0);
	assert_int_equal(takes(&a, 1000, now), 1000);
	guard_leave(account, &a, now);
}

/* In no 3600 seconds more than the limit, whatever is done when. */
static void
test_never_beyond(void **state)
{
	static uint64_t sent[20000];
	uint32_t open[4] = { 0 };
	uint64_t now = NOON, i, from = 0, n = 0;
	unsigned int k;

	limits(10, 0);
	srandom(7);
	for (i = 0; i < 40000 && n < NITEMS(sent) - 64; i++) {
		now += (uint64_t)random() % 40;
		k = (unsigned int)random() % 4;
		switch (random() % 4) {
		case 0:
		case 1:
			takes(&open[k], (unsigned int)random() % 5, now);
			break;
		case 2:
			for (uint32_t j = 0; j < open[k]; j++)
				sent[n++] = now;
			guard_sent(account, open[k], &open[k], now);
			break;
		default:
			guard_leave(account, &open[k], now);
		}
		while (from < n && sent[from] + 3600 <= now)
			from++;
		assert_true(n - from <= 10);
	}
	assert_true(n > 1000);
	for (k = 0; k < 4; k++)
		guard_leave(account, &open[k], now);
}

static void
test_clock_back(void **state)
{
	uint32_t a = 0;

	assert_int_equal(takes(&a, 10, NOON), 10);
	guard_sent(account, 10, &a, NOON);
	assert_int_equal(takes(&a, 1, NOON - 100000), 0);
	guard_sent(account, 1, &a, NOON - 100000);
	counts(11, 11, 0, NOON - 100000);
	counts(0, 11, 0, NOON - 100000 + 4000);
	counts(0, 0, 0, NOON - 100000 + 90000);
}

/* ---- over restarts ------------------------------------------------------- */

static char dirname[64], path[96];

static void
in_another_life(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
life_sends(void)
{
	uint32_t a = 0;

	guard_open(path, NOON);
	takes(&a, 7, NOON - 4000);
	guard_sent(account, 7, &a, NOON - 4000);
	takes(&a, 2, NOON);
	guard_sent(account, 2, &a, NOON);
	guard_save(NOON);
	takes(&a, 1, NOON);		/* pending is not kept */
	guard_close();
}

static void
test_restart(void **state)
{
	strlcpy(dirname, "/tmp/maild-guard.XXXXXX", sizeof(dirname));
	assert_non_null(mkdtemp(dirname));
	snprintf(path, sizeof(path), "%s/guard.db", dirname);
	in_another_life(life_sends);
	guard_open(path, NOON + 1);
	counts(2, 9, 0, NOON + 1);
	guard_open(path, NOON + 1);		/* once more: the same */
	counts(2, 9, 0, NOON + 1);
	guard_save(NOON + 200000);		/* all is long ago */
	guard_close();
	counts(0, 0, 0, NOON + 200000);
	guard_open(path, NOON + 1);
	counts(0, 0, 0, NOON + 1);
	guard_close();
	unlink(path);
}

static int
user_version(int set)
{
	sqlite3_stmt *q;
	sqlite3 *db;
	char text[64];
	int v;

	snprintf(text, sizeof(text), "PRAGMA user_version=%d", set);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (set >= 0)
		sqlite3_exec(db, text, NULL, NULL, NULL);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q,
	    NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	v = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return v;
}

/* Damaged: a new one, that one aside.  In the way: again later.  Newer: not
 * touched. */
static void
test_broken_databases(void **state)
{
	char aside[120];
	uint32_t a = 0;
	FILE *f;

	assert_non_null(f = fopen(path, "w"));
	for (int i = 0; i < 1000; i++)
		fputs("no database at all", f);
	fclose(f);
	guard_open(path, NOON);
	takes(&a, 3, NOON);
	guard_sent(account, 3, &a, NOON);
	guard_save(NOON);
	guard_close();
	assert_int_equal(user_version(-1), 0);
	unlink(path);
	strlcpy(aside, path, sizeof(aside));
	strlcat(aside, ".damaged", sizeof(aside));
	assert_int_equal(unlink(aside), 0);

	assert_int_equal(mkdir(path, 0700), 0);
	guard_open(path, NOON);
	guard_sent(account, 1, NULL, NOON);
	guard_save(NOON);
	assert_int_equal(rmdir(path), 0);
	guard_save(NOON);			/* now it goes */
	guard_close();
	assert_int_equal(access(path, F_OK), 0);

	user_version(9);
	guard_open(path, NOON);
	guard_sent(account, 1, NULL, NOON);
	guard_save(NOON);
	guard_close();
	assert_int_equal(user_version(-1), 9);
	counts(5, 5, 0, NOON);
	unlink(path);
	rmdir(dirname);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(test_connections_share_one_limit),
		T(test_notice_behind_the_end),
		T(test_hour_and_day),
		T(test_never_beyond),
		T(test_clock_back),
		T(test_restart),
		T(test_broken_databases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
