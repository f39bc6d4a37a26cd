/*
 * Addresses and networks.
 */
#ifndef ADDR_H
#define ADDR_H

#include <stdbool.h>
#include <stddef.h>

struct msg_addr;

/* Does the address lie in one of n networks, "192.0.2.0/24" or an address
 * alone?  What is no network holds nobody. */
bool	 addr_in(const struct msg_addr *, char *const *cidr, size_t n);

#endif
