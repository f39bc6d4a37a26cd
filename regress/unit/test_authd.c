/*
 * authd's pieces without their process: the directory and where mail goes,
 * the memory of recent logins, the slow-down, the database.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "base/slice.h"
#include "base/util.h"
#include "msg/addr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"

static char name_a[] = "a.test", name_b[] = "B.Test.";
static char *const domains[] = { name_a, name_b };

static struct dir *
dir_make(void)
{
	struct dir *d = dir_new();
	size_t bad;

	assert_int_equal(dir_domains(d, domains, 2, "mail.a.test", &bad), 0);
	assert_non_null(dir_account_add(d, 1, "alice@a.test", "h1", true,
	    0));
	assert_non_null(dir_account_add(d, 2, "bob@b.test", "h2", true, 0));
	return d;
}

static enum dir_result
go(struct dir *d, const char *address, struct dir_answer *ans)
{
	return dir_resolve(d, slice_str(address), ans);
}

/* Same address or id twice, deletion, many accounts: the tables hold. */
static void
test_dir_accounts(void **state)
{
	struct dir *d = dir_make();
	static struct dir_answer ans;
	char address[64];
	uint32_t i;

	assert_null(dir_account_add(d, 1, "x@a.test", "h", true, 0));
	assert_null(dir_account_add(d, 9, "alice@a.test", "h", true, 0));
	assert_null(dir_account_add(d, 0, "x@a.test", "h", true, 0));
	for (i = 10; i < 20000; i++) {
		snprintf(address, sizeof(address), "u%u@a.test", i);
		assert_non_null(dir_account_add(d, i, address, "h", true,
		    0));
	}
	for (i = 10; i < 20000; i += 2)
		dir_account_del(d, dir_account_id(d, i));
	assert_int_equal(dir_accounts(d), 2 + 9995);
	assert_null(dir_account_id(d, 10));
	assert_int_equal(dir_account_id(d, 11)->id, 11);
	assert_int_equal(go(d, "U11@A.TEST", &ans), DIR_OK);
	assert_int_equal(go(d, "u10@a.test", &ans), DIR_UNKNOWN);
	dir_account_del(d, dir_account_id(d, 1));
	assert_int_equal(go(d, "postmaster", &ans), DIR_OK);
	assert_int_equal(ans.account[0], 11);
	dir_free(d);
}

/* Reports about us: behind accounts and aliases, before a catch-all. */
static void
test_dir_reports(void **state)
{
	static char rua[] = "Rua@A.test", far[] = "rua@c.test";
	char *const reports[] = { rua, far };
	struct dir *d = dir_make();
	static struct dir_answer ans;
	struct item_route r;
	size_t off = 0;

	assert_int_equal(go(d, "rua@a.test", &ans), DIR_UNKNOWN);
	dir_reports(d, reports, 2);
	assert_int_equal(dir_alias_add(d, "@a.test", "alice@a.test"), 0);
	assert_int_equal(go(d, "RUA+x@a.test", &ans), DIR_OK);
	assert_int_equal(item_route_get(slice_of((char *)ans.routes, ans.n),
	    &off, &r), 1);
	assert_int_equal(r.type, ROUTE_REPORT);
	assert_int_equal(r.account, 0);
	assert_true(slice_is(r.address, "rua@a.test"));
	assert_int_equal(item_route_get(slice_of((char *)ans.routes, ans.n),
	    &off, &r), 0);
	assert_int_equal(ans.naccounts, 0);
	assert_int_equal(go(d, "rua@c.test", &ans), DIR_OK);
	assert_true(ans.outside);
	assert_int_equal(go(d, "rua%b.test@a.test", &ans), DIR_DENIED);
	assert_int_equal(dir_alias_add(d, "rua@a.test", "bob@b.test"), 0);
	assert_int_equal(go(d, "rua@a.test", &ans), DIR_OK);
	assert_int_equal(ans.account[0], 2);
	assert_int_equal(ans.naccounts, 1);
	dir_free(d);
}

