/*
 * Rows of cells from the control socket, printed as aligned columns for
 * people or as a JSON array for scripts.
 */
#include "base/compat.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "msg/msg.h"
#include "mailctl/mailctl.h"

#define COLUMNS_MAX	32

struct cells {
	char	*octets;	/* list of item_cell */
	size_t	 n;
};

struct table {
	bool		 json;
	struct cells	*rows;
	size_t		 nrows, cap;
	size_t		 width[COLUMNS_MAX];
	bool		 number[COLUMNS_MAX];
	size_t		 ncolumns;	/* of the widest row */
};

struct table *
table_new(bool json)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		err(EX_OSERR, "calloc");
	t->json = json;
	return t;
}

/* The next character of text and its octets; what is no UTF-8 is taken one
 * octet at a time, c being U+FFFD. */
static size_t
character(struct slice text, size_t at, uint32_t *c)
{
	int n = utf8_get(text.p + at, text.n - at, c);

	if (n > 0)
		return (size_t)n;
	*c = 0xfffd;
	return 1;
}

static bool
is_control(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0);
}

static size_t
columns(struct slice text)
{
	uint32_t c;
	size_t i, n = 0;

	for (i = 0; i < text.n; i += character(text, i, &c))
		n++;
	return n;
}

static int
table_measure(struct table *t, struct slice cells)
{
	struct item_cell c;
	size_t off = 0, i = 0;
	int r;

	while ((r = item_cell_get(cells, &off, &c)) == 1 && i < COLUMNS_MAX) {
		if (c.type == 't')
			continue;
		if (t->width[i] < columns(c.name))
			t->width[i] = columns(c.name);
		if (t->width[i] < columns(c.value))
			t->width[i] = columns(c.value);
		t->number[i] = c.type == 'n';
		i++;
	}
	if (i > t->ncolumns)
		t->ncolumns = i;
	return r == -1 ? -1 : 0;
}

int
table_add(struct table *t, struct slice cells)
{
	struct cells *rows;

	if (table_measure(t, cells) == -1)
		return -1;
	if (t->nrows == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		rows = reallocarray(t->rows, t->cap, sizeof(*rows));
		if (rows == NULL)
			err(EX_OSERR, "reallocarray");
		t->rows = rows;
	}
	rows = &t->rows[t->nrows++];
	rows->n = cells.n;
	if ((rows->octets = malloc(cells.n + 1)) == NULL)
		err(EX_OSERR, "malloc");
	memcpy(rows->octets, cells.p, cells.n);
	return 0;
}

/* Text for a terminal: no control characters get through, those of C1 (CSI
 * is U+009B, or in some terminals the octet) no more than escape. */
static void
put_plain(struct slice s)
{
	uint32_t c;
	size_t i, n;

	for (i = 0; i < s.n; i += n) {
		n = character(s, i, &c);
		if (is_control(c) || c == 0xfffd)
			putchar('?');
		else
			fwrite(s.p + i, 1, n, stdout);
	}
}

bool
text_is_plain(struct slice s)
{
	uint32_t c;
	size_t i;

	for (i = 0; i < s.n; i += character(s, i, &c))
		if (utf8_get(s.p + i, s.n - i, &c) <= 0 || is_control(c))
			return false;
	return true;
}

/* Lines, with LF or CRLF, and tabs are left as they are. */
void
text_print(FILE *fp, struct slice s)
{
	uint32_t c;
	size_t i, n;

	for (i = 0; i < s.n; i += n) {
		n = character(s, i, &c);
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			continue;
		if (c != '\n' && c != '\t' && (is_control(c) || c == 0xfffd))
			fputc('?', fp);
		else
			fwrite(s.p + i, 1, n, fp);
	}
	fputc('\n', fp);
}

static void
put_padded(struct slice s, size_t width, bool number, bool last)
{
	size_t pad = width - columns(s);

	if (number)
		while (pad-- > 0)
			putchar(' ');
	put_plain(s);
	if (!number && !last)
		while (pad-- > 0)
			putchar(' ');
	if (!last)
		fputs("  ", stdout);
}

static void
table_row(struct table *t, const struct cells *row, bool head)
{
	struct item_cell c;
	struct slice cells = { row->octets, row->n };
	size_t off = 0, i;

	for (i = 0; i < COLUMNS_MAX && item_cell_get(cells, &off, &c) == 1;) {
		if (c.type == 't')
			continue;
		put_padded(head ? c.name : c.value, t->width[i], t->number[i],
		    i + 1 == t->ncolumns);
		i++;
	}
}

