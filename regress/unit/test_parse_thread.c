/*
 * Threads (RFC 5256 section 3): small ones by hand, and 100,000 messages that
 * want to make it slow, deep or endless.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/subject.h"
#include "parse/thread.h"

#define MANY	100000

struct msg {
	const char	*id, *refs, *subject;
	int64_t		 date;
};

static const uint8_t key[16] = "0123456789abcde";

static void
add(struct thread *t, uint32_t number, int64_t date, const char *id,
    const char *refs, const char *subject)
{
	struct thread_msg m = { .number = number, .date = date,
	    .id = slice_str(id), .refs = slice_str(refs) };

	m.subject = subject_base(slice_str(subject), &m.reply);
	assert_int_equal(thread_add(t, &m), 0);
}

/* What thread_next() gives, as a text. */
static void
text_of(struct thread *t, char *out, size_t size)
{
	enum thread_token token, last = THREAD_OPEN;
	uint32_t number;
	size_t k = 0;

	while ((token = thread_next(t, &number)) != THREAD_END) {
		assert_true(k + 16 < size);
		if (last == THREAD_NUMBER && token != THREAD_CLOSE)
			out[k++] = ' ';
		if (token == THREAD_NUMBER)
			k += (size_t)snprintf(out + k, size - k, "%u", number);
		else
			out[k++] = token == THREAD_OPEN ? '(' : ')';
		last = token;
	}
	out[k] = '\0';
	assert_int_equal(thread_next(t, &number), THREAD_END);
}

static void
threads_are(enum thread_how how, const struct msg *m, const char *want)
{
	struct thread *t = thread_new(how, key);
	char text[1000];
	uint32_t i;

	for (i = 0; m[i].id != NULL; i++)
		add(t, i + 1, m[i].date, m[i].id, m[i].refs, m[i].subject);
	assert_int_equal(thread_make(t), 0);
	text_of(t, text, sizeof(text));
	assert_string_equal(text, want);
	thread_free(t);
}

#define REFERENCES_ARE(want, ...) threads_are(THREAD_REFERENCES,	\
	    (const struct msg[]){ __VA_ARGS__, { 0 } }, want)
#define REFS_ARE(want, ...) threads_are(THREAD_REFS,			\
	    (const struct msg[]){ __VA_ARGS__, { 0 } }, want)
#define ORDERED_ARE(want, ...) threads_are(THREAD_ORDEREDSUBJECT,	\
	    (const struct msg[]){ __VA_ARGS__, { 0 } }, want)

static void
test_references(void **state)
{
	threads_are(THREAD_REFERENCES, (const struct msg[]){ { 0 } }, "");
	REFERENCES_ARE("(1)", { "<1@x>", "", "", 0 });
	REFERENCES_ARE("(1 2 3)", { "<1@x>", "", "", 0 },
	    { "<2@x>", "<1@x>", "", 1 }, { "<3@x>", "<1@x> <2@x>", "", 2 });
	REFERENCES_ARE("(1 (2)(3))", { "<1@x>", "", "", 0 },
	    { "<2@x>", "<1@x>", "", 1 }, { "<3@x>", "<1@x>", "", 2 });
	/* children by date, whatever their place */
	REFERENCES_ARE("(1 (3)(2))", { "<1@x>", "", "", 0 },
	    { "<2@x>", "<1@x>", "", 2 }, { "<3@x>", "<1@x>", "", 1 });
	/* a parent that comes later, or never */
	REFERENCES_ARE("(3 1 2)", { "<2@x>", "<1@x>", "", 0 },
	    { "<3@x>", "<1@x> <2@x>", "", 1 }, { "<1@x>", "", "", 2 });
	REFERENCES_ARE("(1)", { "<2@x>", "<1@x>", "", 0 });
	REFERENCES_ARE("((1)(2))", { "<2@x>", "<1@x>", "", 0 },
	    { "<3@x>", "<1@x>", "", 1 });
	REFERENCES_ARE("((1)(2))", { "<2@x>", "<0@x> <1@x>", "", 0 },
	    { "<3@x>", "<0@x> <5@x> <6@x>", "", 1 });
	/* a dummy between two messages */
	REFERENCES_ARE("(1 2)", { "<1@x>", "", "", 0 },
	    { "<3@x>", "<1@x> <2@x>", "", 1 });
	/* what a message says itself counts more than what others said */
	REFERENCES_ARE("(1)(3 2)", { "<1@x>", "", "", 0 },
	    { "<3@x>", "<1@x> <2@x> <4@x>", "", 1 },
	    { "<2@x>", "", "", 2 });
	/* but for one that says nothing others may say it later */
	REFERENCES_ARE("(1 (2 3)(4))", { "<1@x>", "", "", 0 },
	    { "<2@x>", "", "", 1 }, { "<3@x>", "<1@x> <2@x>", "", 2 },
	    { "<4@x>", "<1@x>", "", 3 });
	/* no loops */
	REFERENCES_ARE("(2 1)", { "<1@x>", "<2@x>", "", 0 },
	    { "<2@x>", "<1@x>", "", 1 });
	REFERENCES_ARE("(1)", { "<1@x>", "<1@x>", "", 0 });
	/* the first of an id has it; quoting makes no other id */
	REFERENCES_ARE("(1 3)(2)", { "<1@x>", "", "", 0 },
	    { "<1@x>", "", "", 1 }, { "<2@x>", "<1@x>", "", 2 });
	REFERENCES_ARE("(1 2)", { "<\"a\\b\"@x>", "", "", 0 },
	    { "<2@x>", "<ab@x>", "", 1 });
	REFERENCES_ARE("(1)(2)", { "<a@x>", "", "", 0 },
	    { "<2@x>", "<A@x>", "", 1 });
	REFERENCES_ARE("(1)(2)", { "", "", "", 0 }, { "", "none", "", 1 });
}

