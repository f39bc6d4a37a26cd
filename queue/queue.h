/*
 * The nouns of queue: those on disk (spool.h), and message in memory,
 * destination, job.  One process owns them all; see queue.c for the whole.
 *
 * Layers, lowest first; a file calls those before it:
 *	clock text account quota frame envelope record dsn warntext
 *	quarantine spool large settle ids walk
 *	message log forget schedule result hold
 *	load rewrite recover commit
 *	revoked post bounce warning local remote
 *	compact space wait front report select control queue
 *
 * What a lower file has to tell one above it is an event: a function in its
 * struct of _ops, which queue.c gives it at the start.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <sys/queue.h>
#include <sys/types.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "proc/proc.h"
#include "queue/spool.h"

struct event_base;

/* ---- clock.c: a clock that does not jump ------------------------------ */

void	 clock_init(void);
uint64_t clock_now(void);		/* s; about now_sec() at the start */
uint64_t clock_start(void);		/* when this life began */
uint64_t clock_to_wall(uint64_t);	/* as it goes to disk; 0 stays 0 */
/* What was on disk: a time in the past, not after now; and that of the next
 * attempt, not further away than the longest wait, 0: at once. */
uint64_t clock_past(uint64_t wall);
uint64_t clock_due(uint64_t wall);
void	 clock_look(void);		/* now and then: log a jump */

/* ---- settle.c: what takes long with them, in slices ------------------- */

/* error: 0, or an errno (EINVAL: it is not of that size; EBADMSG: not of that
 * checksum). */
typedef void (*settle_cb)(void *arg, int error);

void	 settle_init(struct event_base *);
/* Everything of the file on disk.  end is called once, later. */
struct settling *settle_sync(uint64_t file, uint64_t size, settle_cb end,
	    void *arg);
/* Read it and compare. */
void	 settle_check(uint64_t file, uint64_t size, uint32_t crc,
	    settle_cb end, void *arg);
void	 settle_stop(struct settling *);	/* end is not called */
void	 settle_forget(const void *arg);	/* the check with that arg */
void	 settle_unlink(uint64_t file);		/* soon */

/* ---- message.c: a message in memory ----------------------------------- */

struct rcpt {
	uint32_t	 account;
	uint32_t	 next;		/* of clock_now(), 0 at once */
	uint32_t	 tried;		/* last attempt, 0: not in this life */
	uint32_t	 address;	/* offset in m->text, C strings */
	uint32_t	 orig;
	uint16_t	 attempts;
	uint8_t		 type;		/* enum route_type */
	uint8_t		 state;		/* enum rcpt_state */
	uint8_t		 maybe;		/* an attempt may have been done */
	uint8_t		 lost;		/* attempts that ended with the peer */
	uint8_t		 hold;		/* SENT: HELD when it comes back */
	uint32_t	 error;		/* last one, text_get() */
};

struct message {
	struct segment	*seg;
	uint32_t	 no;
	uint32_t	 off;		/* of the frame header in seg */
	struct frame_hdr hdr;
	uint64_t	 origin_seg;
	uint32_t	 origin_no;
	uint32_t	 received;	/* of clock_now() */
	uint32_t	 account;
	uint32_t	 heap;		/* place in the heap + 1, 0 not in it */
	uint32_t	 next;		/* earliest of waiting recipients */
	int		 fd;		/* memfd kept, or -1 */
	uint16_t	 nrcpt;
	uint16_t	 nlive;		/* recipients not done */
	uint16_t	 njobs;		/* that point here */
	uint16_t	 nwait;		/* of them, not handed out */
	uint8_t		 flags;		/* QF_ */
	uint8_t		 warned;
	uint8_t		 copying;	/* a copy waits for its sync */
	uint8_t		 newer;		/* at the start: newer_what + 1 */
	uint8_t		 newer_version;
	uint8_t		 counted;	/* among what its account has waiting */
	uint8_t		 checked;	/* its large file, in this life */
	uint8_t		 checking;	/* a settling has it as its arg */
	uint8_t		 in_line;	/* for a report of what failed */
	uint32_t	 sid, sender;	/* offsets in text */
	char		*text;
	struct rcpt	 rcpt[];
};

