/*
 * report-in: reports about our domains, from a message to a file and from
 * files to a list.
 *
 * Layers, lowest first; a file calls those before it:
 *	text house unpack zip rows mend sender
 *	arf tls xml read file
 *	share restore store
 *	answer list sum command in
 *
 * Those up to file are pure: octets in, results out (but for memory and the
 * random keys of hash tables).
 */
#ifndef REPORT_IN_H
#define REPORT_IN_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "proc/proc.h"

#define IN_TEXT		256	/* octets of a text with its NUL */
#define IN_DOMAIN	254	/* of a domain name */

#define UNPACK_MAX	(64U << 20)	/* octets unpacked from one message */
#define UNPACK_RATIO	1000	/* of unpacked to packed, beyond */
#define UNPACK_FREE	(1U << 20)	/* so many octets */
#define ZIP_ENTRIES	8	/* of one archive */
#define ROWS_MAX	20000	/* distinct rows kept of one report */
#define ROWS_OCTETS	(2U << 20)	/* and their lines in the file */
#define ROWS_REST	64	/* more, for the sums of what is not kept */
#define ROW_COUNT	22	/* octets of a line besides its text, at most */
#define SUMS_OCTETS	(16U << 20)	/* of what a command adds up */

enum in_kind { IN_DMARC, IN_TLS, IN_ARF, IN_RAW, IN_KINDS };
/* Is the sender of the mail who it says?  By DMARC; where the domain has no
 * policy by SPF or DKIM aligned with From.  IN_NONE: nothing was said or
 * checked that could tell. */
enum in_trust { IN_PASS, IN_NONE, IN_FAIL };

/* ---- in.c: as struct role has them --------------------------------------- */

void	 in_start(const struct conf *);
/* A queue, in place of the one there was. */
void	 in_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
/* Another configuration. */
void	 in_conf(const struct conf *);
/* "reports" of mailctl. */
void	 in_run(uint32_t ask, uint32_t uid, struct slice args);

/* ---- text.c: words that strangers wrote ---------------------------------- */

/* A copy of clean UTF-8: trimmed, runs of blanks as one, control characters
 * and those that turn the line around as '?', cut at size. */
void	 text_clean(struct slice, char *, size_t size);
/*
 * Words of a line: percent-encoded, "-" for an empty one, blanks between.
 * line_word appends one (cut where it does not fit); line_next takes the
 * next (1, 0 at the end) and decodes it.
 */
struct line { char p[6144]; size_t n; };
void	 line_word(struct line *, const char *);
int	 line_next(struct slice *rest, char *, size_t size);
/* RFC 3339 time as seconds since 1970.  0, -1. */
int	 text_time(struct slice, int64_t *);

/* ---- rows.c: distinct lines with sums ------------------------------------ */

struct row_sum {
	uint64_t	 count;
	struct slice	 line;
};

struct rows *rows_new(void);
void	 rows_free(struct rows *);
/* So many octets instead of ROWS_OCTETS. */
void	 rows_allow(struct rows *, size_t octets);
/* Adds to the sum of a line.  0; -1: ROWS_MAX or the octets are reached and
 * it is a new one. */
int	 rows_add(struct rows *, struct slice line, uint64_t count);
/* The same for what rows_add refused, line being one of a few (and short):
 * there are ROWS_REST more for these. */
int	 rows_rest(struct rows *, struct slice line, uint64_t count);
size_t	 rows_count(const struct rows *);
/* In the order they came, or after rows_sort the largest sum first. */
const struct row_sum *rows_get(const struct rows *, size_t);
void	 rows_sort(struct rows *);
/* a + b, or the largest number. */
uint64_t sum_add(uint64_t a, uint64_t b);

/* ---- a report ------------------------------------------------------------ */

