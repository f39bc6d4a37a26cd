/*
 * Threads (RFC 5256 section 3): messages come one after the other and are
 * linked by their references (step 1); thread_tree.c makes the tree of them;
 * then it is read as the answer has it.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "parse/thread.h"
#include "parse/thread_priv.h"

static uint32_t	 node_of_msg(struct thread *, struct slice);
static uint32_t	 node_of_id(struct thread *, struct slice);
static int	 refs_link(struct thread *, uint32_t, struct slice);
static struct slice id_plain(struct slice, char *);
static enum thread_token walk_up(struct thread *);

struct thread *
thread_new(enum thread_how how, const uint8_t key[16])
{
	struct thread *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->how = how;
	memcpy(t->key, key, sizeof(t->key));
	thread_node_new(t);		/* none */
	return t;
}

void
thread_free(struct thread *t)
{
	if (t == NULL)
		return;
	thread_names_free(&t->ids);
	thread_names_free(&t->subjects);
	free(t->node);
	free(t);
}

int
thread_add(struct thread *t, const struct thread_msg *m)
{
	struct thread_node *v;
	uint32_t x, subject = 0;

	if (t->n == 0 || (m->subject.n > 0 && (subject =
	    thread_name(&t->subjects, t->key, m->subject)) == 0))
		return -1;
	if (t->how == THREAD_ORDEREDSUBJECT)
		x = thread_node_new(t);
	else
		x = node_of_msg(t, m->id);
	if (x == 0)
		return -1;
	v = &t->node[x];
	v->number = m->number;
	v->date = m->date;
	v->subject = subject;
	v->reply = m->reply;
	return t->how == THREAD_ORDEREDSUBJECT ? 0 : refs_link(t, x, m->refs);
}

uint32_t
thread_node_new(struct thread *t)
{
	struct thread_node *v;
	size_t size;

	if (t->n > THREAD_NODES_MAX)
		return 0;
	if (t->n == t->size) {
		size = t->size == 0 ? 256 : t->size * 2;
		v = reallocarray(t->node, size, sizeof(*v));
		if (v == NULL)
			return 0;
		t->node = v;
		t->size = size;
	}
	memset(&t->node[t->n], 0, sizeof(*t->node));
	return (uint32_t)t->n++;
}

/* Of messages with one id the first has it. */
static uint32_t
node_of_msg(struct thread *t, struct slice id)
{
	struct slice rest = id, one;
	uint32_t x = 0;

	if (header_msgid(&rest, &one) && one.n <= THREAD_ID_MAX) {
		if ((x = node_of_id(t, one)) == 0)
			return 0;
		if (t->node[x].number != 0)
			x = 0;
	}
	return x != 0 ? x : thread_node_new(t);
}

static uint32_t
node_of_id(struct thread *t, struct slice id)
{
	char buf[THREAD_ID_MAX];
	uint32_t name, x;

	if ((name = thread_name(&t->ids, t->key, id_plain(id, buf))) == 0)
		return 0;
	if ((x = t->ids.name[name].node) == 0)
		x = t->ids.name[name].node = thread_node_new(t);
	return x;
}

/* 1.A: those that it refers to, one below the other, as far as they have no
 * other parent; 1.B: itself below the last, whatever it was below before. */
static int
refs_link(struct thread *t, uint32_t x, struct slice refs)
{
	struct slice id;
	uint32_t ref, last = 0;

	while (header_msgid(&refs, &id)) {
		if (id.n > THREAD_ID_MAX)
			continue;
		if ((ref = node_of_id(t, id)) == 0)
			return -1;
		if (last != 0)
			forest_link(t->node, last, ref);
		last = ref;
	}
	forest_cut(t->node, x);
	if (last != 0)
		forest_link(t->node, last, x);
	return 0;
}

/* Without quoting, which may differ: <"a"@b> is <a@b>. */
static struct slice
id_plain(struct slice id, char *buf)
{
	size_t i, k = 0;
	int quoted = 0;

	if (memchr(id.p, '"', id.n) == NULL)
		return id;
	for (i = 0; i < id.n; i++) {
		if (id.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && id.p[i] == '\\' && i + 1 < id.n)
			i++;
		buf[k++] = id.p[i];
	}
	return slice_of(buf, k);
}

/*
 * The only child of a message stands behind it, several are threads of their
 * own in parentheses; so are all on the first level.
 */
enum thread_token
thread_next(struct thread *t, uint32_t *number)
{
	const struct thread_node *v = t->node, *x = &v[t->at];

	switch (t->token) {
	case THREAD_END:
		if (t->root == 0)
			return THREAD_END;
		t->at = t->root;
		return t->token = THREAD_OPEN;
	case THREAD_OPEN:
		if (x->number == 0)	/* a dummy: its children at once */
			break;
		*number = x->number;
		return t->token = THREAD_NUMBER;
	case THREAD_NUMBER:
		if (x->child == 0)
			return t->token = THREAD_CLOSE;
		if (v[x->child].next != 0)
			break;
		t->at = x->child;
		*number = v[t->at].number;
		return THREAD_NUMBER;
	case THREAD_CLOSE:
		return walk_up(t);
	}
	t->at = x->child;
	return t->token = THREAD_OPEN;
}

/* A parenthesis was closed: which one begins, or is closed too? */
static enum thread_token
walk_up(struct thread *t)
{
	const struct thread_node *v = t->node;
	uint32_t x = t->at;

	/* To the first of this parenthesis. */
	while (v[x].parent != 0 && v[v[x].parent].child == x && v[x].next == 0)
		x = v[x].parent;
	if (v[x].next != 0) {
		t->at = v[x].next;
		return t->token = THREAD_OPEN;
	}
	t->at = v[x].parent;
	if (t->at == 0) {
		t->root = 0;
		return t->token = THREAD_END;
	}
	return THREAD_CLOSE;
}
