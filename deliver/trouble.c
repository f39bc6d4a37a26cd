/*
 * Accounts whose mail is deferred because their files cannot be used: not
 * there, not readable, not permitted, damaged, of a newer release.  mailctl
 * status tells of them until something could be delivered again.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "store/store.h"
#include "deliver/deliver.h"

#define TROUBLE_MAX	64		/* more are not counted */

static struct {
	struct {
		uint32_t number;
		char	 why[160];
	}		 v[TROUBLE_MAX];
	size_t		 n;
} tr;

static size_t
find(uint32_t number)
{
	size_t i;

	for (i = 0; i < tr.n && tr.v[i].number != number; i++)
		;
	return i;
}

static void
tell(void)
{
	if (tr.n == 0) {
		proc_impaired_over("accounts");
		return;
	}
	proc_impaired("accounts", "mail for %s%zu account%s is deferred, for "
	    "%s files cannot be used, see RESTORING in maild-store(5); the "
	    "last one is %s/%u: %s", tr.n == TROUBLE_MAX ? "at least " : "",
	    tr.n, tr.n == 1 ? "" : "s", tr.n == 1 ? "its" : "their",
	    proc_conf()->dir.store, tr.v[tr.n - 1].number,
	    tr.v[tr.n - 1].why);
}

void
trouble_set(uint32_t number, enum store_result r, const char *why)
{
	size_t i = find(number);

	if (r != STORE_IO && r != STORE_ACCESS && r != STORE_DAMAGED &&
	    r != STORE_NEWER && r != STORE_NOTFOUND)
		return;
	if (i == TROUBLE_MAX)
		return;
	if (i == tr.n)
		tr.n++;
	tr.v[i].number = number;
	strlcpy(tr.v[i].why, why, sizeof(tr.v[i].why));
	tell();
}

void
trouble_over(uint32_t number)
{
	size_t i = find(number);

	if (i == tr.n)
		return;
	tr.v[i] = tr.v[--tr.n];
	tell();
}
