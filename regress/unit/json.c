/*
 * The JSON reader of json.h.  Trusts its input to be one of our own files.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static const char *at, *end;

static void	 clear(struct json *);
static void	 fail(const char *);
static void	 blanks(void);
static int	 take(char);
static void	 value(struct json *);
static void	 string(struct json *);
static void	 items(struct json *, char);

struct json *
json_load(const char *path)
{
	struct json *j = calloc(1, sizeof(*j));
	FILE *f = fopen(path, "r");
	size_t n = 0, cap = 1 << 22;
	char *buf = malloc(cap);

	if (f == NULL || j == NULL || buf == NULL)
		fail(path);
	else
		n = fread(buf, 1, cap, f);
	at = buf;
	end = buf + n;
	value(j);
	if (f != NULL)
		fclose(f);
	free(buf);
	return j;
}

struct json *
json_get(const struct json *j, const char *name)
{
	size_t i;

	for (i = 0; j != NULL && j->type == JSON_OBJECT && i < j->n; i++)
		if (strcmp(j->item[i].name, name) == 0)
			return &j->item[i];
	return NULL;
}

const char *
json_str(const struct json *j, const char *name)
{
	struct json *v = json_get(j, name);

	return v != NULL && v->type == JSON_STRING ? v->s : "";
}

void
json_free(struct json *j)
{
	clear(j);
	free(j);
}

static void
clear(struct json *j)
{
	size_t i;

	for (i = 0; (j->type == JSON_ARRAY || j->type == JSON_OBJECT) &&
	    i < j->n; i++) {
		free(j->item[i].name);
		clear(&j->item[i]);
	}
	free(j->item);
	free(j->s);
}

static void
fail(const char *why)
{
	fprintf(stderr, "json: %s\n", why);
	exit(1);
}

static void
blanks(void)
{
	while (at < end && strchr(" \t\r\n", *at) != NULL)
		at++;
}

static int
take(char c)
{
	blanks();
	if (at == end || *at != c)
		return 0;
	at++;
	return 1;
}

static void
value(struct json *j)
{
	static const char *const words[] = { "null", "true", "false" };
	char *e;
	int i;

	blanks();
	if (at < end && *at == '"') {
		string(j);
		return;
	}
	if (take('[')) {
		j->type = JSON_ARRAY;
		items(j, ']');
		return;
	}
	if (take('{')) {
		j->type = JSON_OBJECT;
		items(j, '}');
		return;
	}
	for (i = 0; i < 3; i++)
		if ((size_t)(end - at) >= strlen(words[i]) &&
		    strncmp(at, words[i], strlen(words[i])) == 0) {
			j->type = (enum json_type)i;
			at += strlen(words[i]);
			return;
		}
	j->type = JSON_NUMBER;
	j->number = strtod(at, &e);
	if (e == at)
		fail("no value");
	at = e;
}

static void
string(struct json *j)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	unsigned u;
	char hex[5] = "";

	j->type = JSON_STRING;
	j->s = malloc((size_t)(end - at) < 1 << 20 ? (size_t)(end - at) :
	    1 << 20);
	if (j->s == NULL || !take('"'))
		fail("no string");
	while (at < end && *at != '"') {
		u = (unsigned char)*at++;
		if (u == '\\') {
			u = (unsigned char)*at++;
			if (u == 'u') {
				memcpy(hex, at, 4);
				u = (unsigned)strtoul(hex, NULL, 16);
				at += 4;
			} else if (strchr(from, (int)u) != NULL)
				u = (unsigned char)to[strchr(from, (int)u) -
				    from];
		} else if (u >= 0xc2)	/* UTF-8 of two octets */
			u = (u & 3) << 6 | ((unsigned char)*at++ & 0x3f);
		j->s[j->n++] = (char)u;
	}
	j->s[j->n] = '\0';
	if (!take('"'))
		fail("string has no end");
	j->s = realloc(j->s, j->n + 1);
}

static void
items(struct json *j, char close)
{
	struct json key = { 0 }, *v;

	if (take(close))
		return;
	do {
		j->item = realloc(j->item, (j->n + 1) * sizeof(*j));
		if (j->item == NULL)
			fail("out of memory");
		if (close == '}') {
			key = (struct json){ 0 };
			blanks();
			string(&key);
			if (!take(':'))
				fail("no colon");
		}
		v = &j->item[j->n];
		*v = (struct json){ .name = key.s };
		value(v);
		j->n++;
	} while (take(','));
	if (!take(close))
		fail("not closed");
}