#define MSG_ID_TEXT	32

/* From an envelope that env_get accepted. */
struct message *message_new(const struct envelope *, const struct frame_hdr *);
void	 message_free(struct message *);
uint32_t message_rcpts(void);		/* of all that are in memory */
void	 queue_id(uint64_t seq, uint32_t no, char buf[MSG_ID_TEXT]);
void	 message_id(const struct message *, char buf[MSG_ID_TEXT]);
struct message *message_find(const char *id);	/* NULL: none */
bool	 message_is_id(const char *);	/* looks like one, or like a mid */
const char *message_sid(const struct message *);
/* Log what was done with n of its recipients ("hold"), and by whom. */
void	 message_changed(const struct message *, const char *verb,
	    unsigned int n, const char *by);
const char *message_sender(const struct message *);
const char *rcpt_address(const struct message *, const struct rcpt *);
const char *rcpt_orig(const struct message *, const struct rcpt *);
const char *rcpt_error(const struct rcpt *);	/* "" none */
void	 rcpt_error_set(struct rcpt *, const char *text);
void	 rcpt_done(struct message *, struct rcpt *);	/* in memory alone */
void	 rcpt_delivery_id(const struct message *, unsigned int idx,
	    struct msg_id *);
/* The envelope, from the group just written or from disk; good until the
 * next call of this or of message_fd().  0, -1 with errno (EBADMSG: damaged). */
int	 message_envelope(struct message *, struct envelope *);
uint8_t	*message_envelope_copy(struct message *, struct envelope *);
/* A descriptor with the message at 0 and the facts behind it, to be handed
 * out; owned by the message, see message_release.  -1 with errno. */
int	 message_fd(struct message *);
/* Does this errno of a read mean that reading again fails as well?  Else it
 * may be read later. */
static inline bool
is_damage(int e)
{
	return e == EBADMSG || e == ENOENT || e == EINVAL;	/* its size */
}
/* Is it handed to deliver as octets, not as a descriptor? */
bool	 message_is_small(const struct message *);
/* Those of a small one, the facts behind them; good until the next call of
 * this, of message_envelope() or of message_fd().  NULL with errno. */
const uint8_t *message_octets(struct message *);
void	 message_keep(struct message *, int fd);	/* takes fd */
void	 message_release(struct message *);
/* Its descriptor was used: it stays open for the jobs that wait, if there is
 * room. */
void	 message_used(struct message *);

/* ---- account.c: what each account has waiting ------------------------- */

/* The recipients of m that are not done count for its account from here on,
 * until they are done or m is freed.  Mail from outside counts for nobody. */
void	 account_enter(struct message *);
void	 account_leave(struct message *);
void	 account_less(struct message *);	/* one more is done */
/* Recipients that the account has waiting. */
uint32_t account_waiting(uint32_t account);

/* ---- quota.c: what each account may hold ------------------------------ */

void	 quota_on_ev(struct chan *, struct msg *, void *);
struct quota quota_of(uint32_t account);
/* So much of its quota is used: is authd to be told?  From 95 on, and once
 * when it is less again. */
bool	 quota_percent_told(uint32_t account, unsigned int percent);

/* ---- ids.c: commit ids ------------------------------------------------ */

/*
 * How long commit ids are known after their segment was retired, or, for one
 * that was retired before, after the start: smtpd asks within 20 s of the
 * end of a queue (SMTP_LOST_MS).  report-out may ask a day later; such a
 * report may come twice.
 */
#define IDS_KEEP	60		/* s */

struct ids_place {
	struct segment	*seg;		/* NULL: retired */
	uint64_t	 seq;
	uint32_t	 no;
};

