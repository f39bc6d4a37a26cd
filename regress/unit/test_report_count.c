/*
 * Aggregate reports being counted, without neighbours: the journal cut at
 * every octet, what has no room, clocks that are wrong, files that cannot be
 * read.
 */
#include "base/compat.h"

#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "report/out/agg.h"
#include "report/out/out.h"
#include "cut.h"
#include "report_out_test.h"

static struct period *loaded[8];
static size_t nloaded;

/* ---- the journal -------------------------------------------------------- */

static char dir[] = "/tmp/maild-unit-XXXXXX";

static void
on_period(struct period *p)
{
	assert_true(nloaded < NITEMS(loaded));
	loaded[nloaded++] = p;
}

static int
scratch(void)
{
	int fd;

	strlcpy(dir, "/tmp/maild-unit-XXXXXX", sizeof(dir));
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd != -1);
	return fd;
}

static void
scratch_end(int fd)
{
	char command[64];

	close(fd);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void
count(struct period *p, const char *at, const char *record, int ip)
{
	struct report_row row = sample();
	uint8_t key[ROW_MAX];
	struct counted *c;
	bool fresh;

	row.ip.b[3] = (uint8_t)ip;
	row.ip.b[2] = (uint8_t)(ip >> 8);
	c = period_count(p, slice_str(at), slice_str(record), key,
	    row_put(key, &row), &fresh);
	if (c != NULL)
		journal_count(p, c, fresh);
}

static uint64_t
messages(const struct period *p)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < p->ndomain; i++)
		if (p->domain[i] != NULL)
			n += p->domain[i]->messages;
	return n;
}

static struct period *
reload(int fd)
{
	uint8_t key[JOURNAL_KEY];

	nloaded = 0;
	journal_init(fd, on_period, key);
	return nloaded == 0 ? NULL : loaded[0];
}

/* Each turn is there whole or not at all, and never less than before. */
static void
test_journal_cut(void **state)
{
	struct rec_file f = { 0, 86400, 172800 };
	struct period *p;
	uint8_t key[JOURNAL_KEY];
	int fd = scratch(), file;
	off_t end[6], off;
	uint64_t n, least = 0;
	unsigned int i, turn;
	char *all;
	size_t size;

	journal_init(fd, on_period, key);
	p = period_new(&f);
	journal_open(p);
	end[0] = p->off;
	for (turn = 1; turn < 6; turn++) {
		for (i = 0; i < turn; i++)
			count(p, i % 2 ? "a.test" : "b.test", RECORD,
			    (int)(turn * 7 + i) % 5);
		journal_write(p);
		end[turn] = p->off;
	}
	assert_int_equal(messages(p), 15);
	period_free(p);
	file = openat(fd, "agg.00000000000000086400", O_RDWR);
	assert_true(file != -1);
	all = read_fd(file, 1 << 20, &size);
	assert_non_null(all);
	assert_int_equal(size, end[5]);
	for (off = end[0]; off <= end[5]; off++) {
		assert_int_equal(ftruncate(file, 0), 0);
		assert_int_equal(pwrite_all(file, all, (size_t)off, 0), 0);
		p = reload(fd);
		assert_non_null(p);
		n = messages(p);
		assert_true(n >= least);
		least = n;
		for (turn = 0; turn < 6; turn++)
			if (off >= end[turn])
				assert_true(n >= turn * (turn + 1) / 2);
		/* it goes on from there */
		count(p, "a.test", RECORD, 200);
		journal_write(p);
		close(p->fd);
		period_free(p);
		p = reload(fd);
		assert_int_equal(messages(p), n + 1);
		close(p->fd);
		period_free(p);
	}
	assert_int_equal(least, 15);
	free(all);
	close(file);
	scratch_end(fd);
}

