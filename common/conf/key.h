/*
 * One row of the key table behind conf.h: what table.c, value.c,
 * print.c and check.c share with maild's YAML loader and with the
 * test that compares the manual page.
 */
#ifndef CONF_KEY_H
#define CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

enum conf_type {
	CT_STR,		/* printable text, at most max octets */
	CT_PATH,	/* absolute path, at most max octets */
	CT_HOST,	/* domain name in ASCII, kept in lower case */
	CT_ADDR,	/* IP address */
	CT_NET,		/* IP address or ADDRESS/LENGTH */
	CT_RESOLVER,	/* ADDRESS or ADDRESS@PORT */
	CT_PEER,	/* domain name or [ADDRESS] */
	CT_MAILBOX,	/* address LOCAL@DOMAIN */
	CT_FIELDS,	/* header field names with colons between */
	CT_LEVEL,	/* log level */
	CT_PROTOCOL,	/* enum conf_protocol */
	CT_BOOL,
	CT_UINT,	/* unsigned int, min to max */
	CT_SEC,		/* unsigned int seconds */
	CT_MSEC,	/* unsigned int milliseconds */
	CT_SIZE,	/* uint64_t octets */
	CT_CHOICE	/* unsigned int, place in choices */
};

/* Where a list lives: its members, how far apart, how many may be. */
struct conf_list {
	const char	*name;		/* "listen", "dns.resolvers" */
	bool		 rows;		/* members are mappings */
	size_t		 off;		/* of the first member */
	size_t		 stride;
	size_t		 count;		/* offset of the size_t count */
	unsigned int	 max;
};

struct conf_key {
	const char	*key;		/* "smtp.max-size", "listen.port" */
	enum conf_type	 type;
	bool		 empty;		/* may be left unset */
	const struct conf_list *list;	/* NULL: a single value */
	size_t		 off;		/* in struct conf, or in the member */
	const char	*def;		/* NULL: none, or made by conf_finish */
	uint64_t	 min, max;
	uint32_t	 roles;		/* bits of enum proc_role */
	const char	*doc;		/* one line */
	const char	*choices;	/* of CT_CHOICE: "this, that" */
};

/* A listener whose protocol or port was not given (until conf_finish). */
#define CONF_NO_PROTOCOL ((enum conf_protocol)255)

/* Longest text conf_format makes. */
#define CONF_VALUE_MAX	8192

const struct conf_key *conf_key(size_t i);	/* NULL behind the last */
const struct conf_key *conf_find(const char *key);
/* Whether name is a section ("smtp") or a list of mappings ("listen"). */
bool	 conf_section(const char *name);
const struct conf_list *conf_rows(const char *name);
/* How many members a list has. */
size_t	 conf_count(const struct conf *, const struct conf_list *);
const void *conf_cat(const struct conf *, const struct conf_key *,
	    unsigned int index);

/* value.c: text to value at p and back.  parse: 0 or -1 (then
 * conf_want() tells what would be right); format: buf has CONF_VALUE_MAX. */
int	 conf_parse(const struct conf_key *, const char *text, void *p);
void	 conf_format(const struct conf_key *, const void *p, char *buf);
const char *conf_want(const struct conf_key *);
unsigned int conf_protocol_port(enum conf_protocol);

#endif
