/*
 * Asking resolve: the client side of CHAN_DNS.
 */
#ifndef DNS_H
#define DNS_H

#include <stdint.h>

struct chan;
struct dns_ask_r;
struct msg_addr;

enum dns_status { DNS_OK, DNS_NXDOMAIN, DNS_NODATA, DNS_TEMP };

enum dns_type {
	DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_TLSA = 52
};

/*
 * item_rr.data by type: A 4 octets; AAAA 16; MX target name as text
 * (pref in .pref), "" for the root (null MX); CNAME, PTR name as text; TXT
 * character-strings joined without a space; TLSA usage, selector, matching
 * type, then the data.  Names are lower case, no final dot, octets outside
 * [-_.a-z0-9/] refused (the record is dropped).
 */

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
 * of an evaluation (verify.h). */
void	 dns_answer(struct answers *, const char *name, uint16_t type,
	    const struct dns_ask_r *);
#endif
