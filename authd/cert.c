/*
 * Logins by a client's certificate (EXTERNAL): only by one whose fingerprint
 * an operator registered for an account, mailctl account cert.  That a client
 * has its key its front saw in TLS; authd cannot see it, and takes the
 * front's word.  Who signed the certificate, and when it ends, is nothing to
 * us: what is registered counts until it is taken away.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/run.h"

#define CERTS_MAX	16	/* of one account */
#define HEX_OCTETS	(2 * FINGERPRINT + 1)

struct listing {
	uint32_t	 ask;
	const char	*address;
	size_t		 n;
};

void
cert_ask(struct front *f, uint32_t ask, const struct auth_cert *m)
{
	char name[DIR_ADDRESS_MAX] = "";
	struct dir *d = authd_dir(NULL);
	struct account *a = NULL;
	struct asker k;

	if (d != NULL && m->user.n > 0)
		dir_login(d, m->user, name);
	if (d != NULL)
		a = dir_account_id(d, dir_cert(d, m->fingerprint.b));
	login_asker(&k, f, ask, AUTH_CERT_R, m->conn, &m->peer, m->user,
	    name);
	if (d == NULL || (a == NULL && base_strange()))
		login_later(&k);
	else if (!proc_conf()->auth.client_certificates || a == NULL ||
	    !a->enabled || (m->user.n > 0 && strcmp(name, a->address) != 0))
		login_wrong(&k);
	else
		login_done(&k, a, login_pause(&k));
}

/* ---- mailctl account cert ------------------------------------------------ */

/* As openssl prints it, or without the colons, in either case. */
static bool
fingerprint_parse(struct slice in, uint8_t out[FINGERPRINT])
{
	static const char digits[] = "0123456789abcdef";
	const char *at;
	size_t i, n = 0;

	memset(out, 0, FINGERPRINT);
	for (i = 0; i < in.n; i++) {
		if (in.p[i] == ':' && n > 0 && n % 2 == 0)
			continue;
		if (in.p[i] == '\0' || n == 2 * FINGERPRINT ||
		    (at = strchr(digits, ascii_lower((unsigned char)
		    in.p[i]))) == NULL)
			return false;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | (at - digits));
		n++;
	}
	return n == 2 * FINGERPRINT;
}

static void
row_cert(const uint8_t fp[FINGERPRINT], void *arg)
{
	struct listing *l = arg;
	char text[HEX_OCTETS];
	struct row r = { .n = 0 };
	size_t i;

	l->n++;
	if (l->ask == 0)
		return;
	for (i = 0; i < FINGERPRINT; i++)
		snprintf(text + 2 * i, 3, "%02x", fp[i]);
	row_str(&r, "address", slice_str(l->address));
	row_str(&r, "fingerprint", slice_str(text));
	proc_row(l->ask, &r);
}

static void
cert_add(uint32_t ask, const struct account *a, const uint8_t *fp)
{
	struct dir *d = authd_dir(NULL);
	uint32_t has = dir_cert(d, fp);
	struct listing l = { 0, a->address, 0 };

	if (has != 0 && dir_account_id(d, has) == NULL) {
		dir_cert_del(d, fp);	/* of one that was deleted */
		has = 0;
	}
	dir_certs_each(d, a->id, row_cert, &l);
	if (has != 0)
		proc_done(ask, EX_CANTCREAT, "that certificate is registered "
		    "for %s", has == a->id ? "it already" : "another account");
	else if (l.n >= CERTS_MAX)
		proc_done(ask, EX_CANTCREAT, "it has %d certificates, which "
		    "is as many as may be", CERTS_MAX);
	else if (db_cert_add(fp, a->id) == -1)
		args_failed(ask);
	else {
		dir_cert_add(d, fp, a->id);
		log_info("account cert address=%s id=%u", a->address, a->id);
		proc_done(ask, EX_OK, "registered%s",
		    proc_conf()->auth.client_certificates ? "" : "; no client "
		    "is asked for one while auth.client-certificates is "
		    "false");
	}
}

/* Whoever has its key may be in a session. */
static void
cert_del(uint32_t ask, const struct account *a, const uint8_t *fp)
{
	struct dir *d = authd_dir(NULL);

	if (dir_cert(d, fp) != a->id)
		proc_done(ask, EX_NOUSER, "that certificate is not "
		    "registered for it");
	else if (db_cert_del(fp) == -1)
		args_failed(ask);
	else {
		dir_cert_del(d, fp);
		front_revoke_all(a->id, REVOKED_PASSWORD);
		log_info("account cert address=%s id=%u", a->address, a->id);
		proc_done(ask, EX_OK, "taken away; its open sessions end");
	}
}

void
account_cert_run(uint32_t ask, const struct args *args)
{
	struct account *a = args_account(ask, args->v[2]);
	struct listing l = { ask, a != NULL ? a->address : "", 0 };
	uint8_t fp[FINGERPRINT];

	if (a == NULL)
		return;
	if (args->n == 3) {
		dir_certs_each(authd_dir(NULL), a->id, row_cert, &l);
		proc_done(ask, EX_OK, "%s", "");
	} else if (args->n != 5 || !fingerprint_parse(args->v[4], fp))
		proc_done(ask, EX_USAGE, "usage: account cert ADDRESS [add|del "
		    "FINGERPRINT]; a fingerprint has 64 digits: openssl x509 "
		    "-noout -fingerprint -sha256 -in FILE");
	else if (slice_is(args->v[3], "add"))
		cert_add(ask, a, fp);
	else if (slice_is(args->v[3], "del"))
		cert_del(ask, a, fp);
	else
		proc_done(ask, EX_USAGE, "usage: account cert ADDRESS [add|del "
		    "FINGERPRINT]");
}
