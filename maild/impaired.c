/*
 * What impairs the service: conditions that a process told of itself, and
 * those that maild found.  Each change is logged once; mailctl status shows
 * what holds, and its exit status says that something does.  A mild one is a
 * warning: shown and logged the same, but the service is whole.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define LINE_SIZE	640	/* process, id and text */

struct condition {
	TAILQ_ENTRY(condition) entry;
	struct child	*child;		/* NULL: of the house */
	bool		 told;		/* by the process itself */
	bool		 mild;
	char		 id[65], text[513];
};

static struct condition *
condition_find(struct house *h, const struct child *c, bool told,
    const char *id)
{
	struct condition *n;

	TAILQ_FOREACH(n, &h->conditions, entry)
		if (n->child == c && n->told == told && strcmp(n->id, id) == 0)
			return n;
	return NULL;
}

static void
condition_free(struct house *h, struct condition *n)
{
	TAILQ_REMOVE(&h->conditions, n, entry);
	free(n);
}

/* A process tells no more than its side of proc_impaired() would. */
static bool
condition_room(const struct house *h, const struct child *c)
{
	const struct condition *n;
	size_t told = 0;

	TAILQ_FOREACH(n, &h->conditions, entry)
		told += n->child == c && n->told;
	return told < PROC_IMPAIRED_MAX;
}

static const char *
condition_name(const struct child *c)
{
	return c == NULL ? "maild" : proc_name(c->role);
}

/* One line of a terminal, whoever wrote it. */
static void
condition_copy(char *dst, size_t size, struct slice text)
{
	size_t n = text.n < size ? text.n : size - 1;

	for (size_t i = 0; i < n; i++)
		dst[i] = (unsigned char)text.p[i] < ' ' ||
		    text.p[i] == 0x7f ? '?' : text.p[i];
	dst[n] = '\0';
}

static void
condition_set(struct house *h, struct child *c, bool told, bool mild,
    const char *id, struct slice text)
{
	struct condition *n = condition_find(h, c, told, id);
	char line[sizeof(n->text)];

	condition_copy(line, sizeof(line), text);
	if (n != NULL && n->mild == mild && strcmp(n->text, line) == 0)
		return;
	if (n == NULL) {
		if (told && !condition_room(h, c))
			return;
		n = xcalloc(1, sizeof(*n));
		n->child = c;
		n->told = told;
		strlcpy(n->id, id, sizeof(n->id));
		TAILQ_INSERT_TAIL(&h->conditions, n, entry);
	}
	n->mild = mild;
	strlcpy(n->text, line, sizeof(n->text));
	log_warnx("%s name=%s instance=%u id=%s %s", mild ? "warned" :
	    "impaired", condition_name(c), c == NULL ? 0 : c->instance, n->id,
	    n->text);
}

static void
condition_over(struct house *h, struct child *c, bool told, const char *id)
{
	struct condition *n = condition_find(h, c, told, id);

	if (n == NULL)
		return;
	log_info("%s no longer name=%s instance=%u id=%s", n->mild ? "warned" :
	    "impaired", condition_name(c), c == NULL ? 0 : c->instance, n->id);
	condition_free(h, n);
}

void
impaired_set(struct house *h, struct child *c, const char *id,
    const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	condition_set(h, c, false, false, id, slice_str(text));
}

void
impaired_over(struct house *h, struct child *c, const char *id)
{
	condition_over(h, c, false, id);
}

void
impaired_on_ev(struct chan *chan, struct msg *m, void *arg)
{
	const struct proc_impaired_ev *e = &m->body->proc_impaired_ev;
	struct child *c = arg;
	char id[65];

	condition_copy(id, sizeof(id), e->id);
	if (e->text.n > 0)
		condition_set(c->house, c, true, e->mild != 0, id, e->text);
	else
		condition_over(c->house, c, true, id);
}

/* Those of c; all, or what it told. */
static void
condition_drop(struct child *c, bool all)
{
	struct condition *n, *next;

	for (n = TAILQ_FIRST(&c->house->conditions); n != NULL; n = next) {
		next = TAILQ_NEXT(n, entry);
		if (n->child == c && (all || n->told))
			condition_free(c->house, n);
	}
}

void
impaired_died(struct child *c)
{
	condition_drop(c, false);
}

void
impaired_forget(struct child *c)
{
	condition_drop(c, true);
}

/* ---- what status shows --------------------------------------------------- */

bool
impaired_is(const struct house *h, const struct child *c)
{
	const struct condition *n;

	TAILQ_FOREACH(n, &h->conditions, entry)
		if (n->child == c && !n->mild)
			return true;
	return false;
}

bool
impaired_any(const struct house *h)
{
	const struct condition *n;

	TAILQ_FOREACH(n, &h->conditions, entry)
		if (!n->mild)
			return true;
	return false;
}

static void
conditions_text(const struct house *h, const struct child *c, bool mild,
    const char *sep, char *buf, size_t size)
{
	const struct condition *n;

	buf[0] = '\0';
	TAILQ_FOREACH(n, &h->conditions, entry) {
		if (n->child != c || n->mild != mild)
			continue;
		strlcat(buf, buf[0] == '\0' ? "" : sep, size);
		strlcat(buf, n->id, size);
		strlcat(buf, ": ", size);
		strlcat(buf, n->text, size);
	}
}

void
impaired_text(const struct house *h, const struct child *c, const char *sep,
    char *buf, size_t size)
{
	conditions_text(h, c, false, sep, buf, size);
}

void
warned_text(const struct house *h, const struct child *c, const char *sep,
    char *buf, size_t size)
{
	conditions_text(h, c, true, sep, buf, size);
}

static void
conditions_each(const struct house *h, bool mild,
    void (*fn)(const char *line, bool mild, void *arg), void *arg)
{
	const struct condition *n;
	char line[LINE_SIZE], which[16];

	TAILQ_FOREACH(n, &h->conditions, entry) {
		if (n->mild != mild)
			continue;
		which[0] = '\0';
		if (n->child != NULL && n->child->instance > 0)
			snprintf(which, sizeof(which), "[%u]",
			    n->child->instance);
		snprintf(line, sizeof(line), "%s%s: %s: %s",
		    condition_name(n->child), which, n->id, n->text);
		fn(line, mild, arg);
	}
}

void
impaired_each(const struct house *h, void (*fn)(const char *line, bool mild,
    void *arg), void *arg)
{
	conditions_each(h, false, fn, arg);
	conditions_each(h, true, fn, arg);
}

struct list { char *buf; size_t size; };

static void
list_add(const char *line, bool mild, void *arg)
{
	const struct list *l = arg;

	strlcat(l->buf, l->buf[0] == '\0' ? "" : "\n", l->size);
	strlcat(l->buf, mild ? "warning: " : "", l->size);
	strlcat(l->buf, line, l->size);
}

void
impaired_list(const struct house *h, char *buf, size_t size)
{
	struct list l = { buf, size };

	buf[0] = '\0';
	impaired_each(h, list_add, &l);
}
