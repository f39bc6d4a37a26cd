/*
 * imap-session: the parts of the session program.  One process
 * serves one connection of one account; everything here is sequential and
 * blocking.
 *
 * Layers, lowest first; a file calls those before it:
 *	told reply client args out objectid vanished enable state
 *	condstore qresync park in
 *	messagelimit status list mailbox quota copy store uidbatches
 *	fetch_body fetch_binary fetch url
 *	append_message catenate append replace idle compress unauthenticate
 *	search_prog search_string search_parse search_field search_match
 *	search_return search sort_key sort thread
 *	cmd session
 */
#ifndef IMAP_H
#define IMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "conf/quirk.h"
#include "conf/quota.h"
#include "net/frames.h"
#include "net/start.h"
#include "store/store.h"

#define IMAP_LINE_MAX	65536	/* octets of a command without its literals */
#define IMAP_LITERAL_MAX 1048576	/* sum of a command's literals */
#define IMAP_VERB_MAX	20	/* the longest command's name, and some */
#define IMAP_BAD_MAX	10	/* bad commands in a row */
#define IMAP_STORE_FAILED "Storage error, log in again"	/* its BYE */
#define IMAP_ITEMS_MAX	64	/* items of one FETCH */
#define IMAP_STATUS_ITEMS 16	/* items of one STATUS */
#define IMAP_PATTERNS_MAX 32	/* patterns of one LIST (RFC 5258) */
#define IMAP_SEARCH_KEYS 1024	/* keys of one SEARCH */
#define IMAP_SEARCH_DEPTH 32	/* nested OR, NOT and parentheses */
#define IMAP_APPENDS_MAX 256	/* messages of one APPEND (RFC 3502) */
#define IMAP_CATENATE_MAX 1000	/* parts of one CATENATE */

/* RFC 3501 3; changed only by session_state(). */
enum session_state {
	AUTHENTICATED = 0x1,
	SELECTED = 0x2,
	LOGGED_OUT = 0x4
};

/* What the client has enabled; set only by session_enable(). */
#define ENABLED_REV2	0x01	/* RFC 9051 */
#define ENABLED_UTF8	0x02	/* RFC 9755 */
#define ENABLED_CONDSTORE 0x04	/* RFC 7162 */
#define ENABLED_QRESYNC	0x08
#define ENABLED_UIDONLY	0x10	/* RFC 9586 */
#define ENABLED_NAMES	(ENABLED_REV2 | ENABLED_UTF8) /* names in UTF-8 */

/* How a command ended: which tagged line follows. */
enum reply {
	REPLY_OK,
	REPLY_NO,
	REPLY_BAD,
	REPLY_GONE		/* the client left, or got BYE in IDLE: none */
};

struct session {
	struct frames	*io;
	struct store	*store;
	struct store_view *view;	/* SELECTED */
	enum session_state state;
	unsigned int	 enabled;	/* ENABLED_ */
	bool		 again;		/* the line in cmd is the next one */
	uint32_t	 keywords_told;	/* in FLAGS */
	bool		 deflate;	/* COMPRESS was answered OK */
	int		 park_ms;	/* quiet so long: it rests; -1 never */
	bool		 stays;		/* not before the next command */
	bool		 parked;	/* the front has all of this */
	bool		 idle;		/* woken in IDLE */
	bool		 leave;		/* UNAUTHENTICATE was */
	uint64_t	 max_append;	/* octets of an APPENDed message */
	uint32_t	 max_messages;	/* that one command is about */
	struct quota	 quota;		/* of the account, 0 no limit */
	char		 hostname[254];	/* ours */
	struct quirk_rows quirks;	/* of its account and listener */
	struct quirk	 quirk;		/* what this client is told of */

	struct start	 start;		/* who it is for */

	/* of the command that runs */
	char		 tag[IMAP_TAG_MAX + 1];
	char		 verb[IMAP_VERB_MAX]; /* "UID FETCH"; "" not known */
	bool		 uid;		/* it has the UID prefix */
	bool		 literal;	/* APPEND: its line ended in {n} */
	uint64_t	 literal_size;
	int		 literal_flags;
	const char	*text;		/* of the tagged line, or NULL */
	char		 bad[IMAP_EXPECTED_MAX]; /* the text of a BAD */
	struct fbuf	 code;		/* its response code, no brackets */
	bool		 modseq;	/* HIGHESTMODSEQ, where that is none */
	uint32_t	 lowest;	/* UID, of a set that was cut; or 0 */

