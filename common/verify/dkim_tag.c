/*
 * Tag lists: DKIM-Signature, ARC fields, key records (RFC 6376 3.2).
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "verify/dkim_priv.h"
#include "verify/verify.h"

static int	 is_alnum(int);
static const char *tag_check(const struct tags *, struct slice,
		    struct slice);

int
tags_parse(struct slice in, struct tags *t, const char **why)
{
	struct slice spec, name, value;
	size_t eq;

	t->n = 0;
	in = slice_trim(in);
	while (in.n > 0) {
		spec = slice_of(in.p, slice_find(in, ';'));
		in = spec.n < in.n ? slice_trim(slice_of(in.p + spec.n + 1,
		    in.n - spec.n - 1)) : slice_of(in.p + in.n, 0);
		if ((eq = slice_find(spec, '=')) == spec.n) {
			*why = "tag without =";
			return -1;
		}
		name = slice_trim(slice_of(spec.p, eq));
		value = slice_trim(slice_of(spec.p + eq + 1, spec.n - eq - 1));
		if ((*why = tag_check(t, name, value)) != NULL)
			return -1;
		t->v[t->n].name = name;
		t->v[t->n++].value = value;
	}
	return 0;
}

struct slice
tags_get(const struct tags *t, const char *name)
{
	struct slice want = slice_str(name);
	size_t i;

	for (i = 0; i < t->n; i++)
		if (slice_eq(t->v[i].name, want))
			return t->v[i].value;
	return slice_of(NULL, 0);
}

ssize_t
tag_base64(struct slice in, uint8_t *out, size_t size)
{
	char text[TAG_TEXT_MAX], c;
	size_t i, n = 0;

	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (n == sizeof(text))
			return -1;
		text[n++] = c;
	}
	while (n % 4 != 0) {
		if (n == sizeof(text))
			return -1;
		text[n++] = '=';
	}
	return base64_decode(text, n, out, size);
}

int
tag_list_has(struct slice list, const char *word)
{
	struct slice one;

	for (;;) {
		one = slice_of(list.p, slice_find(list, ':'));
		if (slice_caseis(slice_trim(one), word))
			return 1;
		if (one.n == list.n)
			return 0;
		list = slice_of(list.p + one.n + 1, list.n - one.n - 1);
	}
}

static const char *
tag_check(const struct tags *t, struct slice name, struct slice value)
{
	size_t i;
	int c;

	if (t->n == DKIM_TAGS_MAX)
		return "too many tags";
	for (i = 0; i < name.n; i++)
		if (!is_alnum(name.p[i]) && (i == 0 || name.p[i] != '_'))
			return "bad tag name";
	if (name.n == 0 || (name.p[0] >= '0' && name.p[0] <= '9'))
		return "bad tag name";
	for (i = 0; i < value.n; i++) {
		c = (unsigned char)value.p[i];
		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') ||
		    c == 127)
			return "control character in a tag";
	}
	for (i = 0; i < t->n; i++)
		if (slice_eq(t->v[i].name, name))
			return "tag given twice";
	return NULL;
}

static int
is_alnum(int c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
