/*
 * The programs of the house, held open from its start: whoever is started
 * later, be it the next process of a role or keygen, is of the same build,
 * whatever has been installed meanwhile.
 *
 * Which build lies there is told by the file "build" beside them.  make
 * install takes it away first and puts it in place last, so when it is read
 * after all others were opened and is that of this maild, they are too.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/build.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define FD_FIRST	10	/* a child's own are below */

void
program_path(const char *libexec, enum proc_role role,
    char path[PROGRAM_PATH])
{
	snprintf(path, PROGRAM_PATH, "%s/%s", libexec, proc_program(role));
}

/* Open the program of a role; -1 with a message when there is none. */
static int
program_open(const char *libexec, enum proc_role role, char *err,
    size_t errsize)
{
	char path[PROGRAM_PATH];
	struct stat st;
	int fd, high;

	program_path(libexec, role, path);
	if ((fd = open(path, O_PATH | O_CLOEXEC)) == -1) {
		snprintf(err, errsize, "%s: %s: program of %s; run: make "
		    "install", path, strerror(errno), proc_name(role));
		return -1;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 0111) == 0) {
		snprintf(err, errsize, "%s: no program, but should be that of "
		    "%s; run: make install", path, proc_name(role));
		close(fd);
		return -1;
	}
	if ((high = fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST)) == -1)
		fatal("%s", path);
	close(fd);
	return high;
}

/* The id of the build in that directory, "" when there is none. */
static void
build_read(const char *libexec, char id[BUILD_ID_LEN + 1])
{
	char path[1200];
	int fd;

	memset(id, 0, BUILD_ID_LEN + 1);
	snprintf(path, sizeof(path), "%s/build", libexec);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	if (read_all(fd, id, BUILD_ID_LEN) == -1)
		memset(id, 0, BUILD_ID_LEN);
	close(fd);
}

/* Are the programs of this build?  A message when not. */
static bool
build_is_ours(const char *libexec, char *err, size_t errsize)
{
	char id[BUILD_ID_LEN + 1], text[BUILD_TEXT_MAX];

	build_read(libexec, id);
	if (build_same(slice_str(id)))
		return true;
	snprintf(err, errsize, "%s: %s; this maild is of %s; finish it: make "
	    "install", libexec, id[0] == '\0' ? "half installed, there is no "
	    "file \"build\"" : "the programs are of another build",
	    build_text(build_release, slice_str(build_id), text));
	return false;
}

void
programs_open(struct house *h)
{
	char err[1500] = "";
	int r;

	for (r = ROLE_LOGD; r < ROLE_MAX; r++)
		if ((h->prog[r] = program_open(h->libexec, (enum proc_role)r,
		    err, sizeof(err))) == -1)
			break;
	if (r == ROLE_MAX && build_is_ours(h->libexec, err, sizeof(err)))
		return;
	log_errorx("%s", err);
	exit(EX_TEMPFAIL);		/* being installed, maybe */
}

void
programs_look(struct findings *f)
{
	char err[1500];
	int fd;

	for (int r = ROLE_LOGD; r < ROLE_MAX; r++) {
		if ((fd = program_open(f->house->libexec, (enum proc_role)r,
		    err, sizeof(err))) == -1) {
			finding_wrong(f, EX_TEMPFAIL, NULL, 0, "%s", err);
			return;		/* one is enough to be told of */
		}
		close(fd);
	}
	if (!build_is_ours(f->house->libexec, err, sizeof(err)))
		finding_wrong(f, EX_TEMPFAIL, NULL, 0, "%s", err);
}

void
program_start(struct house *h, enum proc_role role, int fd,
    const char *const *argv, char *const *envp)
{
	if (dup3(h->prog[role], fd, O_CLOEXEC) == -1)
		_exit(126);
	close_range((unsigned int)fd + 1, ~0U, 0);
	program_exec(fd, (char *const *)(uintptr_t)argv, envp);
	_exit(127);
}
