/*
 * Plays nursery for a session under test: "PROGRAM serve FD DIR" makes an
 * account in DIR if there is none and runs the session there, FD being its
 * end of the stream.  The tests play the front.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "store/store.h"
#include "nursery_play.h"

int
nursery_play(int argc, char **argv, int (*session)(int, const struct conf *))
{
	struct conf		*conf;
	const char		*want;
	int			 dir, status;

	if (argc != 4 || strcmp(argv[1], "serve") != 0)
		return -1;
	conf = conf_new();
	log_init("session", -1);
	if (conf_set(conf, "imap.max-append", 0, "3M", &want) == -1 ||
	    chdir(argv[3]) == -1 ||
	    (dir = open(".", O_RDONLY | O_DIRECTORY)) == -1 ||
	    store_create(dir) != STORE_OK)
		fatalx("no account in %s", argv[3]);
	close(dir);
	status = session(atoi(argv[2]), conf);
	conf_free(conf);
	return status;
}
