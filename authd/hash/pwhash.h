/*
 * authd-hash's own header: the functions of its role, as struct role has
 * them.  hash.c has all of them.
 */
#ifndef PWHASH_H
#define PWHASH_H

#include <stdint.h>

#include "msg/msg.h"
#include "proc/proc.h"

void	 pwhash_load(const struct conf *);
/* An authd, in place of the one there was. */
void	 pwhash_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
#endif
