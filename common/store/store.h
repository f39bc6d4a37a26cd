/*
 * The account store: one account = one directory = one append-only log.
 * maild-store(5) has the files and their invariants.
 *
 * Shape of use:
 *
 *	store_open() ... read and write calls ... store_commit() ... answer
 *
 * A write call locks, catches up, appends one atomic group and unlocks; it
 * does not sync.  store_commit() makes everything written durable and wakes
 * the watchers; only then may a client be told OK.  deliver, with many
 * accounts in a batch, instead calls syncfs(2) once and then store_synced()
 * and store_poke() for each account.
 *
 * Nothing here is thread safe.  store_open() sets umask(0) (the directory is
 * the wall) and the notify calls change the working directory.
 */

#ifndef STORE_H
#define STORE_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_ID_LEN		16		/* delivery id, bytes */
#define STORE_NAME_MAX		1000		/* mailbox name, bytes */
#define STORE_MAILBOXES_MAX	20000		/* mailboxes of an account */
#define STORE_SUBS_MAX		20000		/* subscriptions */
#define STORE_KEYWORDS_MAX	1024		/* keywords of a mailbox */
#define STORE_KEYWORDS_MSG	100		/* of them on one message */
#define STORE_KEYWORD_LEN	128		/* one keyword, bytes */
#define STORE_BATCH_MAX		256		/* messages of one group */
#define STORE_LARGE		(1U << 20)	/* own segment from here on */
#define STORE_SEGMENT_MAX	(64U << 20)	/* a segment is sealed here */
#define STORE_MESSAGE_MAX	(1U << 30)	/* octets of one message */
#define STORE_FACTS_MAX		(1U << 20)	/* octets of a facts blob */
#define STORE_SEP		'/'		/* hierarchy separator */

/*
 * What a call can say.  Only STORE_OK is success; nothing was changed by a
 * call that returns another value, except after STORE_IO: there the group
 * may be on disk or not, so a delivery repeated after STORE_IO has to set
 * maybe_done.  After STORE_IO, STORE_DAMAGED, STORE_NOMEM and STORE_GONE a
 * cached store is of no more use: close it, and open it anew for the next
 * attempt.  IO, NOMEM and ACCESS say that something could not be read or
 * written now, and nothing about what it holds: it is tried again.
 */
enum store_result {
	STORE_OK = 0,
	STORE_BUSY,		/* the lock was not free in time, or the check
				 * after a crash is not at its end */
	STORE_DAMAGED,		/* a record in the middle of the log is bad */
	STORE_NOSPACE,		/* disk or disk quota full */
	STORE_OVERQUOTA,	/* over the limit of store_limit() */
	STORE_IO,		/* a read, write or sync failed */
	STORE_NOTFOUND,		/* no such mailbox, message, account */
	STORE_EXISTS,		/* mailbox is there already */
	STORE_INVALID,		/* not a permitted name or argument */
	STORE_LIMIT,		/* one of the maxima above */
	STORE_DUPLICATE,	/* this delivery id is here already */
	STORE_READONLY,		/* the view was opened with EXAMINE */
	STORE_NOMEM,
	STORE_ACCESS,		/* not permitted to open or write a file */
	STORE_NEWER,		/* a newer release wrote what we do not know */
	STORE_GONE		/* the files we hold are no longer its own */
};

struct store;

/* Text for logs and answers; never NULL. */
const char	*store_strerror(enum store_result);

/*
 * "file: errno" of the call of the process that failed last, to be logged
 * with IO, NOMEM, ACCESS and NOSPACE.  st may be NULL: store_open() failed.
 */
const char	*store_why(struct store *);

/* ---- account ----------------------------------------------------- */

enum store_mode {
	STORE_SESSION,		/* whole state, may mmap; waits 5 s for lock */
	STORE_DELIVER		/* trusts nothing, pread only, never waits */
};

/*
 * Opens the account in directory dirfd (kept by the caller; the store makes
 * its own duplicate; it holds at most 7 descriptors in deliver, 16 in a
 * session, and one more with a watch).  All files are opened beneath it,
 * without symlinks, regular files only.  A new account's files are made
 * (store_create).  On success *st is freed by store_close().
 */
enum store_result store_open(struct store **st, int dirfd, enum store_mode);