static void
test_journal_anew(void **state)
{
	struct rec_file f = { 0, 1000, 2000 };
	uint8_t key[JOURNAL_KEY], same[JOURNAL_KEY];
	struct period *p;
	struct target *t;
	int fd = scratch(), i;

	journal_init(fd, on_period, key);
	p = period_new(&f);
	journal_open(p);
	for (i = 0; i < 500; i++)
		count(p, i % 3 ? "a.test" : "b.test", RECORD, i);
	p->lost = 4;
	p->lost_fresh = true;
	journal_sync(p);
	domain_targets(p->domain[0]);
	t = &p->domain[0]->target[0];
	t->state = TARGET_WAIT;
	t->tries = 3;
	t->part = 2;
	t->row = 50;
	t->next = 1234;
	target_why(t, SLICE_LIT("because"));
	journal_target(p->domain[0], t);
	for (i = 0; i < 500; i++)
		count(p, i % 3 ? "a.test" : "b.test", RECORD, i);
	journal_write(p);
	close(p->fd);
	p->fd = -1;			/* as after a failed write */
	count(p, "c.test", RECORD, 1);
	count(p, "a.test", RECORD, 1);
	journal_sync(p);
	assert_true(p->fd != -1);
	count(p, "a.test", RECORD, 1);
	journal_write(p);
	close(p->fd);
	period_free(p);
	nloaded = 0;
	journal_init(fd, on_period, same);
	assert_memory_equal(key, same, sizeof(key));
	assert_int_equal(nloaded, 1);
	p = loaded[0];
	assert_int_equal(messages(p), 1003);
	assert_int_equal(p->nrow, 501);
	assert_int_equal(p->lost, 4);
	t = &p->domain[0]->target[0];
	assert_int_equal(t->tries, 3);
	assert_int_equal(t->row, 50);
	assert_int_equal(t->next, 1234);
	assert_string_equal(t->why, "because");
	journal_remove(p);
	period_free(p);
	assert_null(reload(fd));
	assert_int_equal(table_bytes(), 0);
	scratch_end(fd);
}

/* ---- limits ------------------------------------------------------------- */

static void
test_limits(void **state)
{
	struct rec_file f = { 0, 1000, 2000 };
	struct period *p = period_new(&f);
	struct report_row row = sample();
	uint8_t key[ROW_MAX];
	char at[40], record[120];
	size_t n = row_put(key, &row);
	bool fresh;
	int i;

	for (i = 0; i < DOMAINS_MAX + 10; i++) {
		snprintf(at, sizeof(at), "d%d.test", i);
		period_count(p, slice_str(at), SLICE_LIT(RECORD), key, n,
		    &fresh);
	}
	assert_int_equal(p->ndomain, DOMAINS_MAX);
	assert_int_equal(p->lost, 10);
	period_free(p);
	/* policies that change with every message */
	p = period_new(&f);
	for (i = 0; i < 100; i++) {
		snprintf(record, sizeof(record), "v=DMARC1; p=none; "
		    "rua=mailto:u%d@a.test", i);
		assert_non_null(period_count(p, SLICE_LIT("a.test"),
		    slice_str(record), key, n, &fresh));
	}
	assert_int_equal(p->ndomain, CONFIGS_MAX);
	assert_int_equal(messages(p), 100);
	assert_int_equal(p->lost, 0);
	/* nobody to tell: not counted, and not lost */
	assert_null(period_count(p, SLICE_LIT("b.test"),
	    SLICE_LIT("v=DMARC1; p=none"), key, n, &fresh));
	assert_null(period_count(p, SLICE_LIT("b.test"),
	    SLICE_LIT("v=DMARC1; p=none; rua=https://b.test"), key, n,
	    &fresh));
	assert_int_equal(p->lost, 0);
	period_free(p);
	/* so many are told, of those that can be */
	p = period_new(&f);
	period_count(p, SLICE_LIT("a.test"), SLICE_LIT("v=DMARC1; p=none; "
	    "rua=tel:1,mailto:1@a.test,mailto:2@a.test,mailto:2@a.test,"
	    "mailto:3@a.test,mailto:4@a.test,mailto:5@a.test"), key, n,
	    &fresh);
	domain_targets(p->domain[0]);
	assert_int_equal(p->domain[0]->ntarget, AGG_RUA);
	assert_string_equal(p->domain[0]->target[3].address, "4@a.test");
	period_free(p);
	/* a count ends at its most */
	p = period_new(&f);
	period_count(p, SLICE_LIT("a.test"), SLICE_LIT(RECORD), key, n,
	    &fresh);
	period_replay(p, &(struct rec){ .type = REC_COUNT, .no = 0,
	    .n = UINT64_MAX });
	assert_int_equal(p->row[0]->count, UINT32_MAX);
	period_free(p);
	assert_int_equal(table_bytes(), 0);
}

