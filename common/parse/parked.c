/*
 * The state of a parked session (parked.h).  Little endian: u8 version, u8
 * flags, u32 enabled, u32 keywords told, u8 n, client[n]; of an idle one u8 n, tag[n]; of one
 * with a socket its name; of one with a view u32 mailbox, uidvalidity,
 * uidnext, exists, keywords, u64 seq, reported, told, and three lists of runs: u8
 * n, {u32 first, last}[n].
 */
#include "base/compat.h"

#include <string.h>

#include "base/le.h"
#include "parse/parked.h"

#define VERSION		1

#define F_DEFLATE	0x01
#define F_SELECTED	0x02
#define F_IDLE		0x04
#define F_WATCH		0x08
#define F_READONLY	0x10
#define F_ALL		0x1f

/* Octets that are written, or read. */
struct place {
	uint8_t		*p;
	const uint8_t	*from;
	size_t		 n, off;
	bool		 bad;		/* ended too early */
};

static void
put_octets(struct place *o, const void *p, size_t n)
{
	if (o->bad || n > o->n - o->off) {
		o->bad = true;
		return;
	}
	memcpy(o->p + o->off, p, n);
	o->off += n;
}

static void
put_number(struct place *o, uint64_t v, size_t n)
{
	uint8_t	 b[8];

	put64(b, v);
	put_octets(o, b, n);
}

static void
put_runs(struct place *o, const struct parked_run *v, size_t n)
{
	put_number(o, n, 1);
	for (; n > 0; n--, v++) {
		put_number(o, v->first, 4);
		put_number(o, v->last, 4);
	}
}

ssize_t
parked_put(const struct parked *k, uint8_t *p, size_t n)
{
	const struct parked_view *v = &k->view;
	struct place o = { .p = p, .n = n };

	put_number(&o, VERSION, 1);
	put_number(&o, (k->deflate ? F_DEFLATE : 0) |
	    (k->selected ? F_SELECTED : 0) | (k->idle ? F_IDLE : 0) |
	    (k->watch[0] != '\0' ? F_WATCH : 0) |
	    (k->selected && v->readonly ? F_READONLY : 0), 1);
	put_number(&o, k->enabled, 4);
	put_number(&o, k->nkeywords, 4);
	put_number(&o, strlen(k->client), 1);
	put_octets(&o, k->client, strlen(k->client));
	if (k->idle) {
		put_number(&o, strlen(k->tag), 1);
		put_octets(&o, k->tag, strlen(k->tag));
	}
	if (k->watch[0] != '\0')
		put_octets(&o, k->watch, PARKED_WATCH_LEN);
	if (k->selected) {
		put_number(&o, v->mailbox, 4);
		put_number(&o, v->uidvalidity, 4);
		put_number(&o, v->uidnext, 4);
		put_number(&o, v->exists, 4);
		put_number(&o, v->nkeywords, 4);
		put_number(&o, v->seq, 8);
		put_number(&o, v->reported, 8);
		put_number(&o, v->told, 8);
		put_runs(&o, v->recent, v->nrecent);
		put_runs(&o, v->gone, v->ngone);
		put_runs(&o, v->saved, v->nsaved);
	}
	return o.bad ? -1 : (ssize_t)o.off;
}

static void
get_octets(struct place *o, void *p, size_t n)
{
	if (o->bad || n > o->n - o->off) {
		o->bad = true;
		memset(p, 0, n);
		return;
	}
	memcpy(p, o->from + o->off, n);
	o->off += n;
}

static uint64_t
get_number(struct place *o, size_t n)
{
	uint8_t	 b[8] = { 0 };

	get_octets(o, b, n);
	return get64(b);
}

static uint32_t
get_u32(struct place *o)
{
	return (uint32_t)get_number(o, 4);
}

/* Ascending, with something between them, below end. */
static size_t
get_runs(struct place *o, struct parked_run *v, size_t max, uint32_t end)
{
	size_t	 i, n = get_number(o, 1);

	if (n > max)
		o->bad = true;
	for (i = 0; i < n && !o->bad; i++) {
		v[i].first = get_u32(o);
		v[i].last = get_u32(o);
		if (v[i].first == 0 || v[i].last < v[i].first ||
		    v[i].last >= end ||
		    (i > 0 && v[i].first - 1 <= v[i - 1].last))
			o->bad = true;
	}
	return o->bad ? 0 : n;
}

static void
get_view(struct place *o, struct parked_view *v)
{
	v->mailbox = get_u32(o);
	v->uidvalidity = get_u32(o);
	v->uidnext = get_u32(o);
	v->exists = get_u32(o);
	v->nkeywords = get_u32(o);
	v->seq = get_number(o, 8);
	v->reported = get_number(o, 8);
	v->told = get_number(o, 8);
	v->nrecent = get_runs(o, v->recent, PARKED_RECENT_MAX, v->uidnext);
	v->ngone = get_runs(o, v->gone, PARKED_GONE_MAX, v->uidnext);
	v->nsaved = get_runs(o, v->saved, PARKED_SAVED_MAX, v->uidnext);
	if (v->exists >= v->uidnext || v->reported > v->seq ||
	    v->told > v->reported)
		o->bad = true;
}

/* As a client may have given it: printable, no blank. */
static void
get_tag(struct place *o, char tag[PARKED_TAG_MAX + 1])
{
	size_t	 i, n = get_number(o, 1);

	if (n == 0 || n > PARKED_TAG_MAX) {
		o->bad = true;
		return;
	}
	get_octets(o, tag, n);
	for (i = 0; i < n; i++)
		if (tag[i] <= ' ' || tag[i] >= 0x7f)
			o->bad = true;
}

/* Any octets but NUL, or none. */
static void
get_client(struct place *o, char client[PARKED_CLIENT_MAX + 1])
{
	size_t	 n = get_number(o, 1);

	if (n > PARKED_CLIENT_MAX) {
		o->bad = true;
		return;
	}
	get_octets(o, client, n);
	if (memchr(client, '\0', n) != NULL)
		o->bad = true;
}

/* "w" and 16 digits: a name beside others of its kind, and no path. */
static void
get_watch(struct place *o, char watch[PARKED_WATCH_LEN + 1])
{
	get_octets(o, watch, PARKED_WATCH_LEN);
	if (watch[0] != 'w' || strspn(watch + 1, "0123456789abcdef") !=
	    PARKED_WATCH_LEN - 1)
		o->bad = true;
}

int
parked_get(struct slice s, struct parked *k)
{
	struct place o = { .from = (const uint8_t *)s.p, .n = s.n };
	unsigned int flags;

	*k = (struct parked){ 0 };
	if (s.n > PARKED_MAX || get_number(&o, 1) != VERSION)
		return -1;
	flags = (unsigned int)get_number(&o, 1);
	k->deflate = (flags & F_DEFLATE) != 0;
	k->selected = (flags & F_SELECTED) != 0;
	k->idle = (flags & F_IDLE) != 0;
	k->enabled = get_u32(&o);
	k->nkeywords = get_u32(&o);
	get_client(&o, k->client);
	if (k->idle)
		get_tag(&o, k->tag);
	if ((flags & F_WATCH) != 0)
		get_watch(&o, k->watch);
	if (k->selected) {
		k->view.readonly = (flags & F_READONLY) != 0;
		get_view(&o, &k->view);
	}
	if (o.bad || o.off != o.n || (flags & ~F_ALL) != 0 ||
	    (!k->selected && (flags & F_READONLY) != 0))
		return -1;
	return 0;
}
