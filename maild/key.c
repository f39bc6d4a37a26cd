/*
 * Keys are made by keygen, a program of its own that maild starts for one
 * key and that gives up root at once: maild hands it an open file for the
 * private part and reads back only the public part.
 */
#include "base/compat.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define ARGS_MAX	80		/* of keygen */

/* In the child. */
static void
key_exec(struct house *h, int keyfd, int outfd, const char *const *argv)
{
	char *envp[] = { NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((keyfd = fcntl(keyfd, F_DUPFD, 10)) == -1 ||
	    (outfd = fcntl(outfd, F_DUPFD, 10)) == -1 ||
	    dup2(h->null, STDIN_FILENO) == -1 ||
	    dup2(outfd, STDOUT_FILENO) == -1 ||
	    dup2(keyfd, 3) == -1 || chdir("/") == -1)
		_exit(126);
	if (!h->foreground && !h->starting)
		dup2(h->null, STDERR_FILENO);
	program_start(h, ROLE_KEYGEN, 4, argv, envp);
}

int
key_start(struct house *h, struct key_job *job, enum proc_role as, int keyfd,
    const char *const *args)
{
	const char *argv[ARGS_MAX];
	char uid[16], gid[16];
	int pipefd[2];
	size_t n = 0;

	snprintf(uid, sizeof(uid), "%u", (unsigned int)h->ids[as].uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned int)h->ids[as].gid);
	argv[n++] = proc_program(ROLE_KEYGEN);
	argv[n++] = uid;
	argv[n++] = gid;
	argv[n++] = h->conf->dir.empty;
	while (*args != NULL && n < ARGS_MAX - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	if (pipe2(pipefd, O_CLOEXEC) == -1)
		return -1;
	log_flush();
	if ((job->pid = fork()) == 0)
		key_exec(h, keyfd, pipefd[1], argv);
	close(pipefd[1]);
	if (job->pid == -1) {
		close(pipefd[0]);
		return -1;
	}
	job->out = pipefd[0];
	return 0;
}

int
key_finish(struct key_job *job, char *out, size_t size)
{
	size_t n = 0;
	ssize_t r;
	int status;

	while (n + 1 < size && (r = read(job->out, out + n, size - n - 1)) != 0)
		if (r > 0)
			n += (size_t)r;
		else if (errno != EINTR)
			break;
	out[n] = '\0';
	close(job->out);
	while (waitpid(job->pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	if (status == 0 && n > 0)
		return 0;
	log_warnx("keygen failed status=%#x", (unsigned int)status);
	return -1;
}

/* ---- files --------------------------------------------------------------- */

int
key_create(const char *path, char *tmp, size_t size)
{
	if ((size_t)snprintf(tmp, size, "%s.XXXXXXXX", path) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return mkostemp(tmp, O_CLOEXEC);	/* mode 0600 */
}

int
key_sync_parent(const char *path)
{
	char dir[PATH_MAX], *slash;
	int fd, ret;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir) ||
	    (slash = strrchr(dir, '/')) == NULL) {
		errno = ENAMETOOLONG;
		return -1;
	}
	slash[slash == dir] = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	ret = fsync(fd);
	close(fd);
	return ret;
}

int
key_commit(int fd, const char *tmp, const char *path)
{
	int ret = fsync(fd);

	if (close(fd) == -1)
		ret = -1;
	if (ret == 0)
		ret = link(tmp, path);
	unlink(tmp);
	return ret == 0 ? key_sync_parent(path) : -1;
}

/* ---- certificates -------------------------------------------------------- */

static int
write_certificate(const char *path, const char *pem)
{
	char tmp[1100];
	int fd = key_create(path, tmp, sizeof(tmp));

	if (fd == -1)
		return -1;
	if (write_all(fd, pem, strlen(pem)) == -1 || fchmod(fd, 0644) == -1) {
		close(fd);
		unlink(tmp);
		return -1;
	}
	return key_commit(fd, tmp, path);
}

int
key_certificate(struct house *h, const struct conf *conf,
    const struct conf_cert *cert, char *err, size_t errsize)
{
	const char *args[CONF_NLIST + 3];
	char pem[8192], tmp[1100];
	struct key_job job;
	size_t n = 0;
	int fd;

	args[n++] = "certificate";
	args[n++] = conf->hostname;
	for (size_t i = 0; i < conf->ndomains; i++)
		args[n++] = conf->domains[i];
	args[n] = NULL;
	if ((fd = key_create(cert->key, tmp, sizeof(tmp))) == -1) {
		snprintf(err, errsize, "%s: cannot be made: %s", cert->key,
		    strerror(errno));
		return -1;
	}
	if (key_start(h, &job, ROLE_SIGND_TLS, fd, args) == -1 ||
	    key_finish(&job, pem, sizeof(pem)) == -1) {
		snprintf(err, errsize, "%s: keygen failed", cert->key);
		close(fd);
		unlink(tmp);
		return -1;
	}
	if (key_commit(fd, tmp, cert->key) == -1 ||
	    write_certificate(cert->certificate, pem) == -1) {
		snprintf(err, errsize, "%s: cannot be written: %s",
		    cert->certificate, strerror(errno));
		return -1;
	}
	return 0;
}
