/*
 * Aggregate reports without their neighbours: the text for hostile values,
 * rows and records in and out, the journal cut at every octet, what is
 * counted and what has no room, when a report is due, who is told.
 */
#include "compat.h"

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

#include "parse.h"
#include "verify.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "util.h"
#include "../../report/out.h"
#include "../../report/out_agg.h"
#include "cut.h"

#define RECORD	"v=DMARC1; p=reject; rua=mailto:agg@a.test"

static struct period *loaded[8];
static size_t nloaded;

/* neighbours */

struct chan *
out_dns(void)
{
	return NULL;
}

struct chan *
out_queue(void)
{
	return NULL;
}

const struct conf *
out_conf(void)
{
	return NULL;
}

/* ---- text --------------------------------------------------------------- */

struct sink {
	char	 p[65536];
	size_t	 n;
};

static void
take(void *arg, const char *p, size_t n)
{
	struct sink *s = arg;

	assert_true(n < sizeof(s->p) - s->n);
	memcpy(s->p + s->n, p, n);
	s->n += n;
	s->p[s->n] = '\0';
}

static const char *
text_of(const char *p, size_t n, size_t max)
{
	static struct sink s;

	s.n = 0;
	s.p[0] = '\0';
	xml_text(take, &s, slice_of(p, n), max);
	assert_true(utf8_valid(s.p, s.n));
	return s.p;
}

static void
test_text(void **state)
{
	static const struct { const char *in, *out; } v[] = {
		{ "plain", "plain" },
		{ "<a b=\"c\">&'", "&lt;a b=\"c\"&gt;&amp;'" },
		{ "]]>", "]]&gt;" }, { "a\tb\r\nc", "a?b??c" },
		{ "\x01\x1f\x7f", "???" }, { "\xc3\xa4", "\xc3\xa4" },
		{ "\xc3", "?" }, { "\xc3(", "?(" }, { "\xff\xfe", "??" },
		{ "\xc0\x80", "??" }, { "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" }, { "\xef\xbf\xbe", "?" },
		{ "\xef\xbf\xbf", "?" }, { "\xc2\x80", "?" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};
	size_t i;

	for (i = 0; i < NITEMS(v); i++)
		assert_string_equal(text_of(v[i].in, strlen(v[i].in), 512),
		    v[i].out);
	assert_string_equal(text_of("a\0b", 3, 512), "a?b");
	assert_string_equal(text_of("aa\xc3\xa4", 4, 3), "aa");
	for (i = 0; i < 256; i++)
		text_of((char []){ (char)i, 'x', (char)i }, 3, 512);
}

static struct report_row
sample(void)
{
	return (struct report_row){ .ip = { 4, { 192, 0, 2, 1 } },
	    .pass = true, .enforced = true, .dkim = true,
	    .spf_result = SPF_SOFTFAIL, .override = OVERRIDE_LOCAL_POLICY, .comment = SLICE_LIT("Why"),
	    .from = SLICE_LIT("A.test"), .sender = SLICE_LIT("b.test"),
	    .rcpt = SLICE_LIT("c.test"), .spf_domain = SLICE_LIT("d.test"),
	    .nsig = 1, .sig = { { DKIM_PASS, SLICE_LIT("e.test"),
	    SLICE_LIT("s") } } };
}

static void
test_row_xml(void **state)
{
	static struct sink s;
	struct report_row r = sample();

	s.n = 0;
	xml_row(take, &s, &r, 7);
	assert_non_null(strstr(s.p, "<source_ip>192.0.2.1</source_ip>"));
	assert_non_null(strstr(s.p, "<count>7</count>"));
	assert_non_null(strstr(s.p, "<disposition>pass</disposition>"));
	assert_non_null(strstr(s.p, "<type>local_policy</type>"));
	assert_non_null(strstr(s.p, "<result>softfail</result>"));
	assert_non_null(strstr(s.p, "<scope>mfrom</scope>"));
	r.enforced = false;		/* p=none: there is no action */
	s.n = 0;
	xml_row(take, &s, &r, 7);
	assert_non_null(strstr(s.p, "<disposition>none</disposition>"));
	r.pass = false;
	r.disposition = REPORT_QUARANTINE;
	r.spf_domain.n = 0;
	r.ip = (struct ipaddr){ 6, { [10] = 0xff, 0xff, 1, 2, 3, 4 } };
	s.n = 0;
	xml_row(take, &s, &r, 1);
	assert_non_null(strstr(s.p, "<disposition>quarantine</"));
	assert_non_null(strstr(s.p, "<source_ip>0:0:0:0:0:ffff:102:304</"));
	assert_null(strstr(s.p, "<spf>\n"));
}

static void
test_policy_xml(void **state)
{
	static const struct { const char *record, *want; } v[] = {
		{ "v=DMARC1; p=reject", "<p>reject</p>\n  <sp>reject</sp>\n"
		    "  <np>reject</np>\n  <fo>0</fo>\n  <adkim>r</adkim>\n"
		    "  <aspf>r</aspf>\n  <testing>n</testing>" },
		{ "v=DMARC1; p=quarantine; sp=none; np=reject; t=y; aspf=s; "
		    "fo=d:s", "<p>quarantine</p>\n  <sp>none</sp>\n"
		    "  <np>reject</np>\n  <fo>d:s</fo>\n  <adkim>r</adkim>\n"
		    "  <aspf>s</aspf>\n  <testing>y</testing>" },
		{ "v=DMARC1; p=none; fo=1:0", "<fo>0:1</fo>" },
	};
	static struct sink s;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		struct xml_head h = { .organization = "o", .contact = "c@x",
		    .generator = "g", .id = "i", .domain = "a.test",
		    .record = v[i].record, .begin = 10, .end = 19 };

		s.n = 0;
		xml_head(take, &s, &h);
		assert_non_null(strstr(s.p, v[i].want));
		assert_non_null(strstr(s.p, "<begin>10</begin>"));
		assert_null(strstr(s.p, "<error>"));
	}
}