/*
 * Makes the account's files in dirfd if they are not there: INBOX and the
 * RFC 6154 folders Drafts, Sent, Junk, Trash and Archive, all subscribed.
 * May be repeated and run at the same time by several processes.  Synced.
 * STORE_DAMAGED: there is mail, but no journal.
 */
enum store_result store_create(int dirfd);

/* Frees; unlinks a watch; writes nothing.  NULL is fine. */
void	 store_close(struct store *);

/* Limits for later writes; 0 is no limit.  Bytes count prefix + message. */
void	 store_limit(struct store *, uint64_t bytes, uint64_t messages);

/*
 * deliver: the percentages of these limits, of octets or messages, at which
 * the owner is to be told; 0 is none.  warned: which of them the last
 * store_deliver() reached, 0 none.  The trailer has what was told, so that it
 * is once; from STORE_WARN_SLACK below it is forgotten.
 */
#define STORE_WARN_MAX		8
#define STORE_WARN_SLACK	2
void	 store_warn(struct store *, const unsigned int *percent, size_t n);
unsigned int store_warned(const struct store *);

/*
 * deliver: BUSY because there is more to check than it does at once.  Each
 * call does a piece (some 16 MiB); OK when all is done.
 */
bool	 store_behind(const struct store *);
enum store_result store_settle(struct store *);

/*
 * There is damage, and only what stands before it is seen: where in the
 * journal that ends; 0 when there is none.
 */
uint64_t store_damaged(const struct store *);

/* What the account holds now (as of the last catch-up); cheap. */
void	 store_usage(struct store *, uint64_t *bytes, uint64_t *messages);

/*
 * Reads what others wrote.  With a session the new state is made durable
 * first (who shows must sync).  Views stay as they are, see
 * store_view_refresh().
 */
enum store_result store_refresh(struct store *);

/* Makes all that this process wrote or has seen durable (file syncs). */
enum store_result store_sync(struct store *);

/*
 * The caller has made all durable by syncfs(2), or that failed: noted for
 * the readers.  STORE_IO from synced: the caller's sync was good, but one of
 * another process was not.  After a failure (also one of store_sync()) the
 * store gives STORE_IO for everything, and store_failed() is true: close it
 * and open it anew, which writes again what is in doubt.
 */
enum store_result store_synced(struct store *);
void	 store_sync_failed(struct store *);
bool	 store_failed(const struct store *);

/* store_sync() and store_poke(). */
enum store_result store_commit(struct store *);

/* ---- delivery ---------------------------------------------------- */

/*
 * One message for one account.  The body comes from iov[] or, when fd is
 * not -1, from that file at off, len octets.  facts are opaque bytes (those
 * of the body alone, without prefix); empty: made when first asked for.
 */
struct store_item {
	uint8_t			 id[STORE_ID_LEN]; /* delivery id */
	const struct iovec	*prefix;	/* Return-Path etc., CRLF */
	int			 nprefix;	/* at most 8 */
	const struct iovec	*body;
	int			 nbody;		/* at most 16 */
	int			 fd;		/* or -1 */
	off_t			 off;
	size_t			 len;
	const void		*facts;
	size_t			 facts_len;
	int64_t			 date;		/* INTERNALDATE, seconds */
	const char		*mailbox;	/* NULL is INBOX */
	uint32_t		 flags;		/* STORE_SEEN ... */
	bool			 maybe_done;	/* look the id up first */

	enum store_result	 result;	/* of this item */
	/* when STORE_OK: */
	uint32_t		 uid, uidvalidity;
	bool			 inbox;		/* it is in INBOX */
};

/*
 * Adds n (<= STORE_BATCH_MAX) messages as one group and sets each item's
 * result: OK, DUPLICATE (counts as delivered), OVERQUOTA, INVALID; a mailbox
 * that is missing is replaced by INBOX.  Returns STORE_OK when the items'
 * results are to be read, else what hit them all (also set in each).
 * Does not sync and does not poke.
 */
enum store_result store_deliver(struct store *, struct store_item *, size_t n);

/*
 * The queue will never ask for these delivery ids again.  Kept in memory
 * and written with the next group of this store, or by store_flush().
 */
enum store_result store_forget(struct store *,
	    const uint8_t (*ids)[STORE_ID_LEN], size_t n);

