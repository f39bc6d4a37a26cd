/*
 * The guard: how many recipients outside an account wrote to in the last hour
 * and day, so that one that was taken over does little harm.  Counted where
 * recipients are asked for, for here alone all smtpd meet and the account is
 * proven; a taken recipient is pending till queue tells that its message is
 * on disk.  All connections of an account share one pending, so that many at
 * once get no further than one.  What a connection had pending when its next
 * mail began or it ended, and queue never told of, is dropped a while later.
 *
 * The counts are kept in guard.db, written each minute: a crash forgets a
 * minute, and losing the file costs a day's counts.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

/* Slots behind the one that is being filled make up the whole period. */
#define HOUR_SLOTS	13
#define HOUR_WIDTH	300	/* s */
#define DAY_SLOTS	25
#define DAY_WIDTH	3600
#define LEAVE_SLOTS	5	/* dropped after 60 s, 75 at most */
#define LEAVE_WIDTH	15
#define SLOTS_MAX	25
#define ROWS_STEP	1024	/* rows of guard.db, read at a start */
#define TOLD_SECONDS	600	/* between log lines of one account */

struct ring {			/* counts of the last n * width seconds */
	uint16_t	 n, width;
	uint32_t	 sum;
	uint64_t	 at;		/* time / width of the current slot */
	uint32_t	 slot[SLOTS_MAX];
};