/* One owner's domains, or what may be that, do not fill the interval. */
static void
test_groups(void **state)
{
	static const struct { const char *at, *group; } v[] = {
		{ "a.test", "a.test" }, { "b.a.test", "a.test" },
		{ "test", "test" }, { "", "" }, { "a.", "a." },
		{ "c.b.co.uk", "b.co.uk" }, { "b.co.uk", "b.co.uk" },
		{ "co.uk", "co.uk" }, { "a.b.com.au", "b.com.au" },
		{ "a.b.name.de", "name.de" }, { "a.b.abc.info", "abc.info" },
		{ "x.y.a.de", "y.a.de" }, { "..", "." },
	};
	struct rec_file f = { 0, 1000, 2000 };
	struct period *p = period_new(&f);
	char at[60];
	int i;

	for (i = 0; i < (int)NITEMS(v); i++)
		assert_true(slice_is(group_of(slice_str(v[i].at)),
		    v[i].group));
	for (i = 0; i < GROUP_DOMAINS + 10; i++) {
		snprintf(at, sizeof(at), "d%d.sub%d.evil.test", i, i % 7);
		count(p, at, RECORD, 1);
	}
	assert_int_equal(p->ndomain, GROUP_DOMAINS);
	assert_int_equal(p->lost, 10);
	assert_int_equal(p->lack, LACK_GROUP);
	count(p, "d0.sub0.evil.test", RECORD, 2);	/* those go on */
	count(p, "evil2.test", RECORD, 1);
	assert_int_equal(p->ndomain, GROUP_DOMAINS + 1);
	assert_int_equal(p->lost, 10);
	period_free(p);
	p = period_new(&f);		/* registries have room, not for all */
	for (i = 0; i < GROUP_WIDE + 10; i++) {
		snprintf(at, sizeof(at), "d%d.co.uk", i);
		count(p, at, RECORD, 1);
	}
	assert_int_equal(p->ndomain, GROUP_WIDE);
	assert_int_equal(p->lost, 10);
	count(p, "a.org.uk", RECORD, 1);
	assert_int_equal(p->lost, 10);
	period_free(p);
	assert_int_equal(table_bytes(), 0);
}

static void
test_group_bytes(void **state)
{
	struct rec_file f = { 0, 1000, 2000 };
	struct period *p = period_new(&f);
	struct report_row row = sample();
	uint8_t key[ROW_MAX];
	char sender[240];
	bool fresh;
	int i;

	memset(sender, 'x', sizeof(sender));
	row.sender = row.rcpt = row.spf_domain = slice_of(sender,
	    sizeof(sender));
	for (i = 0; i < ROWS_MAX - 1; i++) {
		row.ip.b[3] = (uint8_t)i;
		row.ip.b[2] = (uint8_t)(i >> 8);
		period_count(p, SLICE_LIT("a.evil.test"), SLICE_LIT(RECORD),
		    key, row_put(key, &row), &fresh);
	}
	assert_in_range(table_bytes(), GROUP_BYTES - 2000,
	    GROUP_BYTES + 4000);
	assert_int_equal(p->lack, LACK_GROUP_BYTES);
	assert_int_equal(p->domain[0]->lost + messages(p), ROWS_MAX - 1);
	assert_true(p->domain[0]->lost > 0);
	period_count(p, SLICE_LIT("b.evil.test"), SLICE_LIT(RECORD), key,
	    row_put(key, &row), &fresh);	/* nor elsewhere in it */
	assert_int_equal(p->domain[1]->lost, 1);
	count(p, "good.test", RECORD, 1);
	assert_int_equal(p->domain[2]->lost, 0);
	assert_int_equal(p->domain[2]->messages, 1);
	assert_int_equal(p->lost, 0);
	period_free(p);
	assert_int_equal(table_bytes(), 0);
}

/* ---- time --------------------------------------------------------------- */

static void
test_patience(void **state)
{
	unsigned int i;

	assert_int_equal(time_give_up(86400), 5 * 86400);
	assert_int_equal(time_give_up(720), 3600);
	assert_int_equal(time_give_up(60), 3600);
	assert_int_equal(time_give_up(59), 5 * 59);
	assert_int_equal(time_give_up(2), 10);
	assert_int_equal(time_again(86400, 0), 60);
	assert_int_equal(time_again(86400, 1), 120);
	assert_int_equal(time_again(86400, 65535), 3601);
	assert_int_equal(time_again(60, 0), 60);
	assert_int_equal(time_again(60, 9), 60);
	assert_int_equal(time_again(2, 0), 1);
	for (i = 0; i < 100; i++)
		assert_in_range(time_again(86400, i), 60, 3601);
}

