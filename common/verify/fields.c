/*
 * The fields of a header as a table, from which signatures take what they
 * cover (RFC 6376 5.4.2).  Used by verdict_header.c and dkim_header.c.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "verify/fields.h"
#include "verify/verify.h"

#define FIELDS_KEPT	256	/* room that stays for the next header */

static int	 fields_room(struct fields *);
static uint32_t	 field_hash(struct slice);

int
fields_read(struct fields *t, struct slice header)
{
	struct field *v;

	if (t->room > FIELDS_KEPT)
		fields_free(t);
	t->take = 0;
	for (t->n = 0; t->n < HEADER_FIELDS_MAX; t->n++) {
		if (t->n == t->room && fields_room(t) == -1)
			return -1;
		v = &t->v[t->n];
		if (!header_next(&header, &v->f))
			break;
		v->hash = field_hash(v->f.name);
		v->taken = 0;
	}
	return 0;
}

void
fields_start(struct fields *t)
{
	t->take++;
}

struct slice
fields_take(struct fields *t, struct slice name, struct slice skip)
{
	uint32_t hash = field_hash(name);
	size_t i, first = t->n > DKIM_FIELDS_MAX ? t->n - DKIM_FIELDS_MAX : 0;
	struct field *v;

	for (i = t->n; i-- > first; ) {
		v = &t->v[i];
		if (v->hash != hash || v->taken == t->take ||
		    v->f.raw.p == skip.p || v->f.name.n == 0 ||
		    !slice_caseeq(v->f.name, name))
			continue;
		v->taken = t->take;
		return v->f.raw;
	}
	return slice_of(NULL, 0);
}

void
fields_free(struct fields *t)
{
	free(t->v);
	*t = (struct fields){ .n = 0 };
}

static int
fields_room(struct fields *t)
{
	size_t room = t->room == 0 ? 32 : 2 * t->room;
	struct field *v = reallocarray(t->v, room, sizeof(*v));

	if (v == NULL)
		return -1;
	t->v = v;
	t->room = room;
	return 0;
}

/* FNV-1a of the name in lower case; only to skip comparisons. */
static uint32_t
field_hash(struct slice s)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < s.n; i++)
		h = (h ^ (uint32_t)ascii_lower((unsigned char)s.p[i])) *
		    16777619u;
	return h;
}
