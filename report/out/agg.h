/*
 * Aggregate reports inside report-out: what is counted, how it lies in
 * memory and on disk, how it becomes a report.
 */
#ifndef OUT_AGG_H
#define OUT_AGG_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/msg.h"

/* ---- row.c: one line of a report (pure) ---------------------------------- */

/*
 * What messages have in common that are counted together.  Its octets
 * (row_put) are at once its key and its form on disk.
 */
#define ROW_COMMENT	128
#define ROW_MAX		(32 + 4 * DOMAIN_TEXT + ROW_COMMENT + 1 + \
	DKIM_VERIFY_MAX * (1 + 2 * DOMAIN_TEXT))

struct row_dkim {
	enum dkim_result result;
	struct slice	 domain, selector;
};

struct report_row {
	struct ipaddr	 ip;
	bool		 pass;		/* DMARC as a whole */
	bool		 enforced;	/* it passed a policy beyond none */
	bool		 dkim, spf;	/* aligned */
	enum report_disposition disposition;
	enum report_override override;
	enum spf_result	 spf_result;
	struct slice	 comment;	/* to the override */
	struct slice	 from;		/* header_from */
	struct slice	 sender;	/* envelope_from */
	struct slice	 rcpt;		/* envelope_to */
	struct slice	 spf_domain;
	size_t		 nsig;
	struct row_dkim	 sig[DKIM_VERIFY_MAX];	/* best first (RFC 9990
						 * 3.1.2) */
};

/* From the facts of a message; the slices point there. */
void	 row_of(const struct report_mail_ev *, struct report_row *);
/* The octets, at most ROW_MAX; their number.  What is too long is cut. */
size_t	 row_put(uint8_t *, const struct report_row *);
/* 0, or -1: these are no row.  The slices point into p. */
int	 row_get(const uint8_t *p, size_t n, struct report_row *);

/* ---- xml.c: the text of a report (pure) ---------------------------------- */

typedef void (*xml_sink)(void *arg, const char *, size_t);

struct xml_head {
	const char	*organization, *contact, *generator;
	const char	*id;
	const char	*domain, *record;	/* where it was, and its text */
	uint64_t	 begin, end;		/* end: the last second in it */
	uint64_t	 lost;			/* messages it does not count */
};

void	 xml_head(xml_sink, void *, const struct xml_head *);
void	 xml_row(xml_sink, void *, const struct report_row *, uint64_t count);
void	 xml_tail(xml_sink, void *);
/* Text of an element: escaped, no octet XML cannot carry, never invalid
 * UTF-8 (what is, becomes '?'); at most max octets of s are used. */
void	 xml_text(xml_sink, void *, struct slice s, size_t max);

/* ---- rec.c: records of the journal (pure) -------------------------------- */

/*
 * A file: REC_START octets ("MAILDAG1" | u64 nonce | u64 begin | u64 end |
 * u32 crc | zeros), then records, each at a multiple of 8:
 *	u32 crc | u16 length | u8 type | 0 | what the type says | zeros
 * length counts the whole record without the zeros at its end.  The checksum
 * of a record begins with the file's nonce.
 */
#define REC_START	48
#define REC_HDR		8
#define REC_RECORD_MAX	2048	/* octets of a DMARC record */
#define REC_TEXT_MAX	120	/* why a report has not left */
#define REC_MAX		((REC_HDR + 8 + ROW_MAX + 7) / 8 * 8)

enum rec_type {
	REC_DOMAIN = 1,		/* no, at, record */
	REC_ROW,		/* no, domain, the row's octets */
	REC_COUNT,		/* row, n: so many more */
	REC_LOST,		/* domain, n: so many in all that no row took */
	REC_TARGET,		/* domain, target: how far it is */
	REC_DONE		/* domain: there is nothing left to do */
};

#define REC_NODOMAIN	UINT32_MAX	/* LOST: of domains that did not fit */

enum target_state {
	TARGET_WAIT,		/* for its time, or another try */
	TARGET_SENT,
	TARGET_DROPPED		/* nobody may be told there, or given up */
};

struct rec_target {		/* of REC_TARGET */
	uint8_t		 target;	/* its place in the rua */
	enum target_state state;
	uint16_t	 tries;
	uint16_t	 part;		/* the next one to go */
	uint32_t	 row;		/* it begins with this one */
	uint64_t	 next;		/* seconds UTC */
	struct slice	 why;
};

struct rec {
	enum rec_type	 type;
	uint32_t	 no;		/* of a domain; ROW and COUNT: a row */
	uint32_t	 domain;	/* of ROW */
	uint64_t	 n;		/* of COUNT and LOST */
	struct slice	 at, record;	/* of DOMAIN */
	struct slice	 key;		/* of ROW */
	struct rec_target target;	/* of TARGET */
};

