/*
 * Dates: of RFC 5322, of IMAP, of ISO 8601.
 */
#ifndef PARSE_DATES_H
#define PARSE_DATES_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define DATE_TEXT_MAX	40

/*
 * RFC 5322 3.3 and 4.3 (two- and three-digit years, zone names, comments,
 * day of week ignored).  *t is UTC; *zone minutes east (may be NULL).  0/-1.
 */
int	 date_parse(struct slice, int64_t *t, int *zone);
/* "Sat, 21 Nov 2026 18:20:57 +0000".  Returns the length; size must be at
 * least DATE_TEXT_MAX. */
size_t	 date_print(int64_t t, char *, size_t size);
/* IMAP date-time "21-Nov-2026 18:20:57 +0100" without the quotes. 0/-1. */
int	 imapdate_parse(struct slice, int64_t *t, int *zone);
size_t	 imapdate_print(int64_t t, char *, size_t size);
/* IMAP date "1-Nov-2026", as days since 1970-01-01.  0/-1. */
int	 imapday_parse(struct slice, int64_t *day);
/*
 * A time as people name it: so long before now ("90m", "3d", of s m h d), or
 * UTC in ISO 8601, "2026-11-21", "2026-11-21T18:20", "2026-11-21T18:20:57Z",
 * of which 'T' may be a blank and 'Z' missing.  0/-1.
 */
int	 when_parse(struct slice, int64_t now, int64_t *t);
/* ISO 8601 "2026-11-21T18:20:57Z". */
size_t	 isodate_print(int64_t t, char *, size_t size);
/* Days since 1970-01-01 of a Gregorian date; month 1..12. */
int64_t	 date_days(int year, int month, int day);

#endif
