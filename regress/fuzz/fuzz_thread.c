/*
 * Fuzz entry: threads of messages whose ids and references are single letters
 * of the input: every message once, parentheses in pairs, in each algorithm.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/subject.h"
#include "parse/thread.h"

#define MESSAGES_MAX	200

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* One message of a line: date, id, subject, references. */
static void
message(struct thread *t, uint32_t number, struct slice line)
{
	struct thread_msg m = { .number = number };
	char id[4] = "<.>", refs[400], subject[2];
	size_t i, n = 0;

	if (line.n > 0)
		m.date = line.p[0];
	if (line.n > 1) {
		id[1] = line.p[1];
		m.id = slice_of(id, 3);
	}
	if (line.n > 2) {
		subject[0] = line.p[2];
		m.reply = line.p[2] & 1;
		m.subject = slice_of(subject, 1);
	}
	for (i = 3; i < line.n && i < 103; i++) {
		memcpy(refs + n, "<.>", 3);
		refs[n + 1] = line.p[i];
		n += 3;
	}
	m.refs = slice_of(refs, n);
	if (thread_add(t, &m) == -1)
		abort();
}

static void
walk(struct thread *t, uint32_t n)
{
	char seen[MESSAGES_MAX + 1] = { 0 };
	enum thread_token token;
	uint32_t number, numbers = 0;
	int depth = 0;

	while ((token = thread_next(t, &number)) != THREAD_END) {
		depth += token == THREAD_OPEN ? 1 :
		    token == THREAD_CLOSE ? -1 : 0;
		if (depth < 0)
			abort();
		if (token != THREAD_NUMBER)
			continue;
		if (number == 0 || number > n || seen[number]++ || depth == 0)
			abort();
		numbers++;
	}
	if (depth != 0 || numbers != n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static const uint8_t key[16];
	struct slice rest, base;
	struct thread *t;
	uint32_t number = 0;
	size_t len;
	int reply;

	if (n == 0)
		return 0;
	rest = slice_of((const char *)in + 1, n - 1);
	base = subject_base(rest, &reply);
	if (base.n > rest.n || (base.n > 0 && (base.p < rest.p ||
	    base.p + base.n > rest.p + rest.n)))
		abort();
	if ((t = thread_new((enum thread_how)(in[0] % 3), key)) == NULL)
		return 0;
	while (rest.n > 0 && number < MESSAGES_MAX) {
		len = slice_find(rest, '\n');
		message(t, ++number, slice_of(rest.p, len));
		len += len < rest.n;
		rest = slice_of(rest.p + len, rest.n - len);
	}
	if (thread_make(t) == -1)
		abort();
	walk(t, number);
	thread_free(t);
	return 0;
}