void	 ids_add(struct segment *, uint32_t no, const struct msg_id *);
/* The frame with that commit id; false: none. */
bool	 ids_find(const struct msg_id *, struct ids_place *);
void	 ids_retire(struct segment *);
void	 ids_drop(struct segment *);	/* at once */
void	 ids_expire(uint64_t now);	/* now_ms() */

/* ---- commit.c: group commit ------------------------------------------- */

/*
 * A commit of smtpd's counts only when it is on disk so soon after it was
 * sent: later its client may have heard 451, and brings the message again.
 */
#define COMMIT_LATE	50000		/* ms; smtpd waits SMTP_COMMIT_MS */

struct commit {
	struct envelope	 env;		/* nrcpt, rcpts, origin: filled in, and
					 * sid, "q" and the queue id, if empty */
	const char	*of;		/* what it reports about, for the log,
					 * or NULL; good until the answer */
	const struct env_rcpt *rcpt;
	size_t		 nrcpt;
	uint64_t	 size;
	uint32_t	 facts;
	uint64_t	 large;		/* file, or 0 */
	uint32_t	 large_crc;
	int		 fd;		/* memfd, or -1; taken over */
	struct slice	 body[2];	/* message and facts, when no fd */
	uint32_t	 limit;		/* recipients its account may have
					 * waiting, 0: any number */
	uint64_t	 conn;		/* that sent it, for the guard */
	uint32_t	 outside;	/* recipients it asked for outside */
	uint64_t	 sent;		/* now_ms(); 0: it is never late */
	/* who waits: a channel, or fn */
	struct chan	*chan;
	uint32_t	 ask;
	void		(*fn)(void *, enum queue_result, struct message *);
	void		*arg;
};

/* What happens in a commit, for those that stand above. */
struct commit_ops {
	/* A message came, and is on disk now.  So many of its recipients are
	 * outside: authd's guard counts them for connection and account. */
	void	(*taken)(struct message *, uint64_t conn, uint32_t outside);
};

void	 commit_init(struct event_base *, const struct commit_ops *);
/* Join the next group.  The answer comes later in every case. */
void	 commit_add(struct commit *);
/* The answer is no: descriptor and file go. */
void	 commit_refuse(struct commit *, enum queue_result, const char *why);
/* Its account has too much waiting to add this; logged. */
bool	 commit_is_over_limit(const struct commit *);
/* The queue id of what was committed under that id; false: nothing was. */
bool	 commit_known(const struct msg_id *, char id[MSG_ID_TEXT]);
/* QUEUE_KNOWN, of anybody who commits. */
void	 commit_on_known(struct chan *, struct msg *, void *);
void	 commit_gone(struct chan *);	/* nobody waits there any more */
void	 commit_run(void);		/* sync now */

/* ---- wait.c: commits that wait for their large file ------------------- */

/* Commit it when its file is on disk. */
void	 wait_add(struct commit *);
/* One with that id waits already: it is answered there now.  false: none. */
bool	 wait_again(const struct msg_id *commit, struct chan *, uint32_t ask,
	    uint64_t sent);
void	 wait_gone(const struct chan *);	/* what waits from there goes */

/* ---- front.c: what smtpd brings --------------------------------------- */

void	 front_init(void);
void	 front_secret(const uint8_t *key);	/* 32 octets, of capabilities */
void	 front_channel(struct event_base *, uint16_t instance, int fd);
/* Whether mail is taken, and the free octets: to every smtpd. */
void	 front_tell(bool accepting, uint64_t free_bytes);

/* ---- schedule.c: when and where to ------------------------------------ */

#define DEST_KEY_MAX	256

struct dest {
	TAILQ_HEAD(jobs_head, job) jobs;	/* waiting */
	TAILQ_ENTRY(dest) ready;	/* has jobs and room */
	struct dest	*hash;
	enum route_type	 route;
	bool		 listed;	/* on the ready list */
	uint16_t	 instance;	/* of deliver; report-in: 0 */
	unsigned int	 active;	/* jobs handed out */
	uint32_t	 last_account;	/* whose job went last */
	char		 key[];		/* domain */
};

