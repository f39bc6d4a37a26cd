/*
 * `index`: the checkpoint of the log up to a position.  Immutable; written
 * by sessions, replaced by rename, mapped privately so that a change costs
 * one page; deliver reads only head and tree.  Whatever is wrong with it, it
 * is ignored and made again from the log.
 *
 * Invariants:
 *
 *	head	0 "MAILDIDX", 8 version, 12 0x01020304 in host order,
 *		16 sizeof(struct store_msg), 20 mailboxes, 24 uuid[16],
 *		40 pos: a group of the log ends here, 48 file size,
 *		56 offset, 64 length, 72 crc of the tree, 76 subscriptions,
 *		80 offset, 88 number, 96 crc of the ids, 100 last
 *		uidvalidity given,
 *		104 trailer of the last group [64], 168 last mailbox id given,
 *		172 generation of the log, 176 MODSEQ up to which expunged
 *		messages are forgotten, 184 deleted mailboxes that are
 *		remembered, 188..251 0, 252 crc of 0..251
 *	tree	a mailbox: 0 id, 4 attributes, 8 uidvalidity, 12 uidnext,
 *		16 recent, 20 messages, 24 unseen, 28 keywords, 32 tombstones,
 *		36 crc of messages, 40 bytes, 48 modseq, 56 tombs_from,
 *		64 offset of messages, 72 sets of keywords, 76 keywords told of,
 *		80 messages, expunged ones with them, 84 0, n + name,
 *		n + keyword ..., of each set n and its numbers (16 bit) and
 *		tombstone: 0 first, 4 last, 8 modseq; then n + name of each
 *		subscription (n: 32 bit, all padded to 8)
 *	ids	0 id[16], 16 time
 *	messages struct store_msg in host order, ascending UIDs; those
 *		that were expunged and are remembered have their flag
 *
 *	everything is durable before the rename; pos is durable before that
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define INDEX_MAGIC	"MAILDIDX"
#define INDEX_HEAD	256
#define INDEX_ENDIAN	0x01020304U
#define INDEX_TREE_MAX	(64U << 20)
#define INDEX_TOMBS_MAX	1500000		/* of all mailboxes: 24 MB of it */
#define INDEX_MAX	(8ULL << 30)
#define INDEX_DELIVER	(64ULL << 20)	/* that deliver reads at most */
#define MAILBOX_LEN	88
#define TOMB_LEN	16
#define ID_LEN		24
#define ID_DAYS		30	/* then nobody asks any more */

_Static_assert(sizeof(struct store_msg) == 88, "struct store_msg has holes");

struct cursor {			/* over the tree, bounds checked */
	const uint8_t	*p;
	size_t		 n;
};

struct tree {			/* the tree being written */
	uint8_t		*p;
	size_t		 n, cap;
};

struct ixhead {
	uint32_t	 nmailboxes, nremoved, nsubs, tree_crc, ids_crc;
	uint64_t	 pos, size, tree, treen, ids, nids;
	struct trailer	 tr;
};

/* ---- reading ----------------------------------------------------- */

static const uint8_t *
take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->n < n)
		return NULL;
	c->p += n;
	c->n -= n;
	return p;
}

/* A counted string, malloc'ed; NULL if there is none. */
static char *
take_string(struct cursor *c, size_t max)
{
	const uint8_t *p;
	uint32_t n;

	if ((p = take(c, 4)) == NULL)
		return NULL;
	n = get32(p);
	if (n == 0 || n > max || (p = take(c, PAD8(n + 4) - 4)) == NULL ||
	    memchr(p, '\0', n) != NULL)
		return NULL;
	return strndup((const char *)p, n);
}

static int
head_parse(const uint8_t *p, uint64_t size, const uint8_t uuid[16],
    struct ixhead *h)
{
	uint32_t endian;
	size_t len;

