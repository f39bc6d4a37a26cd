/*
 * mailctl dkim: make a signing key and show what belongs into the DNS.
 * The private part goes from keygen straight into a file that only signd
 * dkim is handed; maild keeps the public record beside it.
 */
#include "compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "log.h"
#include "proc.h"
#include "util.h"

#include "maild.h"

#define RECORD_MAX	1024	/* octets of a TXT record */
#define STRING_MAX	255	/* and of one string of it */

struct dkim_job {
	struct house	*house;
	struct command	*cmd;
	struct key_job	 key;
	struct event	*ev;
	int		 fd;		/* the key's file, under tmp */
	char		 tmp[1400];
	char		 path[1300];	/* "DIR/DOMAIN.SELECTOR", no ending */
	char		 domain[256], selector[64];
};

static void	 on_key(evutil_socket_t, short, void *);

/* One label of lower-case letters, digits and hyphens: never a path. */
static bool
selector_valid(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < 64 && s[0] != '-' && s[n - 1] != '-' &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool
dkim_domain(const char *s, char *domain, size_t size)
{
	if (!domain_valid(slice_str(s), 0) || strchr(s, '_') != NULL ||
	    s[strlen(s) - 1] == '.' || strlcpy(domain, s, size) >= size)
		return false;
	for (; *domain != '\0'; domain++)
		*domain = (char)ascii_lower((unsigned char)*domain);
	return true;
}

static void
dkim_row(struct command *cmd, const char *domain, const char *selector,
    const char *record)
{
	struct row row = { .n = 0 };
	char name[400];

	snprintf(name, sizeof(name), "%s._domainkey.%s", selector, domain);
	row_str(&row, "domain", slice_str(domain));
	row_str(&row, "selector", slice_str(selector));
	row_str(&row, "name", slice_str(name));
	row_str(&row, "type", slice_str("TXT"));
	row_str(&row, "value", slice_str(record));
	command_row(cmd, &row);
}

/* ---- create -------------------------------------------------------------- */

static void
job_free(struct dkim_job *j)
{
	if (j->ev != NULL)
		event_free(j->ev);
	free(j);
}

static void
job_fail(struct dkim_job *j, int code, const char *what)
{
	if (j->fd != -1) {
		close(j->fd);
		unlink(j->tmp);
	}
	command_done(j->cmd, code, "%s: %s", j->path, what);
	job_free(j);
}

static void
dkim_create(struct house *h, struct command *cmd, char **args, size_t n)
{
	struct dkim_job *j = xcalloc(1, sizeof(*j));
	const char *type = n == 5 ? args[4] : "rsa", *make[2] = { NULL, NULL };
	char path[1400];
	time_t now = time(NULL);
	struct tm tm;

	j->house = h;
	j->cmd = cmd;
	j->fd = -1;
	make[0] = strcmp(type, "ed25519") == 0 ? "dkim-ed25519" : "dkim-rsa";
	gmtime_r(&now, &tm);
	strftime(j->selector, sizeof(j->selector), "m%Y%m%d", &tm);
	if (n < 3 || n > 5 || (strcmp(type, "rsa") != 0 &&
	    strcmp(type, "ed25519") != 0)) {
		command_done(cmd, EX_USAGE, "usage: dkim create DOMAIN [SELECTOR "
		    "[rsa | ed25519]]");
		free(j);
		return;
	}
	if (!dkim_domain(args[2], j->domain, sizeof(j->domain)) ||
	    (n > 3 && (strlcpy(j->selector, args[3], sizeof(j->selector)) >=
	    sizeof(j->selector) || !selector_valid(j->selector)))) {
		command_done(cmd, EX_DATAERR, "dkim: the domain or the "
		    "selector is not right; would be right: example.org %s",
		    "m20260101");
		free(j);
		return;
	}
	snprintf(j->path, sizeof(j->path), "%s/%s.%s", h->conf->dkim.directory,
	    j->domain, j->selector);
	snprintf(path, sizeof(path), "%s.key", j->path);
	if (access(path, F_OK) == 0)
		job_fail(j, EX_CANTCREAT, "exists; give another selector");
	else if ((j->fd = key_create(path, j->tmp, sizeof(j->tmp))) == -1 ||
	    key_start(h, &j->key, ROLE_SIGND_DKIM, j->fd, make) == -1)
		job_fail(j, EX_OSERR, strerror(errno));
	else if ((j->ev = event_new(h->base, j->key.out, EV_READ, on_key,
	    j)) == NULL || event_add(j->ev, NULL) == -1)
		fatalx("dkim: no event");
}

/* The record beside the key, for dkim show. */
static int
record_write(const char *path, const char *record)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0644);

	if (fd == -1)
		return -1;
	if (write_all(fd, record, strlen(record)) == -1 || fsync(fd) == -1) {
		close(fd);
		return -1;
	}
	return close(fd);
}