/* ---- rows and records --------------------------------------------------- */

static void
row_cut(char *p, size_t n)
{
	struct report_row r;

	row_get((uint8_t *)p, n, &r);
}

static void
test_row(void **state)
{
	struct report_row r = sample(), back;
	uint8_t b[ROW_MAX], again[ROW_MAX];
	static char big[4096];
	size_t n = row_put(b, &r), i;

	assert_int_equal(row_get(b, n, &back), 0);
	assert_true(slice_is(back.from, "a.test"));
	assert_true(slice_is(back.comment, "Why"));
	assert_int_equal(row_put(again, &back), n);
	assert_memory_equal(again, b, n);
	for (i = 0; i < n; i++)
		assert_int_equal(row_get(b, i, &back), -1);
	b[n] = 0;
	assert_int_equal(row_get(b, n + 1, &back), -1);
	cut_each((char *)b, n, row_cut);
	/* the longest there is */
	memset(big, 'x', sizeof(big));
	r.comment = r.from = r.sender = r.rcpt = r.spf_domain =
	    slice_of(big, sizeof(big));
	r.ip.family = 6;
	for (i = 0; i < DKIM_VERIFY_MAX; i++)
		r.sig[i] = (struct row_dkim){ DKIM_FAIL,
		    slice_of(big, sizeof(big)), slice_of(big, 500) };
	r.nsig = DKIM_VERIFY_MAX;
	n = row_put(b, &r);
	assert_true(n <= ROW_MAX);
	assert_int_equal(row_get(b, n, &back), 0);
}

