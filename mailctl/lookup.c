/*
 * mailctl: questions to the DNS, one at a time: by the system's resolver
 * (ldns, resolv.conf), or from a file.  Answers are taken as they come; what
 * is no octet of a name is left to who uses it.
 */
#include "base/compat.h"

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <ldns/ldns.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "mailctl/lookup.h"

#define LOOKUP_DATA	65536	/* octets of one answer */
#define LOOKUP_SECONDS	10

struct lookup {
	struct zone	*zone;
	ldns_resolver	*resolver;
	size_t		 n;
	char		 data[LOOKUP_DATA];
};

static enum dns_status read_packet(struct lookup *, const ldns_pkt *,
		    enum dns_type, struct rr *, size_t *);
static bool	 add(struct lookup *, const ldns_rr *, enum dns_type,
		    struct rr *);
static struct slice put_text(struct lookup *, const ldns_rr *);
static struct slice put_name(struct lookup *, const ldns_rdf *);
static struct slice put(struct lookup *, const void *, size_t);

struct lookup *
lookup_new(const char *path)
{
	struct lookup *l = calloc(1, sizeof(*l));
	struct timeval t = { LOOKUP_SECONDS, 0 };

	if (l == NULL)
		err(EX_OSERR, "memory");
	if (path != NULL) {
		l->zone = zone_load(path);
		return l;
	}
	if (ldns_resolver_new_frm_file(&l->resolver, NULL) != LDNS_STATUS_OK)
		errx(EX_CONFIG, "no resolver in resolv.conf");
	ldns_resolver_set_timeout(l->resolver, t);
	ldns_resolver_set_retry(l->resolver, 2);
	ldns_resolver_set_edns_udp_size(l->resolver, 1232);
	ldns_resolver_set_dnsrch(l->resolver, false);
	ldns_resolver_set_defnames(l->resolver, false);
	return l;
}

void
lookup_free(struct lookup *l)
{
	zone_free(l->zone);
	ldns_resolver_deep_free(l->resolver);
	free(l);
}

enum dns_status
lookup_ask(struct lookup *l, const char *name, enum dns_type type,
    struct rr rr[LOOKUP_RRS], size_t *n)
{
	ldns_rdf *dname;
	ldns_pkt *pkt;
	enum dns_status status;
	char plain[DOMAIN_TEXT];

	*n = l->n = 0;
	if (l->zone != NULL)
		return zone_ask(l->zone, name, type, rr, n);
	/* A name that is none has no records, and no escapes are written. */
	if (domain_ascii(slice_str(name), plain) == -1 ||
	    (dname = ldns_dname_new_frm_str(plain)) == NULL)
		return DNS_NXDOMAIN;
	pkt = ldns_resolver_query(l->resolver, dname, (ldns_rr_type)type,
	    LDNS_RR_CLASS_IN, LDNS_RD);
	ldns_rdf_deep_free(dname);
	if (pkt == NULL)
		return DNS_TEMP;
	status = read_packet(l, pkt, type, rr, n);
	ldns_pkt_free(pkt);
	return status;
}

void
lookup_complain(const struct lookup *l)
{
	char list[512] = "", *one;
	size_t i;

	if (l->zone != NULL) {
		warnx("the file of names has no answer to all questions");
		return;
	}
	for (i = 0; i < ldns_resolver_nameserver_count(l->resolver); i++) {
		one = ldns_rdf2str(ldns_resolver_nameservers(l->resolver)[i]);
		strlcat(list, i == 0 ? "" : ", ", sizeof(list));
		strlcat(list, one == NULL ? "?" : one, sizeof(list));
		free(one);
	}
	warnx("the DNS did not answer all questions: try again later, and "
	    "look at %s (resolvers: %s)", LDNS_RESOLV_CONF, list[0] != '\0' ?
	    list : "none");
}

static enum dns_status
read_packet(struct lookup *l, const ldns_pkt *pkt, enum dns_type type,
    struct rr *rr, size_t *n)
{
	const ldns_rr_list *list = ldns_pkt_answer(pkt);
	size_t i;

	if (ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NXDOMAIN)
		return DNS_NXDOMAIN;
	if (ldns_pkt_get_rcode(pkt) != LDNS_RCODE_NOERROR)
		return DNS_TEMP;
	for (i = 0; i < ldns_rr_list_rr_count(list) && *n < LOOKUP_RRS; i++)
		*n += add(l, ldns_rr_list_rr(list, i), type, &rr[*n]);
	return *n > 0 ? DNS_OK : DNS_NODATA;
}

static bool
add(struct lookup *l, const ldns_rr *in, enum dns_type type, struct rr *rr)
{
	const ldns_rdf *first;

	if (ldns_rr_get_type(in) != (ldns_rr_type)type ||
	    (first = ldns_rr_rdf(in, 0)) == NULL)
		return false;
	*rr = (struct rr){ .n = 0 };
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		rr->data = put(l, ldns_rdf_data(first), ldns_rdf_size(first));
		return true;
	case DNS_TXT:
		rr->data = put_text(l, in);
		return true;
	case DNS_MX:
		rr->n = ldns_rdf2native_int16(first);
		first = ldns_rr_rdf(in, 1);
		break;
	case DNS_CNAME:
	case DNS_PTR:
		break;
	case DNS_NOTYPE:
	case DNS_NS:
	case DNS_SOA:
	case DNS_TLSA:
		return false;
	}
	if (first == NULL)
		return false;
	rr->data = put_name(l, first);
	return true;
}

/* The character-strings, joined. */
static struct slice
put_text(struct lookup *l, const ldns_rr *in)
{
	struct slice all = { l->data + l->n, 0 };
	const ldns_rdf *f;
	size_t i, n;

	for (i = 0; i < ldns_rr_rd_count(in); i++) {
		f = ldns_rr_rdf(in, i);
		n = ldns_rdf_size(f);
		if (n > 0)
			all.n += put(l, ldns_rdf_data(f) + 1, n - 1).n;
	}
	return all;
}

static struct slice
put_name(struct lookup *l, const ldns_rdf *f)
{
	char *s = ldns_rdf2str(f);
	size_t n = s == NULL ? 0 : strlen(s);
	struct slice out = put(l, s, n > 0 && s[n - 1] == '.' ? n - 1 : n);

	free(s);
	return out;
}

static struct slice
put(struct lookup *l, const void *p, size_t n)
{
	char *start = l->data + l->n;

	if (n > sizeof(l->data) - l->n)
		n = 0;
	if (n > 0)
		memcpy(start, p, n);
	l->n += n;
	return slice_of(start, n);
}
