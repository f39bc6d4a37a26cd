/*
 * imap-session: what SEARCH and SORT are asked to return (RFC 4731, 5182,
 * 5267, 6203, 9394), the ESEARCH answer, and the result that "$" stands for.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

static const struct {
	const char	*name;
	unsigned int	 bit;
} options[] = {
	{ "MIN",	RETURN_MIN },
	{ "MAX",	RETURN_MAX },
	{ "ALL",	RETURN_ALL },
	{ "COUNT",	RETURN_COUNT },
	{ "SAVE",	RETURN_SAVE },
	{ "PARTIAL",	RETURN_PARTIAL },
	{ "RELEVANCY",	RETURN_RELEVANCY },
};

static enum reply option_take(struct session *, struct imap_in *,
	    struct search_return *);
static void	send_set(struct session *, const struct search_result *,
	    size_t, size_t);
static void	send_partial(struct session *, const struct search_return *,
	    const struct search_result *);
static void	send_scores(struct session *, const struct search_return *,
	    const struct search_result *);
static void	send_modseq(struct session *, const struct search_return *,
	    const struct search_result *);
static uint64_t	highest(struct session *, const struct search_result *, size_t,
	    size_t, uint64_t);
static uint32_t	number(struct session *, uint32_t);
static size_t	picked(const struct search_return *,
	    const struct search_result *, size_t *);
static int	save_add(struct session *, const struct search_result *,
	    size_t, size_t, size_t *);

enum reply
return_parse(struct session *s, struct imap_in *in, struct search_return *ret)
{
	enum reply	 r;

	if (!imap_word(in, "RETURN"))
		return REPLY_OK;
	ret->asked = true;
	if (imap_space(in) == -1 || imap_open(in) == -1)
		return reply_expected(s, in,
		    "a blank and options in parentheses");
	while (imap_peek(in) != ')') {
		if ((r = option_take(s, in, ret)) != REPLY_OK)
			return r;
		if (imap_peek(in) != ' ')
			break;
		in->off++;
	}
	if (imap_close(in) == -1)
		return reply_expected(s, in, "a blank and an option, or ')',");
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a search key");
	if (ret->what == 0)
		ret->what = RETURN_ALL;
	return REPLY_OK;
}

static enum reply
option_take(struct session *s, struct imap_in *in, struct search_return *ret)
{
	size_t	 i;

	for (i = 0; i < NITEMS(options); i++)
		if (imap_word(in, options[i].name))
			break;
	if (i == NITEMS(options))
		return reply_expected(s, in, "MIN, MAX, ALL, COUNT, SAVE, "
		    "PARTIAL or RELEVANCY");
	if (options[i].bit == RETURN_PARTIAL) {
		if (ret->what & RETURN_PARTIAL)
			return reply_bad(s, "expected PARTIAL once");
		if (imap_space(in) == -1 ||
		    imap_partial(in, &ret->partial) == -1)
			return reply_syntax(s, in);
	}
	ret->what |= options[i].bit;
	if ((ret->what & RETURN_PARTIAL) && (ret->what & RETURN_ALL))
		return reply_bad(s, "expected PARTIAL or ALL, not both");
	return REPLY_OK;
}

uint32_t
return_reach(const struct search_return *ret, bool *last)
{
	*last = false;
	switch (ret->what & ~(unsigned int)RETURN_SAVE) {
	case RETURN_MAX:
		*last = true;
		/* FALLTHROUGH */
	case RETURN_MIN:
		return 1;
	case RETURN_PARTIAL:
		*last = ret->partial.last;
		return imap_partial_reach(&ret->partial);
	}
	return UINT32_MAX;
}

void
result_send(struct session *s, const char *name,
    const struct search_result *res)
{
	size_t	 i;

	frames_puts(s->io, "* ");
	frames_puts(s->io, name);
	for (i = 0; i < res->n; i++) {
		frames_putc(s->io, ' ');
		frames_num(s->io, number(s, res->seq[i]));
	}
	if (res->modseq && res->n > 0) {
		frames_puts(s->io, " (MODSEQ ");
		frames_num(s->io, highest(s, res, 0, res->n, 0));
		frames_putc(s->io, ')');
	}
	frames_puts(s->io, "\r\n");
}

void
return_send(struct session *s, const struct search_return *ret,
    const struct search_result *res)
{
	if (ret->what == RETURN_SAVE)
		return;
	frames_printf(s->io, "* ESEARCH (TAG \"%s\")%s", s->tag,
	    s->uid ? " UID" : "");
	if (ret->what & RETURN_MIN && res->n > 0)
		frames_printf(s->io, " MIN %u", number(s, res->seq[0]));
	if (ret->what & RETURN_MAX && res->n > 0)
		frames_printf(s->io, " MAX %u",
		    number(s, res->seq[res->n - 1]));
	if (ret->what & RETURN_COUNT)
		frames_printf(s->io, " COUNT %zu", res->n);
	if (ret->what & RETURN_ALL && res->n > 0) {
		frames_puts(s->io, " ALL ");
		send_set(s, res, 0, res->n);
	}
	if (ret->what & RETURN_PARTIAL)
		send_partial(s, ret, res);
	if (ret->what & RETURN_RELEVANCY)
		send_scores(s, ret, res);
	if (res->modseq && res->n > 0)
		send_modseq(s, ret, res);
	frames_puts(s->io, "\r\n");
}

