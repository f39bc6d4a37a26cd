/*
 * Fuzz entry: transfer encodings undone; cut at any place it is the same.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "parse/cte.h"
#include "parse/facts.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct cte a = { 0 }, b = { 0 };
	const char *p = (const char *)in + 2;
	char *one, *two;
	size_t cut, n1, n2;

	if (n < 2)
		return 0;
	a.cte = b.cte = (enum facts_cte)(in[0] % (CTE_UNKNOWN + 1));
	n -= 2;
	cut = n > 0 ? in[1] % (n + 1) : 0;
	one = malloc(n + 2 * CTE_SLACK);
	two = malloc(n + 2 * CTE_SLACK);
	if (one == NULL || two == NULL)
		abort();
	n1 = cte_decode(&a, p, n, 1, one, n + CTE_SLACK);
	n2 = cte_decode(&b, p, cut, 0, two, cut + CTE_SLACK);
	n2 += cte_decode(&b, p + cut, n - cut, 1, two + n2,
	    n - cut + CTE_SLACK);
	if (n1 != n2 || memcmp(one, two, n1) != 0 || n1 > n)
		abort();
	free(one);
	free(two);
	return 0;
}
