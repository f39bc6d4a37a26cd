/*
 * Pure parsers: bytes in, results out.  Nothing here does input or output,
 * reads a clock, logs, or keeps a global; only struct mime allocates.
 *
 * Parsers return > 0 for bytes consumed, 0 for "need more", -1 for an error
 * whose place and reason stand in struct parse_err (which may be NULL where a
 * pointer to it is taken).  Slices returned point into the caller's input, or
 * into the result struct where that is said.  Every loop over outside bytes
 * is linear and has a stated limit.
 */
#ifndef PARSE_H
#define PARSE_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char	*p;
	size_t		 n;
};

struct parse_err {
	size_t		 off;	/* octet at which it went wrong */
	const char	*why;	/* static text, for a reply or a log line */
};

#define SLICE_LIT(s)	((struct slice){ (s), sizeof(s) - 1 })

/* ---- slice.c: small things everybody needs ------------------------------ */

static inline struct slice
slice_of(const char *p, size_t n)
{
	return (struct slice){ p, n };
}

/* A slice of the C string s. */
static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline int
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII lower case, without a locale. */
static inline int
ascii_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Equal but for the case of ASCII letters. */
int	 slice_caseeq(struct slice, struct slice);

/* Equal to a C string; the second ignores the case of ASCII letters.  Here,
 * so that the length of a literal is known when it is compiled. */
static inline int
slice_is(struct slice s, const char *str)
{
	return slice_eq(s, slice_str(str));
}

static inline int
slice_caseis(struct slice s, const char *str)
{
	return s.n == strlen(str) && slice_caseeq(s, slice_str(str));
}

/* Does s start with the C string (ASCII case ignored)? */
int	 slice_casestarts(struct slice s, const char *);
/* Without leading and trailing SP, HTAB, CR, LF. */
struct slice slice_trim(struct slice);
/* Where c is in s, or s.n. */
size_t	 slice_find(struct slice s, int c);
/* Decimal digits only, at least one, at most max.  0, or -1. */
int	 slice_number(struct slice, uint64_t max, uint64_t *);
/* Is there an octet above 127? */
int	 has_8bit(const char *, size_t);
/* Copy to a C string of size bytes; -1 if it does not fit or holds NUL. */
int	 slice_cpy(struct slice, char *, size_t size);

/* ---- address.c: SMTP paths, domains, IP literals (RFC 5321 4.1.2, 4.1.3) - */

#define ADDR_LOCAL_MAX	64	/* RFC 5321 4.5.3.1.1 */
#define ADDR_DOMAIN_MAX	255	/* RFC 5321 4.5.3.1.2 */
#define ADDR_PATH_MAX	256	/* RFC 5321 4.5.3.1.3, brackets included */
#define ADDR_TEXT_MAX	(2 * ADDR_LOCAL_MAX + 2 + 1 + ADDR_DOMAIN_MAX + 1)

#define ADDR_NULLSENDER	0x01	/* <> */
#define ADDR_QUOTED	0x02	/* the local part was written quoted */
#define ADDR_LITERAL	0x04	/* domain is [1.2.3.4] or [IPv6:...] */
#define ADDR_ROUTE	0x08	/* a source route was there and was dropped */
#define ADDR_NODOMAIN	0x10	/* only a local part; domain is "" */
#define ADDR_UTF8	0x20	/* has octets above 127 (RFC 6531) */
#define ADDR_BARE	0x40	/* came without angle brackets */

struct address {
	int	 flags;
	size_t	 localn;
	size_t	 domainn;
	char	 local[ADDR_LOCAL_MAX + 1];	/* dequoted; NUL-terminated */
	char	 domain[ADDR_DOMAIN_MAX + 1];	/* ASCII lower case, no final
						 * dot; a literal in brackets */
};

