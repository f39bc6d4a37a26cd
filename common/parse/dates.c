/*
 * Dates of mail: RFC 5322 3.3 with the obsolete forms, IMAP's date-time and
 * date, ISO 8601 for logs.  Printed in UTC always: jails have no time zone.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/dates.h"

#define COMMENT_DEPTH	16
#define TOKENS_MAX	16	/* words looked at before the date starts */

struct cal {
	int	 year, month, day;	/* month 1..12 */
	int	 hour, min, sec;
	int	 zone;			/* minutes east */
};

static int	 cal_time(const struct cal *, int64_t *);
static int	 cal_day_exists(const struct cal *);
static void	 cal_of(int64_t, struct cal *);
static void	 skip_cfws(struct slice *);
static int	 take(struct slice *, char);
static int	 number(struct slice *, size_t, size_t, int *);
static int	 month(struct slice *);
static int	 clock_part(struct slice *, struct cal *);
static int	 zone_num(struct slice *, int *);
static void	 zone_part(struct slice *, int *);

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

int
date_parse(struct slice s, int64_t *t, int *zone)
{
	struct cal c = { 0 };
	struct slice year;
	int n;

	/* Day of week, with or without its comma. */
	for (n = 0; n < TOKENS_MAX; n++) {
		skip_cfws(&s);
		if (s.n == 0)
			return -1;
		if (s.p[0] >= '0' && s.p[0] <= '9')
			break;
		s.p++;
		s.n--;
	}
	if (number(&s, 1, 2, &c.day) == -1)
		return -1;
	skip_cfws(&s);
	take(&s, '-');
	if (month(&s) == -1)
		return -1;
	c.month = month(&s);
	s.p += 3;
	s.n -= 3;
	while (s.n > 0 && (ascii_lower(s.p[0]) >= 'a' &&
	    ascii_lower(s.p[0]) <= 'z'))	/* "November" */
		s.p++, s.n--;
	skip_cfws(&s);
	take(&s, '-');
	year = s;
	if (number(&s, 2, 4, &c.year) == -1)
		return -1;
	/* RFC 5322 4.3 */
	if (year.n - s.n == 2)
		c.year += c.year < 50 ? 2000 : 1900;
	else if (year.n - s.n == 3)
		c.year += 1900;
	skip_cfws(&s);
	if (s.n > 0 && clock_part(&s, &c) == -1)
		return -1;
	zone_part(&s, &c.zone);
	if (zone != NULL)
		*zone = c.zone;
	return cal_time(&c, t);
}

size_t
date_print(int64_t t, char *out, size_t size)
{
	static const char wday[7][4] = {
		"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"
	};
	struct cal c;
	int64_t d;

	cal_of(t, &c);
	d = date_days(c.year, c.month, c.day) % 7;
	return (size_t)snprintf(out, size,
	    "%s, %d %s %04d %02d:%02d:%02d +0000", wday[d < 0 ? d + 7 : d],
	    c.day, months[c.month - 1], c.year, c.hour, c.min, c.sec);
}

int
imapdate_parse(struct slice s, int64_t *t, int *zone)
{
	struct cal c = { 0 };

	/* date-day-fixed: SP digit, or two digits */
	if (take(&s, ' ') == 1 ? number(&s, 1, 1, &c.day) == -1 :
	    number(&s, 1, 2, &c.day) == -1)
		return -1;
	if (!take(&s, '-') || (c.month = month(&s)) == -1)
		return -1;
	s = slice_of(s.p + 3, s.n - 3);
	if (!take(&s, '-') || number(&s, 4, 4, &c.year) == -1 ||
	    !take(&s, ' ') || number(&s, 2, 2, &c.hour) == -1 ||
	    !take(&s, ':') || number(&s, 2, 2, &c.min) == -1 ||
	    !take(&s, ':') || number(&s, 2, 2, &c.sec) == -1 ||
	    !take(&s, ' ') || zone_num(&s, &c.zone) == -1 || s.n > 0 ||
	    !cal_day_exists(&c))
		return -1;
	if (zone != NULL)
		*zone = c.zone;
	return cal_time(&c, t);
}

size_t
imapdate_print(int64_t t, char *out, size_t size)
{
	struct cal c;

	cal_of(t, &c);
	return (size_t)snprintf(out, size, "%2d-%s-%04d %02d:%02d:%02d +0000",
	    c.day, months[c.month - 1], c.year, c.hour, c.min, c.sec);
}

int
imapday_parse(struct slice s, int64_t *day)
{
	struct cal c = { 0 };
	int64_t t;

	if (number(&s, 1, 2, &c.day) == -1 || !take(&s, '-') ||
	    (c.month = month(&s)) == -1)
		return -1;
	s = slice_of(s.p + 3, s.n - 3);
	if (!take(&s, '-') || number(&s, 4, 4, &c.year) == -1 || s.n > 0 ||
	    cal_time(&c, &t) == -1 || !cal_day_exists(&c))
		return -1;
	*day = date_days(c.year, c.month, c.day);
	return 0;
}

/* "90m" */
static int
ago_parse(struct slice s, int64_t now, int64_t *t)
{
	static const struct { char name; int32_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }
	};
	size_t i;
	int n;

	if (number(&s, 1, 6, &n) == -1)
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (s.n == 1 && s.p[0] == units[i].name) {
			*t = now - (int64_t)n * units[i].seconds;
			return 0;
		}
	return -1;
}

