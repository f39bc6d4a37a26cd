/*
 * Which lines belong to what "why" was asked, and what they lead to: from an
 * address or a Message-ID to the message's id, from there to its places in
 * queue and mailboxes, to reports about it, to who moved it.  Pure, over the
 * text of one line.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "logd/logd.h"

#define LOOSE_MAX	16	/* UIDs that are followed without a mapping */

/* Whose first word is a connection: of these only some tell of it. */
static const struct {
	const char	*verb;
	bool		 session;	/* of the connection itself */
} verbs[] = {
	{ "connect", true }, { "login", true }, { "logout", true },
	{ "end", true }, { "tls", true },
	{ "appended", false }, { "copied", false }, { "moved", false },
	{ "deleted", false }, { "expunged", false }, { "renamed", false },
	{ "box-deleted", false }, { "reject", false },
};

static bool	 token_asked(struct keys *, struct slice);
static bool	 place_known(const struct keys *, struct slice);
static void	 follow_first(struct keys *, struct slice, struct slice);
static void	 follow_places(struct keys *, struct slice, struct slice);

/* 1: of the connection, 0: of what it did, -1: of no connection. */
static int
verb_kind(struct slice verb)
{
	size_t i;

	for (i = 0; i < NITEMS(verbs); i++)
		if (slice_is(verb, verbs[i].verb))
			return verbs[i].session;
	return -1;
}

static bool
first_matches(struct keys *k, struct slice first, struct slice verb)
{
	unsigned int kinds = keys_has(k, first);
	size_t dot = slice_find(first, '.');

	if ((kinds & (KEY_ASKED | KEY_ID)) != 0)
		return true;
	if ((kinds & KEY_SESSION) != 0 && verb_kind(verb) == 1)
		return true;
	return dot < first.n &&
	    (keys_has(k, slice_of(first.p, dot)) & KEY_ASKED) != 0;
}

bool
match_line(struct keys *k, struct slice text)
{
	struct slice rest = text, token, first;
	struct word w, verb = { .value = { "", 0 } };
	char account[40];

	if (!words_next(&rest, &w))
		return false;
	first = w.value;
	token = rest;
	if (words_next(&token, &verb) && first_matches(k, first, verb.value))
		return true;
	for (rest = text; words_next(&rest, &w);) {
		if (slice_is(w.key, "account")) {
			snprintf(account, sizeof(account), "account=%.*s",
			    (int)(w.value.n < 20 ? w.value.n : 20),
			    w.value.p);
			if (keys_has(k, slice_str(account)) != 0)
				return true;
		}
		if (place_known(k, w.value))
			return true;
		while (words_token(&w.value, &token))
			if ((keys_has(k, token) & (KEY_ASKED | KEY_ID)) != 0 ||
			    (!slice_is(w.key, "msgid") &&
			    token_asked(k, token)))
				return true;
	}
	return false;
}

/* An address without its detail, and the host of one, may be asked for. */
static bool
token_asked(struct keys *k, struct slice s)
{
	char text[KEY_OCTETS];
	size_t at = slice_find(s, '@'), plus;

	if (at == s.n || s.n > sizeof(text))
		return false;
	if ((keys_has(k, slice_of(s.p + at + 1, s.n - at - 1)) &
	    KEY_ASKED) != 0)
		return true;
	plus = slice_find(slice_of(s.p, at), '+');
	if (plus == 0 || plus == at)
		return false;
	memcpy(text, s.p, plus);
	memcpy(text + plus, s.p + at, s.n - at);
	return (keys_has(k, slice_of(text, plus + s.n - at)) & KEY_ASKED) != 0;
}

static bool
place_known(const struct keys *k, struct slice value)
{
	struct slice uids;
	struct place p;

	if (value.n == 0 || value.p[0] < '0' || value.p[0] > '9' ||
	    !words_place(value, &p, &uids))
		return false;
	while (words_range(&uids, &p.first, &p.last))
		if (keys_has_place(k, &p))
			return true;
	return false;
}

/* ---- what it leads to ---------------------------------------------------- */

void
match_follow(struct keys *k, struct slice text)
{
	struct slice rest = text, from = { NULL, 0 }, to = { NULL, 0 }, first;
	struct word w, verb = { .value = { "", 0 } };

	if (!words_next(&rest, &w))
		return;
	first = w.value;
	if (w.key.n > 0 || !words_next(&rest, &verb) || verb.key.n > 0)
		verb.value = slice_of("", 0);
	follow_first(k, first, verb.value);
	for (rest = text; words_next(&rest, &w);)
		if (slice_is(w.key, "id") || slice_is(w.key, "queue") ||
		    slice_is(w.key, "of")) {
			if (words_is_id(w.value))
				keys_add(k, w.value, KEY_ID);
		} else if (slice_is(w.key, "place"))
			from = w.value;
		else if (slice_is(w.key, "to"))
			to = w.value;
	if (slice_is(verb.value, "stored") || slice_is(verb.value, "appended"))
		follow_places(k, from, slice_of("", 0));
	else if (slice_is(verb.value, "moved") ||
	    slice_is(verb.value, "copied"))
		follow_places(k, from, to);
}

static void
follow_first(struct keys *k, struct slice first, struct slice verb)
{
	size_t dot = slice_find(first, '.');

	if (!words_is_id(first))
		return;
	if (verb_kind(verb) != -1 && dot == first.n) {
		keys_add(k, first, KEY_SESSION);
		return;
	}
	keys_add(k, first, KEY_ID);
	if (dot < first.n && first.p[0] != 'q')
		keys_add(k, slice_of(first.p, dot), KEY_SESSION);
}

static uint64_t
uids_count(struct slice uids)
{
	uint32_t first, last;
	uint64_t n = 0;

	while (words_range(&uids, &first, &last))
		n += (uint64_t)last - first + 1;
	return n;
}

/* Those of the places a that are known are the same messages in b, in order,
 * n of each kind. */
static void
map(struct keys *k, const struct place *a, const struct place *b)
{
	struct place part, other;
	size_t i = 0;

	while (keys_place_part(k, a, &i, &part)) {
		other = *b;
		other.first = b->first + (part.first - a->first);
		other.last = b->first + (part.last - a->first);
		keys_add_place(k, &other);
	}
}

/*
 * Without another place: these are the messages.  Else those of from became
 * those of to, one run of UIDs, and what is known of one side is known of the
 * other.  Where UIDs are missing in a range of from nobody can tell which is
 * which, so a few are followed all.
 */
static void
follow_places(struct keys *k, struct slice from, struct slice to)
{
	struct slice uids, touids;
	struct place a, b, piece;
	uint64_t n, done = 0;

	if (!words_place(from, &a, &uids))
		return;
	if (!words_place(to, &b, &touids)) {
		while (words_range(&uids, &a.first, &a.last))
			keys_add_place(k, &a);
		return;
	}
	n = (uint64_t)b.last - b.first + 1;
	if (uids_count(uids) != n) {
		if (n <= LOOSE_MAX)
			keys_add_place(k, &b);
		return;
	}
	while (words_range(&uids, &a.first, &a.last)) {
		piece = b;
		piece.first = b.first + (uint32_t)done;
		piece.last = piece.first + (a.last - a.first);
		done += (uint64_t)a.last - a.first + 1;
		map(k, &a, &piece);
		map(k, &piece, &a);
	}
}