#define PATH_NULL	0x01	/* <> is welcome (MAIL FROM) */
#define PATH_BARE	0x02	/* brackets may be missing */
#define PATH_NODOMAIN	0x04	/* "Henrik" and <postmaster> are welcome */
#define PATH_UTF8	0x08	/* SMTPUTF8 was asked for */

/*
 * One reverse- or forward-path at the start of p[0..n): leading blanks are
 * skipped, the path ends before a blank or at the end.  Returns the octets
 * used or -1.  Octets below 32 and 127 are never accepted, quoted or not.
 */
ssize_t	 address_path(const char *p, size_t n, int opts, struct address *,
	    struct parse_err *);
/* "local@domain" alone, whole slice, no brackets; opts as above.  0 or -1. */
int	 address_parse(struct slice, int opts, struct address *,
	    struct parse_err *);
/*
 * Canonical text: local part quoted only where the grammar wants it, no
 * brackets, "" for the null sender.  Returns the length (< ADDR_TEXT_MAX)
 * or -1 if size is too small.
 */
ssize_t	 address_print(const struct address *, char *, size_t size);
/* The same mailbox?  The domain without case, the local part as it is. */
int	 address_eq(const struct address *, const struct address *);
/* Percent hack, bang path or "@" in a local part: routing by the back door. */
int	 address_is_routed(const struct address *);
/*
 * A domain name: labels of letters, digits, hyphen (not at an end) and
 * underscore, 1..63 octets each, at most 253 in all, one final dot allowed;
 * octets above 127 only with utf8 set.
 */
int	 domain_valid(struct slice, int utf8);

/* An IP address; v4 uses the first four octets. */
struct ipaddr {
	int	 family;	/* 4 or 6 */
	uint8_t	 b[16];
};

#define IPADDR_TEXT_MAX	46

/* Dotted quad or RFC 4291 text, nothing around it.  0 or -1. */
int	 ipaddr_parse(struct slice, struct ipaddr *);
/* [1.2.3.4] or [IPv6:...] of RFC 5321 4.1.3.  0 or -1. */
int	 ipaddr_literal(struct slice, struct ipaddr *);
/* RFC 5952 text.  Returns the length or -1 if size < IPADDR_TEXT_MAX. */
ssize_t	 ipaddr_print(const struct ipaddr *, char *, size_t size);

/* ---- addrlist.c: address lists in header fields (RFC 5322 3.4, 4.4) ----- */

#define ADDRLIST_MAX	2000	/* items given out of one list */
#define ADDRITEM_TEXT	1536	/* octets of all strings of one item */

enum addritem_kind {
	ADDRITEM_MAILBOX,	/* name, route, local, domain */
	ADDRITEM_GROUP,		/* name: a group opens */
	ADDRITEM_GROUP_END
};

struct addritem {
	enum addritem_kind kind;
	int		 cut;		/* something did not fit */
	int		 odd;		/* a mailbox with words around it
					 * that have no place there: others
					 * may read another address */
	struct slice	 name;		/* display name or trailing comment;
					 * unquoted, unfolded, still encoded
					 * as of RFC 2047; p NULL if none */
	struct slice	 route;		/* "@a,@b"; p NULL if none */
	struct slice	 local;		/* unquoted */
	struct slice	 domain;	/* p NULL if none */
	char		 buf[ADDRITEM_TEXT];	/* what the slices point into */
};

struct addrlist {
	struct slice	 in;
	size_t		 off;
	int		 count;
	int		 ingroup;
};

/* Start on the (folded) value of a field. */
void	 addrlist_start(struct addrlist *, struct slice value);
/*
 * The next item: 1, or 0 at the end.  Broken input gives its best reading,
 * never an error, and always goes forward.  The item is overwritten.
 */
int	 addrlist_next(struct addrlist *, struct addritem *);

/* ---- mailboxes.c: what RFC 5322 3.4 lets one write in From: -------------- */

#define MAILBOXES_MAX	64	/* in one field */

