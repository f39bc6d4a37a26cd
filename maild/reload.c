/*
 * Reload: the whole new configuration is read and checked, its files and
 * listeners opened, and a new generation of signd started with its keys,
 * before anything of the old one is touched.  Then it is applied at once;
 * if anything was wrong, nothing has changed.  Connections live on.
 */
#include "base/compat.h"

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
#include "maild/conf_yaml.h"
#include "maild/maild.h"

#define READY_SECONDS	20	/* for signd to check its keys */
#define ASK_MS		5000	/* authd looks at its accounts */
#define OLD_MS		10000	/* the old signd may finish an answer, and
				 * handshakes that began before */

struct reload {
	struct conf	*conf;		/* NULL: keys alone */
	struct files	*files;
	int		 listen[CONF_NLIST];
	struct child	*next[ROLE_MAX]; /* new ones, NULL: none or ready */
	struct event	*timer;
	struct command	*cmd;
	char		*text;		/* for cmd */
	char		*told;		/* warnings of the configuration */
	char		*warning;	/* what the new domains do, or NULL */
	bool		 asking;	/* authd for that */
	char		*path, *undo;	/* a file that comes back if it fails */
	bool		 again;		/* asked for once more meanwhile */
	bool		 again_keys;	/* the same of keys alone */
};

static void	 reload_end(struct house *, const char *);
static void	 reload_try(struct house *);
static void	 on_late(evutil_socket_t, short, void *);

/* Values that need a restart: what they shape exists already. */
static const char *const fixed[] = {
	"directories.", "processes.", "auth.workers", "dkim.directory"
};

struct fixed_value {
	const struct conf *old;
	const char	*changed;
	const char	*key, *value;	/* looked for in old */
	unsigned int	 index;
	bool		 same;
};

static void
fixed_compare(const char *key, unsigned int index, const char *value,
    void *arg)
{
	struct fixed_value *f = arg;

	if (index == f->index && strcmp(key, f->key) == 0)
		f->same = strcmp(value, f->value) == 0;
}

static void
fixed_check(const char *key, unsigned int index, const char *value, void *arg)
{
	struct fixed_value *f = arg;
	bool is_fixed = false;

	for (size_t i = 0; i < NITEMS(fixed); i++)
		if (strncmp(key, fixed[i], strlen(fixed[i])) == 0)
			is_fixed = true;
	if (!is_fixed || f->changed != NULL)
		return;
	f->key = key;
	f->value = value;
	f->index = index;
	f->same = true;
	conf_each(f->old, -1, fixed_compare, f);
	if (!f->same)
		f->changed = key;
}

/* A key that cannot change in a running house, or NULL. */
static const char *
reload_fixed(const struct conf *old, const struct conf *conf)
{
	struct fixed_value f = { .old = old };

	conf_each(conf, -1, fixed_check, &f);
	return f.changed;
}

/* With its place; a key that was taken out has none. */
static void
fixed_tell(const struct house *h, const struct conf *conf, const char *key,
    char *err, size_t errsize)
{
	struct conf_place p = conf_place(conf, key, 0);
	char where[48] = "";

	if (p.line != 0)
		snprintf(where, sizeof(where), ":%u:%u", p.line, p.col);
	snprintf(err, errsize, "%s%s: %s: cannot change while maild runs; "
	    "would be right: as it was, or a restart: maild -n && systemctl "
	    "restart maild", h->conffile, where, key);
}

/* ---- begin --------------------------------------------------------------- */

static void
reload_anew(struct house *h, enum proc_role role)
{
	struct reload *r = h->reload;
	struct child *c = child_new(h, role, 0);

	c->current = false;
	r->next[role] = c;
	child_start(c, r->conf == NULL ? h->conf : r->conf, r->files);
}

/* Start it; NULL when another is under way. */
static struct reload *
reload_new(struct house *h, struct command *cmd)
{
	const struct timeval tv = { READY_SECONDS, 0 };
	struct reload *r;

	if (h->reload != NULL || h->stop != NULL)
		return NULL;
	r = h->reload = xcalloc(1, sizeof(*r));
	r->cmd = cmd;
	if ((r->timer = evtimer_new(h->base, on_late, h)) == NULL)
		fatalx("reload: no event");
	event_add(r->timer, &tv);
	h->generation++;
	return r;
}

/* What a start would find wrong with it, before anything is touched. */
static int
reload_look(struct house *h, struct reload *r, char *err, size_t errsize)
{
	struct findings *f = xcalloc(1, sizeof(*f));
	int ret;

	finding_begin(f, h, r->conf);
	look_reload(f, h->conf, h->listen);
	strlcpy(err, f->wrong, errsize);
	ret = f->nwrong == 0 ? 0 : -1;
	log_lines(log_warnx, "reload: ", f->warned);
	r->told = finding_text(f);
	free(f);
	return ret;
}

