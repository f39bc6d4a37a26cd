/*
 * Fuzz entry: a message, made 7-bit.  It means the same, however it was cut;
 * facts of another message do no harm.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/downgrade.h"
#include "parse/mime.h"
#include "regress/unit/downgrade_walk.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
drop(void *arg, const char *p, size_t n)
{
}

/* The first half's facts, all of the octets. */
static void
wrong_facts(const char *p, size_t n)
{
	const struct downgrade_out to = { drop, drop, NULL };
	struct downgrade *d;
	char *facts;
	size_t fn;

	if ((facts = mime_facts(p, n / 2, &fn)) == NULL)
		abort();
	if ((d = downgrade_new(facts, fn)) == NULL)
		abort();
	free(facts);
	if (downgrade_look(d, p + n / 2, n - n / 2) == -1)
		abort();
	(void)downgrade_looked(d);
	(void)downgrade_feed(d, p + n / 2, n - n / 2, &to);
	downgrade_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	const char *p = (const char *)in;
	enum downgrade_can can;

	if (n < 2)
		return 0;
	if (downgrade_walk(p + 1, n - 1, in[0] + 1u, &can) != NULL)
		abort();
	wrong_facts(p + 1, n - 1);
	return 0;
}
