/*
 * Which recipients a command of the operator is about: ids of messages,
 * sender, recipient, its domain, the account that submitted it.  All that is
 * given has to match; of several ids one.  Pure, but for memory.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"
#include "queue/select.h"

#define ACCOUNT_MAX	4294967295LL

static const char *option_take(struct selection *, const char *,
		    const char *);
static bool	 address_is(const char *, const char *);

void
selection_free(struct selection *s)
{
	unsigned int i;

	free(s->from);
	free(s->to);
	free(s->domain);
	free(s->account_name);
	for (i = 0; i < s->nid; i++)
		free(s->id[i]);
	*s = (struct selection){ 0 };
}

const char *
selection_parse(struct selection *s, struct slice args, size_t off)
{
	char word[SELECT_WORD_MAX], value[SELECT_WORD_MAX];
	struct item_arg it;
	const char *why;
	int r;

	while ((r = item_arg_get(args, &off, &it)) == 1) {
		if (slice_cpy(it.text, word, sizeof(word)) == -1)
			return "a word is too long";
		if (strncmp(word, "--", 2) == 0) {
			if (item_arg_get(args, &off, &it) != 1 || slice_cpy(
			    it.text, value, sizeof(value)) == -1)
				return "an option lacks its value";
			if ((why = option_take(s, word, value)) != NULL)
				return why;
		} else if (strcmp(word, "all") == 0)
			s->all = true;
		else if (s->nid == SELECT_IDS)
			return "too many ids";
		else
			s->id[s->nid++] = xstrdup(word);
	}
	if (s->all && (s->nid > 0 || selection_narrows(s)))
		return "\"all\" stands alone";
	return r == -1 ? "damaged" : NULL;
}

/* Can it be one of an envelope?  What cannot would select nothing, silently. */
static bool
is_address(const char *value)
{
	return strchr(value, '@') != NULL || strcmp(value, "<>") == 0 ||
	    slice_caseis(slice_str(value), "postmaster");
}

/* As envelopes have it; what is no whole address ("@domain") stays. */
static char *
address_copy(const char *value)
{
	char text[ADDR_TEXT_MAX];
	struct address a;

	if (address_parse(slice_str(value), PATH_UTF8 | PATH_DOTS, &a,
	    NULL) == -1 || address_print(&a, text, sizeof(text)) == -1)
		return xstrdup(value);
	return xstrdup(text);
}

static const char *
option_take(struct selection *s, const char *option, const char *value)
{
	const char *bad;
	char **to;

	if (strcmp(option, "--from") == 0)
		to = &s->from;
	else if (strcmp(option, "--to") == 0)
		to = &s->to;
	else if (strcmp(option, "--domain") == 0)
		to = &s->domain;
	else if (strcmp(option, "--account") == 0)
		to = &s->account_name;
	else
		return "no such option";
	if (*to != NULL)
		return "an option twice";
	if ((to == &s->from || to == &s->to) && !is_address(value))
		return "an address has an \"@\"";
	if (to == &s->from || to == &s->to)
		*to = address_copy(value);
	else
		*to = xstrdup(to == &s->domain && value[0] == '@' ?
		    value + 1 : value);
	if (to == &s->account_name) {
		s->account = (uint32_t)strtonum(value, 1, ACCOUNT_MAX, &bad);
		s->account_known = bad == NULL;
	}
	return NULL;
}

bool
selection_named(struct selection *s, const struct message *m)
{
	bool named = false;
	unsigned int i;

	for (i = 0; i < s->nid; i++)
		if (!s->found[i] && strcmp(s->id[i], message_sid(m)) == 0)
			named = s->named[i] = true;
	return named;
}

bool
selection_narrows(const struct selection *s)
{
	return s->from != NULL || s->to != NULL || s->domain != NULL ||
	    s->account_name != NULL;
}

bool
selection_message(const struct selection *s, const struct message *m)
{
	if (s->account_name != NULL && m->account != s->account)
		return false;
	return s->from == NULL || address_is(message_sender(m), s->from);
}

bool
selection_rcpt(const struct selection *s, const struct message *m,
    const struct rcpt *r)
{
	const char *address = rcpt_address(m, r), *at;

	if (s->to != NULL && !address_is(address, s->to) &&
	    !address_is(rcpt_orig(m, r), s->to))
		return false;
	if (s->domain == NULL)
		return true;
	at = strrchr(address, '@');
	return at != NULL && slice_caseis(slice_str(at + 1), s->domain);
}

/* "@domain" is every address there, "<>" the null sender. */
static bool
address_is(const char *address, const char *want)
{
	const char *at;

	if (strcmp(want, "<>") == 0)
		want = "";
	if (*want != '@')
		return slice_caseis(slice_str(address), want);
	at = strrchr(address, '@');
	return at != NULL && slice_caseis(slice_str(at), want);
}
