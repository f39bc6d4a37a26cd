/*
 * A row of a command's answer, cell by cell: for mailctl, which prints it as
 * a line of a table or as an object of JSON.  Of every process that answers
 * commands, and of store, which has no event loop.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"

static void
row_cell(struct row *r, int type, const char *name, struct slice value)
{
	struct item_cell cell = { (uint8_t)type, slice_str(name), value };

	if (item_cell_put(r->buf, sizeof(r->buf), &r->n, &cell) == -1)
		log_warnx("row: cell %s does not fit", name);
}

void
row_str(struct row *r, const char *name, struct slice value)
{
	row_cell(r, 's', name, value);
}

void
row_num(struct row *r, const char *name, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	row_cell(r, 'n', name, slice_str(text));
}

void
row_none(struct row *r, const char *name)
{
	row_cell(r, 'n', name, slice_str(""));
}

void
row_long(struct row *r, const char *name, struct slice value)
{
	row_cell(r, 't', name, value);
}

void
row_bool(struct row *r, const char *name, bool value)
{
	row_cell(r, 'b', name, slice_str(value ? "true" : "false"));
}
