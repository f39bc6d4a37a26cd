/*
 * What a command of the operator selects, and the walk through the queue in
 * turns.
 */
#include "base/slice.h"
#include "queue/select.h"
#include "queue_test.h"

static struct selection sel;

/* The words of a command; NULL, or what is wrong with them. */
static const char *
words(const char *first, ...)
{
	static uint8_t buf[8192];
	struct item_arg it = { slice_str(first) };
	size_t n = 0;
	va_list ap;
	const char *w;

	selection_free(&sel);
	va_start(ap, first);
	for (w = first; w != NULL; w = va_arg(ap, const char *)) {
		it.text = slice_str(w);
		assert_int_equal(item_arg_put(buf, sizeof(buf), &n, &it), 0);
	}
	va_end(ap);
	return selection_parse(&sel, slice_of((char *)buf, n), 0);
}

static void
test_words(void **state)
{
	struct item_arg it = { SLICE_LIT("12.3") };
	static uint8_t buf[8192];
	size_t n = 0, i;

	assert_null(words("12.3", "--from", "a@b.test", "4.5", NULL));
	assert_int_equal(sel.nid, 2);
	assert_true(selection_narrows(&sel));
	assert_null(words("--account", "17", NULL));
	assert_true(sel.account_known && sel.account == 17);
	assert_null(words("--account", "a@b.test", NULL));
	assert_false(sel.account_known);
	assert_null(words("all", NULL));
	assert_true(sel.all && !selection_narrows(&sel));
	assert_non_null(words("all", "12.3", NULL));
	assert_non_null(words("all", "--to", "x@y.test", NULL));
	assert_non_null(words("--from", NULL));
	assert_non_null(words("--from", "a@b", "--from", "b@b", NULL));
	assert_non_null(words("--form", "a@b", NULL));
	for (i = 0; i < SELECT_IDS; i++)
		assert_int_equal(item_arg_put(buf, sizeof(buf), &n, &it), 0);
	selection_free(&sel);
	assert_null(selection_parse(&sel, slice_of((char *)buf, n), 0));
	assert_int_equal(item_arg_put(buf, sizeof(buf), &n, &it), 0);
	selection_free(&sel);
	assert_non_null(selection_parse(&sel, slice_of((char *)buf, n), 0));
	selection_free(&sel);
	assert_null(selection_parse(&sel, slice_of("", 0), 0));
	assert_false(sel.all || selection_narrows(&sel));
}

static struct message *
make_message(const char *sender, uint32_t account, const char *to,
    const char *orig)
{
	static uint8_t buf[4096];
	struct envelope e = { .account = account, .sid = SLICE_LIT("s"),
	    .sender = slice_str(sender), .folder = { "", 0 },
	    .trace = { "", 0 }, .ticket = { "", 0 }, .nrcpt = 1 };
	struct env_rcpt r = { .type = ROUTE_REMOTE, .state = RCPT_WAIT,
	    .address = slice_str(to), .orig = slice_str(orig) };
	struct frame_hdr h = { 0 };
	size_t n = 0;

	assert_int_equal(env_put(buf, sizeof(buf), &n, &e), 0);
	assert_int_equal(env_rcpt_put(buf, sizeof(buf), &n, &r), 0);
	assert_int_equal(env_get(buf, n, &e), 0);
	return message_new(&e, &h);
}

static bool
selected(const struct message *m)
{
	return selection_message(&sel, m) &&
	    selection_rcpt(&sel, m, &m->rcpt[0]);
}

static void
test_matches(void **state)
{
	struct message *m = make_message("Ann@B.test", 7, "c@d.test",
	    "list@b.test"), *null = make_message("", 0, "x@sub.d.test", "");

	assert_null(words("--from", "ann@b.TEST", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--from", "@b.test", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--from", "<>", NULL));
	assert_true(!selected(m) && selected(null));
	/* a script's empty variable is not the null sender */
	assert_non_null(words("--from", "", NULL));
	assert_non_null(words("--to", "c", NULL));
	assert_null(words("--to", "Postmaster", NULL));
	assert_true(!selected(m) && !selected(null));
	assert_null(words("--domain", "@d.test", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--to", "C@d.test", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--to", "list@b.test", NULL));
	assert_true(selected(m));
	assert_null(words("--to", "@d.test", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--domain", "D.test", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--account", "7", NULL));
	assert_true(selected(m) && !selected(null));
	assert_null(words("--account", "7", "--domain", "d.test", "--from",
	    "@b.test", NULL));
	assert_true(selected(m));
	assert_null(words("--account", "7", "--domain", "e.test", NULL));
	assert_false(selected(m));
	assert_null(words("--account", "8", "--domain", "d.test", NULL));
	assert_false(selected(m));
	message_free(m);
	message_free(null);
	selection_free(&sel);
}

/* ---- the walk ----------------------------------------------------------- */

struct walked {
	unsigned int	 messages, turn, largest;
	bool		 end;		/* each message that is met */
};

static bool
walk_one(struct message *m, void *arg)
{
	struct walked *w = arg;
	unsigned int i;

	w->messages++;
	w->turn += m->nrcpt;
	for (i = 0; w->end && i < m->nrcpt; i++)
		result_done(m, i);
	if (w->end)
		result_end(m);
	return w->messages % 7 != 0;	/* that was enough, it says */
}

static unsigned int
walk_all(struct walked *w)
{
	struct walk walk = { 0 };
	unsigned int turns = 1;

	w->messages = w->largest = w->turn = 0;
	for (; walk_turn(&walk, walk_one, w); turns++) {
		if (w->turn > w->largest)
			w->largest = w->turn;
		w->turn = 0;
	}
	return turns;
}

static void
walk_child(void)
{
	struct walked w = { .end = false };
	unsigned int i;

	begin();
	send_next = UINT32_MAX;
	for (i = 0; i < 40; i++)
		send_for((uint8_t)i, 7, i % 3 == 0 ? 1000 : 1);
	commit_run();
	CHECK(nanswers == 40 && last_result == QUEUE_OK);
	CHECK(walk_all(&w) > 5);
	CHECK(w.messages == 40 && w.largest < 4096 + 1000);
	w.end = true;
	(void)walk_all(&w);
	CHECK(w.messages == 40 && ndone == 40 && account_waiting(7) == 0);
	w.end = false;
	CHECK(walk_all(&w) == 1 && w.messages == 0);
}

static void
test_walk(void **state)
{
	empty_spool();
	in_child(walk_child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_walk),
	};

	proc_conf_use(conf_new());
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
