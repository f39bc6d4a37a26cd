/*
 * The address that was meant by one that is not there.  A directory may have
 * a million of them, so none is gone through: what one edit makes of the local
 * part is looked up, and domains, of which there are few, are compared.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"

#define LOCAL_MAX	32	/* octets of a local part that is varied */

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

struct probe {
	const struct dir *dir;
	enum near	 what;
	const char	*domain;
	char		*out;
};

static bool
there(const struct probe *p, const char *local)
{
	struct slice key;
	int n = snprintf(p->out, DIR_ADDRESS_MAX, "%s@%s", local, p->domain);

	if (n < 0 || n >= DIR_ADDRESS_MAX)
		return false;
	key = slice_of(p->out, (size_t)n);
	switch (p->what) {
	case NEAR_NEW:
		break;
	case NEAR_ACCOUNT:
		return dir_account(p->dir, key) != NULL;
	case NEAR_ALIAS:
		return dir_alias(p->dir, key) != NULL;
	case NEAR_ANY:
		return dir_account(p->dir, key) != NULL ||
		    dir_alias(p->dir, key) != NULL;
	}
	return false;
}

/* One octet less, or two neighbours exchanged, or another octet. */
static bool
changed(const struct probe *p, char *s, size_t n, size_t i)
{
	char keep = s[i], next = s[i + 1], less[LOCAL_MAX + 2];
	const char *c;

	snprintf(less, sizeof(less), "%.*s%s", (int)i, s, s + i + 1);
	if (less[0] != '\0' && there(p, less))
		return true;
	if (i + 1 < n && keep != next) {
		s[i] = next;
		s[i + 1] = keep;
		if (there(p, s))
			return true;
		s[i + 1] = next;
	}
	for (c = letters; *c != '\0'; c++) {
		s[i] = *c;
		if (*c != keep && there(p, s))
			return true;
	}
	s[i] = keep;
	return false;
}

/* One octet more, before s[i]. */
static bool
added(const struct probe *p, const char *s, size_t i)
{
	char more[LOCAL_MAX + 2];
	const char *c;

	for (c = letters; *c != '\0'; c++) {
		if (snprintf(more, sizeof(more), "%.*s%c%s", (int)i, s, *c,
		    s + i) < (int)sizeof(more) && there(p, more))
			return true;
	}
	return false;
}

static bool
near_local(const struct probe *p, const char *local)
{
	size_t i, n = strlen(local);
	char s[LOCAL_MAX + 1];

	if (there(p, local))
		return true;
	if (n == 0 || strlcpy(s, local, sizeof(s)) >= sizeof(s))
		return false;
	for (i = 0; i < n; i++)
		if (changed(p, s, n, i) || added(p, s, i))
			return true;
	return added(p, s, n);
}

/* A domain of ours, the one that is given or else the nearest. */
static const char *
near_domain(const struct dir *d, const char *domain)
{
	const char *best = NULL, *name;
	size_t i, n, least = NEAR_MAX;

	if (dir_is_local(d, domain))
		return domain;
	for (i = 0; (name = dir_domain(d, i)) != NULL; i++) {
		n = near_edits(slice_str(domain), slice_str(name));
		if (n < least && near_meant(slice_str(domain),
		    slice_str(name))) {
			least = n;
			best = name;
		}
	}
	return best;
}

bool
near_address(const struct dir *d, struct slice in, enum near what, char *out)
{
	struct probe p = { d, what, NULL, out };
	char text[DIR_ADDRESS_MAX], *at;
	size_t i;

	if (slice_cpy(in, text, sizeof(text)) == -1 ||
	    (at = strrchr(text, '@')) == NULL)
		return false;
	*at++ = '\0';
	ascii_lowercase(text);
	ascii_lowercase(at);
	p.domain = near_domain(d, at);
	if (what != NEAR_NEW && p.domain != NULL && near_local(&p, text))
		return true;
	for (i = 0; (p.domain = dir_domain(d, i)) != NULL; i++)
		if (there(&p, text))
			return true;
	if ((p.domain = near_domain(d, at)) == NULL ||
	    strcmp(p.domain, at) == 0)
		return false;
	return snprintf(out, DIR_ADDRESS_MAX, "%s@%s", text, p.domain) <
	    DIR_ADDRESS_MAX;
}
