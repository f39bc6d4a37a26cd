/*
 * Which of our domains a report is about.  report-in; the parsers and the
 * commands ask.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/near.h"
#include "base/slice.h"
#include "verify/verify.h"
#include "report/in/in.h"

const char *
house_domain(const struct in_house *h, const char *name)
{
	const char *best = NULL;
	size_t i;

	for (i = 0; i < h->ndomains; i++)
		if (domain_within(name, h->domains[i]) && (best == NULL ||
		    strlen(h->domains[i]) > strlen(best)))
			best = h->domains[i];
	return best;
}

const char *
house_near(const struct in_house *h, const char *name)
{
	return near_of(slice_str(name), (const char *const *)h->domains,
	    h->ndomains);
}
