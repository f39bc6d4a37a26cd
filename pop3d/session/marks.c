/*
 * pop3-session: a bit for each message of the session, numbered from 1: what
 * is deleted, was retrieved, does not end in CRLF.  No memory is taken for
 * marks that nobody sets.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"

int
marks_set(struct session *s, unsigned char **bits, uint32_t msg)
{
	if (*bits == NULL && (*bits = calloc(1, s->n / 8 + 1)) == NULL)
		return -1;
	(*bits)[msg / 8] |= (unsigned char)(1 << (msg % 8));
	return 0;
}

bool
marks_has(const unsigned char *bits, uint32_t msg)
{
	return bits != NULL && bits[msg / 8] & (1 << (msg % 8));
}

int
marks_ranges(struct session *s, const unsigned char *bits,
    const unsigned char *but, struct store_range **v, size_t *n)
{
	struct store_range	*p, *last = NULL;
	size_t			 size = 0;
	uint32_t		 i;

	*v = NULL;
	*n = 0;
	for (i = 1; bits != NULL && i <= s->n; i++) {
		if (!marks_has(bits, i) || marks_has(but, i))
			continue;
		if (last != NULL && last->last + 1 == i) {
			last->last = i;
			continue;
		}
		if (*n == size) {
			size = size == 0 ? 16 : size * 2;
			if ((p = reallocarray(*v, size, sizeof(*p))) == NULL) {
				free(*v);
				*v = NULL;
				return -1;
			}
			*v = p;
		}
		last = &(*v)[(*n)++];
		*last = (struct store_range){ i, i };
	}
	return 0;
}
