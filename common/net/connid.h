/*
 * The number of a client's connection in the messages that speak of it and in
 * capabilities (msg/cap.h): the front it is with, which process of that, and
 * what no other connection of that process has, nor had in an earlier life.
 */
#ifndef CONNID_H
#define CONNID_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/proc.h"

#define CONNID_TEXT	20	/* octets of one as text, at most */

/* For a new connection of this process, which is a front of that role. */
uint64_t connid_next(enum proc_role);
/* Does it say that it is that process's own? */
bool	 connid_of(uint64_t, enum proc_role, unsigned int instance);
/* What its front begins log lines with; good until the next call. */
const char *connid_text(uint64_t);

#endif
