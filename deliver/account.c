/*
 * Accounts that deliver keeps open, the least recently used one going first.
 * A directory is named by the account's number; it is opened beneath the
 * store's root without following symbolic links, and what lies in it is
 * common/store's to distrust.
 */
#include "base/compat.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "store/store.h"
#include "deliver/deliver.h"

#define OPEN_MAX	512		/* accounts */
#define FDS_ACCOUNT	8		/* descriptors of one, about */
#define FDS_RESERVE	128
#define BUCKETS		1024
#define LOG_LONG	(4ULL << 20)	/* octets of a log, */
#define LOG_MESSAGE	256		/* and for each message */
#define WANT_MS		60000

static struct {
	int		 dirfd;
	struct account	*hash[BUCKETS];
	struct account	*oldest, *newest;
	size_t		 n, max;
	struct numset	 closed;
	struct event	*settle;
	char		 why[128];	/* the last one was not opened */
} ac = { .dirfd = -1 };

static enum store_result account_open(uint32_t, struct account **);
static void	 on_settle(evutil_socket_t, short, void *);
static void	 unlink_used(struct account *);
static void	 link_newest(struct account *);

void
account_init(struct event_base *base, int dirfd)
{
	struct rlimit rl;

	if ((ac.settle = event_new(base, -1, 0, on_settle, NULL)) == NULL)
		fatalx("event_new");

	ac.dirfd = dirfd;
	ac.max = 64;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur > FDS_RESERVE)
		ac.max = (rl.rlim_cur - FDS_RESERVE) / FDS_ACCOUNT;
	if (ac.max > OPEN_MAX)
		ac.max = OPEN_MAX;
	if (ac.max == 0)
		ac.max = 1;
}

void
account_quota(struct account *a, const struct quota *told)
{
	const struct conf *conf = proc_conf();

	a->limit.octets = quota_limit(told->octets, conf->quota);
	a->limit.messages = quota_limit(told->messages, conf->quota_messages);
	store_limit(a->store, a->limit.octets, a->limit.messages);
	store_warn(a->store, conf->quota_warn, conf->nquota_warn);
}

unsigned int
account_percent(struct account *a)
{
	struct quota used;

	store_usage(a->store, &used.octets, &used.messages);
	return quota_percent(&a->limit, &used);
}

void
account_look(struct account *a)
{
	struct store_want_ev ev = { a->number };
	uint64_t octets, messages;

	store_usage(a->store, &octets, &messages);
	if (store_log(a->store) <= LOG_LONG + messages * LOG_MESSAGE ||
	    (a->wanted != 0 && now_ms() - a->wanted < WANT_MS))
		return;
	a->wanted = now_ms();
	chan_send(proc_main(), STORE_WANT_EV, &ev, NULL, 0);
}

static struct account *
find(uint32_t number)
{
	struct account *a;

	for (a = ac.hash[number % BUCKETS]; a != NULL; a = a->hash)
		if (a->number == number)
			break;
	return a;
}

void
account_close(uint32_t number)
{
	struct account *a = find(number);

	numset_put(&ac.closed, number, true);
	trouble_over(number);
	if (a != NULL)
		account_drop(a);
}

void
account_reopen(uint32_t number)
{
	numset_put(&ac.closed, number, false);
}

void
account_reopen_all(void)
{
	numset_clear(&ac.closed);
}

bool
account_closed(uint32_t number)
{
	return numset_has(&ac.closed, number);
}

enum store_result
account_get(uint32_t number, struct account **out)
{
	struct account *a = find(number);

	if (a == NULL)
		return numset_has(&ac.closed, number) ? STORE_NOTFOUND :
		    account_open(number, out);
	if (a != ac.newest) {
		unlink_used(a);
		link_newest(a);
	}
	*out = a;
	return STORE_OK;
}

const char *
account_why(const struct account *a, enum store_result r)
{
	static char text[160];

	if (r != STORE_IO && r != STORE_NOMEM && r != STORE_ACCESS &&
	    r != STORE_NOSPACE)
		return store_strerror(r);
	(void)snprintf(text, sizeof(text), "%s (%s)", store_strerror(r),
	    a != NULL ? store_why(a->store) : ac.why);
	return text;
}

size_t
account_max(void)
{
	return ac.max;
}

