/*
 * Failed logins slow down, counted per name and per network.  A table of
 * fixed size (sets of eight; the least counted gives way), so that an
 * attacker with many addresses costs no memory.  The counters of accounts
 * and networks outlive a restart in a database of their own, written
 * without syncs: losing it is harmless, so it is never in the way.  A name
 * that is no account is never written down: it may be a mistyped password.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "parse.h"
#include "msg.h"
#include "addr.h"
#include "chan.h"
#include "proc.h"
#include "log.h"
#include "util.h"
#include "conf.h"
#include "authd.h"

#define SLOW_SETS	1024
#define SLOW_WAYS	8
#define SLOW_FORGET	300	/* s after which one failure is forgotten */
#define SLOW_COUNT_MAX	64

struct slow {
	struct slow_key	 key;		/* kind 0: empty */
	uint8_t		 count;
	uint32_t	 account;	/* of SLOW_NAME; 0: not to be kept */
	uint64_t	 at;		/* when count was right */
};

static struct {
	struct slow	 set[SLOW_SETS][SLOW_WAYS];
	char		*trusted[CONF_NLIST];
	size_t		 ntrusted;
	struct loose	 db;
	bool		 dirty;
} st;

struct slow_key
slow_name(const char *name)
{
	struct slow_key k = { .kind = SLOW_NAME };
	uint64_t h = table_hash(name, strlen(name));

	memcpy(k.b, &h, sizeof(k.b));
	return k;
}

void
slow_trusted(char *const *cidr, size_t n)
{
	size_t i;

	for (i = 0; i < st.ntrusted; i++)
		free(st.trusted[i]);
	for (i = 0; i < n && i < CONF_NLIST; i++)
		st.trusted[i] = xstrdup(cidr[i]);
	st.ntrusted = i;
}

struct slow_key
slow_network(const struct msg_addr *a)
{
	static char v4[] = "127.0.0.0/8", v6[] = "::1";
	static char *const loopback[] = { v4, v6 };
	struct slow_key k = { 0 };

	if ((a->family != 4 && a->family != 6) ||
	    addr_in(a, loopback, NITEMS(loopback)) ||
	    addr_in(a, st.trusted, st.ntrusted))
		return k;
	k.kind = SLOW_NETWORK;
	if (a->family == 4)
		memcpy(k.b, a->b, 3);
	else {
		memcpy(k.b, a->b, 8);
		if (k.b[0] == 0)	/* not to be taken for an IPv4 one */
			k.kind = 0;
	}
	return k;
}

/* ---- the table ----------------------------------------------------------- */

static struct slow *
slow_set(const struct slow_key *k)
{
	return st.set[table_hash(k, sizeof(*k)) % SLOW_SETS];
}

static struct slow *
slow_find(const struct slow_key *k)
{
	struct slow *s = slow_set(k);
	size_t i;

	if (k->kind == 0)
		return NULL;
	for (i = 0; i < SLOW_WAYS; i++)
		if (memcmp(&s[i].key, k, sizeof(*k)) == 0)
			return &s[i];
	return NULL;
}

/* Bring the counter of s up to now. */
static void
slow_decay(struct slow *s, uint64_t now)
{
	uint64_t steps;

	if (now <= s->at) {
		s->at = now;	/* the clock went back */
		return;
	}
	steps = (now - s->at) / SLOW_FORGET;
	if (steps >= s->count) {
		s->count = 0;
		s->at = now;
	} else {
		s->count = (uint8_t)(s->count - steps);
		s->at += steps * SLOW_FORGET;
	}
}

unsigned int
slow_count(const struct slow_key *k, uint64_t now)
{
	struct slow *s = slow_find(k);

	if (s == NULL)
		return 0;
	slow_decay(s, now);
	return s->count;
}

static struct slow *
slow_new(const struct slow_key *k, uint64_t now)
{
	struct slow *s = slow_set(k), *least = s;
	size_t i;

	for (i = 0; i < SLOW_WAYS; i++) {
		slow_decay(&s[i], now);
		if (s[i].count < least->count)
			least = &s[i];
	}
	*least = (struct slow){ .key = *k, .at = now };
	return least;
}

void
slow_fail(const struct slow_key *k, uint32_t account, uint64_t now)
{
	struct slow *s = slow_find(k);

	if (k->kind == 0)
		return;
	if (s == NULL)
		s = slow_new(k, now);
	slow_decay(s, now);
	if (s->count < SLOW_COUNT_MAX)
		s->count++;
	s->account = account;
	st.dirty = true;
}

