/*
 * The directory's database: accounts and aliases in SQLite, owned by _authd
 * in its own directory.  Read whole at start; every change is one
 * transaction with a full sync.  Values are always bound, never part of
 * the SQL text (attacks 29, 40).
 *
 * Invariants: an account's id is never used again (AUTOINCREMENT; ids are
 * uids of account directories).  state 0 is an account whose directory may
 * not be there yet; it is dropped when the database is opened.  gone has the
 * numbers of accounts deleted lately, for a queue that was away.  quota has
 * those whose quota is not the default: 0 for what is as configured, -1 for
 * no limit.  The column account.quota was never used.  scram has
 * keys of passwords: a row counts only while its hash is the account's, so
 * that what a program that knows no keys does to a password ends them.
 * cert has fingerprints of certificates, each one account's.
 * secret has what salts of names that are no accounts are made of.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define DB_VERSION	1
#define GONE_SECONDS	2592000	/* 30 d: queue has heard of it long since */
#define STR(x)		#x
#define XSTR(x)		STR(x)

enum stmt {
	S_STALE, S_INSERT, S_STATE, S_HASH, S_DELETE, S_GONE, S_QUOTA,
	S_QUOTA_DEL, S_ALIAS_ADD, S_ALIAS_DEL, S_KEYS_ADD, S_KEYS_DEL,
	S_CERT_ADD, S_CERT_DEL, S_CERTS_DEL, S_MAX
};

