/*
 * Threads: who is whose parent, while References say it and take it back.
 * "Is p a descendant of c?" is asked before each link, of chains that may be
 * as long as the mailbox: a link-cut forest (Sleator, Tarjan 1985) answers in
 * logarithmic time.  Each path of it is a splay tree over left, right, up;
 * the up of its root leads to the path above.
 */
#include "base/compat.h"

#include "parse/thread_priv.h"

static uint32_t	 forest_root(struct thread_node *, uint32_t);
static void	 access_path(struct thread_node *, uint32_t);
static void	 splay(struct thread_node *, uint32_t);
static void	 rotate(struct thread_node *, uint32_t);
static int	 is_root(const struct thread_node *, uint32_t);

void
forest_link(struct thread_node *v, uint32_t p, uint32_t c)
{
	/* Nothing descends from one without children. */
	if (p == c || v[c].parent != 0 ||
	    (v[c].children > 0 && forest_root(v, p) == c))
		return;
	splay(v, c);
	v[c].up = p;
	v[c].parent = p;
	v[p].children++;
}

void
forest_cut(struct thread_node *v, uint32_t c)
{
	if (v[c].parent == 0)
		return;
	access_path(v, c);
	v[v[c].left].up = 0;
	v[c].left = 0;
	v[v[c].parent].children--;
	v[c].parent = 0;
}

static uint32_t
forest_root(struct thread_node *v, uint32_t x)
{
	access_path(v, x);
	while (v[x].left != 0)
		x = v[x].left;
	splay(v, x);
	return x;
}

/* Make the way from the root to x one path, x the root of its splay tree. */
static void
access_path(struct thread_node *v, uint32_t x)
{
	uint32_t w, below = 0;

	for (w = x; w != 0; w = v[w].up) {
		splay(v, w);
		v[w].right = below;
		below = w;
	}
	splay(v, x);
}

static void
splay(struct thread_node *v, uint32_t x)
{
	uint32_t p, g;

	while (!is_root(v, x)) {
		p = v[x].up;
		if (!is_root(v, p)) {
			g = v[p].up;
			rotate(v, (v[g].left == p) == (v[p].left == x) ?
			    p : x);
		}
		rotate(v, x);
	}
}

/* x above its parent in the splay tree. */
static void
rotate(struct thread_node *v, uint32_t x)
{
	uint32_t p = v[x].up, g = v[p].up, moved;

	if (!is_root(v, p)) {
		if (v[g].left == p)
			v[g].left = x;
		else
			v[g].right = x;
	}
	if (v[p].left == x) {
		moved = v[p].left = v[x].right;
		v[x].right = p;
	} else {
		moved = v[p].right = v[x].left;
		v[x].left = p;
	}
	if (moved != 0)
		v[moved].up = p;
	v[p].up = x;
	v[x].up = g;
}

/* Of its splay tree: what is above is another path, or nothing. */
static int
is_root(const struct thread_node *v, uint32_t x)
{
	uint32_t p = v[x].up;

	return p == 0 || (v[p].left != x && v[p].right != x);
}
