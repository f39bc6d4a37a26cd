/*
 * Any packet at any end of any channel, as msg_decode checks it:
 * common/msg/msg.c.
 * The first octet chooses channel and side, the second how many descriptors
 * came.  What is taken is encoded again and then reads the same, and every
 * blob is looked at as each kind of list.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "msg/msg.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* To the end of the list, or to where it is damaged. */
#define I(NAME, name)							\
static void								\
list_##name(struct slice s)						\
{									\
	static uint8_t buf[2 * MSG_MAX];				\
	struct name it, again;						\
	size_t off = 0, n, back;					\
									\
	while (name##_get(s, &off, &it) == 1) {				\
		n = back = 0;						\
		if (name##_put(buf, sizeof(buf), &n, &it) == -1 ||	\
		    name##_get(slice_of((char *)buf, n), &back,		\
		    &again) != 1 || back != n)				\
			abort();					\
	}								\
}
ITEM_LIST(I)
#undef I

static void
lists(struct slice s)
{
#define I(NAME, name) list_##name(s);
	ITEM_LIST(I)
#undef I
}

#define NONE(f)
#define LOOK_u8(f)	NONE(f)
#define LOOK_u16(f)	NONE(f)
#define LOOK_u32(f)	NONE(f)
#define LOOK_u64(f)	NONE(f)
#define LOOK_mac(f)	NONE(f)
#define LOOK_id(f)	NONE(f)
#define LOOK_addr(f)	NONE(f)
#define LOOK_str(f)	NONE(f)
#define LOOK_blob(f)	lists(m->f);
#define F(type, name, max) LOOK_##type(name)

static void
blobs(enum msg_type type, const union msg_body *b)
{
	switch (type) {
#define M(NAME, lname, chan, no, side, flags)				\
	case NAME: {							\
		const struct lname *m = &b->lname;			\
									\
		(void)m;						\
		NAME##_FIELDS(F)					\
		break;							\
	}
	MSG_LIST(M)
#undef M
	case MSG_TYPE_MAX:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t first[MSG_MAX], second[MSG_MAX];
	static union msg_body body;
	struct msg m = { .body = &body };
	enum chan_kind kind;
	enum chan_side side;
	const char *why;
	ssize_t k;
	int nfd;

	if (n < 2 || n > MSG_MAX)
		return 0;
	kind = (enum chan_kind)(data[0] / 2 % CHAN_MAX);
	side = data[0] % 2 == 0 ? SIDE_A : SIDE_B;
	nfd = data[1] % (MSG_MAXFD + 1);
	memset(&body, 0xa5, sizeof(body));
	if (msg_decode(data + 2, n - 2, kind, side, nfd, &m, &why) == -1)
		return 0;
	blobs(m.type, &body);
	if ((k = msg_encode(first, m.type, m.id, &body)) == -1 ||
	    msg_decode(first, (size_t)k, kind, side, nfd, &m, &why) == -1 ||
	    msg_encode(second, m.type, m.id, &body) != k ||
	    memcmp(first, second, (size_t)k) != 0)
		abort();
	return 0;
}
