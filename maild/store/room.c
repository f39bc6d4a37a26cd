/*
 * store: a run from its job to its answer.  It runs in a session's jail: one
 * account's files, with that account's ids, and a channel to maild.  A row of
 * jobs is what can be asked for.  It must never leave behind what is half
 * done: it may be killed at any step.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

#define KEEP_BYTES	(1ULL << 30)	/* where there is no quota */

static const struct {
	enum store_job	 job;
	void		(*fn)(struct room *);
} jobs[] = {
	{ JOB_CHECK,	room_check },
	{ JOB_REBUILD,	room_rebuild },
	{ JOB_RESTORED,	room_restored },
	{ JOB_EXPORT,	room_export },
	{ JOB_COMPACT,	room_compact },
	{ JOB_UNDELETE,	room_undelete },
	{ JOB_ROUND,	room_round },
};

/* Nothing was ever delivered to it, nor read: it has no files, and looking
 * makes none. */
static bool
room_empty(void)
{
	const struct dirent *d;
	bool empty = true;
	DIR *dir;

	if (faccessat(AT_FDCWD, "journal", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT || (dir = opendir(".")) == NULL)
		return false;
	while ((d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, "mail.", 5) == 0)
			empty = false;
	closedir(dir);
	return empty;
}

/* What cannot be opened now, or not at all, is told in words. */
static int
room_open(struct room *rm)
{
	enum store_result r = STORE_IO;
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir != -1) {
		r = store_open(&rm->store, dir, STORE_SESSION);
		close(dir);
	}
	switch (r) {
	case STORE_OK:
		return 0;
	case STORE_DAMAGED:
		room_say(rm, EX_DATAERR, "the account cannot be opened: its "
		    "journal, or the head of it, is missing or damaged");
		break;
	case STORE_NEWER:
		room_say(rm, EX_SOFTWARE, "the account cannot be opened: a "
		    "newer release wrote it");
		break;
	default:
		room_say(rm, EX_TEMPFAIL, "the account cannot be opened now: "
		    "%s (%s)", store_strerror(r), store_why(NULL));
		break;
	}
	return -1;
}

static void
room_job(struct room *rm, enum store_job job)
{
	size_t i;

	for (i = 0; i < NITEMS(jobs); i++)
		if (jobs[i].job == job)
			break;
	if (i == NITEMS(jobs))
		room_say(rm, EX_UNAVAILABLE, "store does not know this job");
	else if (job == JOB_ROUND && room_empty())
		rm->text[0] = '\0';
	else if (room_empty())
		room_say(rm, job == JOB_EXPORT ? EX_NOINPUT : EX_OK,
		    "the account holds nothing yet");
	else if (room_open(rm) == 0)
		jobs[i].fn(rm);
}

/* As much of expunged mail as of mail, unless another size is configured. */
static struct store_keep
keep_of(const struct conf *conf, const struct quota *quota)
{
	uint64_t bytes = conf->store.undelete_size;

	if (bytes == 0)
		bytes = quota_limit(quota->octets, conf->quota);
	return (struct store_keep){ conf->store.undelete,
	    bytes == 0 ? KEEP_BYTES : bytes };
}

/* Was the run ended before this process was there to be killed?  Its account
 * may be closed, and the directory another one. */
static bool
room_over(int sock)
{
	struct pollfd p = { .fd = sock, .events = 0 };

	return poll(&p, 1, 0) != 0;
}

int
room_main(int sock, const struct conf *conf, const struct quota *quota)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	struct room rm = { .sock = sock, .told = now_ms() };
	struct store_run_r r = { 0 };

	if (msg_recv(sock, CHAN_STORE, SIDE_A, buf, &m, -1) != 1 ||
	    m.type != STORE_RUN)
		return 1;
	if (room_over(sock)) {
		msg_close_fds(&m);
		return 1;
	}
	rm.fd = m.fd[0];
	slice_cpy(body.store_run.arg, rm.arg, sizeof(rm.arg));
	rm.from = (int64_t)(body.store_run.from & INT64_MAX);
	rm.to = (int64_t)(body.store_run.to & INT64_MAX);
	rm.keep = keep_of(conf, quota);
	room_job(&rm, (enum store_job)body.store_run.job);
	store_close(rm.store);
	msg_close_fds(&m);
	r.code = (uint8_t)rm.code;
	r.text = slice_str(rm.text);
	(void)msg_send(sock, STORE_RUN_R, m.id, &r, NULL, 0);
	return 1;
}