void
account_drop(struct account *a)
{
	struct account **p = &ac.hash[a->number % BUCKETS];

	while (*p != a)
		p = &(*p)->hash;
	*p = a->hash;
	unlink_used(a);
	ac.n--;
	store_close(a->store);
	free(a);
}

static void
account_name(char name[16], uint32_t number)
{
	snprintf(name, 16, "%u", number);
}

bool
account_current(const struct account *a)
{
	struct stat sb;
	char name[16];

	account_name(name, a->number);
	return fstatat(ac.dirfd, name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	    sb.st_dev == a->dev && sb.st_ino == a->ino;
}

/* ---- the check after a crash ------------------------------------------- */

void
account_settle(struct account *a)
{
	static const struct timeval soon = { 0, 1000 };

	if (a->settling)
		return;
	log_info("account=%u is checked after a crash, its mail waits",
	    a->number);
	a->settling = true;
	if (!event_pending(ac.settle, EV_TIMEOUT, NULL))
		event_add(ac.settle, &soon);
}

static struct account *
settle_next(void)
{
	struct account *a;

	for (a = ac.oldest; a != NULL && !a->settling; a = a->newer)
		;
	return a;
}

/* One piece of one account, then a pause as long as that took, so that
 * deliver has half of the time for the others.  They take turns. */
static void
on_settle(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, 1000 };
	struct account *a = settle_next();
	uint64_t began = now_ms();
	enum store_result r;

	if (a == NULL)
		return;
	if ((r = store_settle(a->store)) == STORE_OK)
		log_info("account=%u checked", a->number);
	else if (r != STORE_BUSY)
		log_warnx("account=%u not checked: %s", a->number,
		    account_why(a, r));
	unlink_used(a);
	link_newest(a);
	a->settling = r == STORE_BUSY;
	if (r != STORE_OK && r != STORE_BUSY)
		account_drop(a);
	if (settle_next() == NULL)
		return;
	began = now_ms() - began;
	tv.tv_sec = (time_t)(began / 1000);
	tv.tv_usec += (suseconds_t)(began % 1000 * 1000);
	event_add(ac.settle, &tv);
}

void
account_flush(void)
{
	struct account *a;

	for (a = ac.oldest; a != NULL; a = a->newer)
		if (a->flush && store_flush(a->store) == STORE_OK)
			a->flush = false;
}

/* The directory itself: gone, not ours, or this process is short of
 * something. */
static enum store_result
open_failed(int e)
{
	switch (e) {
	case ENOENT:
		return STORE_NOTFOUND;
	case EACCES:
	case EPERM:
		return STORE_ACCESS;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return STORE_NOMEM;
	default:
		return STORE_IO;
	}
}

static enum store_result
account_open(uint32_t number, struct account **out)
{
	struct account *a;
	struct store *st;
	enum store_result r;
	struct stat sb;
	char name[16];
	int fd;

	while (ac.n >= ac.max) {
		if (ac.oldest->flush)
			store_flush(ac.oldest->store);
		account_drop(ac.oldest);
	}
	account_name(name, number);
	fd = openat(ac.dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd == -1 || fstat(fd, &sb) == -1) {
		strlcpy(ac.why, strerror(errno), sizeof(ac.why));
		r = open_failed(errno);
		if (fd != -1)
			close(fd);
		return r;
	}
	r = store_open(&st, fd, STORE_DELIVER);
	close(fd);
	if (r != STORE_OK) {
		strlcpy(ac.why, store_why(NULL), sizeof(ac.why));
		return r;
	}
	a = xcalloc(1, sizeof(*a));
	a->number = number;
	a->dev = sb.st_dev;
	a->ino = sb.st_ino;
	a->store = st;
	a->hash = ac.hash[number % BUCKETS];
	ac.hash[number % BUCKETS] = a;
	link_newest(a);
	ac.n++;
	*out = a;
	return STORE_OK;
}

static void
unlink_used(struct account *a)
{
	if (a->older != NULL)
		a->older->newer = a->newer;
	else
		ac.oldest = a->newer;
	if (a->newer != NULL)
		a->newer->older = a->older;
	else
		ac.newest = a->older;
}

static void
link_newest(struct account *a)
{
	a->newer = NULL;
	a->older = ac.newest;
	if (ac.newest != NULL)
		ac.newest->newer = a;
	else
		ac.oldest = a;
	ac.newest = a;
}