	struct fbuf	 cmd;		/* a command not in one packet */
	struct fbuf	 tmp;		/* fields chosen, text decoded */
	struct fbuf	 hdr;		/* a header of more than 256 KiB */
	struct store_range *set;	/* sequence numbers of the command */
	size_t		 nset, set_size;
	unsigned int	 nbad;

	struct imap_range *saved;	/* "$" as UIDs, ascending (RFC 5182) */
	size_t		 nsaved;
};

/* ---- session.c ----------------------------------------------------------- */

/* The session (nursery_fn): serve sock, working directory = the account. */
struct conf;
int	 session_main(int sock, const struct conf *, const struct quota *);
/* What session_main leaves to _exit(2): for those who call it again. */
void	 session_free(void);

/* ---- state.c ------------------------------------------------------------- */

/* The one writer of s->state; leaving SELECTED closes the view. */
void	 session_state(struct session *, enum session_state,
	    struct store_view *);
/* "* BYE text": the session ends after this command. */
void	 session_bye(struct session *, const char *text);
/* What others did to the mailbox; EXPUNGE only where RFC 3501 7.4.1 lets. */
void	 session_update(struct session *, bool expunge);

/* ---- park.c -------------------------------------------------------------- */

enum quiet {
	QUIET_SAID,		/* the client said something, or left */
	QUIET_STIRRED,		/* fd is readable */
	QUIET_PARKED		/* the front has it: this session is over */
};
/* Nothing is half said: wait for the client, and (fd not -1) for a poke, or
 * rest. */
enum quiet session_quiet(struct session *, int fd, bool idle);
/* Behind QUIET_PARKED: let go of what the front has now. */
void	 session_rested(struct session *);
/* Go on with what a front kept; takes fd, -1 none.  0, or -1: BYE was said. */
int	 session_wake(struct session *, struct slice state, int fd);

/* ---- in.c ---------------------------------------------------------------- */

enum input {
	INPUT_COMMAND,		/* complete, or up to the literal of APPEND */
	INPUT_BAD,		/* was refused and answered */
	INPUT_GONE
};
/* The next command with its literals; "+" was sent where it is due. */
enum input input_command(struct session *, char **p, size_t *n);
/* The rest of a line behind a streamed literal, into s->cmd.  INPUT_BAD: the
 * command's own answer is still due. */
enum input input_rest(struct session *, char **p, size_t *n);
/* Ask for the literal of s->literal_* if the client waits for it. */
void	 input_continue(struct session *);
/* Throw n octets away; false: gone. */
bool	 input_skip(struct session *, uint64_t n);

/* ---- cmd.c --------------------------------------------------------------- */

/* Run one command and send its tagged line. */
void	 command_run(struct session *, char *p, size_t n);
/* The IDLE of a session that was woken goes on. */
void	 command_idle(struct session *);

/* ---- client.c ------------------------------------------------------------ */

/* Its name by ID, empty: not known; s->quirk is made by it. */
void	 client_named(struct session *, struct slice);
/* What a session can.  Returns text, which has CAPABILITY_MAX octets. */
const char *capabilities(const struct session *, char *text);

/* ---- told.c: what the log is told of what was changed -------------------- */

/* Messages of the view: "deleted" (flagged so), "expunged". */
void	 told_messages(struct session *, const char *verb);
/* Those that were copied, or moved, to a mailbox. */
void	 told_copied(struct session *, const char *box,
	    const struct store_copied *, bool moved);
void	 told_appended(struct session *, const char *box,
	    const struct store_appended *);
/* A mailbox was renamed to another name, or (NULL) deleted. */
void	 told_box(struct session *, const char *box, const char *to);

/* ---- reply.c ------------------------------------------------------------- */

/* For the tagged line: REPLY_NO with the code of RFC 5530 and a text. */
enum reply reply_store(struct session *, enum store_result);
enum reply reply_no(struct session *, const char *code, const char *text);
/* BAD: "FETCH: text". */
enum reply reply_bad(struct session *, const char *text);
/* BAD: what is at the cursor is not what was expected there. */
enum reply reply_expected(struct session *, struct imap_in *,
	    const char *expected);