/* Writes forgotten ids that still wait; not synced (losing it is harmless). */
enum store_result store_flush(struct store *);

/* ---- mailboxes --------------------------------------------------- */

/* Attributes (RFC 3501 7.2.2, RFC 6154). */
#define STORE_MB_NOSELECT	0x0001		/* only a name with children */
#define STORE_MB_CHILDREN	0x0002		/* has children */
#define STORE_MB_SUBSCRIBED	0x0004
#define STORE_MB_NONEXISTENT	0x0008		/* only a subscription */
#define STORE_MB_DRAFTS		0x0100
#define STORE_MB_SENT		0x0200
#define STORE_MB_JUNK		0x0400
#define STORE_MB_TRASH		0x0800
#define STORE_MB_ARCHIVE	0x1000
#define STORE_MB_FLAGGED	0x2000
#define STORE_MB_ALL		0x4000
#define STORE_MB_SPECIAL	0x7f00		/* all of RFC 6154 */

struct store_mailbox {
	const char	*name;		/* of the store, until the next call */
	uint32_t	 attr;		/* STORE_MB_ */
	uint32_t	 id;		/* stable over rename */
};

/* Figures of STATUS and SELECT. */
struct store_status {
	uint32_t	 messages;
	uint32_t	 recent;	/* not yet claimed by any session */
	uint32_t	 unseen;
	uint32_t	 uidnext;
	uint32_t	 uidvalidity;
	uint64_t	 highestmodseq;
	uint64_t	 bytes;		/* RFC 8438 SIZE */
};

/*
 * Names are octet strings without NUL and controls (UTF-8 by convention of
 * the sessions), components separated by '/', none empty.  INBOX is found
 * in any case.
 *
 * Walks all mailboxes and existing-less subscriptions in strcmp order, INBOX
 * first.  Start with *iter = 0; NULL at the end.  As of the last catch-up
 * (call store_refresh() first).
 */
const struct store_mailbox *store_mailbox_next(struct store *, size_t *iter);

/* Looks one up; false if there is none (a mere subscription is none). */
bool	 store_mailbox_find(struct store *, const char *name,
	    struct store_mailbox *);

/* Catches up and fills in STATUS figures; durable before it returns. */
enum store_result store_status(struct store *, const char *name,
	    struct store_status *);

/*
 * CREATE makes missing superior names too.  special has some of the
 * STORE_MB_SPECIAL bits, kept with the mailbox, or is 0.  EXISTS, INVALID,
 * LIMIT.
 */
enum store_result store_mailbox_create(struct store *, const char *name,
	    uint32_t special);

/*
 * DELETE (RFC 3501 6.3.4): with children the name stays as \Noselect;
 * INVALID for INBOX and for a \Noselect name that has children.
 */
enum store_result store_mailbox_delete(struct store *, const char *name);

/*
 * RENAME (6.3.5): one record, children follow.  Renaming INBOX moves its
 * messages to the new name in one group and leaves INBOX empty.
 */
enum store_result store_mailbox_rename(struct store *, const char *from,
	    const char *to);

/* SUBSCRIBE, UNSUBSCRIBE: the name need not exist.  Idempotent. */
enum store_result store_mailbox_subscribe(struct store *, const char *name,
	    bool on);

/* ---- messages ---------------------------------------------------- */

/* Flag bits; bits from 8 up are the store's own and change freely. */
#define STORE_SEEN		0x01
#define STORE_ANSWERED		0x02
#define STORE_FLAGGED		0x04
#define STORE_DELETED		0x08
#define STORE_DRAFT		0x10
#define STORE_FLAGS		0x1f		/* what a client may set */

/*
 * One message.  This is also its form in the checkpoint, which is mapped
 * and never travels, so host order and padding are checked there.
 */