struct in_head {
	enum in_kind	 kind;
	enum in_trust	 trust;
	char		 sender[IN_DOMAIN];	/* domain of From of the mail */
	char		 org[IN_TEXT];		/* who reports */
	char		 contact[IN_TEXT];
	char		 id[IN_TEXT];		/* what they call it */
	char		 domain[IN_DOMAIN];	/* about whom */
	char		 policy[IN_TEXT];	/* "p=none sp=reject" */
	char		 form[IN_TEXT];		/* "9990", "7489", ... */
	char		 reason[IN_TEXT];	/* why nobody could read it */
	char		 mended[IN_TEXT];	/* what was wrong with it */
	char		 subject[IN_TEXT];
	uint64_t	 begin, end, received;	/* seconds since 1970 */
	uint64_t	 messages, pass;	/* or TLS sessions */
	uint64_t	 quarantined, rejected;
	uint64_t	 skipped;		/* rows that made no sense */
	uint64_t	 size;			/* octets of a raw message */
	uint64_t	 kept;			/* that are in the file */
};

/*
 * Rows.  DMARC: ip disposition dkim spf reason from envelope dkim-domain
 * selector dkim-result spf-domain spf-result.  TLS: domain policy result
 * sending-ip mx receiving-ip reason; result "ok": sessions that went well.
 * ARF: the words of arf_words in arf.c, one row.
 */
#define DMARC_WORDS	12
#define TLS_WORDS	7
#define ARF_WORDS	13

struct in_report {
	struct in_head	 head;
	struct rows	*rows;
	/* Whom the mail says it is about, where a report may not say it. */
	char		 about[IN_DOMAIN];
};

/* What a parser may know of the house. */
struct in_house {
	char *const	*domains;
	size_t		 ndomains;
	uint64_t	 max_packed;
};

/* ---- house.c: domains of ours -------------------------------------------- */

/* The domain of ours that name is or lies below, NULL: none. */
const char *house_domain(const struct in_house *, const char *name);
/* The one that may have been meant by a name that is none, or NULL. */
const char *house_near(const struct in_house *, const char *name);

/* ---- unpack.c, zip.c ----------------------------------------------------- */

/* Where unpacked octets go: 0, or -1: enough, the taker knows why. */
typedef int (*in_sink)(void *arg, const char *p, size_t n);

struct unpack {		/* starts zeroed, but for sink and arg */
	in_sink		 sink;
	void		*arg;
	uint64_t	 in, out;	/* octets so far, of all entries */
	const char	*why;		/* static text, after -1; NULL: sink */
};

/* A gzip file (RFC 1952), its members one after the other.  0, -1. */
int	 gzip_unpack(struct unpack *, struct slice);
/* Raw deflate (RFC 1951) that must fill in and give size octets with that
 * CRC-32; method 0 is stored.  0, -1. */
int	 entry_unpack(struct unpack *, struct slice in, int method,
	    uint64_t size, uint32_t crc);

struct zip {
	struct slice	 in;
	size_t		 off;		/* of the next directory entry */
	size_t		 start, end;	/* of the directory */
	unsigned int	 left;
	const char	*why;
};

struct zip_entry {
	struct slice	 name, data;
	int		 method;
	uint64_t	 size;
	uint32_t	 crc;
};

/* 0, -1 with why: no archive, of several disks, zip64, too many entries. */
int	 zip_open(struct zip *, struct slice);
/* 1; 0 at the end; -1 with why: damaged, encrypted, an unknown method. */
int	 zip_next(struct zip *, struct zip_entry *);

/* ---- xml.c, tls.c, arf.c ------------------------------------------------- */

/*
 * A DMARC aggregate report, of RFC 9990 or RFC 7489, as it comes.  mend: NULL
 * to read it as XML; for a second reading of one that is none (xml_broken),
 * why the first failed: mend.c then finds what it may have meant.
 */
struct xml *xml_new(struct in_report *, const struct in_house *,
	    const char *mend);
/* 0, -1: refused. */
int	 xml_feed(struct xml *, const char *, size_t);
/* The end: 0, the report is whole; -1 with why in static text. */
int	 xml_end(struct xml *, const char **why);
/* It was refused because it is no XML, or another's. */
bool	 xml_broken(const struct xml *);
void	 xml_free(struct xml *);

/* A whole TLS report (RFC 8460 4).  0, -1 with why. */
#define JSON_MAX	(8U << 20)
int	 tls_report(struct slice json, struct in_report *,
	    const struct in_house *, const char **why);

/* message/feedback-report (RFC 5965, 6591, 9991) and the header of the
 * message that it is about, empty if there is none.  0, -1 with why. */
int	 arf_report(struct slice fields, struct slice original,
	    struct in_report *, const struct in_house *, const char **why);
