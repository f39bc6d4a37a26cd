/*
 * A small JSON reader for test vectors.  Strings hold one octet for each
 * code point U+0000..U+00FF.
 */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>

enum json_type { JSON_NULL, JSON_TRUE, JSON_FALSE, JSON_NUMBER, JSON_STRING,
	    JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type	 type;
	double		 number;
	char		*s;		/* string; NUL behind it */
	size_t		 n;		/* of the string, or items */
	struct json	*item;		/* of an array or object */
	char		*name;		/* in an object */
};

/* Read a file, or exit.  json_free() frees it. */
struct json	*json_load(const char *path);
void		 json_free(struct json *);
/* A member, or NULL. */
struct json	*json_get(const struct json *, const char *name);
/* Its string, or "". */
const char	*json_str(const struct json *, const char *name);

#endif
