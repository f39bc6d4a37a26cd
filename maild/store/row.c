/*
 * What store tells maild while a run lasts: rows for who asked, and how far
 * it is.  Part of store; called by its jobs.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "maild/store/room.h"

#define FAR_MS	1000

/* Who asked went away, or the account was closed: nothing is half done that
 * would have to be undone. */
static void
row_send(struct room *rm, const uint8_t *p, size_t n)
{
	struct store_row_ev ev = { { (const char *)p, n } };

	if (msg_send(rm->sock, STORE_ROW_EV, 0, &ev, NULL, 0) == -1) {
		log_flush();
		_exit(1);
	}
}

void
room_row(struct room *rm, const struct row *row)
{
	row_send(rm, row->buf, row->n);
}

void
room_far(struct room *rm, const char *text)
{
	struct item_cell cell = { 'p', SLICE_LIT("far"), slice_str(text) };
	uint8_t buf[1024];
	size_t n = 0;

	if (now_ms() - rm->told < FAR_MS)
		return;
	rm->told = now_ms();
	if (item_cell_put(buf, sizeof(buf), &n, &cell) == 0)
		row_send(rm, buf, n);
}

void
room_say(struct room *rm, int code, const char *fmt, ...)
{
	va_list ap;

	rm->code = code;
	va_start(ap, fmt);
	vsnprintf(rm->text, sizeof(rm->text), fmt, ap);
	va_end(ap);
}