struct job {
	TAILQ_ENTRY(job) entry;
	struct message	*m;
	struct dest	*dest;
	struct chan	*chan;		/* that has it */
	LIST_ENTRY(job)	 sent;		/* with relay */
	uint32_t	 ask;		/* its id there */
	uint32_t	 n;
	uint32_t	 idx[];		/* recipients */
};

#define JOB_RCPTS	100		/* of one RELAY_MSG */

/* What the schedule asks of those that stand above it. */
struct schedule_ops {
	/* true: before the first attempt of this life its large file is being
	 * read; it is scheduled after that. */
	bool	(*check)(struct message *);
	/* About to be handed out; its recipients may be held now. */
	void	(*last_look)(struct message *);
	/* Send it; false: no room now, or nobody is there. */
	bool	(*send)(struct job *);
	/* A job of it came to nothing; it may be gone afterwards. */
	void	(*end)(struct message *);
	/* So many instances of deliver there are. */
	unsigned int (*delivers)(void);
};

void	 schedule_init(struct event_base *, const struct schedule_ops *);
/* Deal with recipients that are due now; plan the others. */
void	 schedule_message(struct message *);
void	 schedule_forget(struct message *);	/* it is going away */
/* Hand out what can go.  Called at the end of a turn. */
void	 schedule_run(void);
void	 schedule_job_end(struct job *);	/* frees it */
/* Only its first n recipients are sent; the others get a job of their own. */
void	 schedule_job_split(struct job *, uint32_t n);
void	 schedule_wake(void);		/* peers have room, or are back */
/* Seconds to wait after so many failed attempts. */
uint32_t schedule_delay(const struct conf *, unsigned int attempts,
	    uint32_t random);
/* Attempts that are made in so many seconds. */
unsigned int schedule_tries(const struct conf *, uint64_t seconds);

/* ---- result.c: what came of an attempt -------------------------------- */

enum dsn_action { DSN_FAILED, DSN_DELAYED };

/* What happens to a message, for those that stand above. */
struct result_ops {
	/* Recipients FAILED, or were deferred for long. */
	void	(*report)(struct message *, enum dsn_action);
	bool	(*report_room)(void);	/* for one more report now */
	/* A local account has no room for so many octets. */
	void	(*full)(uint32_t account, uint64_t size);
	/* So much of its quota is used. */
	void	(*used)(uint32_t account, unsigned int percent);
	/* Its owner is to be told so. */
	void	(*warn)(const struct message *, uint32_t account,
		    unsigned int percent);
	/* No recipient is left: it is to be freed. */
	void	(*done)(struct message *);
};

void	 result_init(const struct result_ops *);
/* One recipient's result; then result_end once for the message, after which
 * it may be gone. */
void	 result_rcpt(struct message *, unsigned int idx,
	    const struct item_result *);
/* What is certain of some of a job that goes on. */
void	 result_some(struct job *, struct slice results);
/* All that a job's peer said (list of item_result); who is not in it got no
 * answer.  Ends the job. */
void	 result_job(struct job *, struct slice results);
void	 result_end(struct message *);
/* Its frame cannot be read, errno says why: after a read error, or for want of
 * memory or descriptors, it is tried again, else kept for the operator.  Ends
 * the job. */
void	 result_unreadable(struct job *);
/* true: before the first attempt of this life its large file is being read;
 * it is scheduled after that. */
bool	 result_check(struct message *);
/* Mark done and log; no report. */
void	 result_done(struct message *, unsigned int idx);

/* ---- forget.c: delivery ids that are not asked for again --------------- */

void	 forget_add(const struct msg_id *, uint32_t account);
size_t	 forget_count(void);		/* that were not sent yet */
/* Tell the n instances of deliver (NULL: away) of those of their accounts;
 * what is for one that is away waits for it. */
void	 forget_send(struct chan *const *, unsigned int n);

