/*
 * The whole queue, message by message in the order of the spool, a bounded
 * number a loop turn; what commands of the operator go through.  queue only.
 *
 * Segments keep their order, so the place is found again.  A message that is
 * copied meanwhile comes once more, under its new place; who changes
 * messages ends the group first (commit_run), so that none is in between.
 */
#include "base/compat.h"

#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define WALK_TURN	4096		/* frames and recipients looked at */

/* Those of one segment; false: the turn is over. */
static bool
walk_segment(struct walk *w, struct segment *s, unsigned int *seen,
    bool (*fn)(struct message *, void *), void *arg)
{
	struct message *m;

	if (s->seq != w->seq) {
		w->seq = s->seq;
		w->no = 0;
	}
	while (w->no < s->nslot) {
		if (*seen >= WALK_TURN)
			return false;
		m = s->slot[w->no++].m;
		*seen += 1U + (m != NULL ? m->nrcpt : 0U);
		if (m != NULL && !fn(m, arg))
			return false;
	}
	return true;
}

bool
walk_turn(struct walk *w, bool (*fn)(struct message *, void *), void *arg)
{
	struct segment *s;
	unsigned int seen = 0;

	TAILQ_FOREACH(s, spool_segments(), entry)
		if (s->state != SEG_SPARE && s->seq >= w->seq &&
		    !walk_segment(w, s, &seen, fn, arg))
			return true;
	return false;
}

bool
walk_kept(struct walk *w, bool (*fn)(const struct segment *,
    const struct newer *, void *), void *arg)
{
	const struct segment *s;

	TAILQ_FOREACH(s, spool_segments(), entry) {
		if (s->seq < w->seq)
			continue;
		if (s->seq != w->seq) {
			w->seq = s->seq;
			w->no = 0;
		}
		if (s->state == SEG_BROKEN)	/* few */
			fn(s, NULL, arg);
		while (w->no < s->nnewer)
			if (!fn(s, &s->newer[w->no++], arg))
				return true;
	}
	return false;
}
