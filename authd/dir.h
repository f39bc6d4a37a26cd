/*
 * What dir.c and resolve.c share.
 */
#ifndef AUTHD_DIR_H
#define AUTHD_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "authd/authd.h"

struct domain {
	char		 name[256];	/* lower case, A-labels, no final dot */
	size_t		 n;
	struct account	*first;		/* the oldest one there, or NULL */
	size_t		 accounts;	/* so many are there */
};

struct dir {
	struct domain	 domain[CONF_NLIST];
	size_t		 ndomains;
	char		 host[256];
	char		 report[CONF_NREPORT][DIR_ADDRESS_MAX];
	size_t		 nreports;
	char		 postmaster[DIR_ADDRESS_MAX];	/* or "" */
	struct table	 accounts;	/* by address; owns them */
	struct table	 ids;		/* the same by id */
	struct table	 aliases;
	struct table	 certs;		/* dircert.c */
	uint32_t	*gone;		/* ids deleted lately */
	size_t		 ngone;
};

void	 ascii_lowercase(char *);
void	 dir_certs_free(struct dir *);
/* A domain in lower case with A-labels (RFC 5890).  0, -1. */
int	 domain_ascii(const char *name, char *out, size_t size);
struct domain *dir_domain_find(const struct dir *, const char *name);

#endif