struct store_msg {
	uint32_t	 uid;
	uint32_t	 flags;		/* STORE_SEEN ...; mask STORE_FLAGS */
	uint64_t	 email;		/* RFC 8474 EMAILID: the same in all
					   copies, never another message's */
	uint64_t	 modseq;	/* RFC 7162 */
	int64_t		 date;		/* INTERNALDATE, seconds, UTC */
	int64_t		 saved;		/* RFC 8514 SAVEDATE, seconds, UTC */
	uint64_t	 offset;	/* of the prefix in the segment */
	uint64_t	 facts_off;	/* of the blob in facts.NNNN */
	uint32_t	 size;		/* RFC822.SIZE: prefix + body, octets */
	uint32_t	 prefix;	/* octets of deliver's own headers */
	uint32_t	 segment;	/* mail.NNNN */
	uint32_t	 facts_segment;	/* facts.NNNN; 0: the old `facts` */
	uint32_t	 facts_len;	/* 0: none yet */
	uint32_t	 crc;		/* crc32c of prefix + body */
	uint32_t	 kwset;		/* see store_view_keywords() */
	uint32_t	 pad;
};

struct store_range {		/* inclusive */
	uint32_t	 first;
	uint32_t	 last;
};

/*
 * A view is a mailbox at one moment: its sequence numbers change only in
 * store_view_refresh().  Flags of messages may be newer than last reported;
 * bytes of messages that others expunged stay readable.
 */
struct store_view;

#define STORE_VIEW_READONLY	0x1	/* EXAMINE: claims no \Recent */
#define STORE_VIEW_NORECENT	0x2	/* POP3: writes, claims no \Recent */

/*
 * Opens a mailbox (catching up, durable before it returns).  NOTFOUND also
 * for \Noselect names.  Free with store_view_close(), before the store.
 */
enum store_result store_view_open(struct store_view **, struct store *,
	    const char *name, unsigned int flags);
void	 store_view_close(struct store_view *);

/* Was its mailbox deleted, as of the last catch-up? */
bool	 store_view_deleted(const struct store_view *);

struct store_view_info {
	uint32_t	 exists;
	uint32_t	 recent;	/* \Recent for this session */
	uint32_t	 unseen;	/* number without \Seen */
	uint32_t	 first_unseen;	/* sequence number, 0 if none */
	uint32_t	 uidnext;	/* of what the view shows */
	uint32_t	 uidvalidity;
	uint64_t	 highestmodseq;	/* all up to it was reported */
	uint32_t	 mailbox_id;
	size_t		 nkeywords;	/* defined keywords, see below */
	uint32_t	 keywords_told;	/* another number when one was defined:
					   FLAGS is due */
	bool		 keywords_full;	/* no more can be: no "\\*" */
	bool		 readonly;
};
void	 store_view_info(struct store_view *, struct store_view_info *);

/*
 * Keywords.  A mailbox has up to STORE_KEYWORDS_MAX names, each with a number
 * from 0 on; the number of one that is on no message is given to another name
 * when all are taken.  A message has a set of them, named by its kwset: two
 * messages of a mailbox with the same kwset have the same keywords, 0 is the
 * empty set.  Sets are good until the next call that reads or writes.
 */

/* Name of keyword i, or NULL. */
const char *store_view_keyword(struct store_view *, size_t i);

/* Number of a keyword (compared without case), or -1 if not defined. */
int	 store_view_keyword_number(struct store_view *, const char *name);

/* The numbers in a set, ascending, at most STORE_KEYWORDS_MSG. */
const uint16_t *store_view_keywords(struct store_view *, uint32_t kwset,
	    size_t *n);

/* Is keyword i (-1: none) in the set? */
bool	 store_view_keyword_in(struct store_view *, uint32_t kwset, int i);

/*
 * Message by sequence number 1..exists, else NULL.  The pointer is good
 * until the view is closed; what it points to follows the log.
 */
const struct store_msg *store_view_msg(struct store_view *, uint32_t seq);

/* Sequence number of a UID, 0 if the view has none. */
uint32_t store_view_seq(struct store_view *, uint32_t uid);

/* First sequence number whose UID is >= uid; exists + 1 if none. */
uint32_t store_view_seq_from(struct store_view *, uint32_t uid);

/* \Recent of a message, for this session. */
bool	 store_view_recent(struct store_view *, uint32_t seq);

/*
 * Its mod-sequence; of one that others expunged, the last before that: the
 * client must not take the expunge for known, and it never falls.
 */
uint64_t store_view_modseq(struct store_view *, uint32_t seq);

/* Somebody else expunged it already (FETCH may say so, RFC 2180). */
bool	 store_view_gone(struct store_view *, uint32_t seq);

#define STORE_REFRESH_EXPUNGE	0x1	/* sequence numbers may change now */

