/*
 * The words of a command of mailctl: addresses made keys, and those that are
 * none told, with the one that may have been meant.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"
#include "authd/run.h"

int
args_get(struct slice list, struct args *args)
{
	struct item_arg arg;
	size_t off = 0;
	int r;

	args->n = 0;
	args->force = false;
	while ((r = item_arg_get(list, &off, &arg)) == 1) {
		if (args->n >= 2 && slice_is(arg.text, "--force")) {
			args->force = true;
			continue;
		}
		if (args->n == ARGS_MAX)
			return -1;
		args->v[args->n++] = arg.text;
	}
	return r;
}

/* "; did you mean X?" or nothing, in static text. */
static const char *
suggestion(struct slice in, enum near what)
{
	static char text[DIR_ADDRESS_MAX + 32];
	char near[DIR_ADDRESS_MAX];

	if (!near_address(authd_dir(NULL), in, what, near))
		return "";
	snprintf(text, sizeof(text), "; did you mean %s?", near);
	return text;
}

static bool
key_arg(uint32_t ask, struct slice in, bool catchall, enum near what,
    char *key)
{
	const char *why = "not an address";

	if (dir_key(authd_dir(NULL), in, catchall, key, DIR_ADDRESS_MAX,
	    &why) == 0)
		return true;
	proc_done(ask, EX_DATAERR, "%s: %s%s", log_text(in.p, in.n), why,
	    suggestion(in, what));
	return false;
}

bool
args_key(uint32_t ask, struct slice in, bool catchall, char *key)
{
	return key_arg(ask, in, catchall, NEAR_NEW, key);
}

/* In lower case as it is: the key of what is there, whatever the
 * configuration says of its domain.  "": it cannot be one. */
static struct slice
key_lower(struct slice in, char *key)
{
	if (slice_cpy(in, key, DIR_ADDRESS_MAX) == -1)
		key[0] = '\0';
	ascii_lowercase(key);
	return slice_str(key);
}

struct account *
args_account(uint32_t ask, struct slice in)
{
	struct dir *d = authd_dir(NULL);
	struct account *a;
	char key[DIR_ADDRESS_MAX];

	if ((a = dir_account(d, key_lower(in, key))) != NULL)
		return a;
	if (!key_arg(ask, in, false, NEAR_ACCOUNT, key))
		return NULL;
	if ((a = dir_account(d, slice_str(key))) == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such account%s%s", key,
		    dir_alias(d, slice_str(key)) != NULL ? ", but an alias" :
		    "", suggestion(slice_str(key), NEAR_ACCOUNT));
	return a;
}

struct alias *
args_alias(uint32_t ask, struct slice in)
{
	struct dir *d = authd_dir(NULL);
	struct alias *al;
	char key[DIR_ADDRESS_MAX];

	if ((al = dir_alias(d, key_lower(in, key))) != NULL)
		return al;
	if (!key_arg(ask, in, true, NEAR_ALIAS, key))
		return NULL;
	if ((al = dir_alias(d, slice_str(key))) == NULL)
		proc_done(ask, EX_NOUSER, "%s: no such alias%s%s", key,
		    dir_account(d, slice_str(key)) != NULL ? ", but an "
		    "account" : "", suggestion(slice_str(key), NEAR_ALIAS));
	return al;
}

void
args_failed(uint32_t ask)
{
	char why[256];

	strlcpy(why, db_error(), sizeof(why));
	log_warnx("directory write error=%s", why);
	base_reread();
	proc_done(ask, EX_TEMPFAIL, "the directory could not be written: %s; "
	    "what is in it now is told by account list, alias list", why);
}