/* NO: what a sequence number meant was expunged by others (RFC 5530). */
enum reply reply_expunged(struct session *);
/* BAD: a sequence number, and UIDONLY is enabled (RFC 9586). */
enum reply reply_uidrequired(struct session *);
/* The same, of what the parser or imap_fail() found. */
enum reply reply_syntax(struct session *, const struct imap_in *);
/* Make what was written durable, then OK. */
enum reply reply_commit(struct session *);

/* ---- args.c: arguments that several commands take ------------------------ */

/* A mailbox name in modified UTF-7, or in UTF-8 where that is enabled, as
 * UTF-8 with NUL.  REPLY_OK or what to answer. */
enum reply arg_mailbox(struct session *, struct imap_in *,
	    char name[STORE_NAME_MAX + 1]);
/* A set of sequence numbers, or of UIDs with s->uid, or "$", into s->set, as
 * ascending ranges of sequence numbers that exist. */
enum reply arg_set(struct session *, struct imap_in *);

/* Of s->set only a page is meant (RFC 9394 3.3). */
void	 arg_set_page(struct session *, const struct imap_partial *);
/* Is at the cursor the literal that ends the line and was not read yet? */
bool	 arg_streamed(const struct session *, const struct imap_in *);

/* Flags as the store wants them, NUL-terminated.  Free with flagset_free. */
struct flagset {
	struct store_flagset set;
	const char	*name[IMAP_KEYWORDS_MAX];
	char		*text;
};
/* 0, or -1: out of memory. */
int	 flagset_make(struct flagset *, const struct imap_flags *);
void	 flagset_free(struct flagset *);

/* ---- out.c --------------------------------------------------------------- */

/* A mailbox name as it goes to the client: in modified UTF-7 till UTF-8 is
 * enabled.  enc has NAME_WIRE octets; the slice is in it, or is name. */
#define NAME_WIRE	(STORE_NAME_MAX * 4 + 64)
struct slice name_wire(const struct session *, const char *name, char *enc);
/* The same as an astring. */
void	 out_mailbox(struct session *, const char *name);
/* "\Seen \Flagged keyword": without the parentheses. */
void	 out_flags(struct session *, uint32_t seq, const struct store_msg *);
/* "* FLAGS (...)" and, with permanent, "* OK [PERMANENTFLAGS ...". */
void	 out_flags_line(struct session *, bool permanent);
/* "* n EXISTS" and, where there is \Recent, "* n RECENT". */
void	 out_exists(struct session *, uint32_t exists, uint32_t recent);
/* "* n FETCH (", or "* uid UIDFETCH (" when UIDONLY is enabled. */
void	 out_fetch_open(struct session *, uint32_t seq,
	    const struct store_msg *);
/* "MODSEQ (n)" */
void	 out_modseq(struct session *, uint32_t seq);
/* "* n FETCH (FLAGS (...))", with UID in a UID command, with all that was
 * enabled (RFC 7162 3.2.4). */
void	 out_fetch_flags(struct session *, uint32_t seq);
/* The same without flags: of a STORE with .SILENT (RFC 7162 3.1.3). */
void	 out_fetch_modseq(struct session *, uint32_t seq);
/* "[1.HEADER.FIELDS (To)]<0>": what was asked for, in our own words, for the
 * client's may have a {7+} in them, which no answer has. */
void	 out_section(struct session *, const struct imap_section *);
/* UID ranges "1:4,7" to a text. */
int	 ranges_print(struct fbuf *, const struct store_range *, size_t n);

/* ---- objectid.c ---------------------------------------------------------- */

/* "MAILBOXID (F1796052995-7)", "EMAILID (M1e0001)" */
void	 out_mailboxid(struct session *, uint32_t uidvalidity, uint32_t id);
void	 out_emailid(struct session *, const struct store_msg *);
/* "THREADID (T1e0001)", and its number, which is not 0. */
void	 out_threadid(struct session *, const struct store_msg *,
	    struct slice facts);
uint64_t threadid(const struct store_msg *, struct slice facts);
/* MAILBOXID of a mailbox that there is, for the tagged line. */
void	 code_mailboxid(struct session *, const char *name);
/* The number of an object id of a kind, 'M' or 'T'; 0 is of none.  0, or -1
 * with in->err. */
