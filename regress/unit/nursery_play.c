/*
 * Plays nursery for a session under test: "PROGRAM serve FD DIR" makes an
 * account in DIR if there is none and runs the session there, FD being its
 * end of the stream; KEY VALUE behind it are configured.  The tests play the
 * front.  With SESSION_LOG in the environment what it did is told on stderr.
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
#include "conf/quota.h"
#include "store/store.h"
#include "nursery_play.h"

int
nursery_play(int argc, char **argv, nursery_fn session)
{
	struct conf		*conf;
	const char		*want;
	int			 dir, status, i;

	if (argc < 4 || argc % 2 != 0 || strcmp(argv[1], "serve") != 0)
		return -1;
	conf = conf_new();
	log_init("session", -1);
	log_setlevel(getenv("SESSION_LOG") != NULL ? LOG_L_INFO : LOG_L_WARN);
	if (conf_set(conf, "imap.max-append", 0, "3M", &want) == -1 ||
	    chdir(argv[3]) == -1 ||
	    (dir = open(".", O_RDONLY | O_DIRECTORY)) == -1 ||
	    store_create(dir) != STORE_OK)
		fatalx("no account in %s", argv[3]);
	close(dir);
	for (i = 4; i < argc; i += 2)
		if (conf_set(conf, argv[i], 0, argv[i + 1], &want) == -1)
			fatalx("%s: %s, not %s", argv[i], want, argv[i + 1]);
	status = session(atoi(argv[2]), conf, &(struct quota){ 0 });
	conf_free(conf);
	return status;
}
