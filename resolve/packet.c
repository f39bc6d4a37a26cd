/*
 * DNS packets of resolve: making a question, reading an answer (RFC 1035,
 * 2308, 6891).  Pure: octets in, a struct out.  What comes back from a
 * resolver was written by strangers, so the packet is walked here first with
 * every count, length and compression pointer bounded; only then ldns takes
 * it apart.  ldns sees the wire functions only, never zone file text.
 */
#include "base/compat.h"

#include <string.h>

#include <ldns/ldns.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define HDR_LEN		12

/* A walk over a packet. */
struct walk {
	const uint8_t	*p;
	size_t		 n;
	size_t		 off;
	unsigned int	 hops;		/* pointers seen so far */
};

static int	 walk_packet(const uint8_t *, size_t);
static int	 walk_name(struct walk *);
static int	 walk_rr(struct walk *);
static int	 walk_rdata(struct walk *, unsigned int, size_t);
static bool	 length_ok(unsigned int, size_t);
static unsigned int get16(const uint8_t *);

static bool	 question_is(const uint8_t *, size_t, const struct question *);
static enum packet_result answer_read(const ldns_pkt *,
	    const struct question *, struct dns_answer *);
static int	 alias_follow(const ldns_rr_list *, char *, uint32_t *);
static enum packet_result records_read(const ldns_rr_list *, const char *,
	    struct dns_answer *, uint16_t);
static int	 record_item(const ldns_rr *, struct item_rr *, uint8_t *,
	    size_t);
static void	 negative_ttl(const ldns_pkt *, struct dns_answer *);

static int	 wire_text(const uint8_t *, size_t, char *, int (*)(int));
static int	 rdf_text(const ldns_rdf *, char *, int (*)(int));
static int	 octet_name(int);
static int	 octet_asked(int);
static size_t	 txt_join(const ldns_rr *, uint8_t *, size_t);

int
question_set(struct question *q, struct slice name, uint16_t type)
{
	size_t i, label = 0;
	int c;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n >= sizeof(q->name))
		return -1;
	for (i = 0; i < name.n; i++) {
		c = name.p[i];
		if (c == '.') {
			if (label == 0)
				return -1;
			label = 0;
		} else if ((c = octet_asked(c)) == -1 || ++label > 63)
			return -1;
		q->name[i] = (char)c;
	}
	if (label == 0)
		return -1;
	q->name[i] = '\0';
	q->type = type;
	return 0;
}

ssize_t
packet_query(uint8_t *buf, size_t size, const struct question *q, uint16_t id,
    bool edns)
{
	ldns_rdf *name;
	ldns_pkt *pkt = NULL;
	uint8_t *wire = NULL;
	size_t n = 0;
	ssize_t ret = -1;

	name = ldns_dname_new_frm_str(q->name[0] != '\0' ? q->name : ".");
	if (name == NULL)
		return -1;
	pkt = ldns_pkt_query_new(name, (ldns_rr_type)q->type,
	    LDNS_RR_CLASS_IN, LDNS_RD | LDNS_AD);
	if (pkt == NULL) {
		ldns_rdf_deep_free(name);
		return -1;
	}
	ldns_pkt_set_id(pkt, id);	/* ldns leaves 0 there */
	if (edns)
		ldns_pkt_set_edns_udp_size(pkt, DNS_EDNS_SIZE);
	if (ldns_pkt2wire(&wire, pkt, &n) == LDNS_STATUS_OK && n <= size) {
		memcpy(buf, wire, n);
		ret = (ssize_t)n;
	}
	LDNS_FREE(wire);
	ldns_pkt_free(pkt);
	return ret;
}

enum packet_result
packet_read(const uint8_t *p, size_t n, const struct question *q, uint16_t id,
    struct dns_answer *a)
{
	ldns_pkt *pkt = NULL;
	enum packet_result r;
	unsigned int rcode;