int	 arg_objectid(struct imap_in *, char kind, uint64_t *);

/* ---- vanished.c ---------------------------------------------------------- */

/* VANISHED, of UIDs in descending order. */
void	 out_vanished(struct session *, const uint32_t *uids, size_t n);
/* VANISHED (EARLIER) of what went after since, of asked (resolved), of UIDs
 * greater than above. */
enum store_result out_vanished_earlier(struct session *, uint64_t since,
	    const struct imap_range *asked, size_t n, uint32_t above);

/* ---- enable.c ------------------------------------------------------------ */

void	 session_enable(struct session *, unsigned int bits);

/* ---- condstore.c --------------------------------------------------------- */

struct fetch_modifiers {		/* RFC 7162 3.1.4.1, 3.2.6; 9394 3.3 */
	uint64_t	 since;		/* CHANGEDSINCE; 0 none */
	bool		 vanished;
	struct imap_partial page;	/* PARTIAL; from 0: none */
};
/* The list in parentheses. */
enum reply arg_fetch_modifiers(struct session *, struct imap_in *,
	    struct fetch_modifiers *);
enum reply arg_store_modifiers(struct session *, struct imap_in *,
	    uint64_t *since);
/* What stands behind MODSEQ in SEARCH.  0, or -1 with in->err. */
int	 arg_search_modseq(struct session *, struct imap_in *, uint64_t *);
void	 code_modified(struct session *, const uint32_t *seqs, size_t n);
void	 code_highestmodseq(struct session *);

/* ---- qresync.c ----------------------------------------------------------- */

struct resync_set {
	struct imap_range *v;
	size_t		 n;
};
struct resync {				/* of SELECT; uidvalidity 0: none */
	uint32_t	 uidvalidity;
	uint64_t	 modseq;
	struct resync_set known;	/* v NULL: all UIDs */
	struct resync_set seqs, uids;	/* as the client has them */
};
enum reply arg_select_params(struct session *, struct imap_in *,
	    struct resync *);
/* After the mailbox was opened. */
enum store_result resync_show(struct session *, const struct resync *);
void	 resync_free(struct resync *);

/* ---- messagelimit.c ------------------------------------------------------ */

/* Cut s->set to as many as one command may be about: s->lowest is set. */
void	 limit_set(struct session *);
/* NO, if it is about more. */
enum reply limit_refuse(struct session *);
/* MESSAGELIMIT, for s->lowest. */
void	 limit_tell(struct session *);

/* ---- the commands -------------------------------------------------------- */

/* Verb, legal states, flags (cmd.c), arguments, function.  The frequent ones
 * first. */