/*
 * How many mailboxes the (folded) value of a From field has, if it has no
 * group, no obsolete form and nothing in it that may be read in two ways;
 * addrlist_next gives the same ones.  -1 with place and reason if it does.
 */
int	 mailboxes_check(struct slice value, struct parse_err *);

/* ---- smtp.c: commands and replies (RFC 5321 4.1.1, 4.2) ----------------- */

#define SMTP_VERB_MAX	16
#define SMTP_PARAMS_MAX	16	/* parameters of one MAIL or RCPT */
#define SMTP_ENVID_MAX	100	/* RFC 3461 4.4 */

struct smtp_cmd {
	struct slice	 verb;	/* 1..SMTP_VERB_MAX letters and digits */
	struct slice	 arg;	/* trimmed rest of the line; may be empty */
};

/*
 * A command line without its CRLF.  0 or -1; CR, LF and NUL anywhere, and a
 * verb that is none, are errors.
 */
int	 smtp_cmd_parse(struct slice line, struct smtp_cmd *,
	    struct parse_err *);

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME,
	    SMTP_BODY_BINARYMIME };

#define SMTP_NOTIFY_NEVER	0x01	/* RFC 3461 4.1 */
#define SMTP_NOTIFY_SUCCESS	0x02
#define SMTP_NOTIFY_FAILURE	0x04
#define SMTP_NOTIFY_DELAY	0x08

/* MAIL FROM:<path> or RCPT TO:<path> with its parameters. */
struct smtp_path {
	struct address	 addr;
	uint64_t	 size;		/* SIZE=, 0 if none (RFC 1870) */
	enum smtp_body	 body;		/* BODY= (RFC 6152, 3030) */
	int		 utf8;		/* SMTPUTF8 (RFC 6531) */
	int		 requiretls;	/* REQUIRETLS (RFC 8689) */
	struct slice	 auth;		/* AUTH= as xtext; p NULL if none */
	int		 ret;		/* RET=: 'F' FULL, 'H' HDRS, 0 none */
	struct slice	 envid;		/* ENVID= as xtext; p NULL if none */
	int		 notify;	/* NOTIFY= bits, 0 if none */
	struct slice	 orcpt;		/* ORCPT= as type;xtext */
};

enum smtp_path_result {
	SMTP_PATH_OK,
	SMTP_PATH_SYNTAX,	/* 501 5.5.4 / 5.5.2: not FROM: or TO: at all */
	SMTP_PATH_ADDRESS,	/* 553 5.1.7 sender, 5.1.3 recipient */
	SMTP_PATH_PARAM,	/* 501 5.5.4: bad value, twice, too many */
	SMTP_PATH_UNKNOWN	/* 555 5.5.4: parameter not known */
};

/*
 * The argument of MAIL or RCPT.  Tolerant where people type: blanks around
 * the colon, no brackets, no domain.  All parameters of the struct are known
 * here; the caller refuses those it does not offer.
 */
enum smtp_path_result smtp_mail_parse(struct slice arg, struct smtp_path *,
	    struct parse_err *);
enum smtp_path_result smtp_rcpt_parse(struct slice arg, int utf8,
	    struct smtp_path *, struct parse_err *);
/* xtext of RFC 3461 4.  Return the length, or -1: bad, or too long. */
ssize_t	 xtext_decode(struct slice, char *, size_t size);
ssize_t	 xtext_encode(struct slice, char *, size_t size);
/* EHLO/HELO argument: domain, address literal or, as people do, any run of
 * 1..255 letters, digits and -._:[] .  0 or -1. */
int	 smtp_helo_valid(struct slice);
/* BDAT argument "size [LAST]" (RFC 3030 2).  0 or -1. */
int	 smtp_bdat_parse(struct slice arg, uint64_t *size, int *last);

#define SMTP_REPLY_LINES	128	/* lines of one reply */
#define SMTP_REPLY_LINE_MAX	2048	/* octets of one line (512 by RFC) */
#define SMTP_REPLY_TEXT		512	/* text kept, as one line */