static void
test_dir_domains(void **state)
{
	static char bad_name[] = "a b", idn[] = "b\xc3\xbc" "cher.test";
	char *const bad[] = { name_a, bad_name }, *const with_idn[] = { idn };
	struct dir *d = dir_make();
	static struct dir_answer ans;
	size_t i;

	assert_string_equal(dir_domain(d, 1), "b.test");
	assert_int_equal(dir_domains(d, bad, 2, "h", &i), -1);
	assert_int_equal(i, 1);
	assert_int_equal(dir_domains(d, with_idn, 1, NULL, &i), 0);
	assert_string_equal(dir_domain(d, 0), "xn--bcher-kva.test");
	assert_non_null(dir_account_add(d, 3, "x@xn--bcher-kva.test", "h",
	    true, 0));
	assert_int_equal(go(d, "x@xn--bcher-kva.test", &ans), DIR_OK);
	assert_int_equal(go(d, "x@b\xc3\xbc" "cher.test", &ans), DIR_OK);
	assert_int_equal(go(d, "alice@a.test", &ans), DIR_OK);
	assert_true(ans.outside);
	dir_free(d);
}

static void
test_dir_login_names(void **state)
{
	static const struct { const char *user; uint32_t id; } row[] = {
		{ "alice", 1 }, { "ALICE", 1 }, { "Alice@A.test", 1 },
		{ "bob", 0 }, { "bob@b.test", 2 }, { "alice@b.test", 0 },
		{ "alice+x@a.test", 0 }, { "", 0 }, { "@", 0 },
		{ "alice@", 0 }, { "@a.test", 0 }, { "alice\n", 0 },
		{ "alice\r@a.test", 0 }, { "alice@a.test@a.test", 0 },
		{ "\xff", 0 }, { "' OR 1=1", 0 }
	};
	struct dir *d = dir_make();
	char name[DIR_ADDRESS_MAX];
	struct account *a;
	size_t i;

	for (i = 0; i < NITEMS(row); i++) {
		a = dir_login(d, slice_str(row[i].user), name);
		assert_int_equal(a == NULL ? 0 : a->id, row[i].id);
	}
	assert_null(dir_login(d, slice_of("alice\0x", 7), name));
	assert_string_equal(name, "");
	dir_free(d);
}

/* CVE-2020-10967 and its like: no local part, or an odd one. */
static void
test_dir_odd_addresses(void **state)
{
	static const char *const odd[] = {
		"", "@", "@a.test", "\"\"@a.test", "\"\"", "@a.test:b@c.test",
		"a@", "\"a\\\"@a.test", "alice@a.test ", " alice@a.test",
		"alice@a..test", "alice@-a.test", "+@a.test", "++@a.test",
		"alice\n@a.test", "<alice@a.test>", "alice@a.test>", "%", "!",
		"alice@[a.test]", ("alice@x\xef\xb8\xb8" "0.test"),
		"${run{x}}@a.test", "%n%s%d@a.test"
	};
	struct dir *d = dir_make();
	static struct dir_answer ans;
	size_t i;

	dir_alias_add(d, "%n%s%d@a.test", "bob@b.test");
	for (i = 0; i < NITEMS(odd) - 1; i++)
		assert_int_not_equal(go(d, odd[i], &ans), DIR_OK);
	assert_int_equal(go(d, odd[i], &ans), DIR_OK);
	assert_int_not_equal(dir_resolve(d, slice_of("alice\0@a.test", 13),
	    &ans), DIR_OK);
	dir_free(d);
}

/* A directory that leads back to itself everywhere still answers fast. */
static void
test_dir_alias_explosion(void **state)
{
	struct dir *d = dir_make();
	static struct dir_answer ans;
	char from[64], to[64];
	int i, j;

	for (i = 0; i < 40; i++)
		for (j = 0; j < 40; j++) {
			snprintf(from, sizeof(from), "x%d@a.test", i);
			snprintf(to, sizeof(to), "x%d@a.test", j);
			dir_alias_add(d, from, to);
		}
	assert_int_equal(go(d, "x0@a.test", &ans), DIR_TEMP);
	assert_int_equal(go(d, "alice@a.test", &ans), DIR_OK);
	for (i = 0; i < 40; i++) {	/* no mark was left behind */
		snprintf(from, sizeof(from), "x%d@a.test", i);
		assert_false(dir_alias(d, slice_str(from))->active);
	}
	dir_free(d);
}

