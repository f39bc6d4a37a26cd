/*
 * What a child is told: its share of the configuration, the files and
 * secrets of its role, its listeners, and the log sockets.  Run by maild.
 * The table of doc/design.md section 2 is here in code: nobody gets a file or
 * a secret that its row does not name.
 */
#include "base/compat.h"

#include <sys/mman.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "maild/maild.h"

#define STORE_AGAIN	10	/* s till a store is looked at again */
#define LOG_BUFFER	(1024 * 1024)	/* octets of lines not yet written */

static void	 on_again(evutil_socket_t, short, void *);
static int	 share_log_new(struct house *, enum proc_role, uint16_t);
static void	 share_log_one(struct house *, enum proc_role, uint16_t);

static void
share_item(const char *key, unsigned int index, const char *value, void *arg)
{
	struct child *c = arg;
	struct conf_item item = { slice_str(key), (uint16_t)index,
	    slice_str(value) };

	chan_send(c->chan, CONF_ITEM, &item, NULL, 0);
}

/* A message with a descriptor.  Out of descriptors: rather than half of it,
 * the child gets all of it again in its next life. */
static void
share_fd(struct child *c, enum msg_type type, const void *body, int fd)
{
	if (chan_send(c->chan, type, body, &fd, 1) == 0)
		return;
	log_warnx("%s cannot be told all, killed name=%s instance=%u",
	    msg_info[type].name, proc_name(c->role), c->instance);
	kill(c->pid, SIGKILL);
}

static void
share_file(struct child *c, enum conf_file_kind kind, size_t index,
    const char *name, int fd)
{
	struct conf_file file = { (uint8_t)kind, (uint16_t)index,
	    slice_str(name) };

	/* every reader begins at the start */
	if (fd == -1 || lseek(fd, 0, SEEK_SET) == -1) {
		log_warn("file %s for %s", name, proc_name(c->role));
		return;
	}
	share_fd(c, CONF_FILE, &file, fd);
}

/* Certificate chains are public; a sealed copy, so that all processes of a
 * generation see the same octets. */
static void
share_chain(struct child *c, size_t index, const char *name, const char *pem,
    size_t n)
{
	int fd = memfd_create("chain", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || write_all(fd, pem, n) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
	    F_SEAL_SEAL) == -1)
		log_warn("certificate %s for %s", name, proc_name(c->role));
	else
		share_file(c, FILE_TLS_CHAIN, index, name, fd);
	if (fd != -1)
		close(fd);
}