/*
 * What a remote server answered, put together line by line.  text is one
 * clean line: printable ASCII, lines joined by a blank, cut where it ends.
 */
struct smtp_reply {
	int		 code;		/* 200..599, 0 before the first line */
	int		 lines;
	int		 done;
	int		 enhanced[3];	/* class 0: none was given */
	size_t		 textn;
	char		 text[SMTP_REPLY_TEXT];	/* NUL-terminated */
};

void	 smtp_reply_start(struct smtp_reply *);
/*
 * One reply line without its CRLF.  1: that was the last line, 0: more to
 * come, -1: not a reply (other code than before, too many or too long lines,
 * a control character).  *line, if not NULL, is the text after the code.
 */
int	 smtp_reply_line(struct smtp_reply *, struct slice in,
	    struct slice *line, struct parse_err *);
/* "2.1.5" at the start of s: octets used, 0 if there is none. */
size_t	 smtp_enhanced(struct slice s, int out[3]);

/* ---- data.c: message data on the SMTP wire (RFC 5321 4.1.1.4, 4.5.2) ---- */

#define DATA_LINE_MAX	998	/* RFC 5322 2.1.1, without CRLF */

#define DATA_BARE_CR	0x01	/* seen: CR without LF */
#define DATA_BARE_LF	0x02	/* seen: LF without CR */
#define DATA_NUL	0x04	/* seen: octet 0 */
#define DATA_8BIT	0x08	/* seen: octet above 127 */
#define DATA_LONG	0x10	/* seen: line above DATA_LINE_MAX */
#define DATA_NOEOL	0x20	/* counted data does not end in CR LF */
#define DATA_BARE	(DATA_BARE_CR | DATA_BARE_LF)

/* A zeroed struct is the start of data.  State never looks back, so input may
 * be cut anywhere. */
struct data_scan {
	uint8_t		 state;
	uint8_t		 seen;	/* DATA_ bits, of the whole message so far */
	uint8_t		 done;	/* CRLF . CRLF was consumed */
	uint8_t		 counted;	/* set by the caller: BDAT, literals:
					 * dots mean nothing, no end mark */
	uint32_t	 line;	/* length of the line so far */
};

/*
 * The next run of message data of in[0..n) in *out (may be empty): stuffed
 * dots are left out, nothing is copied.  Returns octets consumed, > 0 when n
 * is; call again with the rest until all is consumed or s->done.  Only
 * CRLF . CRLF ends data; anything that looks like another end sets a DATA_
 * bit instead, and the caller refuses the message.
 */
size_t	 data_scan(struct data_scan *, const char *in, size_t n,
	    struct slice *out);
/* Counted data is complete: the DATA_ bits of all of it. */
int	 data_counted_end(struct data_scan *);

/* A zeroed struct is the start of a message. */
struct data_stuff {
	uint8_t		 mid;	/* in the middle of a line */
	uint8_t		 cr;	/* CR came last, or just before the last LF */
	uint8_t		 some;	/* there was data */
};

/*
 * The next run to send of in[0..n): *out, and *dot set if "." goes before
 * it.  Returns octets consumed (= out->n), > 0 when n is.
 */
size_t	 data_stuff(struct data_stuff *, const char *in, size_t n,
	    struct slice *out, int *dot);
/* What ends the data: ".\r\n", after a message without final CRLF
 * "\r\n.\r\n". */
struct slice data_stuff_end(const struct data_stuff *);

/* ---- header.c: header fields (RFC 5322 2.2, 3.6.8) ---------------------- */

#define HEADER_MAX	(1024 * 1024)	/* octets of one header block read */
#define HEADER_FIELDS_MAX 10000		/* fields of one header block read */

struct header_field {
	struct slice	 raw;	/* whole field with folding and line end */
	struct slice	 name;	/* without blanks before the colon; empty for
				 * a line that is no field */
	struct slice	 value;	/* after the colon to before the line end,
				 * folding kept; blanks trimmed */
};

