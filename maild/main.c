/*
 * maild: the program.  Reads the command line and does what it asks for:
 * checks the configuration, adopts directories, or runs the house (maild.c).
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/build.h"
#include "base/log.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

static struct house house;

int
main(int argc, char **argv)
{
	struct house *h = &house;
	struct asked a = { false, false, false, false };
	int status = 0;

	build_version("maild", argc, argv);
	h->conffile = MAILD_SYSCONFDIR "/maild/maild.yaml";
	h->libexec = MAILD_LIBEXECDIR;
	h->notify = h->storefd = h->prog[ROLE_MAILD] = -1;
	options_read(h, &a, argc, argv);
	log_init("maild", -1);
	h->conf = conf_read(h->conffile);
	h->conffile = path_absolute(h->conffile);
	if (a.fix && !a.adopt)
		return house_mend(h, a.check);
	if (a.check) {
		if (a.verbose)
			conf_print(h->conf, stdout);
		else
			status = house_check(h);
		conf_free(h->conf);
		return status;
	}
	if (a.verbose)
		log_setlevel(LOG_L_DEBUG);
	if (geteuid() != 0)
		fatalx("maild must be started by root");
	if (a.adopt)
		return house_adopt(h, argv + optind);
	h->libexec = path_absolute(h->libexec);
	return house_run(h);
}
