/*
 * imapd's own header: what its protocol adds to a front (common/net/front.h).
 */
#ifndef IMAPD_H
#define IMAPD_H

#include <stdbool.h>

#include "net/front.h"

/* ---- imapd.c: as struct front_ops has them ---- */

void	 imap_greet(struct front_conn *);
void	 imap_secured(struct front_conn *);
/* Takes one command from the input, literals included. */
bool	 imap_command(struct front_conn *);
#endif
