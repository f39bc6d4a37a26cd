/*
 * Logins by a bearer token.  Whether it is good and whom it names a hash
 * worker says, who has the keys of its issuer; here it is decided who that
 * is, and whether that is who the client says to be.  Room for other ways to
 * ask (introspection, RFC 7662) is in token_ask().
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/connid.h"
#include "authd/authd.h"

struct token {
	LIST_ENTRY(token) entry;
	struct asker	 asker;
	char		 name[DIR_ADDRESS_MAX];	/* whom it has to be; "" any */
};

static LIST_HEAD(, token) tokens = LIST_HEAD_INITIALIZER(tokens);

static void
on_token(const struct pool_answer *r, void *arg)
{
	char name[DIR_ADDRESS_MAX] = "";
	struct dir *d = authd_dir(NULL);
	struct token *t = arg;
	struct account *a = NULL;

	LIST_REMOVE(t, entry);
	if (r->ok == 1 && d != NULL)
		a = dir_login(d, r->user, name);
	if (r->ok == 0 && t->asker.conn != 0)
		log_notice("%s token why=%s", connid_text(t->asker.conn),
		    log_quote(r->why.p, r->why.n));
	if (r->ok == -1 || d == NULL || (r->ok == 1 && a == NULL &&
	    base_strange()))
		login_later(&t->asker);
	else if (a == NULL || !a->enabled || (t->name[0] != '\0' &&
	    strcmp(t->name, name) != 0))
		login_wrong(&t->asker);
	else
		login_done(&t->asker, a, login_pause(&t->asker));
	free(t);
}

/* Tokens of that network that are looked at or wait for it. */
static unsigned int
tokens_of(const struct asker *k)
{
	const struct token *t;
	unsigned int n = 0;

	LIST_FOREACH(t, &tokens, entry)
		if (memcmp(&t->asker.bynet, &k->bynet, sizeof(k->bynet)) == 0)
			n++;
	return n;
}

void
token_ask(struct front *f, uint32_t ask, const struct auth_token *m)
{
	char name[DIR_ADDRESS_MAX] = "";
	struct dir *d = authd_dir(NULL);
	struct token *t;
	struct asker k;

	if (d != NULL && m->user.n > 0)
		dir_login(d, m->user, name);
	login_asker(&k, f, ask, AUTH_TOKEN_R, m->conn, &m->peer, m->user,
	    name);
	if (d == NULL || proc_conf()->oauth.keys == NULL ||
	    !pool_room(proc_conf()->auth.max_waiting) ||
	    login_crowded(&k, tokens_of(&k)))
		login_later(&k);
	else if ((m->user.n > 0 && name[0] == '\0') || m->token.n == 0)
		login_wrong(&k);
	else {
		t = xcalloc(1, sizeof(*t));
		t->asker = k;
		strlcpy(t->name, name, sizeof(t->name));
		LIST_INSERT_HEAD(&tokens, t, entry);
		pool_token(m->token, on_token, t);
	}
}

void
token_forget(const struct front *f, uint64_t conn)
{
	struct token *t;

	LIST_FOREACH(t, &tokens, entry)
		if (t->asker.front == f->serial && t->asker.conn == conn)
			t->asker.conn = 0;
}
