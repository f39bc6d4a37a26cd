/*
 * Who holds how much of a full store: reports by sender, so that the one who
 * sent most makes room, and nobody can push out what others reported.
 * report-in.  Pure but for memory.
 *
 * Invariants: a holder has at least one report, oldest first.  Only a name
 * that the mail proved is a holder of its own, by its last two labels (more
 * labels cost nothing); all that is not proven shares one holder, as any
 * number of such names can be made up.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define BUCKETS		4096U

struct holder {
	TAILQ_ENTRY(holder) all;
	struct holder	*next;		/* of the bucket */
	enum store_class class;
	TAILQ_HEAD(, stored) list;
	size_t		 files;
	uint64_t	 octets;
	char		 name[IN_DOMAIN];
};

static struct {
	uint8_t		 key[16];
	struct holder	*bucket[BUCKETS];
	TAILQ_HEAD(, holder) all;
} sh = { .all = TAILQ_HEAD_INITIALIZER(sh.all) };

const char *
share_name(const struct stored *s)
{
	size_t i = strlen(s->sender), dots = 0;

	if (s->trust != IN_PASS)
		return "";
	for (; i > 0; i--)
		if (s->sender[i - 1] == '.' && ++dots == 2)
			break;
	return s->sender + i;
}

static struct holder **
place(enum store_class class, const char *name)
{
	struct holder **p;

	p = &sh.bucket[siphash24(sh.key, name, strlen(name)) & (BUCKETS - 1)];
	while (*p != NULL && ((*p)->class != class || strcmp((*p)->name,
	    name) != 0))
		p = &(*p)->next;
	return p;
}

void
share_add(struct stored *s, enum store_class class)
{
	const char *name = share_name(s);
	struct holder **p, *h;

	if (TAILQ_EMPTY(&sh.all))	/* nothing hangs on the old key */
		random_bytes(sh.key, sizeof(sh.key));
	p = place(class, name);
	if ((h = *p) == NULL) {
		*p = h = xcalloc(1, sizeof(*h));
		h->class = class;
		strlcpy(h->name, name, sizeof(h->name));
		TAILQ_INIT(&h->list);
		TAILQ_INSERT_TAIL(&sh.all, h, all);
	}
	TAILQ_INSERT_TAIL(&h->list, s, of);
	s->holder = h;
	h->files++;
	h->octets += s->octets;
}

void
share_drop(struct stored *s)
{
	struct holder *h = s->holder;

	if (h == NULL)
		return;
	TAILQ_REMOVE(&h->list, s, of);
	s->holder = NULL;
	h->files--;
	h->octets -= s->octets;
	if (h->files > 0)
		return;
	*place(h->class, h->name) = h->next;
	TAILQ_REMOVE(&sh.all, h, all);
	free(h);
}

struct stored *
share_oldest(enum store_class class, bool files, const struct stored *but)
{
	struct holder *h, *most = NULL;

	TAILQ_FOREACH(h, &sh.all, all)
		if (h->class == class && TAILQ_FIRST(&h->list) != but &&
		    (most == NULL || (files ? h->files > most->files :
		    h->octets > most->octets)))
			most = h;
	return most == NULL ? NULL : TAILQ_FIRST(&most->list);
}
