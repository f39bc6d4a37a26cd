/*
 * The table of processes, made from roles.h.  Linked by every process; says
 * what is so and does nothing.  Roots and numbers are not here: they are of
 * the configuration, and maild's alone.
 */
#include "base/compat.h"

#include "base/log.h"
#include "msg/roles.h"

#define ROW(NAME, no, name_, program_, user_, root, whose_, may_,	\
    memory_, count, stage_, says_, nursery_, reload_)			\
	[ROLE_##NAME] = { .name = name_, .program = program_,		\
	    .user = user_, .whose = whose_, .may = may_,		\
	    .memory = memory_, .stage = stage_, .says = says_,		\
	    .nursery = ROLE_##nursery_, .reload = reload_ },

static const struct role_row rows[ROLE_MAX] = { ROLE_LIST(ROW) };

const struct role_row *
role_row(enum proc_role role)
{
	if ((unsigned int)role >= ROLE_MAX)
		fatalx("there is no role %u", (unsigned int)role);
	return &rows[role];
}