static struct period *
put(struct periods *ps, uint64_t begin, uint64_t end)
{
	struct period *p = period_new(&(struct rec_file){ 0, begin, end });

	TAILQ_INSERT_TAIL(ps, p, entry);
	return p;
}

static void
test_intervals(void **state)
{
	struct periods ps = TAILQ_HEAD_INITIALIZER(ps);
	struct period *p, *far;
	struct rec_file f = { 0 };

	time_interval(&ps, NULL, 10050, 100, &f);
	assert_true(f.begin == 10000 && f.end == 10100);
	put(&ps, 10000, 10020);		/* behind what has begun */
	time_interval(&ps, NULL, 10050, 100, &f);
	assert_true(f.begin == 10020 && f.end == 10100);
	p = put(&ps, 10020, 10200);
	time_interval(&ps, NULL, 10050, 100, &f);
	assert_true(f.begin == 10200 && f.end == 10300);
	time_interval(&ps, p, 10050, 100, &f);
	assert_true(f.begin == 10020 && f.end == 10100);
	far = put(&ps, 90000, 90100);	/* not behind what has not */
	time_interval(&ps, NULL, 10050, 100, &f);
	assert_true(f.begin == 10200 && f.end == 10300);
	assert_true(time_ahead(&ps, far, 10050));
	assert_true(!time_ahead(&ps, far, 89950));
	assert_true(!time_ahead(&ps, far, 90050));
	p = put(&ps, 10200, 10300);	/* the one that counts then */
	assert_true(!time_ahead(&ps, p, 10050));
	assert_true(time_ahead(&ps, p, 9000));
	p->file.begin = 10350;
	assert_true(time_ahead(&ps, p, 10050));
	far->file.begin = 10200;	/* never two of one name */
	time_interval(&ps, NULL, 10050, 100, &f);
	assert_true(f.begin == 10201 && f.end == 10301);
	while ((p = TAILQ_FIRST(&ps)) != NULL) {
		TAILQ_REMOVE(&ps, p, entry);
		period_free(p);
	}
}

/* ---- files that cannot be read ------------------------------------------ */

static off_t unreadable;	/* from here on, 0: nothing is */

ssize_t
pread(int fd, void *buf, size_t n, off_t off)
{
	if (unreadable > 0 && off + (off_t)n > unreadable) {
		if (off >= unreadable) {
			errno = EIO;
			return -1;
		}
		n = (size_t)(unreadable - off);
	}
	return syscall(SYS_pread64, fd, buf, n, off);
}

static const char agg[] = "agg.00000000000000086400";
static const char aside[] = "agg.00000000000000086400.bad";

/* A directory with the file of one period, ten messages in it. */
static int
ten_counted(struct period **p, uint8_t key[JOURNAL_KEY])
{
	struct rec_file f = { 0, 86400, 172800 };
	int fd = scratch(), i;

	assert_int_equal(journal_init(fd, on_period, key), 0);
	*p = period_new(&f);
	journal_open(*p);
	for (i = 0; i < 10; i++) {
		count(*p, "a.test", RECORD, i);
		journal_write(*p);
	}
	return fd;
}

/* The file is still the one that it was. */
static void
is_untouched(int fd, const struct stat *was, off_t size)
{
	struct stat st;

	assert_int_equal(fstatat(fd, agg, &st, 0), 0);
	assert_int_equal(st.st_ino, was->st_ino);
	assert_int_equal(st.st_size, size);
	assert_int_equal(fstatat(fd, aside, &st, 0), -1);
}

/* Not now is not damage: nothing is put in its place, and it is read when it
 * can be. */
