/*
 * Asking resolve: the client side of CHAN_DNS.
 */
#ifndef DNS_H
#define DNS_H

#include <stdint.h>

#include "parse/rr.h"

struct chan;
struct dns_ask_r;
struct msg_addr;

/* The form of item_rr.data by type is that of parse/rr.h. */

/* whom: the connection, message, ... that the answer is for, any number that
 * is its own on this channel; resolve gives each a share.
 * answer NULL: resolve went away or did not answer in time (as DNS_TEMP).
 * Returns the id (> 0), or 0 when there is no resolve (chan NULL or gone) or
 * the name is too long: cb is not called then.  Never calls cb at once. */
typedef void (*dns_cb)(const struct dns_ask_r *answer, void *arg);
uint32_t dns_ask(struct chan *, uint64_t whom, const char *name,
	    enum dns_type, dns_cb, void *arg);
/* cb of that question will not be called. */
void	 dns_forget(struct chan *, uint32_t id);
/* Nor is any answer for whom needed: resolve need not work for it. */
void	 dns_over(struct chan *, uint64_t whom);
/* The name that PTR questions use for an address; out has 74 octets. */
void	 dns_reverse(const struct msg_addr *, char *out);

/* ---- dns_answer.c ---- */

struct answers;

/* Put what resolve said (NULL: nothing, a temporary failure) among the answers
 * of an evaluation (verify/verify.h). */
void	 dns_answer(struct answers *, const char *name, enum dns_type,
	    const struct dns_ask_r *);
#endif
