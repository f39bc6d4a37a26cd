/*
 * IP addresses and SMTP's literals of them (RFC 5321 4.1.3).
 */
#ifndef PARSE_IPADDR_H
#define PARSE_IPADDR_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* An IP address; v4 uses the first four octets. */
struct ipaddr {
	int	 family;	/* 4 or 6 */
	uint8_t	 b[16];
};

#define IPADDR_TEXT_MAX	46

/* Dotted quad or RFC 4291 text, nothing around it.  0 or -1. */
int	 ipaddr_parse(struct slice, struct ipaddr *);
/* [1.2.3.4] or [IPv6:...] of RFC 5321 4.1.3.  0 or -1. */
int	 ipaddr_literal(struct slice, struct ipaddr *);
/* RFC 5952 text.  Returns the length or -1 if size < IPADDR_TEXT_MAX. */
ssize_t	 ipaddr_print(const struct ipaddr *, char *, size_t size);

#endif
