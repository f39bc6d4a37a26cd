/*
 * Which build a program is of: see build.h.  The Makefile gives BUILD_ID and
 * BUILD_RELEASE to this file alone, which is linked into every program.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/build.h"
#include "base/slice.h"

#define SHOWN	12		/* digits of an id that people are shown */

const char build_id[BUILD_ID_LEN + 1] = BUILD_ID;
const unsigned int build_release = BUILD_RELEASE;

_Static_assert(sizeof(BUILD_ID) == BUILD_ID_LEN + 1, "BUILD_ID");

bool
build_same(struct slice id)
{
	return slice_eq(id, slice_str(build_id));
}

bool
build_adjacent(unsigned int release)
{
	return release + 1 >= build_release && release <= build_release + 1;
}

const char *
build_text(unsigned int release, struct slice id, char text[BUILD_TEXT_MAX])
{
	char shown[SHOWN + 1] = "unknown";
	size_t n;

	for (n = 0; n < id.n && strchr("0123456789abcdef", id.p[n]) != NULL &&
	    id.p[n] != '\0'; n++)
		;
	if (n == BUILD_ID_LEN && n == id.n) {
		memcpy(shown, id.p, SHOWN);
		shown[SHOWN] = '\0';
	}
	snprintf(text, BUILD_TEXT_MAX, "release %u (build %s)", release,
	    shown);
	return text;
}

void
build_version(const char *program, int argc, char *const *argv)
{
	char text[BUILD_TEXT_MAX];

	if (argc != 2 || (strcmp(argv[1], "-V") != 0 &&
	    strcmp(argv[1], "--version") != 0))
		return;
	printf("%s, maild %s\n", program, build_text(build_release,
	    slice_str(build_id), text));
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static void
inner_tell(FILE *to, const char *program)
{
	fprintf(to, "%s is a process of maild, which starts it; for people "
	    "there are maild(8) and mailctl(8)\n", program);
}

void
build_inner(const char *program, int argc, char *const *argv)
{
	build_version(program, argc, argv);
	if (argc != 2 || (strcmp(argv[1], "-h") != 0 &&
	    strcmp(argv[1], "--help") != 0))
		return;
	inner_tell(stdout, program);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

void
build_by_hand(const char *program)
{
	inner_tell(stderr, program);
	exit(EX_USAGE);
}
