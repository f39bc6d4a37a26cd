/*
 * The parts of report-out.
 *
 * smtpd tells what became of each message that a domain owner may want to
 * hear of; out.c hands that to the aggregates (aggregate.c and what is
 * under it) and to the failure reports (failure.c).  A finished report
 * is a letter (letter.c) and goes to queue (send.c); whether an
 * address of a DMARC record may be told is found out by dest.c.
 *
 * Layers, lowest first; a file calls those before it:
 *	row rec journal group limit address trace redact arf
 *	letter wanted time xml report channel
 *	dest table restore send aggregate pending
 *	allow notice failure out
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/address.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"

struct event_base;

/* ---- out.c: as struct role has them -------------------------------------- */

void	 out_start(const struct conf *);
/* One more smtpd; queue or resolve, in place of the one there was. */
void	 out_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
/* What was counted goes to disk, and the process ends. */
void	 out_stop(void);

/* ---- channel.c: queue and resolve ---------------------------------------- */

/* Another one of that kind (CHAN_QUEUE, CHAN_DNS), in place of what was. */
void	 out_join(enum chan_kind, int fd);
struct chan	*out_dns(void);		/* to resolve, NULL: it is away */
uint64_t	 out_whom(void);	/* another one to ask it for */
struct chan	*out_queue(void);	/* to queue, NULL: it is away */

/* ---- letter.c: the text of a report, on its way into a memfd ------------- */

/*
 * Written in one go, in wire form (CRLF, 7 bit, header first), and never
 * wholly in memory: octets go to an anonymous file in blocks, and past the
 * MIME parser and the body hash on the way.  The header has to be shorter
 * than LETTER_HEADER.
 */
#define LETTER_HEADER	8192	/* octets of a header, empty line included */
#define LETTER_SIZE	(256U << 20)	/* octets of a letter */

/* NULL: no memory or descriptor for it. */
struct letter *letter_new(void);
void	 letter_free(struct letter *);
/* After an error all further calls do nothing, and letter_end tells. */
void	 letter_add(struct letter *, const void *, size_t);
void	 letter_say(struct letter *, const char *, ...)	/* at most 2000 */
	    __attribute__((format(printf, 2, 3)));
uint64_t letter_size(const struct letter *);
/* It is whole: facts behind it, hashes made, sealed.  0, -1. */
int	 letter_end(struct letter *);

/*
 * The fields every report starts with: From (reports.from), To, Subject,
 * Date, Message-ID (id is its left side), Auto-Submitted, MIME-Version.
 * subject may hold CRLF and a blank where it is folded.  to: as it came from
 * dest_address or the configuration.
 */
void	 letter_head(struct letter *, const char *to, const char *subject,
	    const char *id, uint64_t now);

/* ---- send.c: to queue ---------------------------------------------------- */

enum sent {
	SENT_OK,		/* queue has it on disk */
	SENT_REFUSED,		/* nobody may be told there: never again */
	SENT_LATER		/* not now */
};

/* why: text for a log line, "" with SENT_OK; good until the call returns. */
typedef void (*sent_cb)(enum sent, const char *why, void *arg);

/*
 * Hand a letter that is ended to queue; it is freed in any case, later.
 * Called back exactly once, never at once.  commit names it: the same
 * commit is the same report, and queue takes it once.  ask: queue may know
 * it from before a crash and is asked first.  keep: seconds to try again
 * (queue away or full) before SENT_LATER is told; 0: one try.
 */
void	 letter_send(struct letter *, const struct msg_id *commit,
	    const char *sid, const char *rcpt, bool ask, unsigned int keep,
	    sent_cb, void *arg);
/* There is a queue again: what waits for it goes out now. */
void	 send_again(void);

/* ---- dest.c: who may be told --------------------------------------------- */

#define DEST_HOST	DOMAIN_TEXT

struct dest {
	char	 address[ADDR_TEXT_MAX];	/* as RCPT wants it */
	char	 host[DEST_HOST];		/* its domain, A-labels */
};

/* A URI of rua= or ruf=: 0, or -1 when it is not a mailto: that can be used.
 * Percent-encoding is undone (RFC 6068); of several addresses the first; its
 * header fields are dropped. */
int	 dest_address(struct slice uri, struct dest *);
/* The same from an address that came out of it. */
int	 dest_again(const char *address, struct dest *);
/* The next usable one of a rua or ruf value that is not among the n in seen:
 * 1, or 0 at the end.  Looks at DMARC_URIS_MAX at most; *rest goes on. */
int	 dest_next(struct slice *rest, const struct dest *seen, size_t n,
	    struct dest *);

enum dest_verdict {
	DEST_YES,
	DEST_NO,		/* it did not agree to be told */
	DEST_LATER		/* a temporary failure of the DNS */
};

/* to: with DEST_YES the address to use, which the other side may have
 * changed within its host (RFC 9990 4 step 9).  why: for a log line. */
typedef void (*dest_cb)(enum dest_verdict, const struct dest *to,
	    const char *why, void *arg);

/*
 * May reports about domain (where the record was found) go to d?  Yes when
 * both have the same organizational domain (RFC 9989 4.10), else if d's host
 * says so (RFC 9990 4).  tag: "rua" or "ruf", which of an answer counts.
 * Called back exactly once, never at once, unless dest_forget comes before.
 * Returns what dest_forget takes, NULL when too many are asked for
 * (then nothing is called back).
 */
struct dest_ask *dest_ask(const char *domain, const struct dest *,
	    const char *tag, dest_cb, void *arg);
void	 dest_forget(struct dest_ask *);

/* ---- aggregate.c, pending.c ---------------------------------------------- */

void	 aggregate_init(struct event_base *);
/* The facts of one message; what it points to is gone after the call. */
void	 aggregate_mail(const struct report_mail_ev *);
/* What was counted is on disk when it returns. */
void	 aggregate_stop(void);
/* "reports pending" of mailctl. */
void	 pending_run(uint32_t ask, uint32_t uid, struct slice args);

/* ---- failure.c ----------------------------------------------------------- */

void	 failure_init(struct event_base *);
/* The facts of one message; what it points to is gone after the call. */
void	 failure_mail(const struct report_mail_ev *);

#endif
