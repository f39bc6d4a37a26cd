/*
 * The directory of received reports: a file each, named after the delivery
 * id, so that what queue hands over twice is there once.  Heads stay in
 * memory, rows are read when somebody asks.  report-in.
 *
 * Invariants: a file called rHEX (report) or uHEX (raw message) is whole
 * and synced before it has that name; tHEX is nothing yet and goes at the
 * next start.  Of two that are the same report, which a crash may leave, the
 * next start keeps the one that is better proven.  Nothing is removed but by
 * age, by the operator, because the same report came again from a sender who
 * proved to be one, or for want of room; and what makes room for another goes
 * when the other is synced, so that a crash leaves both rather than none.
 *
 * What is full is full for its own class only: reports, reports of senders
 * that fail our check, raw messages.  A report always finds room: the oldest
 * of who holds most goes (share.c).  A raw message waits in the queue till
 * there is room, which only those of the last week or of proven senders deny
 * it.  So a class may be over its limit by the last file that came.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define BUCKETS		65536U
#define FILE_NAME	(NAME_TEXT + 1)
#define DAY		86400U
#define SPARE		(7 * DAY)	/* a raw message of a sender that is not
					   proven makes room when so old */
#define LATELY		(7 * DAY)	/* mailctl tells what was dropped */
#define TOLD_MS		3600000U	/* between two lines in the log */

/* What a class may hold. */
static const struct {
	size_t		 files;
	uint64_t	 octets;
	const char	*name;
} limits[CLASSES] = {
	[C_REPORT] = { 200000, 2ULL << 30, "store of reports" },
	[C_FAILING] = { 10000, 256ULL << 20,
	    "store of reports whose sender fails our check" },
	[C_RAW] = { 1000, 64ULL << 20, "store of unread messages" },
};

struct entry {
	struct stored	 s;		/* first: a stored is an entry */
	struct entry	*by_name, *by_key;
};

static struct {
	int		 dir;
	void		(*removed)(size_t);	/* command_removed */
	uint8_t		 key[16];
	struct entry	**v;		/* by time of arrival */
	size_t		 n, cap;
	struct entry	*name[BUCKETS], *same[BUCKETS];
	struct {
		size_t	 files;
		uint64_t octets;
		uint64_t dropped;	/* for want of room, since the start */
		uint64_t last;		/* second of that */
	} used[CLASSES];
	uint64_t	 refused;	/* second, of a raw message */
	/* dropped, of which the log does not know; at: ms of its last line */
	struct { uint64_t reports, raw, octets, at; } untold;
} st;

static void	 open_directory(void);
static void	 take_out(struct entry *);
static void	 tell_dropped(void);
static struct entry *entry_new(const char *, const struct in_head *, uint64_t);
static void	 entry_add(struct entry *);
static void	 entry_drop(struct entry *);
static int	 entry_unlink(const struct entry *);

/* ---- entries ------------------------------------------------------------- */

static enum store_class
class_of(enum in_kind kind, enum in_trust trust)
{
	if (kind == IN_RAW)
		return C_RAW;
	return trust == IN_FAIL ? C_FAILING : C_REPORT;
}

static void
file_name(char out[FILE_NAME], char type, const char *name)
{
	snprintf(out, FILE_NAME, "%c%s", type, name);
}

static size_t
name_bucket(const char *name)
{
	return siphash24(st.key, name, strlen(name)) & (BUCKETS - 1);
}

/* Reports that have all this in common are one. */
static size_t
same_bucket(const struct stored *s)
{
	const char *const part[] = { s->sender, s->org, s->id, s->domain };
	uint64_t h = s->begin ^ (uint64_t)s->kind << 56;
	size_t i;

	for (i = 0; i < NITEMS(part); i++)
		h = (h << 7 | h >> 57) ^ siphash24(st.key, part[i],
		    strlen(part[i]));
	return h & (BUCKETS - 1);
}

static bool
is_same(const struct stored *a, const struct stored *b)
{
	return a->kind == b->kind && a->begin == b->begin &&
	    strcmp(a->id, b->id) == 0 && strcmp(a->org, b->org) == 0 &&
	    strcmp(a->domain, b->domain) == 0 &&
	    strcmp(a->sender, b->sender) == 0;
}

static bool
has_identity(const struct stored *s)
{
	return (s->kind == IN_DMARC || s->kind == IN_TLS) && s->id[0] != '\0';
}

static struct entry *
find_same(const struct stored *s)
{
	struct entry *e;

	if (!has_identity(s))
		return NULL;
	for (e = st.same[same_bucket(s)]; e != NULL; e = e->by_key)
		if (is_same(&e->s, s))
			return e;
	return NULL;
}