	memcpy(&endian, p + 12, 4);
	if (memcmp(p, INDEX_MAGIC, 8) != 0 || get32(p + 8) != INDEX_VERSION ||
	    endian != INDEX_ENDIAN ||
	    get32(p + 16) != sizeof(struct store_msg) ||
	    memcmp(p + 24, uuid, 16) != 0 ||
	    get32(p + 252) != crc32c(0, p, 252))
		return -1;
	h->nmailboxes = get32(p + 20);
	h->pos = get64(p + 40);
	h->size = get64(p + 48);
	h->tree = get64(p + 56);
	h->treen = get64(p + 64);
	h->tree_crc = get32(p + 72);
	h->nsubs = get32(p + 76);
	h->ids = get64(p + 80);
	h->nids = get64(p + 88);
	h->ids_crc = get32(p + 96);
	h->nremoved = get32(p + 184);
	if (trailer_parse(p + 104, &h->tr, &len) == -1 || h->size != size ||
	    h->size > INDEX_MAX || h->nmailboxes > STORE_MAILBOXES_MAX ||
	    h->nsubs > STORE_SUBS_MAX || h->treen > INDEX_TREE_MAX ||
	    h->tree > size || h->treen > size - h->tree || h->ids > size ||
	    h->nids > (size - h->ids) / ID_LEN)
		return -1;
	return 0;
}

/* A good head of a version that we do not know yet? */
static bool
head_newer(const uint8_t *p)
{
	return memcmp(p, INDEX_MAGIC, 8) == 0 && get32(p + 8) > INDEX_VERSION &&
	    get32(p + 252) == crc32c(0, p, 252);
}

/* The messages of a mailbox, where they lie in the map; each counts for its
 * set of keywords. */
static int
messages_check(struct mailbox *m, uint32_t crc)
{
	uint32_t i, before = 0;

	if (crc32c(0, m->base, (size_t)m->nbase * sizeof(*m->base)) != crc)
		return -1;
	for (i = 0; i < m->nbase; i++) {
		if (m->base[i].uid <= before ||
		    m->base[i].prefix > m->base[i].size ||
		    (m->base[i].flags & ~(uint32_t)(STORE_FLAGS |
		    MSG_GONE)) != 0 ||
		    (m->base[i].kwset != 0 && m->base[i].kwset >= m->kw.nsets))
			return -1;
		before = m->base[i].uid;
		m->ngone += (m->base[i].flags & MSG_GONE) != 0;
		kwset_ref(&m->kw, m->base[i].kwset);
	}
	kwset_trim(&m->kw);
	return before < m->uidnext && m->nbase - m->ngone == m->messages ? 0 :
	    -1;
}