/* ---- local.c, remote.c ------------------------------------------------ */

/* So many instances there are; an account is always the same one's, also
 * while another is away, so that two never have it at the same time. */
void	 local_init(unsigned int n);
void	 local_channel(struct event_base *, uint16_t instance, int fd);
void	 local_report_channel(struct event_base *, int fd);
unsigned int local_count(void);
/* Send it; false: no room now. */
bool	 local_send(struct job *);
void	 local_forget_send(void);	/* the log was synced */
void	 remote_channel(struct event_base *, uint16_t instance, int fd);
bool	 remote_send(struct job *);

/* ---- bounce.c: reports; their text is dsn.h --------------------------- */

void	 bounce_init(struct event_base *);
/* Report all FAILED recipients, which become BOUNCING, or (DSN_DELAYED) those
 * that were deferred.  Where many are under way, the first have to wait. */
void	 bounce_message(struct message *, enum dsn_action);
bool	 bounce_room(void);		/* for one more now */

struct warning_letter {
	const char	*address, *domain;	/* to; ours, of From */
	const char	*hostname;
	unsigned int	 percent;
	uint64_t	 now;
	struct msg_id	 unique;	/* of the Message-ID */
};

/* ---- post.c: mail of the system itself -------------------------------- */

/* A message that nobody submitted: its route is asked of authd, its ticket,
 * if it goes outside, of signd; then it is committed. */
struct post {
	struct msg_id	 commit;
	const char	*rcpt, *sender;
	const char	*of;		/* as in struct commit */
	const char	*domain;	/* of From, to be signed for */
	uint8_t		 flags;		/* QF_ */
	uint64_t	 size;
	uint32_t	 facts;
	int		 fd;		/* message and facts, or -1 */
	struct slice	 body[2];	/* the same, when no fd */
	bool		 unhashed;	/* the hashes are not there: unsigned */
	struct msg_mac	 bodyhash, fromhash;
	uint32_t	 account;	/* to that one; 0: to whom rcpt is */
	/* How it ended, once; text: the queue id, or why not.  QUEUE_REFUSED:
	 * there is no such recipient.  fd is closed then. */
	void		(*end)(void *, enum queue_result, const char *text);
	void		*arg;
	/* of post.c */
	uint8_t		*routes;
	size_t		 routesn;
	unsigned int	 tries;		/* to have it signed */
};

void	 post_init(struct event_base *);
void	 post_channel(enum chan_kind, struct event_base *, int fd);
/* end() is called later, never before this returns. */
void	 post_start(struct post *);
/* Tell authd that a message of size octets had no room in an account: no
 * RCPT for one that is as large, for a while. */
void	 post_full(uint32_t account, uint64_t size);
/* The same when it is almost full, and when it is so no more. */
void	 post_used(uint32_t account, unsigned int percent);
/* Tell authd's guard that a message of that connection is on disk. */
void	 post_sent(uint64_t conn, uint32_t account, uint32_t recipients);
/* Which account an address is.  fn is called once: DIR_OK, DIR_UNKNOWN (no
 * account, or more than one), DIR_TEMP. */
void	 post_account(const char *address,
	    void (*fn)(void *, enum dir_result, uint32_t account), void *arg);

/* The address of an account.  fn is called once: DIR_OK, DIR_UNKNOWN,
 * DIR_TEMP (then it is ""). */
void	 post_address(uint32_t account,
	    void (*fn)(void *, enum dir_result, const char *address), void *arg);

/* ---- warning.c: letters to who has little room left; warntext.c ------- */

/* That message has made an account so full: its owner gets a letter. */
void	 warning_send(const struct message *, uint32_t account,
	    unsigned int percent);
/* Its text, CRLF; malloc'ed, *n octets. */
char	*warning_text(const struct warning_letter *, size_t *n);

/* ---- report.c: what report-out sends ---------------------------------- */

void	 report_channel(struct event_base *, int fd);

/* ---- walk.c: messages one after the other ----------------------------- */

