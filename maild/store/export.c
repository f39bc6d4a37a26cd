/*
 * export: all of an account as a tar of a Maildir++, as Dovecot has it (its
 * dovecot-uidlist and dovecot-keywords too, so that UIDs and keywords are
 * kept), or one mailbox as an mbox.  Part of store.
 *
 * Lines end in LF there.  A name of a folder is in modified UTF-7 with a dot
 * where ours has a slash; a dot of its own is written "&AC4-".  A message that
 * cannot be read whole is told and left out.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/charset.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

#define ROOT		"Maildir/"
#define LETTERS		26	/* of keywords in a file's name */
#define NAME_LEN	64	/* of a file, without its flags */
#define PEEK		65536

struct export {
	struct room	*rm;
	struct out	 out;
	struct store_view *v;
	struct store_view_info info;
	const char	*name;		/* of the mailbox */
	char		 dir[TAR_PATH - 128];
	int		 letter[LETTERS]; /* keyword of each */
	unsigned int	 nletters;
	uint64_t	 done, left;	/* messages written, left out */
	uint64_t	 all;
};

struct text {			/* one that grows */
	char		*p;
	size_t		 n, cap;
	bool		 failed;
};

static void	 text_add(struct text *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
text_add(struct text *t, const char *fmt, ...)
{
	char line[TAR_PATH], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		t->failed = true;
		return;
	}
	if (t->cap - t->n < (size_t)n) {
		if ((p = realloc(t->p, 2 * t->cap + sizeof(line))) == NULL) {
			t->failed = true;
			return;
		}
		t->p = p;
		t->cap = 2 * t->cap + sizeof(line);
	}
	memcpy(t->p + t->n, line, (size_t)n);
	t->n += (size_t)n;
}

/* A file of the tar made of it, which is gone then. */
static void
text_file(struct export *x, struct text *t, const char *name)
{
	char path[TAR_PATH];

	snprintf(path, sizeof(path), "%s%s", x->dir, name);
	if (t->failed)
		x->out.error = ENOMEM;
	else
		tar_file(&x->out, path, slice_of(t->p, t->n));
	free(t->p);
}

/* ---- octets -------------------------------------------------------------- */

/*
 * Each run of octets of a message goes through fn, with CRLF as LF.  Returns
 * 0, or -1: it cannot be read.
 */
static int
message_each(struct export *x, const struct store_msg *m,
    void (*fn)(void *, const char *, size_t), void *arg)
{
	struct iovec v;
	const char *p, *end, *lf;
	uint32_t off;
	bool cr = false;	/* the last octet was one, not yet handed on */

	for (off = 0; off < m->size; off += (uint32_t)v.iov_len) {
		if (store_peek(x->rm->store, m, off, m->size - off > PEEK ?
		    PEEK : m->size - off, &v) != STORE_OK)
			return -1;
		p = v.iov_base;
		end = p + v.iov_len;
		if (cr && *p != '\n')
			fn(arg, "\r", 1);
		for (; (lf = memchr(p, '\n', (size_t)(end - p))) != NULL;
		    p = lf + 1) {
			if (lf > p && lf[-1] == '\r')
				fn(arg, p, (size_t)(lf - p) - 1);
			else
				fn(arg, p, (size_t)(lf - p));
			fn(arg, "\n", 1);
		}
		cr = end > p && end[-1] == '\r';
		fn(arg, p, (size_t)(end - p) - cr);
	}
	if (cr)
		fn(arg, "\r", 1);
	return 0;
}

static void
on_count(void *arg, const char *p, size_t n)
{
	*(uint64_t *)arg += n;
}

static void
on_octets(void *arg, const char *p, size_t n)
{
	out_put(arg, p, n);
}

static void
left_out(struct export *x, const struct store_msg *m, enum store_result r)
{
	struct row row = { .n = 0 };
	char text[STORE_NAME_MAX + 128];

	x->left++;
	snprintf(text, sizeof(text), "%s uid %u is left out: %s", x->name,
	    m->uid, r == STORE_DAMAGED ? "it is not what was delivered" :
	    store_strerror(r));
	row_str(&row, "found", SLICE_LIT("wrong"));
	row_str(&row, "what", slice_str(text));
	if (x->left <= ROWS_MAX)
		room_row(x->rm, &row);
}

