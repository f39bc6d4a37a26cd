/*
 * The table through which pure code asks the DNS: answers that came, and the
 * questions that were met without one.  The caller moves questions out and
 * answers in; nothing here resolves anything.  Memory is bounded: names and
 * records live in an arena that only answers_reset empties.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "verify/verify.h"

#define CHUNK	4096	/* octets of the arena taken at a time */

enum state { QUESTION, ASKED, ANSWERED };

struct entry {
	uint32_t	 hash;
	enum dns_type	 type;
	enum state	 state;
	const char	*name;
	struct answer	 answer;
};

struct chunk {
	struct chunk	*next;
	size_t		 n, size;
	max_align_t	 data[];
};

struct answers {
	size_t		 n;
	size_t		 asked;		/* questions before this were taken */
	size_t		 open;		/* entries without an answer */
	size_t		 bytes;
	size_t		 temps;		/* that are DNS_TEMP */
	int		 late;		/* no answer is waited for */
	struct chunk	*chunk;		/* newest first */
	struct entry	 v[ANSWERS_MAX];
};

static const struct answer temp = { DNS_TEMP, 0, NULL };

static struct entry *find(struct answers *, const char *, enum dns_type);
static struct entry *add(struct answers *, const char *, enum dns_type);
static uint32_t	 name_hash(const char *, size_t);
static void	*take(struct answers *, size_t);
static int	 copy(struct answers *, struct answer *, const struct rr *,
		    size_t);

struct answers *
answers_new(void)
{
	struct answers *a;

	if ((a = malloc(sizeof(*a))) == NULL)
		return NULL;
	a->chunk = NULL;
	answers_reset(a);
	return a;
}

/* The oldest chunk, which every message needs, stays. */
void
answers_reset(struct answers *a)
{
	struct chunk *c;

	while (a->chunk != NULL && a->chunk->next != NULL) {
		c = a->chunk;
		a->chunk = c->next;
		free(c);
	}
	if (a->chunk != NULL)
		a->chunk->n = 0;
	a->n = a->asked = a->open = a->bytes = a->temps = 0;
	a->late = 0;
}

int
answers_keep(struct answers *a)
{
	if (a->open > 0 || a->temps > 0 || a->late || a->n > ANSWERS_MAX / 2 ||
	    a->bytes > ANSWERS_BYTES / 2) {
		answers_reset(a);
		return 0;
	}
	return 1;
}

void
answers_late(struct answers *a)
{
	size_t i;

	a->late = 1;
	for (i = 0; i < a->n; i++)
		if (a->v[i].state != ANSWERED) {
			a->v[i].state = ANSWERED;
			a->v[i].answer = temp;
		}
	a->asked = a->n;
	a->open = 0;
}

void
answers_free(struct answers *a)
{
	if (a == NULL)
		return;
	answers_reset(a);
	free(a->chunk);
	free(a);
}

const struct answer *
answers_get(struct answers *a, const char *name, enum dns_type type)
{
	struct entry *e;

	if ((e = find(a, name, type)) == NULL &&
	    (a->late || (e = add(a, name, type)) == NULL))
		return &temp;
	return e->state == ANSWERED ? &e->answer : NULL;
}

int
answers_ask(struct answers *a, const char **name, enum dns_type *type)
{
	struct entry *e;

	while (a->asked < a->n) {
		e = &a->v[a->asked++];
		if (e->state != QUESTION)
			continue;
		e->state = ASKED;
		*name = e->name;
		*type = e->type;
		return 1;
	}
	return 0;
}

size_t
answers_open(const struct answers *a)
{
	return a->open;
}

void
answers_put(struct answers *a, const char *name, enum dns_type type,
    enum dns_status status, const struct rr *rr, size_t n)
{
	struct entry *e;

	if ((e = find(a, name, type)) == NULL &&
	    (e = add(a, name, type)) == NULL)
		return;
	if (e->state == ANSWERED)
		return;
	e->state = ANSWERED;
	a->open--;
	e->answer = (struct answer){ .status = status };
	if (status == DNS_OK && n == 0)
		e->answer.status = DNS_NODATA;
	else if (status == DNS_OK &&
	    copy(a, &e->answer, rr, n < ANSWER_RRS ? n : ANSWER_RRS) == -1)
		e->answer = temp;
	a->temps += e->answer.status == DNS_TEMP;
}

static struct entry *
find(struct answers *a, const char *name, enum dns_type type)
{
	uint32_t hash = name_hash(name, strlen(name));
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->v[i].hash == hash && a->v[i].type == type &&
		    slice_caseis(slice_str(name), a->v[i].name))
			return &a->v[i];
	return NULL;
}

static struct entry *
add(struct answers *a, const char *name, enum dns_type type)
{
	size_t i, n = strlen(name);
	struct entry *e = &a->v[a->n];
	char *p;

	if (a->n == ANSWERS_MAX || n >= ANSWER_NAME ||
	    (p = take(a, n + 1)) == NULL)
		return NULL;
	for (i = 0; i <= n; i++)
		p[i] = (char)ascii_lower((unsigned char)name[i]);
	*e = (struct entry){ .hash = name_hash(p, n), .type = type,
	    .state = QUESTION, .name = p };
	a->n++;
	a->open++;
	return e;
}

/* FNV-1a; only to skip comparisons in a table of ANSWERS_MAX. */
static uint32_t
name_hash(const char *p, size_t n)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (uint32_t)ascii_lower((unsigned char)p[i])) *
		    16777619u;
	return h;
}

static void *
take(struct answers *a, size_t n)
{
	struct chunk *c = a->chunk;
	size_t size;
	void *p;

	n = (n + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (n > ANSWERS_BYTES - a->bytes)
		return NULL;
	if (c == NULL || n > c->size - c->n) {
		size = n < CHUNK ? CHUNK : n;
		if ((c = malloc(sizeof(*c) + size)) == NULL)
			return NULL;
		*c = (struct chunk){ .next = a->chunk, .size = size };
		a->chunk = c;
	}
	p = (char *)c->data + c->n;
	c->n += n;
	a->bytes += n;
	return p;
}

/* NUL is put behind the data, for those that are names. */
static int
copy(struct answers *a, struct answer *to, const struct rr *rr, size_t n)
{
	struct rr *v = take(a, n * sizeof(*v));
	size_t i;
	char *p;

	if (v == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (rr[i].data.n > ANSWERS_BYTES ||
		    (p = take(a, rr[i].data.n + 1)) == NULL)
			return -1;
		if (rr[i].data.n > 0)
			memcpy(p, rr[i].data.p, rr[i].data.n);
		p[rr[i].data.n] = '\0';
		v[i].n = rr[i].n;
		v[i].data = slice_of(p, rr[i].data.n);
	}
	to->rr = v;
	to->n = n;
	return 0;
}
