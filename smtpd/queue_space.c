/*
 * Room on the disk of the spool: below queue.min-free no mail is taken, every
 * smtpd hears of it, and so does the operator.  queue only.
 */
#include "compat.h"

#include <sys/statvfs.h>

#include <errno.h>
#include <string.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "proc.h"
#include "queue.h"

#define ID		"space"
#define MIN_FILES	100
#define STEP		(1U << 20)	/* octets worth telling smtpd */
#define MIB(n)		((unsigned long long)((n) >> 20))

static struct {
	bool		 looked, enough;
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

void
space_look(const struct conf *conf)
{
	struct statvfs v;
	uint64_t bytes, files;
	bool enough, accepting;

	if (fstatvfs(spool_dir(), &v) == -1) {
		proc_impaired(ID, "the disk of %s cannot be looked at: %s",
		    conf->dir.spool, strerror(errno));
		sp.looked = false;
		return;
	}
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	files = v.f_files == 0 ? UINT64_MAX : v.f_favail;
	enough = is_enough(conf, bytes, files);
	accepting = enough && recover_done();
	if (!sp.looked || enough != sp.enough)
		tell(conf, enough, bytes, files);
	else if (accepting == sp.accepting && bytes < sp.bytes + STEP &&
	    sp.bytes < bytes + STEP)
		return;
	sp.looked = true;
	sp.enough = enough;
	sp.accepting = accepting;
	sp.bytes = bytes;
	front_tell(accepting, bytes);
}
