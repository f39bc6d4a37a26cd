/*
 * The directory in memory: which certificate is whose (dir.c has the rest).
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "authd/authd.h"
#include "authd/dir.h"

struct cert {
	struct node	 node;		/* first */
	uint32_t	 account;
	uint8_t		 fp[FINGERPRINT];
};

static struct cert *
cert_find(const struct dir *d, const uint8_t *fp)
{
	struct node *n = table_chain(&d->certs, table_hash(fp, FINGERPRINT));

	for (; n != NULL; n = n->next)
		if (memcmp(((struct cert *)n)->fp, fp, FINGERPRINT) == 0)
			return (struct cert *)n;
	return NULL;
}

uint32_t
dir_cert(const struct dir *d, const uint8_t fp[FINGERPRINT])
{
	const struct cert *c = cert_find(d, fp);

	return c != NULL ? c->account : 0;
}

void
dir_cert_add(struct dir *d, const uint8_t fp[FINGERPRINT], uint32_t account)
{
	struct cert *c = xcalloc(1, sizeof(*c));

	c->account = account;
	memcpy(c->fp, fp, FINGERPRINT);
	table_add(&d->certs, &c->node, table_hash(fp, FINGERPRINT));
}

void
dir_cert_del(struct dir *d, const uint8_t fp[FINGERPRINT])
{
	struct cert *c = cert_find(d, fp);

	if (c == NULL)
		return;
	table_del(&d->certs, &c->node);
	free(c);
}

void
dir_certs_each(const struct dir *d, uint32_t account,
    void (*fn)(const uint8_t fp[FINGERPRINT], void *), void *arg)
{
	struct node *n;
	size_t i;

	for (i = 0; i < d->certs.nslots; i++)
		for (n = d->certs.slot[i]; n != NULL; n = n->next)
			if (((struct cert *)n)->account == account)
				fn(((struct cert *)n)->fp, arg);
}

static void
cert_free(struct node *n)
{
	free(n);
}

void
dir_certs_free(struct dir *d)
{
	table_clear(&d->certs, cert_free);
}