static int
sources_new(void)
{
	int fd = memfd_create("sources", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1 || (ftruncate(fd, (off_t)conn_size()) == 0 && fcntl(fd,
	    F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0))
		return fd;
	close(fd);
	return -1;
}

/* Connections and penalties are counted over all processes of a role; the
 * memory is theirs alone and lives as long as maild. */
static void
share_sources(struct child *c)
{
	static int fd[ROLE_MAX];
	int *f = &fd[c->role];

	if (*f == 0 && (*f = sources_new()) == -1) {
		log_warn("memory for %s: it counts by itself",
		    proc_name(c->role));
		*f = 0;
		return;
	}
	share_file(c, FILE_SOURCES, 0, "sources", *f);
}

/* Nothing to be read: a place that Landlock can name. */
static void
share_store(struct child *c)
{
	struct conf_file file = { FILE_STORE, 0, SLICE_LIT("store") };
	int fd = openat(c->house->storefd, ".", O_PATH | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1)
		log_warn("store for %s", proc_name(c->role));
	else
		share_fd(c, CONF_FILE, &file, fd);
	if (fd != -1)
		close(fd);
}

static void
share_files(struct child *c, const struct conf *conf, const struct files *f)
{
	enum proc_role r = c->role;

	for (size_t i = 0; i < conf->ncert; i++) {
		/* signd checks that it has the keys of all of them */
		if (share_is_front(r) || r == ROLE_SIGND_TLS)
			share_chain(c, i, conf->cert[i].certificate,
			    f->chain[i].pem, f->chain[i].n);
		if (r == ROLE_SIGND_TLS)
			share_file(c, FILE_TLS_KEY, i, conf->cert[i].key,
			    f->tlskey[i]);
	}
	for (size_t i = 0; r == ROLE_SIGND_DKIM && i < f->ndkim; i++)
		share_file(c, f->dkim[i].waits ? FILE_DKIM_NEXT :
		    FILE_DKIM_KEY, i, f->dkim[i].name, f->dkim[i].fd);
	if (r == ROLE_RELAY && f->ca != -1)
		share_file(c, FILE_CA, 0, conf->relay.ca_file, f->ca);
	if (r == ROLE_RELAY && f->password != -1)
		share_file(c, FILE_PASSWORD, 0, conf->relay.password_file,
		    f->password);
	if (r == ROLE_HASH && f->tokens != -1)
		share_file(c, FILE_TOKEN_KEYS, 0, conf->oauth.keys, f->tokens);
}

static void
share_secrets(struct child *c)
{
	const struct house *h = c->house;

	if (c->role == ROLE_AUTHD || c->role == ROLE_QUEUE)
		share_secret(c, SECRET_RCPT, h->secret_rcpt);
	if (c->role == ROLE_AUTHD || c->role == ROLE_SIGND_DKIM)
		share_secret(c, SECRET_SENDER, h->secret_sender);
	if (c->role == ROLE_SIGND_DKIM)
		share_secret(c, SECRET_TICKET, h->secret_ticket);
	ticket_share(c);
}

/* authd compares it with the numbers that it gave. */
static void
share_highest(struct child *c)
{
	static const struct timeval later = { STORE_AGAIN, 0 };
	struct account_highest_ev ev = { .known = 1 };

	if (directory_highest(c->house, &ev.account) == -1) {
		log_warn("%s: cannot be read", c->house->conf->dir.store);
		ev.known = 0;
		if (event_base_once(c->house->base, -1, EV_TIMEOUT, on_again,
		    c->house, &later) == -1)
			fatalx("share: no event");
	}
	chan_send(c->chan, ACCOUNT_HIGHEST_EV, &ev, NULL, 0);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = child_ready(arg, ROLE_AUTHD, 0);

	if (c != NULL)		/* else its next start is told */
		share_highest(c);
}

void
share_send(struct child *c, const struct conf *conf,
    const struct files *files, bool reload)
{
	struct house *h = c->house;
	struct conf_begin begin = { 0 };
	struct conf_end end = { h->generation };

	begin.generation = h->generation;
	begin.role = (uint8_t)c->role;
	begin.instance = c->instance;
	begin.uid = h->ids[c->role].uid;
	begin.gid = h->ids[c->role].gid;
	begin.root = slice_str(directory_root(conf, c->role));
	begin.reload = reload;
	chan_send(c->chan, CONF_BEGIN, &begin, NULL, 0);
	conf_each(conf, (int)c->role, share_item, c);
	share_files(c, conf, files);
	if (!reload)
		share_secrets(c);
	if (!reload && share_is_front(c->role))
		share_sources(c);
	if (!reload && (role_row(c->role)->may & MAY_FORK) != 0)
		share_store(c);
	chan_send(c->chan, CONF_END, &end, NULL, 0);
	if (!reload && c->role == ROLE_AUTHD)
		share_highest(c);
}

enum proc_role
share_front(enum conf_protocol p)
{
	switch (p) {
	case PROTO_SMTP:
	case PROTO_SUBMISSION:
	case PROTO_SMTPS:
		return ROLE_SMTPD;
	case PROTO_IMAP:
	case PROTO_IMAPS:
		return ROLE_IMAPD;
	case PROTO_POP3:
	case PROTO_POP3S:
		return ROLE_POP3D;
	}
	return ROLE_MAX;
}

void
share_listeners(struct child *c)
{
	const struct house *h = c->house;

	for (size_t i = 0; i < h->conf->nlisten; i++) {
		struct proc_listen_ev ev = { (uint16_t)i };

		if (h->listen[i] != -1 &&
		    share_front(h->conf->listen[i].protocol) == c->role)
			share_fd(c, PROC_LISTEN_EV, &ev, h->listen[i]);
	}
	c->listening = true;
}

/* ---- log sockets --------------------------------------------------------- */

/* One pair a slot: lines outlive the process that wrote them and a logd that
 * died. */
int *
share_log(struct house *h, enum proc_role role, uint16_t instance)
{
	int *pair = h->log[role][instance];

	if (pair[0] == 0 && share_log_new(h, role, instance) == -1)
		return NULL;
	return pair;
}

static int
share_log_new(struct house *h, enum proc_role role, uint16_t instance)
{
	int pair[2];

	if (graph_pair(pair, LOG_BUFFER) == -1)
		return -1;
	fd_nonblock(pair[1]);
	memcpy(h->log[role][instance], pair, sizeof(pair));
	share_log_one(h, role, instance);
	return 0;
}

void
share_log_renew(struct house *h, enum proc_role role, uint16_t instance)
{
	int *pair = h->log[role][instance], old[2];

	if (pair[0] == 0 || h->logs_held || child_ready(h, ROLE_LOGD, 0) == NULL)
		return;
	memcpy(old, pair, sizeof(old));
	if (share_log_new(h, role, instance) == -1) {
		log_warn("log socket of %s: the old one stays",
		    proc_name(role));
		return;
	}
	close(old[0]);
	close(old[1]);
}

static void
share_log_one(struct house *h, enum proc_role role, uint16_t instance)
{
	struct child *logd = child_ready(h, ROLE_LOGD, 0);
	struct proc_channel_ev ev = { CHAN_LOG, SIDE_B, (uint8_t)role,
	    instance };

	if (logd != NULL && !h->logs_held)
		chan_send(logd->chan, PROC_CHANNEL_EV, &ev,
		    &h->log[role][instance][1], 1);
}

void
share_logs(struct house *h)
{
	h->logs_held = false;
	for (unsigned int r = 0; r < ROLE_MAX; r++)
		for (uint16_t i = 0; i < INSTANCES_MAX; i++)
			if (h->log[r][i][0] != 0)
				share_log_one(h, (enum proc_role)r, i);
}
