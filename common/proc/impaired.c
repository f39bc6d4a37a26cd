/*
 * What impairs the service, told to maild: by a role, when it finds or is
 * rid of the condition.  What was told stays here, so that a role may tell
 * it again at each look without a cost; a new maild is a new process.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/impl.h"
#include "proc/proc.h"

#define ID_SIZE		65
#define TEXT_SIZE	513

static struct condition {
	char	 id[ID_SIZE];		/* "": free */
	char	 text[TEXT_SIZE];
	bool	 mild;
} conditions[PROC_IMPAIRED_MAX];

static void	 condition_tell(const char *, bool, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));

/* The condition of that id, or a free one ("": NULL when all are used). */
static struct condition *
condition_find(const char *id)
{
	for (size_t i = 0; i < NITEMS(conditions); i++)
		if (strcmp(conditions[i].id, id) == 0)
			return &conditions[i];
	return NULL;
}

/* A role's start() speaks before its event loop runs. */
static void
condition_send(const struct condition *c, const char *text)
{
	struct proc_impaired_ev ev = { slice_str(c->id), slice_str(text),
	    c->mild };

	if (proc_main() != NULL)
		chan_send(proc_main(), PROC_IMPAIRED_EV, &ev, NULL, 0);
	else if (proc_state.role != NULL)
		(void)msg_send(PROC_FD_MAIN, PROC_IMPAIRED_EV, 0, &ev, NULL,
		    0);
}

static void
condition_tell(const char *id, bool mild, const char *fmt, va_list ap)
{
	struct condition *c = condition_find(id);
	char text[TEXT_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (c == NULL && (c = condition_find("")) == NULL)
		return;			/* status tells of enough */
	if (strcmp(c->id, id) == 0 && strcmp(c->text, text) == 0 &&
	    c->mild == mild)
		return;
	strlcpy(c->id, id, sizeof(c->id));
	strlcpy(c->text, text, sizeof(c->text));
	c->mild = mild;
	condition_send(c, c->text);
}

void
proc_impaired(const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	condition_tell(id, false, fmt, ap);
	va_end(ap);
}

void
proc_warned(const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	condition_tell(id, true, fmt, ap);
	va_end(ap);
}

void
proc_impaired_over(const char *id)
{
	struct condition *c = condition_find(id);

	if (c == NULL)
		return;
	condition_send(c, "");
	c->id[0] = '\0';
}