static int
take_keywords(struct cursor *c, struct keywords *k, uint32_t n)
{
	char *name;
	uint32_t i;
	int r;

	for (i = 0; i < n; i++) {
		if ((name = take_string(c, STORE_KEYWORD_LEN)) == NULL)
			return -1;
		r = keyword_define(k, i, name, strlen(name));
		free(name);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Sets get the numbers that the messages have: none is there twice. */
static int
take_sets(struct cursor *c, struct keywords *k, uint32_t n)
{
	struct kwlist l;
	const uint8_t *p;
	uint32_t i, len;

	for (i = 1; i <= n; i++) {
		if ((p = take(c, 4)) == NULL || (len = get32(p)) == 0 ||
		    len > STORE_KEYWORDS_MSG ||
		    (p = take(c, PAD8(4 + len * 2) - 4)) == NULL ||
		    kwlist_get(p, len, &l) == -1 ||
		    kwset_find(k, l.v, l.n) != i)
			return -1;
	}
	return 0;
}

static int
mailbox_lists(struct cursor *c, struct mailbox *m, const uint8_t *head)
{
	uint32_t nkw = get32(head + 28), ntombs = get32(head + 32);
	const uint8_t *p;
	uint32_t i;

	if (nkw > STORE_KEYWORDS_MAX || ntombs > TOMBS_MAX ||
	    take_keywords(c, &m->kw, nkw) == -1 ||
	    take_sets(c, &m->kw, get32(head + 72)) == -1)
		return -1;
	for (i = 0; i < ntombs; i++) {
		if ((p = take(c, TOMB_LEN)) == NULL)
			return -1;
		if (mailbox_tomb(m, (struct store_range){ get32(p),
		    get32(p + 4) }, get64(p + 8)) == -1)
			return -1;
	}
	return 0;
}

/* One that was deleted and is remembered. */
static struct mailbox *
mailbox_removed(struct state *s, const char *name, uint32_t id)
{
	struct mailbox *m;

	if (id == 0 || id >= MAILBOX_IDS_MAX ||
	    (m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	m->id = id;
	if ((m->name = strdup(name)) == NULL || mailbox_remember(s, m) == -1) {
		mailbox_free(m);
		return NULL;
	}
	return m;
}

static int
mailbox_parse(struct cursor *c, struct state *s, uint8_t *map, size_t n,
    bool removed)
{
	const uint8_t *p;
	struct mailbox *m;
	uint64_t off;
	char *name;

	if ((p = take(c, MAILBOX_LEN)) == NULL ||
	    (name = take_string(c, STORE_NAME_MAX)) == NULL)
		return -1;
	m = removed ? mailbox_removed(s, name, get32(p)) :
	    mailbox_insert(s, name, get32(p));
	free(name);
	if (m == NULL)
		return -1;
	m->attr = get32(p + 4);
	m->uidvalidity = get32(p + 8);
	m->uidnext = get32(p + 12);
	m->recent = get32(p + 16);
	m->messages = get32(p + 20);
	m->unseen = get32(p + 24);
	m->bytes = get64(p + 40);
	m->modseq = get64(p + 48);
	m->tombs_from = get64(p + 56);
	off = get64(p + 64);
	if (m->uidvalidity > s->uidvalidity)
		s->uidvalidity = m->uidvalidity;
	if (mailbox_lists(c, m, p) == -1)
		return -1;
	m->kw.told = get32(p + 76);
	if (!s->messages)
		return 0;
	if (off > n || off % 8 != 0 ||
	    get32(p + 80) > (n - off) / sizeof(struct store_msg))
		return -1;
	m->base = (struct store_msg *)(void *)(map + off);
	m->nbase = get32(p + 80);
	return messages_check(m, get32(p + 36));
}

static int
ids_parse(const uint8_t *p, const struct ixhead *h, struct state *s)
{
	uint64_t i;

	if (crc32c(0, p, h->nids * ID_LEN) != h->ids_crc)
		return -1;
	for (i = 0; i < h->nids; i++, p += ID_LEN)
		if (idset_add(&s->ids, p, get64(p + 16)) == -1)
			return -1;
	return 0;
}

/*
 * A whole index at p (aligned to 8) into an empty state, whose messages
 * point into it.  With s->messages unset only head, tree and ids have to be
 * there.  0 or -1.
 */
int
index_parse(uint8_t *p, size_t n, const uint8_t uuid[16], struct state *s,
    struct index_at *at)
{
	struct ixhead h;
	struct cursor c;
	uint32_t i;
	char *name;
	int r;

	if (n < INDEX_HEAD || head_parse(p, n, uuid, &h) == -1 ||
	    crc32c(0, p + h.tree, h.treen) != h.tree_crc)
		return -1;
	c = (struct cursor){ p + h.tree, h.treen };
	for (i = 0; i < h.nmailboxes; i++)
		if (mailbox_parse(&c, s, p, n, false) == -1)
			return -1;
	for (i = 0; i < h.nremoved; i++)
		if (mailbox_parse(&c, s, p, n, true) == -1)
			return -1;
	for (i = 0; i < h.nsubs; i++) {
		if ((name = take_string(&c, STORE_NAME_MAX)) == NULL)
			return -1;
		r = subs_set(s, name, true);
		free(name);
		if (r == -1)
			return -1;
	}
	if (ids_parse(p + h.ids, &h, s) == -1)
		return -1;
	s->uidvalidity = get32(p + 100);
	if (get32(p + 168) > s->lastid)
		s->lastid = get32(p + 168);
	s->gone_from = get64(p + 176);
	at->pos = h.pos;
	at->generation = get32(p + 172);
	at->tr = h.tr;
	return 0;
}

/* How much of the file deliver reads: head, tree and ids lie first.  0: more
 * than it does. */
static uint64_t
index_part(const uint8_t *head, size_t n, bool messages)
{
	struct ixhead h;
	uint64_t end = n;

	if (head_parse(head, n, head + 24, &h) == -1)
		return 0;
	if (!messages)
		end = h.tree + h.treen > h.ids + h.nids * ID_LEN ?
		    h.tree + h.treen : h.ids + h.nids * ID_LEN;
	return end < INDEX_HEAD || end > INDEX_DELIVER ? 0 : end;
}

/*
 * Brings the file into memory: sessions map it, deliver reads as far as it
 * has to.  OK with s->map NULL: it is of no use.
 */
static enum store_result
index_map(struct backend *b, int fd, struct state *s)
{
	uint8_t head[INDEX_HEAD];
	enum store_result r;
	uint64_t end;
	void *p;

	r = backend_range(fd, 0, head, sizeof(head));
	if (r != STORE_OK)
		return r == STORE_NOTFOUND ? STORE_OK : r;
	if (head_newer(head))
		return STORE_NEWER;
	if (b->mode == STORE_SESSION) {
		p = mmap(NULL, s->mapn, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		    fd, 0);
		if (p == MAP_FAILED)
			return backend_errno(errno);
		s->map = p;
		s->mapped = true;
		return STORE_OK;
	}
	if ((end = index_part(head, s->mapn, s->messages)) == 0)
		return STORE_OK;
	if ((p = malloc(end)) == NULL)
		return STORE_NOMEM;
	if ((r = backend_range(fd, 0, p, end)) != STORE_OK) {
		free(p);
		return r == STORE_NOTFOUND ? STORE_OK : r;
	}
	s->map = p;
	return STORE_OK;
}

/* The checkpoint at fd into s.  NOTFOUND: it is of no use. */
static enum store_result
index_take(struct backend *b, int fd, const uint8_t uuid[16], struct state *s,
    struct index_at *at)
{
	enum store_result r;
	struct stat sb;

	if (fstat(fd, &sb) == -1)
		return backend_errno(errno);
	if (sb.st_size < INDEX_HEAD || (uint64_t)sb.st_size > INDEX_MAX)
		return STORE_NOTFOUND;
	s->mapn = (size_t)sb.st_size;
	if ((r = index_map(b, fd, s)) != STORE_OK)
		return r;
	errno = 0;
	if (s->map != NULL && index_parse(s->map, s->mapn, uuid, s, at) == 0)
		return STORE_OK;
	return errno == ENOMEM ? STORE_NOMEM : STORE_NOTFOUND;
}

/*
 * Loads the checkpoint into a new state.  NOTFOUND: there is none that is
 * any good, *out is an empty state at the start of the log, which has it
 * all; so one that cannot be read is no reason not to open the account.
 */
enum store_result
index_load(struct backend *b, const uint8_t uuid[16], struct state **out,
    bool messages, struct index_at *at)
{
	enum store_result r;
	int fd;

	memset(at, 0, sizeof(*at));
	if ((*out = state_new(messages)) == NULL)
		return STORE_NOMEM;
	if ((fd = backend_file(b->dir, "index", O_RDONLY)) == -1)
		r = backend_errno(errno);
	else {
		r = index_take(b, fd, uuid, *out, at);
		close(fd);
	}
	if (r == STORE_OK || r == STORE_NEWER || r == STORE_NOMEM)
		return r;
	state_free(*out);
	memset(at, 0, sizeof(*at));
	*out = state_new(messages);
	return *out == NULL ? STORE_NOMEM : STORE_NOTFOUND;
}

/* Is there one of a newer release? */
enum store_result
index_known(struct backend *b)
{
	uint8_t head[INDEX_HEAD];
	enum store_result r;
	int fd;

	if ((fd = backend_file(b->dir, "index", O_RDONLY)) == -1) {
		r = backend_errno(errno);
		return r == STORE_NOMEM ? r : STORE_OK;
	}
	r = backend_range(fd, 0, head, sizeof(head));
	close(fd);
	if (r == STORE_NOMEM)
		return r;
	return r == STORE_OK && head_newer(head) ? STORE_NEWER : STORE_OK;
}

/* ---- writing ----------------------------------------------------- */

/* n zeroed octets at the end of the tree, or NULL. */
static uint8_t *
put(struct tree *t, size_t n)
{
	size_t cap = t->cap == 0 ? 4096 : t->cap;
	uint8_t *p;

	while (cap - t->n < n)
		cap *= 2;
	if (cap > INDEX_TREE_MAX)
		return NULL;
	if (cap != t->cap) {
		if ((p = realloc(t->p, cap)) == NULL)
			return NULL;
		t->p = p;
		t->cap = cap;
	}
	p = t->p + t->n;
	memset(p, 0, n);
	t->n += n;
	return p;
}

static int
put_string(struct tree *t, const char *s)
{
	size_t n = strlen(s);
	uint8_t *p;

	if ((p = put(t, PAD8(n + 4))) == NULL)
		return -1;
	put32(p, (uint32_t)n);
	memcpy(p + 4, s, n);
	return 0;
}

/* The sets that messages have, in the order of kwset_ranks(). */
static int
put_sets(struct tree *t, const struct keywords *k)
{
	struct kwlist l;
	uint32_t i;
	uint8_t *p;

	for (i = 1; i < k->nsets; i++) {
		if (k->sets[i].refs == 0)
			continue;
		l.n = k->sets[i].n;
		memcpy(l.v, k->sets[i].v, l.n * sizeof(l.v[0]));
		if ((p = put(t, PAD8(4 + l.n * 2))) == NULL)
			return -1;
		put32(p, (uint32_t)l.n);
		kwlist_put(p + 4, &l);
	}
	return 0;
}

/* most: of its expunges are remembered, the newest ones. */
static int
mailbox_put(struct tree *t, const struct mailbox *m, uint64_t off,
    uint32_t n, uint32_t crc, uint32_t most)
{
	uint32_t i, skip = m->ntombs > most ? m->ntombs - most : 0;
	uint8_t *p;

	if ((p = put(t, MAILBOX_LEN)) == NULL)
		return -1;
	put32(p, m->id);
	put32(p + 4, m->attr);
	put32(p + 8, m->uidvalidity);
	put32(p + 12, m->uidnext);
	put32(p + 16, m->recent);
	put32(p + 20, m->messages);
	put32(p + 24, m->unseen);
	put32(p + 28, m->kw.n);
	put32(p + 32, m->ntombs - skip);
	put32(p + 36, crc);
	put64(p + 40, m->bytes);
	put64(p + 48, m->modseq);
	put64(p + 56, skip > 0 ? m->tombs[skip - 1].modseq : m->tombs_from);
	put64(p + 64, off);
	put32(p + 72, kwset_used(&m->kw));
	put32(p + 76, m->kw.told);
	put32(p + 80, n);
	if (put_string(t, m->name) == -1)
		return -1;
	for (i = 0; i < m->kw.n; i++)
		if (put_string(t, m->kw.names[i]) == -1)
			return -1;
	if (put_sets(t, &m->kw) == -1)
		return -1;
	for (i = skip; i < m->ntombs; i++) {
		if ((p = put(t, TOMB_LEN)) == NULL)
			return -1;
		put32(p, m->tombs[i].uids.first);
		put32(p + 4, m->tombs[i].uids.last);
		put64(p + 8, m->tombs[i].modseq);
	}
	return 0;
}

/* Is it there, or remembered? */
static bool
msg_stays(const struct state *s, const struct store_msg *m)
{
	return (m->flags & MSG_GONE) == 0 || msg_remembered(s, m);
}

static uint32_t
messages_staying(const struct state *s, struct mailbox *m)
{
	uint32_t i, n = m->messages;

	for (i = 0; m->ngone > 0 && i < mailbox_slots(m); i++)
		n += msg_remembered(s, mailbox_msg(m, i));
	return n;
}

/* Those messages of a mailbox that are there or remembered, one after the
 * other, to out. */
static int
messages_put(const struct state *s, struct mailbox *m, struct store_msg *out,
    uint32_t *crc)
{
	uint32_t i, n = 0, *rank;

	if ((rank = kwset_ranks(&m->kw)) == NULL)
		return -1;
	for (i = 0; i < mailbox_slots(m); i++) {
		if (!msg_stays(s, mailbox_msg(m, i)))
			continue;
		out[n] = *mailbox_msg(m, i);
		out[n].kwset = out[n].kwset == 0 ? 0 : rank[out[n].kwset];
		n++;
	}
	free(rank);
	*crc = crc32c(0, out, (size_t)n * sizeof(*out));
	return 0;
}

/* So many expunges of each mailbox are written: all, unless they would take
 * much of the tree's room. */
static uint32_t
tombs_most(struct state *s)
{
	struct mailbox *m;
	uint64_t sum = 0;
	uint32_t n = 0;
	size_t i = 0;

	for (; (m = mailbox_next(s, &i)) != NULL; n++)
		sum += m->ntombs;
	return sum <= INDEX_TOMBS_MAX ? UINT32_MAX : INDEX_TOMBS_MAX / n;
}

/* All of the tree, the messages going to out, from file offset off on. */
static int
tree_put(struct tree *t, struct state *s, struct store_msg *out,
    uint64_t off)
{
	uint32_t n, crc, most = tombs_most(s);
	struct mailbox *m;
	size_t i = 0, k;

	t->n = 0;
	while ((m = mailbox_next(s, &i)) != NULL) {
		crc = 0;
		n = messages_staying(s, m);
		if ((out != NULL && messages_put(s, m, out, &crc) == -1) ||
		    mailbox_put(t, m, off, n, crc, most) == -1)
			return -1;
		off += (uint64_t)n * sizeof(struct store_msg);
		if (out != NULL)
			out += n;
	}
	for (k = 0; k < s->nsubs; k++)
		if (put_string(t, s->subs[k]) == -1)
			return -1;
	return 0;
}

static uint8_t *
ids_put(struct state *s, uint64_t now, size_t *n)
{
	uint8_t *p, *q;
	size_t i;

	*n = 0;
	if ((p = q = calloc(s->ids.n + 1, ID_LEN)) == NULL)
		return NULL;
	for (i = 0; i < s->ids.cap; i++) {
		if (s->ids.v[i].time == 0 ||
		    s->ids.v[i].time + ID_DAYS * 86400ULL < now)
			continue;
		memcpy(q, s->ids.v[i].id, STORE_ID_LEN);
		put64(q + 16, s->ids.v[i].time);
		q += ID_LEN;
		(*n)++;
	}
	return p;
}

static void
head_put(uint8_t *p, const uint8_t uuid[16], const struct state *s,
    const struct index_at *at, uint64_t size)
{
	uint32_t endian = INDEX_ENDIAN;
	uint8_t *t = p + 104;

	memcpy(p, INDEX_MAGIC, 8);
	put32(p + 8, INDEX_VERSION);
	memcpy(p + 12, &endian, 4);
	put32(p + 16, sizeof(struct store_msg));
	put32(p + 20, (uint32_t)s->nnames);
	memcpy(p + 24, uuid, 16);
	put64(p + 40, at->pos);
	put64(p + 48, size);
	put32(p + 76, (uint32_t)s->nsubs);
	put32(p + 100, s->uidvalidity);
	put32(p + 168, s->lastid);
	put32(p + 172, at->generation);
	put64(p + 176, s->gone_from);
	put32(p + 184, (uint32_t)s->nremoved);
	trailer_encode(t, &at->tr, LOG_GROUP_MIN);
}

/* Makes the checkpoint of s, which stands at at, and puts it in place. */
enum store_result
index_write(struct backend *b, const uint8_t uuid[16], struct state *s,
    const struct index_at *at, uint64_t now)
{
	uint8_t head[INDEX_HEAD] = { 0 };
	struct tree t = { 0 };
	struct iovec iov[4];
	struct store_msg *out = NULL;
	uint8_t *ids = NULL;
	struct mailbox *m;
	size_t i = 0, nids, n = 0;
	uint64_t off;
	enum store_result r = STORE_NOMEM;

	while ((m = mailbox_next(s, &i)) != NULL)
		n += messages_staying(s, m);
	if ((ids = ids_put(s, now, &nids)) == NULL ||
	    (out = calloc(n + 1, sizeof(*out))) == NULL ||
	    tree_put(&t, s, NULL, 0) == -1)
		goto out;
	off = INDEX_HEAD + t.n + nids * ID_LEN;
	if (tree_put(&t, s, out, off) == -1)
		goto out;
	head_put(head, uuid, s, at, off + n * sizeof(*out));
	put64(head + 56, INDEX_HEAD);
	put64(head + 64, t.n);
	put32(head + 72, crc32c(0, t.p, t.n));
	put64(head + 80, INDEX_HEAD + t.n);
	put64(head + 88, nids);
	put32(head + 96, crc32c(0, ids, nids * ID_LEN));
	put32(head + 252, crc32c(0, head, 252));
	iov[0] = (struct iovec){ head, sizeof(head) };
	iov[1] = (struct iovec){ t.p, t.n };
	iov[2] = (struct iovec){ ids, nids * ID_LEN };
	iov[3] = (struct iovec){ out, n * sizeof(*out) };
	r = backend_replace(b, "index", iov, 4);
 out:
	free(t.p);
	free(ids);
	free(out);
	return r;
}
