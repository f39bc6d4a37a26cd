/*
 * Octets on their way into SHA-256, gathered so that small runs do not cost
 * a call each.  Private to common/verify.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "verify/verify.h"

#define DIGEST_BUF	4096
#define DIGEST_RUN	512	/* octets worth a call of their own */

struct digest {
	struct evp_md_ctx_st *ctx;	/* EVP_MD_CTX */
	int		 bad;		/* libcrypto failed */
	size_t		 n;
	char		 buf[DIGEST_BUF];
};

/* 0 or -1. */
int	 digest_start(struct digest *);
void	 digest_put(struct digest *, const char *, size_t);
/* Where up to n octets can be written, which digest_took() then counts; NULL
 * if n is too many for that. */
char	*digest_room(struct digest *, size_t n);
void	 digest_took(struct digest *, size_t n);
/* 0 or -1.  The context stays, for another start. */
int	 digest_end(struct digest *, uint8_t *hash);
void	 digest_free(struct digest *);
/* The hash so far, the stream going on: 0 or -1. */
int	 digest_copy(struct digest *to, struct digest *from);

/* dkim_header.c: a field in canonical form, crlf: with its line end; a
 * signature field without the value of its b= and without line end. */
void	 dkim_field_put(struct digest *, struct slice raw, enum dkim_canon,
	    int crlf);
int	 dkim_sig_put(struct digest *, struct slice raw, enum dkim_canon);

#endif