static void
test_unreadable(void **state)
{
	struct rec_file f = { 0, 86400, 172800 };
	uint8_t key[JOURNAL_KEY], again[JOURNAL_KEY];
	struct period *p, *other;
	struct stat was;
	int fd = ten_counted(&p, key), file = p->fd;
	off_t i;

	assert_int_equal(fstatat(fd, agg, &was, 0), 0);
	for (i = 1; i < p->off; i += i < 64 ? 1 : 97) {
		unreadable = i;
		if (i < JOURNAL_KEY + 4) {	/* nor is the key another one */
			assert_int_equal(journal_init(fd, on_period, again),
			    -1);
			continue;
		}
		assert_null(reload(fd));
		is_untouched(fd, &was, was.st_size);
	}
	unreadable = 40;
	assert_null(reload(fd));
	other = period_new(&f);		/* what comes meanwhile */
	journal_open(other);
	assert_int_equal(other->file.begin, 86401);
	is_untouched(fd, &was, was.st_size);
	journal_remove(other);
	period_free(other);
	close(file);
	period_free(p);
	unreadable = 0;
	nloaded = 0;
	journal_again(on_period);
	assert_int_equal(nloaded, 1);
	assert_int_equal(messages(loaded[0]), 10);
	close(loaded[0]->fd);
	period_free(loaded[0]);
	nloaded = 0;
	assert_int_equal(journal_init(fd, on_period, again), 0);
	assert_memory_equal(key, again, sizeof(key));
	close(loaded[0]->fd);
	period_free(loaded[0]);
	scratch_end(fd);
}

/* What a newer release left is as it is: a file of another version, a record
 * of another type, or with more behind its end. */
static void
test_newer(void **state)
{
	uint8_t key[JOURNAL_KEY], b[REC_MAX];
	struct rec r = { .type = REC_DONE, .no = 77 };
	struct rec_file f;
	struct period *p;
	struct stat was;
	int fd = ten_counted(&p, key), file = p->fd, i;
	uint32_t crc;
	size_t n;

	period_free(p);
	assert_int_equal(fstatat(fd, agg, &was, 0), 0);
	assert_int_equal(pwrite(file, "MAILDAG2", 8, 0), 8);
	assert_null(reload(fd));
	assert_int_equal(pwrite(file, "MAILDAG1", 8, 0), 8);
	is_untouched(fd, &was, was.st_size);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pread(file, b, REC_START, 0), REC_START);
		assert_int_equal(rec_start_get(b, REC_START, &f), 0);
		n = rec_put(b, &r, f.nonce);
		if (i == 0)
			b[6] = REC_DONE + 1;
		else
			b[4] += 2;
		crc = crc32c((uint32_t)(f.nonce ^ f.nonce >> 32), b + 4, n - 4);
		memcpy(b, &crc, sizeof(crc));
		assert_int_equal(pwrite(file, b, n, was.st_size), n);
		assert_null(reload(fd));
		is_untouched(fd, &was, was.st_size + (off_t)n);
	}
	close(file);
	scratch_end(fd);
}

/* Records that contradict each other change nothing. */
static void
test_replay(void **state)
{
	struct rec_file f = { 0, 1000, 2000 };
	struct period *p = period_new(&f);
	struct report_row row = sample();
	uint8_t key[ROW_MAX];
	struct rec d = { .type = REC_DOMAIN, .no = 2,
	    .at = SLICE_LIT("a.test"), .record = SLICE_LIT(RECORD) };
	struct rec r = { .type = REC_ROW, .no = 5, .domain = 2,
	    .key = slice_of((char *)key, row_put(key, &row)) };
	struct rec t = { .type = REC_TARGET, .no = 2 };
	struct rec done = { .type = REC_DONE, .no = 2 };
	struct rec c = { .type = REC_COUNT, .no = 5, .n = 3 };

	assert_int_equal(period_replay(p, &r), -1);
	assert_int_equal(period_replay(p, &c), -1);
	assert_int_equal(period_replay(p, &t), -1);
	assert_int_equal(period_replay(p, &done), -1);
	assert_int_equal(period_replay(p, &d), 0);
	assert_int_equal(period_replay(p, &d), -1);
	assert_int_equal(period_replay(p, &r), 0);
	assert_int_equal(period_replay(p, &r), -1);
	assert_int_equal(period_replay(p, &c), 0);
	assert_int_equal(period_replay(p, &t), 0);
	t.target.target = 7;
	assert_int_equal(period_replay(p, &t), -1);
	assert_int_equal(messages(p), 3);
	assert_int_equal(period_replay(p, &done), 0);
	assert_int_equal(p->left, 0);
	assert_int_equal(period_replay(p, &done), -1);
	assert_int_equal(period_replay(p, &c), -1);
	d.no = DOMAINS_MAX;
	assert_int_equal(period_replay(p, &d), -1);
	period_free(p);
	assert_int_equal(table_bytes(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_journal_cut),
		cmocka_unit_test(test_journal_anew),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_group_bytes),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_replay),
	};

	log_init("test", open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