	if (n < HDR_LEN || get16(p) != id || !(p[2] & 0x80) ||
	    (p[2] & 0x78) != 0)
		return PACKET_FOREIGN;
	rcode = p[3] & 0x0f;
	/* A server that does not know EDNS may leave the question out. */
	if ((rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL) &&
	    get16(p + 4) == 0)
		return PACKET_NOEDNS;
	if (!question_is(p, n, q))
		return PACKET_FOREIGN;
	if (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL)
		return PACKET_NOEDNS;
	if (p[2] & 0x02)
		return PACKET_TRUNCATED;
	if (rcode == LDNS_RCODE_REFUSED)
		return PACKET_REFUSED;
	if (rcode == LDNS_RCODE_SERVFAIL)
		return PACKET_SERVFAIL;
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		return PACKET_BAD;
	if (n > DNS_TCP_MAX || walk_packet(p, n) == -1)
		return PACKET_BAD;
	if (ldns_wire2pkt(&pkt, p, n) != LDNS_STATUS_OK)
		return PACKET_BAD;
	r = answer_read(pkt, q, a);
	ldns_pkt_free(pkt);
	return r;
}

/* ---- the walk before ldns ---- */

static unsigned int
get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static int
walk_packet(const uint8_t *p, size_t n)
{
	struct walk w = { p, n, HDR_LEN, 0 };
	unsigned int rrs;

	rrs = get16(p + 6) + get16(p + 8) + get16(p + 10);
	if (get16(p + 4) != 1 || rrs > DNS_RR_MAX)
		return -1;
	if (walk_name(&w) == -1 || w.n - w.off < 4)
		return -1;
	w.off += 4;
	for (; rrs > 0; rrs--)
		if (walk_rr(&w) == -1)
			return -1;
	return w.off == w.n ? 0 : -1;
}

/*
 * Step over the name at w->off, following its pointers to see that they end:
 * each must point before the place where the name so far began.
 */
static int
walk_name(struct walk *w)
{
	size_t at = w->off, start = w->off, len = 0, to;
	unsigned int hops = 0;

	for (;;) {
		if (at >= w->n)
			return -1;
		if ((w->p[at] & 0xc0) == 0xc0) {
			if (w->n - at < 2 || ++hops > DNS_NAME_HOPS ||
			    ++w->hops > DNS_HOP_MAX)
				return -1;
			to = get16(w->p + at) & 0x3fff;
			if (hops == 1)
				w->off = at + 2;
			if (to < HDR_LEN || to >= start)
				return -1;
			at = start = to;
			continue;
		}
		if (w->p[at] & 0xc0)
			return -1;
		len += (size_t)w->p[at] + 1;
		if (len > 255)
			return -1;
		if (w->p[at] == 0)
			break;
		at += (size_t)w->p[at] + 1;
	}
	if (hops == 0)
		w->off = at + 1;
	return 0;
}

static int
walk_rr(struct walk *w)
{
	unsigned int type;
	size_t rdlen, end;

	if (walk_name(w) == -1 || w->n - w->off < 10)
		return -1;
	type = get16(w->p + w->off);
	rdlen = get16(w->p + w->off + 8);
	w->off += 10;
	if (rdlen > w->n - w->off)
		return -1;
	end = w->off + rdlen;
	if (!length_ok(type, rdlen) || walk_rdata(w, type, end) == -1)
		return -1;
	w->off = end;
	return 0;
}

/* Names within record data, where compression is known to occur. */
static int
walk_rdata(struct walk *w, unsigned int type, size_t end)
{
	int names = 0;

	switch (type) {
	case DNS_MX:
		w->off += 2;
		names = 1;
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		names = 1;
		break;
	case DNS_SOA:
		names = 2;
		break;
	default:
		return 0;
	}
	for (; names > 0; names--)
		if (walk_name(w) == -1 || w->off > end)
			return -1;
	if (type == DNS_SOA)
		w->off += 20;
	return w->off == end ? 0 : -1;
}

/* ldns lets short TLSA through, and others were bitten by short MX. */
static bool
length_ok(unsigned int type, size_t n)
{
	switch (type) {
	case DNS_A:
		return n == 4;
	case DNS_AAAA:
		return n == 16;
	case DNS_MX:
		return n >= 3;
	case DNS_TLSA:
		return n >= 4;
	case DNS_TXT:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_NS:
		return n >= 1;
	case DNS_SOA:
		return n >= 22;
	default:
		return true;
	}
}

/* ---- what it says ---- */

