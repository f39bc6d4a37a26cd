/*
 * What a letter is made of; for letter.c and send.c alone.
 */
#ifndef OUT_LETTER_H
#define OUT_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg/msg.h"

struct letter {
	int		 fd;
	bool		 bad;		/* something went wrong */
	uint64_t	 size;		/* octets in fd */
	uint32_t	 facts;		/* and behind them, once ended */
	struct mime	*mime;
	struct dkim_body *body;
	struct msg_mac	 bodyhash, fromhash;
	char		 from[440];	/* the whole field */
	size_t		 n;
	char		 buf[65536];
};

#endif
