/*
 * What the files of SPF share.  Private to common/verify.
 */
#ifndef SPF_PRIV_H
#define SPF_PRIV_H

#include <stddef.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"

/* octets of a macro's value: at most a local part, "@" and a domain */
#define SPF_VALUE_MAX	(ADDR_LOCAL_MAX + DOMAIN_TEXT + 1)

enum spf_kind { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4,
	    SPF_IP6, SPF_EXISTS, SPF_REDIRECT, SPF_EXP, SPF_UNKNOWN };

struct spf_term {
	enum spf_kind	 kind;
	char		 qualifier;	/* + - ~ ? */
	struct slice	 text;		/* as written */
	struct slice	 spec;		/* domain-spec, empty if none */
	int		 cidr4, cidr6;
	struct ipaddr	 ip;		/* of ip4, ip6 */
};

/* One evaluation. */
struct spf_eval {
	const struct spf_query *q;
	struct answers	*answers;
	struct spf	*out;
	struct ipaddr	 ip;		/* v4 if it is a mapped one */
	char		 top[DOMAIN_TEXT];	/* domain of the identity */
	struct slice	 exp;		/* exp= of the record that failed */
	char		 exp_domain[DOMAIN_TEXT];
	int		 depth;
};

/* ---- spf_record.c */

/* Does a TXT record start as an SPF one?  Octets of the version, or 0. */
size_t	 spf_version(struct slice);
/* The next term of *rest: 1, 0 at the end, -1 with *why.  */
int	 spf_term_next(struct slice *rest, struct spf_term *,
	    const char **why);

/* ---- spf_macro.c */

/* Syntax of a macro-string; exp: of an explanation.  0 or -1. */
int	 spf_macro_check(struct slice, int exp);
/*
 * Expand a domain-spec into a name that can be asked for: 1; 0 questions; -1
 * it gives no name, nothing can match it.
 */
int	 spf_expand_name(struct spf_eval *, struct slice, const char *domain,
	    char out[DOMAIN_TEXT]);
/* Expand an explanation into printable ASCII: 1, 0 questions, -1 bad. */
int	 spf_expand_text(struct spf_eval *, struct slice, const char *domain,
	    char *, size_t size);

/* A name that can stand in a question: labels of 1..63 printable octets
 * (domains in records may have what host names may not).  0 or -1. */
int	 spf_name_copy(struct slice, char out[DOMAIN_TEXT]);

/* ---- spf_ptr.c */

/* A name of the client that is proven by its address (RFC 7208 5.5): the
 * first within domain.  1 found, 0 questions, -1 none. */
int	 spf_ptr_within(struct spf_eval *, const char *domain);
/* The value of %{p} (7.3): 1 with a name or "unknown", 0 questions. */
int	 spf_ptr_name(struct spf_eval *, const char *domain,
	    char out[DOMAIN_TEXT]);
/* The name for PTR questions; out has 74 octets. */
void	 spf_reverse(const struct ipaddr *, char *out);
/* %{i}: nibbles or quads with dots; out has 64 octets. */
void	 spf_dotted(const struct ipaddr *, char *out);
/* Is the client in this A or AAAA record's network? */
int	 spf_address_is(const struct spf_eval *, struct slice data, int bits);

/* spf.c: nothing is known. */
void	 spf_clear(struct spf *);

#endif
