/*
 * What the DNS is asked for and how it answers: the types of records (RFC 1035
 * 3.2.2), a row for each that this house asks for or has to know in an answer,
 * with the form of their data.  The pure code that evaluates, the messages of
 * CHAN_DNS, resolve and mailctl have them from here.
 */
#ifndef RR_H
#define RR_H

/*
 * Data of A are 4 octets, of AAAA 16; of CNAME, PTR and MX a name as text (""
 * for the root: null MX; the preference stands beside it); of TXT the
 * character-strings joined without a space; of TLSA usage, selector, matching
 * type, then the rest.  Names are lower case, without a final dot; a record
 * with octets outside [-_.a-z0-9/] in a name is dropped.  NS and SOA are never
 * handed on.
 */
#define DNS_TYPES(T)	\
	T(A, 1)		\
	T(NS, 2)	\
	T(CNAME, 5)	\
	T(SOA, 6)	\
	T(PTR, 12)	\
	T(MX, 15)	\
	T(TXT, 16)	\
	T(AAAA, 28)	\
	T(TLSA, 52)

#define DNS_TYPE(name, number)	DNS_##name = number,
enum dns_type {
	DNS_TYPES(DNS_TYPE)
	DNS_NOTYPE = 0		/* RFC 6895 3.1: reserved */
};
#undef DNS_TYPE

/* On the wire of CHAN_DNS.  TEMP: nobody could be asked, or nobody knew. */
enum dns_status { DNS_OK, DNS_NXDOMAIN, DNS_NODATA, DNS_TEMP };

/* "MX", as zone files have it. */
const char *dns_type_name(enum dns_type);

#endif