static void
far(struct export *x)
{
	char text[64];

	snprintf(text, sizeof(text), "%llu of %llu messages",
	    (unsigned long long)x->done, (unsigned long long)x->all);
	room_far(x->rm, text);
}

/* ---- Maildir ------------------------------------------------------------- */

/* 0, or -1: there is no way to write that name. */
static int
folder_dir(struct export *x, const char *name)
{
	char utf7[4 * STORE_NAME_MAX + 8], *to = x->dir;
	const char *end = x->dir + sizeof(x->dir) - 8, *p;
	ssize_t n = mutf7_encode(slice_str(name), utf7, sizeof(utf7) - 1);

	to += snprintf(x->dir, sizeof(x->dir), ROOT);
	if (strcmp(name, "INBOX") == 0)
		return 0;
	if (n == -1)
		return -1;
	utf7[n] = '\0';
	*to++ = '.';
	for (p = utf7; *p != '\0' && to < end; p++)
		if (*p == '.') {
			memcpy(to, "&AC4-", 5);
			to += 5;
		} else
			*to++ = *p == STORE_SEP ? '.' : *p;
	*to++ = '/';
	*to = '\0';
	return *p == '\0' ? 0 : -1;
}

/* With the time of now: some programs look into no folder that is as old as
 * time. */
static void
folder_dirs(struct export *x)
{
	const int64_t now = (int64_t)now_sec();
	static const char *const sub[] = { "", "cur/", "new/", "tmp/" };
	char path[TAR_PATH];
	size_t i;

	for (i = 0; i < NITEMS(sub); i++) {
		snprintf(path, sizeof(path), "%s%s", x->dir, sub[i]);
		tar_entry(&x->out, path, '5', 0, now);
	}
	snprintf(path, sizeof(path), "%smaildirfolder", x->dir);
	if (strcmp(x->dir, ROOT) != 0)
		tar_file(&x->out, path, slice_of("", 0));
}

/* Keywords that fit into names of files, in the order of their numbers. */
static void
folder_keywords(struct export *x)
{
	struct text t = { 0 };
	struct row row = { .n = 0 };
	unsigned int more = 0;
	const char *name;
	size_t i;

	x->nletters = 0;
	for (i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if ((name = store_view_keyword(x->v, i)) == NULL)
			continue;
		if (x->nletters == LETTERS) {
			more++;
			continue;
		}
		text_add(&t, "%u %s\n", x->nletters, name);
		x->letter[x->nletters++] = (int)i;
	}
	text_file(x, &t, "dovecot-keywords");
	if (more == 0)
		return;
	row_str(&row, "found", SLICE_LIT("note"));
	row_str(&row, "what", SLICE_LIT("a mailbox has more than 26 keywords, "
	    "and a Maildir no letters for those beyond"));
	room_row(x->rm, &row);
}

static void
file_name(const struct export *x, const struct store_msg *m, char *name)
{
	snprintf(name, NAME_LEN, "%lld.M%uV%u.maild", m->date < 0 ? 0LL :
	    (long long)m->date, m->uid, x->info.uidvalidity);
}

static void
folder_uidlist(struct export *x)
{
	const struct store_msg *m;
	struct text t = { 0 };
	char name[NAME_LEN];
	uint32_t i;

	text_add(&t, "3 V%u N%u\n", x->info.uidvalidity, x->info.uidnext);
	for (i = 1; i <= x->info.exists; i++) {
		m = store_view_msg(x->v, i);
		file_name(x, m, name);
		text_add(&t, "%u :%s\n", m->uid, name);
	}
	text_file(x, &t, "dovecot-uidlist");
}

/* In the order of their octets, as Maildir wants it. */
static void
file_flags(const struct export *x, const struct store_msg *m, char *to)
{
	static const struct { uint32_t flag; char letter; } flags[] = {
		{ STORE_DRAFT, 'D' }, { STORE_FLAGGED, 'F' },
		{ STORE_ANSWERED, 'R' }, { STORE_SEEN, 'S' },
		{ STORE_DELETED, 'T' }
	};
	size_t i;

	for (i = 0; i < NITEMS(flags); i++)
		if ((m->flags & flags[i].flag) != 0)
			*to++ = flags[i].letter;
	for (i = 0; i < x->nletters; i++)
		if (store_view_keyword_in(x->v, m->kwset, x->letter[i]))
			*to++ = (char)('a' + i);
	*to = '\0';
}

