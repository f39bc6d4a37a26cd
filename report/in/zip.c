/*
 * The directory of a zip archive (APPNOTE 4.3), read with distrust: nothing
 * in it may point outside the archive or into the directory.  Only what
 * reporters send is taken: one disk, no zip64, no encryption, stored or
 * deflated.  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/le.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define END_LEN		22	/* end of central directory */
#define ENTRY_LEN	46
#define LOCAL_LEN	30
#define COMMENT_MAX	65535

#define FLAG_BAD	0x2061	/* encrypted, patched, masked */

static int
fail(struct zip *z, const char *why)
{
	z->why = why;
	return -1;
}

/* Where the end record is: its comment must reach to the end. */
static const char *
end_find(struct slice in)
{
	size_t i, off;

	for (i = 0; i <= COMMENT_MAX && i + END_LEN <= in.n; i++) {
		off = in.n - END_LEN - i;
		if (memcmp(in.p + off, "PK\5\6", 4) == 0 &&
		    get16(in.p + off + 20) <= i)
			return in.p + off;
	}
	return NULL;
}

int
zip_open(struct zip *z, struct slice in)
{
	const char *e = end_find(in);
	size_t size;

	*z = (struct zip){ .in = in };
	if (e == NULL)
		return fail(z, "zip archive without a directory");
	z->left = get16(e + 10);
	size = get32(e + 12);
	z->start = get32(e + 16);
	z->end = (size_t)(e - in.p);
	if (z->left == 0xffff || size == UINT32_MAX || z->start == UINT32_MAX)
		return fail(z, "zip64 archive");
	if (get16(e + 4) != 0 || get16(e + 6) != 0 || get16(e + 8) != z->left)
		return fail(z, "zip archive of several disks");
	if (z->left == 0)
		return fail(z, "empty zip archive");
	if (z->left > ZIP_ENTRIES)
		return fail(z, "too many entries in a zip archive");
	if (z->start > z->end || size != z->end - z->start)
		return fail(z, "zip directory is damaged");
	z->off = z->start;
	return 0;
}

/* The octets of an entry lie before the directory, behind a header that
 * agrees with it. */
static int
entry_data(struct zip *z, struct zip_entry *e, size_t local, size_t packed)
{
	const char *p = z->in.p + local;
	size_t start;

	if (local > z->start || z->start - local < LOCAL_LEN ||
	    memcmp(p, "PK\3\4", 4) != 0)
		return fail(z, "zip entry is damaged");
	start = LOCAL_LEN + get16(p + 26) + get16(p + 28);
	if (z->start - local < start || z->start - local - start < packed)
		return fail(z, "zip entry is damaged");
	if ((get16(p + 6) & FLAG_BAD) != 0)
		return fail(z, "zip entry is encrypted");
	if (get16(p + 8) != (unsigned int)e->method)
		return fail(z, "zip entry is damaged");
	e->data = slice_of(p + start, packed);
	return 0;
}

int
zip_next(struct zip *z, struct zip_entry *e)
{
	const char *p = z->in.p + z->off;
	size_t n, packed;

	if (z->left == 0)
		return 0;
	if (z->end - z->off < ENTRY_LEN || memcmp(p, "PK\1\2", 4) != 0)
		return fail(z, "zip directory is damaged");
	n = ENTRY_LEN + get16(p + 28) + get16(p + 30) + get16(p + 32);
	if (z->end - z->off < n)
		return fail(z, "zip directory is damaged");
	*e = (struct zip_entry){ .name = { p + ENTRY_LEN, get16(p + 28) },
	    .method = (int)get16(p + 10), .crc = get32(p + 16),
	    .size = get32(p + 24) };
	packed = get32(p + 20);
	if ((get16(p + 8) & FLAG_BAD) != 0)
		return fail(z, "zip entry is encrypted");
	if (packed == UINT32_MAX || e->size == UINT32_MAX ||
	    get32(p + 42) == UINT32_MAX)
		return fail(z, "zip64 archive");
	if (e->method != 0 && e->method != 8)
		return fail(z, "zip entry packed in an unknown way");
	if (get16(p + 34) != 0)
		return fail(z, "zip archive of several disks");
	z->off += n;
	z->left--;
	return entry_data(z, e, get32(p + 42), packed) == -1 ? -1 : 1;
}
