/*
 * The words of last errors, each kept once however many recipients got them:
 * a host that is away says the same of all.  A text has a number while
 * somebody holds it; queue.log names it by that.  queue only.
 *
 * Invariants: 0 is the empty text.  A number is used again only after its
 * last holder let go; records name the text that the last LOG_TEXT before
 * them in the same file gave.  Beyond TEXT_ROOM octets of long ones the
 * others are cut, so that hosts which never say the same twice fill no
 * memory.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/spool.h"

#define TEXT_ROOM	(64U << 20)
#define TEXT_CUT	64U		/* status, host, the first words */
#define MAP_MAX		(1U << 24)	/* numbers in one file */

struct text {
	char		*s;		/* NULL: free, next is the next one */
	uint32_t	 refs;
	uint32_t	 next;		/* of the same hash */
	uint32_t	 file[2];	/* number of the file that has it */
};

static struct {
	struct text	*v;		/* v[0]: none */
	uint32_t	 n, cap, unused;
	uint32_t	*bucket;
	uint32_t	 nbucket;	/* a power of two */
	uint32_t	 nused;
	size_t		 bytes;
	uint8_t		 key[16];
	uint32_t	*map;		/* number in the file read: ours */
	uint32_t	 capmap;
} x;

static uint32_t *
bucket_of(const char *s, size_t n)
{
	return &x.bucket[(size_t)siphash24(x.key, s, n) & (x.nbucket - 1)];
}

static void
grow(void)
{
	uint32_t i, *b;

	if (x.nbucket == 0)
		random_bytes(x.key, sizeof(x.key));
	free(x.bucket);
	x.nbucket = x.nbucket == 0 ? 1024 : x.nbucket * 2;
	x.bucket = xcalloc(x.nbucket, sizeof(*x.bucket));
	for (i = 1; i < x.n; i++) {
		if (x.v[i].s == NULL)
			continue;
		b = bucket_of(x.v[i].s, strlen(x.v[i].s));
		x.v[i].next = *b;
		*b = i;
	}
}

static uint32_t
text_new(const char *s, size_t n)
{
	uint32_t i = x.unused, *b;

	if (x.nused >= x.nbucket)
		grow();
	if (i != 0)
		x.unused = x.v[i].next;
	else {
		if (x.n == x.cap) {
			x.cap = x.cap == 0 ? 256 : x.cap * 2;
			x.v = xreallocarray(x.v, x.cap, sizeof(*x.v));
		}
		if (x.n == 0)
			x.v[x.n++] = (struct text){ .s = NULL };
		i = x.n++;
	}
	b = bucket_of(s, n);
	x.v[i] = (struct text){ .s = xstrndup(s, n), .refs = 1, .next = *b };
	*b = i;
	x.bytes += n;
	x.nused++;
	return i;
}

uint32_t
text_hold(struct slice s)
{
	const char *nul = s.n == 0 ? NULL : memchr(s.p, '\0', s.n);
	size_t n = nul == NULL ? s.n : (size_t)(nul - s.p);
	uint32_t i;

	if (n > LOG_TEXT_MAX)
		n = LOG_TEXT_MAX;
	if (n > TEXT_CUT && x.bytes > TEXT_ROOM)
		n = TEXT_CUT;
	if (n == 0)
		return 0;
	if (x.nbucket > 0)
		for (i = *bucket_of(s.p, n); i != 0; i = x.v[i].next)
			if (strncmp(x.v[i].s, s.p, n) == 0 &&
			    x.v[i].s[n] == '\0') {
				x.v[i].refs++;
				return i;
			}
	return text_new(s.p, n);
}

void
text_drop(uint32_t i)
{
	uint32_t *b;
	size_t n;

	if (i == 0 || --x.v[i].refs > 0)
		return;
	n = strlen(x.v[i].s);
	for (b = bucket_of(x.v[i].s, n); *b != i; b = &x.v[*b].next)
		;
	*b = x.v[i].next;
	free(x.v[i].s);
	x.v[i] = (struct text){ .s = NULL, .next = x.unused };
	x.unused = i;
	x.bytes -= n;
	x.nused--;
}

const char *
text_get(uint32_t i)
{
	return i == 0 ? "" : x.v[i].s;
}

bool
text_told(uint32_t i, uint32_t file)
{
	uint32_t *in = &x.v[i].file[file % 2];
	bool told = *in == file;

	*in = file;
	return told;
}

/* ---- while a file is read --------------------------------------------- */

void
text_map_put(uint32_t file, struct slice s)
{
	uint32_t cap;

	if (file == 0 || file >= MAP_MAX)
		return;
	if (file >= x.capmap) {
		for (cap = x.capmap == 0 ? 256 : x.capmap; cap <= file;)
			cap *= 2;
		x.map = xreallocarray(x.map, cap, sizeof(*x.map));
		memset(x.map + x.capmap, 0,
		    (cap - x.capmap) * sizeof(*x.map));
		x.capmap = cap;
	}
	text_drop(x.map[file]);
	x.map[file] = text_hold(s);
}

uint32_t
text_map_get(uint32_t file)
{
	return file < x.capmap ? x.map[file] : 0;
}

void
text_map_end(void)
{
	uint32_t i;

	for (i = 0; i < x.capmap; i++)
		text_drop(x.map[i]);
	free(x.map);
	x.map = NULL;
	x.capmap = 0;
}