#define RED	"\033[31m"
#define GREEN	"\033[32m"
#define YELLOW	"\033[33m"

/* How a line of the log ended for a message, by its second word. */
static const struct {
	const char	*verb, *colour;
} endings[] = {
	{ "stored", GREEN }, { "delivered", GREEN }, { "relayed", GREEN },
	{ "deferred", YELLOW }, { "held", YELLOW }, { "limit", YELLOW },
	{ "reject", RED }, { "failed", RED }, { "stuck", RED },
	{ "not-queued", RED }, { "expunged", YELLOW },
};

/* For a row of the log, on a terminal; "": none. */
static const char *
row_colour(const struct cells *row)
{
	struct item_cell c;
	struct slice cells = { row->octets, row->n }, text;
	const char *colour = "";
	size_t off = 0, i;

	while (item_cell_get(cells, &off, &c) == 1) {
		if (slice_is(c.name, "level") && (slice_is(c.value,
		    "warning") || slice_is(c.value, "error")))
			colour = RED;
		if (!slice_is(c.name, "text"))
			continue;
		i = slice_find(c.value, ' ');
		text = slice_trim(slice_of(c.value.p + i, c.value.n - i));
		text.n = slice_find(text, ' ');
		for (i = 0; i < NITEMS(endings); i++)
			if (slice_is(text, endings[i].verb))
				colour = endings[i].colour;
	}
	return colour;
}

static void
table_text(struct table *t)
{
	bool bold = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	const char *colour = "";
	size_t i;

	if (t->nrows > 0 && t->ncolumns > 1) {
		fputs(bold ? "\033[1m" : "", stdout);
		table_row(t, &t->rows[0], true);
		fputs(bold ? "\033[0m\n" : "\n", stdout);
	}
	for (i = 0; i < t->nrows; i++) {
		if (bold)
			colour = row_colour(&t->rows[i]);
		fputs(colour, stdout);
		table_row(t, &t->rows[i], false);
		fputs(*colour != '\0' ? "\033[0m\n" : "\n", stdout);
	}
}

static void
json_string(struct slice s)
{
	uint32_t c;
	size_t i, n;

	putchar('"');
	for (i = 0; i < s.n; i += n) {
		n = character(s, i, &c);
		if (c == '"' || c == '\\')
			printf("\\%c", (int)c);
		else if (is_control(c) || c == 0xfffd)
			printf("\\u%04x", c);
		else
			fwrite(s.p + i, 1, n, stdout);
	}
	putchar('"');
}

static void
json_row(const struct cells *row)
{
	struct item_cell c;
	struct slice cells = { row->octets, row->n };
	size_t off = 0, n = 0;

	putchar('{');
	while (item_cell_get(cells, &off, &c) == 1) {
		fputs(n++ > 0 ? ", " : "", stdout);
		json_string(c.name);
		fputs(": ", stdout);
		if (c.type == 's' || c.type == 't')
			json_string(c.value);
		else
			put_plain(c.value.n > 0 ? c.value : slice_str("null"));
	}
	putchar('}');
}

static void
table_json(struct table *t)
{
	size_t i;

	putchar('[');
	for (i = 0; i < t->nrows; i++) {
		fputs(i > 0 ? ",\n " : "", stdout);
		json_row(&t->rows[i]);
	}
	puts("]");
}

static void
plain_row(const struct cells *row)
{
	struct item_cell c;
	struct slice cells = { row->octets, row->n };
	size_t off = 0, n = 0;

	while (item_cell_get(cells, &off, &c) == 1) {
		fputs(n++ > 0 ? " " : "", stdout);
		put_plain(c.value);
	}
}

void
table_lines(struct table *t)
{
	size_t i;

	for (i = 0; i < t->nrows; i++) {
		if (t->json)
			json_row(&t->rows[i]);
		else
			plain_row(&t->rows[i]);
		putchar('\n');
	}
	table_free(t);
}

bool
table_is_empty(const struct table *t)
{
	return t->nrows == 0;
}

void
table_free(struct table *t)
{
	size_t i;

	for (i = 0; i < t->nrows; i++)
		free(t->rows[i].octets);
	free(t->rows);
	free(t);
}

void
table_print(struct table *t)
{
	if (t->json)
		table_json(t);
	else
		table_text(t);
	table_free(t);
}
