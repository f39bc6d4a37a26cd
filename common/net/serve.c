/*
 * What smtpd, imapd and pop3d do alike as servers (serve.h): from the files
 * and secrets that maild sends at start, over the connections that are taken
 * or refused, to SIGTERM.  Says nothing of its own to a client: the words
 * are the protocol's.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/listen.h"
#include "net/serve.h"
#include "net/tlskey.h"
#include "net/tlsssl.h"
#include "net/tlsticket.h"

#define CHAIN_MAX	(1024 * 1024)	/* octets of a certificate chain */

static void	 chain_add(struct slice, int);
static void	 chains_take(void);
static void	 serve_take(int, const struct sockaddr *,
		    const struct conf_listen *);
static const char *serve_busy(const struct conf_listen *);
static const char *serve_word(const struct conf_listen *, enum serve_refusal);
static void	 on_stop_timer(evutil_socket_t, short, void *);

static struct {
	const struct serve_ops *ops;
	struct tlskey	*chains;	/* of the configuration that comes */
	struct tls	*tls;		/* NULL: no certificate */
	int		 sources;	/* memory for conn_start, -1 our own */
	bool		 stopping;
} serve = { .sources = -1 };

/* ---- start and configuration --------------------------------------------- */

void
serve_file(enum conf_file_kind kind, uint16_t index, struct slice name, int fd)
{
	if (kind == FILE_SOURCES)
		serve.sources = fd;
	else if (kind == FILE_TLS_CHAIN)
		chain_add(name, fd);
	else
		fatalx("a file that is not for this role");
}

static void
chain_add(struct slice name, int fd)
{
	char text[513], *pem;
	size_t n;

	if (slice_cpy(name, text, sizeof(text)) == -1)
		fatalx("a certificate's name is too long");
	if (serve.chains == NULL)
		serve.chains = tlskey_new();
	pem = read_fd(fd, CHAIN_MAX, &n);
	if (pem == NULL || tlskey_add(serve.chains, text, pem, n) == -1)
		log_warnx("tls certificate=%s not used", text);
	free(pem);
	close(fd);
}

void
serve_secret(enum conf_secret_kind kind, const uint8_t key[32])
{
	if (kind != SECRET_TLS)
		fatalx("secret %d is not for this role", kind);
	tlsticket_secret(key);
}

/* The new context if its chains are good, else the one there was. */
static void
chains_take(void)
{
	struct tls *tls;

	if (serve.chains == NULL)
		return;
	tls = tlskey_server(serve.chains, proc_name(serve.ops->role));
	if (tls != NULL) {
		tlsssl_free(serve.tls);
		serve.tls = tls;
	}
	tlskey_free(serve.chains);
	serve.chains = NULL;
}

void
serve_load(const struct serve_ops *ops)
{
	serve.ops = ops;
	chains_take();
	if (conn_start(serve.sources, proc_instance()) == -1)
		fatal("table of sources");
	if (serve.sources != -1)
		close(serve.sources);
}

void
serve_reload(const struct conf *conf)
{
	/* maild sends those of the new configuration right after this */
	listen_drop();
	chains_take();
}

/* ---- TLS ----------------------------------------------------------------- */

bool
serve_has_tls(void)
{
	return serve.tls != NULL;
}

int
serve_accept_tls(struct io *io)
{
	return serve.tls == NULL ? -1 : io_accept_tls(io, serve.tls);
}

int
serve_accept_login(struct io *io)
{
	if (serve_accept_tls(io) == -1)
		return -1;
	if (proc_conf()->auth.client_certificates)
		tlsssl_want_certificate(io_ssl(io));
	return 0;
}

/* ---- connections --------------------------------------------------------- */

void
serve_listener(uint16_t index, int fd)
{
	static const struct listen_ops ops = { serve_take, serve_busy };

	listen_add(&ops, index, fd);
}

/* One that starts with TLS could not read it. */
static const char *
serve_word(const struct conf_listen *cl, enum serve_refusal why)
{
	return cl->protocol == serve.ops->tls ? "" : serve.ops->refusal(why);
}

static const char *
serve_busy(const struct conf_listen *cl)
{
	return serve_word(cl, SERVE_BUSY);
}

/* Refusals come in floods: a line a second, with those that had none. */
static void
refused_tell(const struct conn *c, const struct conf_listen *cl,
    enum serve_refusal why)
{
	static const char *const text[] = {
		[SERVE_MANY] = "too many connections",
		[SERVE_SOURCE] = "too many connections from there",
		[SERVE_PENALTY] = "too many errors from there"
	};
	static uint64_t told;
	static unsigned long more;
	uint64_t now = now_sec_coarse();
	char peer[46];

	if (now == told) {
		more++;
		return;
	}
	log_notice("refused peer=%s protocol=%s why=\"%s\" more=%lu",
	    conn_text(&c->peer, peer), conf_protocol_name(cl->protocol),
	    text[why], more);
	told = now;
	more = 0;
}

/* Refuse before anything was made for the connection, or begin. */
static void
serve_take(int fd, const struct sockaddr *sa, const struct conf_listen *cl)
{
	static const enum serve_refusal why[] = {
		[CONN_MANY] = SERVE_MANY, [CONN_SOURCE] = SERVE_SOURCE,
		[CONN_PENALTY] = SERVE_PENALTY
	};
	struct serve_limits max = serve.ops->limits();
	enum conn_verdict verdict;
	struct conn conn;

	if (serve.stopping) {
		listen_refuse(fd, serve_word(cl, SERVE_STOPPING));
		return;
	}
	verdict = conn_open(&conn, sa, max.connections, max.per_source);
	if (verdict == CONN_OK) {
		serve.ops->begin(fd, &conn, cl);
		return;
	}
	refused_tell(&conn, cl, why[verdict]);
	listen_refuse(fd, serve_word(cl, why[verdict]));
}

/* ---- the end ------------------------------------------------------------- */

void
serve_stop(void)
{
	struct timeval tv = { serve.ops->stop_ms / 1000,
	    serve.ops->stop_ms % 1000 * 1000 };
	struct event *timer;

	serve.stopping = true;
	listen_stop();
	timer = evtimer_new(proc_base(), on_stop_timer, NULL);
	if (conn_count() == 0 || timer == NULL || evtimer_add(timer, &tv) == -1)
		proc_exit(0);
	else
		serve.ops->stop();
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	proc_exit(0);
}

void
serve_close(struct conn *conn)
{
	conn_close(conn);
	if (serve.stopping && conn_count() == 0)
		proc_exit(0);
}

bool
serve_stopping(void)
{
	return serve.stopping;
}
