/*
 * mailctl store export: the file that an account is written to.  mailctl
 * opens it, as whoever calls it, and hands the descriptor on; what is written
 * there it never looks at.
 */
#include "base/compat.h"

#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "mailctl/mailctl.h"

#define FILE_ARG	3	/* store export ACCOUNT FILE */

const char *
file_take(int *argc, char **argv, int *fd)
{
	const char *path;

	*fd = -1;
	if (*argc <= FILE_ARG || strcmp(argv[0], "store") != 0 ||
	    strcmp(argv[1], "export") != 0)
		return NULL;
	path = argv[FILE_ARG];
	if ((*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600)) == -1)
		err(EX_CANTCREAT, "%s", path);
	(*argc)--;
	memmove(&argv[FILE_ARG], &argv[FILE_ARG + 1],
	    (size_t)(*argc - FILE_ARG) * sizeof(*argv));
	return path;
}

/* One of which all that could be read is there stays, with its status. */
void
file_done(const char *path, int fd, int status)
{
	if (path == NULL)
		return;
	close(fd);
	if (status != EX_OK && status != EX_DATAERR)
		(void)unlink(path);
}
