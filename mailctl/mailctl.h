/*
 * mailctl: what its two files share.
 */
#ifndef MAILCTL_H
#define MAILCTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"

/* A table of rows as they come from the control socket. */
struct table *table_new(bool json);
/* Add the row of item_cell in cells.  0, -1 damaged. */
int	 table_add(struct table *, struct slice cells);
/* Print it: aligned columns, bold head on a terminal; or a JSON array.  A
 * table with one column is printed as plain lines.  Frees it. */
void	 table_print(struct table *);
bool	 table_is_empty(const struct table *);
/* Lines of text and a newline, safe for a terminal as a table's cells are. */
void	 text_print(FILE *, struct slice);
void	 table_free(struct table *);

#endif
