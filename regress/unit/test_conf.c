/*
 * The key table of the configuration: every row is sound, values go in and
 * come out the same, ranges hold at both ends, a misspelt key is guessed,
 * and no role is told what its row in doc/design.md section 2 does not name.
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "proc/proc.h"
#include "maild/conf_yaml.h"

static void
table_is_sound(void **state)
{
	const struct conf_key *k, *o;
	char section[64] = "", seen[1024] = " ";

	for (size_t i = 0; (k = conf_key(i)) != NULL; i++) {
		int n = (int)strcspn(k->key, ".");

		for (size_t j = 0; j < i; j++) {
			o = conf_key(j);
			assert_string_not_equal(k->key, o->key);
		}
		/* sections are in one piece: printing depends on it */
		if (k->key[n] == '.' && (strncmp(section, k->key,
		    (size_t)n) != 0 || section[n] != '\0')) {
			char word[66];

			snprintf(section, sizeof(section), "%.*s", n, k->key);
			snprintf(word, sizeof(word), " %s ", section);
			assert_null(strstr(seen, word));
			strlcat(seen, word, sizeof(seen));
		} else if (k->key[n] != '.')
			section[0] = '\0';
		assert_ptr_equal(conf_find(k->key), k);
		assert_true(k->min <= k->max);
		assert_true(strlen(k->doc) > 3);
		assert_true(strlen(conf_want(k)) > 5);
	}
}

static void
defaults_are_in_range(void **state)
{
	struct conf *c = conf_new();
	const struct conf_key *k;
	const char *want;

	for (size_t i = 0; (k = conf_key(i)) != NULL; i++)
		if (k->def != NULL && k->list == NULL)
			assert_int_equal(conf_set(c, k->key, 0, k->def, &want),
			    0);
	assert_true(c->smtp.max_size == 50 * 1024 * 1024);
	assert_int_equal(c->queue.expire, 432000);
	assert_int_equal(c->queue.batch_delay, 20);
	assert_int_equal(c->pop3.timeout, 600);
	assert_int_equal(c->proc.uid_base, 200000);
	assert_null(c->relay.smarthost);
	conf_free(c);
}

static void
numbers_and_units(void **state)
{
	static const struct { const char *key, *value; int ok; } t[] = {
		{ "smtp.timeout", "30", 1 }, { "smtp.timeout", "30s", 1 },
		{ "smtp.timeout", "5m", 1 }, { "smtp.timeout", "4h", 1 },
		{ "smtp.timeout", "1d", 1 }, { "smtp.timeout", "2d", 0 },
		{ "smtp.timeout", "0", 0 }, { "smtp.timeout", "-1", 0 },
		{ "smtp.timeout", "5 m", 0 }, { "smtp.timeout", "m", 0 },
		{ "smtp.timeout", "5ms", 0 }, { "smtp.timeout", "", 0 },
		{ "smtp.timeout", "999999999999999999999", 0 },
		{ "smtp.max-size", "2G", 1 }, { "smtp.max-size", "3G", 0 },
		{ "smtp.max-size", "64K", 1 }, { "smtp.max-size", "63K", 0 },
		{ "smtp.max-size", "1.5M", 0 }, { "smtp.max-size", "0x10", 0 },
		{ "smtp.max-size", "99999999999999999G", 0 },
		{ "queue.batch-delay", "20ms", 1 },
		{ "queue.batch-delay", "1s", 1 },
		{ "queue.batch-delay", "11s", 0 },
		{ "relay.port", "65535", 1 }, { "relay.port", "65536", 0 },
		{ "relay.port", "0", 0 }, { "relay.port", "2K", 0 },
		{ "relay.loopback", "yes", 1 }, { "relay.loopback", "2", 0 },
	};
	struct conf *c = conf_new();
	const char *want = NULL;

	for (size_t i = 0; i < NITEMS(t); i++)
		assert_int_equal(conf_set(c, t[i].key, 0, t[i].value, &want),
		    t[i].ok ? 0 : -1);
	assert_int_equal(c->smtp.timeout, 86400);
	assert_true(c->smtp.max_size == 65536);
	assert_int_equal(c->queue.batch_delay, 1000);
	assert_int_equal(conf_set(c, "smtp.max-size", 0, "1", &want), -1);
	assert_string_equal(want, "a size such as 50M, 64K to 2G");
	conf_free(c);
}

