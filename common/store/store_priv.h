/*
 * What the files of the store share among themselves: on-disk constants,
 * the in-memory account, and one group of prototypes a file.  Nobody outside
 * common/store includes this (the unit tests and fuzz entries do).
 */

#ifndef STORE_PRIV_H
#define STORE_PRIV_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/le.h"
#include "store/store.h"

#define PAD8(n)		(((n) + 7) & ~(size_t)7)

/* ---- backend.c: the file calls ----------------------------------- */

#define SEGMENT_CACHE	8		/* open segments of an account */
#define SEGMENT_CACHE_DELIVER 2		/* the same in deliver: many accounts */
#define FACTS_CACHE	4		/* open facts.NNNN; in deliver one */

struct segment {			/* an open mail.NNNN or facts.NNNN */
	uint32_t	 number;
	int		 fd;
	uint64_t	 used;		/* clock of the last use; 0: free */
};

struct loghead;

struct backend {
	enum store_mode	 mode;
	int		 dir;
	int		 lock;
	int		 log;		/* "journal" */
	int		 notify;	/* directory, -1 until needed */
	struct segment	 seg[SEGMENT_CACHE];
	struct segment	 facts[FACTS_CACHE];
	uint64_t	 clock;
	uint32_t	 generation;	/* of the log; whose marks count */
	uint64_t	 end_pos;	/* where it began to be continued */
	bool		 locked;
};

#define MARK_DAMAGED	0x1		/* somebody saw damage under the lock */
#define MARK_SYNCFAIL	0x2		/* a sync of what is behind failed */

struct mark {				/* what `lock` holds */
	uint64_t	 pos;		/* log and bytes are durable up to */
	uint64_t	 mended;	/* the failure that was, or is to be,
					   written again; 0: none */
	uint32_t	 flags;
};

enum store_result backend_errno(int);
void	 backend_fault(int fd, int e);
void	 backend_why(const struct backend *, char *, size_t);
enum store_result backend_open(struct backend *, int dirfd, enum store_mode);
void	 backend_close(struct backend *);
int	 backend_file(int dir, const char *name, int flags);
enum store_result backend_begin(struct backend *, uint64_t *end);
void	 backend_end(struct backend *);
enum store_result backend_log_size(struct backend *, uint64_t *);
enum store_result backend_log_append(struct backend *, uint64_t end,
	    const void *, size_t);
enum store_result backend_log_cut(struct backend *, uint64_t end);
enum store_result backend_read(int fd, uint64_t off, void *, size_t,
	    size_t *got);
enum store_result backend_range(int fd, uint64_t off, void *, size_t);
enum store_result backend_write(int fd, uint64_t off, struct iovec *, int);
enum store_result backend_replace(struct backend *, const char *name,
	    struct iovec *, int);
enum store_result backend_mark_get(struct backend *, uint32_t seed,
	    struct mark *);
void	 backend_of(struct backend *, const struct loghead *);
void	 backend_mark_set(struct backend *, uint32_t seed,
	    const struct mark *);
void	 backend_mark_fail(struct backend *, uint32_t seed, uint64_t pos);
void	 backend_mark_damaged(struct backend *, uint32_t seed);

/* ---- journal.c: groups of records -------------------------------- */

#define LOG_VERSION	2
#define LOG_HEADER	128		/* of version 2 */
#define LOG_HEADER_1	64		/* of version 1 */
#define LOG_GROUP_HEAD	32
#define LOG_TRAILER	64
#define LOG_REC_HEAD	8
#define LOG_GROUP_MAX	(16U << 20)
#define LOG_GROUP_MIN	(LOG_GROUP_HEAD + LOG_TRAILER)
#define LOG_PIECE	(8U << 20)	/* of log that deliver reads at once */