static void
test_subjects(void **state)
{
	REFERENCES_ARE("(1 2)", { "", "", "a", 0 }, { "", "", "Re: a", 1 });
	REFERENCES_ARE("(2 1)", { "", "", "Re: a", 0 }, { "", "", "a", 1 });
	REFERENCES_ARE("((1)(2))", { "", "", "a", 0 }, { "", "", "a", 1 });
	REFERENCES_ARE("((1)(2)(3))", { "", "", "a", 0 }, { "", "", "a", 1 },
	    { "", "", "a", 2 });
	REFERENCES_ARE("(1)(2)", { "", "", "", 0 }, { "", "", "Re:", 1 });
	REFERENCES_ARE("(1)(2)", { "", "", "a", 0 }, { "", "", "b", 1 });
	/* a blob makes no reply, "(fwd)" and "[fwd: ]" do */
	REFERENCES_ARE("((1)(2))", { "", "", "[l] a", 0 },
	    { "", "", "a", 1 });
	REFERENCES_ARE("(1 (2)(3))", { "", "", "a", 0 },
	    { "", "", "a (fwd)", 1 }, { "", "", "[fwd: a]", 2 });
	/* a dummy takes the others, and two of them are one */
	REFERENCES_ARE("((1)(2)(3))", { "", "<0@x>", "a", 0 },
	    { "", "<0@x>", "b", 1 }, { "", "", "a", 2 });
	REFERENCES_ARE("((1)(2)(3)(4))", { "", "<0@x>", "a", 0 },
	    { "", "<0@x>", "a", 1 }, { "", "<9@x>", "a", 2 },
	    { "", "<9@x>", "a", 3 });
	/* the message that was merged is older than the thread */
	REFERENCES_ARE("(2)((1)(3))", { "", "", "a", 5 }, { "", "", "b", 4 },
	    { "", "", "a", 6 });
}

static void
test_others(void **state)
{
	ORDERED_ARE("(1 3)(2)", { "", "", "a", 0 }, { "", "", "b", 1 },
	    { "", "", "Re: a", 2 });
	ORDERED_ARE("(2)(3 (4)(1))", { "", "", "a", 9 }, { "", "", "b", 1 },
	    { "", "", "a", 2 }, { "", "", "a", 3 });
	ORDERED_ARE("(1 2)", { "<1@x>", "", "", 0 }, { "<2@x>", "", "", 1 });
	/* no subjects, and the thread with the newest message last */
	REFS_ARE("(2)(1 3)", { "<1@x>", "", "a", 0 }, { "", "", "a", 1 },
	    { "", "<1@x>", "b", 2 });
	REFS_ARE("(3)((1)(2))", { "", "<0@x>", "a", 0 },
	    { "", "<0@x>", "a", 9 }, { "", "", "", 4 });
}

