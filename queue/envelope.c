/*
 * The envelope of a frame: encode and decode, pure.  queue writes it and is
 * the only reader, but what comes back from a disk is hostile input.
 *
 * On disk, little endian:
 *	u8 version | u8 flags | u8 copy | u8 warned | u32 account |
 *	u64 received | commit[16] | u64 origin_seg | u32 origin_no |
 *	u32 nrcpt | str16 sid sender folder trace ticket |
 *	nrcpt times: u8 type | u8 state | u16 attempts | u32 account |
 *	    u32 next | str16 address orig
 * Invariants: the recipients fill the rest exactly; 1 <= nrcpt <=
 * ENV_RCPTS_MAX; no string holds NUL except trace and ticket; state is WAIT,
 * HELD or DONE; attempts are 0 unless copied.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define ENV_VERSION	1
#define ENV_FIXED	48		/* octets before the strings */

struct get {
	const uint8_t	*p;
	size_t		 n, off;
	bool		 bad;
};

static int	 put(uint8_t *, size_t, size_t *, const void *, size_t);
static int	 put_num(uint8_t *, size_t, size_t *, uint64_t, size_t);
static int	 put_str(uint8_t *, size_t, size_t *, struct slice);
static uint64_t	 get_num(struct get *, size_t);
static struct slice get_str(struct get *, size_t max, bool text);
static void	 get_rcpt(struct get *, struct env_rcpt *);

int
env_put(uint8_t *buf, size_t size, size_t *off, const struct envelope *e)
{
	int r = 0;

	r |= put_num(buf, size, off, ENV_VERSION, 1);
	r |= put_num(buf, size, off, e->flags, 1);
	r |= put_num(buf, size, off, e->copy, 1);
	r |= put_num(buf, size, off, e->warned, 1);
	r |= put_num(buf, size, off, e->account, 4);
	r |= put_num(buf, size, off, e->received, 8);
	r |= put(buf, size, off, e->commit.b, sizeof(e->commit.b));
	r |= put_num(buf, size, off, e->origin_seg, 8);
	r |= put_num(buf, size, off, e->origin_no, 4);
	r |= put_num(buf, size, off, e->nrcpt, 4);
	r |= put_str(buf, size, off, e->sid);
	r |= put_str(buf, size, off, e->sender);
	r |= put_str(buf, size, off, e->folder);
	r |= put_str(buf, size, off, e->trace);
	r |= put_str(buf, size, off, e->ticket);
	return r;
}

int
env_rcpt_put(uint8_t *buf, size_t size, size_t *off, const struct env_rcpt *r)
{
	int e = 0;

	e |= put_num(buf, size, off, r->type, 1);
	e |= put_num(buf, size, off, r->state, 1);
	e |= put_num(buf, size, off, r->attempts, 2);
	e |= put_num(buf, size, off, r->account, 4);
	e |= put_num(buf, size, off, r->next, 4);
	e |= put_str(buf, size, off, r->address);
	e |= put_str(buf, size, off, r->orig);
	return e;
}

int
env_get(const uint8_t *p, size_t n, struct envelope *e)
{
	struct get g = { .p = p, .n = n };
	struct env_rcpt r;
	uint32_t i;

	*e = (struct envelope){ 0 };
	if (n > 0 && n <= ENV_MAX && p[0] > ENV_VERSION)
		return ENV_NEWER;	/* its checksum was right */
	if (n < ENV_FIXED || n > ENV_MAX || get_num(&g, 1) != ENV_VERSION)
		return -1;
	e->flags = (uint8_t)get_num(&g, 1);
	e->copy = (uint8_t)get_num(&g, 1);
	e->warned = (uint8_t)get_num(&g, 1);
	e->account = (uint32_t)get_num(&g, 4);
	e->received = get_num(&g, 8);
	memcpy(e->commit.b, p + g.off, sizeof(e->commit.b));
	g.off += sizeof(e->commit.b);
	e->origin_seg = get_num(&g, 8);
	e->origin_no = (uint32_t)get_num(&g, 4);
	e->nrcpt = (uint32_t)get_num(&g, 4);
	e->sid = get_str(&g, 32, true);
	e->sender = get_str(&g, 330, true);
	e->folder = get_str(&g, 255, true);
	e->trace = get_str(&g, 4096, false);
	e->ticket = get_str(&g, 512, false);
	if (g.bad || e->nrcpt == 0 || e->nrcpt > ENV_RCPTS_MAX)
		return -1;
	e->rcpts = slice_of((const char *)p + g.off, n - g.off);
	for (i = 0; i < e->nrcpt && !g.bad; i++)
		get_rcpt(&g, &r);
	return g.bad || g.off != n ? -1 : 0;
}

int
env_rcpt_get(const struct envelope *e, size_t *off, struct env_rcpt *r)
{
	struct get g = { .p = (const uint8_t *)e->rcpts.p, .n = e->rcpts.n,
	    .off = *off };

	if (*off >= g.n)
		return 0;
	get_rcpt(&g, r);
	if (g.bad)
		return -1;
	*off = g.off;
	return 1;
}

static void
get_rcpt(struct get *g, struct env_rcpt *r)
{
	r->type = (uint8_t)get_num(g, 1);
	r->state = (uint8_t)get_num(g, 1);
	r->attempts = (uint16_t)get_num(g, 2);
	r->account = (uint32_t)get_num(g, 4);
	r->next = (uint32_t)get_num(g, 4);
	r->address = get_str(g, 330, true);
	r->orig = get_str(g, 330, true);
	if (r->type > ROUTE_REPORT || (r->state != RCPT_WAIT &&
	    r->state != RCPT_HELD && r->state != RCPT_DONE))
		g->bad = true;
}

static int
put(uint8_t *buf, size_t size, size_t *off, const void *p, size_t n)
{
	if (n > size || *off > size - n)
		return -1;
	if (n > 0)
		memcpy(buf + *off, p, n);
	*off += n;
	return 0;
}

static int
put_num(uint8_t *buf, size_t size, size_t *off, uint64_t v, size_t n)
{
	uint8_t b[8];
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> 8 * i);
	return put(buf, size, off, b, n);
}

static int
put_str(uint8_t *buf, size_t size, size_t *off, struct slice s)
{
	if (s.n > UINT16_MAX || put_num(buf, size, off, s.n, 2) == -1)
		return -1;
	return put(buf, size, off, s.p, s.n);
}

static uint64_t
get_num(struct get *g, size_t n)
{
	uint64_t v = 0;
	size_t i;

	if (g->bad || n > g->n - g->off) {
		g->bad = true;
		return 0;
	}
	for (i = 0; i < n; i++)
		v |= (uint64_t)g->p[g->off + i] << 8 * i;
	g->off += n;
	return v;
}

static struct slice
get_str(struct get *g, size_t max, bool text)
{
	size_t n = (size_t)get_num(g, 2);
	struct slice s;

	if (g->bad || n > max || n > g->n - g->off) {
		g->bad = true;
		return slice_of("", 0);
	}
	s = slice_of((const char *)g->p + g->off, n);
	g->off += n;
	if (text && n > 0 && memchr(s.p, '\0', n) != NULL)
		g->bad = true;
	return s;
}