static void
text_values(void **state)
{
	static const struct { const char *key, *value; int ok; } t[] = {
		{ "hostname", "mail.example.org", 1 },
		{ "hostname", "MAIL.Example.ORG", 1 },
		{ "hostname", "mail_1.example.org", 0 },
		{ "hostname", "mail.example.org.", 0 },
		{ "hostname", "192.0.2.1", 0 }, { "hostname", "", 0 },
		{ "hostname", "-a.example", 0 }, { "hostname", "a b", 0 },
		{ "hostname", "m\xc3\xbcller.example", 0 },
		{ "networks", "192.0.2.0/24", 1 },
		{ "networks", "192.0.2.0/33", 0 },
		{ "networks", "2001:db8::/32", 1 },
		{ "networks", "2001:db8::/129", 0 },
		{ "networks", "192.0.2.1", 1 }, { "networks", "/8", 0 },
		{ "networks", "10.0.0.0/", 0 },
		{ "dns.resolvers", "127.0.0.1@5353", 1 },
		{ "dns.resolvers", "::1", 1 },
		{ "dns.resolvers", "::1@0", 0 },
		{ "dns.resolvers", "localhost", 0 },
		{ "relay.smarthost", "smtp.example.org", 1 },
		{ "relay.smarthost", "[192.0.2.1]", 1 },
		{ "relay.smarthost", "[2001:db8::1]", 1 },
		{ "relay.smarthost", "192.0.2.1", 0 },
		{ "relay.smarthost", "", 1 },
		{ "directories.spool", "relative", 0 },
		{ "directories.spool", "/a\nb", 0 },
		{ "directories.spool", "", 0 },
		{ "dkim.headers", "from:to:subject", 1 },
		{ "dkim.headers", "to:From", 1 },
		{ "dkim.headers", "to:subject", 0 },
		{ "dkim.headers", "from::to", 0 },
		{ "dkim.headers", "from: to", 0 },
		{ "log.level", "notice", 1 }, { "log.level", "loud", 0 },
	};
	struct conf *c = conf_new();
	const char *want;

	for (size_t i = 0; i < NITEMS(t); i++)
		if (conf_set(c, t[i].key, 0, t[i].value, &want) !=
		    (t[i].ok ? 0 : -1))
			fail_msg("%s: %s", t[i].key, t[i].value);
	assert_string_equal(c->hostname, "mail.example.org");
	assert_null(c->relay.smarthost);
	conf_free(c);
}

static void
lists_are_bounded(void **state)
{
	struct conf *c = conf_new();
	const char *want = NULL;

	for (unsigned int i = 0; i < CONF_NLIST; i++)
		assert_int_equal(conf_set(c, "domains", i, "example.org",
		    &want), 0);
	assert_int_equal(conf_set(c, "domains", CONF_NLIST, "example.org",
	    &want), -1);
	assert_int_equal(c->ndomains, CONF_NLIST);
	assert_string_equal(want, "at most 64 entries");
	assert_int_equal(conf_set(c, "dns.resolvers", 8, "::1", &want), -1);
	assert_string_equal(want, "at most 8 entries");
	assert_int_equal(conf_set(c, "reports.addresses", CONF_NREPORT,
	    "a@b.test", &want), -1);
	assert_string_equal(want, "at most 128 entries");
	assert_int_equal(conf_set(c, "hostname", 1, "a.example", &want), -1);
	assert_int_equal(conf_set(c, "nonsense", 0, "1", &want), -1);
	conf_free(c);
}

