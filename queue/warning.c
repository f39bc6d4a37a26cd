/*
 * Letters to accounts that have little room left.  deliver alone notices it,
 * and has it noted with the mail that made it so; here the address is asked
 * of authd and a letter posted, to that account itself and with the null
 * sender, so that nothing ever comes back about it.
 *
 * It is a courtesy: one that cannot be queued now, or one of too many at a
 * time, is given up and logged.  Each account causes one a percentage.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/mime.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define UNDER_WAY	64		/* letters at a time */

struct warning {
	char		 sid[33];	/* of the mail that caused it */
	char		 address[331];
	unsigned int	 percent;
	char		*text, *facts;
	size_t		 textn, factsn;
	struct post	 post;
};

static unsigned int under_way;

static void
warning_end(struct warning *w, const char *why)
{
	if (why != NULL)
		log_warnx("%s report result=none to=<%s> why=%s", w->sid,
		    log_text(w->address, strlen(w->address)),
		    log_quote(why, strlen(why)));
	under_way--;
	free(w->text);
	free(w->facts);
	free(w);
}

static void
on_end(void *arg, enum queue_result r, const char *text)
{
	warning_end(arg, r == QUEUE_OK ? NULL : text);
}

static int
letter_make(struct warning *w)
{
	const struct conf *conf = proc_conf();
	const char *at = strrchr(w->address, '@');
	struct warning_letter l = { .address = w->address,
	    .domain = at != NULL ? at + 1 : conf->hostname,
	    .hostname = conf->hostname, .percent = w->percent,
	    .now = now_sec() };

	random_bytes(&l.unique, sizeof(l.unique));
	w->text = warning_text(&l, &w->textn);
	w->facts = mime_facts(w->text, w->textn, &w->factsn);
	return w->facts != NULL ? 0 : -1;
}

static void
on_address(void *arg, enum dir_result r, const char *address)
{
	struct warning *w = arg;
	struct post *p = &w->post;

	if (r != DIR_OK || address[0] == '\0') {
		warning_end(w, "its address is not known now");
		return;
	}
	strlcpy(w->address, address, sizeof(w->address));
	if (letter_make(w) == -1) {
		warning_end(w, "it could not be made");
		return;
	}
	random_bytes(&p->commit, sizeof(p->commit));
	p->rcpt = w->address;
	p->sender = "";
	p->of = w->sid;
	p->domain = "";
	p->flags = QF_DSN;
	p->fd = -1;
	p->size = w->textn;
	p->facts = (uint32_t)w->factsn;
	p->body[0] = slice_of(w->text, w->textn);
	p->body[1] = slice_of(w->facts, w->factsn);
	p->unhashed = true;
	p->end = on_end;
	p->arg = w;
	post_start(p);
}

void
warning_send(const struct message *m, uint32_t account, unsigned int percent)
{
	struct warning *w = xcalloc(1, sizeof(*w));

	under_way++;
	strlcpy(w->sid, message_sid(m), sizeof(w->sid));
	w->percent = percent;
	w->post.account = account;
	if (under_way > UNDER_WAY)
		warning_end(w, "too many letters at a time");
	else
		post_address(account, on_address, w);
}