enum rec_type {
	REC_MAILBOX_CREATE = 1,
	REC_MAILBOX_DELETE,
	REC_MAILBOX_RENAME,
	REC_SUBSCRIBE,
	REC_KEYWORD,
	REC_ADD_1,		/* _1: a first form, only read any more */
	REC_FLAGS_1,
	REC_EXPUNGE,
	REC_COPY_1,
	REC_MOVE_1,
	REC_RECENT,
	REC_FORGET,
	REC_SEGMENT,
	REC_FACTS,
	REC_LOST,
	REC_QUOTA,		/* reserved: limits kept with the account */
	REC_SIEVE,		/* reserved: script put, active, removed */
	REC_COMPACT,
	REC_MSG,
	REC_FLAGS,
	REC_COPY,
	REC_MOVE,
	REC_JUMP,
	REC_PURGE,
	REC_BASE,
	REC_BOX,
	REC_IDS,
	REC_BASE_END,
	REC_LAST = REC_BASE_END
};

#define REC_MAY		0x8000	/* flag: who does not know it may skip it */
#define REC_MSG_ID	0x0001	/* flag of REC_MSG: a delivery id follows */

#define REC_ADD_1_LEN	64	/* without the id */
#define REC_MSG_LEN	88	/* without the id and the keywords */
#define REC_FLAGS_LEN	24	/* before keywords and ranges */
#define REC_COPY_LEN	24	/* before pairs and ranges */
#define REC_COMPACT_LEN	16	/* before the items */
#define REC_MOVED_LEN	32	/* an item */
#define REC_BOX_LEN	48	/* before the expunges */
#define REC_ID_LEN	24	/* a delivery id and its time */

#define LOG_FORMS	0x1	/* feature: the forms of version 2 */
#define LOG_FEATURES	LOG_FORMS

struct trailer {
	uint64_t	 seq;
	uint64_t	 bytes;		/* of all messages of all mailboxes */
	uint64_t	 facts_end;	/* where the next blob goes */
	uint32_t	 messages;
	uint32_t	 inbox_uidnext;
	uint32_t	 segment;	/* shared one now written, 0 none */
	uint32_t	 segment_next;	/* lowest number never used */
	uint32_t	 features;	/* that a writer has to know, LOG_ */
	uint8_t		 warned;	/* percent of the quota, told the user */
	uint8_t		 marks;		/* bit 0: a script is active */
};

struct loghead {
	uint8_t		 uuid[16];
	uint64_t	 generation;
	uint64_t	 created;
	uint64_t	 base;		/* MODSEQ of the snapshot it begins
					   with, 0: none */
	uint64_t	 end_seq;	/* the group it was begun to be */
	uint64_t	 end_pos;	/* continued behind, and where */
	uint32_t	 version;
	uint32_t	 len;		/* the first group is there */
};

struct rec {
	uint32_t	 type;
	uint32_t	 flags;
	const uint8_t	*p;
	size_t		 n;
};

struct loggroup {			/* one that was read */
	uint64_t	 seq;
	uint64_t	 time;		/* seconds */
	uint32_t	 nrec;
	const uint8_t	*recs;
	size_t		 nrecs;		/* octets */
	struct trailer	 tr;
};

struct group {				/* one that is made */
	uint8_t		*p;
	size_t		 n, cap;
	uint32_t	 nrec;
	bool		 failed;	/* out of memory, or too long */
};

void	 loghead_encode(const struct loghead *, uint8_t [LOG_HEADER]);
enum store_result loghead_decode(const uint8_t *, size_t, struct loghead *);
bool	 loggroup_known(const struct loggroup *);
bool	 loggroup_follows(const struct loggroup *, uint64_t seq);
uint32_t log_seed(const uint8_t uuid[16]);
void	 group_start(struct group *);
uint8_t	*group_add(struct group *, enum rec_type, uint32_t flags, size_t n);
int	 group_finish(struct group *, uint32_t seed, uint64_t time,
	    const struct trailer *);
void	 group_free(struct group *);
ssize_t	 loggroup_parse(const uint8_t *, size_t, uint32_t seed,
	    struct loggroup *, size_t *want);
void	 trailer_now(struct trailer *);
void	 trailer_encode(uint8_t [LOG_TRAILER], const struct trailer *, size_t);
int	 trailer_parse(const uint8_t [LOG_TRAILER], struct trailer *,
	    size_t *len);
int	 rec_next(const uint8_t **, size_t *, struct rec *);
ssize_t	 log_resync(const uint8_t *, size_t, uint32_t seed);