void
slow_clear(const struct slow_key *k)
{
	struct slow *s = slow_find(k);

	if (s != NULL && s->count > 0) {
		s->count = 0;
		st.dirty = true;
	}
}

uint32_t
slow_wait(unsigned int count, unsigned int nofree)
{
	unsigned int over = count > nofree ? count - nofree : 0;

	if (over == 0)
		return 0;
	return over > 5 ? SLOW_MS_MAX : 500u << (over - 1);
}

/* ---- over restarts ------------------------------------------------------- */

static const char schema[] = "CREATE TABLE IF NOT EXISTS failure("
    "account INTEGER NOT NULL, network TEXT NOT NULL, count INTEGER NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(account, network)) WITHOUT ROWID;";

static void
slow_row(sqlite3_stmt *q, struct dir *d, uint64_t now)
{
	struct slow_key k = { .kind = SLOW_NETWORK };
	uint32_t id = (uint32_t)sqlite3_column_int64(q, 0);
	const char *net = (const char *)sqlite3_column_text(q, 1);
	int64_t count = sqlite3_column_int64(q, 2);
	struct account *a = NULL;
	struct slow *s;

	if (id != 0 && (d == NULL || (a = dir_account_id(d, id)) == NULL))
		return;
	if (a != NULL)
		k = slow_name(a->address);
	else if (net == NULL || strlen(net) != 2 * sizeof(k.b) ||
	    hex_decode(k.b, sizeof(k.b), net) == -1)
		return;
	if (count <= 0 || count > SLOW_COUNT_MAX || slow_find(&k) != NULL)
		return;
	s = slow_new(&k, now);
	s->count = (uint8_t)count;
	s->account = id;
	s->at = (uint64_t)sqlite3_column_int64(q, 3);
	slow_decay(s, now);
}

struct load {
	struct dir	*dir;
	uint64_t	 now;
};

static int
slow_load(sqlite3 *db, void *arg)
{
	struct load *l = arg;
	sqlite3_stmt *q;
	int r;

	if (sqlite3_prepare_v2(db, "SELECT account, network, count, at "
	    "FROM failure LIMIT 8192", -1, &q, NULL) != SQLITE_OK)
		return -1;
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		slow_row(q, l->dir, l->now);
	sqlite3_finalize(q);
	return r == SQLITE_DONE ? 0 : -1;
}

void
slow_open(const char *path, struct dir *d, uint64_t now)
{
	struct load l = { d, now };

	loose_open(&st.db, path, schema, slow_load, &l);
}

static void
slow_write(sqlite3_stmt *q, const struct slow *s)
{
	char net[2 * sizeof(s->key.b) + 1] = "";

	if (s->key.kind == SLOW_NETWORK)
		hex_encode(net, s->key.b, sizeof(s->key.b));
	sqlite3_bind_int64(q, 1, s->account);
	sqlite3_bind_text(q, 2, net, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(q, 3, s->count);
	sqlite3_bind_int64(q, 4, (int64_t)s->at);
	sqlite3_step(q);
	sqlite3_reset(q);
}

static void
slow_each(sqlite3_stmt *q, uint64_t now)
{
	struct slow *s;
	size_t i;

	for (i = 0; i < SLOW_SETS * SLOW_WAYS; i++) {
		s = &st.set[i / SLOW_WAYS][i % SLOW_WAYS];
		slow_decay(s, now);
		if (s->count > 0 && (s->key.kind == SLOW_NETWORK ||
		    s->account != 0))
			slow_write(q, s);
	}
}

void
slow_save(struct dir *d, uint64_t now)
{
	struct load l = { d, now };
	sqlite3_stmt *q = NULL;
	sqlite3 *db;

	if (!st.dirty || (db = loose_begin(&st.db, slow_load, &l)) == NULL)
		return;
	st.dirty = false;
	if (sqlite3_exec(db, "DELETE FROM failure", NULL, NULL, NULL) ==
	    SQLITE_OK && sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO "
	    "failure(account, network, count, at) VALUES(?1, ?2, ?3, ?4)", -1,
	    &q, NULL) == SQLITE_OK)
		slow_each(q, now);
	sqlite3_finalize(q);
	loose_end(&st.db);
}

void
slow_close(void)
{
	loose_close(&st.db);
}