static struct entry *
find_name(const char *name)
{
	struct entry *e;

	for (e = st.name[name_bucket(name)]; e != NULL; e = e->by_name)
		if (strcmp(e->s.name, name) == 0)
			return e;
	return NULL;
}

static struct entry *
entry_new(const char *name, const struct in_head *h, uint64_t octets)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	const struct { char **to; const char *from; } texts[] = {
		{ &e->s.sender, h->sender }, { &e->s.org, h->org },
		{ &e->s.id, h->id }, { &e->s.domain, h->domain },
		{ &e->s.policy, h->policy }, { &e->s.reason, h->reason },
		{ &e->s.mended, h->mended }, { &e->s.subject, h->subject }
	};
	size_t n = 0, i;
	char *text;

	e->s = (struct stored){ .kind = h->kind, .trust = h->trust,
	    .begin = h->begin, .end = h->end, .received = h->received,
	    .messages = h->messages,
	    .pass = h->pass, .quarantined = h->quarantined,
	    .rejected = h->rejected, .size = h->size, .kept = h->kept,
	    .octets = octets };
	for (i = 0; i < NITEMS(texts); i++)
		n += strlen(texts[i].from) + 1;
	text = xcalloc(1, n);
	for (i = 0; i < NITEMS(texts); i++) {
		n = strlen(texts[i].from) + 1;
		*texts[i].to = memcpy(text, texts[i].from, n);
		text += n;
	}
	strlcpy(e->s.name, name, sizeof(e->s.name));
	strlcpy(e->s.form, h->form, sizeof(e->s.form));
	return e;
}

static void
entry_free(struct entry *e)
{
	free(e->s.sender);	/* and all other texts */
	free(e);
}

static void
entry_add(struct entry *e)
{
	enum store_class c = class_of(e->s.kind, e->s.trust);
	size_t b = name_bucket(e->s.name);

	if (st.n == st.cap) {
		st.cap = st.cap == 0 ? 256 : st.cap * 2;
		st.v = xreallocarray(st.v, st.cap, sizeof(*st.v));
	}
	st.v[st.n++] = e;
	e->by_name = st.name[b];
	st.name[b] = e;
	if (has_identity(&e->s)) {
		b = same_bucket(&e->s);
		e->by_key = st.same[b];
		st.same[b] = e;
	}
	st.used[c].files++;
	st.used[c].octets += e->s.octets;
	if (c != C_RAW)
		share_add(&e->s, c);
}

