/*
 * An address without the person: its local part as a keyed hash (RFC 6590).
 * For redact.c and trace.c.  Part of report-out.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include <sodium.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "report/out/failure.h"

#define HASH_OCTETS	8

static void
hash_local(const uint8_t key[REDACT_KEY], struct slice local,
    char out[2 * HASH_OCTETS + 1])
{
	crypto_generichash_state st;
	uint8_t h[crypto_generichash_BYTES];
	char c;
	size_t i;

	crypto_generichash_init(&st, key, REDACT_KEY, sizeof(h));
	for (i = 0; i < local.n; i++) {
		c = (char)ascii_lower((unsigned char)local.p[i]);
		crypto_generichash_update(&st, (const uint8_t *)&c, 1);
	}
	crypto_generichash_final(&st, h, sizeof(h));
	hex_encode(out, h, HASH_OCTETS);
}

void
redact_parts(const uint8_t key[REDACT_KEY], struct slice local,
    struct slice domain, char *out)
{
	char hash[2 * HASH_OCTETS + 1], ascii[DOMAIN_TEXT];
	struct ipaddr ip;

	hash_local(key, local, hash);
	if (domain_ascii(domain, ascii) == -1 &&
	    (ipaddr_literal(domain, &ip) == -1 ||
	    slice_cpy(domain, ascii, sizeof(ascii)) == -1))
		strlcpy(ascii, "redacted.invalid", sizeof(ascii));
	strlcpy(out, "redacted-", REDACT_ADDR);
	strlcat(out, hash, REDACT_ADDR);
	strlcat(out, "@", REDACT_ADDR);
	strlcat(out, ascii, REDACT_ADDR);
}

void
redact_address(const uint8_t key[REDACT_KEY], struct slice a, char *out)
{
	size_t at;

	for (at = a.n; at > 0 && a.p[at - 1] != '@'; at--)
		;
	if (at == 0)
		redact_parts(key, a, slice_of(NULL, 0), out);
	else
		redact_parts(key, slice_of(a.p, at - 1),
		    slice_of(a.p + at, a.n - at), out);
}