/*
 * The next field of *rest, which is advanced.  1, or 0 at the end: then *rest
 * starts with the body (the empty line is consumed).  LF alone ends a line
 * too, as stored messages may have it.  A line that is no field is given with
 * an empty name.
 */
int	 header_next(struct slice *rest, struct header_field *);
/* Octets of the header including the empty line; n if there is none. */
size_t	 header_len(const char *p, size_t n);
/*
 * The same while a message is still arriving: p[0..n) is what there is of it.
 * Returns the header's length once it is certain, -1 before.  *seen, 0 at the
 * start, remembers how far it looked.  A message that does not start with a
 * field (header_first) has a header of 0 octets.
 */
ssize_t	 header_end(const char *p, size_t n, size_t *seen);
/* The idx-th (0..) field called name.  1 found, 0 not. */
int	 header_find(struct slice header, const char *name, int idx,
	    struct header_field *);
/* How many fields are called name. */
int	 header_count(struct slice header, const char *name);
/*
 * Remove CR and LF of folding (RFC 5322 2.2.3); other control characters
 * become blanks.  Returns the length, cut at size.
 */
size_t	 header_unfold(struct slice value, char *, size_t size);
/*
 * Does a message start with a header field (or an mbox "From " line)?  1, or
 * 0: then what is put in front of it as a header must end in an empty line.
 */
int	 header_first(const char *p, size_t n);
/* One msg-id "<...>" out of *rest, brackets included, comments skipped.
 * 1 or 0. */
int	 header_msgid(struct slice *rest, struct slice *id);

/* ---- mime.c: the message parser ----------------------------------------- */

#define MIME_DEPTH_MAX	64	/* multiparts and message/rfc822 nested */
#define MIME_PARTS_MAX	1000	/* parts of a message */
#define MIME_HEADER_MAX	(256 * 1024)	/* octets of one part's header looked
					 * at; the rest is counted only */
#define MIME_PARAMS_MAX	64	/* parameters of one field */
#define FACTS_MAX	(1024 * 1024)	/* octets of a facts blob */

/*
 * Fed with a message as it arrives, makes its facts.  Linear in the message;
 * memory is bounded by the limits above.  Beyond a limit the message is read
 * as if it had no more structure there.  CRLF and LF both end lines.
 */
struct mime;

/* NULL: out of memory. */
struct mime *mime_new(void);
/* Ready for another message, keeping its memory. */
void	 mime_reset(struct mime *);
/* Any number of octets.  0, or -1 out of memory (then only mime_free). */
int	 mime_feed(struct mime *, const char *, size_t);
/*
 * The message ended: *blob is the facts, *n its length, owned by the parser
 * and valid until mime_reset or mime_free.  0, or -1 out of memory.
 * The same octets give the same blob, however they were cut.
 */
int	 mime_end(struct mime *, const char **blob, size_t *n);
void	 mime_free(struct mime *);
/* All of it for a message in memory: malloc'ed blob (caller frees) or NULL. */
char	*mime_facts(const char *msg, size_t msgn, size_t *n);

/* ---- facts.c: reading a facts blob, which is hostile input -------------- */

#define FACTS_VERSION	1	/* other version: make the facts again */

/*
 * Offsets in a blob count from the first octet of the message that was fed.
 * A store that puts trace lines in front of it (Return-Path, Received, ...)
 * adds their length to every offset; the top-level header then grows at its
 * start, and ENVELOPE, BODY and BODYSTRUCTURE stay as they are.
 */