/* Runs of numbers that grow by one; anything else stands as it comes, as
 * the order of SORT is to be seen (RFC 5267 3.2). */
static void
send_set(struct session *s, const struct search_result *res, size_t from,
    size_t count)
{
	size_t	 i = from, end = from + count;
	uint32_t first, last, next;

	next = number(s, res->seq[i]);
	while (i < end) {
		first = last = next;
		for (i++; i < end; i++) {
			next = number(s, res->seq[i]);
			if (next != last + 1)
				break;
			last = next;
		}
		frames_num(s->io, first);
		if (last != first) {
			frames_putc(s->io, ':');
			frames_num(s->io, last);
		}
		if (i < end)
			frames_putc(s->io, ',');
	}
}

static void
send_partial(struct session *s, const struct search_return *ret,
    const struct search_result *res)
{
	char	 range[IMAP_PARTIAL_TEXT];
	size_t	 first, n;

	n = imap_partial_pick(&ret->partial, res->n, &first);
	imap_partial_print(&ret->partial, range, sizeof(range));
	frames_printf(s->io, " PARTIAL (%s ", range);
	if (n > 0)
		send_set(s, res, first, n);
	else
		frames_puts(s->io, "NIL");
	frames_putc(s->io, ')');
}

/* Of those messages that are named, in their order. */
static void
send_scores(struct session *s, const struct search_return *ret,
    const struct search_result *res)
{
	size_t	 i, first, n = picked(ret, res, &first);

	frames_puts(s->io, " RELEVANCY (");
	for (i = 0; i < n; i++) {
		if (i > 0)
			frames_putc(s->io, ' ');
		frames_num(s->io, res->score[first + i]);
	}
	frames_putc(s->io, ')');
}

/* Of all that were found, or of the few that are told (RFC 7162 3.1.10). */
static void
send_modseq(struct session *s, const struct search_return *ret,
    const struct search_result *res)
{
	uint64_t modseq = 0;
	size_t	 first, n;

	if (ret->what & (RETURN_ALL | RETURN_COUNT | RETURN_RELEVANCY))
		modseq = highest(s, res, 0, res->n, modseq);
	if (ret->what & RETURN_MIN)
		modseq = highest(s, res, 0, 1, modseq);
	if (ret->what & RETURN_MAX)
		modseq = highest(s, res, res->n - 1, 1, modseq);
	if (ret->what & RETURN_PARTIAL) {
		n = picked(ret, res, &first);
		modseq = highest(s, res, first, n, modseq);
	}
	if (modseq > 0) {
		frames_puts(s->io, " MODSEQ ");
		frames_num(s->io, modseq);
	}
}

static uint64_t
highest(struct session *s, const struct search_result *res, size_t from,
    size_t count, uint64_t modseq)
{
	uint64_t one;
	size_t	 i;

	for (i = from; i < from + count; i++)
		if ((one = store_view_modseq(s->view, res->seq[i])) > modseq)
			modseq = one;
	return modseq;
}

static size_t
picked(const struct search_return *ret, const struct search_result *res,
    size_t *first)
{
	*first = 0;
	return ret->what & RETURN_PARTIAL ?
	    imap_partial_pick(&ret->partial, res->n, first) : res->n;
}

/* A sequence number, or the UID if those were asked for. */
static uint32_t
number(struct session *s, uint32_t seq)
{
	return s->uid ? store_view_msg(s->view, seq)->uid : seq;
}

enum reply
return_save(struct session *s, const struct search_return *ret,
    const struct search_result *res)
{
	size_t	 first, n, size = 0;
	int	 r = 0;

	if (!(ret->what & RETURN_SAVE))
		return REPLY_OK;
	s->nsaved = 0;
	if (ret->what & (RETURN_ALL | RETURN_COUNT) ||
	    !(ret->what & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)))
		r = save_add(s, res, 0, res->n, &size);
	else if (res->n > 0) {
		if (ret->what & RETURN_MIN)
			r |= save_add(s, res, 0, 1, &size);
		if (ret->what & RETURN_PARTIAL) {
			n = picked(ret, res, &first);
			r |= save_add(s, res, first, n, &size);
		}
		if (ret->what & RETURN_MAX)
			r |= save_add(s, res, res->n - 1, 1, &size);
	}
	if (r != 0) {
		s->nsaved = 0;
		return reply_no(s, "NOTSAVED", "No memory for the result");
	}
	s->nsaved = imap_set_resolve(s->saved, s->nsaved, 0);
	return REPLY_OK;
}

/* UIDs, which expunges do not move. */
static int
save_add(struct session *s, const struct search_result *res, size_t from,
    size_t count, size_t *size)
{
	struct imap_range	*v;
	uint32_t		 uid;
	size_t			 i;

	for (i = from; i < from + count; i++) {
		uid = store_view_msg(s->view, res->seq[i])->uid;
		if (s->nsaved > 0 && s->saved[s->nsaved - 1].hi + 1 == uid) {
			s->saved[s->nsaved - 1].hi = uid;
			continue;
		}
		if (s->nsaved == *size) {
			*size = *size == 0 ? 16 : *size * 2;
			v = reallocarray(s->saved, *size, sizeof(*v));
			if (v == NULL)
				return -1;
			s->saved = v;
		}
		s->saved[s->nsaved++] = (struct imap_range){ uid, uid };
	}
	return 0;
}
