/*
 * The files that children read: certificates, private keys, signing keys,
 * the CA bundle, the smarthost's password.  Opened and checked by maild as
 * root, handed on as descriptors; maild never reads an octet of a private
 * key.  One struct files is one generation: a child started later gets the
 * same files as its neighbours.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define CHAIN_MAX	(256 * 1024)	/* octets of a certificate chain */
#define RESOLV_MAX	65536		/* octets of resolv.conf */
#define TICKET_KEY	32		/* octets of the secret of tickets */

static int	 open_secret(const char *, char *, size_t);
static int	 load_chain(struct files *, const struct conf *, size_t, char *,
		    size_t);
static int	 load_dkim(struct files *, const struct conf *, char *, size_t);
static int	 load_key(struct files *, const struct conf *, size_t, char *,
		    size_t);
static int	 load_ca(struct files *, const struct conf *, char *, size_t);
static int	 load_password(struct files *, const struct conf *, char *,
		    size_t);
static int	 load_tokens(struct files *, const struct conf *, char *,
		    size_t);

static struct files *
files_new(void)
{
	struct files *f = xcalloc(1, sizeof(*f));

	for (size_t i = 0; i < CONF_NLIST; i++)
		f->tlskey[i] = -1;
	f->ca = f->password = f->tokens = -1;
	return f;
}

void
files_free(struct files *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < CONF_NLIST; i++) {
		free(f->chain[i].pem);
		if (f->tlskey[i] != -1)
			close(f->tlskey[i]);
	}
	for (size_t i = 0; i < f->ndkim; i++) {
		free(f->dkim[i].name);
		close(f->dkim[i].fd);
	}
	free(f->dkim);
	if (f->ca != -1)
		close(f->ca);
	if (f->password != -1)
		close(f->password);
	if (f->tokens != -1)
		close(f->tokens);
	free(f);
}