static void
test_signatures_best_first(void **state)
{
	static const struct item_dkim v[] = {
		{ DKIM_FAIL, SLICE_LIT("a.test"), SLICE_LIT("1"), { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("z.test"), SLICE_LIT("2"), { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("sub.a.test"), SLICE_LIT("3"),
		    { "", 0 } },
		{ DKIM_PASS, SLICE_LIT("A.test"), SLICE_LIT("4"), { "", 0 } },
	};
	uint8_t b[2048];
	struct report_mail_ev ev = { .author = SLICE_LIT("a.test"),
	    .dkim_aligned = 1, .peer = { .family = 4 } };
	struct report_row r;
	size_t i, n = 0;

	for (i = 0; i < NITEMS(v); i++)
		assert_int_equal(item_dkim_put(b, sizeof(b), &n, &v[i]), 0);
	ev.dkim = slice_of((char *)b, n);
	row_of(&ev, &r);
	assert_int_equal(r.nsig, 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(r.sig[i].selector.p[0], "4321"[i]);
}

static void
test_records(void **state)
{
	struct report_row row = sample();
	uint8_t key[ROW_MAX], b[REC_MAX], again[REC_MAX];
	size_t keyn = row_put(key, &row), n, i;
	struct rec v[] = {
		{ .type = REC_DOMAIN, .no = 3, .at = SLICE_LIT("a.test"),
		    .record = SLICE_LIT(RECORD) },
		{ .type = REC_ROW, .no = 9, .domain = 3,
		    .key = slice_of((char *)key, keyn) },
		{ .type = REC_COUNT, .no = 9, .n = 1ULL << 40 },
		{ .type = REC_LOST, .no = REC_NODOMAIN, .n = 5 },
		{ .type = REC_TARGET, .no = 3, .target = { 2, TARGET_DROPPED,
		    500, 3, 70000, 1ULL << 33, SLICE_LIT("no") } },
		{ .type = REC_DONE, .no = 3 },
	}, r;

	for (i = 0; i < NITEMS(v); i++) {
		n = rec_put(b, &v[i], 77);
		assert_true(n % 8 == 0 && n <= REC_MAX);
		assert_int_equal(rec_get(b, n, 77, &r), n);
		assert_int_equal(rec_put(again, &r, 77), n);
		assert_memory_equal(again, b, n);
		assert_int_equal(rec_get(b, n, 78, &r), 0);
		assert_int_equal(rec_get(b, n - 1, 77, &r), 0);
		b[n / 2] ^= 1;
		assert_int_equal(rec_get(b, n, 77, &r), 0);
	}
}

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

static void
test_unreadable(void **state)
{
	static const char name[] = "agg.00000000000000086400";
	static const char aside[] = "agg.00000000000000086400.bad";
	struct rec_file f = { 0, 86400, 172800 };
	uint8_t key[JOURNAL_KEY];
	struct period *p;
	struct stat st, was;
	int fd = scratch(), i, file;

	journal_init(fd, on_period, key);
	p = period_new(&f);
	journal_open(p);
	for (i = 0; i < 10; i++) {
		count(p, "a.test", RECORD, i);
		journal_write(p);
		if (i == 5)
			unreadable = p->off;
	}
	close(p->fd);
	period_free(p);
	assert_int_equal(fstatat(fd, name, &was, 0), 0);
	p = reload(fd);
	unreadable = 0;
	assert_non_null(p);
	assert_int_equal(messages(p), 6);
	assert_int_equal(fstatat(fd, aside, &st, 0), 0);
	assert_true(st.st_ino == was.st_ino && st.st_size == was.st_size);
	count(p, "a.test", RECORD, 1);	/* and goes on */
	journal_sync(p);
	close(p->fd);
	period_free(p);
	p = reload(fd);
	assert_int_equal(messages(p), 7);
	close(p->fd);
	period_free(p);
	/* another version, a year from now */
	file = openat(fd, name, O_RDWR);
	assert_int_equal(pwrite(file, "MAILDAG2", 8, 0), 8);
	assert_int_equal(fstat(file, &was), 0);
	close(file);
	assert_null(reload(fd));
	assert_int_equal(fstatat(fd, name, &st, 0), -1);
	assert_int_equal(fstatat(fd, aside, &st, 0), 0);
	assert_true(st.st_ino == was.st_ino && st.st_size == was.st_size);
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

static void
test_spread(void **state)
{
	struct rec_file f = { 0, 86400, 2 * 86400 };
	struct period *p = period_new(&f);
	unsigned int hour[13] = { 0 };
	struct domain d = { .period = p };
	char at[40];
	uint64_t due;
	int i;

	d.at = at;
	for (i = 0; i < 12000; i++) {
		snprintf(at, sizeof(at), "d%d.test", i);
		due = domain_due(&d);
		assert_true(due >= f.end && due <= f.end + 43200);
		assert_int_equal(due, domain_due(&d));
		hour[(due - f.end) / 3600]++;
	}
	for (i = 0; i < 12; i++)
		assert_in_range(hour[i], 800, 1200);
	period_free(p);
}

/* ---- who is told -------------------------------------------------------- */

static void
address_cut(char *p, size_t n)
{
	struct dest d;
	struct slice rest = slice_of(p, n);

	dest_address(slice_of(p, n), &d);
	while (dest_next(&rest, NULL, 0, &d))
		;
}

static void
test_addresses(void **state)
{
	static const struct { const char *uri, *address, *host; } v[] = {
		{ "mailto:a@b.test", "a@b.test", "b.test" },
		{ "MAILTO:A@B.test", "A@b.test", "b.test" },
		{ "mailto:a%2bb@b.test?subject=x", "a+b@b.test", "b.test" },
		{ "mailto:a@b.test,c@d.test", "a@b.test", "b.test" },
		{ "mailto:a@b%C3%BC.test", "a@xn--b-eha.test",
		    "xn--b-eha.test" },
		{ "mailto:%22a%20b%22@b.test", "\"a b\"@b.test", "b.test" },
		{ "mailto:", NULL, NULL }, { "mailto:a", NULL, NULL },
		{ "mailto:@b.test", NULL, NULL },
		{ "mailto:a@[192.0.2.1]", NULL, NULL },
		{ "mailto:a%0d%0a@b.test", NULL, NULL },
		{ "mailto:a%00@b.test", NULL, NULL },
		{ "mailto:a%@b.test", NULL, NULL },
		{ "mailto:a%4", NULL, NULL },
		{ "mailto:%C3%BC@b.test", NULL, NULL },
		{ "mailto:a%25c@b.test", NULL, NULL },
		{ "https://b.test/", NULL, NULL }, { "", NULL, NULL },
	};
	struct dest d, seen[3];
	struct slice rest = SLICE_LIT("mailto:a@b.test!5m,x:y,mailto:a@B.test,"
	    " mailto:c@b.test ,,mailto:a@b.test");
	size_t i, n = 0;

	for (i = 0; i < NITEMS(v); i++) {
		assert_int_equal(dest_address(slice_str(v[i].uri), &d),
		    v[i].address != NULL ? 0 : -1);
		cut_each(v[i].uri, strlen(v[i].uri), address_cut);
		if (v[i].address == NULL)
			continue;
		assert_string_equal(d.address, v[i].address);
		assert_string_equal(d.host, v[i].host);
	}
	while (n < 3 && dest_next(&rest, seen, n, &seen[n]))
		n++;
	assert_int_equal(n, 2);
	assert_string_equal(seen[1].address, "c@b.test");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_row_xml),
		cmocka_unit_test(test_policy_xml),
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_signatures_best_first),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_journal_cut),
		cmocka_unit_test(test_journal_anew),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_group_bytes),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_addresses),
	};

	log_init("test", open("/dev/null", O_WRONLY));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
