/*
 * What the configuration allows and hardly anybody wants: networks of half the
 * world that may send without a login, passwords in the clear on a public
 * address, a file that others may write.  The worst need --yes at the start;
 * the rest is a warning.  Asked by look.c; changes nothing.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/ipaddr.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "maild/maild.h"

#define WIDE_4		8	/* bits of a network: a shorter one is wide */
#define WIDE_6		32	/* what a whole provider has */
#define SAMPLE_HOST	"mail.example.org"	/* of etc/maild.yaml */
#define SAMPLE_DOMAIN	"example.org"

/* Addresses that no packet from the world comes from: RFC 6890. */
static const struct { int family; unsigned int bits; uint8_t b[2]; } inner[] = {
	{ 4, 8, { 10, 0 } }, { 4, 8, { 127, 0 } }, { 4, 12, { 172, 16 } },
	{ 4, 16, { 192, 168 } }, { 4, 16, { 169, 254 } },
	{ 4, 10, { 100, 64 } },
	{ 6, 7, { 0xfc, 0 } }, { 6, 10, { 0xfe, 0x80 } },
};

static bool
ip_loopback(const struct ipaddr *ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	return ip->family == 4 ? ip->b[0] == 127 :
	    memcmp(ip->b, one, sizeof(one)) == 0;
}

static bool
ip_public(const struct ipaddr *ip)
{
	if (ip_loopback(ip))
		return false;
	for (size_t i = 0; i < NITEMS(inner); i++) {
		unsigned int first = ip->b[0] << 8 | ip->b[1],
		    other = inner[i].b[0] << 8 | inner[i].b[1],
		    rest = 16 - inner[i].bits;

		if (inner[i].family == ip->family &&
		    first >> rest == other >> rest)
			return false;
	}
	return true;
}

/* With --yes it is a warning. */
static void
danger(struct findings *f, const char *key, size_t index, const char *text)
{
	if (f->house->yes)
		finding_warn(f, key, index, "%s", text);
	else
		finding_wrong(f, EX_CONFIG, key, index, "%s, or maild --yes",
		    text);
}

/* ---- networks and listeners ---------------------------------------------- */

static void
network(struct findings *f, size_t i)
{
	const char *net = f->conf->networks[i], *slash = strchr(net, '/');
	size_t n = slash == NULL ? strlen(net) : (size_t)(slash - net);
	struct ipaddr ip;
	unsigned int most, bits;
	char text[300];

	if (ipaddr_parse(slice_of(net, n), &ip) == -1)
		return;
	most = ip.family == 4 ? 32 : 128;
	bits = slash == NULL ? most : (unsigned int)atoi(slash + 1);
	if (bits < (ip.family == 4 ? WIDE_4 : WIDE_6)) {
		snprintf(text, sizeof(text), "%s is so wide that strangers "
		    "send to anywhere through this host; would be right: the "
		    "networks of your own clients, at most a /%d", net,
		    ip.family == 4 ? WIDE_4 : WIDE_6);
		danger(f, "networks", i, text);
	} else if (bits < most && ip_public(&ip))
		finding_warn(f, "networks", i, "%s is public: who has an "
		    "address there sends to anywhere without a login; would "
		    "be right: only addresses of your own clients", net);
}

static void
plaintext(struct findings *f, size_t i)
{
	const struct conf_listen *l = &f->conf->listen[i];
	struct ipaddr ip;
	char text[300];

	if (!l->plaintext_auth || ipaddr_parse(slice_str(l->address),
	    &ip) == -1 || ip_loopback(&ip))
		return;
	if (!ip_public(&ip)) {
		finding_warn(f, "listen.plaintext-auth", i, "passwords cross "
		    "the network of %s port %u in the clear; would be right: "
		    "false", l->address, l->port);
		return;
	}
	snprintf(text, sizeof(text), "passwords cross the network in the "
	    "clear, for %s port %u is public; would be right: false, or an "
	    "address such as 127.0.0.1", l->address, l->port);
	danger(f, "listen.plaintext-auth", i, text);
}

/* ---- names --------------------------------------------------------------- */

static void
names(struct findings *f)
{
	const struct conf *c = f->conf;

	if (strcmp(c->hostname, SAMPLE_HOST) == 0 && c->ndomains == 1 &&
	    strcmp(c->domains[0], SAMPLE_DOMAIN) == 0)
		finding_warn(f, "hostname", 0, "%s and %s are those of the "
		    "sample; would be right: this machine's name, and the "
		    "domains whose mail is kept here", c->hostname,
		    c->domains[0]);
	if (strchr(c->hostname, '.') == NULL)
		finding_warn(f, "hostname", 0, "%s has no dot: other servers "
		    "refuse mail from such a name; would be right: %s.%s",
		    c->hostname, c->hostname, c->domains[0]);
}

void
danger_look(struct findings *f)
{
	for (size_t i = 0; i < f->conf->nnetworks; i++)
		network(f, i);
	for (size_t i = 0; i < f->conf->nlisten; i++)
		plaintext(f, i);
	names(f);
}

/* ---- the file ------------------------------------------------------------ */

/* Its owner is root and its writers too; in a directory where nobody may
 * exchange what is not his, others may write. */
static void
writers(struct findings *f, const char *path, bool sticky)
{
	char text[2 * PATH_MAX];
	struct stat st;

	if (stat(path, &st) == -1)
		return;			/* it was read all the same */
	if (st.st_uid != 0) {
		snprintf(text, sizeof(text), "%s: belongs to user %u, who may "
		    "so become root; would be right: root; run: chown root %s",
		    path, (unsigned int)st.st_uid, path);
		danger(f, NULL, 0, text);
	} else if ((st.st_mode & 022) != 0 && !(sticky &&
	    (st.st_mode & S_ISVTX) != 0)) {
		snprintf(text, sizeof(text), "%s: others may write it (mode "
		    "%04o) and so become root; would be right: mode %04o; run: "
		    "chmod go-w %s", path, (unsigned int)st.st_mode & 07777,
		    (unsigned int)st.st_mode & 07755, path);
		danger(f, NULL, 0, text);
	}
}

void
danger_file(struct findings *f)
{
	char dir[PATH_MAX], *slash;

	writers(f, f->house->conffile, false);
	if (strlcpy(dir, f->house->conffile, sizeof(dir)) >= sizeof(dir) ||
	    (slash = strrchr(dir, '/')) == NULL)
		return;
	slash[slash == dir] = '\0';
	writers(f, dir, true);
}