static void
test_recent(void **state)
{
	uint32_t a, b;
	char pw[16];

	recent_init();
	recent_add(1, slice_str("secret"), 1000);
	assert_true(recent_has(1, slice_str("secret"), 1001));
	assert_false(recent_has(2, slice_str("secret"), 1001));
	assert_false(recent_has(1, slice_str("secret "), 1001));
	assert_false(recent_has(1, slice_str("secre"), 1001));
	assert_false(recent_has(1, slice_str(""), 1001));
	assert_false(recent_has(0, slice_str("secret"), 1001));
	assert_false(recent_has(1, slice_str("secret"),
	    1000 + RECENT_SECONDS));
	recent_drop(1);
	assert_false(recent_has(1, slice_str("secret"), 1001));
	/* the account's number and the password cannot run into another */
	for (a = 1; a < 300; a++) {
		snprintf(pw, sizeof(pw), "%u", a);
		recent_add(a, slice_str(pw), 1000);
	}
	for (a = 1; a < 300; a++)
		for (b = 1; b < 300; b++) {
			snprintf(pw, sizeof(pw), "%u", b);
			assert_int_equal(recent_has(a, slice_str(pw), 1001),
			    a == b);
		}
	recent_init();
	assert_false(recent_has(5, slice_str("5"), 1001));
}

/* A reload says whose networks are not slowed down. */
static void
test_slow_trusted_by_reload(void **state)
{
	struct msg_addr a = { 4, { 192, 0, 2, 1 }, 0 };
	struct conf *conf = conf_new();

	assert_int_equal(slow_network(&a).kind, SLOW_NETWORK);
	conf->networks[conf->nnetworks++] = xstrdup("192.0.2.0/24");
	conf_free(proc_conf_use(conf));
	assert_int_equal(slow_network(&a).kind, 0);
	conf_free(proc_conf_use(conf_new()));
	assert_int_equal(slow_network(&a).kind, SLOW_NETWORK);
}

static void
test_slow(void **state)
{
	struct msg_addr v4 = { 4, { 192, 0, 2, 1 }, 0 };
	struct msg_addr near4 = { 4, { 192, 0, 2, 99 }, 0 };
	struct msg_addr far4 = { 4, { 192, 0, 3, 1 }, 0 };
	struct msg_addr v6 = { 6, { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9 }, 0 };
	struct msg_addr near6 = { 6, { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 7 },
	    0 };
	struct msg_addr lo4 = { 4, { 127, 0, 0, 1 }, 0 }, none = { 0 };
	struct slow_key k = slow_network(&v4), n = slow_name("x@a.test"), o;
	uint64_t now = 1000000;
	int i;

	for (i = 0; i < 200; i++)
		slow_fail(&k, now);
	o = slow_network(&near4);
	assert_int_equal(slow_count(&o, now), 64);
	o = slow_network(&far4);
	assert_int_equal(slow_count(&o, now), 0);
	assert_int_equal(slow_count(&n, now), 0);
	assert_int_equal(slow_count(&k, now + 3000), 54);
	assert_int_equal(slow_count(&k, now + 100000), 0);
	k = slow_network(&v6);
	o = slow_network(&near6);
	assert_memory_equal(&k, &o, sizeof(k));
	assert_int_equal(slow_network(&lo4).kind, 0);
	assert_int_equal(slow_network(&none).kind, 0);
	slow_fail(&n, now);
	slow_fail(&n, now);
	assert_int_equal(slow_count(&n, now), 2);
	slow_clear(&n);
	assert_int_equal(slow_count(&n, now), 0);
	assert_int_equal(slow_wait(5, 5), 0);
	assert_int_equal(slow_wait(6, 5), 500);
	assert_int_equal(slow_wait(64, 5), SLOW_MS_MAX);
}