static int
entry_unlink(const struct entry *e)
{
	char name[FILE_NAME];
	int error;

	file_name(name, e->s.kind == IN_RAW ? 'u' : 'r', e->s.name);
	if (unlinkat(st.dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	error = errno;
	log_warn("removing %s", name);
	errno = error;
	return -1;
}

/* Out of the tables; the caller takes it out of v. */
static void
entry_drop(struct entry *e)
{
	enum store_class c = class_of(e->s.kind, e->s.trust);
	struct entry **p;

	for (p = &st.name[name_bucket(e->s.name)]; *p != e; p = &(*p)->by_name)
		;
	*p = e->by_name;
	if (has_identity(&e->s)) {
		for (p = &st.same[same_bucket(&e->s)]; *p != e;
		    p = &(*p)->by_key)
			;
		*p = e->by_key;
	}
	st.used[c].files--;
	st.used[c].octets -= e->s.octets;
	share_drop(&e->s);
	entry_free(e);
}

/* ---- start, age ---------------------------------------------------------- */

static int
older(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	if (x->s.received != y->s.received)
		return x->s.received < y->s.received ? -1 : 1;
	return strcmp(x->s.name, y->s.name);
}

/* All that was taken is there. */
static void
order(void)
{
	size_t i;

	if (st.n > 0)
		qsort(st.v, st.n, sizeof(*st.v), older);
	for (i = 0; i < st.n; i++)
		if (st.v[i]->s.holder != NULL) {
			share_drop(&st.v[i]->s);
			share_add(&st.v[i]->s, class_of(st.v[i]->s.kind,
			    st.v[i]->s.trust));
		}
}

static void
took(const char *name, const struct in_head *h, uint64_t octets)
{
	struct entry *e, *old;

	if (find_name(name) != NULL)
		return;
	e = entry_new(name, h, octets);
	old = find_same(&e->s);
	entry_add(e);
	if (old != NULL)
		take_out(old->s.trust > h->trust ? old : e);
}

void
store_open(void (*removed)(size_t))
{
	st.removed = removed;
	random_bytes(st.key, sizeof(st.key));
	st.dir = -1;
	open_directory();
}

static int
list_directory(void)
{
	int rc = restore_list(st.dir, took), error = errno;

	order();
	errno = error;
	return rc;
}

static void
open_directory(void)
{
	int error;

	st.dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A name from before a crash may not be on disk yet, and what is known
	 * is answered OK. */
	if (st.dir == -1 || list_directory() == -1 || fsync(st.dir) == -1) {
		error = errno;
		log_warn("directory of reports");
		proc_impaired("reports", "the directory of reports "
		    "(directories.reports-in) cannot be read: %s; reports wait "
		    "in the queue till it can: look at the disk",
		    strerror(error));
		if (st.dir != -1)
			close(st.dir);
		st.dir = -1;
		return;
	}
	proc_impaired_over("reports");
	log_info("%zu reports", st.n);
}

void
store_again(void)
{
	if (st.dir == -1)
		open_directory();
	else if (restore_again(st.dir, took))
		order();
}

int
store_dir(void)
{
	return st.dir;
}

void
store_expire(uint64_t before)
{
	size_t i, n = 0;

	for (i = 0; i < st.n; i++)
		if (st.v[i]->s.received < before) {
			entry_unlink(st.v[i]);
			entry_drop(st.v[i]);
			st.removed(n);
		} else
			st.v[n++] = st.v[i];
	if (n < st.n)
		log_info("%zu reports ended by age", st.n - n);
	st.n = n;
	tell_dropped();
}

/* ---- keeping ------------------------------------------------------------- */

bool
store_known(const struct msg_id *id)
{
	char name[NAME_TEXT];

	hex_encode(name, id->b, sizeof(id->b));
	return find_name(name) != NULL || restore_has(name);
}

/* Both, and the name, on stable storage. */
static enum store_answer
write_file(const char *name, char type, struct slice head, struct slice raw)
{
	char tmp[FILE_NAME], final[FILE_NAME];
	int fd, error;

	file_name(tmp, 't', name);
	file_name(final, type, name);
	fd = openat(st.dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1)
		goto bad;
	if (write_all(fd, head.p, head.n) == -1 ||
	    write_all(fd, raw.p, raw.n) == -1 || fsync(fd) == -1) {
		error = errno;
		close(fd);
		errno = error;
		goto bad;
	}
	if (close(fd) == -1 || renameat(st.dir, tmp, st.dir, final) == -1)
		goto bad;
	if (fsync(st.dir) == 0)
		return STORE_DONE;
	log_warn("directory of reports");
	unlinkat(st.dir, final, 0);
	return STORE_FAILED;
bad:
	error = errno;
	log_warn("writing %s", final);
	unlinkat(st.dir, tmp, 0);
	return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_FAILED;
}

/* Out of the list. */
static void
forget(struct entry *old)
{
	size_t i;

	for (i = 0; st.v[i] != old; i++)
		;
	memmove(&st.v[i], &st.v[i + 1], (st.n - i - 1) * sizeof(*st.v));
	st.n--;
	st.removed(i);
}

/* The same, and off the disk. */
static void
take_out(struct entry *old)
{
	entry_unlink(old);
	forget(old);
	entry_drop(old);
}

/* ---- room ---------------------------------------------------------------- */

static bool
over(enum store_class c)
{
	return st.used[c].files > limits[c].files ||
	    st.used[c].octets > limits[c].octets;
}

/* May it go when there is no room for another? */
static bool
spare(const struct stored *s, uint64_t now)
{
	return s->kind == IN_RAW && s->trust != IN_PASS &&
	    s->received + SPARE < now;
}

/* Is there room for one of so many octets, or could there be? */
static bool
raw_room(uint64_t octets)
{
	size_t files = st.used[C_RAW].files + 1, i;
	uint64_t now = now_sec();

	octets += st.used[C_RAW].octets;
	for (i = 0; i < st.n && (files > limits[C_RAW].files ||
	    octets > limits[C_RAW].octets); i++)
		if (spare(&st.v[i]->s, now)) {
			files--;
			octets -= st.v[i]->s.octets;
		}
	if (files <= limits[C_RAW].files && octets <= limits[C_RAW].octets)
		return true;
	st.refused = now;
	return false;
}

/* Once an hour at most. */
static void
tell_dropped(void)
{
	uint64_t now = now_ms();

	if (st.untold.reports + st.untold.raw == 0 || (st.untold.at != 0 &&
	    now - st.untold.at < TOLD_MS))
		return;
	log_notice("full: to make room %llu reports and %llu unread messages "
	    "of %llu octets were dropped; there are %zu of %llu octets",
	    (unsigned long long)st.untold.reports,
	    (unsigned long long)st.untold.raw,
	    (unsigned long long)st.untold.octets, st.n,
	    (unsigned long long)(st.used[C_REPORT].octets +
	    st.used[C_FAILING].octets + st.used[C_RAW].octets));
	st.untold.reports = st.untold.raw = st.untold.octets = 0;
	st.untold.at = now;
}

static void
drop_for(enum store_class c, struct entry *e)
{
	st.used[c].dropped++;
	st.used[c].last = now_sec();
	*(c == C_RAW ? &st.untold.raw : &st.untold.reports) += 1;
	st.untold.octets += e->s.octets;
	take_out(e);
}

/* After e came, which stays. */
static void
make_room(enum store_class c, const struct entry *e)
{
	uint64_t now = now_sec();
	struct stored *s;
	size_t i;

	for (i = 0; c == C_RAW && over(c) && i < st.n;)
		if (st.v[i] != e && spare(&st.v[i]->s, now))
			drop_for(c, st.v[i]);
		else
			i++;
	while (c != C_RAW && over(c) && (s = share_oldest(c,
	    st.used[c].files > limits[c].files, &e->s)) != NULL)
		drop_for(c, (struct entry *)s);
	tell_dropped();
}

/* Less than a 64th is free, or it could not take what came lately. */
static bool
is_full(enum store_class c, uint64_t now)
{
	return st.used[c].files >= limits[c].files - limits[c].files / 64 ||
	    st.used[c].octets >= limits[c].octets - limits[c].octets / 64 ||
	    (c == C_RAW && st.refused + DAY > now);
}

void
store_words(char *out, size_t size)
{
	uint64_t now = now_sec();
	char more[64];
	size_t c;

	out[0] = '\0';
	for (c = 0; c < CLASSES; c++) {
		bool full = is_full((enum store_class)c, now);
		bool dropped = st.used[c].dropped > 0 &&
		    st.used[c].last + LATELY > now;

		if (!full && !dropped)
			continue;
		snprintf(more, sizeof(more), ": %llu dropped since the start",
		    (unsigned long long)st.used[c].dropped);
		strlcat(out, "; ", size);
		strlcat(out, limits[c].name, size);
		strlcat(out, full ? " is full" : "", size);
		strlcat(out, dropped ? more : "", size);
	}
	if (st.dir == -1)
		strlcat(out, "; not all reports could be read yet", size);
	else
		restore_words(out + strlen(out), size - strlen(out));
}

/* ---- one more ------------------------------------------------------------ */

enum store_answer
store_keep(const struct msg_id *id, struct in_report *r, struct slice raw)
{
	enum store_class c = class_of(r->head.kind, r->head.trust);
	char name[NAME_TEXT], *head;
	enum store_answer a;
	struct entry *e, *old;
	size_t n;

	if (st.dir == -1)
		return STORE_FAILED;
	if (r->head.kind != IN_RAW)
		raw.n = 0;
	r->head.kept = raw.n;
	hex_encode(name, id->b, sizeof(id->b));
	head = file_print(r, crc32c(0, raw.p, raw.n), &n);
	e = entry_new(name, &r->head, n + raw.n);
	old = find_same(&e->s);
	if (old != NULL && old->s.trust <= r->head.trust)
		a = STORE_AGAIN;
	else if (c == C_RAW && !raw_room(n + raw.n))
		a = STORE_FULL;
	else
		a = write_file(name, c == C_RAW ? 'u' : 'r', slice_of(head, n),
		    raw);
	free(head);
	if (a != STORE_DONE) {
		entry_free(e);
		return a;
	}
	if (old != NULL)
		take_out(old);
	entry_add(e);
	make_room(c, e);
	return STORE_DONE;
}

/* ---- reading ------------------------------------------------------------- */

size_t
store_count(void)
{
	return st.n;
}

const struct stored *
store_get(size_t i)
{
	return &st.v[i]->s;
}

const struct stored *
store_find(const char *name)
{
	struct entry *e = find_name(name);

	return e == NULL ? NULL : &e->s;
}

int
store_remove(const char *name)
{
	struct entry *e = find_name(name);

	if (e == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (entry_unlink(e) == -1)
		return -1;
	if (e->s.kind == IN_RAW)	/* there is room again */
		st.refused = 0;
	forget(e);
	entry_drop(e);
	return 0;
}

int
store_sync(void)
{
	if (fsync(st.dir) == 0)
		return 0;
	log_warn("directory of reports");
	return -1;
}

char *
store_read(const struct stored *s, size_t *n)
{
	char name[FILE_NAME], *p = NULL;
	int fd;

	file_name(name, s->kind == IN_RAW ? 'u' : 'r', s->name);
	fd = openat(st.dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	if (fd != -1)
		p = read_fd(fd, FILE_MAX + limits[C_RAW].octets, n);
	if (p == NULL)
		log_warn("reading %s", name);
	if (fd != -1)
		close(fd);
	return p;
}
