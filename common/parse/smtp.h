/*
 * SMTP commands and replies (RFC 5321 4.1.1, 4.2).
 */
#ifndef PARSE_SMTP_H
#define PARSE_SMTP_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/address.h"

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
 * the colon, no brackets, no domain, dots in odd places.  All parameters of the struct are known
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

#endif