/* A clock that jumps, and a table full of others. */
static void
test_slow_clock_and_crowd(void **state)
{
	struct slow_key k = slow_name("victim@a.test"), o;
	char name[32];
	uint64_t now = 2000000;
	int i;

	for (i = 0; i < 20; i++)
		slow_fail(&k, now);
	assert_int_equal(slow_count(&k, 5), 20);
	assert_int_equal(slow_count(&k, now), 0);
	for (i = 0; i < 20; i++)
		slow_fail(&k, now);
	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		o = slow_name(name);
		slow_fail(&o, now);
	}
	assert_int_equal(slow_count(&k, now), 20);
}

static void
test_cidr(void **state)
{
	static char a[] = "10.0.0.0/8", b[] = "192.0.2.7", c[] = "2001:db8::/32",
	    d[] = "0.0.0.0/0", e[] = "nonsense", f[] = "10.0.0.0/33";
	char *const v[] = { a, b, c }, *const all[] = { d },
	    *const bad[] = { e, f };
	struct msg_addr ten = { 4, { 10, 9, 8, 7 }, 0 };
	struct msg_addr one = { 4, { 192, 0, 2, 7 }, 0 };
	struct msg_addr two = { 4, { 192, 0, 2, 6 }, 0 };
	struct msg_addr six = { 6, { 0x20, 1, 0xd, 0xb8, 9 }, 0 };

	assert_true(addr_in(&ten, v, 3));
	assert_true(addr_in(&one, v, 3));
	assert_false(addr_in(&two, v, 3));
	assert_true(addr_in(&six, v, 3));
	assert_true(addr_in(&two, all, 1));
	assert_false(addr_in(&six, all, 1));
	assert_false(addr_in(&ten, bad, 2));
}

/* Written, read again the same; a damaged file is told, never trusted. */
static void
test_db(void **state)
{
	static char t1[] = "alice@a.test", t2[] = "x'); DROP TABLE account;--";
	char *const targets[] = { t1, t2 };
	char dirname[] = "/tmp/maild-db.XXXXXX", path[64], err[256];
	const struct keys none = { 0 };
	struct dir *d = dir_new();
	uint32_t id, id2;
	FILE *f;

	assert_non_null(mkdtemp(dirname));
	snprintf(path, sizeof(path), "%s/directory.db", dirname);
	assert_int_equal(db_open(path, d, err, sizeof(err)), 0);
	assert_int_equal(db_account_insert("alice@a.test", "h'1", &none, 5,
	    &id), 0);
	assert_int_equal(db_account_state(id, true), 0);
	assert_int_equal(db_account_insert("alice@a.test", "h", &none, 5,
	    &id2), -1);
	assert_int_equal(db_account_insert("bob@a.test", "h", &none, 5,
	    &id2), 0);
	assert_int_equal(db_account_insert("bob@a.test", "h", &none, 5,
	    &id2), 0);
	assert_int_equal(db_alias_set("i@a.test", targets, 2), 0);
	db_close();
	assert_int_equal(db_account_delete(id), -1);
	dir_free(d);

	d = dir_new();
	assert_int_equal(db_open(path, d, err, sizeof(err)), 0);
	assert_int_equal(dir_accounts(d), 1);	/* bob was never finished */
	assert_string_equal(dir_account_id(d, id)->hash, "h'1");
	assert_int_equal(dir_alias(d, slice_str("i@a.test"))->ntargets, 2);
	assert_int_equal(db_account_insert("carol@a.test", "h", &none, 5,
	    &id2), 0);
	assert_true(id2 > id + 1);		/* nor is his number free */
	db_close();
	dir_free(d);

	assert_non_null(f = fopen(path, "r+"));
	fseek(f, 4096, SEEK_SET);
	fprintf(f, "%0512d", 0);
	fclose(f);
	d = dir_new();
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_DAMAGED);
	assert_true(strlen(err) > 0);
	assert_int_equal(db_account_delete(id), -1);
	dir_free(d);
	unlink(path);
	strlcat(path, "-journal", sizeof(path));
	unlink(path);
	assert_int_equal(rmdir(dirname), 0);
}