static void
folder_message(struct export *x, const struct store_msg *m)
{
	char name[NAME_LEN], flags[LETTERS + 8], path[TAR_PATH];
	enum store_result r = store_verify(x->rm->store, m);
	uint64_t size = 0;

	if (r == STORE_OK && message_each(x, m, on_count, &size) == -1)
		r = STORE_IO;
	if (r != STORE_OK) {
		left_out(x, m, r);
		return;
	}
	file_name(x, m, name);
	file_flags(x, m, flags);
	snprintf(path, sizeof(path), "%scur/%s:2,%s", x->dir, name, flags);
	tar_entry(&x->out, path, '0', size, m->date);
	if (message_each(x, m, on_octets, &x->out) == -1)
		x->out.error = EIO;	/* the tar is no more one */
	tar_pad(&x->out, size);
}

static void
mailbox_each(struct export *x, void (*fn)(struct export *,
    const struct store_msg *))
{
	uint32_t i;

	for (i = 1; i <= x->info.exists && x->out.error == 0; i++) {
		fn(x, store_view_msg(x->v, i));
		x->done++;
		far(x);
	}
}

static enum store_result
mailbox_open(struct export *x, const char *name)
{
	enum store_result r = store_view_open(&x->v, x->rm->store, name,
	    STORE_VIEW_READONLY | STORE_VIEW_NORECENT);

	x->name = name;
	if (r == STORE_OK)
		store_view_info(x->v, &x->info);
	return r;
}

