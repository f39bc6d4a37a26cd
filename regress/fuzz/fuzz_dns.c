/*
 * What a resolver sends: resolve/packet.c.  The first octet chooses
 * the type that was asked for; id and question are made to fit, so that the
 * fuzzer gets behind them.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "resolve/resolve.h"

#define HDR	12

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint16_t types[] = {
		DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA
	};
	static const uint8_t name[] = { 1, 'a', 4, 't', 'e', 's', 't', 0 };
	static struct dns_answer a;
	struct question q;
	struct item_rr rr;
	uint8_t *p;
	size_t off = 0;

	if (n < 1 + HDR || n > DNS_TCP_MAX)
		return 0;
	if (question_set(&q, slice_str("a.test"),
	    types[data[0] % NITEMS(types)]) == -1)
		abort();
	n--;
	/* Header, question, then the fuzzer's records; a bit of the id
	 * leaves the question as it came. */
	p = malloc(n + sizeof(name) + 4);
	memcpy(p, data + 1, HDR);
	if (p[0] & 0x80) {
		memcpy(p + HDR, data + 1 + HDR, n - HDR);
	} else {
		p[4] = 0;
		p[5] = 1;
		memcpy(p + HDR, name, sizeof(name));
		p[HDR + 8] = 0;
		p[HDR + 9] = (uint8_t)q.type;
		p[HDR + 10] = 0;
		p[HDR + 11] = 1;
		memcpy(p + HDR + 12, data + 1 + HDR, n - HDR);
		n += 12;
	}
	if (packet_read(p, n, &q, (uint16_t)(p[0] << 8 | p[1]), &a) ==
	    PACKET_OK)
		while (item_rr_get(slice_of((char *)a.rrs, a.nrrs), &off,
		    &rr) == 1)
			if (rr.data.n > 8192)
				abort();
	free(p);
	return 0;
}