/* ---- record.c: messages and ranges in records -------------------- */

struct kwlist {				/* numbers of keywords, ascending */
	uint16_t	 v[STORE_KEYWORDS_MAX];
	size_t		 n;
};

struct msgrec {				/* REC_MSG, or one of the first form */
	uint32_t	 mailbox;
	struct store_msg m;		/* without kwset */
	struct kwlist	 kw;
	const uint8_t	*id;		/* delivery id, or NULL */
};

bool	 rec_is_message(const struct rec *);
int	 msgrec_decode(const struct rec *, const struct loggroup *,
	    uint32_t ordinal, struct msgrec *);
int	 msgrec_encode(struct group *, const struct msgrec *);
int	 kwlist_get(const uint8_t *, uint32_t n, struct kwlist *);
void	 kwlist_put(uint8_t *, const struct kwlist *);
int	 get_ranges(const struct rec *, size_t off, uint32_t n);
struct store_range range_at(const struct rec *, size_t off, uint32_t i);
uint8_t	*put_ranges(uint8_t *, const struct store_range *, size_t n);

/* ---- state.c: the account in memory ------------------------------ */

#define MSG_GONE	0x100	/* in store_msg.flags: expunged */
#define INBOX_ID	1
#define MAILBOX_IDS_MAX	(1U << 20)	/* mailboxes ever made */
#define TAIL_CHUNK	256	/* messages allocated at once */
#define TOMBS_MAX	65536		/* remembered expunges of a mailbox */

struct kwset {				/* keywords of some messages */
	uint16_t	*v;
	uint32_t	 n;
	uint32_t	 refs;		/* messages that have it; 0: free */
	uint32_t	 next;		/* with the same hash, or free */
};

struct keywords {			/* of a mailbox; keywords.c */
	char		**names;
	uint32_t	 n, cap;
	uint32_t	 told;		/* counts definitions */
	struct kwset	*sets;		/* [0] is the empty set */
	uint32_t	 nsets, capsets;
	uint32_t	 spare;		/* first free set, 0 none */
	uint32_t	*heads;		/* of sets with a hash, 0 none */
	uint32_t	 nheads;
};

struct tomb {
	struct store_range uids;
	uint64_t	 modseq;
};

struct mailbox {
	char		*name;
	uint32_t	 id;
	uint32_t	 attr;		/* STORE_MB_SPECIAL | NOSELECT */
	uint32_t	 uidvalidity;
	uint32_t	 uidnext;
	uint32_t	 recent;	/* UIDs up to here are claimed */
	uint32_t	 messages;	/* live ones */
	uint32_t	 unseen;
	uint64_t	 bytes;
	uint64_t	 modseq;	/* highest */
	struct store_msg *base;	/* mapped or allocated with the index */
	struct store_msg **tail;	/* chunks: messages never move */
	uint32_t	 nbase, ntail, nchunks;
	uint32_t	 ngone;
	struct keywords	 kw;
	struct tomb	*tombs;
	uint32_t	 ntombs, captombs;
	uint64_t	 tombs_from;	/* complete for modseqs above this */
	struct store_view *views;
	bool		 removed;	/* kept for its gone messages */
};

struct idset {				/* delivery ids not yet forgotten */
	struct idslot {
		uint8_t	 id[STORE_ID_LEN];
		uint64_t time;		/* 0: slot is free */
	}		*v;
	size_t		 n, cap;
};

struct state {
	bool		 messages;	/* false: tree, uidnext and ids only */
	struct mailbox	**byname;	/* strcmp order */
	size_t		 nnames, capnames;
	struct mailbox	**byid;		/* [id]; NULL when removed */
	uint32_t	 nids;
	uint32_t	 lastid;	/* highest id ever given */
	uint32_t	 uidvalidity;	/* last one given */
	char		**subs;		/* strcmp order */
	size_t		 nsubs, capsubs;
	struct idset	 ids;
	void		*map;		/* index, NULL if none */
	size_t		 mapn;
	bool		 mapped;	/* else allocated */
	struct store_view *mute;	/* its own changes, .SILENT */
	uint32_t	 ordinal;	/* messages added by this group */
	bool		 base;		/* within a snapshot */
	uint64_t	 gone_from;	/* gone messages are known for modseqs
					   above this */
	struct mailbox	**removed;	/* that have such */
	size_t		 nremoved, capremoved;
};

