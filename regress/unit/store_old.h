/*
 * An account whose journal has the first form, made octet by octet: what the
 * store wrote before there was a second one.
 */
#ifndef STORE_OLD_H
#define STORE_OLD_H

#include "store_test.h"

#define OLD_HEAD	64
#define UUID		"first-form-uuid"

struct old {				/* a journal of the first form */
	struct group	 g;
	struct trailer	 tr;
	uint8_t		*p;
	size_t		 n;
	char		 mail[4096];
	size_t		 nmail;
	size_t		 size[8];	/* of each UID */
};

static void
old_start(struct old *o)
{
	memset(o, 0, sizeof(*o));
	o->p = calloc(1, 65536);
	assert_non_null(o->p);
	memcpy(o->p, "MAILDJNL", 8);
	put32(o->p + 8, 1);
	put32(o->p + 12, OLD_HEAD);
	memcpy(o->p + 16, UUID, 16);
	put64(o->p + 32, 1);
	put64(o->p + 48, 1790000000);
	put32(o->p + 60, crc32c(0, o->p, 60));
	o->n = OLD_HEAD;
	o->tr = (struct trailer){ .inbox_uidnext = 1, .segment_next = 1,
	    .facts_end = FACTS_HEADER };
	o->nmail = 160;
	memset(o->mail, ' ', sizeof(o->mail));
	memcpy(o->mail, "maild-segment 1 number=0000000001 nonce=", 40);
	memset(o->mail + 40, '7', 16);
	group_start(&o->g);
}

static void
old_group(struct old *o)
{
	o->tr.seq++;
	assert_int_equal(group_finish(&o->g, log_seed((const uint8_t *)UUID),
	    (1790000000 + o->tr.seq) * 1000000, &o->tr), 0);
	memcpy(o->p + o->n, o->g.p, o->g.n);
	o->n += o->g.n;
	group_start(&o->g);
}

static void
old_mailbox(struct old *o, uint32_t id, const char *name)
{
	uint8_t *p = group_add(&o->g, REC_MAILBOX_CREATE, 0,
	    16 + strlen(name));

	put32(p, id);
	put32(p + 4, 1790000000 + id);
	put32(p + 12, (uint32_t)strlen(name));
	memcpy(p + 16, name, strlen(name));
}

static void
old_keyword(struct old *o, uint32_t box, uint32_t bit, const char *name)
{
	uint8_t *p = group_add(&o->g, REC_KEYWORD, 0, 12 + strlen(name));

	put32(p, box);
	put32(p + 4, bit);
	put32(p + 8, (uint32_t)strlen(name));
	memcpy(p + 12, name, strlen(name));
}

static void
old_message(struct old *o, uint32_t uid, uint64_t keywords)
{
	char text[1024];
	size_t n = message(text, sizeof(text), (int)uid);
	uint8_t *p = group_add(&o->g, REC_ADD_1, 0, 64);

	put32(p, INBOX_ID);
	put32(p + 4, uid);
	put32(p + 8, STORE_FLAGGED);
	put32(p + 12, (uint32_t)n);
	put64(p + 16, keywords);
	put64(p + 24, 1780000000 + uid);
	put64(p + 32, o->nmail + 160);
	put32(p + 52, 1);
	put32(p + 60, crc32c(0, text, n));
	memcpy(o->mail + o->nmail + 160, text, n);
	o->nmail += 160 + n + 2;
	o->tr.messages++;
	o->tr.bytes += o->size[uid] = n;
	o->tr.inbox_uidnext = uid + 1;
	o->tr.segment = 1;
	o->tr.segment_next = 2;
}

/* FLAGS adds the keywords of bits to a range of INBOX. */
static void
old_flags(struct old *o, uint32_t op, uint32_t sys, uint64_t bits,
    uint32_t first, uint32_t last)
{
	uint8_t *p = group_add(&o->g, REC_FLAGS_1, 0, 32);

	put32(p, INBOX_ID);
	put32(p + 4, op);
	put32(p + 8, sys);
	put32(p + 12, 1);
	put64(p + 16, bits);
	put32(p + 24, first);
	put32(p + 28, last);
}

static void
old_copy(struct old *o, enum rec_type type, uint32_t first, uint32_t last,
    uint32_t uid, int from, int to)
{
	uint8_t *p = group_add(&o->g, type, 0, 96);

	put32(p, INBOX_ID);
	put32(p + 4, 2);
	put32(p + 8, uid);
	put32(p + 12, last - first + 1);
	put32(p + 16, 1);
	memset(p + 24, 255, 64);
	p[24 + from] = (uint8_t)to;
	put32(p + 88, first);
	put32(p + 92, last);
}

/* INBOX 1..5, Box with copies of 2 and 3 and what was 5. */
static void UNUSED
old_account(struct acct *a)
{
	struct old o;

	acct_new(a);
	dir_clean(a->fd);
	old_start(&o);
	old_mailbox(&o, 1, "INBOX");
	old_mailbox(&o, 2, "Box");
	old_group(&o);
	old_keyword(&o, 1, 0, "zero");
	old_keyword(&o, 1, 1, "one");
	old_message(&o, 1, 0);
	old_message(&o, 2, 3);
	old_message(&o, 3, 2);
	old_group(&o);
	old_message(&o, 4, 0);
	old_message(&o, 5, 1);
	old_group(&o);
	old_flags(&o, STORE_FLAGS_ADD, STORE_SEEN, 1, 1, 1);
	old_flags(&o, STORE_FLAGS_DEL, 0, 2, 3, 3);
	old_group(&o);
	old_keyword(&o, 2, 0, "ONE");
	old_copy(&o, REC_COPY_1, 2, 3, 1, 1, 0);
	o.tr.messages += 2;
	o.tr.bytes += o.size[2] + o.size[3];
	old_group(&o);
	old_copy(&o, REC_MOVE_1, 5, 5, 3, 0, 255);
	old_group(&o);
	spew(a, "journal", o.p, o.n);
	spew(a, "mail.0001", o.mail, o.nmail);
	free(o.p);
	group_free(&o.g);
}

#endif
