/*
 * imap-quirks (quirk.h): rows of the configuration, for imapd before a login
 * and for its sessions.  What does not fit is left out, whole rows at a time.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "conf/conf.h"
#include "conf/quirk.h"

static void	 words_add(char *, const char *);

void
quirk_find(const struct conf *conf, const struct quirk_who *who,
    struct quirk *q)
{
	struct quirk_rows rows;

	quirk_pick(conf, who, &rows);
	quirk_sum(&rows, who->client, q);
}

void
quirk_pick(const struct conf *conf, const struct quirk_who *who,
    struct quirk_rows *rows)
{
	const struct conf_quirk *q;
	size_t i;

	rows->n = 0;
	for (i = 0; i < conf->nquirk; i++) {
		q = &conf->quirk[i];
		if ((q->account == NULL ||
		    slice_caseis(who->user, q->account)) &&
		    (q->port == 0 || q->port == who->port))
			rows->row[rows->n++] = q;
	}
}

void
quirk_sum(const struct quirk_rows *rows, struct slice client, struct quirk *q)
{
	const struct conf_quirk *row;
	size_t i;

	q->hide[0] = q->show[0] = '\0';
	for (i = 0; i < rows->n; i++) {
		row = rows->row[i];
		if (row->client != NULL &&
		    !slice_casestarts(client, row->client))
			continue;
		words_add(q->hide, row->hide);
		words_add(q->show, row->show);
	}
}

static void
words_add(char *to, const char *words)
{
	size_t n = strlen(to);

	if (words == NULL || n + 1 + strlen(words) >= QUIRK_WORDS_MAX)
		return;
	if (n > 0)
		strlcat(to, " ", QUIRK_WORDS_MAX);
	strlcat(to, words, QUIRK_WORDS_MAX);
}
