/*
 * imap-session: the array that a search program is, while it is put together
 * and until it is freed.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "parse/search.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/search_priv.h"

void
search_free(struct search_prog *prog)
{
	size_t	 i;

	for (i = 0; i < prog->n; i++) {
		free(prog->key[i].set);
		free(prog->key[i].text);
	}
	free(prog->key);
	free(prog->needle);
	memset(prog, 0, sizeof(*prog));
}

int
search_fail(struct search_parse *p, enum reply r)
{
	if (p->reply == REPLY_OK)
		p->reply = r;
	return 0;
}

int
search_key_new(struct search_parse *p, enum search_op op, unsigned int cost)
{
	struct search_prog	*prog = p->prog;
	struct search_key	*key;
	size_t			 size;

	if (prog->n == IMAP_SEARCH_KEYS)
		return search_fail(p,
		    reply_no(p->s, "LIMIT", "Too many search keys"));
	if (prog->n == prog->size) {
		size = prog->size == 0 ? 16 : prog->size * 2;
		key = reallocarray(prog->key, size, sizeof(*key));
		if (key == NULL)
			return search_fail(p, reply_store(p->s, STORE_NOMEM));
		prog->key = key;
		prog->size = size;
	}
	key = &prog->key[prog->n++];
	memset(key, 0, sizeof(*key));
	key->op = op;
	key->cost = cost;
	return (int)prog->n;
}

void
search_key_insert(struct search_prog *prog, int parent, int key)
{
	struct search_key	*k = prog->key;
	int			*at = &k[parent - 1].sub;

	while (*at != 0 && k[*at - 1].cost <= k[key - 1].cost)
		at = &k[*at - 1].next;
	k[key - 1].next = *at;
	*at = key;
	if (k[parent - 1].cost < k[key - 1].cost)
		k[parent - 1].cost = k[key - 1].cost;
}
