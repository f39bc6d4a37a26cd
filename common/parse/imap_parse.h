/*
 * The grammar of IMAP commands (RFC 3501 9, 7888, 3516), as pure as the rest
 * of parse/: imap.c, imap_args.c.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/mime.h"

#define IMAP_DEPTH_MAX	16	/* nested parentheses */
#define IMAP_TAG_MAX	64
#define IMAP_KEYWORDS_MAX 1024	/* keywords in one flag list */
#define IMAP_KEYWORD_MAX 128	/* octets of one */
#define IMAP_PATH_MAX	MIME_DEPTH_MAX	/* numbers of one section */
#define IMAP_FIELDS_MAX	64	/* names in HEADER.FIELDS */
#define IMAP_ID_MAX	30	/* pairs of ID (RFC 2971 3.3) */
/* Octets of an ID command: its pairs of names of 30 octets and values of
 * 1,024, quoted with each octet escaped, and a tag. */
#define IMAP_ID_LINE_MAX (IMAP_ID_MAX * (2 * 30 + 2 * 1024 + 6) + 80)
#define IMAP_FIELD_MAX	998	/* octets of one, a line of RFC 5322 */

/*
 * A complete command: the line with its literals in it, final CRLF included
 * or not.  Quoted strings with a backslash are unescaped in place, so a
 * command can be parsed once.  Each imap_ function below takes what it names
 * at the cursor and returns 0, or -1 with err set and the cursor left where
 * it was.  err says what was expected ("a mailbox name") where that failed,
 * which may be behind the cursor.
 */
struct imap_in {
	char		*p;
	size_t		 n;
	size_t		 off;	/* the cursor */
	int		 depth;
	int64_t		 first;	/* p[0] is this octet, for imap_expected() */
	struct parse_err err;
};

#define IMAP_TEXT(x)	#x
#define IMAP_NUMBER(x)	IMAP_TEXT(x)	/* a constant in what is expected */
#define IMAP_EXPECTED_MAX 256	/* octets of what imap_expected() says */

void	 imap_start(struct imap_in *, char *p, size_t n);
/*
 * Many clients leave a blank behind a command, where RFC 3501 has none.  Of
 * a command of n octets, whose last line begins at `from' and ends in CRLF,
 * take the blanks at the end; octets of a literal are before that line.  The
 * new length.
 */
size_t	 imap_trim(char *p, size_t from, size_t n);
/* The cursor is at the command's name: its octets are counted from here. */
void	 imap_count(struct imap_in *);
/* What is at the cursor is not what was expected: a text that lives on. -1. */
int	 imap_fail(struct imap_in *, const char *expected);
/*
 * "FETCH: expected a message number or * at octet 7", for a reply: printable,
 * and nothing of what the client sent.  verb may be "".  Returns text, which
 * has IMAP_EXPECTED_MAX octets.
 */
const char *imap_expected(const struct imap_in *, const char *verb,
	    char *text);
int	 imap_end(struct imap_in *);		/* nothing but CRLF is left */
int	 imap_space(struct imap_in *);		/* exactly one SP */
int	 imap_peek(const struct imap_in *);	/* next octet, -1 at the end */
int	 imap_open(struct imap_in *);		/* "(", counted */
int	 imap_close(struct imap_in *);		/* ")" */
int	 imap_tag(struct imap_in *, struct slice *);
int	 imap_atom(struct imap_in *, struct slice *);
/* Is the next thing this atom (case ignored)?  1 and taken, or 0. */
int	 imap_word(struct imap_in *, const char *);
int	 imap_string(struct imap_in *, struct slice *);	/* quoted, literal */
int	 imap_astring(struct imap_in *, struct slice *);
int	 imap_nstring(struct imap_in *, struct slice *);	/* NIL: p NULL */
/* Mailbox: astring; INBOX in any case comes back as "INBOX". */
int	 imap_mailbox(struct imap_in *, struct slice *);
int	 imap_list_mailbox(struct imap_in *, struct slice *);	/* with % * */
int	 imap_number(struct imap_in *, uint32_t *);
int	 imap_number64(struct imap_in *, uint64_t *);
/* mod-sequence-value of RFC 7162 7, or with zero mod-sequence-valzer. */
int	 imap_modseq(struct imap_in *, int zero, uint64_t *);
int	 imap_date_time(struct imap_in *, int64_t *t, int *zone);
int	 imap_date(struct imap_in *, int64_t *day);

/* ID's list: NIL or pairs in parentheses, looked at and passed over, but for
 * the value of "name"; n 0: it has none. */
int	 imap_id(struct imap_in *, struct slice *name);

#define IMAP_SEQ_STAR	0	/* no message has this number or UID */