int
when_parse(struct slice s, int64_t now, int64_t *t)
{
	struct cal c = { 0 };
	struct slice iso = s;

	if (ago_parse(s, now, t) == 0)
		return 0;
	if (number(&iso, 4, 4, &c.year) == -1 || !take(&iso, '-') ||
	    number(&iso, 2, 2, &c.month) == -1 || !take(&iso, '-') ||
	    number(&iso, 2, 2, &c.day) == -1)
		return -1;
	if (take(&iso, 'T') || take(&iso, ' ')) {
		if (number(&iso, 2, 2, &c.hour) == -1 || !take(&iso, ':') ||
		    number(&iso, 2, 2, &c.min) == -1 || (take(&iso, ':') &&
		    number(&iso, 2, 2, &c.sec) == -1))
			return -1;
		(void)take(&iso, 'Z');
	}
	return iso.n > 0 || c.month < 1 || c.month > 12 ||
	    !cal_day_exists(&c) ? -1 : cal_time(&c, t);
}

size_t
isodate_print(int64_t t, char *out, size_t size)
{
	struct cal c;

	cal_of(t, &c);
	return (size_t)snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02dZ",
	    c.year, c.month, c.day, c.hour, c.min, c.sec);
}

/* Years start in March here, so that the leap day comes last. */
int64_t
date_days(int year, int mon, int day)
{
	int64_t y = mon > 2 ? year : year - 1, era, yoe, doy;

	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/*
 * February 29 is in leap years alone.  A message's own date is not held to
 * that: the day after the 28th is what its writer meant.
 */
static int
cal_day_exists(const struct cal *c)
{
	return c->month != 2 || c->day < 29 || (c->year % 4 == 0 &&
	    (c->year % 100 != 0 || c->year % 400 == 0));
}

/* Range checks, then seconds since the epoch.  A leap second is the next. */
static int
cal_time(const struct cal *c, int64_t *t)
{
	static const int len[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };

	if (c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > len[c->month - 1] || c->hour > 23 || c->min > 59 ||
	    c->sec > 60 || c->year < 1900)
		return -1;
	*t = date_days(c->year, c->month, c->day) * 86400 + c->hour * 3600 +
	    c->min * 60 + c->sec - (int64_t)c->zone * 60;
	return 0;
}

/* The inverse of date_days, and the time of day; years 0..9999. */
static void
cal_of(int64_t t, struct cal *c)
{
	const int64_t min = -INT64_C(62167219200), max = INT64_C(253402300799);
	int64_t days, era, doe, yoe, doy, mp, s;

	t = t < min ? min : t > max ? max : t;
	days = t / 86400 - (t % 86400 < 0);
	s = t - days * 86400;
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = (int)(yoe + era * 400 + (c->month <= 2));
	c->hour = (int)(s / 3600);
	c->min = (int)(s / 60 % 60);
	c->sec = (int)(s % 60);
	c->zone = 0;
}

/* Blanks and comments. */
static void
skip_cfws(struct slice *s)
{
	size_t i;
	int depth = 0;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] == '(' && depth < COMMENT_DEPTH)
			depth++;
		else if (s->p[i] == ')' && depth > 0)
			depth--;
		else if (s->p[i] == '\\' && depth > 0 && i + 1 < s->n)
			i++;
		else if (depth == 0 && (unsigned char)s->p[i] > ' ')
			break;
	}
	s->p += i;
	s->n -= i;
}

/* hour:minute[:second], also with "." as some wrote it. */
static int
clock_part(struct slice *s, struct cal *c)
{
	if (number(s, 1, 2, &c->hour) == -1)
		return -1;
	skip_cfws(s);
	if (!take(s, ':') && !take(s, '.'))
		return -1;
	skip_cfws(s);
	if (number(s, 2, 2, &c->min) == -1)
		return -1;
	skip_cfws(s);
	if (take(s, ':') || take(s, '.')) {
		skip_cfws(s);
		if (number(s, 2, 2, &c->sec) == -1)
			return -1;
	}
	skip_cfws(s);
	return 0;
}

/* Unknown and military zones are UTC (RFC 5322 4.3). */
static void
zone_part(struct slice *s, int *zone)
{
	static const struct { char name[4]; int min; } zones[] = {
		{ "EDT", -240 }, { "EST", -300 }, { "CDT", -300 },
		{ "CST", -360 }, { "MDT", -360 }, { "MST", -420 },
		{ "PDT", -420 }, { "PST", -480 }
	};
	size_t i;

	*zone = 0;
	if (s->n > 0 && (s->p[0] == '+' || s->p[0] == '-')) {
		if (zone_num(s, zone) == -1)
			*zone = 0;
		return;
	}
	for (i = 0; i < NITEMS(zones); i++)
		if (slice_casestarts(*s, zones[i].name))
			*zone = zones[i].min;
}

/* +hhmm or -hhmm */
static int
zone_num(struct slice *s, int *zone)
{
	int neg, v;

	neg = take(s, '-');
	if ((!neg && !take(s, '+')) || number(s, 4, 4, &v) == -1 ||
	    v % 100 > 59)
		return -1;
	*zone = v / 100 * 60 + v % 100;
	if (neg)
		*zone = -*zone;
	return 0;
}

/* 1..12, not taken, or -1. */
static int
month(struct slice *s)
{
	int i;

	for (i = 0; i < 12; i++)
		if (slice_casestarts(*s, months[i]))
			return i + 1;
	return -1;
}

/* Between min and max digits. */
static int
number(struct slice *s, size_t min, size_t max, int *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < s->n && i < max && s->p[i] >= '0' && s->p[i] <= '9';
	    i++)
		*out = *out * 10 + s->p[i] - '0';
	if (i < min)
		return -1;
	s->p += i;
	s->n -= i;
	return 0;
}

static int
take(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return 0;
	s->p++;
	s->n--;
	return 1;
}
