/*
 * The line of maild.yaml that has a domain.
 */
#ifndef DOMAIN_LINE_H
#define DOMAIN_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * The text of a configuration with one line more, "- DOMAIN" behind the last
 * one of "domains:", or (add false) without the line of that domain: on the
 * heap, its octets in *n.  NULL: the list does not stand there line by line,
 * or the domain is not in it.  Whether the result means what it should is for
 * who parses it.
 */
char	*domain_line(struct slice text, const char *domain, bool add,
	    size_t *n);

#endif
