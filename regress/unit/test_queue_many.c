/*
 * More waiting recipients than anything of queue may have to hold at once:
 * deferred, read again after a start, written anew in pieces while it works.
 * MANY=1000000 tries a million and tells what that takes.
 */
#include "base/slice.h"
#include "queue_test.h"

#define MANY		200000
#define SEVERAL		50		/* recipients of every fourth message */
#define WORDS		1000		/* different last errors */

static unsigned int many = MANY;

static void
answered_many(void *arg, enum queue_result r, struct message *m)
{
	CHECK(r == QUEUE_OK);
	nanswers++;
}

/* A message to n recipients, due in an hour. */
static void
send_many(uint32_t serial, size_t n)
{
	static char addr[SEVERAL][64];
	struct env_rcpt r[SEVERAL];
	struct commit c = { .fd = -1, .rcpt = r, .nrcpt = n,
	    .size = sizeof(TEXT) - 1, .fn = answered_many };
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(addr[i], sizeof(addr[i]), "user%u.%zu@many%u.test",
		    serial, i, serial % 97);
		r[i] = (struct env_rcpt){ .type = ROUTE_REMOTE,
		    .state = RCPT_WAIT, .next = (uint32_t)now_sec() + 3600,
		    .address = slice_str(addr[i]), .orig = { "", 0 } };
	}
	c.env = (struct envelope){ .received = now_sec(),
	    .sid = SLICE_LIT("s1"), .sender = SLICE_LIT("a@b.test"),
	    .folder = { "", 0 }, .trace = { "", 0 }, .ticket = { "", 0 } };
	memcpy(c.env.commit.b, &serial, sizeof(serial));
	c.env.commit.b[15] = 1;
	c.body[0] = SLICE_LIT(TEXT);
	commit_add(&c);
}

/* Every recipient was tried, and its host said much. */
static bool
defer_message(struct message *m, void *arg)
{
	static char said[400];
	struct item_result r = { .result = DELIVERY_TEMP,
	    .status = SLICE_LIT("4.4.1"), .mta = SLICE_LIT("mx.many.test") };
	unsigned int *n = arg, i;

	for (i = 0; i < m->nrcpt; i++, ++*n) {
		memset(said, 'w', sizeof(said) - 1);
		snprintf(said, 16, "%u", *n % WORDS);
		said[strlen(said)] = ' ';
		r.text = slice_str(said);
		result_rcpt(m, i, &r);
	}
	result_end(m);
	return true;
}

static void
many_quiet(void)
{
	begin();
	log_setlevel(LOG_L_WARN);
	conf->queue.retry_min = conf->queue.retry_max = 7200;
}

static void
many_first(void)
{
	unsigned int i, n = 0, tried = 0, per;

	many_quiet();
	for (i = 0; n < many; i++, n += per) {
		per = i % 4 == 0 ? SEVERAL : 1;
		if (per > many - n)
			per = many - n;
		send_many(i, per);
	}
	commit_run();
	CHECK(nanswers == i);
	each_message(defer_message, &tried);
	CHECK(tried == many);
	CHECK(qlog_sync() == 0);
}

static bool
count_deferred(struct message *m, void *arg)
{
	unsigned int *n = arg, i;

	for (i = 0; i < m->nrcpt; i++) {
		CHECK(m->rcpt[i].state == RCPT_WAIT);
		CHECK(m->rcpt[i].attempts == 1);
		CHECK(strncmp(rcpt_error(&m->rcpt[i]), "4.4.1 mx.many.test",
		    18) == 0);
	}
	*n += m->nrcpt;
	return true;
}

static unsigned long
resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f != NULL && fscanf(f, "%lu %lu", &size, &pages) == 2);
	fclose(f);
	return pages * 4096 / 1024 / 1024;
}

/* Read, and written anew while recipients are tried again. */
static void
many_second(void)
{
	uint64_t start = now_ms();
	unsigned int n = 0, tried = 0, turns = 0;
	int k;

	many_quiet();
	printf("# %u recipients: read in %llu ms, %lu MiB\n", many,
	    (unsigned long long)(now_ms() - start), resident());
	fflush(stdout);
	/* the segments that are read and the log's window do not stay */
	CHECK(resident() < 48 + many / 2500);
	each_message(count_deferred, &n);
	CHECK(n == many);
	CHECK(rewrite_begin() == 0);
	while ((k = rewrite_turn()) == 1 && ++turns)
		if (turns == 3)
			each_message(defer_message, &tried);
	CHECK(k == 0 && turns > many / 10000);
	CHECK(tried == many);
}

/* All of the second attempt is in the file that took the place. */
static bool
count_twice(struct message *m, void *arg)
{
	unsigned int i;

	for (i = 0; i < m->nrcpt; i++)
		CHECK(m->rcpt[i].attempts == 2);
	*(unsigned int *)arg += m->nrcpt;
	return true;
}

static void
many_third(void)
{
	unsigned int n = 0;

	many_quiet();
	each_message(count_twice, &n);
	CHECK(n == many);
}

static void
test_many(void **state)
{
	if (getenv("MANY") != NULL)
		many = (unsigned int)atoi(getenv("MANY"));
	empty_spool();
	in_child(many_first);
	in_child(many_second);
	in_child(many_third);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
