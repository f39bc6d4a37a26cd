/*
 * Every message of every channel, from the lists of msg.h themselves: as it
 * is meant it arrives, also with octets behind it; from the wrong side, on
 * any other channel, cut within a field, with other descriptors or the other
 * way with its id, it ends that channel, closes what came with it and reaches
 * no handler.  test_msg has the rule for what is shorter or longer.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"

#define FDS_TRIED	(MSG_MAXFD + 2)
#define RANDOM_PACKETS	300		/* on each side of each channel */

static struct {
	struct event_base *base;
	struct chan_handler handlers[MSG_TYPE_MAX];
	struct chan	*chan;
	int		 peer;		/* the test's end */
	int		 fd;		/* what messages carry */
	int		 gone, got;
} t;

static char big[MSG_MAX];

static void
on_gone(struct chan *c, void *arg)
{
	t.gone++;
	t.chan = NULL;
}

static void
on_message(struct chan *c, struct msg *m, void *arg)
{
	t.got++;
}

static int
setup(void **state)
{
	int type;

	log_setlevel(LOG_L_ERROR);
	memset(big, 'x', sizeof(big));
	t.base = event_base_new();
	for (type = 0; type < MSG_TYPE_MAX; type++)
		t.handlers[type] = (struct chan_handler){ (enum msg_type)type,
		    on_message };
	t.fd = open("/dev/null", O_RDONLY);
	return t.base == NULL || t.fd == -1;
}

/* A channel whose end of that side is under test; a role that handles
 * everything, so that only the lists stand in the way. */
static void
begin(enum chan_kind kind, enum chan_side side)
{
	const struct chan_ops ops = { on_gone, NULL };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	t.gone = t.got = 0;
	t.peer = sv[0];
	t.chan = chan_new(t.base, sv[1], kind, side, t.handlers,
	    NITEMS(t.handlers), &ops, NULL);
}

static void
end(void)
{
	chan_free(t.chan);
	t.chan = NULL;
	close(t.peer);
}

static void
say(const uint8_t *p, size_t n, int nfd)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int) * FDS_TRIED)];
	} c;
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int i, fds[FDS_TRIED];

	for (i = 0; i < nfd; i++)
		fds[i] = t.fd;
	if (nfd > 0) {
		memset(&c, 0, sizeof(c));
		mh.msg_control = c.b;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfd);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfd);
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * (size_t)nfd);
	}
	assert_int_equal(sendmsg(t.peer, &mh, MSG_NOSIGNAL), n);
	event_base_loop(t.base, EVLOOP_NONBLOCK);
}

/* The lowest free descriptor tells whether any was left open. */
static int
lowest_free(void)
{
	int fd = dup(t.fd);

	close(fd);
	return fd;
}

static void
refused(enum chan_kind kind, enum chan_side to, const uint8_t *p, size_t n,
    int nfd, const char *name, const char *how)
{
	int before = lowest_free();

	begin(kind, to);
	say(p, n, nfd);
	if (t.gone != 1 || t.got != 0)
		fail_msg("%s %s: gone %d, handled %d", name, how, t.gone,
		    t.got);
	end();
	if (lowest_free() != before)
		fail_msg("%s %s: a descriptor stays open", name, how);
}

/* A body whose texts are empty, or as long as they may be. */
static void
fill(union msg_body *b, enum msg_type type, int full)
{
#define PUT_u8(m, f, max)	m->f = 1;
#define PUT_u16(m, f, max)	m->f = 1;
#define PUT_u32(m, f, max)	m->f = 1;
#define PUT_u64(m, f, max)	m->f = 1;
#define PUT_mac(m, f, max)	memset(&m->f, 7, sizeof(m->f));
#define PUT_id(m, f, max)	memset(&m->f, 7, sizeof(m->f));
#define PUT_addr(m, f, max)	m->f.family = 4;
#define PUT_str(m, f, max)	m->f = slice_of(big, full ? (max) : 0);
#define PUT_blob(m, f, max)	m->f = slice_of(big, full ? (max) : 0);
#define F(type, name, max)	PUT_##type(m, name, max)
#define M(NAME, lname, chan, no, side, flags)				\
	case NAME: {							\
		struct lname *m = &b->lname;				\
									\
		NAME##_FIELDS(F)					\
		break;							\
	}
	memset(b, 0, sizeof(*b));
	switch (type) {
	MSG_LIST(M)
	case MSG_TYPE_MAX:
		break;
	}
#undef M
#undef F
}

static int
fds_of(const struct msg_info *info)
{
	return info->flags & MF_FD ? 1 : info->flags & MF_FD2 ? 2 : 0;
}

static enum chan_side
other(enum chan_side s)
{
	return s == SIDE_A ? SIDE_B : SIDE_A;
}

typedef void (*each_fn)(enum msg_type, const struct msg_info *, uint8_t *,
    size_t);

/* Every message, short and full, with an octet of room behind it. */
static void
each(each_fn fn)
{
	static uint8_t wire[MSG_MAX + 1];
	static union msg_body body;
	int type, full;
	ssize_t n;

	for (type = 0; type < MSG_TYPE_MAX; type++)
		for (full = 0; full < 2; full++) {
			const struct msg_info *info = &msg_info[type];

			fill(&body, (enum msg_type)type, full);
			n = msg_encode(wire, (enum msg_type)type,
			    info->flags & MF_EV ? 0 : 9, &body);
			assert_true(n > MSG_HDR);
			wire[n] = 0;
			fn((enum msg_type)type, info, wire, (size_t)n);
		}
}