static void
misspelt_keys(void **state)
{
	static const struct { const char *key, *near; } t[] = {
		{ "hostnmae", "hostname" }, { "domain", "domains" },
		{ "smtp.max-sise", "smtp.max-size" },
		{ "smtp.max_size", "smtp.max-size" },
		{ "smtp.maxsize", "smtp.max-size" },
		{ "smpt", "smtp" }, { "direktories", "directories" },
		{ "retry-min", "queue.retry-min" },
		{ "smtp.retry-min", "queue.retry-min" },
		{ "listen.adress", "listen.address" },
		{ "tls.cert", NULL }, { "zzzzzzzzzzzz", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < NITEMS(t); i++) {
		const char *near = conf_nearest(t[i].key);

		if (t[i].near == NULL ? near != NULL : near == NULL ||
		    strcmp(near, t[i].near) != 0)
			fail_msg("%s: %s", t[i].key, near == NULL ? "none" :
			    near);
	}
}

static struct conf *
parse(const char *text, struct conf_errors *e)
{
	memset(e, 0, sizeof(*e));
	return conf_yaml_parse("t.yaml", text, strlen(text), e);
}

static void
two_lines_are_complete(void **state)
{
	struct conf_errors e;
	struct conf *c = parse("hostname: a.example\ndomains: b.example\n", &e);

	assert_non_null(c);
	assert_int_equal(c->nlisten, 14);
	assert_int_equal(c->ncert, 1);
	assert_non_null(strstr(c->cert[0].key, "/tls/a.example.key"));
	conf_free(c);
}

/* The file cut at every octet: never a crash, errors always told. */
static void
cut_at_every_octet(void **state)
{
	static const char text[] = "# c\nhostname: \"a.example\"\n"
	    "domains: [b.example, c.example]\nlisten:\n"
	    "  - {address: \"::\", port: 25}\n  - address: 0.0.0.0\n"
	    "    protocol: imap\nsmtp:\n  max-size: 1M\nquota: 5G\n";
	struct conf_errors e;
	struct conf *c;

	for (size_t n = 0; n <= sizeof(text) - 1; n++) {
		memset(&e, 0, sizeof(e));
		c = conf_yaml_parse("t", text, n, &e);
		assert_true((c == NULL) == (e.count > 0));
		assert_true(e.count == 0 || e.n > 0);
		conf_free(c);
	}
}

struct told { int role; const char *key; bool found; };

static void
look(const char *key, unsigned int index, const char *value, void *arg)
{
	struct told *t = arg;

	if (strcmp(key, t->key) == 0)
		t->found = true;
}

static void
shares_are_shares(void **state)
{
	static const struct { int role; const char *key; bool told; } t[] = {
		{ ROLE_SMTPD, "smtp.max-size", true },
		{ ROLE_SMTPD, "tls.key", false },
		{ ROLE_SMTPD, "relay.user", false },
		{ ROLE_SMTPD, "directories.spool", false },
		{ ROLE_IMAPD, "tls.key", false },
		{ ROLE_RELAY, "relay.user", true },
		{ ROLE_RELAY, "relay.password-file", false },
		{ ROLE_RELAY, "domains", true },
		{ ROLE_SIGND_DKIM, "dkim.directory", false },
		{ ROLE_HASH, "auth.memory", true },
		{ ROLE_HASH, "domains", false },
		{ ROLE_RESOLVE, "hostname", false },
		{ ROLE_LOGD, "log.syslog", true },
		{ ROLE_LOGD, "domains", false },
		{ ROLE_AUTHD, "networks", true },
		{ -1, "dkim.directory", true },
	};
	struct conf_errors e;
	struct conf *c = parse("hostname: a.example\ndomains: b.example\n"
	    "networks: 10.0.0.0/8\n", &e);

	for (size_t i = 0; i < NITEMS(t); i++) {
		struct told told = { t[i].role, t[i].key, false };

		conf_each(c, t[i].role, look, &told);
		if (told.found != t[i].told)
			fail_msg("role %d, %s", t[i].role, t[i].key);
	}
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(defaults_are_in_range),
		cmocka_unit_test(numbers_and_units),
		cmocka_unit_test(text_values),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(misspelt_keys),
		cmocka_unit_test(two_lines_are_complete),
		cmocka_unit_test(cut_at_every_octet),
		cmocka_unit_test(shares_are_shares),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