#define COMMANDS(C)							\
	C("FETCH", SELECTED, F_UID | F_NOEXPUNGE, SOME, cmd_fetch)	\
	C("NOOP", ANY, 0, NONE, cmd_noop)				\
	C("SELECT", ANY, F_NOUPDATE, SOME, cmd_select)			\
	C("LOGOUT", ANY, F_NOUPDATE, NONE, cmd_logout)			\
	C("STORE", SELECTED, F_UID | F_NOEXPUNGE, SOME, cmd_store)	\
	C("IDLE", ANY, 0, NONE, cmd_idle)				\
	C("SEARCH", SELECTED, F_UID | F_NOEXPUNGE, SOME, cmd_search)	\
	C("SORT", SELECTED, F_UID | F_NOEXPUNGE, SOME, cmd_sort)	\
	C("THREAD", SELECTED, F_UID | F_NOEXPUNGE, SOME, cmd_thread)	\
	C("STATUS", ANY, 0, SOME, cmd_status)				\
	C("LIST", ANY, 0, SOME, cmd_list)				\
	C("LSUB", ANY, 0, SOME, cmd_lsub)				\
	C("XLIST", ANY, 0, SOME, cmd_xlist)				\
	C("EXAMINE", ANY, F_NOUPDATE, SOME, cmd_examine)		\
	C("APPEND", ANY, 0, SOME, cmd_append)				\
	C("REPLACE", SELECTED, F_UID, SOME, cmd_replace)		\
	C("COPY", SELECTED, F_UID, SOME, cmd_copy)			\
	C("MOVE", SELECTED, F_UID, SOME, cmd_move)			\
	C("EXPUNGE", SELECTED, F_UIDONLY, SOME, cmd_expunge)		\
	C("EXPUNGE", SELECTED, 0, NONE, cmd_expunge)			\
	C("CHECK", SELECTED, 0, NONE, cmd_noop)				\
	C("CLOSE", SELECTED, F_NOUPDATE, NONE, cmd_close)		\
	C("UNSELECT", SELECTED, F_NOUPDATE, NONE, cmd_unselect)		\
	C("UIDBATCHES", SELECTED, 0, SOME, cmd_uidbatches)		\
	C("CREATE", ANY, 0, SOME, cmd_create)				\
	C("DELETE", ANY, 0, SOME, cmd_delete)				\
	C("RENAME", ANY, 0, SOME, cmd_rename)				\
	C("SUBSCRIBE", ANY, 0, SOME, cmd_subscribe)			\
	C("UNSUBSCRIBE", ANY, 0, SOME, cmd_unsubscribe)			\
	C("GETQUOTA", ANY, 0, SOME, cmd_getquota)			\
	C("GETQUOTAROOT", ANY, 0, SOME, cmd_getquotaroot)		\
	C("SETQUOTA", ANY, 0, SOME, cmd_setquota)			\
	C("CAPABILITY", ANY, 0, NONE, cmd_capability)			\
	C("NAMESPACE", ANY, 0, NONE, cmd_namespace)			\
	C("ID", ANY, 0, SOME, cmd_id)					\
	C("ENABLE", ANY, 0, SOME, cmd_enable)				\
	C("COMPRESS", ANY, 0, SOME, cmd_compress)			\
	C("UNAUTHENTICATE", ANY, F_NOUPDATE, NONE, cmd_unauthenticate)	\
	C("LOGIN", 0, 0, SOME, cmd_too_late)				\
	C("AUTHENTICATE", 0, 0, SOME, cmd_too_late)			\
	C("STARTTLS", 0, 0, NONE, cmd_too_late)

#define COMMAND(verb, states, flags, args, fn)				\
	enum reply fn(struct session *, struct imap_in *);
COMMANDS(COMMAND)
#undef COMMAND

/* ---- idle.c -------------------------------------------------------------- */

/* Behind "+ idling". */
enum reply idle_run(struct session *);

/* STATUS items, for LIST too. */
struct status_items {
	size_t	 n;
	int	 item[IMAP_STATUS_ITEMS];
};
int	 status_items(struct imap_in *, struct status_items *);
/* "* STATUS name (...)". */
enum store_result status_send(struct session *, const char *name,
	    const struct status_items *);

/* "* LIST (...) "/" name", with OLDNAME (RFC 9051 6.3.9.7) when it had another
 * one, else NULL. */
void	 list_told(struct session *, const char *name, const char *was);

/* ---- fetch_body.c -------------------------------------------------------- */

/* The octets of BODY[section] of a message. */
struct body {
	uint64_t	 off, len;	/* in the message, prefix included */
	bool		 missing;	/* no such part: NIL */
	struct slice	 text;		/* or made here: HEADER.FIELDS */
	bool		 made;
};
/* facts: of the message; BODY[] alone needs none. */
enum store_result body_find(struct session *, const struct store_msg *,
	    struct slice facts, const struct imap_section *, struct body *);
/* Send it as a literal, <first.count> applied. */
enum store_result body_send(struct session *, const struct store_msg *,
	    const struct imap_section *, const struct body *);
/* Octets of a header in one piece, at most HEADER_MAX; offsets count from
 * the prefix.  Good until the next call that reads messages. */
enum store_result body_bytes(struct session *, const struct store_msg *,
	    uint64_t off, uint64_t len, struct slice *);

/* ---- fetch_binary.c ------------------------------------------------------ */

/* BINARY[part] as a literal, or a literal8 when a NUL is in it; NIL when
 * there is no such part.  INVALID: its encoding is not known. */
enum store_result binary_send(struct session *, const struct store_msg *,
	    struct slice facts, const struct imap_section *);
/* BINARY.SIZE[part]: the number. */
enum store_result binary_size(struct session *, const struct store_msg *,
	    struct slice facts, const struct imap_section *);
/* PREVIEW: a string. */
void	 preview_send(struct session *, struct slice facts);

#endif
