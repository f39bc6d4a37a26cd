/*
 * RFC 2047 encoded words, RFC 2231 parameters.
 */
#ifndef PARSE_WORDS_H
#define PARSE_WORDS_H

#include <stddef.h>

#include "base/slice.h"
#include "parse/mime.h"

#define WORDS_MAX	1000	/* encoded words decoded in one value */

/*
 * Unstructured value to UTF-8: unfolded, encoded words decoded, what cannot
 * be read given as it is or as U+FFFD.  Returns the length, cut at size on a
 * character.
 */
size_t	 words_decode(struct slice value, char *, size_t size);

struct param {
	struct slice	 name;	/* as written, "*0*" and the like removed */
	int		 extended;	/* value is charset'lang'%XX text */
	struct slice	 value;	/* unquoted, pieces joined */
};

struct params {
	struct slice	 type;	/* "text/plain", "attachment": before the ; */
	size_t		 n;
	struct param	 v[MIME_PARAMS_MAX];
};

/*
 * Content-Type, Content-Disposition and DKIM-free friends: a token (with a
 * slash) and parameters.  Strings are made in buf; too much is cut off.
 */
void	 params_parse(struct slice value, struct params *, char *buf,
	    size_t size);
/* A parameter by name, NULL if missing. */
const struct param *params_get(const struct params *, const char *name);
/* Its value as UTF-8 (RFC 2231 4).  Returns the length, cut at size. */
size_t	 param_utf8(const struct param *, char *, size_t size);

#endif
