/*
 * The command line of maild: what it asks for, and what there is to ask for.
 */
#include "base/compat.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/build.h"
#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

static const char usage_text[] =
	"usage: maild [-DdnVv] [-f file] [-l libexecdir] [--yes]\n"
	"       maild -F [-n] [-f file]\n"
	"       maild -F [-f file] --adopt directory ...\n";

static const char help_text[] =
	"\n"
	"  -D          stay in the foreground\n"
	"  -d          stay in the foreground, log to standard error\n"
	"  -F          mend owners and modes after a restore or a move; with\n"
	"              -n: say what would be mended\n"
	"  -F --adopt DIRECTORY ...\n"
	"              these directories are of this house\n"
	"  -f FILE     the configuration, instead of\n"
	"              " MAILD_SYSCONFDIR "/maild/maild.yaml\n"
	"  -h, --help  this\n"
	"  -l DIR      where the programs of the house are\n"
	"  -n          look at all that a start needs, and do nothing else;\n"
	"              to restart: maild -n && systemctl restart maild\n"
	"  -V, --version\n"
	"              release and build\n"
	"  -v          with -n: print the whole configuration; else: log more\n"
	"  --yes       what is dangerous is meant so\n"
	"\n"
	"maild(8) has all of it; mailctl(8) asks and tells one that runs.\n";

static void
usage(void)
{
	fputs(usage_text, stderr);
	fputs("maild --help tells more\n", stderr);
	exit(EX_USAGE);
}

static void
help(void)
{
	fputs(usage_text, stdout);
	fputs(help_text, stdout);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static void
version(void)
{
	char name[] = "maild", option[] = "-V", *argv[] = { name, option };

	build_version("maild", 2, argv);
}

const char *
path_absolute(const char *path)
{
	char buf[PATH_MAX], *real = realpath(path, buf);

	return xstrdup(real == NULL ? path : real);
}

void
options_read(struct house *h, struct asked *a, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "adopt", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "yes", no_argument, NULL, 'y' },
		{ NULL, 0, NULL, 0 },
	};
	int ch;

	while ((ch = getopt_long(argc, argv, "DdFf:hl:nVv", longs, NULL)) != -1)
		switch (ch) {
		case 'D':
			h->foreground = true;
			break;
		case 'd':
			h->debug = h->foreground = true;
			break;
		case 'F':
			a->fix = true;
			break;
		case 'a':
			a->adopt = true;
			break;
		case 'f':
			h->conffile = optarg;
			break;
		case 'h':
			help();
			break;
		case 'l':
			h->libexec = optarg;
			break;
		case 'n':
			a->check = true;
			break;
		case 'V':
			version();
			break;
		case 'y':
			h->yes = true;
			break;
		case 'v':
			a->verbose = true;
			break;
		default:
			usage();
		}
	if ((a->adopt && (!a->fix || a->check)) ||
	    (argc != optind) != a->adopt)
		usage();
}