enum facts_field {
	FACTS_ENVELOPE,		/* "(...)" of RFC 3501 7.4.2, ready to send */
	FACTS_BODYSTRUCTURE,	/* with extension data */
	FACTS_BODY,		/* without */
	FACTS_SUBJECT,		/* decoded to UTF-8, unfolded */
	FACTS_BASESUBJECT,	/* RFC 5256 2.1, UTF-8, case kept */
	FACTS_FROM,		/* raw values as in the header, first field, */
	FACTS_TO,		/* unfolded; empty if missing */
	FACTS_CC,
	FACTS_BCC,
	FACTS_SENDER,
	FACTS_REPLYTO,
	FACTS_DATE,		/* raw; see facts_date() */
	FACTS_MSGID,		/* "<...>" or empty */
	FACTS_INREPLYTO,	/* first "<...>" or empty */
	FACTS_REFERENCES,	/* "<...> <...>", the last 100 */
	FACTS_PREVIEW,		/* up to 200 octets of UTF-8 text */
	FACTS_NFIELDS
};

enum facts_type { FACTS_TEXT, FACTS_OTHER, FACTS_MESSAGE, FACTS_MULTIPART };

enum facts_cte { CTE_NONE, CTE_BASE64, CTE_QP, CTE_UNKNOWN };

struct facts_part {
	enum facts_type	 type;
	enum facts_cte	 cte;
	int		 charset;	/* charset.c id of a text part */
	uint64_t	 hdr_off;	/* MIME header of the part with its */
	uint64_t	 hdr_len;	/* empty line */
	uint64_t	 body_off;
	uint64_t	 body_len;
	uint64_t	 lines;		/* of the body */
	int		 nparts;	/* children of a multipart */
	/* Only FACTS_MESSAGE: the message inside the body. */
	uint64_t	 msg_hdr_off, msg_hdr_len;
	uint64_t	 msg_body_off, msg_body_len;
};

/* Version of a blob, -1 if it is none. */
int	 facts_version(const char *blob, size_t n);
/* A field; 0, or -1 if the blob is damaged. */
int	 facts_get(const char *blob, size_t n, enum facts_field,
	    struct slice *);
/* Date: as seconds since the epoch, UTC.  1, 0 if none was readable, -1. */
int	 facts_date(const char *blob, size_t n, int64_t *);
/* Header length with the empty line, length and lines of the message. */
int	 facts_size(const char *blob, size_t n, uint64_t *hdrlen,
	    uint64_t *len, uint64_t *lines);
/* DATA_8BIT and DATA_NUL bits of the message, -1 if damaged. */
int	 facts_seen(const char *blob, size_t n);
/*
 * A part by its IMAP path (RFC 3501 6.4.5): npath 0 is the message itself
 * (type FACTS_MESSAGE with hdr/body and msg_ the same), {1} the body of a
 * message that is no multipart, {2,1} the first part in part 2.
 * 1 found, 0 no such part, -1 damaged.
 */
int	 facts_part(const char *blob, size_t n, const uint32_t *path,
	    size_t npath, struct facts_part *);
/* Parts in message order, 0..count-1, for searching.  facts_nparts: the
 * count or -1.  facts_nth: 0 or -1. */
int	 facts_nparts(const char *blob, size_t n);
int	 facts_nth(const char *blob, size_t n, int i, struct facts_part *);

/* ---- words.c: RFC 2047 encoded words, RFC 2231 parameters --------------- */

#define WORDS_MAX	1000	/* encoded words decoded in one value */

/*
 * Unstructured value to UTF-8: unfolded, encoded words decoded, what cannot
 * be read given as it is or as U+FFFD.  Returns the length, cut at size on a
 * character.
 */
size_t	 words_decode(struct slice value, char *, size_t size);

struct param {
	struct slice	 name;	/* as written, "*0*" and the like removed */
	int		 extended;	/* value is charset'lang'%XX text */
	struct slice	 value;	/* unquoted, pieces joined */
};

struct params {
	struct slice	 type;	/* "text/plain", "attachment": before the ; */
	size_t		 n;
	struct param	 v[MIME_PARAMS_MAX];
};