/* One question, ours; names compare without case. */
static bool
question_is(const uint8_t *p, size_t n, const struct question *q)
{
	char text[DNS_NAME_TEXT];
	struct walk w = { p, n, HDR_LEN, 0 };

	if (get16(p + 4) != 1 || walk_name(&w) == -1 || w.n - w.off < 4)
		return false;
	/* walk_name allows no pointer here: there is nothing before it. */
	if (wire_text(p + HDR_LEN, w.off - HDR_LEN, text, octet_asked) == -1 ||
	    strcmp(text, q->name) != 0)
		return false;
	return get16(p + w.off) == q->type &&
	    get16(p + w.off + 2) == LDNS_RR_CLASS_IN;
}

static enum packet_result
answer_read(const ldns_pkt *pkt, const struct question *q, struct dns_answer *a)
{
	const ldns_rr_list *l = ldns_pkt_answer(pkt);
	char name[DNS_NAME_TEXT];
	enum packet_result r;
	uint32_t ttl = DNS_TTL_MAX;

	a->status = DNS_NODATA;
	a->nrrs = 0;
	a->cname[0] = '\0';
	a->secure = ldns_pkt_ad(pkt);
	(void)strlcpy(name, q->name, sizeof(name));
	if (q->type != DNS_CNAME) {
		if (alias_follow(l, name, &ttl) == -1)
			return PACKET_BAD;
		if (strcmp(name, q->name) != 0)
			(void)strlcpy(a->cname, name, sizeof(a->cname));
	}
	a->ttl = ttl;
	r = records_read(l, name, a, q->type);
	if (r != PACKET_OK || a->status == DNS_OK)
		return r;
	if (ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NXDOMAIN)
		a->status = DNS_NXDOMAIN;
	negative_ttl(pkt, a);
	return PACKET_OK;
}

/* Replace name by what it is an alias of, within this answer. */
static int
alias_follow(const ldns_rr_list *l, char *name, uint32_t *ttl)
{
	char owner[DNS_NAME_TEXT];
	const ldns_rr *rr;
	size_t i, n = ldns_rr_list_rr_count(l);
	int hops = 0;

	for (i = 0; i < n; ) {
		rr = ldns_rr_list_rr(l, i++);
		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_CNAME ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    ldns_rr_rd_count(rr) != 1 ||
		    rdf_text(ldns_rr_owner(rr), owner, octet_asked) == -1 ||
		    strcmp(owner, name) != 0)
			continue;
		if (++hops > DNS_CNAME_MAX ||
		    rdf_text(ldns_rr_rdf(rr, 0), name, octet_name) == -1)
			return -1;
		if (ldns_rr_ttl(rr) < *ttl)
			*ttl = ldns_rr_ttl(rr);
		i = 0;
	}
	return 0;
}

/*
 * All records of name and type into a->rrs.  Records with names we do not
 * take are dropped; if that leaves none the answer is bad, for "there is no
 * MX" would be a lie.  A set that does not fit is bad too, never cut.
 */
static enum packet_result
records_read(const ldns_rr_list *l, const char *name, struct dns_answer *a,
    uint16_t type)
{
	char owner[DNS_NAME_TEXT];
	uint8_t data[8192];
	struct item_rr item;
	const ldns_rr *rr;
	size_t i, n = ldns_rr_list_rr_count(l), seen = 0;

	for (i = 0; i < n; i++) {
		rr = ldns_rr_list_rr(l, i);
		if (ldns_rr_get_type(rr) != (ldns_rr_type)type ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    rdf_text(ldns_rr_owner(rr), owner, octet_asked) == -1 ||
		    strcmp(owner, name) != 0)
			continue;
		seen++;
		item = (struct item_rr){ .type = type };
		if (record_item(rr, &item, data, sizeof(data)) == -1)
			continue;
		if (item_rr_put(a->rrs, sizeof(a->rrs), &a->nrrs, &item) == -1)
			return PACKET_BAD;
		if (ldns_rr_ttl(rr) < a->ttl)
			a->ttl = ldns_rr_ttl(rr);
		a->status = DNS_OK;
	}
	return seen > 0 && a->nrrs == 0 ? PACKET_BAD : PACKET_OK;
}

