/*
 * The configuration that this process has: the one place that holds it.  It
 * is set at start (proc.c), by a reload before the role hears of it (loop.c,
 * nursery.c), and by a unit test that needs one.  Whoever wants a value asks
 * proc_conf() again each time and keeps no pointer, for a reload frees what
 * was there before.
 */
#include "base/compat.h"

#include <stddef.h>

#include "conf/conf.h"
#include "proc/proc.h"

static struct conf *in_use;

const struct conf *
proc_conf(void)
{
	return in_use;
}

struct conf *
proc_conf_use(struct conf *conf)
{
	struct conf *before = in_use;

	in_use = conf;
	return before;
}
