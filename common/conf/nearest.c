/*
 * The key somebody meant: the known one that is nearest to a misspelt one, and
 * all that a section has.  Called by maild only, for what it says of a wrong
 * configuration.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/slice.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/key.h"

/* The distance of a misspelt key to a known one: as a whole, or, one step
 * further, by the last part alone (a key in the wrong section). */
static size_t
distance(const char *key, const char *known)
{
	const char *k = strrchr(key, '.'), *n = strrchr(known, '.');
	size_t whole = near_edits(slice_str(key), slice_str(known)), part;

	k = k == NULL ? key : k + 1;
	n = n == NULL ? known : n + 1;
	part = near_edits(slice_str(k), slice_str(n)) + 1;
	return part < whole ? part : whole;
}

/* "max_size" and "Max-Size" were meant as "max-size". */
static void
key_fold(char *dst, const char *src, size_t size)
{
	strlcpy(dst, src, size);
	for (; *dst != '\0'; dst++)
		*dst = *dst == '_' ? '-' :
		    (char)ascii_lower((unsigned char)*dst);
}

/* Name of the section key is in; false when that was the one before. */
static bool
section_name(const char *key, char *name, size_t size)
{
	size_t n = strcspn(key, ".");

	if (key[n] == '\0' || (strncmp(name, key, n) == 0 && name[n] == '\0'))
		return false;
	snprintf(name, size, "%.*s", (int)n, key);
	return true;
}

const char *
conf_nearest(const char *key)
{
	static char best[NEAR_MAX + 1];
	const struct conf_key *k;
	const char *dot = strrchr(key, '.');
	char folded[NEAR_MAX + 1], section[NEAR_MAX + 1] = "";
	size_t d, len, least;

	if (strlen(key) > NEAR_MAX)
		return NULL;
	best[0] = '\0';
	key_fold(folded, key, sizeof(folded));
	len = strlen(dot == NULL ? key : dot + 1);
	least = len < 4 ? 3 : 2 + len / 3;
	for (size_t i = 0; (k = conf_key(i)) != NULL; i++) {
		if (section_name(k->key, section, sizeof(section)) &&
		    (d = near_edits(slice_str(folded),
		    slice_str(section))) < least) {
			least = d;
			strlcpy(best, section, sizeof(best));
		}
		if ((d = distance(folded, k->key)) < least) {
			least = d;
			strlcpy(best, k->key, sizeof(best));
		}
	}
	return best[0] == '\0' ? NULL : best;
}

/* Is the last part of key in that section?  Its part, or NULL. */
static const char *
key_part(const char *key, const char *section, size_t n)
{
	if (n == 0)
		return strchr(key, '.') == NULL ? key : NULL;
	return strncmp(key, section, n) == 0 && key[n] == '.' ? key + n + 1 :
	    NULL;
}

static void
list_add(char *buf, size_t size, const char *word, size_t n)
{
	size_t have = strlen(buf);

	snprintf(buf + have, size - have, "%s%.*s", have == 0 ? "" : ", ",
	    (int)n, word);
}

void
conf_known(const char *section, char *buf, size_t size)
{
	char name[NEAR_MAX + 1] = "";
	const struct conf_key *k;
	const char *part;
	size_t n = strlen(section);

	buf[0] = '\0';
	for (size_t i = 0; (k = conf_key(i)) != NULL; i++)
		if ((part = key_part(k->key, section, n)) != NULL)
			list_add(buf, size, part, strlen(part));
		else if (n == 0 && section_name(k->key, name, sizeof(name)))
			list_add(buf, size, name, strlen(name));
}