/* Is it expunged, and to be remembered? */
static inline bool
msg_remembered(const struct state *s, const struct store_msg *m)
{
	return (m->flags & MSG_GONE) != 0 && m->modseq > s->gone_from;
}

struct state *state_new(bool messages);
void	 state_free(struct state *);
int	 state_apply(struct state *, const struct loggroup *);
struct mailbox *mailbox_byid(struct state *, uint32_t);
struct mailbox *mailbox_byname(struct state *, const char *);
struct mailbox *mailbox_insert(struct state *, const char *name, uint32_t id);
bool	 mailbox_children(struct state *, const struct mailbox *);
int	 mailbox_tomb(struct mailbox *, struct store_range, uint64_t modseq);
void	 mailbox_free(struct mailbox *);
int	 mailbox_remember(struct state *, struct mailbox *);
void	 removed_trim(struct state *);
struct mailbox *mailbox_next(const struct state *, size_t *);
uint32_t mailbox_recent(struct mailbox *);
int	 subs_set(struct state *, const char *name, bool on);
bool	 subs_has(struct state *, const char *name);
int	 name_canon(const char *, char [STORE_NAME_MAX + 1]);

static inline uint32_t
mailbox_slots(const struct mailbox *m)
{
	return m->nbase + m->ntail;
}

static inline struct store_msg *
mailbox_msg(struct mailbox *m, uint32_t slot)
{
	if (slot < m->nbase)
		return &m->base[slot];
	slot -= m->nbase;
	return &m->tail[slot / TAIL_CHUNK][slot % TAIL_CHUNK];
}

uint32_t mailbox_slot(struct mailbox *, uint32_t uid);

/* ---- keywords.c -------------------------------------------------- */

#define KWSET_NONE	UINT32_MAX	/* out of memory */

int	 keyword_number(const struct keywords *, const char *);
int	 keyword_define(struct keywords *, uint32_t number, const char *,
	    size_t n);
bool	 keywords_full(const struct keywords *);
int	 keywords_spare(const struct keywords *, const uint8_t *taken);
uint32_t kwset_find(struct keywords *, const uint16_t *, size_t n);
const struct kwset *kwset_at(const struct keywords *, uint32_t);
bool	 kwset_has(const struct kwset *, uint32_t number);
void	 kwlist_add(struct kwlist *, uint16_t, size_t max);
void	 kwlist_apply(const struct kwset *, enum store_flagop,
	    const struct kwlist *, struct kwlist *out);
void	 kwset_ref(struct keywords *, uint32_t);
void	 kwset_unref(struct keywords *, uint32_t);
uint32_t kwset_used(const struct keywords *);
uint32_t *kwset_ranks(const struct keywords *);
void	 kwset_trim(struct keywords *);
void	 keywords_free(struct keywords *);

/* ---- space.c ----------------------------------------------------- */

struct extent {				/* octets of a segment */
	struct store_msg *msg;
	uint64_t	 offset;
	uint32_t	 segment;
	bool		 gone;		/* the message is expunged */
	bool		 again;		/* as one before, or nothing */
	int64_t		 since;		/* when it was expunged */
};

struct segspace {
	uint32_t	 number;
	uint64_t	 need;		/* octets with their lines */
	uint64_t	 size;		/* of the file */
	bool		 facts;		/* of messages elsewhere lie beside */
	bool		 overdue;	/* expunged mail is in it for long */
};

struct space {
	struct extent	*v;		/* by place */
	size_t		 n;
	struct segspace	*seg;		/* by number */
	size_t		 nsegs, capsegs;
	uint64_t	 keep_from;	/* MODSEQ: bytes expunged behind it are
					   kept */
	uint64_t	 drop_to;	/* those up to it are forgotten */
	uint64_t	 gone, gone_bytes;
	bool		 old_facts;	/* `facts` is needed */
};