static void
test_reply(void **state)
{
	static const struct { const char *subject, *base; int reply; } v[] = {
		{ "a", "a", 0 }, { "Re: a", "a", 1 }, { "[b] a", "a", 0 },
		{ "[b] [c] re[d] : a", "a", 1 }, { "a (FWD) ", "a", 1 },
		{ "[fwd:]", "", 1 }, { "[b]", "[b]", 0 }, { "[b][c]", "[c]", 0 },
		{ "[b] re", "re", 0 }, { "Fwd:", "", 1 }, { "[a [b] x", "[a [b] x",
		    0 }, { "", "", 0 },
	};
	struct slice s;
	size_t i;
	int reply;

	for (i = 0; i < NITEMS(v); i++) {
		s = subject_base(slice_str(v[i].subject), &reply);
		assert_true(slice_is(s, v[i].base));
		assert_int_equal(reply, v[i].reply);
	}
}

/* Every number once, parentheses in pairs. */
static void
check_all(struct thread *t, uint32_t n)
{
	char *seen = calloc(n + 1, 1);
	enum thread_token token;
	size_t depth = 0, numbers = 0;
	uint32_t number;

	assert_int_equal(thread_make(t), 0);
	while ((token = thread_next(t, &number)) != THREAD_END) {
		depth += token == THREAD_OPEN;
		if (token == THREAD_CLOSE)
			assert_true(depth-- > 0);
		if (token != THREAD_NUMBER)
			continue;
		assert_true(number >= 1 && number <= n && !seen[number]);
		seen[number] = 1;
		numbers++;
	}
	assert_int_equal(depth, 0);
	assert_int_equal(numbers, n);
	free(seen);
	thread_free(t);
}

static void
many(uint32_t (*id)(uint32_t), uint32_t (*ref)(uint32_t, uint32_t),
    uint32_t nrefs)
{
	struct thread *t = thread_new(THREAD_REFERENCES, key);
	char a[32], refs[200 * 16];
	uint32_t i, k;
	size_t n;

	for (i = 0; i < MANY; i++) {
		snprintf(a, sizeof(a), "<%u@x>", id(i));
		refs[0] = '\0';
		for (k = n = 0; k < nrefs; k++)
			n += (size_t)snprintf(refs + n, sizeof(refs) - n,
			    "<%u@x>", ref(i, k));
		add(t, i + 1, i, a, refs, i % 3 == 0 ? "s" : "Re: s");
	}
	check_all(t, MANY);
}

static uint32_t same(uint32_t i) { return i; }
static uint32_t backwards(uint32_t i) { return MANY - i; }
static uint32_t shuffled(uint32_t i) { return i * 7919U % MANY; }
static uint32_t before(uint32_t i, uint32_t k) { return i - 1 - k; }
static uint32_t behind(uint32_t i, uint32_t k) { return (i + 1 + k) % MANY; }
static uint32_t below(uint32_t i, uint32_t k) { return MANY - i - 1 - k; }
static uint32_t one(uint32_t i, uint32_t k) { return 7; }
static uint32_t next(uint32_t i, uint32_t k) { return shuffled(i) + 1; }
static uint32_t any(uint32_t i, uint32_t k)
{
	return (i * 2654435761U + k * 40503U) >> 7 & 0x1ffff;
}
/* The two ends of chains that have grown as long as they get. */
static uint32_t
far_end(uint32_t i, uint32_t k)
{
	return i < MANY / 2 ? i - 1 : (i * 40503U + k) % (MANY / 2);
}
/* Half of them again, as messages that refer to what is deep. */
static uint32_t
half(uint32_t i)
{
	return i < MANY / 2 ? i : i - MANY / 2;
}

static void
test_many(void **state)
{
	many(same, before, 1);	/* as deep as the mailbox */
	many(backwards, below, 1);
	many(same, behind, 3);	/* all in one cycle */
	many(shuffled, next, 1);
	many(same, one, 3);
	many(same, any, 5);
	many(same, far_end, 5);
	many(half, far_end, 5);
}

/* More ids than there may be are refused, and what is there can be freed. */
static void
test_limit(void **state)
{
	struct thread *t = thread_new(THREAD_REFS, key);
	struct thread_msg m = { .number = 1 };
	char id[32];
	uint32_t i, n = THREAD_NODES_MAX + 2;

	for (i = 0; i < n; i++) {
		m.refs = slice_of(id, (size_t)snprintf(id, sizeof(id),
		    "<%u@x>", i));
		m.number = i + 1;
		if (thread_add(t, &m) == -1)
			break;
	}
	assert_true(i > THREAD_NODES_MAX / 2 - 2 && i < n);
	thread_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