static enum store_result
export_folder(struct export *x, const char *name)
{
	struct row row = { .n = 0 };
	enum store_result r;

	if ((r = mailbox_open(x, name)) != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_OK : r;
	if (folder_dir(x, name) == -1) {
		row_str(&row, "found", SLICE_LIT("wrong"));
		row_str(&row, "what", SLICE_LIT("a mailbox is left out, whose "
		    "name is no UTF-8 or too long"));
		room_row(x->rm, &row);
		x->left += x->info.exists;
	} else {
		folder_dirs(x);
		folder_keywords(x);
		folder_uidlist(x);
		mailbox_each(x, folder_message);
	}
	store_view_close(x->v);
	return r;
}

/* Names are taken first, for each mailbox is read anew; bounded by theirs. */
static enum store_result
export_maildir(struct export *x)
{
	const struct store_mailbox *m;
	struct text subs = { 0 };
	enum store_result r = STORE_OK;
	char **names;
	size_t iter = 0, n = 0, i;

	if ((names = calloc(STORE_MAILBOXES_MAX + 1, sizeof(*names))) == NULL)
		return STORE_NOMEM;
	text_add(&subs, "V\t2\n\n");
	while ((m = store_mailbox_next(x->rm->store, &iter)) != NULL) {
		if ((m->attr & STORE_MB_NONEXISTENT) == 0 &&
		    (m->attr & STORE_MB_NOSELECT) == 0 &&
		    n < STORE_MAILBOXES_MAX) {
			if ((names[n] = strdup(m->name)) == NULL)
				r = STORE_NOMEM;
			else
				n++;
		}
		if ((m->attr & STORE_MB_SUBSCRIBED) == 0 ||
		    folder_dir(x, m->name) == -1)
			continue;
		if (strcmp(m->name, "INBOX") == 0)
			text_add(&subs, "INBOX\n");
		else {
			for (char *p = x->dir; *p != '\0'; p++)
				*p = *p == '.' ? '\t' : *p;
			text_add(&subs, "%.*s\n", (int)strlen(x->dir) -
			    (int)sizeof(ROOT) - 1, x->dir + sizeof(ROOT));
		}
	}
	for (i = 0; i < n && r == STORE_OK && x->out.error == 0; i++)
		r = export_folder(x, names[i]);
	(void)folder_dir(x, "INBOX");
	text_file(x, &subs, "subscriptions");
	tar_end(&x->out);
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

/* ---- mbox ---------------------------------------------------------------- */

/* ">From " in the text is ">>From " there, so that it comes back. */
struct quoting {
	struct out	*out;
	char		 line[8];	/* how it began, while that may be one */
	size_t		 n;
	bool		 maybe, any;
};

static void
on_line(void *arg, const char *p, size_t n)
{
	static const char from[] = "From ";
	struct quoting *q = arg;
	size_t i;

	for (i = 0; i < n && q->maybe; i++) {
		if (p[i] == '>' && q->n == 0) {
			out_put(q->out, ">", 1);
			continue;
		}
		if (p[i] != from[q->n]) {
			q->maybe = false;
			break;
		}
		q->line[q->n++] = p[i];
		if (q->n == 5) {
			out_put(q->out, ">", 1);
			q->maybe = false;
			i++;
			break;
		}
	}
	if (!q->maybe) {
		out_put(q->out, q->line, q->n);
		q->n = 0;
		out_put(q->out, p + i, n - i);
	}
	if (n > 0) {
		q->maybe = p[n - 1] == '\n';
		q->any = !q->maybe;
	}
}

static void
mbox_fields(struct export *x, const struct store_msg *m)
{
	struct text t = { 0 };
	const char *name;
	char date[64] = "Thu Jan  1 00:00:00 1970";
	time_t when = (time_t)m->date;
	struct tm tm;
	size_t i;

	if (gmtime_r(&when, &tm) != NULL)
		(void)strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	text_add(&t, "From MAILER-DAEMON %s\nStatus: %sO\nX-Status: %s%s%s%s\n"
	    "X-Keywords:", date, m->flags & STORE_SEEN ? "R" : "",
	    m->flags & STORE_ANSWERED ? "A" : "",
	    m->flags & STORE_FLAGGED ? "F" : "",
	    m->flags & STORE_DRAFT ? "T" : "",
	    m->flags & STORE_DELETED ? "D" : "");
	for (i = 0; i < STORE_KEYWORDS_MAX; i++)
		if (store_view_keyword_in(x->v, m->kwset, (int)i) &&
		    (name = store_view_keyword(x->v, i)) != NULL)
			text_add(&t, " %s", name);
	text_add(&t, "\nX-UID: %u\n", m->uid);
	if (t.failed)
		x->out.error = ENOMEM;
	else
		out_put(&x->out, t.p, t.n);
	free(t.p);
}

static void
mbox_message(struct export *x, const struct store_msg *m)
{
	struct quoting q = { .out = &x->out, .maybe = true };
	enum store_result r = store_verify(x->rm->store, m);

	if (r != STORE_OK) {
		left_out(x, m, r);
		return;
	}
	mbox_fields(x, m);
	if (message_each(x, m, on_line, &q) == -1)
		x->out.error = EIO;
	out_put(&x->out, q.line, q.n);
	out_put(&x->out, "\n\n", q.any || q.n > 0 ? 2 : 1);
}

static enum store_result
export_mbox(struct export *x, const char *name)
{
	enum store_result r;

	if ((r = mailbox_open(x, name)) != STORE_OK)
		return r;
	x->all = x->info.exists;
	mailbox_each(x, mbox_message);
	store_view_close(x->v);
	return r;
}

/* ---- all of it ----------------------------------------------------------- */

static void
export_say(struct export *x, enum store_result r)
{
	if (r == STORE_NOTFOUND)
		room_say(x->rm, EX_DATAERR, "there is no such mailbox");
	else if (r != STORE_OK)
		room_say(x->rm, EX_TEMPFAIL, "%s (%s)", store_strerror(r),
		    store_why(x->rm->store));
	else if (out_end(&x->out) == -1)
		room_say(x->rm, EX_IOERR, "not all could be written: %s",
		    strerror(errno));
	else if (x->left > 0)
		room_say(x->rm, EX_DATAERR, "%llu of %llu messages, %llu are "
		    "left out", (unsigned long long)(x->done - x->left),
		    (unsigned long long)x->done, (unsigned long long)x->left);
	else
		room_say(x->rm, EX_OK, "%llu messages",
		    (unsigned long long)x->done);
}

void
room_export(struct room *rm)
{
	static struct export x;
	uint64_t bytes;

	x = (struct export){ .rm = rm };
	out_begin(&x.out, rm->fd);
	store_usage(rm->store, &bytes, &x.all);
	export_say(&x, rm->arg[0] == '\0' ? export_maildir(&x) :
	    export_mbox(&x, rm->arg));
}