enum store_result space_take(struct store *, const struct store_keep *,
	    struct space *);
bool	 extent_needed(const struct space *, const struct extent *);
struct segspace *segspace_find(const struct space *, uint32_t number);
void	 space_free(struct space *);

/* ---- rewrite.c: a new journal ------------------------------------ */

uint64_t journal_need(const struct store *);
bool	 journal_long(const struct store *);
bool	 journal_grown(const struct store *);
enum store_result journal_rewrite(struct store *);

/* ---- ids.c ------------------------------------------------------- */

int	 idset_add(struct idset *, const uint8_t [STORE_ID_LEN], uint64_t time);
bool	 idset_has(const struct idset *, const uint8_t [STORE_ID_LEN]);
void	 idset_del(struct idset *, const uint8_t [STORE_ID_LEN]);
void	 idset_free(struct idset *);

/* ---- apply_msg.c, for apply.c ------------------------------------ */

int	 apply_message(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_flags(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_expunge(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_copy(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_facts(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_lost(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_compact(struct state *, const struct rec *,
	    const struct loggroup *);
int	 apply_purge(struct state *, const struct rec *,
	    const struct loggroup *);
void	 mailbox_empty(struct mailbox *, const struct loggroup *);

/* ---- index.c: the checkpoint ------------------------------------- */

#define INDEX_VERSION	2

struct index_at {			/* where the checkpoint stands */
	uint64_t	 pos;
	uint32_t	 generation;	/* of the log that is in */
	struct trailer	 tr;
};

int	 index_parse(uint8_t *, size_t, const uint8_t uuid[16],
	    struct state *, struct index_at *);
enum store_result index_known(struct backend *);
enum store_result index_load(struct backend *, const uint8_t uuid[16],
	    struct state **, bool messages, struct index_at *);
enum store_result index_write(struct backend *, const uint8_t uuid[16],
	    struct state *, const struct index_at *, uint64_t now);

/* ---- segment.c: mail.NNNN ---------------------------------------- */

#define SEGMENT_LINE	160	/* readable line before each message */
#define SEGMENT_TAIL	2	/* CRLF behind it */
#define SEGMENT_PIECE	65536	/* of a message, at most, for segment_piece */

enum segment_kind {		/* as REC_SEGMENT says */
	SEGMENT_SHARED,
	SEGMENT_OWN,		/* of one large message */
	SEGMENT_MOVED,		/* what was needed of another one */
	SEGMENT_SEALED		/* it was shared, and is written no more */
};

struct segwrite {		/* a segment that bytes go to */
	uint32_t	 number;
	uint32_t	 next;		/* trailer's segment_next afterwards */
	int		 fd;		/* of the cache */
	uint64_t	 nonce;
	uint64_t	 start;		/* to roll back to */
	uint64_t	 end;
	bool		 created;
};

void	 segment_line(char [SEGMENT_LINE], uint64_t nonce,
	    const struct store_msg *, const uint8_t id[STORE_ID_LEN]);
int	 segment_fd(struct backend *, uint32_t number);
void	 segment_gone(struct backend *, uint32_t number);
struct segment *segment_slot(struct segment *, size_t n);
enum store_result segment_create(struct store *, struct segwrite *);
enum store_result segment_begin(struct store *, size_t need,
	    struct segwrite *);
void	 segment_rollback(struct store *, struct segwrite *);
void	 segment_done(struct store *, const struct segwrite *,
	    struct trailer *);
enum store_result segment_for_facts(struct store *, struct segwrite *,
	    struct trailer *);
int	 segment_record(struct group *, const struct segwrite *,
	    enum segment_kind);
void	 segment_name(char [32], uint32_t number);
void	 segment_hold(struct backend *, struct segwrite *);
enum store_result segment_line_again(struct backend *,
	    const struct store_msg *, uint64_t nonce, char [SEGMENT_LINE]);
enum store_result segment_piece(struct backend *, const struct store_msg *,
	    uint32_t off, uint32_t n, uint32_t *crc, bool again);
enum store_result segment_check(struct backend *, const struct store_msg *);

/* ---- factfile.c -------------------------------------------------- */

#define FACTS_HEADER	64
#define FACTS_ENTRY	24	/* before each blob */
#define FACTS_ROOM(n)	(FACTS_ENTRY + PAD8(n))

void	 facts_name(char [32], uint32_t number);
void	 facts_entry(struct store *, uint8_t [FACTS_ENTRY],
	    const struct store_msg *, const void *, size_t);
enum store_result facts_open(struct store *, uint32_t number, bool make,
	    int *fd);
enum store_result facts_known(struct store *);
enum store_result facts_write(struct store *, uint32_t number, uint64_t off,
	    struct iovec *, int);
void	 facts_forget(struct backend *);
void	 facts_gone(struct backend *, uint32_t number);
void	 facts_remove(struct store *);
int	 facts_check(struct store *, const uint8_t *, size_t,
	    const struct store_msg *);

/* ---- read.c ------------------------------------------------------ */

struct window {				/* read-ahead */
	uint8_t		*p;
	size_t		 n, cap;
	uint64_t	 off;
	uint32_t	 file;		/* number of the segment or facts */
	size_t		 ahead;
};

enum store_result facts_fetch(struct store *, const struct store_msg *,
	    struct iovec *);
enum store_result facts_read(struct store *, const struct store_msg *,
	    struct iovec *);

/* ---- account.c: catch up, transactions --------------------------- */

#define DIRTY_MAX	16		/* segments to sync one by one */
#define FORGET_MAX	4096		/* ids waiting for the next group */
#define LOST_MAX	1024		/* messages given up in one go */

struct lost {
	uint32_t	 segment;
	bool		 hasid;
	uint64_t	 offset;
	uint8_t		 id[STORE_ID_LEN];
};

/* Where the check of what may have been lost is; recover.c. */
struct look {
	bool		 due;
	bool		 rewrite;	/* a sync failed: write again */
	uint64_t	 mended;	/* which failure that was */
	uint64_t	 pos;		/* of the group looked at */
	uint64_t	 end;		/* of the last one; 0 not yet known */
	uint64_t	 marked;	/* the mark is there */
	uint64_t	 written;	/* again, of the log */
	uint64_t	 since;		/* octets read after the last mark */
	uint32_t	 rec;		/* records of the group that are done */
	uint32_t	 done;		/* octets of the next one's message */
	uint32_t	 crc;		/* of these */
};

struct store {
	struct backend	 b;
	struct loghead	 head;
	uint32_t	 seed;
	uint64_t	 pos;		/* log is known up to here, 0 not yet */
	uint64_t	 durable;	/* and on stable storage up to here */
	uint64_t	 want;		/* and has to be, before it is shown */
	struct look	 look;		/* what a crash may have taken */
	bool		 behind;	/* the rest waits for another piece */
	bool		 base;		/* within the snapshot of the log */
	uint64_t	 index_pos;
	uint64_t	 index_size;
	struct trailer	 tr;
	struct state	*state;		/* NULL: deliver without need */
	struct group	 g;
	bool		 damaged;	/* may only be read */
	bool		 failed;	/* a sync failed: may not be used */
	bool		 gone;		/* nor if its log is no more */
	bool		 rewritten;	/* what one left in doubt, by us */
	bool		 dirty_dir;
	bool		 dirty_all;
	uint32_t	 dirty[DIRTY_MAX];
	unsigned int	 ndirty;
	uint32_t	 seg;		/* segment seg_nonce is of */
	uint64_t	 seg_nonce;
	uint64_t	 max_bytes, max_messages;
	uint8_t		 warn[STORE_WARN_MAX];	/* percent, 0 none */
	uint8_t		 warned;	/* reached by the last delivery */
	uint8_t		(*forget)[STORE_ID_LEN];
	size_t		 nforget;
	struct lost	*lost;
	size_t		 nlost;
	struct window	 mail, facts;
	struct store_mailbox iter;
	int		 watch;
	char		 watch_name[40];
};

/* What all get from one that may not be used any more; who was told that its
 * log is gone may not have been the one who has to open it anew. */
static inline enum store_result
store_failure(const struct store *st)
{
	return st->gone ? STORE_GONE : STORE_IO;
}

enum store_result store_begin(struct store *);
enum store_result store_group(struct store *, struct trailer *);
enum store_result store_finish(struct store *, struct trailer *);
void	 store_abort(struct store *);
enum store_result store_catch_up(struct store *, uint64_t end);
enum store_result store_jump(struct store *, uint64_t pos);
enum store_result store_load(struct store *, bool messages, uint64_t end);
enum store_result store_need_state(struct store *, bool messages);
uint8_t	*store_buffer(size_t n);
bool	 store_room(const struct store *, uint64_t bytes, uint64_t messages);

/* ---- open.c ------------------------------------------------------ */

struct store *store_again(struct store *, enum store_result *);

/* ---- follow.c ---------------------------------------------------- */

enum store_result log_head(int fd, struct loghead *);
enum store_result store_log_end(struct store *, uint64_t *);
enum store_result store_lock(struct store *, uint64_t *);

/* ---- sync.c ------------------------------------------------------ */

void	 store_seen(struct store *, size_t len, const struct loggroup *);
enum store_result store_sync_files(struct store *);

/* ---- recover.c --------------------------------------------------- */

void	 store_recover_from(struct store *, uint64_t pos,
	    const struct mark *);
enum store_result store_recover(struct store *);

/* ---- view.c ------------------------------------------------------ */

void	 view_changed(struct mailbox *, uint32_t slot, struct store_view *mute);
void	 view_gone(struct mailbox *, uint32_t slot);
void	 view_deleted(struct mailbox *);

/* ---- view.c, shared with write.c --------------------------------- */

struct recents {		/* UIDs that are \Recent for one view */
	struct store_range *v;
	size_t		 n, cap;
};

struct slots {			/* a list of slots */
	uint32_t	*v;
	size_t		 n, cap;
};

struct store_view {
	struct store	*st;
	struct mailbox	*m;
	struct store_view *next;	/* of the same mailbox */
	unsigned int	 flags;
	bool		 deleted;
	uint32_t	 seen;		/* slots of the mailbox looked at */
	uint32_t	 exists;
	uint32_t	 uidnext;
	uint32_t	 keywords_told;	/* reported */
	struct slots	 live;		/* slot of each seq; v NULL: the same */
	struct slots	 changed;	/* slots, any order */
	struct slots	 gone;		/* slots still in live */
	bool		 lost;		/* no memory for changed: all are */
	uint64_t	 reported;	/* modseq up to which changes were */
	uint64_t	 told;		/* and expunges */
	struct recents	 recents;
	uint32_t	*seqs;		/* handed out */
	size_t		 capseqs;
	uint32_t	*uids;
	size_t		 capuids;
	struct store_range *ranges;
	size_t		 nranges, capranges;
};

uint32_t view_slot(const struct store_view *, uint32_t seq);
int	 slots_add(struct slots *, uint32_t slot);

/* ---- write.c ----------------------------------------------------- */

int	 view_range_add(struct store_view *, uint32_t first, uint32_t last);

struct keyset {			/* keywords a group defines in a mailbox */
	struct mailbox	*m;
	uint8_t		 taken[STORE_KEYWORDS_MAX / 8];	/* by this group */
	uint32_t	 n;
	uint16_t	 number[STORE_KEYWORDS_MAX];
	const char	*name[STORE_KEYWORDS_MAX];
};

void	 keyset_start(struct keyset *, struct mailbox *);
enum store_result keyset_number(struct keyset *, struct group *,
	    const char *name, uint16_t *);
enum store_result keyset_list(struct keyset *, struct group *,
	    const struct store_flagset *, struct kwlist *);
void	 keyset_known(const struct mailbox *, const struct store_flagset *,
	    struct kwlist *);
void	 keywords_note(const struct mailbox *, uint32_t kwset, uint8_t *used);
void	 copy_record(struct store *, struct mailbox *from,
	    struct mailbox *to, const struct store_range *, size_t,
	    uint32_t n, const uint8_t *keywords, bool move);

#endif /* STORE_PRIV_H */