/* The data of a record in the form parse/rr.h promises.  0, -1 dropped. */
static int
record_item(const ldns_rr *rr, struct item_rr *item, uint8_t *buf, size_t size)
{
	const ldns_rdf *rdf;
	size_t i, n = 0, count = ldns_rr_rd_count(rr);

	if (count == 0)
		return -1;
	switch (item->type) {
	case DNS_MX:
		if (count != 2 || ldns_rdf_size(ldns_rr_rdf(rr, 0)) != 2)
			return -1;
		item->pref = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
		/* FALLTHROUGH */
	case DNS_CNAME:
	case DNS_PTR:
		if (rdf_text(ldns_rr_rdf(rr, count - 1), (char *)buf,
		    octet_name) == -1)
			return -1;
		n = strlen((char *)buf);
		break;
	case DNS_TXT:
		n = txt_join(rr, buf, size);
		if (n == SIZE_MAX)
			return -1;
		break;
	default:
		for (i = 0; i < count; i++) {
			rdf = ldns_rr_rdf(rr, i);
			if (ldns_rdf_size(rdf) > size - n)
				return -1;
			memcpy(buf + n, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
			n += ldns_rdf_size(rdf);
		}
		break;
	}
	item->data = slice_of((const char *)buf, n);
	return 0;
}

/* Character-strings one behind the other; SIZE_MAX: too long. */
static size_t
txt_join(const ldns_rr *rr, uint8_t *buf, size_t size)
{
	const ldns_rdf *rdf;
	const uint8_t *p;
	size_t i, n = 0;

	for (i = 0; i < ldns_rr_rd_count(rr); i++) {
		rdf = ldns_rr_rdf(rr, i);
		p = ldns_rdf_data(rdf);
		if (ldns_rdf_size(rdf) < 1 ||
		    (size_t)p[0] + 1 != ldns_rdf_size(rdf) || p[0] > size - n)
			return SIZE_MAX;
		memcpy(buf + n, p + 1, p[0]);
		n += p[0];
	}
	return n;
}

/* How long an absence may be believed (RFC 2308 5). */
static void
negative_ttl(const ldns_pkt *pkt, struct dns_answer *a)
{
	const ldns_rr_list *l = ldns_pkt_authority(pkt);
	const ldns_rr *rr;
	uint32_t ttl = DNS_NEG_DEFAULT, min;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(l); i++) {
		rr = ldns_rr_list_rr(l, i);
		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA ||
		    ldns_rr_rd_count(rr) != 7)
			continue;
		min = ldns_rdf2native_int32(ldns_rr_rdf(rr, 6));
		ttl = ldns_rr_ttl(rr) < min ? ldns_rr_ttl(rr) : min;
		break;
	}
	if (ttl > DNS_NEG_MAX)
		ttl = DNS_NEG_MAX;
	if (ttl < a->ttl)
		a->ttl = ttl;
}

/* ---- names ---- */

/* The octet in lower case if names of hosts may have it, -1. */
static int
octet_name(int c)
{
	c = ascii_lower((unsigned char)c);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_' || c == '/')
		return c;
	return -1;
}

/* The same for names that are asked for: macros of SPF put local parts into
 * them (RFC 7208 7.3).  A backslash would be an escape to ldns. */
static int
octet_asked(int c)
{
	c = ascii_lower((unsigned char)c);
	return c >= ' ' && c < 127 && c != '\\' && c != '.' ? c : -1;
}

/* Labels (no pointers) to text in DNS_NAME_TEXT octets; "" for the root. */
static int
wire_text(const uint8_t *p, size_t n, char *out, int (*octet)(int))
{
	size_t i = 0, o = 0, k;
	int c;

	while (i < n && p[i] != 0) {
		k = p[i++];
		if (k > 63 || k > n - i || o + k + 1 >= DNS_NAME_TEXT)
			return -1;
		if (o > 0)
			out[o++] = '.';
		for (; k > 0; k--) {
			if ((c = octet(p[i++])) == -1)
				return -1;
			out[o++] = (char)c;
		}
	}
	out[o] = '\0';
	return i < n ? 0 : -1;
}

static int
rdf_text(const ldns_rdf *rdf, char *out, int (*octet)(int))
{
	if (rdf == NULL || ldns_rdf_get_type(rdf) != LDNS_RDF_TYPE_DNAME)
		return -1;
	return wire_text(ldns_rdf_data(rdf), ldns_rdf_size(rdf), out, octet);
}
