/*
 * The directory's database: accounts and aliases in SQLite, owned by _authd
 * in its own directory.  Read whole at start; every change is one
 * transaction with a full sync.  Values are always bound, never part of
 * the SQL text (attacks 29, 40).
 *
 * Invariants: an account's id is never used again (AUTOINCREMENT; ids are
 * uids of account directories).  state 0 is an account whose directory may
 * not be there yet; it is dropped when the database is opened.  gone has the
 * numbers of accounts deleted lately, for a queue that was away.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "proc.h"
#include "util.h"
#include "authd.h"

#define DB_VERSION	1
#define GONE_SECONDS	2592000	/* 30 d: queue has heard of it long since */
#define STR(x)		#x
#define XSTR(x)		STR(x)

enum stmt {
	S_INSERT, S_STATE, S_HASH, S_DELETE, S_GONE, S_ALIAS_ADD, S_ALIAS_DEL,
	S_MAX
};

static const char *const text[S_MAX] = {
	[S_INSERT] = "INSERT INTO account(address, hash, state, created) "
	    "VALUES(?1, ?2, 0, ?3)",
	[S_STATE] = "UPDATE account SET state = ?2 WHERE id = ?1",
	[S_HASH] = "UPDATE account SET hash = ?2 WHERE id = ?1",
	[S_DELETE] = "DELETE FROM account WHERE id = ?1",
	[S_GONE] = "INSERT INTO gone(account, at) VALUES(?1, ?2)",
	[S_ALIAS_ADD] = "INSERT INTO alias(address, target) VALUES(?1, ?2)",
	[S_ALIAS_DEL] = "DELETE FROM alias WHERE address = ?1"
};

static const char schema[] =
    "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " address TEXT NOT NULL UNIQUE, hash TEXT NOT NULL,"
    " quota INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL,"
    " created INTEGER NOT NULL);"
    "CREATE TABLE alias(address TEXT NOT NULL, target TEXT NOT NULL,"
    " PRIMARY KEY(address, target)) WITHOUT ROWID;"
    "PRAGMA user_version=" XSTR(DB_VERSION) ";";

/* What came later; a program that does not know it lets it be. */
static const char added[] =
    "CREATE TABLE IF NOT EXISTS gone(account INTEGER PRIMARY KEY,"
    " at INTEGER NOT NULL);";

static struct {
	sqlite3		*db;
	sqlite3_stmt	*stmt[S_MAX];
	char		 error[256];
} st;

void
db_close(void)
{
	size_t i;

	for (i = 0; i < S_MAX; i++) {
		sqlite3_finalize(st.stmt[i]);
		st.stmt[i] = NULL;
	}
	sqlite3_close(st.db);
	st.db = NULL;
}

bool
db_ready(void)
{
	return st.db != NULL;
}

const char *
db_error(void)
{
	return st.error;
}

static int
db_failed(void)
{
	snprintf(st.error, sizeof(st.error), "%s", st.db == NULL ?
	    "the database is not open" : sqlite3_errmsg(st.db));
	return -1;
}

static int
db_exec(const char *sql)
{
	return st.db != NULL && sqlite3_exec(st.db, sql, NULL, NULL,
	    NULL) == SQLITE_OK ? 0 : db_failed();
}

