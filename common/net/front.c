/*
 * The front of a protocol that people log in to: imapd and pop3d.  A
 * connection goes greeting, commands, login (front_login.c), session; then
 * front_pass.c.  What a front can reach is what its clients proved.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/time.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/front.h"
#include "net/io.h"
#include "net/serve.h"
#include "net/tlskey.h"

#define BUCKETS		4096	/* of connections; ids are counted up */
#define TURN_COMMANDS	8	/* commands of a connection a loop turn */
#define STOP_MS		2000	/* the last words may take this long */
#define LINGER_MS	2000	/* for one who still sends to see them */
/* Connections of one source that have not logged in; those that have are
 * counted by account. */
#define PENDING_MAX	200

typedef __typeof__(((struct conf *)0)->imap) front_conf;

static struct {
	const struct front_ops *ops;
	struct front_conn *bucket[BUCKETS];
} front;

/* The role */
static void	front_load(const struct conf *);
static void	front_channel(enum chan_kind, enum proc_role, uint16_t, int);
static void	front_stop(void);
/* A connection */
static void	front_new(int, struct conn *, const struct conf_listen *);
static void	on_io(struct io *, enum io_event, void *);
static void	front_greet(struct front_conn *);
static void	front_input(struct front_conn *);
static void	front_close(struct front_conn *, unsigned int);
static void	front_free(struct front_conn *);
static const front_conf *front_limits(void);
static struct serve_limits front_most(void);
static const char *front_refusal(enum serve_refusal);

static const struct chan_handler handlers[] = {
	{ GRANT_SESSION_EV,	front_on_session },
	{ GRANT_FAIL_EV,	front_on_fail },
	{ GRANT_REVOKED_EV,	front_on_revoked },
};

static struct role role = {
	.load = front_load,
	.file = serve_file,
	.secret = serve_secret,
	.channel = front_channel,
	.listener = serve_listener,
	.reload = serve_reload,
	.stop = serve_stop,
	.handlers = handlers,
	.nhandlers = NITEMS(handlers),
};

static struct serve_ops serving = {
	.stop_ms = STOP_MS,
	.limits = front_most,
	.refusal = front_refusal,
	.begin = front_new,
	.stop = front_stop,
};

/* ---- the role ---------------------------------------------------------- */

int
front_main(const struct front_ops *ops, int argc, char *const *argv)
{
	front.ops = ops;
	role.id = ops->role;
	serving.role = ops->role;
	serving.tls = ops->tls;
	return proc_enter(&role, argc, argv);
}

static void
front_load(const struct conf *conf)
{
	serve_load(&serving);
}

static void
front_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	if (kind == CHAN_SIGN)
		tlskey_signer(fd);
	else if (kind == CHAN_AUTH)
		front_login_authd(fd);
	else
		close(fd);
}

/* They hear it, for as long as stop_ms lets them. */
static void
front_stop(void)
{
	size_t	 i;

	for (i = 0; i < BUCKETS; i++)
		while (front.bucket[i] != NULL)
			front_end(front.bucket[i], FRONT_STOPPING);
}

static const front_conf *
front_limits(void)
{
	/* imap and pop3 have one type. */
	return role.id == ROLE_POP3D ? &proc_conf()->pop3 :
	    &proc_conf()->imap;
}

unsigned int
front_max_per_account(void)
{
	return front_limits()->max_per_account;
}

unsigned int
front_login_delay(void)
{
	return front_limits()->login_delay;
}

enum conf_protocol
front_protocol(void)
{
	return role.id == ROLE_POP3D ? PROTO_POP3 : PROTO_IMAP;
}

bool
front_may_deflate(void)
{
	return front.ops->deflate;
}

const char *
front_still(void)
{
	return front.ops->still;
}

unsigned int
front_timeout(void)
{
	return front_limits()->timeout;
}

static struct serve_limits
front_most(void)
{
	return (struct serve_limits){ front_limits()->max_connections,
	    PENDING_MAX };
}

static const char *
front_refusal(enum serve_refusal why)
{
	return front.ops->bye[why == SERVE_STOPPING ? FRONT_STOPPING :
	    FRONT_BUSY];
}

/* ---- a connection ------------------------------------------------------ */

static void
front_new(int fd, struct conn *source, const struct conf_listen *cl)
{
	struct front_conn	*c, **at;

	c = calloc(1, sizeof(*c));
	if (c == NULL || front_live_new(c) == -1 ||
	    (c->io = io_new(proc_base(), fd, on_io, c)) == NULL) {
		conn_close(source);
		free(c != NULL ? c->live : NULL);
		free(c);
		close(fd);
		return;
	}
	c->source = *source;
	c->id = connid_next(role.id);
	c->sock = -1;
	c->plaintext = cl->plaintext_auth;
	c->port = cl->port;
	c->implicit = cl->protocol == front.ops->tls;
	at = &front.bucket[c->id % BUCKETS];
	c->next = *at;
	*at = c;
	front_waits(c);
	if (!c->implicit)
		front_greet(c);
	else if (serve_accept_login(c->io) == -1) {
		log_warnx("%s tls error=\"no certificate\"",
		    connid_text(c->id));
		front_quit(c);
	}
}

/* Overall, until login: no octet makes it longer. */
void
front_waits(struct front_conn *c)
{
	io_deadline(c->io, front_limits()->login_timeout * 1000);
}

struct front_conn *
front_find(uint64_t id)
{
	struct front_conn	*c;

	for (c = front.bucket[id % BUCKETS]; c != NULL; c = c->next)
		if (c->id == id)
			break;
	return c;
}