struct guard {
	struct node	 node;
	uint32_t	 account;
	bool		 dirty;		/* not yet in guard.db */
	uint64_t	 told;		/* s, when the log said so last */
	uint32_t	 open;		/* pending of connections */
	struct ring	 leaving;	/* of their mails before */
	struct ring	 hour, day;	/* sent */
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS sent("
    "account INTEGER NOT NULL, width INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " recipients INTEGER NOT NULL, PRIMARY KEY(account, width, slot))"
    " WITHOUT ROWID;";

static struct {
	struct table	 table;
	struct loose	 db;
	bool		 loaded;	/* what was in there is here */
} st;

/* ---- rings --------------------------------------------------------------- */

/* Forget what is too long ago.  A clock that goes back forgets nothing, nor
 * does it keep anything until it comes there again: all counts as of now. */
static void
ring_to(struct ring *r, uint64_t now)
{
	uint64_t to = now / r->width, i;

	if (r->sum == 0 || to < r->at) {
		memset(r->slot, 0, sizeof(r->slot));
		r->slot[to % r->n] = r->sum;
		r->at = to;
		return;
	}
	for (i = 0; i < r->n && r->at < to; i++) {
		r->at++;
		r->sum -= r->slot[r->at % r->n];
		r->slot[r->at % r->n] = 0;
	}
	r->at = to;
}

static void
ring_add(struct ring *r, uint32_t n, uint64_t now)
{
	ring_to(r, now);
	if (n > UINT32_MAX - r->sum)
		n = UINT32_MAX - r->sum;
	r->slot[r->at % r->n] += n;
	r->sum += n;
}

/* Take up to n out, the oldest first.  How many. */
static uint32_t
ring_take(struct ring *r, uint32_t n)
{
	uint32_t left = n, k, i;
	uint32_t *slot;

	for (i = 1; i <= r->n && left > 0 && r->sum > 0; i++) {
		slot = &r->slot[(r->at + i) % r->n];
		k = *slot < left ? *slot : left;
		*slot -= k;
		r->sum -= k;
		left -= k;
	}
	return n - left;
}

/* ---- accounts ------------------------------------------------------------ */

static struct guard *
guard_find(uint32_t account)
{
	struct node *n;

	n = table_chain(&st.table, table_hash(&account, sizeof(account)));
	for (; n != NULL; n = n->next)
		if (((struct guard *)n)->account == account)
			return (struct guard *)n;
	return NULL;
}

static struct guard *
guard_get(uint32_t account)
{
	struct guard *g = guard_find(account);

	if (g != NULL)
		return g;
	g = xcalloc(1, sizeof(*g));
	g->account = account;
	g->leaving.n = LEAVE_SLOTS;
	g->leaving.width = LEAVE_WIDTH;
	g->hour.n = HOUR_SLOTS;
	g->hour.width = HOUR_WIDTH;
	g->day.n = DAY_SLOTS;
	g->day.width = DAY_WIDTH;
	table_add(&st.table, &g->node, table_hash(&account, sizeof(account)));
	return g;
}

static void
guard_to(struct guard *g, uint64_t now)
{
	ring_to(&g->leaving, now);
	ring_to(&g->hour, now);
	ring_to(&g->day, now);
}

static uint64_t
guard_pending(const struct guard *g)
{
	return (uint64_t)g->open + g->leaving.sum;
}

static bool
beyond(const struct guard *g, const struct ring *r, unsigned int limit)
{
	return limit != 0 && r->sum + guard_pending(g) >= limit;
}

/* Above what is allowed?  Told once in a while. */
static bool
guard_over(struct guard *g, const char *name, uint64_t now)
{
	unsigned int hour = proc_conf()->guard.hour;
	unsigned int day = proc_conf()->guard.day;

	if (!beyond(g, &g->hour, hour) && !beyond(g, &g->day, day))
		return false;
	if (g->told == 0 || now < g->told || now - g->told >= TOLD_SECONDS) {
		log_notice("guard account=%u user=%s recipients hour=%u of %u "
		    "day=%u of %u pending=%llu: more are refused for now",
		    g->account, name, g->hour.sum, hour, g->day.sum,
		    day, (unsigned long long)guard_pending(g));
		g->told = now;
	}
	return true;
}

bool
guard_take(uint32_t account, const char *name, uint32_t *open, uint64_t now)
{
	struct guard *g = guard_get(account);

	guard_to(g, now);
	if (guard_over(g, name, now))
		return false;
	g->open++;
	++*open;
	return true;
}

void
guard_leave(uint32_t account, uint32_t *open, uint64_t now)
{
	struct guard *g;

	if (*open == 0)
		return;
	g = guard_get(account);
	g->open -= *open;
	ring_add(&g->leaving, *open, now);
	*open = 0;
}

void
guard_sent(uint32_t account, uint32_t n, uint32_t *open, uint64_t now)
{
	struct guard *g = guard_get(account);
	uint32_t left;

	guard_to(g, now);
	ring_add(&g->hour, n, now);
	ring_add(&g->day, n, now);
	g->dirty = true;
	left = n - ring_take(&g->leaving, n);
	if (open == NULL)
		return;
	if (left > *open)
		left = *open;
	g->open -= left;
	*open -= left;
}

bool
guard_counts(uint32_t account, struct guard_counts *out, uint64_t now)
{
	struct guard *g = guard_find(account);

	if (g == NULL)
		return false;
	guard_to(g, now);
	out->hour = g->hour.sum;
	out->day = g->day.sum;
	out->pending = guard_pending(g);
	return out->day != 0 || out->pending != 0;
}

/* ---- over restarts ------------------------------------------------------- */

struct kept {			/* a row of guard.db */
	uint32_t	 account, n;
	int64_t		 width, slot;
};

static bool
row_get(sqlite3_stmt *q, struct kept *r)
{
	int64_t account = sqlite3_column_int64(q, 0);
	int64_t n = sqlite3_column_int64(q, 3);

	r->account = (uint32_t)account;
	r->width = sqlite3_column_int64(q, 1);
	r->slot = sqlite3_column_int64(q, 2);
	r->n = (uint32_t)n;
	return account > 0 && account <= UINT32_MAX && n > 0 &&
	    n <= INT32_MAX && r->slot >= 0 &&
	    (r->width == HOUR_WIDTH || r->width == DAY_WIDTH);
}

static void
row_add(const struct kept *row, uint64_t now)
{
	struct guard *g = guard_get(row->account);
	struct ring *r = row->width == HOUR_WIDTH ? &g->hour : &g->day;
	uint64_t slot = (uint64_t)row->slot;

	ring_to(r, now);
	if (slot > r->at || r->at - slot >= r->n ||
	    row->n > UINT32_MAX - r->sum)
		return;
	r->slot[slot % r->n] += row->n;
	r->sum += row->n;
}

/* All rows or none, once: what was counted meanwhile comes on top. */
static int
guard_load(sqlite3 *db, void *arg)
{
	uint64_t now = *(uint64_t *)arg;
	struct kept *v = NULL;
	size_t n = 0, i;
	sqlite3_stmt *q;
	int r;

	if (st.loaded)
		return 0;
	if (sqlite3_prepare_v2(db, "SELECT account, width, slot, recipients "
	    "FROM sent", -1, &q, NULL) != SQLITE_OK)
		return -1;
	while ((r = sqlite3_step(q)) == SQLITE_ROW) {
		if (n % ROWS_STEP == 0)
			v = xreallocarray(v, n + ROWS_STEP, sizeof(*v));
		n += row_get(q, &v[n]);
	}
	sqlite3_finalize(q);
	for (i = 0; r == SQLITE_DONE && i < n; i++)
		row_add(&v[i], now);
	free(v);
	st.loaded = r == SQLITE_DONE;
	return st.loaded ? 0 : -1;
}

void
guard_open(const char *path, uint64_t now)
{
	loose_open(&st.db, path, schema, guard_load, &now);
}

static bool
ring_write(sqlite3_stmt *q, uint32_t account, const struct ring *r)
{
	uint64_t i, at;
	bool ok = true;

	for (i = 0; ok && i < r->n && i <= r->at; i++) {
		at = r->at - i;
		if (r->slot[at % r->n] == 0)
			continue;
		sqlite3_bind_int64(q, 1, account);
		sqlite3_bind_int64(q, 2, r->width);
		sqlite3_bind_int64(q, 3, (int64_t)at);
		sqlite3_bind_int64(q, 4, r->slot[at % r->n]);
		ok = sqlite3_step(q) == SQLITE_DONE;
		sqlite3_reset(q);
	}
	return ok;
}

static bool
guard_write(sqlite3_stmt *del, sqlite3_stmt *ins, const struct guard *g)
{
	bool ok;

	sqlite3_bind_int64(del, 1, g->account);
	ok = sqlite3_step(del) == SQLITE_DONE;
	sqlite3_reset(del);
	return ok && ring_write(ins, g->account, &g->hour) &&
	    ring_write(ins, g->account, &g->day);
}

/* Call fn for all; true when it was for each. */
static bool
guard_each(bool (*fn)(struct guard *, void *), void *arg)
{
	struct node *n, *next;
	size_t i;

	for (i = 0; i < st.table.nslots; i++)
		for (n = st.table.slot[i]; n != NULL; n = next) {
			next = n->next;
			if (!fn((struct guard *)n, arg))
				return false;
		}
	return true;
}

struct save {
	uint64_t	 now;
	sqlite3_stmt	*del, *ins;
};

static bool
save_changed(struct guard *g, void *arg)
{
	struct save *s = arg;

	guard_to(g, s->now);
	return (!g->dirty && g->day.sum > 0) || guard_write(s->del, s->ins, g);
}

/* It is written; who has nothing left is forgotten. */
static bool
save_done(struct guard *g, void *arg)
{
	g->dirty = false;
	if (g->day.sum == 0 && guard_pending(g) == 0) {
		table_del(&st.table, &g->node);
		free(g);
	}
	return true;
}

void
guard_save(uint64_t now)
{
	struct save s = { now, NULL, NULL };
	sqlite3 *db;
	bool ok;

	if (st.table.count == 0)
		return;
	if ((db = loose_begin(&st.db, guard_load, &now)) == NULL)
		return;
	ok = sqlite3_prepare_v2(db, "DELETE FROM sent WHERE account = ?1", -1,
	    &s.del, NULL) == SQLITE_OK && sqlite3_prepare_v2(db, "INSERT INTO "
	    "sent(account, width, slot, recipients) VALUES(?1, ?2, ?3, ?4)",
	    -1, &s.ins, NULL) == SQLITE_OK && guard_each(save_changed, &s);
	sqlite3_finalize(s.del);
	sqlite3_finalize(s.ins);
	if (loose_end(&st.db, ok) == 0)
		guard_each(save_done, NULL);
}

void
guard_close(void)
{
	loose_close(&st.db);
}
