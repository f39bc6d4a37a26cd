/*
 * queue.log while it is written anew: ended after each piece, with changes
 * in between, the old file alone says all; records of a newer release stay.
 */
#include "base/slice.h"
#include "queue_test.h"

#define MESSAGES	400
#define RCPTS		50

/* Shared with the children: what they said is done, by commit id. */
static struct shared {
	unsigned int	 done[MESSAGES];	/* first recipients */
	unsigned int	 turns;
} *sh;

static void
send_to_many(uint16_t serial)
{
	static char addr[RCPTS][48];
	struct env_rcpt r[RCPTS];
	struct commit c = { .fd = -1, .rcpt = r, .nrcpt = RCPTS,
	    .size = sizeof(TEXT) - 1, .fn = answered };
	unsigned int i;

	for (i = 0; i < RCPTS; i++) {
		snprintf(addr[i], sizeof(addr[i]), "u%u@d%u.test", i, serial);
		r[i] = (struct env_rcpt){ .type = ROUTE_REMOTE,
		    .state = RCPT_WAIT, .next = (uint32_t)now_sec() + 9000,
		    .address = slice_str(addr[i]), .orig = { "", 0 } };
	}
	c.env = (struct envelope){ .received = now_sec(),
	    .account = serial, .sid = SLICE_LIT("s1"),
	    .sender = SLICE_LIT("a@b.test"), .folder = { "", 0 },
	    .trace = { "", 0 }, .ticket = { "", 0 } };
	memcpy(c.env.commit.b, &serial, sizeof(serial));
	c.env.commit.b[15] = 1;
	c.body[0] = SLICE_LIT(TEXT);
	commit_add(&c);
}

static bool
defer_first(struct message *m, void *arg)
{
	char text[32];
	unsigned int i;

	for (i = 0; i < m->nrcpt; i++) {
		snprintf(text, sizeof(text), "4.0.0 words %u",
		    (m->account + i) % 300);
		m->rcpt[i].attempts = 1;
		rcpt_error_set(&m->rcpt[i], text);
		qlog_add(&(struct log_rec){ .type = LOG_DEFER,
		    .seg = m->seg->id, .no = m->no, .rcpt = (uint16_t)i,
		    .attempts = 1, .next = m->rcpt[i].next,
		    .text_id = m->rcpt[i].error });
	}
	return true;
}

static void
fill_child(void)
{
	uint16_t i;

	begin();
	for (i = 0; i < MESSAGES; i++)
		send_to_many(i);
	commit_run();
	CHECK(nanswers == MESSAGES);
	each_message(defer_first, NULL);
	CHECK(qlog_sync() == 0);
}

/* One more recipient of every seventh message, and of one all. */
static bool
finish_some(struct message *m, void *arg)
{
	unsigned int *turn_no = arg, *done = &sh->done[m->account];

	if ((m->account + *turn_no) % 7 != 0)
		return true;
	do
		result_done(m, (*done)++);
	while (m->account % 50 == 11 && *done < RCPTS);
	result_end(m);
	return true;
}

/* Ended behind so many pieces, not in order. */
static void
cut_child(void)
{
	unsigned int i;
	int k = 1;

	begin();
	CHECK(rewrite_begin() == 0);
	for (i = 0; i < sh->turns && k == 1; i++) {
		each_message(finish_some, &i);
		CHECK((k = rewrite_turn()) != -1);
		each_message(finish_some, &i);
		CHECK(qlog_sync() == 0);
	}
	if (k == 0)
		sh->turns = UINT32_MAX;
}

static bool
look_message(struct message *m, void *arg)
{
	unsigned int i, *n = arg;
	char text[32];

	for (i = 0; i < RCPTS; i++) {
		CHECK((m->rcpt[i].state == RCPT_DONE) ==
		    (i < sh->done[m->account]));
		snprintf(text, sizeof(text), "4.0.0 words %u",
		    (m->account + i) % 300);
		if (i < sh->done[m->account])
			continue;
		CHECK(m->rcpt[i].attempts == 1);
		CHECK(strcmp(rcpt_error(&m->rcpt[i]), text) == 0);
	}
	++*n;
	return true;
}

static void
look_child(void)
{
	unsigned int i, n = 0, want = 0;

	begin();
	each_message(look_message, &n);
	for (i = 0; i < MESSAGES; i++)
		want += sh->done[i] < RCPTS;
	CHECK(n == want);
}

static void
test_rewrite_cut(void **state)
{
	unsigned int turns = 0;

	empty_spool();
	memset(sh, 0, sizeof(*sh));
	in_child(fill_child);
	do {
		sh->turns = turns;
		in_child(cut_child);
		in_child(look_child);
	} while (sh->turns != UINT32_MAX && ++turns < 100);
	assert_in_range(turns, 3, 20);
}

/* ---- records of a newer release --------------------------------------- */

#define NEWER	200

static void
newer_child(void)
{
	begin();
	send_one(1, "a@b.test", 1);
	turn();
	qlog_add(&(struct log_rec){ .type = LOG_WARNED });
	qlog_add(&(struct log_rec){ .type = NEWER, .no = 4711 });
	qlog_add(&(struct log_rec){ .type = NEWER + 1,
	    .flags = LOG_MAY_PASS, .rcpt = 5 });
	qlog_add(&(struct log_rec){ .type = NEWER + 2, .seg = 99 });
	qlog_add(&(struct log_rec){ .type = NEWER + 3,
	    .flags = LOG_MAY_PASS, .seg = 99 });
	CHECK(qlog_sync() == 0);
}

static unsigned int
newer_count(void)
{
	int fd = openat(spool_dir(), "queue.log", O_RDONLY);
	struct log_reader r;
	struct log_rec rec;
	const uint8_t *octets;
	unsigned int n = 0;
	size_t len;

	CHECK(log_reader_open(&r, fd, INT64_MAX) == 0);
	while (log_reader_next(&r, &rec, &octets, &len) == 1)
		if (rec.type == NEWER && rec.no == 4711)
			n++;
		else if (rec.type == NEWER + 1 && rec.rcpt == 5 &&
		    rec.flags == LOG_MAY_PASS)
			n += 10;
		else if (rec.type == NEWER + 2 && rec.seg == 99)
			n += 100;
		else if (rec.type >= LOG_TYPE_MAX)
			n += 1000;	/* of a segment that is gone */
	log_reader_close(&r);
	close(fd);
	return n;
}

static void
newer_stays_child(void)
{
	begin();
	CHECK(newer_count() == 111);
	CHECK(rewrite_now() == 0);
	CHECK(newer_count() == 111);
}

static void
test_newer_records(void **state)
{
	empty_spool();
	in_child(newer_child);
	in_child(newer_stays_child);
	in_child(newer_stays_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite_cut),
		cmocka_unit_test(test_newer_records),
	};

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