static void
on_io(struct io *io, enum io_event ev, void *arg)
{
	struct front_conn	*c = arg;

	switch (ev) {
	case IO_SECURED:
		c->tls = true;
		if (c->implicit)
			front_greet(c);
		else if (front.ops->secured != NULL)
			front.ops->secured(c);
		break;
	case IO_READ:
		front_input(c);
		break;
	case IO_EOF:
		c->eof = true;
		if (c->state == FRONT_PASS)
			front_pass_input(c);
		else if (c->state == FRONT_PARKED || c->state == FRONT_WAKE)
			front_park_input(c);
		else if (c->state == FRONT_COMMAND ||
		    c->state == FRONT_HANDSHAKE)
			front_quit(c);
		break;
	case IO_DRAINED:
		if (c->state == FRONT_PASS)
			front_pass_drained(c);
		break;
	case IO_DEADLINE:
		if (c->state == FRONT_PARKED || c->state == FRONT_WAKE)
			front_park_deadline(c);
		else
			front_end(c, FRONT_TIMEOUT);
		break;
	case IO_ERROR:
		front_free(c);
		io_free(io);
		break;
	case IO_CONNECTED:
		break;
	}
}

static void
front_greet(struct front_conn *c)
{
	c->state = FRONT_COMMAND;
	front.ops->greet(c);
}

static void
front_input(struct front_conn *c)
{
	uint64_t	 id = c->id;
	int		 i;

	if (c->state == FRONT_PASS) {
		front_alive(c);
		front_pass_input(c);
		return;
	}
	if (c->state == FRONT_PARKED || c->state == FRONT_WAKE) {
		front_alive(c);
		front_park_input(c);
		return;
	}
	for (i = 0; i < TURN_COMMANDS && c->state == FRONT_COMMAND; i++) {
		if (io_full(c->io) || !front.ops->command(c))
			return;
		/* A command may end the connection. */
		if (front_find(id) != c || c->state != FRONT_COMMAND)
			return;
		if (++c->ncommands == FRONT_COMMANDS_MAX) {
			front_end(c, FRONT_COMMANDS);
			return;
		}
	}
	io_again(c->io);
}

bool
front_may_login(const struct front_conn *c)
{
	return c->tls || c->plaintext;
}

bool
front_may_starttls(const struct front_conn *c)
{
	return !c->tls && serve_has_tls();
}

void
front_answer(struct front_conn *c, enum front_answer answer)
{
	io_printf(c->io, "%s%s%s\r\n", c->tag, c->tag[0] != '\0' ? " " : "",
	    front.ops->answer[answer]);
}

/* Attacks row 8: what came in the clear behind STARTTLS ends it all. */
void
front_starttls(struct front_conn *c)
{
	if (!front_may_starttls(c)) {
		front_answer(c, FRONT_NO_TLS);
		front_bad(c);
		return;
	}
	if (!tlskey_ready()) {
		front_answer(c, FRONT_TLS_LATER);
		return;
	}
	front_answer(c, FRONT_TLS_BEGIN);
	c->state = FRONT_HANDSHAKE;
	if (serve_accept_login(c->io) == -1) {
		log_info("%s end why=\"clear text behind STARTTLS\"",
		    connid_text(c->id));
		front_quit(c);
		return;
	}
	c->state = FRONT_COMMAND;
}

bool
front_bad(struct front_conn *c)
{
	conn_penalty(&c->source, 1);
	if (++c->nbad < FRONT_BAD_MAX)
		return false;
	front_end(c, FRONT_BADNESS);
	return true;
}

/* ---- the end ----------------------------------------------------------- */

void
front_alive(struct front_conn *c)
{
	c->alive = now_sec_coarse();
	io_deadline(c->io, front_limits()->timeout * 1000);
}

void
front_pass_done(struct front_conn *c, bool clean)
{
	if (clean || c->eof)
		front_quit(c);
	else
		front_end(c, FRONT_LOST);
}

void
front_end(struct front_conn *c, enum front_end why)
{
	static const char *const word[] = {
		[FRONT_TIMEOUT] = "timeout", [FRONT_BUSY] = "busy",
		[FRONT_BADNESS] = "errors", [FRONT_COMMANDS] = "commands",
		[FRONT_REVOKED] = "revoked",
		[FRONT_STOPPING] = "stopping", [FRONT_LOST] = "lost"
	};
	const char	*bye = front.ops->bye[why];

	/* Within a session's answer it would be taken for a part of it, of a
	 * literal even: then the connection just ends. */
	if (c->state != FRONT_HANDSHAKE && !c->within)
		io_write(c->io, bye, strlen(bye));
	log_info("%s end why=\"%s\"", connid_text(c->id), word[why]);
	front_close(c, LINGER_MS);
}

void
front_quit(struct front_conn *c)
{
	front_close(c, 0);
}

static void
front_close(struct front_conn *c, unsigned int linger_ms)
{
	struct io	*io = c->io;

	front_free(c);
	io_finish(io, linger_ms);
}

/* Everything but the io. */
static void
front_free(struct front_conn *c)
{
	struct front_conn	**at;

	front_park_forget(c);
	front_login_forget(c);
	conn_close(&c->source);
	for (at = &front.bucket[c->id % BUCKETS]; *at != c; at = &(*at)->next)
		continue;
	*at = c->next;
	explicit_bzero(c->user, sizeof(c->user));
	free(c->live);
	free(c);
}
