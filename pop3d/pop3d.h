/*
 * pop3d's own header: what its protocol adds to a front (common/net/front.h).
 */
#ifndef POP3D_H
#define POP3D_H

#include <stdbool.h>

#include "net/front.h"

/* ---- pop3d.c: as struct front_ops has them ---- */

void	 pop3_greet(struct front_conn *);
/* Takes one line from the input. */
bool	 pop3_command(struct front_conn *);
#endif
