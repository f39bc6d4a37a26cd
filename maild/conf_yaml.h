/*
 * maild.yaml into struct conf.
 */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include <stddef.h>

#define CONF_FILE_MAX	(1024 * 1024)	/* octets of maild.yaml */
#define CONF_ERRORS_MAX	20		/* told, the rest is counted */

/* What is wrong, a line each: "file:line:col: key: what; what would be
 * right". */
struct conf_errors {
	unsigned int	 count;
	size_t		 n;
	char		 text[8192];
};

/* Read, parse and check the whole file.  Returns a complete configuration
 * (conf_free), or NULL with errors. */
struct conf *conf_yaml_load(const char *path, struct conf_errors *);
/* The same from memory; name stands in the messages. */
struct conf *conf_yaml_parse(const char *name, const char *text, size_t n,
	    struct conf_errors *);
#endif
