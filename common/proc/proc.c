/*
 * How a process of the house starts: configuration over fd 3, what
 * libraries want from files, the jail, and only then the first byte from
 * outside.  No event loop here, so that the static session programs can
 * link it; loop.c has the rest.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/impl.h"
#include "proc/proc.h"

#define START_TIMEOUT_MS 60000		/* maild sends the share in this time */
#define LAST_WORDS_MAX 512		/* of PROC_FATAL_EV */

struct proc_state proc_state;

const char *
proc_name(enum proc_role role)
{
	return role_row(role)->name;
}

const char *
proc_program(enum proc_role role)
{
	return role_row(role)->program;
}

uint16_t
proc_instance(void)
{
	return proc_state.instance;
}

void
proc_conf_item(struct conf *conf, const struct conf_item *m)
{
	char key[65], value[8193];
	const char *want;

	if (slice_cpy(m->key, key, sizeof(key)) == -1 ||
	    slice_cpy(m->value, value, sizeof(value)) == -1 ||
	    conf_set(conf, key, m->index, value, &want) == -1)
		fatalx("configuration item %s refused",
		    log_text(m->key.p, m->key.n));
}

void
proc_conf_file(const struct role *role, struct msg *msg)
{
	const struct conf_file *m = &msg->body->conf_file;

	if (role->file == NULL)
		fatalx("configuration file %s is not for this role",
		    log_text(m->name.p, m->name.n));
	role->file((enum conf_file_kind)m->what, m->index, m->name,
	    msg->fd[0]);
	msg->fd[0] = -1;
}

void
proc_conf_secret(const struct role *role, const struct conf_secret *m)
{
	if (role->secret == NULL)
		fatalx("secret is not for this role");
	role->secret((enum conf_secret_kind)m->what, m->key.b);
}

/* Read CONF_BEGIN .. CONF_END. */
static void
proc_read_conf(const struct role *role, struct conf *conf)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	int r;

	for (;;) {
		r = msg_recv(PROC_FD_MAIN, CHAN_MAIN, SIDE_A, buf, &m,
		    START_TIMEOUT_MS);
		if (r == 0)
			_exit(0);		/* maild is gone */
		if (r == -1)
			fatal("configuration from maild");
		if (m.type == CONF_BEGIN) {
			if (body.conf_begin.role != role->id)
				fatalx("started as role %u, this is %u",
				    body.conf_begin.role, role->id);
			proc_state.generation = body.conf_begin.generation;
			proc_state.instance = body.conf_begin.instance;
			proc_state.uid = body.conf_begin.uid;
			proc_state.gid = body.conf_begin.gid;
			if (slice_cpy(body.conf_begin.root, proc_state.root,
			    sizeof(proc_state.root)) == -1)
				fatalx("root directory too long");
		} else if (m.type == CONF_ITEM)
			proc_conf_item(conf, &body.conf_item);
		else if (m.type == CONF_FILE)
			proc_conf_file(role, &m);
		else if (m.type == CONF_SECRET) {
			proc_conf_secret(role, &body.conf_secret);
			explicit_bzero(buf, sizeof(buf));
			explicit_bzero(&body, sizeof(body));
		} else if (m.type == CONF_END)
			return;
		else
			fatalx("%s before the configuration was complete",
			    msg_info[m.type].name);
	}
}

void
proc_log_level(const struct conf *conf)
{
	static const char *const names[] = {
		[LOG_L_DEBUG] = "debug", [LOG_L_INFO] = "info",
		[LOG_L_NOTICE] = "notice", [LOG_L_WARN] = "warn",
		[LOG_L_ERROR] = "error"
	};
	size_t i;

	for (i = 0; i < NITEMS(names); i++)
		if (conf->log.level != NULL &&
		    strcmp(conf->log.level, names[i]) == 0)
			log_setlevel((enum log_level)i);
}

/* maild tells why this process is not there, also while nobody reads a log.
 * The channel may be full: then it does without. */
static void
proc_last_words(const char *line)
{
	struct slice text = slice_str(line);
	struct proc_fatal_ev ev = { slice_of(text.p, text.n < LAST_WORDS_MAX ?
	    text.n : LAST_WORDS_MAX) };

	(void)msg_send(PROC_FD_MAIN, PROC_FATAL_EV, 0, &ev, NULL, 0);
}

void
proc_words(enum proc_role role, int argc, char *const *argv)
{
	struct stat st;

	build_inner(proc_program(role), argc, argv);
	if (fstat(PROC_FD_MAIN, &st) == -1 || !S_ISSOCK(st.st_mode))
		build_by_hand(proc_program(role));
}

void
proc_begin(const struct role *role)
{
	struct conf *conf;
	struct stat st;
	struct proc_ready_ev ready;

	log_init(proc_name(role->id), fstat(PROC_FD_LOG, &st) == 0 &&
	    S_ISSOCK(st.st_mode) ? PROC_FD_LOG : -1);
	signal(SIGPIPE, SIG_IGN);
	fd_cloexec(PROC_FD_MAIN);
	fd_cloexec(PROC_FD_LOG);
	log_last_words(proc_last_words);
	proc_state.role = role;
	conf = conf_new();
	proc_conf_use(conf);
	proc_read_conf(role, conf);
	proc_log_level(conf);
	if (role->load != NULL)
		role->load(conf);
	jail_enter(role->id, proc_state.root, proc_state.uid, proc_state.gid);
	if (role->start != NULL)
		role->start(conf);
	ready = proc_ready(proc_state.generation);
	if (msg_send(PROC_FD_MAIN, PROC_READY_EV, 0, &ready, NULL, 0) == -1)
		fatal("telling maild");
}

struct proc_ready_ev
proc_ready(uint32_t generation)
{
	return (struct proc_ready_ev){ .generation = generation,
	    .build = slice_str(build_id), .release = build_release };
}
