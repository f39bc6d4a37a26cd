/*
 * What mime.c, structure.c, preview.c and facts.c share about a message
 * that is being parsed.  Private to these files.
 */
#ifndef MIME_PRIV_H
#define MIME_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/facts.h"
#include "parse/mime.h"

#define PART_NONE	UINT16_MAX
#define MIME_HEADER_TOTAL (2 * MIME_HEADER_MAX)	/* octets of all headers
						 * looked at */
#define PREVIEW_RAW	2048	/* octets of a text part kept */
#define PREVIEW_MAX	200
#define SUBJECT_MAX	4000	/* octets of FACTS_SUBJECT */
#define REFERENCES_MAX	100

/* Text that grows up to max.  Once bad, puts do nothing. */
enum text_bad { TEXT_GOOD, TEXT_FULL, TEXT_NOMEM };

struct mime_text {
	char		*p;
	size_t		 n, cap, max;
	enum text_bad	 bad;
};

struct text_span {
	uint32_t	 off, n;
};

/* A value in mime.fields, or in the ENVELOPE if that has the same text. */
struct field_span {
	uint32_t	 off, n;
	int		 inenv;
};

/* A part; in message order, parents before children. */
struct part {
	uint64_t	 hdr_off, body_off, body_len;
	uint64_t	 lines0;	/* line ends before the body */
	uint32_t	 lines;
	uint16_t	 parent, first, last, next, nparts;
	uint8_t		 type;		/* enum facts_type */
	uint8_t		 cte;		/* enum facts_cte */
	uint8_t		 depth;
	uint8_t		 digest;	/* multipart/digest */
	uint8_t		 html;
	int8_t		 charset;
	struct text_span head;		/* all made of its header, in */
	struct text_span ext;		/* mime.text; see structure.c */
	struct text_span env;		/* of the message it is the body of */
	/* A multipart as the text it is if no part comes. */
	struct text_span text_head, text_ext;
};

/* The start of a text part, for the preview. */
struct sample {
	uint16_t	 part;		/* PART_NONE: none yet */
	uint16_t	 n;
	char		 raw[PREVIEW_RAW];
};

/* An open multipart and its boundary, in mime.bounds. */
struct level {
	uint16_t	 part;
	uint16_t	 n;
	uint32_t	 off;
};

/* Longest boundary, of 70 that RFC 2046 5.1.1 permits. */
#define BOUNDARY_MAX	240
#define LINE_HOLD	(BOUNDARY_MAX + 16)

enum mime_mode { IN_HEADER, IN_BODY };

struct mime {
	/* what was found */
	struct part	*parts;
	size_t		 nparts, partcap;
	struct mime_text text;		/* rendered pieces */
	struct mime_text fields;	/* values of the FACTS_ fields */
	struct field_span field[FACTS_NFIELDS];
	int64_t		 date;
	int		 hasdate;
	int		 seen;		/* DATA_8BIT, DATA_NUL */
	struct sample	 plain, html;

	/* where we are */
	enum mime_mode	 mode;
	uint64_t	 off;		/* of the next octet */
	uint64_t	 lines;		/* line ends before it */
	uint64_t	 line_off;	/* where its line started */
	uint64_t	 body0;		/* where the body of the last began */
	uint16_t	 cur;		/* the part we are in */
	uint8_t		 eol;		/* octets of the last line end */
	uint8_t		 first;		/* first line of a header */
	uint8_t		 skip;		/* the rest of the line is no mark */
	char		 prev;		/* octet before the next */
	size_t		 linen;
	char		 line[LINE_HOLD];	/* start of the line */
	size_t		 nlevels;
	struct level	 level[MIME_DEPTH_MAX];
	struct mime_text bounds;
	size_t		 boundaryn;	/* of the multipart just met */
	char		 boundary[BOUNDARY_MAX];
	struct sample	*sample;	/* being filled, or NULL */

	/* working space */
	struct mime_text hdr;		/* header of the part */
	size_t		 hdr_left;	/* of MIME_HEADER_TOTAL */
	struct mime_text tmp;
	struct mime_text blob;
};

/* ---- structure.c ---- */
void	 text_put(struct mime_text *, const char *, size_t);
void	 text_str(struct mime_text *, const char *);
void	 text_num(struct mime_text *, uint64_t);
/* Room for n octets more; NULL if there is none. */
char	*text_room(struct mime_text *, size_t n);
/* An IMAP string, NIL if p is NULL. */
void	 text_string(struct mime_text *, struct slice);
/*
 * The header of part m->cur is complete in m->hdr: sets its type, cte,
 * charset, head, ext, env, and m->boundary of a multipart.
 */
void	 structure_part(struct mime *);
/* The multipart is closed and has no part: it is a text from now on. */
void	 structure_text(struct part *);
/* BODY or (ext) BODYSTRUCTURE of the message. */
void	 structure_put(struct mime *, struct mime_text *, int ext);

/* ---- preview.c ---- */
size_t	 preview_make(const struct mime *, char *, size_t size);
/* RFC 5256 2.1 base subject, a part of s. */

/* ---- facts.c ---- */
/* Fields of the top header, from m->hdr. */
void	 facts_fields(struct mime *);
/* The blob, into m->blob. */
void	 facts_make(struct mime *);

/* ---- field numbers shared by structure.c and facts.c ---- */
enum known {
	H_DATE, H_SUBJECT, H_FROM, H_SENDER, H_REPLYTO, H_TO, H_CC, H_BCC,
	H_INREPLYTO, H_MSGID, H_REFERENCES,
	H_TYPE, H_CTE, H_ID, H_DESCRIPTION, H_MD5, H_DISPOSITION, H_LANGUAGE,
	H_LOCATION,
	H_KNOWN
};

/* First value of each known field; p NULL if missing.  Returns a bit for each
 * (1 << H_TO) that comes again. */
uint32_t known_find(struct slice header, struct slice v[H_KNOWN]);
/* Every value of a field: start zeroed but for rest, the header.  1, or 0. */
struct known_walk {
	struct slice	 rest;
	int		 fields;
};
int	 known_next(struct known_walk *, enum known, struct slice *value);

#endif
