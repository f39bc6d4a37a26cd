/*
 * Where each value of the configuration stands in its file, so that what is
 * wrong with it, or with two of them, can be told with the line.  Filled by
 * maild's loader; a child's configuration has no places.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "conf/conf.h"
#include "conf/key.h"

#define PLACES_STEP	64

struct conf_places {
	size_t		 n, room;
	struct placed {
		const struct conf_key *key;
		unsigned int	 index;
		struct conf_place place;
	} *v;
};

static struct placed *
place_find(const struct conf *c, const struct conf_key *k, unsigned int index)
{
	for (size_t i = 0; c->places != NULL && i < c->places->n; i++)
		if (c->places->v[i].key == k && c->places->v[i].index == index)
			return &c->places->v[i];
	return NULL;
}

void
conf_place_set(struct conf *c, const char *key, unsigned int index,
    struct conf_place place)
{
	const struct conf_key *k = conf_find(key);
	struct conf_places *p;
	struct placed *v = k == NULL ? NULL : place_find(c, k, index);

	if (v == NULL && k != NULL) {
		if (c->places == NULL)
			c->places = xcalloc(1, sizeof(*c->places));
		p = c->places;
		if (p->n == p->room) {
			p->room += PLACES_STEP;
			p->v = xreallocarray(p->v, p->room, sizeof(*p->v));
		}
		v = &p->v[p->n++];
	}
	if (v != NULL)
		*v = (struct placed){ k, index, place };
}

/* The first that is known of an entry of a list of mappings. */
static struct conf_place
place_row(const struct conf *c, const struct conf_list *l, unsigned int index)
{
	struct conf_place first = { 0, 0 };

	for (size_t i = 0; c->places != NULL && i < c->places->n; i++) {
		const struct placed *v = &c->places->v[i];

		if (v->key->list == l && v->index == index &&
		    (first.line == 0 || v->place.line < first.line))
			first = v->place;
	}
	return first;
}

struct conf_place
conf_place(const struct conf *c, const char *key, unsigned int index)
{
	const struct conf_place none = { 0, 0 };
	const struct conf_key *k = conf_find(key);
	const struct placed *v = k == NULL ? NULL : place_find(c, k, index);

	if (v != NULL)
		return v->place;
	return k != NULL && k->list != NULL && k->list->rows ?
	    place_row(c, k->list, index) : none;
}

void
conf_places_free(struct conf *c)
{
	if (c->places != NULL)
		free(c->places->v);
	free(c->places);
	c->places = NULL;
}