/*
 * What changed since the view was opened or last refreshed.  Arrays belong
 * to the view, until its next refresh or write call.  Report in this order:
 * expunged (each number counts after those before it went), exists, changed.
 */
struct store_delta {
	const uint32_t	*expunged;	/* ready for "* n EXPUNGE" */
	const uint32_t	*expunged_uid;	/* the same messages' UIDs */
	size_t		 nexpunged;
	const uint32_t	*changed;	/* seqs, ascending, with new flags */
	size_t		 nchanged;	/* by anyone, this session included */
	uint32_t	 exists;	/* new size of the view */
	uint32_t	 recent;
	bool		 grown;		/* EXISTS and RECENT are due */
	bool		 keywords;	/* new keywords: FLAGS is due */
	bool		 deleted;	/* the mailbox was deleted: BYE */
};

/* Catches up (syncing what it shows) and reports. */
enum store_result store_view_refresh(struct store_view *, unsigned int flags,
	    struct store_delta *);

/*
 * UIDs that the view has not and that were expunged after modseq, of those in
 * asked[] (ascending ranges), as ascending ranges owned by the view: RFC 7162
 * VANISHED (EARLIER).  Those of messages that came and went in between are
 * with them.  When the store does not remember back to modseq, all that the
 * view has not.
 */
enum store_result store_view_vanished(struct store_view *, uint64_t modseq,
	    const struct store_range *asked, size_t nasked,
	    const struct store_range **, size_t *n);
bool	 store_view_remembers(const struct store_view *, uint64_t modseq);

/* ---- changing messages (a view of a mailbox; not of EXAMINE) ----- */

enum store_flagop { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_DEL };

/* Keywords beyond STORE_KEYWORDS_MAX of the mailbox, or STORE_KEYWORDS_MSG
 * of the message, are passed over. */
struct store_flagset {
	uint32_t		 sys;		/* STORE_SEEN ... */
	const char *const	*keywords;	/* names, atoms */
	size_t			 nkeywords;
};

struct store_changed {
	uint64_t		 modseq;	/* of those changed, or 0 */
	uint32_t		 nchanged;	/* whose flags differ now */
	const uint32_t		*modified;	/* seqs that UNCHANGEDSINCE */
	size_t			 nmodified;	/* refused; owned by the view */
	uint32_t		 ngone;		/* that others expunged */
};

/*
 * STORE on seqs[] (ascending ranges of sequence numbers of this view), one
 * group.  since: RFC 7162 UNCHANGEDSINCE, UINT64_MAX for none.  Messages
 * that others expunged are passed over and counted.  The new flags show in the view at
 * once; store_view_refresh() lists them as changed unless quiet is set.
 */
enum store_result store_flags(struct store_view *, const struct store_range *,
	    size_t nseqs, enum store_flagop, const struct store_flagset *,
	    uint64_t since, bool quiet, struct store_changed *);

/*
 * EXPUNGE: of seqs[] (NULL: all) those that have \Deleted now.  With any set
 * (POP3), \Deleted is not asked for.  The numbers go at the next refresh
 * that permits it.  *n, if not NULL, is how many went.
 */
enum store_result store_expunge(struct store_view *, const struct store_range *,
	    size_t nseqs, bool any, uint32_t *n);

struct store_copied {			/* RFC 4315 COPYUID */
	uint32_t		 uidvalidity;	/* of the destination */
	const struct store_range *src;		/* UIDs, owned by the view */
	size_t			 nsrc;
	struct store_range	 dst;		/* UIDs, one run */
	uint32_t		 n;		/* messages; 0: nothing done */
	uint32_t		 ngone;		/* that others expunged */
};

#define STORE_COPY_MOVE	0x1	/* and expunge them here */
#define STORE_COPY_ALL	0x2	/* nothing is done when one is gone */

/*
 * COPY or MOVE (how: STORE_COPY_) seqs[] to a mailbox, which may be this one:
 * records only, flags, keywords and dates are kept.  Messages that others
 * expunged are passed over and counted.  NOTFOUND: no such destination.
 */
enum store_result store_copy(struct store_view *, const struct store_range *,
	    size_t nseqs, const char *dst, unsigned int how,
	    struct store_copied *);