/*
 * Content-Type, Content-Disposition and DKIM-free friends: a token (with a
 * slash) and parameters.  Strings are made in buf; too much is cut off.
 */
void	 params_parse(struct slice value, struct params *, char *buf,
	    size_t size);
/* A parameter by name, NULL if missing. */
const struct param *params_get(const struct params *, const char *name);
/* Its value as UTF-8 (RFC 2231 4).  Returns the length, cut at size. */
size_t	 param_utf8(const struct param *, char *, size_t size);

/* ---- charset.c: to UTF-8, without iconv --------------------------------- */

#define CHARSET_UNKNOWN	(-1)
#define CHARSET_ASCII	0
#define CHARSET_UTF8	1
/* Octets of UTF-8 that n octets of any charset can become. */
#define CHARSET_UTF8_MAX(n)	(3 * (n))

/* IANA name or a usual alias, case ignored; CHARSET_UNKNOWN. */
int	 charset_find(struct slice name);
/* Preferred MIME name of an id, NULL for CHARSET_UNKNOWN. */
const char *charset_name(int);
/*
 * Convert, as far as out of size octets has room; *used octets were read.
 * What is invalid becomes U+FFFD.  A UTF-8 character cut at the end of in is
 * left unread unless last is set.  Unknown charsets are read as ASCII, octets
 * above 127 becoming U+FFFD.  Returns octets written.
 */
size_t	 charset_utf8(int charset, const char *in, size_t n, int last,
	    char *out, size_t size, size_t *used);
/* Well-formed UTF-8 (Unicode table 3-7), no NUL. */
int	 utf8_valid(const char *, size_t);
/* One character: its length 1..4, 0 if cut, -1 if invalid. */
int	 utf8_get(const char *, size_t, uint32_t *);
/* 1..4 octets written. */
size_t	 utf8_put(uint32_t, char *);
/* Largest m <= n that does not cut a character. */
size_t	 utf8_cut(const char *, size_t n);

/* IMAP mailbox names, modified UTF-7 (RFC 3501 5.1.3).  Both are strict;
 * return the length, or -1: bad, or size too small. */
ssize_t	 mutf7_decode(struct slice, char *, size_t size);
ssize_t	 mutf7_encode(struct slice, char *, size_t size);

/* ---- search.c: substring search without case ---------------------------- */

#define SEARCH_NEEDLE_MAX 1024	/* octets, folded; half of it as given */

/* Fold UTF-8 for comparison: simple case folding of Latin, Greek, Cyrillic,
 * Armenian; the rest as it is.  Needs size >= FOLD_MAX(n).  Returns length. */
#define FOLD_MAX(n)	(2 * (n))
size_t	 utf8_fold(const char *, size_t n, char *out, size_t size);
/* A substring of UTF-8 text, case ignored; both whole. */
int	 utf8_casefind(struct slice text, struct slice needle);

struct search {
	size_t		 n;		/* of the folded needle */
	size_t		 keep;		/* octets kept in buf */
	size_t		 part;		/* of a cut character */
	int		 found;
	char		 needle[SEARCH_NEEDLE_MAX];
	char		 cut[4];
	char		 buf[SEARCH_NEEDLE_MAX + 8192];
};

/* 0, or -1: the needle is too long.  An empty needle is found at once. */
int	 search_start(struct search *, struct slice needle);
/* More text (UTF-8), cut anywhere.  1 as soon as it was found. */
int	 search_feed(struct search *, const char *, size_t);

/* ---- dates.c ------------------------------------------------------------ */

#define DATE_TEXT_MAX	40

/*
 * RFC 5322 3.3 and 4.3 (two- and three-digit years, zone names, comments,
 * day of week ignored).  *t is UTC; *zone minutes east (may be NULL).  0/-1.
 */
int	 date_parse(struct slice, int64_t *t, int *zone);
/* "Sat, 21 Nov 2026 18:20:57 +0000".  Returns the length; size must be at
 * least DATE_TEXT_MAX. */
