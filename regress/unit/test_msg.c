/*
 * What keeps two adjacent releases able to talk: the list of messages is
 * only added to (msg.golden has the one of the last release), a body may end
 * before any field and have octets behind the last, items of lists too; but
 * what is cut within a field is refused.
 *
 *	build/regress/unit/msg print >regress/unit/msg.golden
 */
#include "base/compat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"

#define GOLDEN		"regress/unit/msg.golden"
#define FIELDS_MAX	32

/* ---- the list ------------------------------------------------------------ */

#define F(type, name, max)	" " #name ":" #type ":" #max
static const char *const fields_text[] = {
#define M(NAME, name, chan, no, side, flags) [NAME] = "" NAME##_FIELDS(F),
	MSG_LIST(M)
#undef M
};

static const struct {
	const char	*name, *fields;
} items[] = {
#define I(NAME, name) { #NAME, "" NAME##_FIELDS(F) },
	ITEM_LIST(I)
#undef I
};
#undef F

static void
print_list(FILE *f)
{
	const struct msg_info *m;
	size_t i;

	for (i = 0; i < ROLE_MAX; i++)
		fprintf(f, "role %zu %s\n", i, proc_name((enum proc_role)i));
	for (i = 0; i < NITEMS(items); i++)
		fprintf(f, "item %s%s\n", items[i].name, items[i].fields);
	for (i = 0; i < MSG_TYPE_MAX; i++) {
		m = &msg_info[i];
		fprintf(f, "0x%04x %s %c flags=0x%02x%s\n", m->number, m->name,
		    m->sender == SIDE_A ? 'A' : 'B', m->flags,
		    fields_text[i]);
	}
}

/* One of our lines begins as that one, up to a word's end. */
static bool
is_kept(const char *list, const char *line)
{
	size_t n = strcspn(line, "\n");
	const char *p;

	for (p = list; *p != '\0'; p += strcspn(p, "\n") + 1)
		if (strncmp(p, line, n) == 0 && (p[n] == ' ' || p[n] == '\n'))
			return true;
	return false;
}

static void
test_list_is_only_added_to(void **state)
{
	FILE *golden = fopen(GOLDEN, "r"), *f;
	char *list, line[1024];
	size_t n, changed = 0;

	assert_non_null(golden);
	assert_non_null(f = open_memstream(&list, &n));
	print_list(f);
	fclose(f);
	while (fgets(line, sizeof(line), golden) != NULL)
		if (!is_kept(list, line)) {
			print_error("no longer so: %s", line);
			changed++;
		}
	fclose(golden);
	free(list);
	if (changed > 0)
		fail_msg("the last release cannot be understood; before there "
		    "is a release: build/regress/unit/msg print >" GOLDEN);
}

/* ---- shorter and longer bodies ------------------------------------------- */

static char text[MSG_MAX];

/* A body whose texts have n octets each, and where its fields end. */
static size_t
fill(union msg_body *b, enum msg_type type, size_t len, size_t *end)
{
	size_t n = 0, at = 0;

#define NUM(f, w)		m->f = 5; at += (w); end[n++] = at;
#define FIXED(f)		memset(&m->f, 7, sizeof(m->f)); \
				at += sizeof(m->f); end[n++] = at;
#define TEXT(f, max)		m->f = slice_of(text, len < (max) ? len : \
				    (max));				\
				at += 2 + m->f.n; end[n++] = at;
#define FILL_u8(f, max)		NUM(f, 1)
#define FILL_u16(f, max)	NUM(f, 2)
#define FILL_u32(f, max)	NUM(f, 4)
#define FILL_u64(f, max)	NUM(f, 8)
#define FILL_mac(f, max)	FIXED(f)
#define FILL_id(f, max)		FIXED(f)
#define FILL_addr(f, max)	m->f.family = 6; at += 19; end[n++] = at;
#define FILL_str(f, max)	TEXT(f, max)
#define FILL_blob(f, max)	TEXT(f, max)
#define F(type, name, max)	FILL_##type(name, max)
#define M(NAME, lname, chan, no, side, flags)				\
	case NAME: {							\
		struct lname *m = &b->lname;				\
									\
		NAME##_FIELDS(F)					\
		break;							\
	}
	memset(b, 0, sizeof(*b));
	switch (type) {
	MSG_LIST(M)
	case MSG_TYPE_MAX:
		break;
	}