static const char *const text[S_MAX] = {
	[S_STALE] = "DELETE FROM account WHERE address = ?1 AND state = 0",
	[S_INSERT] = ("INSERT INTO account(address, hash, state, created) "
	    "VALUES(?1, ?2, 0, ?3)"),
	[S_STATE] = "UPDATE account SET state = ?2 WHERE id = ?1",
	[S_HASH] = "UPDATE account SET hash = ?2 WHERE id = ?1",
	[S_DELETE] = "DELETE FROM account WHERE id = ?1",
	[S_GONE] = "INSERT INTO gone(account, at) VALUES(?1, ?2)",
	[S_QUOTA] = ("INSERT OR REPLACE INTO quota(account, octets, messages) "
	    "VALUES(?1, ?2, ?3)"),
	[S_QUOTA_DEL] = "DELETE FROM quota WHERE account = ?1",
	[S_ALIAS_ADD] = "INSERT INTO alias(address, target) VALUES(?1, ?2)",
	[S_ALIAS_DEL] = "DELETE FROM alias WHERE address = ?1",
	[S_KEYS_ADD] = ("INSERT OR REPLACE INTO scram(account, hash, count, "
	    "salt, stored, server) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"),
	[S_KEYS_DEL] = "DELETE FROM scram WHERE account = ?1",
	[S_CERT_ADD] = "INSERT INTO cert(fingerprint, account) VALUES(?1, ?2)",
	[S_CERT_DEL] = "DELETE FROM cert WHERE fingerprint = ?1",
	[S_CERTS_DEL] = "DELETE FROM cert WHERE account = ?1"
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
    " at INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS quota(account INTEGER PRIMARY KEY,"
    " octets INTEGER NOT NULL, messages INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS scram(account INTEGER PRIMARY KEY,"
    " hash TEXT NOT NULL, count INTEGER NOT NULL, salt BLOB NOT NULL,"
    " stored BLOB NOT NULL, server BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS cert(fingerprint BLOB PRIMARY KEY,"
    " account INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS secret(name TEXT PRIMARY KEY,"
    " value BLOB NOT NULL) WITHOUT ROWID;";

static struct {
	sqlite3		*db;
	sqlite3_stmt	*stmt[S_MAX];
	enum db_result	 result;	/* of what error tells */
	uint32_t	 highest;	/* account number ever given */
	uint8_t		 secret[32];
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

const char *
db_error(void)
{
	return st.error;
}

uint32_t
db_highest(void)
{
	return st.highest;
}

const uint8_t *
db_secret(void)
{
	return st.secret;
}

static int
db_says(enum db_result r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(st.error, sizeof(st.error), fmt, ap);
	va_end(ap);
	st.result = r;
	return -1;
}

static int
db_failed(void)
{
	int e = st.db == NULL ? SQLITE_MISUSE : sqlite3_errcode(st.db);

	return db_says(e == SQLITE_CORRUPT || e == SQLITE_NOTADB ? DB_DAMAGED :
	    DB_FAILED, "%s", st.db == NULL ? "the database is not open" :
	    sqlite3_errmsg(st.db));
}

static int
db_exec(const char *sql)
{
	return st.db != NULL && sqlite3_exec(st.db, sql, NULL, NULL,
	    NULL) == SQLITE_OK ? 0 : db_failed();
}

/* One that could not be taken back when it ended is, now. */
static int
db_begin(void)
{
	if (st.db != NULL && !sqlite3_get_autocommit(st.db))
		sqlite3_exec(st.db, "ROLLBACK", NULL, NULL, NULL);
	return db_exec("BEGIN IMMEDIATE");
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
		db_says(DB_DAMAGED, "damaged: %s", s);
	} else
		db_failed();
	sqlite3_finalize(q);
	return ok ? 0 : -1;
}

/*
 * What is there, before SQLite touches it: a file of a newer release is left
 * as it is, its journal too, and only where there is none, or an empty one,
 * is a database made.
 */
static int
db_peek(const char *path, bool *fresh)
{
	static const char magic[16] = "SQLite format 3";
	uint8_t h[100];		/* the header; user_version is at 60 */
	struct stat sb = { .st_size = 0 };
	ssize_t n = -1;
	uint32_t version;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT) {
		*fresh = true;
		return 0;
	}
	if (fd != -1 && fstat(fd, &sb) == 0)
		n = pread(fd, h, sizeof(h), 0);
	if (n == -1)
		db_says(DB_FAILED, "%s", strerror(errno));
	if (fd != -1)
		close(fd);
	if (n == -1)
		return -1;
	if ((*fresh = S_ISREG(sb.st_mode) && sb.st_size == 0))
		return 0;
	if ((size_t)n < sizeof(h) && sb.st_size >= (off_t)sizeof(h))
		return db_says(DB_FAILED, "short read");
	if ((size_t)n < sizeof(h) || memcmp(h, magic, sizeof(magic)) != 0)
		return db_says(DB_DAMAGED, "it is no database");
	version = (uint32_t)h[60] << 24 | (uint32_t)h[61] << 16 |
	    (uint32_t)h[62] << 8 | h[63];
	return version <= DB_VERSION ? 0 : db_says(DB_NEWER, "it is of schema "
	    "version %u, this program knows %d", version, DB_VERSION);
}

/* An empty database gets our tables; one that is another's is let be. */
static int
db_make(void)
{
	int64_t n;

	if (db_begin() == -1)
		return -1;
	if (db_number("SELECT count(*) FROM sqlite_schema", &n) == -1)
		return db_end(-1);
	if (n > 0)
		return db_end(db_says(DB_DAMAGED, "it has no accounts, but "
		    "something else"));
	return db_end(db_exec(schema));
}

/* Made once.  Not by randomblob(): in the jail SQLite has no file to take
 * entropy from, and makes do with the time and its process number. */
static int
secret_make(void)
{
	sqlite3_stmt *q;
	uint8_t b[sizeof(st.secret)];
	int r = 0;

	if (sqlite3_prepare_v2(st.db, "INSERT OR IGNORE INTO secret "
	    "VALUES('salt', ?1)", -1, &q, NULL) != SQLITE_OK)
		return db_failed();
	random_bytes(b, sizeof(b));
	sqlite3_bind_blob(q, 1, b, sizeof(b), SQLITE_STATIC);
	if (sqlite3_step(q) != SQLITE_DONE)
		r = db_failed();
	sqlite3_finalize(q);
	explicit_bzero(b, sizeof(b));
	return r;
}