/* Open what only root may read, or say what to do about it. */
static int
open_secret(const char *path, char *err, size_t errsize)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1 || fstat(fd, &st) == -1)
		snprintf(err, errsize, "%s: cannot be read: %s; would be "
		    "right: a file of root, mode 0600", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(err, errsize, "%s: is not a file; would be right: a "
		    "file of root, mode 0600", path);
	else if (st.st_uid != 0)
		snprintf(err, errsize, "%s: belongs to user %u; run: "
		    "chown root %s", path, (unsigned int)st.st_uid, path);
	else if ((st.st_mode & 077) != 0)
		snprintf(err, errsize, "%s: others may read it (mode %04o); "
		    "run: chmod 600 %s", path, (unsigned int)st.st_mode & 07777,
		    path);
	else if (st.st_size == 0)
		snprintf(err, errsize, "%s: is empty; would be right: what it "
		    "is for", path);
	else
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

/* Certificates alone; whether they are right is seen by signd. */
static int
check_chain(const char *path, const char *pem, char *err, size_t errsize)
{
	if (strstr(pem, "PRIVATE KEY-----") != NULL)
		snprintf(err, errsize, "%s: has a private key in it; would "
		    "be right: certificates alone", path);
	else if (strstr(pem, "-----BEGIN ") == NULL ||
	    strstr(pem, "CERTIFICATE-----") == NULL)
		snprintf(err, errsize, "%s: has no certificate in PEM; would "
		    "be right: -----BEGIN CERTIFICATE----- and so on", path);
	else
		return 0;
	return -1;
}

static int
load_chain(struct files *f, const struct conf *conf, size_t i, char *err,
    size_t errsize)
{
	const char *path = conf->cert[i].certificate;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd != -1)
		f->chain[i].pem = read_fd(fd, CHAIN_MAX, &f->chain[i].n);
	if (f->chain[i].pem == NULL)
		snprintf(err, errsize, "%s: certificate cannot be read: %s; "
		    "would be right: the host's certificate in PEM, with its "
		    "chain behind it", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return f->chain[i].pem == NULL ? -1 : check_chain(path,
	    f->chain[i].pem, err, errsize);
}

static int
load_key(struct files *f, const struct conf *conf, size_t i, char *err,
    size_t errsize)
{
	f->tlskey[i] = open_secret(conf->cert[i].key, err, errsize);
	return f->tlskey[i] == -1 ? -1 : 0;
}

/* Those that are signed with, and those that wait for their record. */
static int
load_dkim(struct files *f, const struct conf *conf, char *err, size_t errsize)
{
	char name[SIGNKEY_PATH], path[SIGNKEY_PATH];
	struct signkeys l;
	int fd, ret = 0;

	if (signkeys_read(conf->dkim.directory, NULL, &l, err, errsize) == -1)
		return -1;
	f->dkim = xcalloc(DKIM_MAX, sizeof(*f->dkim));
	/* the newest of a domain comes last, which is what signd takes */
	for (size_t i = 0; ret == 0 && i < l.n; i++) {
		const struct signkey *k = &l.v[i];

		if (!k->kept || (k->state != KEY_ACTIVE &&
		    k->state != KEY_WAITING))
			continue;
		signkey_path(conf->dkim.directory, k, "key", path);
		fd = -1;
		if (f->ndkim == DKIM_MAX)
			snprintf(err, errsize, "%s: more than %d keys",
			    conf->dkim.directory, DKIM_MAX);
		else
			fd = open_secret(path, err, errsize);
		if (fd == -1) {
			ret = -1;
			continue;
		}
		snprintf(name, sizeof(name), "%s/%s", k->domain, k->selector);
		f->dkim[f->ndkim].name = xstrdup(name);
		f->dkim[f->ndkim].waits = k->state == KEY_WAITING;
		f->dkim[f->ndkim++].fd = fd;
	}
	signkeys_free(&l);
	return ret;
}

static int
load_ca(struct files *f, const struct conf *conf, char *err, size_t errsize)
{
	const char *ca = conf->relay.ca_file;

	if (ca != NULL && (f->ca = open(ca, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK | O_NOCTTY)) == -1) {
		if (conf->relay.smarthost != NULL &&
		    conf->relay.smarthost_tls) {
			snprintf(err, errsize, "%s: cannot be read: %s; "
			    "would be right: the authorities in PEM, or "
			    "smarthost-tls: false", ca, strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* Public keys: who writes them lets in whom he likes, so nobody but root. */
static int
load_tokens(struct files *f, const struct conf *conf, char *err,
    size_t errsize)
{
	const char *path = conf->oauth.keys;
	struct stat st;

	if (path == NULL)
		return 0;
	f->tokens = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->tokens == -1 || fstat(f->tokens, &st) == -1)
		snprintf(err, errsize, "%s: cannot be read: %s; would be "
		    "right: the JWK set that the issuer publishes", path,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode) || (st.st_uid != 0 &&
	    st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
		snprintf(err, errsize, "%s: others than root can change it; "
		    "would be right: chown root %s; chmod 644 %s", path, path,
		    path);
	else
		return 0;
	return -1;
}

static int
load_password(struct files *f, const struct conf *conf, char *err,
    size_t errsize)
{
	if (conf->relay.password_file == NULL)
		return 0;
	f->password = open_secret(conf->relay.password_file, err, errsize);
	return f->password == -1 ? -1 : 0;
}

/* The default certificate of a new installation, not there yet. */
static bool
certificate_wanted(const struct conf *conf)
{
	const struct conf_cert *t = &conf->cert[0];
	size_t n = strlen(conf->dir.tls);

	return conf->ncert == 1 && strncmp(t->key, conf->dir.tls, n) == 0 &&
	    t->key[n] == '/' && access(t->certificate, F_OK) == -1 &&
	    access(t->key, F_OK) == -1;
}

static int
make_certificate(struct house *h, const struct conf *conf, char *err,
    size_t errsize)
{
	const struct conf_cert *t = &conf->cert[0];

	if (!certificate_wanted(conf)) {
		impaired_over(h, NULL, "certificate");
		return 0;
	}
	if (h->first)
		log_warnx("no certificate yet: making a self-signed one, %s; "
		    "clients will not trust it", t->certificate);
	else
		impaired_set(h, NULL, "certificate", "%s was not there, and "
		    "is a new self-signed one now, which clients do not "
		    "trust; put back what was there, or keep this one, then: "
		    "mailctl reload", t->certificate);
	return key_certificate(h, conf, t, err, errsize);
}

struct files *
files_load(struct house *h, const struct conf *conf, char *err,
    size_t errsize)
{
	struct files *f = files_new();
	int ret = make_certificate(h, conf, err, errsize);

	for (size_t i = 0; ret == 0 && i < conf->ncert; i++)
		ret = load_chain(f, conf, i, err, errsize) == -1 ? -1 :
		    load_key(f, conf, i, err, errsize);
	if (ret == 0)
		ret = load_dkim(f, conf, err, errsize);
	if (ret == 0)
		ret = load_ca(f, conf, err, errsize);
	if (ret == 0)
		ret = load_tokens(f, conf, err, errsize);
	if (ret == 0)
		ret = load_password(f, conf, err, errsize);
	if (ret == 0)
		return f;
	files_free(f);
	return NULL;
}

/* The secret of tickets: absent, or as it should be. */
static void
look_ticket(struct findings *found)
{
	const char *dir = found->conf->dkim.directory;
	char path[1000], err[1200];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/ticket.key", dir);
	if (access(path, F_OK) == -1)
		return;
	if ((fd = open_secret(path, err, sizeof(err))) == -1) {
		finding_wrong(found, EX_CONFIG, "dkim.directory", 0, "%s", err);
		return;
	}
	if (fstat(fd, &st) == 0 && st.st_size < TICKET_KEY)
		finding_wrong(found, EX_CONFIG, "dkim.directory", 0, "%s: too "
		    "short; would be right: %d octets; remove it, then mail "
		    "that waits leaves unsigned", path, TICKET_KEY);
	close(fd);
}

struct files *
files_look(struct findings *found)
{
	const struct conf *conf = found->conf;
	bool wanted = certificate_wanted(conf);
	struct files *f = files_new();
	char err[1200];

	for (size_t i = 0; !wanted && i < conf->ncert; i++) {
		if (load_chain(f, conf, i, err, sizeof(err)) == -1)
			finding_wrong(found, EX_CONFIG, "tls.certificate", i,
			    "%s", err);
		if (load_key(f, conf, i, err, sizeof(err)) == -1)
			finding_wrong(found, EX_CONFIG, "tls.key", i, "%s",
			    err);
	}
	if (access(conf->dkim.directory, F_OK) == 0 &&
	    load_dkim(f, conf, err, sizeof(err)) == -1)
		finding_wrong(found, EX_CONFIG, "dkim.directory", 0, "%s",
		    err);
	if (load_ca(f, conf, err, sizeof(err)) == -1)
		finding_wrong(found, EX_CONFIG, "relay.ca-file", 0, "%s", err);
	else if (conf->relay.ca_file != NULL && f->ca == -1)
		finding_warn(found, "relay.ca-file", 0, "%s: %s; certificates "
		    "of other servers cannot be checked; would be right: the "
		    "authorities in PEM, as ca-certificates has them",
		    conf->relay.ca_file, strerror(errno));
	if (load_tokens(f, conf, err, sizeof(err)) == -1)
		finding_wrong(found, EX_CONFIG, "oauth.keys", 0, "%s", err);
	if (load_password(f, conf, err, sizeof(err)) == -1)
		finding_wrong(found, EX_CONFIG, "relay.password-file", 0,
		    "%s", err);
	look_ticket(found);
	return f;
}

/* ---- what is not handed on as a file ------------------------------------- */

void
files_resolvers(struct conf *conf)
{
	char line[512], addr[64];
	const char *want;
	unsigned int n = 0;
	FILE *fp;

	if (conf->dns.nresolvers != 0)
		return;
	if ((fp = fopen("/etc/resolv.conf", "re")) != NULL) {
		for (long left = RESOLV_MAX; left > 0 && n < 3 &&
		    fgets(line, sizeof(line), fp) != NULL;
		    left -= (long)strlen(line))
			if (sscanf(line, " nameserver %63[0-9a-fA-F.:]",
			    addr) == 1 &&
			    conf_set(conf, "dns.resolvers", n, addr,
			    &want) == 0)
				n++;
		fclose(fp);
	}
	if (n == 0)
		(void)conf_set(conf, "dns.resolvers", 0, "127.0.0.1", &want);
}

int
files_ticket(const struct house *h, uint8_t key[32], char *err,
    size_t errsize)
{
	const struct conf *conf = h->conf;
	char path[1000], tmp[1024];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/ticket.key", conf->dkim.directory);
	if (access(path, F_OK) == 0) {
		if ((fd = open_secret(path, err, errsize)) == -1)
			return -1;
		if ((ret = read_all(fd, key, 32)) == -1)
			snprintf(err, errsize, "%s: too short; remove it",
			    path);
		close(fd);
		return ret;
	}
	if (!h->first)
		log_warnx("%s: was not there, made anew; mail that waits in "
		    "the queue since before leaves unsigned", path);
	random_bytes(key, 32);
	if ((fd = key_create(path, tmp, sizeof(tmp))) == -1 ||
	    write_all(fd, key, 32) == -1 || key_commit(fd, tmp, path) == -1) {
		snprintf(err, errsize, "%s: cannot be made: %s", path,
		    strerror(errno));
		return -1;
	}
	return 0;
}
