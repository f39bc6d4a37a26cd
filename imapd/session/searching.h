/*
 * imap-session: SEARCH, SORT and THREAD: the keys that ask for messages, the
 * list of those that match, and what is told of it.  The order of the files
 * is that of imap.h.
 */
#ifndef SEARCHING_H
#define SEARCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "imapd/session/imap.h"

/* ---- search keys: search_parse.c, search_match.c ------------------------- */

enum search_op {
	KEY_ALL, KEY_AND, KEY_OR, KEY_NOT, KEY_FUZZY,
	KEY_FLAG, KEY_NOFLAG, KEY_KEYWORD, KEY_NOKEYWORD,
	KEY_RECENT, KEY_OLD, KEY_NEW,
	KEY_SEQ, KEY_UID, KEY_LARGER, KEY_SMALLER, KEY_MODSEQ,
	KEY_BEFORE, KEY_ON, KEY_SINCE, KEY_OLDER, KEY_YOUNGER,
	KEY_SAVEDBEFORE, KEY_SAVEDON, KEY_SAVEDSINCE,
	KEY_EMAILID, KEY_THREADID, KEY_UIDAFTER, KEY_UIDBEFORE,
	KEY_SENTBEFORE, KEY_SENTON, KEY_SENTSINCE,
	KEY_SUBJECT, KEY_FROM, KEY_TO, KEY_CC, KEY_BCC,
	KEY_HEADER, KEY_BODY, KEY_TEXT
};

/* A node; sub and next are indices + 1 into the program, 0 none. */
struct search_key {
	enum search_op	 op;
	unsigned int	 cost;		/* 0 flags .. 3 the body */
	int		 sub, next;
	uint64_t	 number;	/* flag bits, keyword bit, size,
					   mod-sequence */
	int64_t		 day;		/* of OLDER, YOUNGER: a second */
	struct slice	 name, value;
	char		*text;		/* the value made UTF-8; NULL: it was */
	struct imap_range *set;		/* resolved; owned by the program */
	size_t		 nset;
};

struct search_prog {
	size_t			 n, size;
	struct search_key	*key;
	struct search		*needle;	/* scratch of BODY, TEXT */
	bool			 fuzzy;		/* has FUZZY (RFC 6203) */
	bool			 modseq;	/* has MODSEQ (RFC 7162) */
};

/* "charset " before the keys.  REPLY_OK or what to answer. */
enum reply search_charset(struct session *, struct imap_in *, int *charset);
/* Keys up to the end of the line, with texts in a charset.  REPLY_OK or what
 * to answer; free the program in any case. */
enum reply search_keys(struct session *, struct imap_in *, int charset,
	    struct search_prog *);
void	 search_free(struct search_prog *);
/* Does message seq match the program, and how well (1..100, by FUZZY)?  1, 0;
 * -1 with *r. */
int	 search_match(struct session *, const struct search_prog *,
	    uint32_t seq, unsigned int *score, enum store_result *r);

/* ---- search_field.c ------------------------------------------------------ */

/* Is the text in a field's value, decoded?  1, 0; -1 out of memory. */
int	 field_match(struct session *, struct slice value, struct slice text);
/* The same for a list of addresses: in the value, or in a name or address as
 * it is parsed and decoded. */
int	 field_match_list(struct session *, struct slice value,
	    struct slice text);
/* Does a field of this name have addresses (RFC 5322 3.6)? */
bool	 field_is_list(struct slice name);

/* ---- search_return.c ----------------------------------------------------- */

#define RETURN_MIN	 0x01
#define RETURN_MAX	 0x02
#define RETURN_ALL	 0x04
#define RETURN_COUNT	 0x08
#define RETURN_SAVE	 0x10
#define RETURN_PARTIAL	 0x20
#define RETURN_RELEVANCY 0x40

struct search_return {
	bool		 asked;		/* ESEARCH, not SEARCH or SORT */
	unsigned int	 what;		/* RETURN_ */
	struct imap_partial partial;
};

/* Messages in the order of the answer. */
struct search_result {
	uint32_t	*seq;
	uint8_t		*score;		/* 1..100 */
	size_t		 n, size;
	bool		 modseq;	/* the highest is to be told */
};

/* "RETURN (...) ", if it is there.  REPLY_OK or what to answer. */
enum reply return_parse(struct session *, struct imap_in *,
	    struct search_return *);
/* How many messages of a SEARCH are enough to answer; last: of the end. */
uint32_t return_reach(const struct search_return *, bool *last);
/* "* SEARCH 1 3 (MODSEQ 7)" */
void	 result_send(struct session *, const char *name,
	    const struct search_result *);
/* "* ESEARCH ...", unless SAVE alone was asked for. */
void	 return_send(struct session *, const struct search_return *,
	    const struct search_result *);
/* With SAVE: keep what "$" is from now on.  REPLY_OK, REPLY_NO. */
enum reply return_save(struct session *, const struct search_return *,
	    const struct search_result *);

/* ---- search.c ------------------------------------------------------------ */

/* The messages that match, ascending: the first `most', or the last of them.
 * REPLY_NO when some could not be read; the others are there.  Free with
 * result_free(). */
enum reply search_run(struct session *, const struct search_prog *,
	    uint32_t most, bool last, struct search_result *);
void	 result_free(struct search_result *);

/* ---- sort_key.c ---------------------------------------------------------- */

#define SORT_KEYS_MAX	10	/* as many as there are */

enum sort_by {
	SORT_ARRIVAL, SORT_DATE, SORT_SIZE, SORT_RELEVANCY, SORT_FIELD
};
struct sort_key {
	enum sort_by	 by;
	enum facts_field field;
	bool		 display;	/* the name, not the address */
	bool		 reverse;
};
/* A number, or a text: its first octets, and where all of it is. */
struct sort_cell {
	uint64_t	 head;
	uint32_t	 off, n;
};
struct sort_table {
	struct sort_key	 key[SORT_KEYS_MAX];
	size_t		 nkeys;
	bool		 facts;		/* a key needs them */
	struct sort_cell *cell;		/* nkeys for each of the result */
	char		*text;
	size_t		 textn, text_size;
};
/* The cells of all that was found.  NOMEM, LIMIT: nothing is to be sorted;
 * else some message could not be read and is sorted without its fields. */
enum store_result sort_fill(struct session *, struct sort_table *,
	    const struct search_result *);
void	 sort_free(struct sort_table *);

#endif