/*
 * store_commit() failed after a copy or an append: what was added goes again
 * (one group, not synced), for the client hears NO and may try once more.
 */
void	 store_take_back(struct store *, const char *mailbox,
	    struct store_range uids);

/* ---- where messages are, for the log ----------------------------- */

/* UIDs of the messages that the last store_flags(), store_expunge() or
 * store_copy() of this view was about, owned by it. */
const struct store_range *store_view_touched(const struct store_view *,
	    size_t *n);
/* The name of its mailbox, as of the last catch-up; until the next. */
const char *store_view_name(const struct store_view *);
/* "1795000000.3,7-9" of the ranges from *i on: as many as fit; *i is the first
 * that is left.  out, which has STORE_PLACE_TEXT octets. */
#define STORE_PLACE_TEXT	600
const char *store_place(char *out, uint32_t uidvalidity,
	    const struct store_range *, size_t n, size_t *i);
/* Log that id (a connection) did verb ("expunged") to these messages; more:
 * what else the line has.  Long sets go on several lines, bounded. */
void	 store_told(const char *id, const char *verb, uint32_t account,
	    uint32_t uidvalidity, const struct store_range *, size_t n,
	    const char *more);

/* ---- append (RFC 3501 6.3.11, RFC 3502) -------------------------- */

/*
 * Several messages become one group:
 *	new, { message, write ..., end } ..., commit, free
 * No lock is held before commit.  free without commit leaves nothing.
 */
struct store_append;

struct store_appended {			/* RFC 4315 APPENDUID */
	uint32_t	 uidvalidity;
	struct store_range uids;
};

/* NOTFOUND: no such mailbox (TRYCREATE). */
enum store_result store_append_new(struct store_append **, struct store *,
	    const char *mailbox);

/*
 * Starts a message of at least size octets, for which there has to be room:
 * OVERQUOTA, LIMIT.  write says so too when it gets larger.
 */
enum store_result store_append_message(struct store_append *,
	    const struct store_flagset *, int64_t date, size_t size);
enum store_result store_append_write(struct store_append *, const void *,
	    size_t);

/* Ends it; facts as in struct store_item (copied), may be NULL, 0. */
enum store_result store_append_end(struct store_append *, const void *facts,
	    size_t facts_len);
enum store_result store_append_commit(struct store_append *,
	    struct store_appended *);
void	 store_append_free(struct store_append *);

/* ---- reading bytes ----------------------------------------------- */

/*
 * Copies len octets from octet off of the message (prefix included; a body's
 * own offsets, as in facts, start at msg->prefix).  NOTFOUND: the segment is
 * missing; IO: short.
 */
enum store_result store_read(struct store *, const struct store_msg *,
	    uint32_t off, void *buf, uint32_t len);

/*
 * Points *out at up to want octets from octet off (at least one; less than
 * want only past 256 KiB), read ahead so that messages that lie behind each
 * other cost few reads.  Good until the next store_peek() of this store.
 */
enum store_result store_peek(struct store *, const struct store_msg *,
	    uint32_t off, uint32_t want, struct iovec *out);

/*
 * Points *out at the facts blob.  One that is missing or damaged is made
 * again from the message and written back.  Reads ahead; opens no mail.NNNN
 * when facts is whole.  Good until the next store_facts() of this store.
 */
enum store_result store_facts(struct store *, const struct store_msg *,
	    struct iovec *out);

/* Compares the message with its checksum: OK, DAMAGED, NOTFOUND, IO. */
enum store_result store_verify(struct store *, const struct store_msg *);

/* ---- watching ---------------------------------------------------- */

/*
 * A datagram socket in notify/ that becomes readable when somebody commits;
 * non-blocking, closed by store_unwatch().  -1: errno.  The same one when
 * called twice.
 */
int	 store_watch(struct store *);
void	 store_unwatch(struct store *);

/*
 * Empties the watch.  True if there was something.  When the descriptor was
 * handed elsewhere (parking), give it up with store_watch_release() first.
 */
bool	 store_watch_drain(struct store *);
int	 store_watch_release(struct store *);

/*
 * Its name in notify/, good as long as the watch; and the watch of another
 * session of this account, which released it.  0, or -1: that is no datagram
 * socket, and stays the caller's.  The name is one that store_watch_name()
 * gave (parse/parked.h looks at it).
 */