/* The control: what is meant is handled and the channel goes on. */
static void
as_meant(enum msg_type type, const struct msg_info *info, uint8_t *p, size_t n)
{
	int before = lowest_free();

	begin(info->chan, other(info->sender));
	say(p, n, fds_of(info));
	if (t.gone != 0 || t.got != (info->flags & MF_ANSWER ? 0 : 1))
		fail_msg("%s: gone %d, handled %d", info->name, t.gone, t.got);
	end();
	assert_int_equal(lowest_free(), before);
}

static void
test_as_meant(void **state)
{
	each(as_meant);
}

static void
longer(enum msg_type type, const struct msg_info *info, uint8_t *p, size_t n)
{
	if (n < MSG_MAX)
		as_meant(type, info, p, n + 1);
}

static void
test_octets_behind_the_last_field(void **state)
{
	each(longer);
}

static void
wrong_sender(enum msg_type type, const struct msg_info *info, uint8_t *p,
    size_t n)
{
	refused(info->chan, info->sender, p, n, fds_of(info), info->name,
	    "from its owner's side");
}

static void
test_wrong_sender(void **state)
{
	each(wrong_sender);
}

static void
other_channels(enum msg_type type, const struct msg_info *info, uint8_t *p,
    size_t n)
{
	int kind, side;

	for (kind = 0; kind < CHAN_MAX; kind++)
		for (side = SIDE_A; side <= SIDE_B; side++)
			if (kind != (int)info->chan)
				refused((enum chan_kind)kind,
				    (enum chan_side)side, p, n, fds_of(info),
				    info->name, "on another channel");
}

static void
test_every_other_channel(void **state)
{
	each(other_channels);
}

/* Without the last octet a field is cut, or missing when it had but one. */
static bool
last_is_one_octet(enum msg_type type)
{
	static const char *const last[] = {
#define F(type, name, max)	#type
#define M(NAME, lname, chan, no, side, flags) [NAME] = NAME##_FIELDS(F),
		MSG_LIST(M)
#undef M
#undef F
	};
	const char *s = last[type];

	return strcmp(s + strlen(s) - 2, "u8") == 0;
}

static void
sizes(enum msg_type type, const struct msg_info *info, uint8_t *p, size_t n)
{
	enum chan_side to = other(info->sender);

	if (!last_is_one_octet(type))
		refused(info->chan, to, p, n - 1, fds_of(info), info->name,
		    "short");
	refused(info->chan, to, p, MSG_HDR - 1, fds_of(info), info->name,
	    "without a header");
}

static void
test_one_octet_short(void **state)
{
	each(sizes);
}

static void
descriptors(enum msg_type type, const struct msg_info *info, uint8_t *p,
    size_t n)
{
	int nfd;

	for (nfd = 0; nfd <= FDS_TRIED; nfd++)
		if (nfd != fds_of(info) &&
		    !(nfd == 1 && info->flags & MF_FDOPT))
			refused(info->chan, other(info->sender), p, n, nfd,
			    info->name, "with other descriptors");
}

static void
test_wrong_number_of_descriptors(void **state)
{
	each(descriptors);
}

static void
ids(enum msg_type type, const struct msg_info *info, uint8_t *p, size_t n)
{
	p[4] = info->flags & MF_EV ? 9 : 0;
	refused(info->chan, other(info->sender), p, n, fds_of(info),
	    info->name, info->flags & MF_EV ? "with an id" : "without an id");
	p[4] = info->flags & MF_EV ? 0 : 9;
	p[2] = 1;
	refused(info->chan, other(info->sender), p, n, fds_of(info),
	    info->name, "with a flag that there is not");
}

static void
test_id_missing_or_superfluous(void **state)
{
	each(ids);
}

static void
no_such_type(enum msg_type type, const struct msg_info *info, uint8_t *p,
    size_t n)
{
	enum chan_side to = other(info->sender);

	p[0] = 0;
	refused(info->chan, to, p, n, fds_of(info), info->name,
	    "under the number 0");
	p[0] = 0xff;
	refused(info->chan, to, p, n, fds_of(info), info->name,
	    "under a number that there is not");
	p[1] = CHAN_MAX;
	refused(info->chan, to, p, n, fds_of(info), info->name,
	    "of a channel that there is not");
	p[1] = 0xff;
	refused(info->chan, to, p, n, fds_of(info), info->name,
	    "under a high number");
}

static void
test_unknown_type(void **state)
{
	each(no_such_type);
}

/* Random packets at both ends of every channel: nothing but its end. */
static void
test_random_everywhere(void **state)
{
	uint8_t buf[600];
	int kind, side, i, ended = 0, before = lowest_free();
	size_t n;

	srandom(3);
	for (kind = 0; kind < CHAN_MAX; kind++)
		for (side = SIDE_A; side <= SIDE_B; side++)
			for (i = 0; i < RANDOM_PACKETS; i++) {
				for (n = 0; n < sizeof(buf); n++)
					buf[n] = (uint8_t)random();
				if (i % 3 != 0) {
					buf[0] %= 32;
					buf[1] = (uint8_t)kind;
					buf[2] = buf[3] = 0;
				}
				begin((enum chan_kind)kind,
				    (enum chan_side)side);
				say(buf, 1 + (size_t)random() % sizeof(buf),
				    (int)random() % (FDS_TRIED + 1));
				ended += t.gone;
				end();
			}
	assert_true(ended > CHAN_MAX * 2 * RANDOM_PACKETS * 9 / 10);
	assert_int_equal(lowest_free(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_meant),
		cmocka_unit_test(test_wrong_sender),
		cmocka_unit_test(test_every_other_channel),
		cmocka_unit_test(test_octets_behind_the_last_field),
		cmocka_unit_test(test_one_octet_short),
		cmocka_unit_test(test_wrong_number_of_descriptors),
		cmocka_unit_test(test_id_missing_or_superfluous),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_random_everywhere),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
