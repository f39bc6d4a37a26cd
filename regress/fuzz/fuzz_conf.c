/*
 * Fuzz maild.yaml: whatever the file, maild tells what is wrong or has a
 * configuration that prints and parses to the same again.  Corpus:
 * regress/conf.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "maild/conf_yaml.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char *
print(const struct conf *c, size_t *n)
{
	char *text = NULL;
	FILE *fp = open_memstream(&text, n);

	if (fp == NULL)
		abort();
	conf_print(c, fp);
	fclose(fp);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_errors e;
	struct conf *a, *b;
	char *ta, *tb;
	size_t na, nb;

	memset(&e, 0, sizeof(e));
	a = conf_yaml_parse("fuzz", (const char *)data, size, &e);
	if (a == NULL) {
		if (e.count == 0 || e.n == 0)
			abort();
		return 0;
	}
	ta = print(a, &na);
	if ((b = conf_yaml_parse("again", ta, na, &e)) == NULL)
		abort();
	tb = print(b, &nb);
	if (na != nb || memcmp(ta, tb, na) != 0)
		abort();
	conf_free(a);
	conf_free(b);
	free(ta);
	free(tb);
	return 0;
}
