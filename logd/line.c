/*
 * Log records as they come and lines as they are written.  Pure: the text
 * comes from processes that talk to the network, so nothing in it may end a
 * line or steer a terminal.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/dates.h"
#include "logd/logd.h"

static const char *const levels[] = {
	[LOG_L_DEBUG] = "debug", [LOG_L_INFO] = "info",
	[LOG_L_NOTICE] = "notice", [LOG_L_WARN] = "warning",
	[LOG_L_ERROR] = "error"
};

static const char *
logd_level(unsigned int level)
{
	return levels[level < NITEMS(levels) ? level : NITEMS(levels) - 1];
}

int
logd_record(struct slice d, size_t *off, struct logd_record *r)
{
	const uint8_t *p = (const uint8_t *)d.p + *off;
	size_t n;

	if (*off == d.n)
		return 0;
	if (d.n - *off < 3)
		return -1;
	n = p[1] | (size_t)p[2] << 8;
	if (n > d.n - *off - 3)
		return -1;
	r->level = p[0];
	r->text = slice_of(d.p + *off + 3, n);
	*off += 3 + n;
	return 1;
}

void
logd_stamp(uint64_t ms, char *out)
{
	char iso[DATE_TEXT_MAX];

	isodate_print((int64_t)(ms / 1000), iso, sizeof(iso));
	snprintf(out, 25, "%.19s.%03uZ", iso, (unsigned int)(ms % 1000));
}

size_t
logd_line(char *out, const char *stamp, const char *process,
    unsigned int instance, unsigned int level, struct slice text)
{
	size_t i, n, room;
	unsigned char c;

	n = (size_t)snprintf(out, 128, "%.24s %.32s[%u] %s: ", stamp, process,
	    instance, logd_level(level));
	room = LOGD_LINE - n - 1;
	if (text.n > room)
		text.n = room;
	for (i = 0; i < text.n; i++) {
		c = (unsigned char)text.p[i];
		out[n++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	out[n++] = '\n';
	return n;
}

/* Cut s at the first c, leaving the rest behind it. */
static struct slice
cut(struct slice *s, int c)
{
	size_t n = slice_find(*s, c);
	struct slice head = slice_of(s->p, n);

	n += n < s->n;
	*s = slice_of(s->p + n, s->n - n);
	return head;
}

int
logd_parse(struct slice line, struct logd_parts *o)
{
	o->time = cut(&line, ' ');
	o->process = cut(&line, ' ');
	o->level = cut(&line, ':');
	o->text = slice_trim(line);
	return o->time.n == 24 && o->process.n > 0 && o->level.n > 0 ? 0 : -1;
}

static unsigned int
two(const char *p)
{
	return (unsigned int)(p[0] - '0') * 10 + (unsigned int)(p[1] - '0');
}

uint64_t
logd_stamp_read(struct slice line)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.";
	const char *p = line.p;
	int64_t days;
	size_t i;

	if (line.n < sizeof(form) - 1)
		return 0;
	for (i = 0; form[i] != '\0'; i++)
		if (form[i] == 'd' ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
			return 0;
	if (two(p + 5) < 1 || two(p + 5) > 12 || two(p + 8) < 1 ||
	    two(p + 8) > 31)
		return 0;
	days = date_days((int)(two(p) * 100 + two(p + 2)), (int)two(p + 5),
	    (int)two(p + 8));
	return days < 0 ? 0 : (uint64_t)days * 86400 + two(p + 11) * 3600 +
	    two(p + 14) * 60 + two(p + 17);
}