/* Read and check everything; 0, or -1 with a message. */
static int
reload_read(struct house *h, struct reload *r, char *err, size_t errsize)
{
	struct conf_errors *errors = xcalloc(1, sizeof(*errors));
	const char *key;

	r->conf = conf_yaml_load(h->conffile, errors);
	if (r->conf == NULL)		/* without the last newline */
		snprintf(err, errsize, "%.*s", (int)strlen(errors->text) - 1,
		    errors->text);
	free(errors);
	if (r->conf == NULL)
		return -1;
	files_resolvers(r->conf);
	if ((key = reload_fixed(h->conf, r->conf)) != NULL) {
		fixed_tell(h, r->conf, key, err, errsize);
		return -1;
	}
	if (reload_look(h, r, err, errsize) == -1 ||
	    (r->files = files_load(h, r->conf, err, errsize)) == NULL)
		return -1;
	return listen_open(r->conf, r->listen, h->conf, h->listen, err,
	    errsize);
}

/* ---- domains that come and go -------------------------------------------- */

struct domain_question {
	struct house	*house;
	uint32_t	 generation;	/* of the reload that asked */
};

static void
on_domains(struct chan *chan, struct msg *m, void *arg)
{
	struct domain_question *a = arg;
	struct house *h = a->house;
	struct reload *r = h->reload;
	bool ours = r != NULL && h->generation == a->generation;

	free(a);
	if (!ours)
		return;
	if (m != NULL && m->body->main_run_r.code != EX_OK) {
		r->warning = xcalloc(1, m->body->main_run_r.text.n + 1);
		memcpy(r->warning, m->body->main_run_r.text.p,
		    m->body->main_run_r.text.n);
	}
	r->asking = false;
	reload_try(h);
}

/* " -DOMAIN" for each of a's domains that b has not. */
static void
domains_missing(const struct conf *a, const struct conf *b, char sign,
    char *words, size_t size)
{
	for (size_t i = 0; i < a->ndomains; i++)
		if (conf_domain(b, a->domains[i]) == b->ndomains)
			snprintf(words + strlen(words), size - strlen(words),
			    "%s%c%s", words[0] == '\0' ? "" : " ", sign,
			    a->domains[i]);
}

/* What becomes of the accounts there is told with the answer; an authd that
 * is away keeps nobody from reloading. */
static void
reload_ask(struct house *h, struct reload *r)
{
	char words[2 * CONF_NLIST * 258] = "";
	struct domain_question *a;

	domains_missing(h->conf, r->conf, '-', words, sizeof(words));
	domains_missing(r->conf, h->conf, '+', words, sizeof(words));
	if (words[0] == '\0')
		return;
	a = xcalloc(1, sizeof(*a));
	*a = (struct domain_question){ h, h->generation };
	if (domain_ask(h, words, ASK_MS, on_domains, a) == 0)
		free(a);
	else
		r->asking = true;
}

void
reload_begin(struct house *h, struct command *cmd)
{
	reload_file(h, cmd, NULL, NULL);
}

void
reload_file(struct house *h, struct command *cmd, const char *path,
    const char *undo)
{
	struct reload *r = reload_new(h, cmd);
	char err[3000];

	if (r == NULL) {
		if (h->reload != NULL)
			h->reload->again = true;
		if (cmd != NULL)
			command_done(cmd, EX_TEMPFAIL, "another reload is "
			    "under way; this one follows it");
		return;
	}
	r->path = path == NULL ? NULL : xstrdup(path);
	r->undo = undo == NULL ? NULL : xstrdup(undo);
	log_info("reload file=%s", h->conffile);
	for (size_t i = 0; i < CONF_NLIST; i++)
		r->listen[i] = -1;
	if (reload_read(h, r, err, sizeof(err)) == -1) {
		reload_end(h, err);
		return;
	}
	reload_ask(h, r);
	for (enum proc_role role = 0; role < ROLE_MAX; role++)
		if (role_row(role)->reload == RELOAD_ANEW)
			reload_anew(h, role);
}

void
reload_dkim(struct house *h, struct command *cmd, const char *text)
{
	struct reload *r = reload_new(h, cmd);
	char err[1024];

	if (r == NULL) {
		if (h->reload != NULL)
			h->reload->again_keys = true;
		if (cmd != NULL)
			command_done(cmd, EX_OK, "%s", text);
		return;
	}
	r->text = xstrdup(text);
	if ((r->files = files_load(h, h->conf, err, sizeof(err))) == NULL)
		reload_end(h, err);
	else
		reload_anew(h, ROLE_SIGND_DKIM);
}

/* ---- apply --------------------------------------------------------------- */

/* The new process takes the place of the old one, which then ends. */
static void
reload_replace(struct house *h, struct child *c)
{
	const struct timeval tv = { OLD_MS / 1000, 0 };
	struct child *old;

	TAILQ_FOREACH(old, &h->children, entry)
		if (old->current && old->role == c->role)
			break;
	c->current = true;
	if (old != NULL) {
		c->restarts = old->restarts;
		old->current = false;
		if (old->state == CHILD_READY)
			event_add(old->timer, &tv);	/* then child_stop */
		else			/* it may have no process */
			child_discard(old);
	}
	graph_ready(c);
}

