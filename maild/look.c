/*
 * Would the house start?  Everything that a start needs is looked at in the
 * order of the start, and all that is wrong is told at once.  The start itself
 * does so before it touches anything, a reload with what it takes over, and
 * maild -n with nothing else: what one of them finds the others find.  Run by
 * maild as root; changes nothing.
 */
#include "base/compat.h"

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define TEXT_SIZE	8192

pid_t
look_running(const struct conf *conf)
{
	char text[32] = "";
	pid_t pid = 0;
	int fd = open(conf->dir.pid, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);

	if (fd == -1)
		return 0;
	if (flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK &&
	    read(fd, text, sizeof(text) - 1) > 0)
		pid = (pid_t)atol(text);
	close(fd);
	return pid;
}

void
look_open(struct findings *f)
{
	danger_look(f);
	danger_file(f);
	/* without them it is meant for another machine */
	if (geteuid() == 0 || access(f->house->libexec, F_OK) == 0)
		programs_look(f);
}

/* Users first: without them nothing has an owner. */
static void
look_house(struct findings *f)
{
	char err[TEXT_SIZE];

	if (directory_users(f->house, err, sizeof(err)) == -1) {
		finding_lines(f, EX_CONFIG, err);
		return;
	}
	if (mark_check(f->house, f->conf, &f->house->first, err,
	    sizeof(err)) == -1)
		finding_lines(f, EX_CONFIG, err);
	directory_look(f);
	directory_look_group(f);
	owner_look(f);
}

struct files *
look_all(struct findings *f, pid_t running)
{
	struct files *files;

	look_open(f);
	look_house(f);
	files = files_look(f);
	if (f->nwrong > 0) {
		files_free(files);
		files = NULL;
	}
	listen_look(f, NULL, NULL, running);
	return files;
}

void
look_reload(struct findings *f, const struct conf *old, const int *old_fds)
{
	danger_look(f);
	danger_file(f);
	directory_look_group(f);
	files_free(files_look(f));
	listen_look(f, old, old_fds, 0);
}