struct rec_file {
	uint64_t	 nonce, begin, end;
};

void	 rec_start_put(uint8_t p[REC_START], const struct rec_file *);
int	 rec_start_get(const uint8_t *p, size_t n, struct rec_file *);
/* Of a newer release? */
bool	 rec_start_newer(const uint8_t *p, size_t n);
/* Octets of the record, at most REC_MAX. */
size_t	 rec_put(uint8_t *p, const struct rec *, uint64_t nonce);
/* Octets it takes, 0: this is no record.  The slices point into p. */
size_t	 rec_get(const uint8_t *p, size_t n, uint64_t nonce, struct rec *);
/* It is one, whole by its checksum, but rec_get does not know it: a newer
 * release wrote it. */
bool	 rec_newer(const uint8_t *p, size_t n, uint64_t nonce);

/* ---- table.c: what is counted, in memory --------------------------------- */

#define DOMAINS_MAX	50000	/* of one interval */
#define GROUP_DOMAINS	50	/* of them in one group */
#define GROUP_WIDE	5000	/* of them below one like "co.uk" */
#define GROUP_BYTES	(8U << 20)	/* memory of the rows of a group */
#define CONFIGS_MAX	4	/* policies of a domain in one interval */
#define AGG_RUA		4	/* addresses of one rua= that are told */
#define ROWS_MAX	20000	/* of one domain */
#define TABLE_ROWS	1000000	/* of one interval */
#define PERIOD_BYTES	(112U << 20)	/* memory of one interval */
#define TABLE_BYTES	(256U << 20)	/* of all */
#define COUNT_MAX	UINT32_MAX	/* of one row */

struct counted {		/* a row with its number */
	struct counted	*hash;		/* next in its bucket */
	struct counted	*next;		/* of its domain, in order */
	struct counted	*dirty;		/* counted since the last write */
	uint32_t	 domain, no;
	uint32_t	 count, fresh;	/* fresh: not yet on disk */
	bool		 listed;	/* among the dirty */
	uint16_t	 n;
	uint8_t		 key[];
};

struct target {
	char		*address;	/* as the record says */
	char		*why;		/* it has not left; NULL: no reason */
	enum target_state state;
	uint16_t	 tries, part;
	uint32_t	 row;
	uint64_t	 next;
};

struct domain {
	struct domain	*hash;		/* same name: another policy of it */
	TAILQ_ENTRY(domain) ready;
	struct period	*period;
	uint32_t	 no;
	char		*at, *record;
	struct group	*group;		/* until the interval is closed */
	struct counted	*first, *last;
	uint32_t	 nrow;
	uint64_t	 messages, lost;
	uint64_t	 due;		/* seconds UTC */
	struct target	*target;	/* made when it is due */
	size_t		 ntarget;
	size_t		 reserved;	/* memory set aside for those */
	bool		 noted;		/* the journal knows it */
	bool		 lost_fresh;	/* lost is not on disk yet */
	bool		 busy;		/* on the ready list, or on its way */
	bool		 done;
};

/* Why something was not counted. */
enum lack {
	LACK_DOMAINS,		/* no room for another domain at all */
	LACK_GROUP,		/* nor in its group */
	LACK_GROUP_BYTES,	/* too much memory for the rows of its group */
	LACK_ROWS,		/* too many rows of a domain, or in all */
	LACKS
};

struct period {			/* one interval */
	TAILQ_ENTRY(period) entry;
	struct rec_file	 file;
	uint64_t	 length;	/* seconds */
	uint64_t	 from;		/* its reports are due from here on */
	bool		 closed;	/* its end has come */
	bool		 replayed;	/* began in another process */
	struct domain	**domain;	/* by number; NULL: none */
	uint32_t	 ndomain, domain_cap, left;	/* left: not done */
	struct counted	**row;		/* by number; NULL as above */
	uint32_t	 nrow, row_cap;
	struct domain	**domains;	/* hash tables, sizes powers of two */
	struct counted	**rows;
	size_t		 domains_size, rows_size;
	struct groups	*groups;	/* NULL: it is closed */
	struct counted	*dirty;
	size_t		 bytes;
	uint64_t	 lost;		/* messages of domains that did not
					 * fit */
	bool		 lost_fresh;	/* lost is not on disk yet */
	enum lack	 lack;		/* the last one */
	bool		 said[LACKS];	/* in the log */
	/* of journal.c */
	int		 fd;		/* -1: cannot be written now */
	off_t		 off;		/* end of the file */
	off_t		 whole;		/* where it ended when made anew */
	uint8_t		*buf;
	size_t		 n, cap;
	bool		 unsynced;
	uint64_t	 again;		/* not made anew before (seconds UTC) */
};