static struct dir *
open_again(const char *path)
{
	struct dir *d = dir_new();
	char err[256];

	db_close();
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	return d;
}

/* What another program, or the operator's sqlite3, does to it. */
static void
change(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/*
 * Keys are those of the hash that is there: a program that knows no keys and
 * sets a password, or deletes an account, ends them.  Damaged ones are none.
 */
static void
test_db_keys(void **state)
{
	struct keys k = { .there = true, .count = KEYS_COUNT };
	static const char *const damage[] = {
		"UPDATE account SET hash = 'h9'",
		"UPDATE scram SET hash = 'h9'",
		"UPDATE scram SET count = 4095", "UPDATE scram SET count = -1",
		"UPDATE scram SET count = 4294971392",
		"UPDATE scram SET salt = x'00'",
		"UPDATE scram SET stored = zeroblob(31)",
		"UPDATE scram SET server = 5",
	};
	char dirname[] = "/tmp/maild-db.XXXXXX", path[64], err[256];
	struct dir *d = dir_new();
	uint8_t secret[32];
	uint32_t id;
	size_t i;

	memset(k.stored, 's', sizeof(k.stored));
	assert_non_null(mkdtemp(dirname));
	snprintf(path, sizeof(path), "%s/directory.db", dirname);
	assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
	memcpy(secret, db_secret(), sizeof(secret));
	assert_int_equal(db_account_insert("a@a.test", "h1", &k, 5, &id), 0);
	assert_int_equal(db_account_state(id, true), 0);
	for (i = 0; i < NITEMS(damage); i++) {
		dir_free(d);
		d = open_again(path);
		assert_true(dir_account_id(d, id)->keys.there);
		assert_memory_equal(dir_account_id(d, id)->keys.stored,
		    k.stored, sizeof(k.stored));
		assert_memory_equal(db_secret(), secret, sizeof(secret));
		change(path, damage[i]);
		dir_free(d);
		d = open_again(path);
		assert_false(dir_account_id(d, id)->keys.there);
		assert_int_equal(db_account_hash(id, "h1", &k), 0);
	}
	/* not of what SQLite takes for random, which the jail makes poor */
	for (i = 0; i < 2; i++) {
		dir_free(d);
		d = dir_new();
		assert_int_equal(unlink(path), 0);
		sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
		assert_int_equal(db_open(path, d, err, sizeof(err)), DB_OK);
		assert_memory_not_equal(db_secret(), secret, sizeof(secret));
		memcpy(secret, db_secret(), sizeof(secret));
	}
	assert_int_equal(db_account_insert("a@a.test", "h1", &k, 5, &id), 0);
	assert_int_equal(db_account_state(id, true), 0);
	k.there = false;		/* a password without */
	assert_int_equal(db_account_hash(id, "h2", &k), 0);
	dir_free(d);
	d = open_again(path);
	assert_false(dir_account_id(d, id)->keys.there);
	db_close();
	dir_free(d);
	unlink(path);
	rmdir(dirname);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dir_accounts),
		cmocka_unit_test(test_dir_domains),
		cmocka_unit_test(test_dir_reports),
		cmocka_unit_test(test_dir_login_names),
		cmocka_unit_test(test_dir_odd_addresses),
		cmocka_unit_test(test_dir_alias_explosion),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_slow_trusted_by_reload),
		cmocka_unit_test(test_slow_clock_and_crowd),
		cmocka_unit_test(test_cidr),
		cmocka_unit_test(test_db),
		cmocka_unit_test(test_db_keys),
	};

	if (sodium_init() == -1)
		return 1;
	proc_conf_use(conf_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
