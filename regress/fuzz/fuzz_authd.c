/*
 * Addresses and login names as clients and operators give them, against a
 * small directory with aliases, a catch-all and a loop.  Links
 * authd/table.c, authd/dir.c and authd/resolve.c.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct dir *
make(void)
{
	static char a[] = "a.test", b[] = "b.test";
	char *const domains[] = { a, b };
	struct dir *d = dir_new();
	size_t bad;

	dir_domains(d, domains, 2, "mail.a.test", &bad);
	dir_account_add(d, 1, "alice@a.test", "h", true, 0);
	dir_account_add(d, 2, "bob@b.test", "h", true, 0);
	dir_alias_add(d, "x@a.test", "y@a.test");
	dir_alias_add(d, "y@a.test", "x@a.test");
	dir_alias_add(d, "y@a.test", "out@c.test");
	dir_alias_add(d, "@b.test", "alice@a.test");
	return d;
}

/* A route to the outside is given only for such an address or by an alias. */
static void
resolve(struct dir *d, struct slice in)
{
	static struct dir_answer ans;
	struct item_route r;
	struct slice routes;
	size_t off = 0, n = 0;

	if (dir_resolve(d, in, &ans) != DIR_OK)
		return;
	routes = slice_of((const char *)ans.routes, ans.n);
	while (item_route_get(routes, &off, &r) == 1) {
		n++;
		if (r.type == ROUTE_REMOTE && !ans.outside &&
		    !slice_is(r.address, "out@c.test"))
			abort();
	}
	if (n == 0 || off != ans.n || ans.addressn == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct dir *d;
	struct slice in = { (const char *)p, n };
	char text[DIR_ADDRESS_MAX];
	const char *why;

	if (d == NULL)
		d = make();
	resolve(d, in);
	dir_login(d, in, text);
	if (dir_key(d, in, true, text, sizeof(text), &why) == 0 &&
	    dir_key(d, slice_str(text), true, text, sizeof(text), &why) == -1)
		abort();
	if (dir_target(in, text, sizeof(text), &why) == 0 &&
	    dir_target(slice_str(text), text, sizeof(text), &why) == -1)
		abort();
	return 0;
}