struct period *period_new(const struct rec_file *);
void	 period_free(struct period *);
/* Forget a domain's rows; it is done. */
void	 period_drop(struct domain *);
/* Its end has come: nothing is counted any more. */
void	 period_close(struct period *);
/* Was any of its reports tried? */
bool	 period_tried(const struct period *);
/* A message.  What does not fit is counted in lost, the reason in lack, and
 * what nobody wants to hear of is not: NULL.  *fresh: the row is a new one. */
struct counted *period_count(struct period *, struct slice at,
	    struct slice record, const uint8_t *key, size_t n, bool *fresh);
/* A record that was read back: 0, or -1: it does not fit to the others. */
int	 period_replay(struct period *, const struct rec *);
/* Targets of its record, if they are not there yet. */
void	 domain_targets(struct domain *);
/* Why it has not left, as printable text. */
void	 target_why(struct target *, struct slice);
size_t	 table_bytes(void);

/* ---- group.c: domains of one owner, as far as names tell (pure) ---------- */

struct group {
	struct group	*next;		/* in its bucket */
	uint64_t	 hash;		/* its name */
	uint32_t	 n;		/* domains */
	size_t		 bytes;		/* of their rows */
};

struct groups *groups_new(void);
void	 groups_free(struct groups *);	/* NULL: nothing */
/* The last two labels, or three of a name like "a.co.uk": a country's two
 * letters below at most three.  It points into the name. */
struct slice group_of(struct slice at);
/* Is there room for another domain of that name? */
bool	 group_room(const struct groups *, struct slice at);
/* One more; the group it is in, which stays until groups_free. */
struct group *group_add(struct groups *, struct slice at);

/* ---- journal.c: the same on disk ----------------------------------------- */

#define JOURNAL_KEY	32

#define JOURNAL_NAME	"agg."		/* and the begin of the interval */
#define JOURNAL_DIGITS	20

void	 journal_dir(int dirfd);
void	 journal_name(char *, size_t, uint64_t begin);
/* Its file is of no use any more; what for, for the log. */
void	 journal_bad(struct period *, const char *what);
/* The file of a new period. */
void	 journal_open(struct period *);
/* Note a record; it is written by journal_write. */
void	 journal_add(struct period *, const struct rec *);
/* One more in that row; fresh: it is new, and its domain may be. */
void	 journal_count(struct period *, struct counted *, bool fresh);
/* A target of d, as it is now. */
void	 journal_target(struct domain *, const struct target *);
/* All that was noted and counted goes to the file. */
void	 journal_write(struct period *);
/* And to the disk.  A file that could not be written is made again. */
void	 journal_sync(struct period *);
/* All its reports are gone: so is the file. */
void	 journal_remove(struct period *);

/* ---- restore.c: what is on disk at start --------------------------------- */

/* Use the directory; fn gets each period whose file is there, oldest first.
 * key: the secret of this directory, made the first time.  0; -1: not all of
 * it can be read now, nothing was done, try again. */
int	 journal_init(int dirfd, void (*fn)(struct period *),
	    uint8_t key[JOURNAL_KEY]);
/* Files that could not be read: once more; fn gets those that can. */
void	 journal_again(void (*fn)(struct period *));

/* ---- report.c: one report as a letter ------------------------------------ */

/* What identifiers are made with. */
void	 report_secret(const uint8_t key[JOURNAL_KEY]);

/*
 * The part of d's report that begins with row number row, for the address
 * to.  *end: the row behind its last; commit names it.  NULL: it could not
 * be made now.
 */
struct letter *report_letter(const struct domain *, const struct target *,
	    const char *to, uint32_t *end, struct msg_id *commit,
	    char sid[33]);
/* Packed octets of a part are at most this many (see maild.yaml(5)). */
#define REPORT_PART_MAX	(5U << 20)	/* a segment of queue takes it */

/* ---- time.c: when (pure; all in seconds) --------------------------------- */

TAILQ_HEAD(periods, period);	/* by their begin */

/*
 * The interval of that length that counts what comes now, beside ps: behind
 * those that have begun.  Those that a clock far ahead made do not hinder
 * it, but no two begin together.  but: as if that were not there, or NULL.
 */
void	 time_interval(const struct periods *ps, const struct period *but,
	    uint64_t now, uint64_t length, struct rec_file *);
/* Did a wrong clock begin it, more than an interval later than one that
 * began now would? */
bool	 time_ahead(const struct periods *, const struct period *,
	    uint64_t now);
/* For how long a report is tried after it was due. */
uint64_t time_give_up(uint64_t interval);
/* The pause after so many tries before this one. */
uint64_t time_again(uint64_t interval, unsigned int tries);

/* ---- aggregate.c --------------------------------------------------------- */

struct periods *aggregate_periods(void);	/* oldest first */
/* When its report goes out for the first time. */
uint64_t domain_due(const struct domain *);

#endif
