/*
 * A database that may be lost: counters, written now and then without syncs,
 * so that they are never in the way.  One that is damaged is put aside; one
 * that cannot be read now is kept and tried again at the next write; one of a
 * newer release is let be.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

#define LOOSE_NEWER	(-1)	/* besides what SQLite says */

static const char *
error_text(const struct loose *l, int error)
{
	if (error == LOOSE_NEWER)
		return "of a newer release, let be";
	return l->db == NULL ? sqlite3_errstr(error) : sqlite3_errmsg(l->db);
}

static void
loose_failed(struct loose *l, const char *doing, int error)
{
	if (!l->told)
		log_warnx("%s %s error=\"%s\"", l->path, doing,
		    error_text(l, error));
	l->told = true;
	loose_close(l);
}

static bool
is_newer(sqlite3 *db)
{
	sqlite3_stmt *q;
	bool newer = false;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) !=
	    SQLITE_OK)
		return false;
	if (sqlite3_step(q) == SQLITE_ROW)
		newer = sqlite3_column_int64(q, 0) != 0;
	sqlite3_finalize(q);
	return newer;
}

/* SQLITE_OK, or why not. */
static int
loose_try(struct loose *l, loose_load load, void *arg)
{
	int r;

	if ((r = sqlite3_open_v2(l->path, &l->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE, NULL)) != SQLITE_OK)
		return r;
	if (sqlite3_db_readonly(l->db, "main") == 1)
		return SQLITE_READONLY;	/* SQLite's way when open() fails */
	if (is_newer(l->db))
		return LOOSE_NEWER;
	if (sqlite3_exec(l->db, "PRAGMA synchronous=OFF;"
	    "PRAGMA journal_mode=MEMORY; PRAGMA temp_store=MEMORY;", NULL,
	    NULL, NULL) != SQLITE_OK || sqlite3_exec(l->db, l->schema, NULL,
	    NULL, NULL) != SQLITE_OK || load(l->db, arg) == -1)
		return sqlite3_errcode(l->db);
	return SQLITE_OK;
}

static bool
is_damaged(int r)
{
	return r == SQLITE_NOTADB || r == SQLITE_CORRUPT;
}

/* Out of the way; the last one stays, for who wants to look at it. */
static int
loose_aside(const struct loose *l)
{
	char to[128];

	snprintf(to, sizeof(to), "%s.damaged", l->path);
	return rename(l->path, to);
}

/* A read that fails may look like damage to SQLite: it is read twice. */
static void
loose_again(struct loose *l, loose_load load, void *arg)
{
	int r = loose_try(l, load, arg);

	if (is_damaged(r)) {
		loose_close(l);
		r = loose_try(l, load, arg);
	}
	if (is_damaged(r)) {
		loose_failed(l, "put aside", r);
		if (loose_aside(l) == 0)
			r = loose_try(l, load, arg);
	}
	if (r == SQLITE_OK)
		l->told = false;
	else
		loose_failed(l, "open", r);
}

void
loose_open(struct loose *l, const char *path, const char *schema,
    loose_load load, void *arg)
{
	loose_close(l);
	l->path = path;
	l->schema = schema;
	loose_again(l, load, arg);
}

sqlite3 *
loose_begin(struct loose *l, loose_load load, void *arg)
{
	if (l->path == NULL)
		return NULL;
	if (l->db == NULL)
		loose_again(l, load, arg);
	if (l->db != NULL && sqlite3_exec(l->db, "BEGIN", NULL, NULL, NULL) !=
	    SQLITE_OK)
		loose_failed(l, "write", SQLITE_ERROR);
	return l->db;
}

int
loose_end(struct loose *l, bool ok)
{
	if (ok && sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) ==
	    SQLITE_OK)
		return 0;
	loose_failed(l, "write", SQLITE_ERROR);
	return -1;
}

void
loose_close(struct loose *l)
{
	sqlite3_close(l->db);
	l->db = NULL;
}
