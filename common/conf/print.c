/*
 * The configuration out again: value by value for a role's share
 * (conf_each), and as YAML that parses to the same (conf_print).  Called by
 * maild only; both walk the key table.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/key.h"

static void	 print_scalar(FILE *, const char *);
static void	 print_list(const struct conf *, const struct conf_key *, int,
		    FILE *);
static size_t	 print_rows(const struct conf *, size_t, FILE *);

void
conf_each(const struct conf *c, int role, void (*fn)(const char *,
    unsigned int, const char *, void *), void *arg)
{
	const struct conf_key *k;
	char buf[CONF_VALUE_MAX];

	for (size_t i = 0; (k = conf_key(i)) != NULL; i++) {
		size_t n = k->list == NULL ? 1 : conf_count(c, k->list);

		if (role != -1 && (k->roles >> role & 1) == 0)
			continue;
		for (unsigned int j = 0; j < n; j++) {
			conf_format(k, conf_cat(c, k, j), buf);
			fn(k->key, j, buf, arg);
		}
	}
}

void
conf_print(const struct conf *c, FILE *fp)
{
	const struct conf_key *k;
	char section[64] = "", buf[CONF_VALUE_MAX];

	for (size_t i = 0; (k = conf_key(i)) != NULL; i++) {
		const char *dot = strchr(k->key, '.');
		int n = dot == NULL ? 0 : (int)(dot - k->key);

		if (k->list != NULL && k->list->rows) {
			i = print_rows(c, i, fp);
			continue;
		}
		if (n > 0 && strncmp(section, k->key, (size_t)n + 1) != 0) {
			snprintf(section, sizeof(section), "%.*s.", n, k->key);
			fprintf(fp, "%.*s:\n", n, k->key);
		}
		fprintf(fp, "%s%s:", n > 0 ? "  " : "",
		    n > 0 ? dot + 1 : k->key);
		if (k->list != NULL) {
			print_list(c, k, n > 0 ? 4 : 2, fp);
			continue;
		}
		conf_format(k, conf_cat(c, k, 0), buf);
		fputc(' ', fp);
		print_scalar(fp, buf);
		fputc('\n', fp);
	}
}

static void
print_list(const struct conf *c, const struct conf_key *k, int indent,
    FILE *fp)
{
	size_t n = conf_count(c, k->list);
	char buf[CONF_VALUE_MAX];

	fputs(n == 0 ? " []\n" : "\n", fp);
	for (unsigned int j = 0; j < n; j++) {
		conf_format(k, conf_cat(c, k, j), buf);
		fprintf(fp, "%*s- ", indent, "");
		print_scalar(fp, buf);
		fputc('\n', fp);
	}
}

/* A list of mappings whose keys begin at row i of the table; returns the
 * last row of it. */
static size_t
print_rows(const struct conf *c, size_t i, FILE *fp)
{
	const struct conf_list *l = conf_key(i)->list;
	const struct conf_key *k;
	size_t n = conf_count(c, l), skip = strlen(l->name) + 1, last = i;
	char buf[CONF_VALUE_MAX];

	fprintf(fp, "%s:%s", l->name, n == 0 ? " []\n" : "\n");
	while ((k = conf_key(last + 1)) != NULL && k->list == l)
		last++;
	for (unsigned int j = 0; j < n; j++)
		for (size_t r = i; r <= last; r++) {
			k = conf_key(r);
			conf_format(k, conf_cat(c, k, j), buf);
			fprintf(fp, "  %s %s: ", r == i ? "-" : " ",
			    k->key + skip);
			print_scalar(fp, buf);
			fputc('\n', fp);
		}
	return last;
}

/* Plain where YAML cannot mistake it, else in double quotes. */
static void
print_scalar(FILE *fp, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@+-";

	if (*s != '\0' && strspn(s, plain) == strlen(s) &&
	    strchr("-@+.", *s) == NULL) {
		fputs(s, fp);
		return;
	}
	fputc('"', fp);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', fp);
		fputc(*s, fp);
	}
	fputc('"', fp);
}
