/*
 * What commands of mailctl reports have in common: which reports count, and
 * the words of their rows.  report-in.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/dates.h"
#include "verify/verify.h"
#include "proc/proc.h"
#include "report/in/in.h"

/* A reporter's clock may be wrong: not later than it came here. */
static uint64_t
when(const struct stored *s)
{
	return s->end > 0 && s->end < s->received ? s->end : s->received;
}

/* May it have something about the domain that is asked for?  What is added
 * up by rows is looked at row by row: a policy covers the domains below it,
 * a TLS report has several. */
static bool
concerns(const struct command *c, const struct stored *s)
{
	if (c->arg[0] == '\0' || domain_within(s->domain, c->arg))
		return true;
	if (strcmp(c->verb, "tls") == 0)
		return s->kind == IN_TLS;
	return (strcmp(c->verb, "show") == 0 || strcmp(c->verb,
	    "reject") == 0) && domain_within(c->arg, s->domain);
}

bool
command_counts(struct command *c, const struct stored *s)
{
	if (when(s) < c->from || !concerns(c, s))
		return false;
	if (s->trust == IN_FAIL && !c->all) {
		c->failing++;
		return false;
	}
	return true;
}

const char *
trust_name(enum in_trust t)
{
	static const char *const names[] = {
		[IN_PASS] = "pass", [IN_NONE] = "none", [IN_FAIL] = "fail"
	};

	return names[t];
}

void
row_text(struct row *row, const char *name, const char *s)
{
	row_str(row, name, slice_str(s));
}

void
row_time(struct row *row, const char *name, uint64_t t)
{
	char text[DATE_TEXT_MAX];
	size_t n = t == 0 ? 0 : isodate_print((int64_t)t, text, sizeof(text));

	row_str(row, name, slice_of(text, n));
}

/* Per cent with one digit behind the point; rounded down, so that 100.0 is
 * all of them. */
void
row_share(struct row *row, const char *name, uint64_t part, uint64_t of)
{
	char text[32];
	uint64_t n;

	if (of == 0) {
		row_text(row, name, "");
		return;
	}
	n = part > UINT64_MAX / 1000 ? part / (of / 1000) : part * 1000 / of;
	snprintf(text, sizeof(text), "%llu.%llu",
	    (unsigned long long)n / 10, (unsigned long long)n % 10);
	row_text(row, name, text);
}
