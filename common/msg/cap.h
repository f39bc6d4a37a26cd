/*
 * Capabilities: keyed hashes by which one process proves to another what a
 * third one granted.  Keyed BLAKE2b-256 (libsodium) over length-prefixed
 * fields.
 */
#ifndef CAP_H
#define CAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct msg_mac;

/* A recipient: authd made it for RCPT on conn, queue checks it. */
void	 cap_rcpt(struct msg_mac *out, const uint8_t key[32], uint64_t conn,
	    struct slice address, struct slice routes);
/* A sender: authd says that account, logged in on conn, may send as
 * domain till expires; signd dkim checks it. */
void	 cap_sender(struct msg_mac *out, const uint8_t key[32], uint64_t conn,
	    uint32_t account, struct slice domain, uint64_t expires);
/* In constant time. */
bool	 cap_equal(const struct msg_mac *, const struct msg_mac *);

/* First octet of a ticket: signd makes it, queue keeps it unread. */
#define TICKET_VERSION	2
#endif