static void
reload_tell(struct house *h)
{
	struct child *c;

	TAILQ_FOREACH(c, &h->children, entry) {
		if (!c->current || c->chan == NULL ||
		    role_row(c->role)->reload != RELOAD_TOLD)
			continue;
		share_send(c, h->conf, h->files, true);
		if (c->listening)
			share_listeners(c);
	}
}

static void
reload_apply(struct house *h, struct child *ready[ROLE_MAX])
{
	struct reload *r = h->reload;
	struct conf *old = h->conf;

	files_free(h->files);
	h->files = r->files;
	r->files = NULL;
	for (int i = 0; i < ROLE_MAX; i++)
		if (ready[i] != NULL)
			reload_replace(h, ready[i]);
	if (r->conf != NULL) {
		h->conf = r->conf;
		absent_leave(h);
		listen_close(old, h->listen, h->conf, r->listen);
		memcpy(h->listen, r->listen, sizeof(h->listen));
		absent_answer(h);
		r->conf = NULL;
		conf_free(old);
		control_regroup(h);
		reload_tell(h);
	}
	reload_end(h, NULL);
}

/* Apply it when nothing is waited for any more. */
static void
reload_try(struct house *h)
{
	struct reload *r = h->reload;
	struct child *n, *done[ROLE_MAX] = { NULL };

	if (r->asking)
		return;
	for (int i = 0; i < ROLE_MAX; i++) {
		n = r->next[i];
		if (n != NULL && n->state != CHILD_READY)
			return;
		done[i] = n;
	}
	memset(r->next, 0, sizeof(r->next));
	reload_apply(h, done);
}

void
reload_child(struct child *c, bool ready)
{
	struct house *h = c->house;
	struct reload *r = h->reload;
	char err[600];

	if (r == NULL || c != r->next[c->role])
		return;
	if (!ready) {
		r->next[c->role] = NULL;
		if (c->words[0] != '\0')
			snprintf(err, sizeof(err), "%s: %s",
			    proc_name(c->role), c->words);
		else
			snprintf(err, sizeof(err), "%s does not take its "
			    "keys; the log tells why (mailctl log)",
			    proc_name(c->role));
		reload_end(h, err);
		return;
	}
	reload_try(h);
}

/* ---- end ----------------------------------------------------------------- */

static void
reload_free(struct house *h)
{
	struct reload *r = h->reload;

	h->reload = NULL;
	for (int i = 0; i < ROLE_MAX; i++)
		if (r->next[i] != NULL)
			child_discard(r->next[i]);
	if (r->conf != NULL)
		listen_close(r->conf, r->listen, h->conf, h->listen);
	event_free(r->timer);
	conf_free(r->conf);
	files_free(r->files);
	free(r->text);
	free(r->told);
	free(r->warning);
	free(r->path);
	free(r->undo);
	free(r);
}

/* The file that was changed for this reload: as it was, or kept. */
static void
reload_undo(const struct reload *r, bool failed)
{
	if (r->undo == NULL)
		return;
	if (failed && rename(r->undo, r->path) == -1)
		log_warn("%s does not come back from %s", r->path, r->undo);
	else if (!failed)
		unlink(r->undo);
}

static void
reload_end(struct house *h, const char *err)
{
	struct reload *r = h->reload;
	bool again = r->again, again_keys = r->again_keys;

	reload_undo(r, err != NULL);
	if (err != NULL) {
		log_lines(log_warnx, "reload: ", err);
		log_warnx("reload: nothing has changed, the old configuration "
		    "stays");
	} else {
		if (r->warning != NULL)
			log_lines(log_warnx, "reload: ", r->warning);
		log_notice("reload done generation=%u", h->generation);
	}
	if (r->cmd != NULL && err != NULL)
		command_done(r->cmd, r->text != NULL ? EX_SOFTWARE :
		    EX_CONFIG, "%s", err);
	else if (r->cmd != NULL)
		command_done(r->cmd, EX_OK, "%s%s%s%s", r->text == NULL ?
		    "configuration reloaded" : r->text, r->told == NULL ? "" :
		    r->told, r->warning == NULL ? "" : "\nbut: ",
		    r->warning == NULL ? "" : r->warning);
	reload_free(h);
	dkim_watch(h);
	if (again)
		reload_begin(h, NULL);
	else if (again_keys)
		reload_dkim(h, NULL, "");
}

void
reload_cancel(struct house *h)
{
	if (h->reload == NULL)
		return;
	if (h->reload->cmd != NULL)
		command_done(h->reload->cmd, EX_TEMPFAIL, "maild is stopping");
	reload_undo(h->reload, false);
	reload_free(h);
}

static void
on_late(evutil_socket_t fd, short ev, void *arg)
{
	reload_end(arg, "signd was not ready in time");
}
