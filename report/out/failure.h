/*
 * Failure reports (RFC 9991, 6591, 5965): the pure parts, which the tests
 * link, and the way of one report from smtpd's notice to queue.
 */
#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"

struct text;

/* ---- address.c, redact.c, trace.c: no persons (RFC 6590) ----------------- */

#define REDACT_KEY	32
#define REDACT_ADDR	400	/* octets of redact_address with its NUL */
#define REDACT_MAX	(32 * 1024)	/* octets of a redacted header */
#define REDACT_ITEMS	200	/* addresses, words of one field */

/*
 * "local@domain" with "redacted-" and a keyed hash in place of the local
 * part, whole or in its two parts; the same local part gives the same hash
 * (RFC 6590 2).  out has REDACT_ADDR octets.
 */
void	 redact_address(const uint8_t key[REDACT_KEY], struct slice address,
	    char *out);
void	 redact_parts(const uint8_t key[REDACT_KEY], struct slice local,
	    struct slice domain, char *out);
/*
 * What a stranger may see of a header: of each field on a short list only
 * what tells how the message went and how it was signed.  No local part, no
 * display name, no subject, no comment gets out; a Message-ID stays unless
 * it holds one of the local parts of the header or of the two of the
 * envelope.  Whole fields, until REDACT_MAX; only CRLF and printable ASCII.
 */
void	 redact_header(const uint8_t key[REDACT_KEY], struct slice header,
	    struct slice sender, struct slice rcpt, struct text *);
/* For redact_header: the values of the fields that others wrote on the way
 * (Received, Authentication-Results, Received-SPF) and of tag lists. */
void	 trace_received(const uint8_t key[REDACT_KEY], struct slice,
	    struct text *);
void	 trace_results(const uint8_t key[REDACT_KEY], struct slice,
	    struct text *);
void	 trace_tags(const uint8_t key[REDACT_KEY], struct slice,
	    struct text *);

/* i= of the DKIM-Signature with that d= and s=.  1, or 0: there is none. */
int	 trace_identity(struct slice header, struct slice domain,
	    struct slice selector, struct slice *identity);

/* ---- arf.c: the report --------------------------------------------------- */

struct arf {
	const struct report_mail_ev *mail;
	const char	*hostname;
	struct msg_id	 unique;	/* random: boundary */
	int64_t		 arrival;
	unsigned int	 incidents;
	struct slice	 spf;		/* SPF record; p NULL: not known */
	const uint8_t	*key;		/* NULL: nothing is redacted */
};

#define ARF_SIGS	8	/* signatures told of */

/* What follows letter_head's fields: the MIME fields, an empty line and the
 * body, 7-bit with CRLF. */
void	 arf_text(const struct arf *, struct text *t);
/* The signature whose failure is to blame: of the author's domain, or of one
 * above or below it.  1 found, 0 none. */
int	 arf_signature(const struct report_mail_ev *, struct item_dkim *);

/* ---- wanted.c: is a report wanted? --------------------------------------- */

/* Are all enums of the notice in range?  It came over a channel. */
bool	 failure_sound(const struct report_mail_ev *);
/* Does fo= ask for a report (RFC 9989 4.7)? */
bool	 failure_wanted(int fo, const struct report_mail_ev *);
/*
 * Is this message a report itself, or about one of ours: a multipart/report,
 * an aggregate report, an automatic answer without a sender, from our
 * reports' sender or to where reports come in?  Then no report is made.
 */
bool	 failure_is_report(const struct report_mail_ev *, const char *from,
	    char *const *addresses, size_t naddresses);

/* ---- limit.c: so many an hour -------------------------------------------- */

#define LIMIT_SLOTS	8192
#define LIMIT_PERIOD	3600	/* s */

struct limit *limit_new(const uint8_t key[16]);
void	 limit_free(struct limit *);
/* May one more of this kind and name pass, of at most max a period?  Counts
 * it if so.  now: seconds of any clock. */
bool	 limit_take(struct limit *, int kind, struct slice name,
	    unsigned int max, uint64_t now);
/* The same without counting it. */
bool	 limit_left(const struct limit *, int kind, struct slice name,
	    unsigned int max, uint64_t now);

/* ---- allow.c: how many --------------------------------------------------- */

void	 allow_init(void);
/* May there be one more in this hour about that domain: to
 * reports.failure-copy, to its ruf=? */
bool	 copy_may(struct slice domain);
bool	 report_may(struct slice domain);
/* And one to that address? */
bool	 failure_may(const char *address);
/* One was left out: counted, told once a minute. */
void	 failure_lost(const char *why);

/* ---- notice.c: one report on its way ------------------------------------- */

/* A copy of what smtpd told, in one piece: free() it. */
struct kept {
	uint64_t	 arrival;	/* s since 1970 */
	struct report_mail_ev mail;
	uint8_t		 b[];
};

/* NULL: no memory. */
struct kept *kept_new(const struct report_mail_ev *, uint64_t arrival);

void	 notice_init(void);		/* the redaction key */
/*
 * Report k, which is handed over, with so many like it: to
 * reports.failure-copy, to those of its ruf=, or both.
 */
void	 notice_start(struct kept *k, unsigned int incidents, bool copy,
	    bool ruf);

#define FAILURE_RUF	4	/* addresses of one ruf= that are told */

#endif