#undef M
#undef F
	return n;
}

static int
decode(const uint8_t *p, size_t n, const struct msg_info *info, struct msg *m)
{
	int nfd = info->flags & MF_FD ? 1 : info->flags & MF_FD2 ? 2 : 0;
	uint8_t *copy = malloc(n);	/* the sanitizer sees its end */
	const char *why;
	int r;

	memcpy(copy, p, n);
	r = msg_decode(copy, n, info->chan, info->sender, nfd, m, &why);
	free(copy);
	return r;
}

/* The first k fields arrived: they are the same, the others zero, which is
 * to say that they encode as such. */
static void
first_fields(const struct msg_info *info, enum msg_type type,
    const uint8_t *wire, size_t n, size_t all)
{
	static uint8_t back[MSG_MAX];
	static union msg_body got;
	struct msg m = { .body = &got };
	const char *why;
	int nfd = info->flags & MF_FD ? 1 : info->flags & MF_FD2 ? 2 : 0;
	ssize_t k;
	size_t i;

	memset(&got, 0xa5, sizeof(got));
	assert_int_equal(msg_decode(wire, n, info->chan, info->sender, nfd,
	    &m, &why), 0);
	assert_int_equal(m.type, type);
	k = msg_encode(back, type, m.id, &got);
	assert_in_range(k, n, all);
	assert_memory_equal(back, wire, n);
	for (i = n; i < (size_t)k; i++)
		assert_int_equal(back[i], 0);
}

static void
cut_everywhere(enum msg_type type, size_t len)
{
	static uint8_t wire[MSG_MAX];
	static union msg_body body, got;
	const struct msg_info *info = &msg_info[type];
	struct msg m = { .body = &got };
	size_t end[FIELDS_MAX], nend, i, k = 0;
	ssize_t n;

	nend = fill(&body, type, len, end);
	n = msg_encode(wire, type, info->flags & MF_EV ? 0 : 9, &body);
	assert_int_equal(n, MSG_HDR + end[nend - 1]);
	first_fields(info, type, wire, MSG_HDR, (size_t)n);
	for (i = 1; MSG_HDR + i <= (size_t)n; i++) {
		while (end[k] < i)
			k++;
		if (i == end[k])
			first_fields(info, type, wire, MSG_HDR + i, (size_t)n);
		else if (decode(wire, MSG_HDR + i, info, &m) != -1)
			fail_msg("%s cut at %zu", info->name, i);
	}
}

static void
test_cut_everywhere(void **state)
{
	int type;

	memset(text, 'x', sizeof(text));
	for (type = 0; type < MSG_TYPE_MAX; type++) {
		cut_everywhere((enum msg_type)type, 0);
		cut_everywhere((enum msg_type)type, 3);
		cut_everywhere((enum msg_type)type, 300);
	}
}

static void
test_octets_behind_are_skipped(void **state)
{
	static uint8_t wire[MSG_MAX];
	static union msg_body body;
	size_t end[FIELDS_MAX];
	int type;
	ssize_t n;

	for (type = 0; type < MSG_TYPE_MAX; type++) {
		const struct msg_info *info = &msg_info[type];
		union msg_body got;
		struct msg m = { .body = &got };

		fill(&body, (enum msg_type)type, 3, end);
		n = msg_encode(wire, (enum msg_type)type,
		    info->flags & MF_EV ? 0 : 9, &body);
		memset(wire + n, 0xff, sizeof(wire) - (size_t)n);
		assert_int_equal(decode(wire, (size_t)n + 1, info, &m), 0);
		assert_int_equal(decode(wire, sizeof(wire), info, &m), 0);
	}
}

