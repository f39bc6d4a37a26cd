/*
 * Failed logins slow down, counted per name and per network.  A table of
 * fixed size (sets of eight; the least counted gives way), so that an
 * attacker with many addresses costs no memory.  The counters outlive a
 * restart in a database that may be lost.
 *
 * A name that is no account may be a mistyped password, so no name is ever
 * written down; but what is kept of an account and not of another name would
 * tell them apart.  Both are a keyed hash, here and in the file, and the key
 * is one that maild makes at its start and nobody writes: a restart of authd
 * forgets nothing, one of maild all names alike, and the file tells nothing.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/addr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define SLOW_SETS	1024
#define SLOW_WAYS	8
#define SLOW_FORGET	300	/* s after which one failure is forgotten */
#define SLOW_COUNT_MAX	64

struct slow {
	struct slow_key	 key;		/* kind 0: empty */
	uint8_t		 count;
	uint64_t	 at;		/* when count was right */
};

static struct {
	struct slow	 set[SLOW_SETS][SLOW_WAYS];
	uint8_t		 key[32];	/* of names */
	struct loose	 db;
	bool		 dirty;
	bool		 loaded;	/* what was in db is here */
} st;

/* A keyed hash of text, and what for. */
static void
slow_hash(uint8_t out[8], char what, const char *text)
{
	uint8_t b[crypto_generichash_BYTES_MIN];
	crypto_generichash_state h;

	crypto_generichash_init(&h, st.key, sizeof(st.key), sizeof(b));
	crypto_generichash_update(&h, (const uint8_t *)&what, 1);
	crypto_generichash_update(&h, (const uint8_t *)text, strlen(text));
	crypto_generichash_final(&h, b, sizeof(b));
	memcpy(out, b, 8);
}

void
slow_secret(const uint8_t key[32])
{
	crypto_generichash(st.key, sizeof(st.key), key, 32,
	    (const uint8_t *)"names that fail", 15);
}

struct slow_key
slow_name(const char *name)
{
	struct slow_key k = { .kind = SLOW_NAME };

	slow_hash(k.b, 'n', name);
	return k;
}

struct slow_key
slow_network(const struct msg_addr *a)
{
	static char v4[] = "127.0.0.0/8", v6[] = "::1";
	static char *const loopback[] = { v4, v6 };
	struct slow_key k = { 0 };

	if ((a->family != 4 && a->family != 6) ||
	    addr_in(a, loopback, NITEMS(loopback)) ||
	    addr_in(a, proc_conf()->networks, proc_conf()->nnetworks))
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
slow_fail(const struct slow_key *k, uint64_t now)
{
	struct slow *s = slow_find(k);

	if (k->kind == 0)
		return;
	if (s == NULL)
		s = slow_new(k, now);
	slow_decay(s, now);
	if (s->count < SLOW_COUNT_MAX)
		s->count++;
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

/* The row of SLOW_KEY is the hash of nothing: whose names these are. */
static const char schema[] = "DROP TABLE IF EXISTS failure;"
    "CREATE TABLE IF NOT EXISTS failed(kind INTEGER NOT NULL,"
    " key TEXT NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID;";

static void
slow_row(sqlite3_stmt *q, uint64_t now)
{
	int64_t kind = sqlite3_column_int64(q, 0);
	const char *hex = (const char *)sqlite3_column_text(q, 1);
	int64_t count = sqlite3_column_int64(q, 2);
	struct slow_key k = { .kind = (uint8_t)kind };
	struct slow *s;

	if ((kind != SLOW_NAME && kind != SLOW_NETWORK) || hex == NULL ||
	    strlen(hex) != 2 * sizeof(k.b) ||
	    hex_decode(k.b, sizeof(k.b), hex) == -1 || count <= 0 ||
	    count > SLOW_COUNT_MAX)
		return;
	if ((s = slow_find(&k)) == NULL)
		s = slow_new(&k, now);
	else if (s->count >= count)
		return;		/* counted since */
	s->count = (uint8_t)count;
	s->at = (uint64_t)sqlite3_column_int64(q, 3);
	slow_decay(s, now);
}

static void
slow_whose(char hex[17])
{
	uint8_t b[8];

	slow_hash(b, 'k', "");
	hex_encode(hex, b, sizeof(b));
}

static int
slow_load(sqlite3 *db, void *arg)
{
	uint64_t now = *(uint64_t *)arg;
	char whose[17];
	sqlite3_stmt *q;
	int r;

	if (st.loaded)
		return 0;
	slow_whose(whose);
	if (sqlite3_prepare_v2(db, "SELECT kind, key, count, at FROM failed "
	    "WHERE kind = ?1 OR EXISTS(SELECT 1 FROM failed WHERE kind = ?2 "
	    "AND key = ?3) LIMIT 8192", -1, &q, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(q, 1, SLOW_NETWORK);
	sqlite3_bind_int64(q, 2, SLOW_KEY);
	sqlite3_bind_text(q, 3, whose, -1, SQLITE_STATIC);
	while ((r = sqlite3_step(q)) == SQLITE_ROW)
		slow_row(q, now);
	sqlite3_finalize(q);
	st.loaded = r == SQLITE_DONE;
	return st.loaded ? 0 : -1;
}

void
slow_open(const char *path, uint64_t now)
{
	loose_open(&st.db, path, schema, slow_load, &now);
}

static bool
slow_write(sqlite3_stmt *q, int kind, const char *hex, unsigned int count,
    uint64_t at)
{
	bool ok;

	sqlite3_bind_int64(q, 1, kind);
	sqlite3_bind_text(q, 2, hex, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(q, 3, count);
	sqlite3_bind_int64(q, 4, (int64_t)at);
	ok = sqlite3_step(q) == SQLITE_DONE;
	sqlite3_reset(q);
	return ok;
}

static bool
slow_each(sqlite3_stmt *q, uint64_t now)
{
	char hex[17];
	struct slow *s;
	bool ok;
	size_t i;

	slow_whose(hex);
	ok = slow_write(q, SLOW_KEY, hex, 0, 0);
	for (i = 0; ok && i < SLOW_SETS * SLOW_WAYS; i++) {
		s = &st.set[i / SLOW_WAYS][i % SLOW_WAYS];
		slow_decay(s, now);
		if (s->count == 0)
			continue;
		hex_encode(hex, s->key.b, sizeof(s->key.b));
		ok = slow_write(q, s->key.kind, hex, s->count, s->at);
	}
	return ok;
}

void
slow_save(uint64_t now)
{
	sqlite3_stmt *q = NULL;
	sqlite3 *db;
	bool ok;

	if (!st.dirty || (db = loose_begin(&st.db, slow_load, &now)) == NULL)
		return;
	ok = sqlite3_exec(db, "DELETE FROM failed", NULL, NULL, NULL) ==
	    SQLITE_OK && sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO "
	    "failed(kind, key, count, at) VALUES(?1, ?2, ?3, ?4)", -1, &q,
	    NULL) == SQLITE_OK && slow_each(q, now);
	sqlite3_finalize(q);
	st.dirty = loose_end(&st.db, ok) == -1;
}

void
slow_close(void)
{
	loose_close(&st.db);
}
