/*
 * What the fronts and relay show to signd: handshake texts, tickets (the
 * keyed hash is made right, so that the fuzzer gets behind it), the From
 * field of a head.  Links signd/tls.c, signd/ticket.c, signd/dkim.c
 * and signd/key.c.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "signd/signd.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
ticket(const uint8_t *p, size_t n)
{
	static const uint8_t key[32], what[] = "maild dkim ticket";
	crypto_generichash_state h;
	uint8_t b[TICKET_MAX], again[TICKET_MAX];
	struct ticket t = { 0 };

	if (n > sizeof(b) - 32)
		return;
	memcpy(b, p, n);
	crypto_generichash_init(&h, key, 32, 32);
	crypto_generichash_update(&h, what, sizeof(what));
	crypto_generichash_update(&h, p, n);
	crypto_generichash_final(&h, b + n, 32);
	if (ticket_check(slice_of((const char *)b, n + 32), key, 0, &t) == 0 &&
	    (ticket_make(&t, key, again) != n + 32 ||
	    memcmp(b, again, n + 32) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice in = { (const char *)p, n };
	struct ticket t = { .domain = "a.test" };

	if (tls_text_ok(13, in) && (tls_text_ok(12, in) || p[0] != ' '))
		abort();
	ticket(p, n);
	if (dkim_from_ok(in, &t))
		abort();		/* no field hashes to zero */
	return 0;
}