static int
db_schema(void)
{
	int64_t version;

	if (db_number("PRAGMA user_version", &version) == -1)
		return -1;
	if (version > DB_VERSION)
		return db_says(DB_NEWER, "it is of schema version %lld, this "
		    "program knows %d", (long long)version, DB_VERSION);
	if (db_exec("PRAGMA journal_mode=TRUNCATE") == -1 ||
	    (version == 0 && db_make() == -1) || db_exec(added) == -1 ||
	    secret_make() == -1)
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
	    sqlite3_column_int64(q, 3) == 1,
	    (uint64_t)sqlite3_column_int64(q, 4)) == NULL) {
		return db_says(DB_DAMAGED, "account %lld is damaged",
		    (long long)id);
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
		return db_says(DB_DAMAGED, "an alias is damaged");
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
load_quota(struct dir *d, sqlite3_stmt *q)
{
	int64_t id = sqlite3_column_int64(q, 0);
	struct account *a;

	if (id <= 0 || id > UINT32_MAX ||
	    (a = dir_account_id(d, (uint32_t)id)) == NULL)
		return 0;	/* of an account that is no more */
	/* -1, like all below it, is more than any mailbox holds */
	a->quota.octets = (uint64_t)sqlite3_column_int64(q, 1);
	a->quota.messages = (uint64_t)sqlite3_column_int64(q, 2);
	return 0;
}

static int
load_gone(struct dir *d, sqlite3_stmt *q)
{
	dir_gone_add(d, (uint32_t)sqlite3_column_int64(q, 0));
	return 0;
}

/* Octets of a column, of exactly that size. */
static bool
load_blob(sqlite3_stmt *q, int column, uint8_t *out, size_t n)
{
	const void *p = sqlite3_column_blob(q, column);

	if (p == NULL || sqlite3_column_bytes(q, column) != (int)n)
		return false;
	memcpy(out, p, n);
	return true;
}

/* Those that are not as we make them are made again. */
static int
load_keys(struct dir *d, sqlite3_stmt *q)
{
	struct account *a = dir_account_id(d,
	    (uint32_t)sqlite3_column_int64(q, 0));
	int64_t count = sqlite3_column_int64(q, 1);
	struct keys k = { .there = true, .count = (uint32_t)count };

	if (a != NULL && count >= KEYS_COUNT_MIN && count <= KEYS_COUNT_MAX &&
	    load_blob(q, 2, k.salt, sizeof(k.salt)) &&
	    load_blob(q, 3, k.stored, sizeof(k.stored)) &&
	    load_blob(q, 4, k.server, sizeof(k.server)))
		a->keys = k;
	explicit_bzero(&k, sizeof(k));
	return 0;
}

static int
load_cert(struct dir *d, sqlite3_stmt *q)
{
	uint8_t fp[FINGERPRINT];

	if (load_blob(q, 0, fp, sizeof(fp)))
		dir_cert_add(d, fp, (uint32_t)sqlite3_column_int64(q, 1));
	return 0;
}

static int
load_secret(struct dir *d, sqlite3_stmt *q)
{
	return load_blob(q, 0, st.secret, sizeof(st.secret)) ? 0 :
	    db_says(DB_DAMAGED, "the secret of salts is damaged");
}

static int
load_highest(struct dir *d, sqlite3_stmt *q)
{
	st.highest = (uint32_t)sqlite3_column_int64(q, 0);
	return 0;
}

/* What is of no use any more; a full disk does not keep us from reading. */
static void
db_sweep(void)
{
	sqlite3_exec(st.db, "DELETE FROM account WHERE state = 0;"
	    "DELETE FROM scram WHERE account NOT IN (SELECT id FROM account);"
	    "DELETE FROM cert WHERE account NOT IN (SELECT id FROM account);"
	    "DELETE FROM gone WHERE at < unixepoch() - " XSTR(GONE_SECONDS),
	    NULL, NULL, NULL);
}

static int
db_load(struct dir *d)
{
	size_t i;

	st.highest = 0;
	if (db_exec("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
	    "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
	    "PRAGMA secure_delete=ON;") == -1 || db_schema() == -1)
		return -1;
	db_sweep();
	if (db_each("SELECT id, address, hash, state, created "
	    "FROM account WHERE state != 0 ORDER BY id", load_account,
	    d) == -1 ||
	    db_each("SELECT account, octets, messages FROM quota", load_quota,
	    d) == -1 ||
	    db_each("SELECT address, target FROM alias", load_alias,
	    d) == -1 ||
	    db_each("SELECT account FROM gone", load_gone, d) == -1 ||
	    db_each("SELECT scram.account, scram.count, salt, stored, server "
	    "FROM scram JOIN account ON account.id = scram.account AND "
	    "account.hash = scram.hash", load_keys, d) == -1 ||
	    db_each("SELECT fingerprint, account FROM cert", load_cert,
	    d) == -1 ||
	    db_each("SELECT value FROM secret WHERE name = 'salt'",
	    load_secret, d) == -1 ||
	    db_each("SELECT seq FROM sqlite_sequence WHERE name = 'account'",
	    load_highest, d) == -1)
		return -1;
	for (i = 0; i < S_MAX; i++)
		if (sqlite3_prepare_v3(st.db, text[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &st.stmt[i], NULL) != SQLITE_OK)
			return db_failed();
	return 0;
}

enum db_result
db_open(const char *path, struct dir *d, char *err, size_t errsize)
{
	bool fresh = false;
	int r;

	db_close();
	if ((r = db_peek(path, &fresh)) == 0 && sqlite3_open_v2(path, &st.db,
	    SQLITE_OPEN_READWRITE | (fresh ? SQLITE_OPEN_CREATE : 0),
	    NULL) != SQLITE_OK)
		r = db_failed();
	if (r == 0) {
		sqlite3_busy_timeout(st.db, 1000);
		r = db_load(d);
	}
	if (r == 0)
		return DB_OK;
	snprintf(err, errsize, "%s", st.error);
	db_close();
	return st.result;
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

/* The same for a change of one row: it has to be there. */
static int
stmt_run_one(sqlite3_stmt *q)
{
	if (stmt_run(q) == -1)
		return -1;
	return sqlite3_changes(st.db) == 1 ? 0 : db_says(DB_FAILED,
	    "the account is not there any more");
}

/* What an attempt that could not be taken back has left of that name. */
static int
account_stale(const char *address)
{
	sqlite3_stmt *q = stmt_get(S_STALE);

	if (q == NULL)
		return -1;
	sqlite3_bind_text(q, 1, address, -1, SQLITE_STATIC);
	return stmt_run(q);
}

static int
account_insert(const char *address, const char *hash, uint64_t created,
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
	if (row <= 0 || row > UINT32_MAX)
		return db_says(DB_FAILED, "no account number is left");
	*id = (uint32_t)row;
	return 0;
}

static int
keys_delete(uint32_t id)
{
	sqlite3_stmt *q = stmt_get(S_KEYS_DEL);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	return stmt_run(q);
}

/* The keys it has from now on; none. */
static int
keys_put(uint32_t id, const char *hash, const struct keys *k)
{
	sqlite3_stmt *q;

	if (!k->there)
		return keys_delete(id);
	if ((q = stmt_get(S_KEYS_ADD)) == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_text(q, 2, hash, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, k->count);
	sqlite3_bind_blob(q, 4, k->salt, sizeof(k->salt), SQLITE_STATIC);
	sqlite3_bind_blob(q, 5, k->stored, sizeof(k->stored), SQLITE_STATIC);
	sqlite3_bind_blob(q, 6, k->server, sizeof(k->server), SQLITE_STATIC);
	return stmt_run(q);
}

int
db_account_insert(const char *address, const char *hash,
    const struct keys *keys, uint64_t created, uint32_t *id)
{
	int r;

	if (db_begin() == -1)
		return -1;
	if ((r = account_stale(address)) == 0)
		r = account_insert(address, hash, created, id);
	if (r == 0)
		r = keys_put(*id, hash, keys);
	if ((r = db_end(r)) == 0)
		st.highest = *id;
	return r;
}

int
db_account_state(uint32_t id, bool enabled)
{
	sqlite3_stmt *q = stmt_get(S_STATE);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, enabled ? 1 : 2);
	return stmt_run_one(q);
}

static int
account_hash(uint32_t id, const char *hash)
{
	sqlite3_stmt *q = stmt_get(S_HASH);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_text(q, 2, hash, -1, SQLITE_STATIC);
	return stmt_run_one(q);
}

int
db_account_hash(uint32_t id, const char *hash, const struct keys *keys)
{
	int r;

	if (db_begin() == -1)
		return -1;
	if ((r = account_hash(id, hash)) == 0)
		r = keys_put(id, hash, keys);
	return db_end(r);
}

int
db_keys_add(const struct db_keys *k, size_t n)
{
	size_t i;
	int r = 0;

	if (db_begin() == -1)
		return -1;
	for (i = 0; r == 0 && i < n; i++)
		r = keys_put(k[i].id, k[i].hash, &k[i].keys);
	return db_end(r);
}

/* A change of one certificate; account 0: it goes. */
static int
cert_put(enum stmt what, const uint8_t *fp, uint32_t account)
{
	sqlite3_stmt *q = stmt_get(what);

	if (q == NULL)
		return -1;
	sqlite3_bind_blob(q, 1, fp, FINGERPRINT, SQLITE_STATIC);
	if (account != 0)
		sqlite3_bind_int64(q, 2, account);
	return stmt_run(q);
}

int
db_cert_add(const uint8_t fp[FINGERPRINT], uint32_t account)
{
	return cert_put(S_CERT_ADD, fp, account);
}

int
db_cert_del(const uint8_t fp[FINGERPRINT])
{
	return cert_put(S_CERT_DEL, fp, 0);
}

static int
certs_delete(uint32_t id)
{
	sqlite3_stmt *q = stmt_get(S_CERTS_DEL);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	return stmt_run(q);
}

int
db_keys_forget(void)
{
	return db_exec("DELETE FROM scram");
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
quota_delete(uint32_t id)
{
	sqlite3_stmt *q = stmt_get(S_QUOTA_DEL);

	if (q == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	return stmt_run(q);
}

int
db_account_quota(uint32_t id, const struct quota *quota)
{
	sqlite3_stmt *q;

	if (quota->octets == QUOTA_DEFAULT && quota->messages == QUOTA_DEFAULT)
		return quota_delete(id);
	if ((q = stmt_get(S_QUOTA)) == NULL)
		return -1;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, (int64_t)quota->octets);
	sqlite3_bind_int64(q, 3, (int64_t)quota->messages);
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

	if (db_begin() == -1)
		return -1;
	if ((r = account_delete(id)) == 0 && (r = quota_delete(id)) == 0 &&
	    (r = keys_delete(id)) == 0 && (r = certs_delete(id)) == 0)
		r = account_gone(id);
	return db_end(r);
}

int
db_adopt(uint32_t highest)
{
	sqlite3_stmt *q;
	int r = 0;

	if (db_begin() == -1)
		return -1;
	/* as if that number had been given and its row were gone */
	if (sqlite3_prepare_v2(st.db, "INSERT INTO account(id, address, hash, "
	    "state, created) VALUES(?1, '', '', 0, 0)", -1, &q,
	    NULL) != SQLITE_OK)
		return db_end(db_failed());
	sqlite3_bind_int64(q, 1, highest);
	if (sqlite3_step(q) != SQLITE_DONE)
		r = db_failed();
	sqlite3_finalize(q);
	if (r == 0)
		r = account_delete(highest);
	if ((r = db_end(r)) == 0)
		st.highest = highest;
	return r;
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

	if (db_begin() == -1)
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