size_t	 date_print(int64_t t, char *, size_t size);
/* IMAP date-time "21-Nov-2026 18:20:57 +0100" without the quotes. 0/-1. */
int	 imapdate_parse(struct slice, int64_t *t, int *zone);
size_t	 imapdate_print(int64_t t, char *, size_t size);
/* IMAP date "1-Nov-2026", as days since 1970-01-01.  0/-1. */
int	 imapday_parse(struct slice, int64_t *day);
/* ISO 8601 "2026-11-21T18:20:57Z". */
size_t	 isodate_print(int64_t t, char *, size_t size);
/* Days since 1970-01-01 of a Gregorian date; month 1..12. */
int64_t	 date_days(int year, int month, int day);

/* ---- base64.c, cte.c ---------------------------------------------------- */

#define BASE64_LEN(n)		(((n) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(n)	(((n) + 3) / 4 * 3)

/* Strict RFC 4648 4: padded, no other octet, unused bits zero.  Returns the
 * length, or -1: bad, or size too small.  out may be in. */
ssize_t	 base64_decode(const char *in, size_t n, void *out, size_t size);
/* Returns the length BASE64_LEN(n), or -1 if size is too small.  No NUL. */
ssize_t	 base64_encode(const void *in, size_t n, char *out, size_t size);

/* Content-Transfer-Encoding undone, block by block, tolerant (RFC 2045 6.7,
 * 6.8).  Zeroed but for cte is the start. */
struct cte {
	enum facts_cte	 cte;
	uint32_t	 bits;
	uint8_t		 nbits;
	uint8_t		 held;		/* octets in hold */
	char		 hold[3];
	uint32_t	 blanks;	/* held back at a line's end */
};

#define CTE_SLACK	1024	/* room out needs beyond n */

/* Returns octets written; size must be at least n + CTE_SLACK.  last: the
 * part ended.  out must not overlap in. */
size_t	 cte_decode(struct cte *, const char *in, size_t n, int last,
	    char *out, size_t size);

/* ---- sasl.c (RFC 4616, draft-murchison-sasl-login) ---------------------- */

#define SASL_FIELD_MAX	255	/* octets of an identity or a password */
#define SASL_BASE64_MAX	BASE64_LEN(3 * SASL_FIELD_MAX + 2)

/* NUL-terminated copies; the caller wipes it with explicit_bzero. */
struct sasl_cred {
	char	 authzid[SASL_FIELD_MAX + 1];
	char	 authcid[SASL_FIELD_MAX + 1];
	char	 passwd[SASL_FIELD_MAX + 1];
};

/*
 * PLAIN: base64 of [authzid] NUL authcid NUL passwd; "=" is the empty
 * response (then -1).  UTF-8 is checked, CR, LF and NUL inside a field,
 * an empty authcid or passwd refused.  0 or -1.
 */
int	 sasl_plain(struct slice b64, struct sasl_cred *, struct parse_err *);
/* The same from decoded octets. */
int	 sasl_plain_raw(struct slice msg, struct sasl_cred *,
	    struct parse_err *);
/* LOGIN: first response is the user name, second the password.  0 or -1. */
int	 sasl_login_user(struct slice b64, struct sasl_cred *,
	    struct parse_err *);
int	 sasl_login_pass(struct slice b64, struct sasl_cred *,
	    struct parse_err *);
/* Is this fit to be a name or password: 1..SASL_FIELD_MAX octets of UTF-8
 * without NUL, CR, LF? */
int	 sasl_field_valid(struct slice);

/* ---- hash.c ------------------------------------------------------------- */

/* CRC-32C (Castagnoli), continuing from crc (start with 0). */
uint32_t crc32c(uint32_t crc, const void *, size_t);
/* SipHash-2-4: a keyed hash for tables an outsider fills. */
uint64_t siphash24(const uint8_t key[16], const void *, size_t);

#endif