/* What to do with the record, and how a zone file wants it: in strings of
 * at most 255 octets (RFC 1035 section 3.3). */
static void
say_record(const struct dkim_job *j, const char *record, char *text,
    size_t size)
{
	const struct conf *conf = j->house->conf;
	char piece[STRING_MAX + 8];
	bool ours = false;

	for (size_t i = 0; i < conf->ndomains; i++)
		if (strcasecmp(conf->domains[i], j->domain) == 0)
			ours = true;
	snprintf(text, size, "put this TXT record into the zone of %s; %s.  "
	    "In a zone file:\n%s._domainkey.%s. IN TXT (", j->domain, ours ?
	    "it is signed with from now on" : "mail is signed with it when "
	    "the domain is among domains in the configuration", j->selector,
	    j->domain);
	for (size_t n = strlen(record), i = 0; i < n; i += STRING_MAX) {
		snprintf(piece, sizeof(piece), " \"%.*s\"", STRING_MAX,
		    record + i);
		strlcat(text, piece, size);
	}
	strlcat(text, " )", size);
}

/* keygen has written: it is done but for its exit. */
static void
on_key(evutil_socket_t fd, short ev, void *arg)
{
	struct dkim_job *j = arg;
	char record[RECORD_MAX], path[1400], text[3000];
	int keyfd = j->fd;

	if (key_finish(&j->key, record, sizeof(record)) == -1) {
		job_fail(j, EX_SOFTWARE, "keygen failed");
		return;
	}
	record[strcspn(record, "\n")] = '\0';
	snprintf(path, sizeof(path), "%s.key", j->path);
	j->fd = -1;
	if (key_commit(keyfd, j->tmp, path) == -1) {
		job_fail(j, EX_CANTCREAT, strerror(errno));
		return;
	}
	snprintf(path, sizeof(path), "%s.txt", j->path);
	if (record_write(path, record) == -1)
		log_warn("%s", path);
	log_notice("dkim key made domain=%s selector=%s", j->domain,
	    j->selector);
	dkim_row(j->cmd, j->domain, j->selector, record);
	say_record(j, record, text, sizeof(text));
	reload_dkim(j->house, j->cmd, text);
	job_free(j);
}

/* ---- show ---------------------------------------------------------------- */

/* The record kept beside a key, else what keygen reads out of it. */
static int
record_read(struct house *h, const char *path, int keyfd, char *record,
    size_t size)
{
	static const char *const args[] = { "dkim-public", NULL };
	struct key_job job;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd != -1) {
		n = read(fd, record, size - 1);
		close(fd);
	}
	if (n > 0)
		record[n] = '\0';
	else if (lseek(keyfd, 0, SEEK_SET) == -1 ||
	    key_start(h, &job, ROLE_SIGND_DKIM, keyfd, args) == -1 ||
	    key_finish(&job, record, size) == -1)
		return -1;
	record[strcspn(record, "\n")] = '\0';
	return 0;
}

static void
dkim_show(struct house *h, struct command *cmd, const char *domain)
{
	const struct files *f = h->files;
	char path[1400], record[RECORD_MAX];
	size_t rows = 0;

	for (size_t i = 0; i < f->ndkim; i++) {
		const char *name = f->dkim[i].name, *slash = strchr(name, '/');
		char d[300];

		snprintf(d, sizeof(d), "%.*s", (int)(slash - name), name);
		if (domain != NULL && strcmp(domain, d) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s.%s.txt",
		    h->conf->dkim.directory, d, slash + 1);
		if (record_read(h, path, f->dkim[i].fd, record,
		    sizeof(record)) == -1)
			strlcpy(record, "(key cannot be read)",
			    sizeof(record));
		dkim_row(cmd, d, slash + 1, record);
		rows++;
	}
	if (rows == 0 && domain != NULL)
		command_done(cmd, EX_DATAERR, "%s: no signing key; make one: "
		    "mailctl dkim create %s", domain, domain);
	else
		command_done(cmd, EX_OK, "%s", "");
}

void
dkim_run(struct house *h, struct command *cmd, char **args, size_t n)
{
	char domain[256];

	if (n >= 2 && strcmp(args[1], "create") == 0)
		dkim_create(h, cmd, args, n);
	else if (n == 2 && strcmp(args[1], "show") == 0)
		dkim_show(h, cmd, NULL);
	else if (n == 3 && strcmp(args[1], "show") == 0 &&
	    dkim_domain(args[2], domain, sizeof(domain)))
		dkim_show(h, cmd, domain);
	else
		command_done(cmd, EX_USAGE, "usage: dkim create DOMAIN [SELECTOR "
		    "[rsa | ed25519]] | show [DOMAIN]");
}