extern const char *const arf_words[ARF_WORDS];

/* ---- mend.c: tags and text of XML that is none --------------------------- */

#define MEND_DEPTH	32
#define MEND_NAME	64		/* octets of a name, NUL included */
#define MEND_NOWHERE	((unsigned int)-1)
#define TAG_MAX		1024

/* Starts zeroed, but for the callbacks.  depth: 1 is the outermost. */
struct mend {
	void		*arg;
	/* Within how many of the open elements does one of that name belong?
	 * MEND_NOWHERE: it is text, or nothing where none is open. */
	unsigned int	(*place)(void *arg, unsigned int depth, const char *);
	/* NULL, or why no more is wanted. */
	const char	*(*start)(void *arg, unsigned int depth, const char *);
	void		(*chars)(void *arg, const char *, size_t);
	/* whole: its end was there. */
	void		(*end)(void *arg, unsigned int depth, bool whole);
	const char	*why;		/* after -1 */
	bool		 mended;	/* something was not as it should be */
	enum { MEND_TEXT, MEND_TAG, MEND_SKIP } state;
	bool		 amp;		/* in text, behind "&" */
	unsigned int	 reopened;	/* CDATA without an end */
	unsigned int	 depth;
	size_t		 n, textn;
	char		 tag[TAG_MAX + 1];	/* its text, for start() */
	char		 text[256];
	char		 name[MEND_DEPTH][MEND_NAME];
};

int	 mend_feed(struct mend *, const char *, size_t);	/* 0, -1 */
void	 mend_end(struct mend *);

/* ---- sender.c, read.c ---------------------------------------------------- */

/* trace: what smtpd put before the message.  from: as in struct in_head. */
enum in_trust sender_trust(struct slice trace, const char *from);
/* Domain of the one From: mailbox, "" if there is no such. */
void	 sender_domain(struct slice header, char from[IN_DOMAIN]);

/*
 * The report in a message: 0 with head and rows filled, -1 with why.  Of the
 * head only what the report itself says.  rows are the caller's to free in
 * either case.
 */
int	 in_read(struct slice msg, struct in_report *,
	    const struct in_house *, const char **why);
/* The same for one attachment: what it is is told from its octets. */
int	 in_attachment(struct slice, struct in_report *,
	    const struct in_house *, const char **why);

/* ---- file.c: a report on disk -------------------------------------------- */

#define FILE_MAX	(32U << 20)	/* octets of one that is read, raw aside;
					   what is written is ROWS_OCTETS and
					   some KiB at most */
#define FILE_HEAD_MAX	16384	/* octets till the rows */

/* The head and all rows into fresh memory; raw octets come behind it. */
char	*file_print(const struct in_report *, uint32_t rawcrc, size_t *n);
/* Of a newer release?  Then file_head and file_check fail. */
bool	 file_newer(const char *p, size_t n);
/* The head of a file, p[0..n) being its start: its octets, -1: damaged.
 * Fields that are not known are passed over. */
ssize_t	 file_head(const char *p, size_t n, struct in_head *, uint32_t *nrows,
	    uint32_t *rawcrc);
/* A whole file without raw octets: does the end stand, and its checksum?
 * rest: the rows.  0, -1. */
int	 file_check(const char *p, size_t n, struct in_head *,
	    struct slice *rest);
/* The next row: 1, 0 at the end, -1 damaged. */
int	 file_row(struct slice *rest, uint64_t *count, struct slice *line);

/* ---- store.c: the directory ---------------------------------------------- */

#define NAME_TEXT	33	/* hexadecimal delivery id */

enum store_class { C_REPORT, C_FAILING, C_RAW, CLASSES };

struct stored {			/* one file, in memory */
	TAILQ_ENTRY(stored) of;		/* of its holder, see share.c */
	struct holder	*holder;	/* NULL: none (raw) */
	char		 name[NAME_TEXT];
	enum in_kind	 kind;
	enum in_trust	 trust;
	char		*sender, *org, *id, *domain, *policy, *reason,
			*mended, *subject; /* in one piece of memory */
	uint64_t	 begin, end, received, messages, pass, quarantined,
			 rejected, size, kept, octets;
	char		 form[8];
};

