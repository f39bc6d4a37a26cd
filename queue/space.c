/*
 * Room for more mail, on the disk of the spool and in memory: below
 * queue.min-free, and when queue.max-waiting recipients are there, none is
 * taken, every smtpd hears of it, and so does the operator.  What is in the
 * spool already is read all the same, and reports and copies that queue makes
 * of it are taken.  queue only.
 */
#include "base/compat.h"

#include <sys/statvfs.h>

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define ID		"space"
#define MIN_FILES	100
#define STEP		(1U << 20)	/* octets worth telling smtpd */
#define MIB(n)		((unsigned long long)((n) >> 20))

static struct {
	bool		 looked, enough, full;
	bool		 accepting;	/* as smtpd knows */
	uint64_t	 bytes;		/* free, as smtpd knows */
} sp;

/* Over again only with some room to spare, so that it does not come and go. */
static bool
is_enough(const struct conf *conf, uint64_t bytes, uint64_t files)
{
	uint64_t min = conf->queue.min_free;

	if (sp.looked && !sp.enough)
		min += min / 16;
	return bytes >= min && files >= MIN_FILES;
}

static void
tell(const struct conf *conf, bool enough, uint64_t bytes, uint64_t files)
{
	if (!enough && !sp.looked)	/* maild's log is not open yet */
		log_warnx("%s has %llu MiB free and room for %llu files, "
		    "no mail is taken", conf->dir.spool, MIB(bytes),
		    (unsigned long long)files);
	if (enough)
		proc_impaired_over(ID);
	else if (bytes < conf->queue.min_free)
		proc_impaired(ID, "the disk of %s has %llu MiB free, less "
		    "than queue.min-free (%llu MiB): no mail is taken; make "
		    "room there", conf->dir.spool, MIB(bytes),
		    MIB(conf->queue.min_free));
	else
		proc_impaired(ID, "the disk of %s has room for %llu files, "
		    "less than %u: no mail is taken; remove some there",
		    conf->dir.spool, (unsigned long long)files, MIN_FILES);
}

/* As many recipients as memory is there for; over with a sixteenth less. */
static void
look_waiting(void)
{
	uint32_t n = message_rcpts(), max = proc_conf()->queue.max_waiting;

	if (n >= max && !sp.full) {
		sp.full = true;
		proc_impaired("full", "%u recipients wait in the queue, as "
		    "many as queue.max-waiting allows: no mail is taken; see "
		    "what waits (mailctl queue list), or raise it if there is "
		    "memory for 1 KiB each", max);
	} else if (n < max - max / 16 && sp.full) {
		sp.full = false;
		proc_impaired_over("full");
	}
}

bool
space_for(size_t nrcpt)
{
	uint32_t n = message_rcpts(), max = proc_conf()->queue.max_waiting;

	return !sp.full && n < max && nrcpt <= max - n;
}

bool
space_look(bool *take, uint64_t *free_bytes)
{
	const struct conf *conf = proc_conf();
	struct statvfs v;
	uint64_t bytes, files;
	bool enough, accepting;

	look_waiting();
	if (fstatvfs(spool_dir(), &v) == -1) {
		proc_impaired(ID, "the disk of %s cannot be looked at: %s",
		    conf->dir.spool, strerror(errno));
		sp.looked = false;
		return false;
	}
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	files = v.f_files == 0 ? UINT64_MAX : v.f_favail;
	enough = is_enough(conf, bytes, files);
	accepting = enough && !sp.full && recover_done();
	if (!sp.looked || enough != sp.enough)
		tell(conf, enough, bytes, files);
	else if (accepting == sp.accepting && bytes < sp.bytes + STEP &&
	    sp.bytes < bytes + STEP)
		return false;
	sp.looked = true;
	sp.enough = enough;
	sp.accepting = accepting;
	sp.bytes = bytes;
	*take = accepting;
	*free_bytes = bytes;
	return true;
}