const char *store_watch_name(const struct store *);
int	 store_watch_adopt(struct store *, int fd, const char *name);

/* ---- views that rest (park.c) ------------------------------------ */

/*
 * What the client of a view saw.  False: it is too much to keep so, or the
 * mailbox is no more.
 */
struct parked_view;
bool	 store_view_park(struct store_view *, struct parked_view *);

/*
 * The view again, in any process of the account.  Catches up as
 * store_view_open() does.  NOTFOUND: the mailbox is no more.  INVALID: which
 * messages it had is not known any more, or it is none that was parked.
 */
enum store_result store_view_wake(struct store_view **, struct store *,
	    const struct parked_view *);

/* Wakes all watchers but ourselves. */
void	 store_poke(struct store *);

/*
 * Makes the two sockets that watching and poking need, for processes that
 * may not call socket(2) once they are in their jail.  0 or -1.
 */
int	 store_sockets(void);

/* ---- upkeep ------------------------------------------------------ */

/* Octets of log that the checkpoint does not cover; of the whole log. */
uint64_t store_tail(struct store *);
uint64_t store_log(struct store *);

/*
 * Writes a checkpoint when the tail has grown long; sessions call it when
 * the client has its answer.  store_checkpoint() writes it in any case.
 */
enum store_result store_maintain(struct store *);
enum store_result store_checkpoint(struct store *);

/* How long expunged mail is kept. */
struct store_keep {
	int64_t		 seconds;	/* 0: not at all */
	uint64_t	 bytes;		/* so many octets of it at most */
};

struct store_due {		/* what it would be good to do */
	uint64_t	 log;		/* octets of the journal */
	uint64_t	 log_need;	/* about what a new one would have */
	uint64_t	 gone;		/* expunged messages remembered */
	uint64_t	 gone_bytes;	/* octets of those that are kept */
	uint64_t	 dead;		/* octets of mail.NNNN nobody needs */
	bool		 journal;	/* a new journal pays */
	bool		 segments;	/* compaction of mail.NNNN pays */
};

/* The figures of an account, caught up; one pass over all its messages. */
enum store_result store_due(struct store *, const struct store_keep *,
	    struct store_due *);

/*
 * Gives space back, one piece a call: deletes segments that nobody needs,
 * moves what is needed of one that is mostly dead (all: of any that has
 * something to give), or makes the journal anew.  *more: there is more to do.
 * The lock is held for an append or a rename alone.  BUSY: too much was
 * written meanwhile; NOSPACE, DAMAGED (a message is not what its checksum
 * says): nothing was changed.
 */
enum store_result store_compact(struct store *, const struct store_keep *,
	    bool all, bool *more);

/*
 * Brings back what was expunged from time from to to (seconds), deleted
 * mailboxes with it, as far as it is still kept; *n messages.  What is in the
 * account anyhow is left where it is.  Durable, watchers woken.
 */
enum store_result store_undelete(struct store *, int64_t from, int64_t to,
	    uint64_t *n);

/*
 * An older copy of the account was put back: MODSEQ, email ids and the UIDs of
 * all mailboxes leap, so that none that a client has seen names another one.
 * Durable, watchers woken.  LIMIT: that was done too often (8,000 times).
 */
enum store_result store_restored(struct store *);

/* ---- check (store alone) ------------------------------------------ */

enum store_found {
	STORE_FOUND_WRONG,	/* something is lost, or will be */
	STORE_FOUND_NOTE,	/* what is made again when it is needed */
	STORE_FOUND_FAR		/* how far it is; may be passed over */
};
typedef void store_found_fn(void *arg, enum store_found, const char *text);

/*
 * Reads everything: every group of the journal, every message's checksum,
 * every facts blob, the index, which is compared with what the journal says.
 * fn, unless NULL, is called with each thing that was found, in words.
 * Changes nothing.  Returns OK, or the first result of what is wrong.
 */
enum store_result store_check(struct store *, store_found_fn *fn, void *arg);

/*
 * Drops facts and index and makes them again from messages and journal.  The
 * old index stays unless the journal can be read from its start to its end.
 */
enum store_result store_rebuild(struct store *, store_found_fn *fn,
	    void *arg);

#endif /* STORE_H */