/* The end of a transaction: 0 keeps what was done, -1 takes it back. */
static int
db_end(int r)
{
	if (r == 0)
		r = db_exec("COMMIT");
	if (r == -1)
		sqlite3_exec(st.db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* ---- opening ------------------------------------------------------------- */

static int
db_number(const char *sql, int64_t *v)
{
	sqlite3_stmt *q;
	int r;

	if (sqlite3_prepare_v2(st.db, sql, -1, &q, NULL) != SQLITE_OK)
		return db_failed();
	if ((r = sqlite3_step(q)) == SQLITE_ROW)
		*v = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return r == SQLITE_ROW ? 0 : db_failed();
}

/* quick_check says "ok" or what is damaged. */
static int
db_check(void)
{
	sqlite3_stmt *q;
	const char *s;
	int ok = 0;

	if (sqlite3_prepare_v2(st.db, "PRAGMA quick_check(1)", -1, &q,
	    NULL) != SQLITE_OK)
		return db_failed();
	if (sqlite3_step(q) == SQLITE_ROW &&
	    (s = (const char *)sqlite3_column_text(q, 0)) != NULL) {
		ok = strcmp(s, "ok") == 0;
		snprintf(st.error, sizeof(st.error), "damaged: %s", s);
	} else
		db_failed();
	sqlite3_finalize(q);
	return ok ? 0 : -1;
}

static int
db_schema(void)
{
	int64_t version;

	if (db_number("PRAGMA user_version", &version) == -1)
		return -1;
	if (version == 0) {
		if (db_exec("BEGIN IMMEDIATE") == -1 ||
		    db_end(db_exec(schema)) == -1)
			return -1;
	} else if (version != DB_VERSION) {
		snprintf(st.error, sizeof(st.error), "schema version %lld, "
		    "this program knows %d", (long long)version, DB_VERSION);
		return -1;
	}
	if (db_exec(added) == -1)
		return -1;
	return db_check();
}

static int
load_account(struct dir *d, sqlite3_stmt *q)
{
	const char *address = (const char *)sqlite3_column_text(q, 1);
	const char *hash = (const char *)sqlite3_column_text(q, 2);
	int64_t id = sqlite3_column_int64(q, 0);

	if (address == NULL || hash == NULL || id <= 0 || id > UINT32_MAX ||
	    strlen(address) >= DIR_ADDRESS_MAX ||
	    dir_account_add(d, (uint32_t)id, address, hash,
	    (uint64_t)sqlite3_column_int64(q, 3),
	    sqlite3_column_int64(q, 4) == 1,
	    (uint64_t)sqlite3_column_int64(q, 5)) == NULL) {
		snprintf(st.error, sizeof(st.error), "account %lld is damaged",
		    (long long)id);
		return -1;
	}
	return 0;
}

static int
load_alias(struct dir *d, sqlite3_stmt *q)
{
	const char *address = (const char *)sqlite3_column_text(q, 0);
	const char *target = (const char *)sqlite3_column_text(q, 1);

	if (address == NULL || target == NULL ||
	    strlen(address) >= DIR_ADDRESS_MAX ||
	    strlen(target) >= DIR_ADDRESS_MAX) {
		snprintf(st.error, sizeof(st.error), "an alias is damaged");
		return -1;
	}
	dir_alias_add(d, address, target);
	return 0;
}

static int
db_each(const char *sql, int (*fn)(struct dir *, sqlite3_stmt *),
    struct dir *d)
{
	sqlite3_stmt *q;
	int r, bad = 0;

	if (sqlite3_prepare_v2(st.db, sql, -1, &q, NULL) != SQLITE_OK)
		return db_failed();
	while (!bad && (r = sqlite3_step(q)) == SQLITE_ROW)
		bad = fn(d, q) == -1;
	if (!bad && r != SQLITE_DONE)
		bad = db_failed();
	sqlite3_finalize(q);
	return bad ? -1 : 0;
}

static int
db_load(struct dir *d)
{
	size_t i;

	if (db_exec("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	    "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL;"
	    "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON;") == -1 ||
	    db_schema() == -1 ||
	    db_exec("DELETE FROM account WHERE state = 0;"
	    "DELETE FROM gone WHERE at < unixepoch() - " XSTR(GONE_SECONDS)) ==
	    -1 ||
	    db_each("SELECT id, address, hash, quota, state, created "
	    "FROM account ORDER BY id", load_account, d) == -1 ||
	    db_each("SELECT address, target FROM alias", load_alias, d) == -1)
		return -1;
	for (i = 0; i < S_MAX; i++)
		if (sqlite3_prepare_v3(st.db, text[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &st.stmt[i], NULL) != SQLITE_OK)
			return db_failed();
	return 0;
}

int
db_open(const char *path, struct dir *d, char *err, size_t errsize)
{
	int ok;

	db_close();
	ok = sqlite3_open_v2(path, &st.db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE, NULL) == SQLITE_OK;
	if (ok)
		sqlite3_busy_timeout(st.db, 1000);
	if ((!ok && db_failed() == -1) || db_load(d) == -1) {
		snprintf(err, errsize, "%s", st.error);
		db_close();
		return -1;
	}
	return 0;
}

/* ---- changes ------------------------------------------------------------- */

static sqlite3_stmt *
stmt_get(enum stmt i)
{
	sqlite3_stmt *q = st.stmt[i];

	if (q == NULL) {
		db_failed();
		return NULL;
	}
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return q;
}

static int
stmt_run(sqlite3_stmt *q)
{
	int r = sqlite3_step(q) == SQLITE_DONE ? 0 : db_failed();

	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return r;
}

int
db_account_insert(const char *address, const char *hash, uint64_t created,
    uint32_t *id)
{
	sqlite3_stmt *q = stmt_get(S_INSERT);
	int64_t row;

	if (q == NULL)
		return -1;
	sqlite3_bind_text(q, 1, address, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, hash, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, (int64_t)created);
	if (stmt_run(q) == -1)
		return -1;
	row = sqlite3_last_insert_rowid(st.db);
	if (row <= 0 || row > UINT32_MAX) {
		snprintf(st.error, sizeof(st.error), "no account id is left");
		return -1;
	}
	*id = (uint32_t)row;
	return 0;
}

int
db_account_state(uint32_t id, bool enabled)
{
	sqlite3_stmt *q = stmt_get(S_STATE);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, enabled ? 1 : 2);
	return stmt_run(q);
}

int
db_account_hash(uint32_t id, const char *hash)
{
	sqlite3_stmt *q = stmt_get(S_HASH);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_text(q, 2, hash, -1, SQLITE_STATIC);
	return stmt_run(q);
}

static int
account_delete(uint32_t id)
{
	sqlite3_stmt *q = stmt_get(S_DELETE);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	return stmt_run(q);
}

static int
account_gone(uint32_t id)
{
	sqlite3_stmt *q = stmt_get(S_GONE);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, (int64_t)now_sec());
	return stmt_run(q);
}

int
db_account_delete(uint32_t id)
{
	int r;

	if (db_exec("BEGIN IMMEDIATE") == -1)
		return -1;
	if ((r = account_delete(id)) == 0)
		r = account_gone(id);
	return db_end(r);
}

void
db_gone_each(void (*fn)(uint32_t, void *), void *arg)
{
	sqlite3_stmt *q;

	if (st.db == NULL || sqlite3_prepare_v2(st.db, "SELECT account FROM "
	    "gone", -1, &q, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(q) == SQLITE_ROW)
		fn((uint32_t)sqlite3_column_int64(q, 0), arg);
	sqlite3_finalize(q);
}

static int
alias_delete(const char *address)
{
	sqlite3_stmt *q = stmt_get(S_ALIAS_DEL);

	if (q == NULL)
		return -1;
	sqlite3_bind_text(q, 1, address, -1, SQLITE_STATIC);
	return stmt_run(q);
}

static int
alias_insert(const char *address, const char *target)
{
	sqlite3_stmt *q = stmt_get(S_ALIAS_ADD);

	if (q == NULL)
		return -1;
	sqlite3_bind_text(q, 1, address, -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 2, target, -1, SQLITE_STATIC);
	return stmt_run(q);
}

int
db_alias_set(const char *address, char *const *targets, size_t n)
{
	size_t i;
	int r;

	if (db_exec("BEGIN IMMEDIATE") == -1)
		return -1;
	r = alias_delete(address);
	for (i = 0; r == 0 && i < n; i++)
		r = alias_insert(address, targets[i]);
	return db_end(r);
}

int
db_alias_delete(const char *address)
{
	return alias_delete(address);
}
