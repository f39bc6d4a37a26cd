/*
 * maild -n, the last of it: signd alone looks into keys and certificates, so
 * both of it are started as at a start, with their share and in their jail,
 * and end again when they are ready or say why not.  Nothing else runs, no
 * channel is made.  What they say is found like the rest.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define READY_SECONDS	20	/* as a reload waits for it */

static struct {
	struct findings	*found;
	unsigned int	 left;		/* those that are neither ready nor dead */
	bool		 late;
} trial;

/* Does the line name that file, and none whose name only begins so? */
static bool
names_file(const char *line, const char *path)
{
	const char *p = strstr(line, path);
	size_t n = strlen(path);

	while (p != NULL && strchr(" :;,", p[n]) == NULL)
		p = strstr(p + 1, path);
	return p != NULL;
}

/* The certificate whose file, or whose key's, a line names. */
static const char *
line_key(const struct conf *c, const char *line, size_t *index)
{
	for (*index = 0; *index < c->ncert; (*index)++)
		if (names_file(line, c->cert[*index].key))
			return "tls.key";
		else if (names_file(line, c->cert[*index].certificate))
			return "tls.certificate";
	*index = 0;
	return NULL;
}

static void
on_tried(struct child *c, bool ready)
{
	const char *key;
	size_t index;

	trial.left--;
	if (ready)
		return;
	key = line_key(trial.found->conf, c->words, &index);
	finding_wrong(trial.found, EX_CONFIG, key, index, "%s: %s",
	    proc_name(c->role), c->words[0] == '\0' ? "ends before it is "
	    "ready; the log of a start would tell why" : c->words);
}

/* What they told of themselves: the house would start with it. */
static void
take_condition(const char *line, bool mild, void *arg)
{
	size_t index;
	const char *key = line_key(trial.found->conf, line, &index);

	finding_warn(trial.found, key, index, "%s", line);
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	child_reap(arg);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	trial.late = true;
}

static void
try_role(struct house *h, enum proc_role role, const struct files *files)
{
	struct child *c = child_new(h, role, 0);

	c->current = false;
	trial.left++;
	child_start(c, h->conf, files);
	if (c->pid == 0) {
		trial.left--;
		finding_wrong(trial.found, EX_OSERR, NULL, 0, "%s cannot be "
		    "started", proc_name(role));
	}
}

static void
loop(struct house *h, const struct files *files)
{
	const struct timeval tv = { READY_SECONDS, 0 };
	struct event *ev = evsignal_new(h->base, SIGCHLD, on_child, h);
	struct child *c, *next;

	if (ev == NULL || event_add(ev, NULL) == -1 || event_base_once(h->base,
	    -1, EV_TIMEOUT, on_late, NULL, &tv) == -1)
		fatalx("trial: no event");
	if (files->chain[0].pem != NULL)
		try_role(h, ROLE_SIGND_TLS, files);
	if (files->ndkim > 0)
		try_role(h, ROLE_SIGND_DKIM, files);
	while (trial.left > 0 && !trial.late)
		if (event_base_loop(h->base, EVLOOP_ONCE) == -1)
			fatalx("trial: event loop");
	if (trial.left > 0)
		finding_warn(trial.found, NULL, 0, "signd does not look at "
		    "its keys within %d s; is this machine very busy?",
		    READY_SECONDS);
	impaired_each(h, take_condition, NULL);
	for (c = TAILQ_FIRST(&h->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		child_discard(c);
	}
	while (!TAILQ_EMPTY(&h->children) && !trial.late)
		if (event_base_loop(h->base, EVLOOP_ONCE) == -1)
			break;
}

/* Before the first start there is no directory that they are confined to:
 * another one for the time being. */
static void
with_empty(struct house *h, const struct files *files)
{
	char path[] = "/tmp/maild-check.XXXXXX";
	char *keep = h->conf->dir.empty;

	if (access(keep, F_OK) == 0) {
		loop(h, files);
		return;
	}
	if (mkdtemp(path) == NULL || chmod(path, 0555) == -1) {
		finding_warn(trial.found, NULL, 0, "keys were not looked at: "
		    "%s cannot be made", path);
		return;
	}
	h->conf->dir.empty = path;
	loop(h, files);
	h->conf->dir.empty = keep;
	rmdir(path);
}

void
trial_run(struct findings *f, const struct files *files)
{
	struct house *h = f->house;

	if (files->chain[0].pem == NULL && files->ndkim == 0)
		return;
	trial.found = f;
	TAILQ_INIT(&h->children);
	TAILQ_INIT(&h->conditions);
	if ((h->null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("/dev/null");
	h->base = proc_base_new();
	h->tried = on_tried;
	signal(SIGPIPE, SIG_IGN);
	log_setlevel(LOG_L_ERROR);	/* what is found is told by f */
	programs_open(h);
	with_empty(h, files);
	log_setlevel(LOG_L_INFO);
}