struct walk {				/* { 0 }: from the beginning */
	uint64_t	 seq;		/* segment, and */
	uint32_t	 no;		/* the frame that is next */
};

/* Go on with the walk: fn is called for each message, which it may end, until
 * enough was looked at for a loop turn or fn says false.  false: that was the
 * end of the queue. */
bool	 walk_turn(struct walk *, bool (*fn)(struct message *, void *), void *);
/* The same with what is kept and not tried: a frame of a newer release, or
 * (NULL) a segment that cannot be read. */
bool	 walk_kept(struct walk *, bool (*fn)(const struct segment *,
	    const struct newer *, void *), void *);

/* ---- compact.c -------------------------------------------------------- */

/* Copy what still lives in a mostly finished segment; now and then. */
void	 compact_look(void);

/* ---- hold.c: recipients that wait for the operator --------------------- */

/* Hold one that waits, or that is under way if it comes back; false: neither.
 * Then result_end() once for the message; the caller syncs the log. */
bool	 hold_rcpt(struct message *, unsigned int idx);
/* It waits no longer; false: it was not held. */
bool	 hold_end(struct message *, unsigned int idx);
/* All of them, result_end() too; how many.  m may not be copying. */
unsigned int hold_message(struct message *, const char *by);

/* ---- revoked.c: accounts that may send no more ------------------------- */

void	 revoked_on_ev(struct chan *, struct msg *, void *base);
/* A message that has just come: hold it if it is one of theirs. */
void	 revoked_look(struct message *);
/* The same for one that is about to be handed out, while those that came
 * before the word are still looked for. */
void	 revoked_last_look(struct message *);

/* ---- space.c ----------------------------------------------------------- */

/* Is there room for more mail?  Tells the operator; true: smtpd is to be told
 * that too, and how many octets are free. */
bool	 space_look(bool *take, uint64_t *free_bytes);
bool	 space_for(size_t nrcpt);	/* so many recipients more */

/* ---- load.c: a segment into memory ------------------------------------ */

/* Its frames; buf of SEG_SIZE.  late: others have begun.  0, -1 with errno:
 * it cannot be read, load_drop what there is. */
int	 load_segment(struct segment *, uint8_t *buf, bool late);
void	 load_drop(struct segment *);
void	 load_apply(struct segment *, const struct log_rec *);
void	 load_finish(struct segment *);	/* the log was applied */
/* Its messages are due from now on; their number. */
unsigned int load_begin(struct segment *);
/* The frame was left by a newer release. */
bool	 segment_is_newer(const struct segment *, uint32_t no);

/* ---- recover.c: the start --------------------------------------------- */

/* Bring back what is on disk; false: not all of what is needed can be read
 * now, recover_tick() tries again. */
bool	 recover_run(void);
bool	 recover_done(void);
void	 recover_tick(void);		/* once a second */
/* There is something that this process does not know or cannot read. */
bool	 recover_unknown(void);
/* A record of the old log that only it knows. */
bool	 recover_carries(const struct log_rec *);
bool	 recover_keeps(const struct segment *);	/* not to be retired yet */

/* ---- control.c --------------------------------------------------------- */

void	 control_run(uint32_t ask, uint32_t uid, struct slice args);

/* ---- queue.c: as struct role has them ---------------------------------- */

void	 queue_secret(enum conf_secret_kind, const uint8_t[32]);
/* Reads all there is on disk; from then on the clock runs. */
void	 queue_start(const struct conf *);
/* Another end of a channel, in place of the one to that process. */
void	 queue_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
/* Syncs what was not yet, and ends the process. */
void	 queue_stop(void);

/* ---- queue.c: for the tests -------------------------------------------- */

/* All files on that spool directory, each with what it tells the ones above;
 * what is there is read.  0, -1 with errno. */
int	 queue_init(struct event_base *, int dirfd);
/* The message has no recipient left: free it, note its segment. */
void	 queue_message_done(struct message *);

#endif
