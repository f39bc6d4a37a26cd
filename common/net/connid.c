/*
 * The numbers of connections (connid.h), made by smtpd, imapd and pop3d.
 * Whoever acts upon one that a front tells, compares it with the channel it
 * came by first: maild, authd and signd.
 *
 *	bits 63-56	the front's role
 *	bits 55-48	its instance
 *	bits 47-32	the second in which counting began, its lower half
 *	bits 31-0	counted up, from somewhere
 */
#include "base/compat.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/util.h"
#include "proc/proc.h"
#include "net/connid.h"

uint64_t
connid_next(enum proc_role role)
{
	static uint32_t stamp, count;

	if (count == 0) {	/* unlike in an earlier life */
		stamp = (uint32_t)now_sec_coarse() & 0xffff;
		count = (uint32_t)random_u64() & 0xffffff;
	}
	return (uint64_t)role << 56 |
	    (uint64_t)(proc_instance() & 0xff) << 48 |
	    (uint64_t)stamp << 32 | ++count;
}

bool
connid_of(uint64_t id, enum proc_role role, unsigned int instance)
{
	return id >> 56 == (uint64_t)role &&
	    (id >> 48 & 0xff) == (instance & 0xff);
}

/* smtpd's is what Received fields show as well. */
const char *
connid_text(uint64_t id)
{
	static char text[CONNID_TEXT];

	if (id >> 56 == ROLE_SMTPD)
		snprintf(text, sizeof(text), "%x%04x%06x",
		    (unsigned int)(id >> 48 & 0xff),
		    (unsigned int)(id >> 32 & 0xffff), (unsigned int)id);
	else
		snprintf(text, sizeof(text), "%016llx",
		    (unsigned long long)id);
	return text;
}