enum store_answer { STORE_DONE, STORE_AGAIN, STORE_FULL, STORE_BUSY,
	STORE_FAILED,
	STORE_LARGE		/* never: who sent it is told */
};

/* removed: hears that the i-th of store_get() went. */
void	 store_open(void (*removed)(size_t));
/* What could not be read at start or since: once more.  Reports get other
 * places in store_get(). */
void	 store_again(void);
/* The directory itself; -1: it could not be listed yet, nothing is kept. */
int	 store_dir(void);
void	 store_expire(uint64_t before);
/* Is there a file of that delivery already? */
bool	 store_known(const struct msg_id *);
/*
 * Keep a report, or the raw message (kind IN_RAW).  When it returns
 * STORE_DONE file and directory are synced; STORE_AGAIN: the same report is
 * there already.
 */
enum store_answer store_keep(const struct msg_id *, struct in_report *,
	    struct slice raw);
/* What is full and what was dropped since the start, "; " before each; "". */
void	 store_words(char *, size_t size);
size_t	 store_count(void);
const struct stored *store_get(size_t);		/* by time of arrival */
const struct stored *store_find(const char *name);
/* Remove it from the disk, for good after store_sync().  0; -1 with errno,
 * ENOENT: there is none of that name. */
int	 store_remove(const char *name);
int	 store_sync(void);	/* 0, -1 with errno */
/* Its octets in fresh memory, NULL: gone or damaged (logged). */
char	*store_read(const struct stored *, size_t *n);

/* ---- restore.c: what is on disk at start --------------------------------- */

/* A file that is there was read: its name without the type, and what it is;
 * raw or not as the name says. */
typedef void (*restore_took)(const char *name, const struct in_head *,
	    uint64_t octets);
/* List the directory and take what can be read.  0; -1 with errno: not all of
 * its names are known. */
int	 restore_list(int dir, restore_took);
/* Files that could not be read: once more.  False: there are none. */
bool	 restore_again(int dir, restore_took);
/* Is there such a file that was not taken? */
bool	 restore_has(const char *name);
/* What was not taken, "; " before each; "". */
void	 restore_words(char *, size_t size);

/* ---- share.c: who holds how much of the directory ------------------------ */

/* Whose account it is on: the last two labels of a proven sender; "" is
 * that of all others. */
const char *share_name(const struct stored *);
/* s is the newest of its holder. */
void	 share_add(struct stored *, enum store_class);
void	 share_drop(struct stored *);
/* The oldest file of the holder that has most files (or octets) of the class;
 * never the file `but'.  NULL: there is none. */
struct stored *share_oldest(enum store_class, bool files,
	    const struct stored *but);

/* ---- answer.c, command.c, list.c, sum.c: mailctl reports ----------------- */

struct command {
	uint32_t	 ask;
	const char	*verb;		/* "" the summary */
	char		 arg[IN_DOMAIN];
	unsigned int	 days;
	bool		 all;
	uint64_t	 from;		/* seconds, of the window */
	size_t		 at;		/* next of the store or the result */
	bool		 walks;		/* at is one of the store */
	uint64_t	 done;		/* reports counted */
	uint64_t	 failing;	/* not counted: sender fails */
	uint64_t	 unread;	/* not counted: file cannot be read */
	uint64_t	 total, pass;	/* messages */
	struct rows	*rows;
	char		*text;		/* of a raw message */
	struct slice	 rest;
	const struct in_house *house;
};

void	 command_init(const struct in_house *);
void	 command_run(uint32_t ask, struct slice args);
/* Does none of them walk through the store? */
bool	 command_idle(void);
/* The store lost its i-th: those that walk on miss none because of it. */
void	 command_removed(size_t i);
/* Is s in the command's window, and counted? */
bool	 command_counts(struct command *, const struct stored *);
/* Steps: 1 more to do, 0 done (and answered). */
int	 list_step(struct command *);		/* list, abuse, failures */
int	 unread_step(struct command *);
int	 summary_step(struct command *);
int	 sum_step(struct command *);		/* DOMAIN, reject, tls */
void	 row_time(struct row *, const char *name, uint64_t);
void	 row_text(struct row *, const char *name, const char *);
void	 row_share(struct row *, const char *name, uint64_t part, uint64_t of);
const char *trust_name(enum in_trust);

#endif
