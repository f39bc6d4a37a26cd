/*
 * The start of a session (start.h): a list of keys and values, of which a
 * later front may tell more.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "net/start.h"

int
start_get(struct slice payload, struct start *st)
{
	const struct {
		const char	*key;
		char		*p;
		size_t		 size;
	} texts[] = {
		{ "tag",	st->tag,	sizeof(st->tag) },
		{ "conn",	st->id,		sizeof(st->id) },
		{ "user",	st->user,	sizeof(st->user) },
		{ "remote",	st->peer,	sizeof(st->peer) },
		{ "client",	st->client,	sizeof(st->client) },
	};
	struct item_arg key, value;
	bool tag = false;
	uint64_t n;
	size_t i, off = 0;

	*st = (struct start){ .id = "-" };
	while (item_arg_get(payload, &off, &key) == 1 &&
	    item_arg_get(payload, &off, &value) == 1) {
		tag = tag || slice_is(key.text, "tag");
		for (i = 0; i < NITEMS(texts); i++)
			if (slice_is(key.text, texts[i].key) && slice_cpy(
			    value.text, texts[i].p, texts[i].size) == -1)
				return -1;
		if (slice_is(key.text, "account") && slice_number(value.text,
		    UINT32_MAX, &n) == 0)
			st->account = (uint32_t)n;
		if (slice_is(key.text, "port") && slice_number(value.text,
		    UINT16_MAX, &n) == 0)
			st->port = (unsigned int)n;
		if (slice_is(key.text, "parked"))
			st->parked = slice_is(value.text, "1");
	}
	return tag ? 0 : -1;
}

const char *
start_whose(const struct start *st)
{
	static char text[1024];

	snprintf(text, sizeof(text), "account=%u user=<%s> peer=%s",
	    st->account, log_text(st->user, strlen(st->user)), st->peer);
	return text;
}