/* ---- items of lists ------------------------------------------------------ */

static const struct item_result one = { .index = 7, .result = 1,
    .status = { "4.0.0", 5 }, .mta = { "mx", 2 }, .text = { "later", 5 } };

/* An item cut or grown by a release: its length says so. */
static void
test_items_shorter_and_longer(void **state)
{
	static const size_t ends[] = { 4, 5, 12, 16, 23, 24, 25 };
	uint8_t buf[100], list[200];
	struct item_result got;
	struct slice s;
	size_t n = 0, len, off, i = 0;

	assert_int_equal(item_result_put(buf, sizeof(buf), &n, &one), 0);
	assert_int_equal(n, 27);
	memset(buf + n, 0xff, sizeof(buf) - n);
	for (len = 0; len <= 40; len++) {
		list[0] = (uint8_t)len;		/* it, and a whole one */
		list[1] = 0;
		memcpy(list + 2, buf + 2, len);
		memcpy(list + 2 + len, buf, n);
		s = slice_of((char *)list, 2 + len + n);
		off = 0;
		while (i < NITEMS(ends) && ends[i] < len)
			i++;
		if (i < NITEMS(ends) && ends[i] != len) {
			assert_int_equal(item_result_get(s, &off, &got), -1);
			continue;
		}
		assert_int_equal(item_result_get(s, &off, &got), 1);
		assert_int_equal(off, 2 + len);
		assert_int_equal(got.index, 7);
		assert_int_equal(got.result, len >= 5);
		assert_int_equal(got.status.n, len >= 12 ? 5 : 0);
		assert_int_equal(got.mta.n, len >= 16 ? 2 : 0);
		assert_int_equal(got.text.n, len >= 23 ? 5 : 0);
		assert_int_equal(item_result_get(s, &off, &got), 1);
		assert_int_equal(got.text.n, 5);
		assert_int_equal(item_result_get(s, &off, &got), 0);
	}
}

static void
test_damaged_lists(void **state)
{
	uint8_t buf[100] = { 0 }, *copy;
	struct item_arg arg = { { "word", 4 } }, got;
	size_t n = 0, cut, off;

	assert_int_equal(item_arg_put(buf, sizeof(buf), &n, &arg), 0);
	assert_int_equal(n, 8);
	for (cut = 1; cut < n; cut++) {
		copy = malloc(cut);
		memcpy(copy, buf, cut);
		off = 0;
		assert_int_equal(item_arg_get(slice_of((char *)copy, cut),
		    &off, &got), -1);
		free(copy);
	}
	buf[0] = 5;			/* a field longer than its item */
	off = 0;
	assert_int_equal(item_arg_get(slice_of((char *)buf, 9), &off, &got),
	    -1);
	buf[0] = 0;			/* an item without a field */
	off = 0;
	assert_int_equal(item_arg_get(slice_of((char *)buf, n), &off, &got),
	    -1);
	off = 9;			/* beyond the end */
	assert_int_equal(item_arg_get(slice_of((char *)buf, n), &off, &got),
	    -1);
}

static void
test_item_without_room(void **state)
{
	uint8_t buf[20];
	struct item_arg arg = { { "word", 4 } };
	size_t n = 0;

	assert_int_equal(item_arg_put(buf, 8, &n, &arg), 0);
	for (size_t size = 8; size < 16; size++) {
		assert_int_equal(item_arg_put(buf, size, &n, &arg), -1);
		assert_int_equal(n, 8);
	}
	assert_int_equal(item_arg_put(buf, 16, &n, &arg), 0);
	assert_int_equal(n, 16);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_is_only_added_to),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_octets_behind_are_skipped),
		cmocka_unit_test(test_items_shorter_and_longer),
		cmocka_unit_test(test_damaged_lists),
		cmocka_unit_test(test_item_without_room),
	};

	if (argc == 2 && strcmp(argv[1], "print") == 0) {
		print_list(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