struct imap_range {
	uint32_t	 lo, hi;	/* lo <= hi after imap_set_resolve */
};

/* Sequence-set into v of max ranges; returns how many, -1: bad or too many.
 * "*" is IMAP_SEQ_STAR. */
int	 imap_set(struct imap_in *, struct imap_range *v, size_t max);
/* "*" becomes largest; sorted, overlaps joined.  The new count. */
size_t	 imap_set_resolve(struct imap_range *v, size_t n, uint32_t largest);
/* Is x in a resolved set?  Binary search. */
int	 imap_set_has(const struct imap_range *v, size_t n, uint32_t x);
/* How many numbers a set without "*" names, if each range begins behind the
 * end of the one before; else -1. */
int64_t	 imap_set_count(const struct imap_range *v, size_t n);
/* "1:4,7" of a resolved set; the length, or -1 if size is too small. */
ssize_t	 imap_set_print(const struct imap_range *v, size_t n, char *,
	    size_t size);

/* "$", and nothing of a word behind it (RFC 5182): 1 and taken, or 0. */
int	 imap_saved(struct imap_in *);

/* Places 1..n of a result, or of its end: both as they were given, which is
 * in any order (RFC 9394 4). */
struct imap_partial {
	int		 last;		/* counted from the last message */
	uint32_t	 from, to;
};
#define IMAP_PARTIAL_TEXT 32

/* "1:500" or "-1:-100". */
int	 imap_partial(struct imap_in *, struct imap_partial *);
/* How many of a result, from the end that it counts from, have to be known. */
uint32_t imap_partial_reach(const struct imap_partial *);
/* Which of a result of n: how many, from *first (0..) on. */
size_t	 imap_partial_pick(const struct imap_partial *, size_t n,
	    size_t *first);
/* As it was asked for; size IMAP_PARTIAL_TEXT is enough. */
int	 imap_partial_print(const struct imap_partial *, char *, size_t size);

#define IMAP_SEEN	0x01
#define IMAP_ANSWERED	0x02
#define IMAP_FLAGGED	0x04
#define IMAP_DELETED	0x08
#define IMAP_DRAFT	0x10
#define IMAP_RECENT	0x20	/* only in answers */

struct imap_flags {
	int		 system;	/* IMAP_ bits */
	size_t		 n;
	struct slice	 keyword[IMAP_KEYWORDS_MAX];
};

/* "(" flags ")"; bare set: also without parentheses (STORE). */
int	 imap_flags(struct imap_in *, int bare, struct imap_flags *);

enum imap_section_kind {
	IMAP_SECTION_ALL,		/* [] or [1.2] */
	IMAP_SECTION_HEADER,
	IMAP_SECTION_FIELDS,
	IMAP_SECTION_FIELDS_NOT,
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME
};

struct imap_section {
	enum imap_section_kind kind;
	size_t		 npath;
	uint32_t	 path[IMAP_PATH_MAX];
	size_t		 nfields;
	struct slice	 field[IMAP_FIELDS_MAX];
	int		 partial;	/* <first.count> was given */
	uint32_t	 first, count;
};

/* "[" ... "]" and, if it follows, "<n.m>". */
int	 imap_section(struct imap_in *, struct imap_section *);

enum imap_match { IMAP_NOMATCH, IMAP_MATCH, IMAP_MATCH_PARENT };

/*
 * LIST pattern against a mailbox name; '%' stops at delim, '*' does not.
 * IMAP_MATCH_PARENT: not the name, but one of its parents matches (for a
 * parent that does not exist itself).  O(pattern * name), no recursion.
 */
enum imap_match imap_list_match(struct slice pattern, struct slice name,
	    char delim);

#define IMAP_LITERAL_PLUS	0x01	/* {n+}: the client does not wait */
#define IMAP_LITERAL_8		0x02	/* ~{n} */

/*
 * Does a line (without CRLF) end in a literal announcement?  1 with its size
 * and flags, 0 if not, -1 if it does but the number is beyond 2^63.
 */
int	 imap_literal(struct slice line, uint64_t *size, int *flags);
/* Octets of s as an IMAP string: quoted if that can carry it, else literal;
 * NUL becomes U+FFFD's stand-in '?'.  The length, or -1 if size is too small
 * (2 * s.n + 32 always do). */
ssize_t	 imap_put_string(struct slice s, char *, size_t size);
/* As an astring: an atom if it can be one. */
ssize_t	 imap_put_astring(struct slice s, char *, size_t size);
/* The same for one who has enabled UTF-8 (RFC 9755 3), which quoted strings
 * carry then. */
ssize_t	 imap_put_utf8(struct slice s, char *, size_t size);

#endif
